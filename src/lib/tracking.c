#include "tracking.h"
#include "digits.h"
#include "ids.h"


/*
 * ISO/IEC 7064, hybrid system MOD 11,10: p starts at 10; each digit is
 * added modulo 10, where 0 counts as 10, and the sum doubled modulo 11.
 * The check digit brings the last sum to 1.
 */

static unsigned
corr_tracking_product(const unsigned char *p, size_t n)
{
    unsigned  product, sum;

    product = 10;

    while (n--) {
        sum = (product + (unsigned) (*p++ - '0')) % 10;
        product = (sum ? sum : 10) * 2 % 11;
    }

    return product;
}


static int
corr_tracking_is_digits(corr_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') {
            return 0;
        }
    }

    return s.len > 0;
}


unsigned char
corr_tracking_check_digit(corr_str_t digits)
{
    unsigned  product;

    if (!corr_tracking_is_digits(digits)) {
        return 0;
    }

    product = corr_tracking_product(digits.data, digits.len);

    return (unsigned char) ('0' + (11 - product) % 10);
}


int
corr_check_tracking(const corr_alloc_t *a, corr_str_t s, corr_str_t *out)
{
    corr_str_t  body;

    *out = corr_digits_clean(a, s);
    if (out->data == NULL) {
        return CORR_ERROR;
    }

    if (out->len < CORR_TRACKING_MIN || out->len > CORR_TRACKING_MAX
        || !corr_tracking_is_digits(*out))
    {
        return CORR_INVALID;
    }

    body = corr_make_str(out->data, out->len - 1);

    if (corr_tracking_check_digit(body) != out->data[out->len - 1]) {
        return CORR_CHECKSUM;
    }

    return CORR_OK;
}
