#include "tap.h"
#include "record.h"


#define D(name)      "Content-Disposition: form-data; name=\"" name "\"\r\n"
#define PART(name, data)   "--B\r\n" D(name) "\r\n" data "\r\n"
#define END          "--B--\r\n"


/* What a body is read as: events in one line, or the failure. */

typedef struct {
    const char    *name;
    corr_str_t     body;
    int            rc;
    const char    *events;      /* NULL: not looked at */
} sample_t;


#define SAMPLE(name, body, rc, events)                                        \
    { name, corr_str(body), rc, events }


static const sample_t  samples[] = {

    /* what is accepted */

    SAMPLE("one field", PART("a", "1") END, CORR_OK,
           "part x61 - -\ndata 31\npart-end\nend\n"),
    SAMPLE("an empty field", PART("a", "") END, CORR_OK,
           "part x61 - -\npart-end\nend\n"),
    SAMPLE("two fields of a name", PART("a", "1") PART("a", "2") END, CORR_OK,
           "part x61 - -\ndata 31\npart-end\n"
           "part x61 - -\ndata 32\npart-end\nend\n"),
    SAMPLE("no parts", END, CORR_OK, "end\n"),
    SAMPLE("CR LF first", "\r\n" PART("a", "1") END, CORR_OK,
           "part x61 - -\ndata 31\npart-end\nend\n"),
    SAMPLE("no CR LF last", PART("a", "1") "--B--", CORR_OK,
           "part x61 - -\ndata 31\npart-end\nend\n"),
    SAMPLE("blanks behind delimiters",
           "--B \t\r\n" D("a") "\r\n1\r\n--B-- \t\r\n", CORR_OK,
           "part x61 - -\ndata 31\npart-end\nend\n"),
    SAMPLE("a file", "--B\r\ncontent-disposition:form-data;"
           "filename=\"x.png\";name=a\r\nCONTENT-TYPE:  image/png ; x=y \r\n"
           "\r\n\x89\r\n--B--", CORR_OK,
           "part x61 x782e706e67 x696d6167652f706e67\ndata 89\n"
           "part-end\nend\n"),
    SAMPLE("a file field left empty", "--B\r\nContent-Disposition: form-data; "
           "name=\"a\"; filename=\"\"\r\n"
           "Content-Type: application/octet-stream\r\n\r\n\r\n" END, CORR_OK,
           "part x61 x x6170706c69636174696f6e2f6f637465742d73747265616d\n"
           "part-end\nend\n"),
    SAMPLE("a name inside of a filename", "--B\r\nContent-Disposition: "
           "form-data; filename=\"; name=\\\"b\\\"\"; name=\"a\"\r\n\r\n\r\n"
           END, CORR_OK,
           "part x61 x3b206e616d653d226222 -\npart-end\nend\n"),
    SAMPLE("a backslash of Windows", "--B\r\nContent-Disposition: form-data; "
           "name=\"a\"; filename=\"C:\\x.y\"\r\n\r\n\r\n" END, CORR_OK,
           "part x61 x433a5c782e79 -\npart-end\nend\n"),
    SAMPLE("%22 and %0D%0A", "--B\r\nContent-Disposition: form-data; "
           "name=\"a\"; filename=\"%22%0D%0A%41\"\r\n\r\n\r\n" END, CORR_OK,
           "part x61 x222020253431 -\npart-end\nend\n"),
    SAMPLE("other headers", "--B\r\nContent-Length: 1\r\n" D("a")
           "Content-Transfer-Encoding: 8bit\r\n\r\n1\r\n" END,
           CORR_OK, "part x61 - -\ndata 31\npart-end\nend\n"),
    SAMPLE("UTF-8 said of a field", "--B\r\n" D("a")
           "Content-Type: text/plain; charset=\"UTF-8\"\r\n\r\n1\r\n" END,
           CORR_OK, NULL),
    SAMPLE("another charset of a file", "--B\r\nContent-Disposition: form-data;"
           " name=a; filename=b\r\nContent-Type: text/plain; charset=cp1256"
           "\r\n\r\n1\r\n" END, CORR_OK, NULL),
    SAMPLE("CR and LF in data", PART("a", "\r\r\n\r\n\r--B\r\n-\n") END,
           CORR_OK, "part x61 - -\ndata 0d0d0a0d0a0d2d2d420d0a2d0a\n"
           "part-end\nend\n"),
    SAMPLE("what is no delimiter", PART("a", "\r\n--Bx\r\n--B -\r\n--B-x"
           "\r\n--B\n\r\n--B\rx\r\n--b--") END, CORR_OK,
           "part x61 - -\ndata 0d0a2d2d42780d0a2d2d42202d0d0a2d2d422d780d0a"
           "2d2d420a0d0a2d2d420d780d0a2d2d622d2d\npart-end\nend\n"),
    SAMPLE("too many blanks are data", PART("a", "\r\n--B                 ")
           END, CORR_OK, NULL),
    SAMPLE("a delimiter at once is data", "--B\r\n" D("a") "\r\n--B\r\n" END,
           CORR_OK, "part x61 - -\ndata 2d2d42\npart-end\nend\n"),

    /* framing that is refused */

    SAMPLE("nothing", "", CORR_INVALID, ""),
    SAMPLE("junk first", "x\r\n" PART("a", "1") END, CORR_INVALID, ""),
    SAMPLE("two CR LF first", "\r\n\r\n" PART("a", "1") END, CORR_INVALID, ""),
    SAMPLE("LF first", "\n" PART("a", "1") END, CORR_INVALID, ""),
    SAMPLE("junk last", PART("a", "1") END "x", CORR_INVALID, NULL),
    SAMPLE("junk behind --", PART("a", "1") "--B--x", CORR_INVALID, NULL),
    SAMPLE("two CR LF last", PART("a", "1") END "\r\n", CORR_INVALID, NULL),
    SAMPLE("half a CR LF last", PART("a", "1") "--B--\r", CORR_INVALID, NULL),
    SAMPLE("a part behind the end", PART("a", "1") END PART("b", "2") END,
           CORR_INVALID, NULL),
    SAMPLE("another boundary", "--C\r\n" D("a") "\r\n1\r\n--C--\r\n",
           CORR_INVALID, ""),
    SAMPLE("no end", PART("a", "1"), CORR_INVALID,
           "part x61 - -\ndata 31"),
    SAMPLE("cut in data", "--B\r\n" D("a") "\r\n1", CORR_INVALID, NULL),
    SAMPLE("cut in a delimiter", "--B\r\n" D("a") "\r\n1\r\n--", CORR_INVALID,
           NULL),
    SAMPLE("cut before the last -", "--B\r\n" D("a") "\r\n1\r\n--B-",
           CORR_INVALID, NULL),
    SAMPLE("cut in headers", "--B\r\nContent-Dis", CORR_INVALID, ""),
    SAMPLE("LF only", "--B\n" "Content-Disposition: form-data; name=\"a\"\n\n"
           "1\n--B--\n", CORR_INVALID, ""),

    /* headers that are refused */

    SAMPLE("LF in headers", "--B\r\nContent-Disposition: form-data; "
           "name=\"a\"\n\r\n1\r\n" END, CORR_INVALID, ""),
    SAMPLE("CR in headers", "--B\r\nContent-Disposition: form-data; "
           "name=\"a\"\r\r\n\r\n1\r\n" END, CORR_INVALID, ""),
    SAMPLE("NUL in a name", "--B\r\n" D("a\0b") "\r\n1\r\n" END, CORR_INVALID,
           ""),
    SAMPLE("a folded line", "--B\r\nContent-Disposition: form-data;\r\n "
           "name=\"a\"\r\n\r\n1\r\n" END, CORR_INVALID, ""),
    SAMPLE("a folded first line", "--B\r\n " D("a") "\r\n1\r\n" END,
           CORR_INVALID, ""),
    SAMPLE("a name that is not UTF-8", "--B\r\n" D("\xff") "\r\n1\r\n" END,
           CORR_INVALID, ""),
    SAMPLE("no headers", "--B\r\n\r\n1\r\n" END, CORR_INVALID, ""),
    SAMPLE("no disposition", "--B\r\nContent-Type: text/plain\r\n\r\n1\r\n"
           END, CORR_INVALID, ""),
    SAMPLE("two dispositions", "--B\r\n" D("a") D("b") "\r\n1\r\n" END,
           CORR_INVALID, ""),
    SAMPLE("two types", "--B\r\n" D("a") "Content-Type: text/plain\r\n"
           "Content-Type: text/plain\r\n\r\n1\r\n" END, CORR_INVALID, ""),
    SAMPLE("no name", "--B\r\nContent-Disposition: form-data\r\n\r\n1\r\n"
           END, CORR_INVALID, ""),
    SAMPLE("an empty name", "--B\r\n" D("") "\r\n1\r\n" END, CORR_INVALID, ""),
    SAMPLE("two names", "--B\r\nContent-Disposition: form-data; name=a; "
           "name=b\r\n\r\n1\r\n" END, CORR_INVALID, ""),
    SAMPLE("two filenames", "--B\r\nContent-Disposition: form-data; name=a; "
           "filename=b; FileName=c\r\n\r\n1\r\n" END, CORR_INVALID, ""),
    SAMPLE("filename*", "--B\r\nContent-Disposition: form-data; name=a; "
           "filename*=utf-8''b\r\n\r\n1\r\n" END, CORR_INVALID, ""),
    SAMPLE("attachment", "--B\r\nContent-Disposition: attachment; name=a"
           "\r\n\r\n1\r\n" END, CORR_INVALID, ""),
    SAMPLE("a quote without an end", "--B\r\nContent-Disposition: form-data; "
           "name=\"a\r\n\r\n1\r\n" END, CORR_INVALID, ""),
    SAMPLE("text behind a quote", "--B\r\nContent-Disposition: form-data; "
           "name=\"a\"b\r\n\r\n1\r\n" END, CORR_INVALID, ""),
    SAMPLE("a semicolon last", "--B\r\nContent-Disposition: form-data; "
           "name=\"a\";\r\n\r\n1\r\n" END, CORR_INVALID, ""),
    SAMPLE("a blank around =", "--B\r\nContent-Disposition: form-data; "
           "name =\"a\"\r\n\r\n1\r\n" END, CORR_INVALID, ""),
    SAMPLE("a blank before :", "--B\r\nContent-Disposition : form-data; "
           "name=\"a\"\r\n\r\n1\r\n" END, CORR_INVALID, ""),
    SAMPLE("no colon", "--B\r\n" D("a") "Content-Type\r\n\r\n1\r\n" END,
           CORR_INVALID, ""),
    SAMPLE("multipart inside", "--B\r\n" D("a") "Content-Type: "
           "Multipart/mixed; boundary=C\r\n\r\n1\r\n" END, CORR_INVALID, ""),
    SAMPLE("no type in the type", "--B\r\n" D("a") "Content-Type: text\r\n"
           "\r\n1\r\n" END, CORR_INVALID, ""),
    SAMPLE("base64", "--B\r\n" D("a") "Content-Transfer-Encoding: base64\r\n"
           "\r\nMQ==\r\n" END, CORR_INVALID, ""),
    SAMPLE("another charset", "--B\r\n" D("a") "Content-Type: text/plain; "
           "charset=utf-16\r\n\r\n1\r\n" END, CORR_INVALID, ""),

    /* limits: 3 parts, 3 headers, 120 bytes of them, 5 and 10 of names */

    SAMPLE("three parts", PART("a", "") PART("a", "") PART("a", "") END,
           CORR_OK, NULL),
    SAMPLE("four parts", PART("a", "") PART("a", "") PART("a", "")
           PART("a", "") END, CORR_LIMIT, NULL),
    SAMPLE("three headers", "--B\r\n" D("a") "b: c\r\nb: c\r\n\r\n\r\n" END,
           CORR_OK, NULL),
    SAMPLE("four headers", "--B\r\n" D("a") "b: c\r\nb: c\r\nb: c\r\n\r\n\r\n"
           END, CORR_LIMIT, ""),
    SAMPLE("a long header", "--B\r\n" D("a") "b: 012345678901234567890123456789"
           "0123456789012345678901234567890123456789\r\n\r\n\r\n" END,
           CORR_OK, NULL),
    SAMPLE("a longer one", "--B\r\n" D("a") "b: 0123456789012345678901234567890"
           "1234567890123456789012345678901234567890123456789\r\n\r\n\r\n" END,
           CORR_LIMIT, ""),
    SAMPLE("a long name", PART("abcde", "1") END, CORR_OK, NULL),
    SAMPLE("a longer name", PART("abcdef", "1") END, CORR_LIMIT, ""),
    SAMPLE("a longer filename", "--B\r\nContent-Disposition: form-data; "
           "name=a; filename=abcdefghijk\r\n\r\n\r\n" END, CORR_LIMIT, ""),
    SAMPLE("other than names", "--B\r\nContent-Disposition: form-data; "
           "name=a; filename=\"%22%22%22%22%22\"\r\n\r\n\r\n" END, CORR_OK, NULL)
};

static const corr_multipart_limits_t  limits = { 3, 3, 120, 5, 10 };


/* Whole; in pieces of 1, 2, 7; cut at every two offsets. */

static void
test_sample(const sample_t *s)
{
    size_t         a, b, different;
    corr_record_t  whole, r;

    record_body(&whole, CORR_STR("B"), &limits, s->body, 0, 0, 0);

    is_int(whole.rc, s->rc, s->name);

    if (s->events) {
        is_text(corr_make_str(whole.data, whole.len), s->events, "  events");
    }

    different = 0;

    for (a = 1; a <= 7; a += (a == 1) ? 1 : 5) {
        record_body(&r, CORR_STR("B"), &limits, s->body, 0, 0, a);
        different += !record_same(&whole, &r);
        record_free(&r);
    }

    for (a = 0; a <= s->body.len; a++) {
        for (b = a; b <= s->body.len; b++) {
            record_body(&r, CORR_STR("B"), &limits, s->body, a, b, 0);
            different += !record_same(&whole, &r);
            record_free(&r);
        }
    }

    is_int((long long) different, 0, "  the same however it is cut");

    different = 0;

    for (a = 0; a < 200; a++) {
        record_in_block(&r, CORR_STR("B"), &limits, s->body, 96 + a % 5 * 40,
                        1 + a % 70, a % 3 * a, (uint32_t) a);
        different += !record_same(&whole, &r);
        record_free(&r);
    }

    is_int((long long) different, 0, "  and when it is read into its block");
    record_free(&whole);
}


/* A body cut short anywhere is refused, unless only its last CR LF is lost. */

static void
test_truncated(void)
{
    size_t         n, accepted;
    corr_str_t     body = CORR_STR(PART("a", "1") PART("b", "\r\n") END);
    corr_record_t  r;

    accepted = 0;

    for (n = 0; n < body.len; n++) {
        record_body(&r, CORR_STR("B"), NULL, corr_make_str(body.data, n), 0,
                    0, 0);
        accepted += (r.rc == CORR_OK);
        ok(r.rc == CORR_OK ? n == body.len - 2 : r.rc == CORR_INVALID,
           "cut at %zu", n);
        record_free(&r);
    }

    is_int((long long) accepted, 1, "accepted once");
}


static void
test_boundary(void)
{
    int         rc;
    size_t      i;
    corr_str_t  got;

    static const struct {
        const char  *type;
        const char  *boundary;      /* NULL: refused */
    } cases[] = {
        { "multipart/form-data; boundary=abc", "abc" },
        { "Multipart/Form-Data;BOUNDARY=abc", "abc" },
        { "multipart/form-data; boundary=\"a b:c\"", "a b:c" },
        { "multipart/form-data; charset=utf-8; boundary=abc", "abc" },
        { "multipart/form-data; x=\"a;boundary=b\"; boundary=c ", "c" },
        { "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu",
          "----WebKitFormBoundary7MA4YWxkTrZu" },
        { "multipart/form-data; boundary=----=_Part_1_123.45/6:7?",
          "----=_Part_1_123.45/6:7?" },
        { "multipart/form-data; boundary=0123456789012345678901234567890123456"
          "789012345678901234567890123456789",
          "0123456789012345678901234567890123456789012345678901234567890123456"
          "789" },
        { "multipart/form-data; boundary=0123456789012345678901234567890123456"
          "7890123456789012345678901234567890", NULL },
        { "multipart/form-data", NULL },
        { "multipart/form-data;", NULL },
        { "multipart/form-data; boundary", NULL },
        { "multipart/form-data; boundary=", NULL },
        { "multipart/form-data; boundary=\"\"", NULL },
        { "multipart/form-data; boundary=\"a \"", NULL },
        { "multipart/form-data; boundary=\"a", NULL },
        { "multipart/form-data; boundary=\"a\"b", NULL },
        { "multipart/form-data; boundary=\"a\\\"b\"", NULL },
        { "multipart/form-data; boundary=a\"b", NULL },
        { "multipart/form-data; boundary=a b", NULL },
        { "multipart/form-data; boundary=a,b", NULL },
        { "multipart/form-data; boundary=a\r\nb", NULL },
        { "multipart/form-data; boundary=\"a\r\nb\"", NULL },
        { "multipart/form-data; boundary=\u0633", NULL },
        { "multipart/form-data; boundary=a; boundary=a", NULL },
        { "multipart/form-data; boundary=a;", NULL },
        { "multipart/form-data boundary=a", NULL },
        { "multipart/form-data, boundary=a", NULL },
        { "multipart/form-dataa; boundary=a", NULL },
        { "multipart/mixed; boundary=a", NULL },
        { "application/x-www-form-urlencoded; boundary=a", NULL },
        { "", NULL }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rc = corr_multipart_boundary(exact(0, corr_cstr(cases[i].type)), &got);

        if (cases[i].boundary == NULL) {
            is_int(rc, CORR_INVALID, "a refused boundary");
            continue;
        }

        is_int(rc, CORR_OK, "a boundary");
        is_text(got, cases[i].boundary, cases[i].boundary);
    }
}


static void
test_misuse(void)
{
    corr_str_t               in;
    corr_multipart_t         m;
    corr_multipart_event_t   event;

    is_int(corr_multipart_init(&m, CORR_STR(""), NULL), CORR_INVALID,
           "no boundary");
    in = CORR_STR("--");
    is_int(corr_multipart_next(&m, &in, &event), CORR_INVALID, "is no reader");

    is_int(corr_multipart_init(&m, CORR_STR("B"), NULL), CORR_OK, "a reader");
    in = CORR_STR("x");
    is_int(corr_multipart_next(&m, &in, &event), CORR_INVALID, "a failure");
    in = CORR_STR("--B--");
    is_int(corr_multipart_next(&m, &in, &event), CORR_INVALID, "stays");
    is_int(corr_multipart_finish(&m), CORR_INVALID, "to the end");
}


int
main(void)
{
    size_t  i;

    for (i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        test_sample(&samples[i]);
    }

    test_truncated();
    test_boundary();
    test_misuse();

    return tap_done();
}
