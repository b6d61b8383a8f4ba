/*
 * Bytes as text: hex, base64url (RFC 4648, 5, without padding) and base32
 * (RFC 4648, 6, for TOTP secrets in apps).
 *
 * Encoders return the place behind what they wrote.  Decoders are strict:
 * CORR_OK, or CORR_INVALID for a foreign character, a length that cannot be,
 * bits left over that are not zero, or more than size bytes; *len is the
 * number of bytes written.
 */

#ifndef CORR_ENCODE_H
#define CORR_ENCODE_H

#include "base.h"


#define corr_hex_len(n)         ((n) * 2)
#define corr_base64url_len(n)   (((n) * 4 + 2) / 3)
#define corr_base32_len(n)      (((n) * 8 + 4) / 5)


/* The value of a hex digit, or -1. */

int corr_hex_digit(unsigned char c);

/* Writes lower case; reads both. */

unsigned char *corr_hex_encode(unsigned char *dst, corr_str_t bytes);
int corr_hex_decode(corr_str_t s, unsigned char *dst, size_t size,
    size_t *len);

unsigned char *corr_base64url_encode(unsigned char *dst, corr_str_t bytes);
int corr_base64url_decode(corr_str_t s, unsigned char *dst, size_t size,
    size_t *len);

/* Without padding.  Reads both cases, with blanks between groups, with or
   without padding. */

unsigned char *corr_base32_encode(unsigned char *dst, corr_str_t bytes);
int corr_base32_decode(corr_str_t s, unsigned char *dst, size_t size,
    size_t *len);


#endif /* CORR_ENCODE_H */
