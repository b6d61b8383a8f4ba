#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "jalali.h"
#include "value_text.h"


static unsigned char *corr_put_number(unsigned char *dst, unsigned n,
    unsigned width);


size_t
corr_int_text(unsigned char *dst, int64_t n)
{
    uint64_t        u;
    unsigned char   text[20], *p, *start = dst;

    u = (n < 0) ? 0 - (uint64_t) n : (uint64_t) n;
    p = text + sizeof(text);

    do {
        *--p = (unsigned char) ('0' + u % 10);
        u /= 10;
    } while (u);

    if (n < 0) {
        *dst++ = '-';
    }

    memcpy(dst, p, (size_t) (text + sizeof(text) - p));
    dst += text + sizeof(text) - p;

    return (size_t) (dst - start);
}


size_t
corr_float_text(unsigned char *dst, double d)
{
    int   digits, n;
    char  text[CORR_VALUE_TEXT];

    if (!isfinite(d)) {
        return 0;
    }

    if (d == 0) {
        d = 0;                          /* JSON's readers know no -0 */
    }

    /* 17 significant digits always read back as the same number */

    for (digits = 15, n = 0; digits <= 17; digits++) {
        n = snprintf(text, sizeof(text), "%.*g", digits, d);

        if (strtod(text, NULL) == d) {
            break;
        }
    }

    memcpy(dst, text, (size_t) n);

    return (size_t) n;
}


static unsigned char *
corr_put_number(unsigned char *dst, unsigned n, unsigned width)
{
    unsigned  i;

    for (i = width; i > 0; i--) {
        dst[i - 1] = (unsigned char) ('0' + n % 10);
        n /= 10;
    }

    return dst + width;
}


static unsigned char *
corr_put_date(unsigned char *dst, const corr_date_t *date)
{
    dst = corr_put_number(dst, (unsigned) date->year, 4);
    *dst++ = '-';
    dst = corr_put_number(dst, (unsigned) date->month, 2);
    *dst++ = '-';

    return corr_put_number(dst, (unsigned) date->day, 2);
}


size_t
corr_iso_date(unsigned char *dst, int64_t days)
{
    corr_date_t  date;

    if (corr_gregorian_from_days(days, &date) != CORR_OK) {
        return 0;
    }

    return (size_t) (corr_put_date(dst, &date) - dst);
}


size_t
corr_iso_time(unsigned char *dst, int64_t usec, int offset)
{
    int64_t         days, rest;
    unsigned        second, zone;
    corr_date_t     date;
    unsigned char  *p;

    days = corr_local_day(usec, offset);

    if (corr_gregorian_from_days(days, &date) != CORR_OK) {
        return 0;
    }

    rest = usec - corr_day_start(days, offset);
    second = (unsigned) (rest / CORR_USEC);

    p = corr_put_date(dst, &date);
    *p++ = 'T';
    p = corr_put_number(p, second / 3600, 2);
    *p++ = ':';
    p = corr_put_number(p, second / 60 % 60, 2);
    *p++ = ':';
    p = corr_put_number(p, second % 60, 2);

    zone = (unsigned) abs(offset) / 60;
    *p++ = (offset < 0) ? '-' : '+';
    p = corr_put_number(p, zone / 60, 2);
    *p++ = ':';
    p = corr_put_number(p, zone % 60, 2);

    return (size_t) (p - dst);
}
