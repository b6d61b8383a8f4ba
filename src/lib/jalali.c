/*
 * With a leap day at the end of year y when (25 y + 11) mod 33 < 8, year y
 * begins 365 y + (8 y + 21) / 33 days after year 0: 33 years are 12053 days.
 * That is (12053 y + 21) / 33, which can be turned round without a loop.
 */

#include "jalali.h"
#include "digits.h"


#define CORR_JALALI_EPOCH   492633      /* 1970-01-01, from 0000/01/01 */


static int64_t
corr_jalali_year_start(int64_t year)
{
    return (12053 * year + 21) / 33;
}


int
corr_jalali_leap(int year)
{
    return (25 * year + 11) % 33 < 8;
}


int
corr_jalali_month_days(int year, int month)
{
    if (year < CORR_JALALI_FIRST || year > CORR_JALALI_LAST
        || month < 1 || month > 12)
    {
        return 0;
    }

    if (month <= 6) {
        return 31;
    }

    if (month <= 11) {
        return 30;
    }

    return corr_jalali_leap(year) ? 30 : 29;
}


int
corr_jalali_to_days(corr_date_t date, int64_t *days)
{
    if (date.day < 1
        || date.day > corr_jalali_month_days(date.year, date.month))
    {
        return CORR_INVALID;
    }

    *days = corr_jalali_year_start(date.year) - CORR_JALALI_EPOCH
            + (date.month - 1) * 30
            + (date.month <= 6 ? date.month - 1 : 6)
            + date.day - 1;

    return CORR_OK;
}


int
corr_jalali_from_days(int64_t days, corr_date_t *date)
{
    int64_t  n, year;

    if (days < corr_jalali_year_start(CORR_JALALI_FIRST) - CORR_JALALI_EPOCH
        || days >= corr_jalali_year_start(CORR_JALALI_LAST + 1)
                   - CORR_JALALI_EPOCH)
    {
        return CORR_INVALID;
    }

    n = days + CORR_JALALI_EPOCH;
    year = (33 * n + 11) / 12053;
    n -= corr_jalali_year_start(year);

    date->year = (int) year;

    if (n < 186) {
        date->month = (int) (n / 31) + 1;
        date->day = (int) (n % 31) + 1;

    } else {
        n -= 186;
        date->month = (int) (n / 30) + 7;
        date->day = (int) (n % 30) + 1;
    }

    return CORR_OK;
}


static int
corr_gregorian_month_days(int year, int month)
{
    static const int  days[] = {
        31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
    };

    if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)) {
        return 29;
    }

    return days[month - 1];
}


/* Years are counted from March, so that the leap day ends one. */

int
corr_gregorian_to_days(corr_date_t date, int64_t *days)
{
    int64_t  year, day;

    if (date.year < 1 || date.year > 9999 || date.month < 1
        || date.month > 12 || date.day < 1
        || date.day > corr_gregorian_month_days(date.year, date.month))
    {
        return CORR_INVALID;
    }

    year = date.year - (date.month <= 2);
    day = (153 * (date.month + (date.month > 2 ? -3 : 9)) + 2) / 5
          + date.day - 1;

    *days = year * 365 + year / 4 - year / 100 + year / 400 + day - 719468;

    return CORR_OK;
}


int
corr_gregorian_from_days(int64_t days, corr_date_t *date)
{
    int64_t  n, era, year, month;

    if (days < -719162 || days > 2932896) {
        return CORR_INVALID;
    }

    n = days + 719468;
    era = n / 146097;
    n %= 146097;

    year = (n - n / 1460 + n / 36524 - n / 146096) / 365;
    n -= year * 365 + year / 4 - year / 100;
    month = (5 * n + 2) / 153;

    date->day = (int) (n - (153 * month + 2) / 5 + 1);
    date->month = (int) (month < 10 ? month + 3 : month - 9);
    date->year = (int) (era * 400 + year + (date->month <= 2));

    return CORR_OK;
}


int
corr_weekday(int64_t days)
{
    int  weekday;

    /* 1970-01-01 was a Thursday */

    weekday = (int) (days % 7) + 5;

    return (weekday + 7) % 7;
}


static int64_t
corr_floor_div(int64_t n, int64_t d)
{
    int64_t  q = n / d;

    return q - (n % d < 0);
}


int64_t
corr_local_day(int64_t usec, int offset)
{
    int64_t  seconds;

    /* seconds first: an instant near the ends of int64_t must not overflow */

    seconds = corr_floor_div(usec, CORR_USEC) + offset;

    return corr_floor_div(seconds, 86400);
}


int64_t
corr_day_start(int64_t days, int offset)
{
    return days * CORR_DAY_USEC - offset * CORR_USEC;
}


int
corr_moment(int64_t usec, int offset, corr_moment_t *m)
{
    int64_t  seconds;

    m->days = corr_local_day(usec, offset);

    if (corr_jalali_from_days(m->days, &m->jalali) != CORR_OK
        || corr_gregorian_from_days(m->days, &m->gregorian) != CORR_OK)
    {
        return CORR_INVALID;
    }

    seconds = corr_floor_div(usec, CORR_USEC);
    m->usec = (int) (usec - seconds * CORR_USEC);
    seconds += offset - m->days * 86400;

    m->weekday = corr_weekday(m->days);
    m->hour = (int) (seconds / 3600);
    m->minute = (int) (seconds / 60 % 60);
    m->second = (int) (seconds % 60);

    return CORR_OK;
}


/* A number of 1..4 digits at *p, which moves behind it; -1: none. */

static int
corr_jalali_scan(const unsigned char **p, const unsigned char *last)
{
    int     digit, value, n;
    size_t  size;

    value = 0;

    for (n = 0; n < 5; n++) {
        digit = corr_digit_at(*p, last, &size);

        if (digit < 0) {
            break;
        }

        value = value * 10 + digit;
        *p += size;
    }

    return (n == 0 || n == 5) ? -1 : value;
}


int
corr_jalali_parse(corr_str_t s, int64_t *days)
{
    int                   i, value[3];
    corr_date_t           date;
    unsigned char         separator;
    const unsigned char  *p, *last;

    p = s.data;
    last = p + s.len;
    separator = 0;

    for (i = 0; i < 3; i++) {
        if (i > 0) {
            if (p == last || (*p != '/' && *p != '-')
                || (separator && *p != separator))
            {
                return CORR_INVALID;
            }

            separator = *p++;
        }

        value[i] = corr_jalali_scan(&p, last);
        if (value[i] < 0) {
            return CORR_INVALID;
        }
    }

    if (p != last) {
        return CORR_INVALID;
    }

    date.year = value[0];
    date.month = value[1];
    date.day = value[2];

    return corr_jalali_to_days(date, days);
}
