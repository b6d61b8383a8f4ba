/*
 * One-time codes: six digits that nobody keeps.
 *
 * The database gets two forms of a code: a keyed hash, bound to its purpose
 * and to the browser that asked (a code is worth nothing elsewhere), and
 * the digits encrypted for the relay, which decrypts them only to send.
 * Tries, pace and limits are counted in PostgreSQL (sql/functions/
 * 20_codes.sql), so that a lost Redis gives nobody new tries.
 */

#ifndef CORR_CODES_H
#define CORR_CODES_H

#include "settings.h"
#include "secrets.h"


#define CORR_CODE_DIGITS   6


typedef struct {
    corr_str_t      hash;      /* 32 bytes */
    corr_str_t      secret;    /* for the message: see relay.h */
} corr_code_t;


/*
 * A new code for a purpose ("signup", "login", "recover", "mobile") and a
 * browser's hash.  CORR_OK or CORR_ERROR (memory).
 */
int corr_code_make(const corr_alloc_t *a, const corr_secrets_t *secrets,
    const char *purpose, corr_str_t browser, corr_code_t *code);

/*
 * The hashes of what was typed (digits only), one behind the other: one for
 * each key file, any of which may have been the current one when the code
 * was made.  CORR_OK or CORR_ERROR (memory).
 */
int corr_code_hashes(const corr_alloc_t *a, const corr_secrets_t *secrets,
    const char *purpose, corr_str_t browser, corr_str_t digits,
    corr_str_t *hashes);

#endif /* CORR_CODES_H */
