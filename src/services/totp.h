/*
 * Time-based codes of an authenticator: RFC 6238 with SHA-1, 30 seconds and
 * six digits, which is what every authenticator application reads.
 */

#ifndef CORR_TOTP_H
#define CORR_TOTP_H

#include "secrets.h"


#define CORR_TOTP_SECRET    20      /* bytes: the length of SHA-1, RFC 4226 4 */
#define CORR_TOTP_BASE32    32      /* characters of such a secret */
#define CORR_TOTP_DIGITS    6
#define CORR_TOTP_PERIOD    30      /* seconds */
#define CORR_TOTP_SEALED    (CORR_TOTP_SECRET + CORR_SECRETS_OVERHEAD)


/* A new secret. */
void corr_totp_secret(unsigned char secret[CORR_TOTP_SECRET]);

/*
 * The secret as the database keeps it: encrypted with the key file, bound to
 * the user name, so that it is of no use in another's row.
 */
void corr_totp_seal(const corr_secrets_t *secrets, corr_str_t username,
    const unsigned char secret[CORR_TOTP_SECRET],
    unsigned char sealed[CORR_TOTP_SEALED]);

/* CORR_OK or CORR_INVALID; the caller wipes secret (corr_secrets_wipe). */
int corr_totp_open(const corr_secrets_t *secrets, corr_str_t username,
    corr_str_t sealed, unsigned char secret[CORR_TOTP_SECRET]);

/*
 * 1 when an old key file encrypted it: anew holds it encrypted with the
 * current one, so that the old file may go some day.
 */
int corr_totp_reseal(const corr_secrets_t *secrets, corr_str_t username,
    corr_str_t sealed, unsigned char anew[CORR_TOTP_SEALED]);


/* The code of a step (unix time / 30) in ASCII digits. */
void corr_totp_code(corr_str_t secret, uint64_t step,
    unsigned char code[CORR_TOTP_DIGITS]);

/*
 * Is `code` (six ASCII digits) that of now, of the step before or of the
 * step after?  CORR_OK with the matched step, else CORR_INVALID.  The caller
 * stores the step and refuses one that is not greater than the last
 * (RFC 6238 5.2: a code is used once).  Constant time.
 */
int corr_totp_check(corr_str_t secret, int64_t now, corr_str_t code,
    int64_t *step);

/* RFC 4648, capitals, no padding; out has (len * 8 + 4) / 5 bytes. */
size_t corr_totp_base32(const unsigned char *data, size_t len,
    unsigned char *out);

/*
 * Takes small letters, blanks, dashes and padding.  out has len * 5 / 8
 * bytes.  CORR_INVALID for any other character or stray bits.
 */
int corr_totp_base32_decode(corr_str_t text, unsigned char *out, size_t *len);

/*
 * otpauth://totp/ISSUER:ACCOUNT?secret=…&issuer=ISSUER…, for the QR code.
 * Both names may be Persian.  Empty result: no memory.
 */
corr_str_t corr_totp_uri(const corr_alloc_t *a, corr_str_t issuer,
    corr_str_t account, corr_str_t secret);


#endif /* CORR_TOTP_H */
