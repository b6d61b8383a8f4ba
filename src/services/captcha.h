/*
 * The security code: a picture of Persian digits, and the same digits
 * spoken.
 *
 * Nobody stores the answer.  A captcha is a random id; its digits and the
 * way they are drawn follow from the id and the key file, so any node can
 * draw any captcha, always the same (a second look teaches a machine
 * nothing), and a look into Redis tells nothing.  The current key draws; the
 * digits that any loaded one gives are right.  What Redis holds is that the
 * id was issued and not used:
 *
 *     issue    corr_captcha_new(id);  SET corr_captcha_key(id) 1 EX 600 NX
 *     draw     EXISTS key, then corr_captcha_draw() of captcha_work.h
 *     answer   GETDEL key: nil is used or expired; then corr_captcha_right()
 *
 * GETDEL comes before the comparison, so a wrong answer uses it up as well.
 */

#ifndef CORR_CAPTCHA_H
#define CORR_CAPTCHA_H

#include "secrets.h"


#define CORR_CAPTCHA_ID        22      /* characters: 128 bits, base64url */
#define CORR_CAPTCHA_KEY       30      /* "captcha:" and the id */
#define CORR_CAPTCHA_MIN       4       /* digits */
#define CORR_CAPTCHA_MAX       8
#define CORR_CAPTCHA_WIDTH     220     /* pixels of the picture */
#define CORR_CAPTCHA_HEIGHT    80


typedef struct corr_captcha_s  corr_captcha_t;

typedef enum {
    CORR_CAPTCHA_PNG = 0,
    CORR_CAPTCHA_WAV
} corr_captcha_form_e;


/*
 * voice: the directory with 0.wav … 9.wav (8 kHz, mono, 8 bits; an agency
 * may put recordings of its own there).  digits: how many, MIN to MAX.  NULL
 * with the reason in error.  Immutable afterwards, for any thread.
 */
corr_captcha_t *corr_captcha_load(const corr_secrets_t *secrets,
    const char *voice, size_t digits, char error[CORR_SERVICE_ERROR]);
void corr_captcha_free(corr_captcha_t *captcha);


/* A new id; not NUL-terminated. */
void corr_captcha_new(unsigned char id[CORR_CAPTCHA_ID]);

/* Has it the form of an id?  Else it is not worth asking Redis. */
int corr_captcha_is_id(corr_str_t id);

/* Name of the key in Redis; id has the form of an id. */
void corr_captcha_key(corr_str_t id, unsigned char key[CORR_CAPTCHA_KEY]);

/*
 * Is this the answer?  Digits of any family, blanks around and between them
 * are ignored.  Constant time.
 */
int corr_captcha_right(const corr_captcha_t *captcha, corr_str_t id,
    corr_str_t answer);

/* The digits in ASCII, 1 to 9; returns how many.  For tests. */
size_t corr_captcha_digits(const corr_captcha_t *captcha, corr_str_t id,
    unsigned char digits[CORR_CAPTCHA_MAX]);


/*
 * Draws or speaks it: milliseconds of processor time, hence in a thread.
 * *out is malloc'd, the caller frees it.  CORR_OK or CORR_ERROR (memory).
 */
int corr_captcha_make(const corr_captcha_t *captcha,
    corr_captcha_form_e form, corr_str_t id, corr_str_t *out);


#endif /* CORR_CAPTCHA_H */
