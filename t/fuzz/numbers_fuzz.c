/*
 * Digits, numbers of people and letters, dates: what is taken is taken again
 * as it was kept, a day and its date are one another's, and no number of 64
 * bits is too large.  Any eight bytes at the beginning are one.
 */

#include "fuzz.h"
#include "digits.h"
#include "ids.h"
#include "jalali.h"
#include "tracking.h"


static void
fuzz_digits(const corr_alloc_t *a, corr_str_t s)
{
    uint64_t    n;
    corr_str_t  clean, ascii;

    clean = corr_digits_clean(a, s);
    must(clean.data != NULL && clean.len <= s.len);

    ascii = corr_digits_ascii(a, s);
    must(corr_str_eq(corr_digits_ascii(a, corr_digits_persian(a, s)),
                     ascii));

    n = 0;
    must(corr_digits_number(s, 12345, &n) != CORR_OK || n <= 12345);
    (void) corr_digits_number(s, UINT64_MAX, &n);
}


static void
fuzz_ids(const corr_alloc_t *a, corr_str_t s)
{
    size_t      i;
    corr_str_t  once, twice, first, last;

    static const corr_check_pt  checks[] = {
        corr_check_national_code, corr_check_legal_id, corr_check_mobile,
        corr_check_postal_code, corr_check_phone,
        corr_check_registration_number, corr_check_code, corr_check_email,
        corr_check_uuid, corr_check_tracking
    };

    for (i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        if (checks[i](a, s, &once) == CORR_OK) {
            must(checks[i](a, once, &twice) == CORR_OK);
            must(corr_str_eq(once, twice));
        }
    }

    if (corr_check_mobile(a, s, &once) == CORR_OK) {
        must(corr_mobile_mask(once, &first, &last) == CORR_OK);
        must(corr_mobile_answers(once, once));
    }

    (void) corr_mobile_answers(CORR_STR("09121234567"), s);
}


/* Digits with their check digit behind them are a tracking code. */

static void
fuzz_tracking(const corr_alloc_t *a, corr_str_t s)
{
    corr_str_t      out;
    unsigned char   check, code[CORR_TRACKING_MAX];

    check = corr_tracking_check_digit(s);

    if (check == 0 || s.len + 1 < CORR_TRACKING_MIN
        || s.len + 1 > CORR_TRACKING_MAX)
    {
        return;
    }

    memcpy(code, s.data, s.len);
    code[s.len] = check;
    must(corr_check_tracking(a, corr_make_str(code, s.len + 1), &out)
         == CORR_OK);

    code[s.len] = (unsigned char) (check == '9' ? '0' : check + 1);
    must(corr_check_tracking(a, corr_make_str(code, s.len + 1), &out)
         != CORR_OK);
}


static void
fuzz_day(int64_t days)
{
    int64_t      back;
    corr_date_t  date;

    must(corr_weekday(days) >= 0 && corr_weekday(days) <= 6);

    if (corr_jalali_from_days(days, &date) == CORR_OK) {
        must(date.day <= corr_jalali_month_days(date.year, date.month));
        must(corr_jalali_to_days(date, &back) == CORR_OK && back == days);
    }

    if (corr_gregorian_from_days(days, &date) == CORR_OK) {
        must(corr_gregorian_to_days(date, &back) == CORR_OK && back == days);
    }
}


static void
fuzz_moment(int64_t usec)
{
    int64_t        back;
    corr_moment_t  m;

    if (corr_moment(usec, CORR_TEHRAN_OFFSET, &m) != CORR_OK) {
        return;
    }

    must(m.hour < 24 && m.minute < 60 && m.second < 60);
    must(m.hour >= 0 && m.minute >= 0 && m.second >= 0);

    back = corr_day_start(m.days, CORR_TEHRAN_OFFSET)
           + (m.hour * 3600 + m.minute * 60 + m.second) * CORR_USEC + m.usec;
    must(back == usec);
}


/* Any three numbers: a date, or none. */

static void
fuzz_date(int64_t n)
{
    int64_t      days;
    corr_date_t  date, back;

    date.year = (int) (n >> 32);
    date.month = (int16_t) (n >> 16);
    date.day = (int16_t) n;

    if (corr_jalali_to_days(date, &days) == CORR_OK) {
        must(corr_jalali_from_days(days, &back) == CORR_OK
             && back.year == date.year && back.month == date.month
             && back.day == date.day);
    }

    if (corr_gregorian_to_days(date, &days) == CORR_OK) {
        must(corr_gregorian_from_days(days, &back) == CORR_OK
             && back.year == date.year && back.month == date.month
             && back.day == date.day);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t         n;
    corr_str_t      s;
    corr_arena_t   *arena;
    corr_alloc_t   *a;

    arena = corr_arena_create(0);
    must(arena != NULL);
    a = corr_arena_alloc(arena);

    s = size ? corr_make_str(data, size) : CORR_STR("");

    fuzz_digits(a, s);
    fuzz_ids(a, s);
    fuzz_tracking(a, s);

    if (corr_jalali_parse(s, &n) == CORR_OK) {
        fuzz_day(n);
    }

    if (size >= 8) {
        memcpy(&n, data, 8);
        fuzz_day(n);
        fuzz_day(n >> 40);
        fuzz_moment(n);
        fuzz_date(n);
    }

    corr_arena_destroy(arena);

    return 0;
}
