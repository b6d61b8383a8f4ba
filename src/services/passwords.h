/*
 * Passwords: what is accepted, and argon2id.
 *
 * Nothing here knows nginx; hashing and verifying hold a processor for tens
 * of milliseconds and `memory` bytes, so pages call them through
 * passwords_work.h.
 *
 * Rules: NIST SP 800-63B and ASVS 5.0 6.2: at least `min` characters as a
 * person counts them, 64 and more allowed, any character, no composition
 * rules, checked and hashed exactly as typed.
 */

#ifndef CORR_PASSWORDS_H
#define CORR_PASSWORDS_H

#include "secrets.h"


#define CORR_PASSWORD_LEAST      8       /* characters, NIST SP 800-63B */
#define CORR_PASSWORD_BYTES      512     /* longest, in bytes of UTF-8 */
#define CORR_PASSWORD_CHARS      128     /* longest, in characters */
#define CORR_PASSWORD_HASH       128     /* room for a hash and its NUL */
#define CORR_PASSWORD_MEMORY     (7 * 1024 * 1024)    /* the least, bytes */
#define CORR_PASSWORD_PASSES     5       /* with so much */


typedef struct {
    size_t           min;            /* characters, 8 or more */
    size_t           memory;         /* bytes per hash, argon2id's m */
    unsigned         passes;         /* its t: the less memory, the more */
    const char      *common;         /* file of common passwords, one a line,
                                        # begins a remark; NULL: none */
} corr_passwords_conf_t;


typedef struct corr_passwords_s  corr_passwords_t;


/* Why a new password is refused. */

typedef enum {
    CORR_PASSWORD_OK = 0,
    CORR_PASSWORD_EMPTY,
    CORR_PASSWORD_SHORT,
    CORR_PASSWORD_LONG,
    CORR_PASSWORD_ENCODING,          /* not UTF-8, or control characters */
    CORR_PASSWORD_COMMON,            /* on the list, or one character or
                                        short piece again and again */
    CORR_PASSWORD_PERSONAL           /* holds the national code, the mobile,
                                        a name … */
} corr_password_verdict_e;


/*
 * Reads the list.  NULL with the reason in error.  Immutable afterwards, for
 * any thread.
 */
corr_passwords_t *corr_passwords_load(const corr_passwords_conf_t *conf,
    char error[CORR_SERVICE_ERROR]);
void corr_passwords_free(corr_passwords_t *passwords);

size_t corr_passwords_min(const corr_passwords_t *passwords);

/*
 * May it become a password?  words: what everyone who knows the person would
 * try (national code, mobile, names, company, user name).  They are struck
 * out, and what is left must be long enough by itself; words under four
 * bytes count only when they are the whole password.  Digits of any family
 * and letters of either case are the same here.  Fast: a search in a sorted
 * list.
 */
corr_password_verdict_e corr_password_check(
    const corr_passwords_t *passwords, corr_str_t text,
    const corr_str_t *words, size_t nwords);

/*
 * "password_short" …: with the prefix of its field the name of a message in
 * html/messages.txt (new_password_short).
 */
const char *corr_password_message(corr_password_verdict_e verdict);


/* CORR_OK with a NUL-terminated string, CORR_ERROR without memory. Slow. */
int corr_password_make(const corr_passwords_t *passwords, corr_str_t text,
    char hash[CORR_PASSWORD_HASH]);

/*
 * Slow.  CORR_OK: it is the password; CORR_INVALID: it is not; CORR_ERROR:
 * no memory, nothing was found out.  With an empty `stored` the work of one
 * verification is done and CORR_INVALID returned: a person who does not
 * exist takes as long as one who does.  *rehash (may be NULL): right, but
 * made with a lesser cost than today's; make and store it anew.
 */
int corr_password_test(const corr_passwords_t *passwords, corr_str_t text,
    corr_str_t stored, int *rehash);


#endif /* CORR_PASSWORDS_H */
