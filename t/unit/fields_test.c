#include "tap.h"
#include "urlencoded.h"


/* The fields as "name=value;..." or the number of the failure. */

static const char *
written(corr_fields_t *f, int rc)
{
    size_t        len;
    unsigned      i;
    static char   text[2048];

    if (rc != CORR_OK) {
        snprintf(text, sizeof(text), "%d", rc);
        return text;
    }

    text[0] = '\0';
    len = 0;

    for (i = 0; i < f->nfields; i++) {
        len += (size_t) snprintf(text + len, sizeof(text) - len, "%s=%s;",
                                 (char *) f->field[i].name.data,
                                 (char *) f->field[i].value.data);
    }

    return text;
}


static int
feed(corr_fields_t *f, corr_str_t s, size_t size,
    const corr_fields_limits_t *limits)
{
    int                 rc;
    size_t              i, n;
    corr_urlencoded_t   u;

    corr_fields_init(f, tap_alloc(), limits);
    corr_urlencoded_init(&u, f);

    for (i = 0; i < s.len; i += n) {
        n = (s.len - i < size) ? s.len - i : size;
        rc = corr_urlencoded_feed(&u, exact(0, corr_make_str(s.data + i, n)));

        if (rc != CORR_OK) {
            is_int(corr_urlencoded_feed(&u, CORR_STR("a=b")), rc,
                   "  a failure stays");
            is_int(corr_urlencoded_finish(&u), rc, "  to the end");
            return rc;
        }
    }

    return corr_urlencoded_finish(&u);
}


static void
test_urlencoded(void)
{
    int            rc;
    char           whole[2048];
    size_t         i, size, same;
    corr_str_t     in;
    corr_fields_t  f;

    static const struct {
        const char  *in;
        const char  *out;
    } cases[] = {
        { "", "" },
        { "a=1", "a=1;" },
        { "a=1&b=2", "a=1;b=2;" },
        { "a=1&a=2", "a=1;a=2;" },
        { "a", "a=;" },
        { "a=", "a=;" },
        { "a=b=c", "a=b=c;" },
        { "&&a=1&&b=2&", "a=1;b=2;" },
        { "=x&a=1", "a=1;" },
        { "=&a=1", "a=1;" },
        { "a+b=c+d", "a b=c d;" },
        { "%61=%31%2b%2B", "a=1++;" },
        { "a=%2526", "a=%26;" },
        { "a=%d8%b3%D8%B3", "a=\u0633\u0633;" },
        { "a=1%3Bb=2;c", "a=1;b=2;c;" },
        { "a=1\r\n", "a=1\r\n;" },
        { "a=%", "-3" },
        { "a=%4", "-3" },
        { "a=%4&b=1", "-3" },
        { "a=%zz", "-3" },
        { "a=%u0041", "-3" },
        { "a=%00b&c=1", "a=\x1a""b;c=1;" },
        { "a=%ff%fe", "a=\x1a\x1a;" },
        { "a=%d8", "a=\x1a;" },
        { "a=%d8x%d8%b3", "a=\x1ax\u0633;" },
        { "a=%ed%a0%80", "a=\x1a\x1a\x1a;" },
        { "a=%c0%af", "a=\x1a\x1a;" },
        { "a=\xff", "a=\x1a;" },
        { "%ff=1", "-3" },
        { "a%00=1", "-3" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        in = corr_cstr(cases[i].in);
        rc = feed(&f, in, 4096, NULL);
        snprintf(whole, sizeof(whole), "%s", written(&f, rc));

        is_text(corr_cstr(whole), cases[i].out, cases[i].in);

        for (size = 1, same = 0; size <= in.len; size++) {
            rc = feed(&f, in, size, NULL);
            same += (strcmp(written(&f, rc), whole) == 0);
        }

        is_int((long long) same, (long long) in.len, "  in pieces of any size");
    }
}


static int
limited(const char *s, unsigned count, size_t name, size_t value, size_t total)
{
    corr_fields_t         f;
    corr_fields_limits_t  limits = { count, name, value, total };

    return feed(&f, corr_cstr(s), 3, &limits);
}


static void
test_limits(void)
{
    is_int(limited("a=1&b=2", 2, 9, 9, 99), CORR_OK, "as many as allowed");
    is_int(limited("a=1&b=2&c", 2, 9, 9, 99), CORR_LIMIT, "one too many");
    is_int(limited("=1&=2&=3", 2, 9, 9, 99), CORR_LIMIT, "nameless ones count");
    is_int(limited("abc=1", 9, 3, 9, 99), CORR_OK, "a name of the limit");
    is_int(limited("abcd=1", 9, 3, 9, 99), CORR_LIMIT, "a longer one");
    is_int(limited("a%62%63%64=1", 9, 3, 9, 99), CORR_LIMIT, "decoded");
    is_int(limited("a=12345", 9, 9, 5, 99), CORR_OK, "a value of the limit");
    is_int(limited("a=%31%32%33%34%35", 9, 9, 5, 99), CORR_OK,
           "counted in what was meant");
    is_int(limited("a=123456", 9, 9, 5, 99), CORR_LIMIT, "a longer one");
    is_int(limited("a=1234&b=1234", 9, 9, 9, 10), CORR_OK, "a total");
    is_int(limited("a=1234&b=12345", 9, 9, 9, 10), CORR_LIMIT, "a larger one");
}


static void
test_collection(void)
{
    char           big[70000];
    corr_str_t     s;
    corr_fields_t  f;

    corr_fields_init(&f, tap_alloc(), NULL);
    is_int(corr_query_parse(&f, CORR_STR("unit=1&tab=new&unit=2")), CORR_OK,
           "a query");

    is_text(corr_fields_get(&f, "unit"), "1", "the first of a name");
    is_text(corr_fields_nth(&f, "unit", 1), "2", "the second of a name");
    ok(corr_fields_nth(&f, "unit", 2).data == NULL, "no third");
    ok(corr_fields_get(&f, "uni").data == NULL, "no other name");
    s = corr_fields_get(&f, "tab");
    ok(s.data && s.data[s.len] == '\0', "values end with a NUL");

    memset(big, 'x', sizeof(big));
    is_int(corr_fields_add(&f, CORR_STR("big"), corr_make_str(big, 65536)),
           CORR_OK, "a large value");
    is_int((long long) corr_fields_get(&f, "big").len, 65536, "is all there");
    is_int(corr_fields_add(&f, CORR_STR("big"), corr_make_str(big, 65537)),
           CORR_LIMIT, "a larger one is not");
    is_int(corr_fields_add(&f, CORR_STR("a"), CORR_STR("x\0y")), CORR_OK,
           "a value with a NUL");
    is_text(corr_fields_get(&f, "a"), "x\x1ay", "has a SUBSTITUTE instead");
    is_int((long long) f.substituted, 1, "which is counted");
    is_int(corr_fields_add(&f, CORR_STR("a\0"), CORR_STR("x")), CORR_INVALID,
           "a name with a NUL is none");
    is_text(corr_fields_get(&f, "unit"), "1", "what was there remains");
}


int
main(void)
{
    test_urlencoded();
    test_limits();
    test_collection();

    return tap_done();
}
