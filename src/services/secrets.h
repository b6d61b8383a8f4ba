/*
 * The key file and everything that is made with it.
 *
 * One file of at least 32 random bytes (raw, as from `head -c 32
 * /dev/urandom`, or the same in base64) is the root of all secrets of the
 * portal: a key of its own for each purpose is derived from it, so what is
 * made for one purpose proves nothing for another.  More files may follow
 * the first: keys that were in use before, or will be soon.  Whatever was
 * made with any of them is good: sessions, forms, codes, captchas, receipts,
 * what was sealed.  New things are made with the first alone.  The README
 * says in what order keys are changed.
 *
 * The keys are loaded with the configuration, are never written to, and may
 * be used from any thread.  Nothing here is logged: error texts name the
 * file and the reason only.
 */

#ifndef CORR_SECRETS_H
#define CORR_SECRETS_H

#include "../lib/base.h"


/* A buffer for the reason why something could not be loaded. */

#define CORR_SERVICE_ERROR      256


#define CORR_SECRETS_FILES      4       /* the current one included */

#define CORR_SECRETS_MAC        32      /* bytes */
#define CORR_SECRETS_TOKEN      43      /* characters: 256 bits, base64url */
#define CORR_SECRETS_SEAL       12      /* characters: 60 bits */
#define CORR_SECRETS_OVERHEAD   45      /* bytes that encryption adds */
#define CORR_SECRETS_DRAWN      1024    /* random bytes made at once */


/*
 * What a key is for.  The numbers are part of what is stored: never change
 * one, never use one again (5 and 9 are gone).
 */

typedef enum {
    CORR_KEY_FORM = 1,        /* csrf and form tokens */
    CORR_KEY_CODE = 2,        /* one-time codes, as stored */
    CORR_KEY_CAPTCHA = 3,     /* digits of a captcha from its id */
    CORR_KEY_SESSION = 4,     /* session tokens, as stored */
    CORR_KEY_MESSAGE = 6,     /* texts of one-time codes on their way */
    CORR_KEY_TOTP = 7,        /* secrets of authenticators */
    CORR_KEY_RECEIPT = 8,     /* seals of receipts */
    CORR_KEY_FLOW = 10        /* what a form carries to its next page */
} corr_key_e;


typedef struct corr_secrets_s  corr_secrets_t;


/* Random bytes that nobody has had; corr_secrets_draw(). */

typedef struct {
    size_t                   left;       /* at the end */
    unsigned char            bytes[CORR_SECRETS_DRAWN];
} corr_drawn_t;


/*
 * Loads n files, the current one first.  NULL with the reason in error: a
 * file that cannot be read, holds less than 32 bytes, is not a plain file,
 * or may be read or written by others (0640 and 0400 are right, 0644 is
 * not).
 */
corr_secrets_t *corr_secrets_load(const char *const *paths, size_t n,
    char error[CORR_SERVICE_ERROR]);

/* Wipes; NULL is allowed. */
void corr_secrets_free(corr_secrets_t *secrets);

/* How many files were loaded. */
size_t corr_secrets_count(const corr_secrets_t *secrets);


/*
 * A keyed hash (BLAKE2b, 256 bits) of n parts; each part is hashed with its
 * length, so ("ab", "c") is not ("a", "bc").
 */
void corr_secrets_mac(const corr_secrets_t *secrets, corr_key_e key,
    const corr_str_t *parts, size_t n,
    unsigned char mac[CORR_SECRETS_MAC]);

/* 1 when `mac` was made of these parts with any of the loaded files. */
int corr_secrets_mac_check(const corr_secrets_t *secrets, corr_key_e key,
    const corr_str_t *parts, size_t n, corr_str_t mac);

/* The same with one of the files: 0 is the current one. */
void corr_secrets_mac_of(const corr_secrets_t *secrets, size_t file,
    corr_key_e key, const corr_str_t *parts, size_t n,
    unsigned char mac[CORR_SECRETS_MAC]);

/*
 * A hash without a key, the same whatever files are loaded: the name of what
 * nobody can guess (256 random bits, or a keyed hash), and of nothing else.
 */
void corr_secrets_name(const corr_str_t *parts, size_t n,
    unsigned char name[CORR_SECRETS_MAC]);


/*
 * Authenticated encryption (XChaCha20-Poly1305).  `bound` is not stored but
 * must be the same to decrypt: the row's id, so that a text cannot be moved
 * to another row.  out has room for plain.len + CORR_SECRETS_OVERHEAD;
 * returns the length.
 */
size_t corr_secrets_encrypt(const corr_secrets_t *secrets, corr_key_e key,
    corr_str_t bound, corr_str_t plain, unsigned char *out);

/*
 * out has room for sealed.len; *len is the length.  CORR_INVALID: altered,
 * bound to something else, or made with a key that is not loaded.  The
 * caller wipes out (corr_secrets_wipe).
 */
int corr_secrets_decrypt(const corr_secrets_t *secrets, corr_key_e key,
    corr_str_t bound, corr_str_t sealed, unsigned char *out, size_t *len);

/* 1 when an old file's key made it: encrypt() would take another one. */
int corr_secrets_sealed_old(const corr_secrets_t *secrets, corr_key_e key,
    corr_str_t sealed);


/* Random, from the kernel. */
void corr_secrets_random(unsigned char *out, size_t len);

/*
 * The same for what every page draws: a stream (ChaCha20) whose seed the
 * kernel gives, a new one for each buffer.  One for a process, which has
 * never forked with it: two would draw the same.  Of one thread.  All zero
 * at first; what was drawn is wiped.
 */
void corr_secrets_draw(corr_drawn_t *drawn, unsigned char *out, size_t len);

/*
 * 256 random bits as 43 characters of base64url; not NUL-terminated.  From
 * drawn, or from the kernel if that is NULL.
 */
void corr_secrets_token(corr_drawn_t *drawn,
    unsigned char out[CORR_SECRETS_TOKEN]);

/* n random decimal digits in ASCII, each equally likely. */
void corr_secrets_digits(unsigned char *out, size_t n);

/*
 * n ASCII digits that always follow from the parts and one of the files (no
 * modulo bias).  What they are cannot be told without the key.
 */
void corr_secrets_derive_digits(const corr_secrets_t *secrets, size_t file,
    corr_key_e key, const corr_str_t *parts, size_t n, unsigned char *out,
    size_t ndigits);


/* 1 when equal; takes the same time wherever they differ. */
int corr_secrets_equal(corr_str_t a, corr_str_t b);

void corr_secrets_wipe(void *p, size_t len);


/*
 * The seal of a receipt: 12 characters of Crockford's base32 in lower case
 * (no i, l, o, u), which prove that this portal issued that tracking code at
 * that time.  The parts are the caller's: code, time, subject's hash …
 */
void corr_secrets_seal(const corr_secrets_t *secrets,
    const corr_str_t *parts, size_t n,
    unsigned char seal[CORR_SECRETS_SEAL]);

/* Takes capitals, O for 0, I and L for 1. */
int corr_secrets_seal_check(const corr_secrets_t *secrets,
    const corr_str_t *parts, size_t n, corr_str_t seal);


/* Lower-case hex; out has 2 * len bytes, no NUL. */
void corr_secrets_hex(const unsigned char *data, size_t len,
    unsigned char *out);


#endif /* CORR_SECRETS_H */
