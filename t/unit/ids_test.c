#include "tap.h"
#include "ids.h"
#include "tracking.h"


static void
check(corr_check_pt check_pt, const char *in, int rc, const char *expected)
{
    int         got;
    corr_str_t  out = corr_null_str;

    got = check_pt(tap_alloc(), exact(0, corr_cstr(in)), &out);

    is_int(got, rc, in);

    if (rc == CORR_OK && got == CORR_OK) {
        is_text(out, expected, "  its stored form");
    }
}


static void
test_numbers(void)
{
    /* all three digit families, blanks and dashes; the rules themselves are
       in ids_oracle.t */

    check(corr_check_national_code, "0012345679", CORR_OK, "0012345679");
    check(corr_check_national_code, "\u06f0\u06f0\u06f1-\u0662\u0663\u0664567-"
          "9\u200f", CORR_OK, "0012345679");
    check(corr_check_national_code, "12345679", CORR_INVALID, NULL);
    check(corr_check_national_code, "1111111111", CORR_CHECKSUM, NULL);
    check(corr_check_national_code, "", CORR_INVALID, NULL);

    check(corr_check_mobile, " +98 912 345 67 89", CORR_OK, "09123456789");
    check(corr_check_mobile, "\u06f0\u06f9\u06f1\u06f2-3456789", CORR_OK,
          "09123456789");
    check(corr_check_mobile, "0912345678", CORR_INVALID, NULL);
    check(corr_check_mobile, "0912+3456789", CORR_INVALID, NULL);

    check(corr_check_phone, "(021) 8812-3456", CORR_OK, "02188123456");
    check(corr_check_phone, "09123456789", CORR_INVALID, NULL);

    check(corr_check_registration_number, "0012\u06f3", CORR_OK, "123");
    check(corr_check_registration_number, "000", CORR_INVALID, NULL);
    check(corr_check_registration_number, "12345678901", CORR_INVALID, NULL);

    check(corr_check_code, " 123 \u06f4\u06f5\u06f6 ", CORR_OK, "123456");
    check(corr_check_code, "123", CORR_INVALID, NULL);
    check(corr_check_code, "12345678901", CORR_INVALID, NULL);
    check(corr_check_code, "12a45", CORR_INVALID, NULL);
}


static void
test_email(void)
{
    char  local[80];

    check(corr_check_email, " A.b+c@Example.COM ", CORR_OK, "A.b+c@example.com");
    check(corr_check_email, "x@y.ir", CORR_OK, "x@y.ir");
    check(corr_check_email, "a@b", CORR_INVALID, NULL);
    check(corr_check_email, "@b.ir", CORR_INVALID, NULL);
    check(corr_check_email, "a@", CORR_INVALID, NULL);
    check(corr_check_email, "a@b..ir", CORR_INVALID, NULL);
    check(corr_check_email, "a@.b.ir", CORR_INVALID, NULL);
    check(corr_check_email, "a@b.ir.", CORR_INVALID, NULL);
    check(corr_check_email, "a@-b.ir", CORR_INVALID, NULL);
    check(corr_check_email, "a@b-.ir", CORR_INVALID, NULL);
    check(corr_check_email, "a@b@c.ir", CORR_INVALID, NULL);
    check(corr_check_email, ".a@b.ir", CORR_INVALID, NULL);
    check(corr_check_email, "a.@b.ir", CORR_INVALID, NULL);
    check(corr_check_email, "a..b@c.ir", CORR_INVALID, NULL);
    check(corr_check_email, "a b@c.ir", CORR_INVALID, NULL);
    check(corr_check_email, "a\r\nBcc: x@c.ir", CORR_INVALID, NULL);
    check(corr_check_email, "a,b@c.ir", CORR_INVALID, NULL);
    check(corr_check_email, "\"a\"@c.ir", CORR_INVALID, NULL);
    check(corr_check_email, "\u0633@c.ir", CORR_INVALID, NULL);
    check(corr_check_email, "", CORR_INVALID, NULL);

    memset(local, 'a', 64);
    strcpy(local + 64, "@c.ir");
    check(corr_check_email, local, CORR_OK, local);

    memset(local, 'a', 65);
    strcpy(local + 65, "@c.ir");
    check(corr_check_email, local, CORR_INVALID, NULL);
}


static void
test_uuid(void)
{
    check(corr_check_uuid, "01234567-89aB-CDEF-0123-456789abcdef", CORR_OK,
          "01234567-89ab-cdef-0123-456789abcdef");
    check(corr_check_uuid, "01234567-89ab-cdef-0123-456789abcde", CORR_INVALID,
          NULL);
    check(corr_check_uuid, "01234567-89ab-cdef-0123-456789abcdeg",
          CORR_INVALID, NULL);
    check(corr_check_uuid, "0123456789ab-cdef-0123-456789abcdef--",
          CORR_INVALID, NULL);
    check(corr_check_uuid, "01234567x89ab-cdef-0123-456789abcdef",
          CORR_INVALID, NULL);
}


static void
test_mask(void)
{
    corr_str_t  mobile, first, last;

    mobile = exact(1, CORR_STR("09123214567"));

    is_int(corr_mobile_mask(mobile, &first, &last), CORR_OK, "a mobile");
    is_text(first, "0912", "its first digits");
    is_text(last, "4567", "its last digits");
    is_int(corr_mobile_mask(CORR_STR("0912321456"), &first, &last),
           CORR_INVALID, "too short for a mask");
    is_int(corr_mobile_mask(CORR_STR("0912321456x"), &first, &last),
           CORR_INVALID, "not digits");
}


static void
test_answers(void)
{
    size_t      i;
    corr_str_t  mobile;

    static const struct {
        const char  *answer;
        int          right;
    } cases[] = {
        { "321", 1 },
        { "\u06f3\u06f2\u06f1", 1 },
        { " 3 2 1 ", 1 },
        { "09123214567", 1 },
        { "+98 912 321 4567", 1 },
        { "\u200e\u06f0\u06f9\u06f1\u06f2 \u06f3\u06f2\u06f1 "
          "\u06f4\u06f5\u06f6\u06f7\u200e", 1 },
        { "9123214567", 1 },
        { "320", 0 },
        { "421", 0 },
        { "311", 0 },
        { "32", 0 },
        { "3214", 0 },
        { "09123214568", 0 },
        { "09113214567", 0 },
        { "abc", 0 },
        { "", 0 },
        { "000000000000000000000000000000000000000000000000000000000000000000"
          "0000000000000000000000000000000000000000000000000000000000000000",
          0 }
    };

    mobile = exact(1, CORR_STR("09123214567"));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is_int(corr_mobile_answers(mobile,
                                   exact(0, corr_cstr(cases[i].answer))),
               cases[i].right, cases[i].answer);
    }

    ok(!corr_mobile_answers(CORR_STR(""), CORR_STR("")), "no mobile, no answer");
}


static void
test_tracking(void)
{
    corr_str_t  digits;

    /* ISO/IEC 7064, the example of its MOD 11,10: 0794 and check digit 5 */

    is_int(corr_tracking_check_digit(CORR_STR("0794")), '5', "0794-5");

    digits = exact(0, CORR_STR("1234567"));
    ok(corr_tracking_check_digit(digits) != 0, "digits have a check digit");
    is_int(corr_tracking_check_digit(CORR_STR("12a")), 0, "others have none");
    is_int(corr_tracking_check_digit(CORR_STR("")), 0, "nor has nothing");

    check(corr_check_tracking, "\u06f0\u06f7 9-4\u0665", CORR_INVALID, NULL);
    check(corr_check_tracking, "12345678901234567890", CORR_INVALID, NULL);
    check(corr_check_tracking, "1234 567x", CORR_INVALID, NULL);
}


int
main(void)
{
    test_numbers();
    test_email();
    test_uuid();
    test_mask();
    test_answers();
    test_tracking();

    return tap_done();
}
