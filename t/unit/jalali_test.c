#include "tap.h"
#include "jalali.h"


static int64_t
days(int year, int month, int day)
{
    int64_t      n = -999999999;
    corr_date_t  date = { year, month, day };

    return corr_jalali_to_days(date, &n) == CORR_OK ? n : -999999999;
}


static void
test_dates(void)
{
    corr_date_t  date;

    is_int(days(1348, 10, 11), 0, "the epoch");
    is_int(days(1404, 1, 1) - days(1403, 12, 30), 1, "1403 is leap");
    is_int(days(1403, 12, 31), -999999999, "31 Esfand");
    is_int(days(1404, 12, 30), -999999999, "30 Esfand of a common year");
    is_int(days(1404, 7, 31), -999999999, "31 Mehr");
    ok(days(1404, 6, 31) > 0, "31 Shahrivar is there");
    is_int(days(1404, 0, 1), -999999999, "month 0");
    is_int(days(1404, 13, 1), -999999999, "month 13");
    is_int(days(1404, 1, 0), -999999999, "day 0");
    is_int(days(1404, 1, -1), -999999999, "day -1");
    is_int(days(1243, 1, 1), -999999999, "before the range");
    is_int(days(1502, 1, 1), -999999999, "behind the range");
    is_int(corr_jalali_month_days(1403, 12), 30, "Esfand 1403");
    is_int(corr_jalali_month_days(1404, 12), 29, "Esfand 1404");

    is_int(corr_jalali_from_days(INT64_MAX, &date), CORR_INVALID, "far off");
    is_int(corr_jalali_from_days(INT64_MIN, &date), CORR_INVALID, "far back");
    is_int(corr_gregorian_from_days(INT64_MAX, &date), CORR_INVALID,
           "far off, Gregorian");
    is_int(corr_gregorian_from_days(INT64_MIN, &date), CORR_INVALID,
           "far back, Gregorian");
}


/* Every Gregorian day by counting months, 1 to 9999. */

static void
test_gregorian(void)
{
    int          leap;
    int64_t      day, n;
    unsigned     wrong;
    corr_date_t  date, back;

    static const int  length[] = {
        31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
    };

    wrong = 0;
    day = -719162;

    for (date.year = 1; date.year <= 9999; date.year++) {
        leap = date.year % 400 == 0
               || (date.year % 4 == 0 && date.year % 100 != 0);

        for (date.month = 1; date.month <= 12; date.month++) {
            for (date.day = 1;
                 date.day <= length[date.month - 1]
                             + (leap && date.month == 2);
                 date.day++, day++)
            {
                wrong += corr_gregorian_to_days(date, &n) != CORR_OK
                         || n != day
                         || corr_gregorian_from_days(day, &back) != CORR_OK
                         || back.year != date.year
                         || back.month != date.month || back.day != date.day;
            }

            wrong += corr_gregorian_to_days(date, &n) == CORR_OK;
        }
    }

    is_int(wrong, 0, "every Gregorian day there and back");
    is_int(day, 2932897, "and as many as there are");
}


static void
test_moment(void)
{
    corr_moment_t  m;

    /* 2026-11-22T13:05:59.25Z: 1405/09/01, a Sunday, 16:35:59 in Tehran */

    is_int(corr_moment(1795352759250000LL, CORR_TEHRAN_OFFSET, &m), CORR_OK,
           "a moment");
    ok(m.jalali.year == 1405 && m.jalali.month == 9 && m.jalali.day == 1,
       "its Jalali date");
    ok(m.gregorian.year == 2026 && m.gregorian.month == 11
       && m.gregorian.day == 22, "its Gregorian date");
    is_int(m.weekday, 1, "a Sunday");
    ok(m.hour == 16 && m.minute == 35 && m.second == 59 && m.usec == 250000,
       "the time on the wall");

    /* 20:29:59.999999 UTC is the last microsecond of a day in Tehran */

    (void) corr_moment(20 * 3600 * CORR_USEC + 30 * 60 * CORR_USEC - 1,
                       CORR_TEHRAN_OFFSET, &m);
    ok(m.days == 0 && m.hour == 23 && m.minute == 59 && m.usec == 999999,
       "the end of a day");

    (void) corr_moment(-1, 0, &m);
    ok(m.days == -1 && m.hour == 23 && m.second == 59 && m.usec == 999999
       && m.jalali.day == 10, "before 1970");

    is_int(corr_day_start(0, CORR_TEHRAN_OFFSET), -12600 * CORR_USEC,
           "a day of Tehran begins 3.5 hours early");
    is_int(corr_local_day(corr_day_start(20000, CORR_TEHRAN_OFFSET),
                          CORR_TEHRAN_OFFSET), 20000, "and is that day");
    is_int(corr_local_day(corr_day_start(20000, CORR_TEHRAN_OFFSET) - 1,
                          CORR_TEHRAN_OFFSET), 19999, "one less is not");
    is_int(corr_moment(INT64_MAX, CORR_TEHRAN_OFFSET, &m), CORR_INVALID,
           "infinity");
    is_int(corr_moment(INT64_MIN, -43200, &m), CORR_INVALID, "-infinity");
}


static void
parse(const char *text, int64_t expected)
{
    int64_t  n = -999999999;

    if (corr_jalali_parse(exact(0, corr_cstr(text)), &n) != CORR_OK) {
        n = -999999999;
    }

    is_int(n, expected, text);
}


static void
test_parse(void)
{
    int64_t  day = days(1405, 9, 1);

    parse("1405/09/01", day);
    parse("1405-9-1", day);
    parse("\u06f1\u06f4\u06f0\u06f5/\u06f0\u0669/\u06f0\u06f1", day);
    parse("1405/9", -999999999);
    parse("1405/9/", -999999999);
    parse("1405/9/1/", -999999999);
    parse("1405/9-1", -999999999);
    parse("1405/9/1 ", -999999999);
    parse("/9/1", -999999999);
    parse("14050/9/1", -999999999);
    parse("1405/9/32", -999999999);
    parse("1404/12/30", -999999999);
    parse("1403/12/30", days(1403, 12, 30));
    parse("", -999999999);
    parse("2026/11/22", -999999999);
    parse("99999999999999999999/1/1", -999999999);
}


int
main(void)
{
    test_dates();
    test_gregorian();
    test_moment();
    test_parse();

    return tap_done();
}
