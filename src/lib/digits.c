#include "digits.h"


/* UTF-8 of the families: Persian DB B0..B9, Arabic-Indic D9 A0..A9. */

int
corr_digit_at(const unsigned char *p, const unsigned char *last, size_t *size)
{
    if (p == last) {
        return -1;
    }

    if (p[0] >= '0' && p[0] <= '9') {
        *size = 1;
        return p[0] - '0';
    }

    if (last - p < 2) {
        return -1;
    }

    if (p[0] == 0xdb && p[1] >= 0xb0 && p[1] <= 0xb9) {
        *size = 2;
        return p[1] - 0xb0;
    }

    if (p[0] == 0xd9 && p[1] >= 0xa0 && p[1] <= 0xa9) {
        *size = 2;
        return p[1] - 0xa0;
    }

    return -1;
}


/* Blanks, joiners and direction marks among U+2000..U+206F. */

static int
corr_digits_mark(unsigned char second, unsigned char third)
{
    if (second == 0x80) {
        /* U+2000..200F, U+2028..202F */
        return third <= 0x8f || (third >= 0xa8 && third <= 0xaf);
    }

    if (second == 0x81) {
        /* U+205F, U+2060 (word joiner), U+2066..2069 */
        return third == 0x9f || third == 0xa0
               || (third >= 0xa6 && third <= 0xa9);
    }

    return 0;
}


/* The length of what cannot be seen in a code, 0 when it can. */

static size_t
corr_digits_blank(const unsigned char *p, const unsigned char *last)
{
    size_t  n = (size_t) (last - p);

    if (p[0] == ' ' || (p[0] >= '\t' && p[0] <= '\r')) {
        return 1;
    }

    if (n >= 2) {
        if ((p[0] == 0xc2 && p[1] == 0xa0)              /* U+00A0 */
            || (p[0] == 0xd9 && p[1] == 0x80)           /* tatweel */
            || (p[0] == 0xd8 && p[1] == 0x9c))          /* U+061C */
        {
            return 2;
        }
    }

    if (n >= 3) {
        if ((p[0] == 0xe2 && corr_digits_mark(p[1], p[2]))
            || (p[0] == 0xe3 && p[1] == 0x80 && p[2] == 0x80)
            || (p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf))
        {
            return 3;
        }
    }

    return 0;
}


static size_t
corr_digits_dash(const unsigned char *p, const unsigned char *last)
{
    if (p[0] == '-') {
        return 1;
    }

    if (last - p < 3 || p[0] != 0xe2) {
        return 0;
    }

    /* U+2010..2015, U+2212 */

    if ((p[1] == 0x80 && p[2] >= 0x90 && p[2] <= 0x95)
        || (p[1] == 0x88 && p[2] == 0x92))
    {
        return 3;
    }

    return 0;
}


static size_t
corr_digits_noise(const unsigned char *p, const unsigned char *last)
{
    size_t  size;

    size = corr_digits_blank(p, last);

    return size ? size : corr_digits_dash(p, last);
}


static corr_str_t
corr_digits_fold(const corr_alloc_t *a, corr_str_t s, int clean)
{
    int                   digit;
    size_t                size;
    corr_str_t            out = corr_null_str;
    unsigned char        *dst;
    const unsigned char  *p, *last;

    out.data = corr_alloc(a, s.len + 1);
    if (out.data == NULL) {
        return out;
    }

    p = s.data;
    last = p + s.len;
    dst = out.data;

    while (p < last) {
        digit = corr_digit_at(p, last, &size);

        if (digit >= 0) {
            *dst++ = (unsigned char) ('0' + digit);
            p += size;
            continue;
        }

        size = clean ? corr_digits_noise(p, last) : 0;

        if (size) {
            p += size;
            continue;
        }

        *dst++ = *p++;
    }

    *dst = '\0';
    out.len = (size_t) (dst - out.data);

    return out;
}


corr_str_t
corr_digits_ascii(const corr_alloc_t *a, corr_str_t s)
{
    return corr_digits_fold(a, s, 0);
}


corr_str_t
corr_digits_clean(const corr_alloc_t *a, corr_str_t s)
{
    return corr_digits_fold(a, s, 1);
}


corr_str_t
corr_digits_persian(const corr_alloc_t *a, corr_str_t s)
{
    int                   digit;
    size_t                i, n, size;
    corr_str_t            out = corr_null_str;
    unsigned char        *dst;
    const unsigned char  *p, *last;

    n = s.len + 1;

    for (i = 0; i < s.len; i++) {
        n += (s.data[i] >= '0' && s.data[i] <= '9');
    }

    out.data = corr_alloc(a, n);
    if (out.data == NULL) {
        return out;
    }

    p = s.data;
    last = p + s.len;
    dst = out.data;

    while (p < last) {
        digit = corr_digit_at(p, last, &size);

        if (digit < 0) {
            *dst++ = *p++;
            continue;
        }

        *dst++ = 0xdb;
        *dst++ = (unsigned char) (0xb0 + digit);
        p += size;
    }

    *dst = '\0';
    out.len = (size_t) (dst - out.data);

    return out;
}


int
corr_digits_number(corr_str_t s, uint64_t max, uint64_t *n)
{
    int                   digit;
    size_t                size, digits;
    uint64_t              value;
    const unsigned char  *p, *last;

    p = s.data;
    last = p + s.len;
    value = 0;
    digits = 0;

    while (p < last && (size = corr_digits_blank(p, last)) != 0) {
        p += size;
    }

    for ( ;; ) {
        digit = corr_digit_at(p, last, &size);

        if (digit < 0) {
            break;
        }

        if ((uint64_t) digit > max || value > (max - (uint64_t) digit) / 10) {
            return CORR_INVALID;
        }

        value = value * 10 + (uint64_t) digit;
        p += size;
        digits++;
    }

    while (p < last && (size = corr_digits_blank(p, last)) != 0) {
        p += size;
    }

    if (digits == 0 || p < last) {
        return CORR_INVALID;
    }

    *n = value;

    return CORR_OK;
}
