#include "tap.h"
#include "digits.h"


#define FA(c)   "\xdb" c        /* B0..B9: Persian 0..9 */
#define AR(c)   "\xd9" c        /* A0..A9: Arabic-Indic 0..9 */


static void
test_fold(void)
{
    corr_str_t           s, mixed;
    const corr_alloc_t  *a = tap_alloc();

    mixed = exact(0, CORR_STR("0" FA("\xb1") AR("\xa2") "3" FA("\xb9")
                              AR("\xa9") "x-\xe2\x80\x8e 5"));

    is_text(corr_digits_ascii(a, mixed), "012399x-\xe2\x80\x8e 5",
            "digits alone are folded");
    is_text(corr_digits_clean(a, mixed), "012399x5", "a code is cleaned");

    is_text(corr_digits_persian(a, CORR_STR("a1" AR("\xa2") FA("\xb3") ".")),
            "a" FA("\xb1") FA("\xb2") FA("\xb3") ".", "Persian for showing");

    s = corr_digits_clean(a, exact(0, CORR_STR("1\xdb")));
    is_text(s, "1\xdb", "half a digit is copied, not read beyond");
    s = corr_digits_clean(a, exact(0, CORR_STR("1\xe2\x80")));
    is_text(s, "1\xe2\x80", "and half a mark");
    s = corr_digits_persian(a, exact(0, CORR_STR("")));
    ok(s.len == 0 && s.data != NULL, "empty stays empty");

    /* U+06EF and U+06FA, U+065F and U+066A: the neighbours of the families */

    is_text(corr_digits_ascii(a, CORR_STR("\xdb\xaf\xdb\xba\xd9\x9f\xd9\xaa")),
            "\xdb\xaf\xdb\xba\xd9\x9f\xd9\xaa", "neighbours are no digits");
}


static void
number(const char *text, uint64_t max, int rc, uint64_t expected)
{
    uint64_t  n = 4711;

    is_int(corr_digits_number(exact(0, corr_cstr(text)), max, &n), rc, text);
    ok(n == (rc == CORR_OK ? expected : 4711), "  and its value");
}


static void
test_number(void)
{
    number("0", 0, CORR_OK, 0);
    number("007", 10, CORR_OK, 7);
    number(" 12\t", 100, CORR_OK, 12);
    number(FA("\xb1") AR("\xa2") "3", 1000, CORR_OK, 123);
    number("\xe2\x80\x8f" FA("\xb5") "\xe2\x80\x8f", 9, CORR_OK, 5);
    number("18446744073709551615", UINT64_MAX, CORR_OK, UINT64_MAX);
    number("18446744073709551616", UINT64_MAX, CORR_INVALID, 0);
    number("99999999999999999999999", UINT64_MAX, CORR_INVALID, 0);
    number("255", 255, CORR_OK, 255);
    number("256", 255, CORR_INVALID, 0);
    number("7", 6, CORR_INVALID, 0);
    number("1", 0, CORR_INVALID, 0);
    number("", 9, CORR_INVALID, 0);
    number("  ", 9, CORR_INVALID, 0);
    number("-1", 9, CORR_INVALID, 0);
    number("\xe2\x88\x92" "1", 9, CORR_INVALID, 0);
    number("+1", 9, CORR_INVALID, 0);
    number("1 2", 99, CORR_INVALID, 0);
    number("1.0", 99, CORR_INVALID, 0);
    number("1e1", 99, CORR_INVALID, 0);
    number("0x1", 99, CORR_INVALID, 0);
}


int
main(void)
{
    test_fold();
    test_number();

    return tap_done();
}
