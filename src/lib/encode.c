#include "encode.h"


static const char  corr_hex_digits[] = "0123456789abcdef";

static const char  corr_base64url_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static const char  corr_base32_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";


int
corr_hex_digit(unsigned char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }

    return -1;
}


unsigned char *
corr_hex_encode(unsigned char *dst, corr_str_t bytes)
{
    size_t  i;

    for (i = 0; i < bytes.len; i++) {
        *dst++ = (unsigned char) corr_hex_digits[bytes.data[i] >> 4];
        *dst++ = (unsigned char) corr_hex_digits[bytes.data[i] & 15];
    }

    return dst;
}


int
corr_hex_decode(corr_str_t s, unsigned char *dst, size_t size, size_t *len)
{
    int     high, low;
    size_t  i;

    *len = 0;

    if (s.len % 2 || s.len / 2 > size) {
        return CORR_INVALID;
    }

    for (i = 0; i < s.len; i += 2) {
        high = corr_hex_digit(s.data[i]);
        low = corr_hex_digit(s.data[i + 1]);

        if (high < 0 || low < 0) {
            return CORR_INVALID;
        }

        dst[(*len)++] = (unsigned char) (high << 4 | low);
    }

    return CORR_OK;
}


/*
 * Base64 and base32 are one machine: bits gather in an accumulator and leave
 * it in groups of 6 or 5 (encoding), or come in such groups and leave as
 * bytes (decoding).
 */

static unsigned char *
corr_bits_encode(unsigned char *dst, corr_str_t bytes, unsigned width,
    const char *digits)
{
    size_t    i;
    unsigned  bits, nbits, mask;

    bits = 0;
    nbits = 0;
    mask = (1u << width) - 1;

    for (i = 0; i < bytes.len; i++) {
        bits = (bits << 8 | bytes.data[i]) & 0xffff;
        nbits += 8;

        while (nbits >= width) {
            nbits -= width;
            *dst++ = (unsigned char) digits[bits >> nbits & mask];
        }
    }

    if (nbits) {
        *dst++ = (unsigned char) digits[bits << (width - nbits) & mask];
    }

    return dst;
}


typedef struct {
    unsigned char  *dst;
    size_t          size;
    size_t          len;
    unsigned        width;
    unsigned        bits;
    unsigned        nbits;
} corr_bits_t;


static int
corr_bits_add(corr_bits_t *b, unsigned value)
{
    b->bits = (b->bits << b->width | value) & 0xffff;
    b->nbits += b->width;

    if (b->nbits < 8) {
        return CORR_OK;
    }

    if (b->len == b->size) {
        return CORR_INVALID;
    }

    b->nbits -= 8;
    b->dst[b->len++] = (unsigned char) (b->bits >> b->nbits);

    return CORR_OK;
}


/* What is left must be less than a whole digit, and zero. */

static int
corr_bits_end(const corr_bits_t *b)
{
    if (b->nbits >= b->width || (b->bits & ((1u << b->nbits) - 1)) != 0) {
        return CORR_INVALID;
    }

    return CORR_OK;
}


unsigned char *
corr_base64url_encode(unsigned char *dst, corr_str_t bytes)
{
    return corr_bits_encode(dst, bytes, 6, corr_base64url_digits);
}


static int
corr_base64url_digit(unsigned char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }

    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }

    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }

    return (c == '-') ? 62 : (c == '_') ? 63 : -1;
}


int
corr_base64url_decode(corr_str_t s, unsigned char *dst, size_t size,
    size_t *len)
{
    int          digit, rc;
    size_t       i;
    corr_bits_t  b = { dst, size, 0, 6, 0, 0 };

    rc = CORR_OK;

    for (i = 0; i < s.len && rc == CORR_OK; i++) {
        digit = corr_base64url_digit(s.data[i]);
        rc = (digit < 0) ? CORR_INVALID : corr_bits_add(&b, (unsigned) digit);
    }

    *len = b.len;

    return (rc == CORR_OK) ? corr_bits_end(&b) : rc;
}


unsigned char *
corr_base32_encode(unsigned char *dst, corr_str_t bytes)
{
    return corr_bits_encode(dst, bytes, 5, corr_base32_digits);
}


static int
corr_base32_digit(unsigned char c)
{
    if (c >= '2' && c <= '7') {
        return c - '2' + 26;
    }

    c &= (unsigned char) ~0x20;

    return (c >= 'A' && c <= 'Z') ? c - 'A' : -1;
}


int
corr_base32_decode(corr_str_t s, unsigned char *dst, size_t size,
    size_t *len)
{
    int          digit, rc;
    size_t       i, digits, padding;
    corr_bits_t  b = { dst, size, 0, 5, 0, 0 };

    rc = CORR_OK;
    digits = 0;
    padding = 0;

    for (i = 0; i < s.len && rc == CORR_OK; i++) {
        if (s.data[i] == ' ') {
            continue;
        }

        if (s.data[i] == '=') {
            padding++;
            continue;
        }

        digit = padding ? -1 : corr_base32_digit(s.data[i]);
        digits++;
        rc = (digit < 0) ? CORR_INVALID : corr_bits_add(&b, (unsigned) digit);
    }

    *len = b.len;

    if (rc == CORR_OK && padding
        && (padding > 6 || (digits + padding) % 8 != 0))
    {
        rc = CORR_INVALID;
    }

    return (rc == CORR_OK) ? corr_bits_end(&b) : rc;
}
