#include "tap.h"
#include "cookie.h"


static void
find(const char *header, const char *second, int rc, const char *expected)
{
    int         got;
    corr_str_t  value, headers[2];

    headers[0] = exact(0, corr_cstr(header));
    headers[1] = exact(1, corr_cstr(second ? second : ""));

    got = corr_cookie_find(headers, second ? 2 : 1, CORR_STR("sid"), &value);

    is_int(got, rc, header);

    if (expected) {
        is_text(value, expected, "  its value");

    } else {
        ok(value.data == NULL, "  no value");
    }
}


int
main(void)
{
    corr_str_t  value;

    find("sid=abc", NULL, CORR_OK, "abc");
    find("a=1; sid=abc; b=2", NULL, CORR_OK, "abc");
    find("a=1;sid=abc;b=2", NULL, CORR_OK, "abc");
    find(" sid = abc ", NULL, CORR_OK, "abc");
    find("sid=a=b==", NULL, CORR_OK, "a=b==");
    find("sid=\"abc\"", NULL, CORR_OK, "abc");
    find("sid=\"", NULL, CORR_OK, "\"");
    find("sid=", NULL, CORR_OK, "");
    find("xsid=abc", NULL, CORR_AGAIN, NULL);
    find("sidx=abc", NULL, CORR_AGAIN, NULL);
    find("SID=abc", NULL, CORR_AGAIN, NULL);
    find("a=sid=abc", NULL, CORR_AGAIN, NULL);
    find("sid", NULL, CORR_AGAIN, NULL);
    find("", NULL, CORR_AGAIN, NULL);
    find(";;;=; =;", NULL, CORR_AGAIN, NULL);
    find("a=1", "sid=abc", CORR_OK, "abc");
    find("sid=abc; sid=abc", NULL, CORR_OK, "abc");
    find("sid=abc; sid=xyz", NULL, CORR_INVALID, NULL);
    find("sid=abc", "sid=xyz", CORR_INVALID, NULL);
    find("sid=abc; sid=xyz; sid=abc", NULL, CORR_INVALID, NULL);
    find("sid=; sid=xyz", NULL, CORR_INVALID, NULL);

    is_int(corr_cookie_find(NULL, 0, CORR_STR("sid"), &value), CORR_AGAIN,
           "no header at all");

    return tap_done();
}
