#include "tap.h"
#include "escape.h"


static void
escaped(corr_escape_e kind, corr_str_t in, const char *expected)
{
    is_text(corr_escape(tap_alloc(), kind, exact(0, in)), expected, expected);
}


static void
test_kinds(void)
{
    corr_str_t  plain = CORR_STR("plain");

    escaped(CORR_ESCAPE_HTML, CORR_STR("<a href=\"x\">'&amp;"),
            "&lt;a href=&quot;x&quot;&gt;&#39;&amp;amp;");
    escaped(CORR_ESCAPE_URL, CORR_STR("a b/\u0633?&=%~-._"),
            "a%20b%2F%D8%B3%3F%26%3D%25~-._");
    escaped(CORR_ESCAPE_JSON, CORR_STR("\"\\\n\t\r\0\x1f</script>\u2028\u2029"),
            "\\\"\\\\\\n\\t\\r\\u0000\\u001f\\u003c/script\\u003e"
            "\\u2028\\u2029");
    escaped(CORR_ESCAPE_JSON, CORR_STR("\xe2\x80"), "\xe2\x80");
    escaped(CORR_ESCAPE_CSV, CORR_STR("=1+1"), "'=1+1");
    escaped(CORR_ESCAPE_CSV, CORR_STR("@a,b"), "\"'@a,b\"");
    escaped(CORR_ESCAPE_CSV, CORR_STR("\uff1d1"), "'\uff1d1");
    escaped(CORR_ESCAPE_CSV, CORR_STR("a\"b"), "\"a\"\"b\"");
    escaped(CORR_ESCAPE_CSV, CORR_STR("a-b"), "a-b");
    escaped(CORR_ESCAPE_CSV, CORR_STR("\rx"), "\"'\rx\"");
    escaped(CORR_ESCAPE_CSV, CORR_STR("a;=1;b"), "\"a;'=1;b\"");
    escaped(CORR_ESCAPE_CSV, CORR_STR("a;\"=1"), "\"a;'\"\"=1\"");
    escaped(CORR_ESCAPE_CSV, CORR_STR("a\n@b\r\nc"), "\"a\n'@b\r\nc\"");
    escaped(CORR_ESCAPE_CSV, CORR_STR("a\u061b\uff1d1"), "a\u061b'\uff1d1");
    escaped(CORR_ESCAPE_LOG, CORR_STR("a\r\nb\x1b[0m\\\x7f\xc2\x9b"),
            "a\\x0d\\x0ab\\x1b[0m\\x5c\\x7f\\x9b");
    escaped(CORR_ESCAPE_LOG, CORR_STR("\u0633"), "\u0633");

    ok(corr_escape(tap_alloc(), CORR_ESCAPE_HTML, plain).data == plain.data,
       "nothing to escape, nothing copied");
    ok(corr_escape(tap_alloc(), CORR_ESCAPE_HTML,
                   corr_make_str(NULL, 0)).data != NULL,
       "empty is not out of memory");
}


static int
append(void *data, const void *p, size_t n)
{
    corr_str_t  *s = data;

    memcpy(s->data + s->len, p, n);
    s->len += n;

    return CORR_OK;
}


static int
refuse(void *data, const void *p, size_t n)
{
    (void) p;
    (void) n;

    return --*(int *) data ? CORR_OK : CORR_ERROR;
}


/* Counted, copied and streamed are the same, for every two bytes. */

static void
test_agreement(void)
{
    int             kind;
    unsigned        i, wrong, pieces, left;
    size_t          len;
    corr_str_t      in, streamed;
    unsigned char   pair[3], put[64], stream[64], *last;

    wrong = 0;
    streamed.data = stream;

    for (kind = CORR_ESCAPE_HTML; kind <= CORR_ESCAPE_LOG; kind++) {
        for (i = 0; i < 65536; i++) {
            pair[0] = (unsigned char) (i >> 8);
            pair[1] = (unsigned char) i;
            pair[2] = 0xa8;
            in = corr_make_str(pair, 2 + (i & 1));

            len = corr_escape_len((corr_escape_e) kind, in);
            last = corr_escape_put((corr_escape_e) kind, put, in);
            streamed.len = 0;
            (void) corr_escape_write((corr_escape_e) kind, in, append,
                                     &streamed);

            wrong += (size_t) (last - put) != len || streamed.len != len
                     || memcmp(put, stream, len) != 0;
        }
    }

    is_int(wrong, 0, "length, copy and stream agree");

    wrong = 0;

    for (kind = CORR_ESCAPE_HTML; kind <= CORR_ESCAPE_LOG; kind++) {
        for (pieces = 1; pieces < 10; pieces++) {
            left = pieces;

            if (corr_escape_write((corr_escape_e) kind, CORR_STR("=a\"b<\\c,"),
                                  refuse, &left)
                == CORR_OK)
            {
                break;
            }
        }

        wrong += (pieces == 1 || left == 0);
    }

    is_int(wrong, 0, "a refused piece ends the writing, whichever it is");
}


static void
test_header_value(void)
{
    ok(corr_header_value_valid(CORR_STR("Bearer abc\tdef \xd8\xb3")), "value");
    ok(corr_header_value_valid(CORR_STR("")), "empty");
    ok(!corr_header_value_valid(CORR_STR("a\r\nX: y")), "CR LF");
    ok(!corr_header_value_valid(CORR_STR("a\ny")), "LF");
    ok(!corr_header_value_valid(CORR_STR("a\0y")), "NUL");
    ok(!corr_header_value_valid(CORR_STR("a\x7f")), "DEL");
    ok(!corr_header_value_valid(CORR_STR(" a")), "a blank in front");
    ok(!corr_header_value_valid(CORR_STR("a\t")), "a tab behind");
}


static void
test_path(void)
{
    size_t  i;

    static const struct {
        const char  *path;
        int          local;
    } cases[] = {
        { "/", 1 },
        { "/desk/letters?page=2&x=//a", 1 },
        { "/a%20b/%D8%B3", 1 },
        { "/a/%2f", 1 },
        { "", 0 },
        { "desk", 0 },
        { "//evil.example", 0 },
        { "/\\evil.example", 0 },
        { "\\/evil.example", 0 },
        { "/%2fevil.example", 0 },
        { "/%2Fevil.example", 0 },
        { "/%5cevil.example", 0 },
        { "%2f/evil.example", 0 },
        { "%2fdesk", 0 },
        { "/a%0d%0aSet-Cookie: x=y", 0 },
        { "/a\r\nX: y", 0 },
        { "/\t/evil.example", 0 },
        { "/a b", 0 },
        { " /a", 0 },
        { "/a%00", 0 },
        { "/a%7f", 0 },
        { "/a%2", 0 },
        { "/a%zz", 0 },
        { "/\xd8\xb3", 0 },
        { "https://evil.example/", 0 },
        { "javascript:alert(1)", 0 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is_int(corr_path_local(exact(0, corr_cstr(cases[i].path))),
               cases[i].local, cases[i].path[0] ? "a path" : "no path");
    }
}


int
main(void)
{
    test_kinds();
    test_agreement();
    test_header_value();
    test_path();

    return tap_done();
}
