/*
 * Passwords: what is accepted, and argon2id.
 */

#define _GNU_SOURCE    /* memmem() */

#include "passwords.h"
#include "../lib/digits.h"
#include "../lib/text.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>


#define CORR_PASSWORD_LIST      (4 * 1024 * 1024)    /* largest file, bytes */
#define CORR_PASSWORD_UNIT      4                    /* "abcdabcd…" */
#define CORR_PASSWORD_WORD      4                    /* bytes */
#define CORR_ARGON2_HASH        32                   /* bytes, libsodium's */


struct corr_passwords_s {
    corr_passwords_conf_t    conf;
    char                     nobody[CORR_PASSWORD_HASH];
    char                    *text;       /* the file, lines ended by NUL */
    char                   **words;      /* sorted */
    size_t                   nwords;
};


/*
 * The least of both, as strong one as another (OWASP, Password Storage; ASVS
 * 5.0, appendix C).  The last costs a server the least: it is the kernel that
 * gives the memory, page by page and for each hash anew.
 */

static const struct {
    size_t                   memory;
    unsigned                 passes;
} corr_password_costs[] = {
    { 46 * 1024 * 1024, 1 },
    { 19 * 1024 * 1024, 2 },
    { 12 * 1024 * 1024, 3 },
    { 9 * 1024 * 1024, 4 },
    { CORR_PASSWORD_MEMORY, CORR_PASSWORD_PASSES }
};


static int corr_passwords_costly(const corr_passwords_conf_t *conf);
static void corr_passwords_nobody(corr_passwords_t *passwords);
static int corr_passwords_list(corr_passwords_t *passwords, char *error);
static char *corr_passwords_file(const char *path, size_t *size,
    char *error);
static void corr_passwords_lines(corr_passwords_t *passwords, size_t size);
static int corr_passwords_compare(const void *one, const void *two);
static corr_password_verdict_e corr_password_form(
    const corr_passwords_t *passwords, corr_str_t text);
static size_t corr_password_fold(corr_str_t text, char *out);
static int corr_password_is_common(const corr_passwords_t *passwords,
    const char *folded, size_t len);
static int corr_password_is_personal(const corr_passwords_t *passwords,
    char *folded, size_t len, const corr_str_t *words, size_t nwords);
static size_t corr_password_strike(char *folded, size_t len, corr_str_t word);
static int corr_password_matches(const char *known, corr_str_t text);
static int corr_password_decode(const char *text, unsigned char *out,
    size_t size, size_t *len, const char **end);


corr_passwords_t *
corr_passwords_load(const corr_passwords_conf_t *conf,
    char error[CORR_SERVICE_ERROR])
{
    corr_passwords_t  *passwords;

    error[0] = '\0';

    if (conf->min < CORR_PASSWORD_LEAST
        || conf->min > CORR_PASSWORD_CHARS / 2)
    {
        snprintf(error, CORR_SERVICE_ERROR,
                 "passwords need a least length of %d to %d characters",
                 CORR_PASSWORD_LEAST, CORR_PASSWORD_CHARS / 2);
        return NULL;
    }

    if (!corr_passwords_costly(conf)) {
        snprintf(error, CORR_SERVICE_ERROR,
                 "argon2id needs 7 MiB and five passes, 9 and four, 12 and "
                 "three, 19 and two, or 46 and one");
        return NULL;
    }

    passwords = calloc(1, sizeof(corr_passwords_t));

    if (passwords == NULL || sodium_init() < 0) {
        snprintf(error, CORR_SERVICE_ERROR, "no memory");
        free(passwords);
        return NULL;
    }

    passwords->conf = *conf;

    corr_passwords_nobody(passwords);

    if (conf->common != NULL
        && corr_passwords_list(passwords, error) != CORR_OK)
    {
        corr_passwords_free(passwords);
        return NULL;
    }

    passwords->conf.common = NULL;

    return passwords;
}


static int
corr_passwords_costly(const corr_passwords_conf_t *conf)
{
    size_t  i;

    for (i = 0; i < sizeof(corr_password_costs) / sizeof(*corr_password_costs);
         i++)
    {
        if (conf->memory >= corr_password_costs[i].memory
            && conf->passes >= corr_password_costs[i].passes)
        {
            return 1;
        }
    }

    return 0;
}


void
corr_passwords_free(corr_passwords_t *passwords)
{
    if (passwords == NULL) {
        return;
    }

    free(passwords->words);
    free(passwords->text);
    free(passwords);
}


size_t
corr_passwords_min(const corr_passwords_t *passwords)
{
    return passwords->conf.min;
}


/*
 * A hash of nobody's password: random bytes in the form of one, with the
 * cost of a real one.
 */

static void
corr_passwords_nobody(corr_passwords_t *passwords)
{
    char           salt[23], hash[44];
    unsigned char  raw[32];

    randombytes_buf(raw, sizeof(raw));
    sodium_bin2base64(salt, sizeof(salt), raw, 16,
                      sodium_base64_VARIANT_ORIGINAL_NO_PADDING);

    randombytes_buf(raw, sizeof(raw));
    sodium_bin2base64(hash, sizeof(hash), raw, 32,
                      sodium_base64_VARIANT_ORIGINAL_NO_PADDING);

    snprintf(passwords->nobody, sizeof(passwords->nobody),
             "$argon2id$v=19$m=%zu,t=%u,p=1$%s$%s",
             passwords->conf.memory / 1024, passwords->conf.passes, salt,
             hash);
}


/* The list. */

static int
corr_passwords_list(corr_passwords_t *passwords, char *error)
{
    size_t  i, size, lines;

    passwords->text = corr_passwords_file(passwords->conf.common, &size,
                                          error);
    if (passwords->text == NULL) {
        return CORR_ERROR;
    }

    lines = 1;

    for (i = 0; i < size; i++) {
        lines += passwords->text[i] == '\n';
    }

    passwords->words = malloc(lines * sizeof(char *));

    if (passwords->words == NULL) {
        snprintf(error, CORR_SERVICE_ERROR, "no memory");
        return CORR_ERROR;
    }

    corr_passwords_lines(passwords, size);

    qsort(passwords->words, passwords->nwords, sizeof(char *),
          corr_passwords_compare);

    return CORR_OK;
}


static char *
corr_passwords_file(const char *path, size_t *size, char *error)
{
    char  *text;
    FILE  *file;

    file = fopen(path, "re");
    if (file == NULL) {
        snprintf(error, CORR_SERVICE_ERROR, "\"%s\": %s", path,
                 strerror(errno));
        return NULL;
    }

    text = malloc(CORR_PASSWORD_LIST + 1);

    if (text == NULL) {
        snprintf(error, CORR_SERVICE_ERROR, "no memory");
        fclose(file);
        return NULL;
    }

    *size = fread(text, 1, CORR_PASSWORD_LIST + 1, file);

    if (ferror(file) || *size > CORR_PASSWORD_LIST) {
        snprintf(error, CORR_SERVICE_ERROR, "\"%s\": %s", path,
                 ferror(file) ? "cannot be read" : "is larger than 4 MiB");
        fclose(file);
        free(text);
        return NULL;
    }

    fclose(file);
    text[*size] = '\0';

    return text;
}


/* One password a line; lines that begin with # are remarks. */

static void
corr_passwords_lines(corr_passwords_t *passwords, size_t size)
{
    char    *line, *end, *last;
    size_t   len;

    last = passwords->text + size;

    for (line = passwords->text; line < last; line = end + 1) {

        end = memchr(line, '\n', (size_t) (last - line));
        if (end == NULL) {
            end = last;
        }

        len = (size_t) (end - line);

        while (len && (line[len - 1] == '\r' || line[len - 1] == ' ')) {
            len--;
        }

        if (len == 0 || line[0] == '#' || len > CORR_PASSWORD_BYTES) {
            continue;
        }

        /* in place: never longer than before */

        len = corr_password_fold(corr_make_str(line, len), line);
        line[len] = '\0';

        passwords->words[passwords->nwords++] = line;
    }
}


static int
corr_passwords_compare(const void *one, const void *two)
{
    return strcmp(*(char *const *) one, *(char *const *) two);
}


/* May it become a password? */

corr_password_verdict_e
corr_password_check(const corr_passwords_t *passwords, corr_str_t text,
    const corr_str_t *words, size_t nwords)
{
    char                     folded[CORR_PASSWORD_BYTES + 1];
    size_t                   len;
    corr_password_verdict_e  verdict;

    verdict = corr_password_form(passwords, text);
    if (verdict != CORR_PASSWORD_OK) {
        return verdict;
    }

    len = corr_password_fold(text, folded);
    folded[len] = '\0';

    if (corr_password_is_common(passwords, folded, len)) {
        verdict = CORR_PASSWORD_COMMON;

    } else if (corr_password_is_personal(passwords, folded, len, words,
                                         nwords))
    {
        verdict = CORR_PASSWORD_PERSONAL;
    }

    sodium_memzero(folded, sizeof(folded));

    return verdict;
}


static corr_password_verdict_e
corr_password_form(const corr_passwords_t *passwords, corr_str_t text)
{
    size_t  i, chars;

    if (text.len == 0) {
        return CORR_PASSWORD_EMPTY;
    }

    if (text.len > CORR_PASSWORD_BYTES) {
        return CORR_PASSWORD_LONG;
    }

    if (!corr_utf8_valid(text)) {
        return CORR_PASSWORD_ENCODING;
    }

    for (i = 0; i < text.len; i++) {
        if (text.data[i] < 0x20 || text.data[i] == 0x7f) {
            return CORR_PASSWORD_ENCODING;
        }
    }

    chars = corr_utf8_length(text);

    if (chars < passwords->conf.min) {
        return CORR_PASSWORD_SHORT;
    }

    return chars > CORR_PASSWORD_CHARS ? CORR_PASSWORD_LONG
                                       : CORR_PASSWORD_OK;
}


/*
 * For comparing only: small letters, ASCII digits.  out may be the text
 * itself; the result is never longer.
 */

static size_t
corr_password_fold(corr_str_t text, char *out)
{
    int                   digit;
    size_t                n, size;
    const unsigned char  *p, *last;

    n = 0;
    p = text.data;
    last = text.data + text.len;

    while (p < last) {
        digit = corr_digit_at(p, last, &size);

        if (digit >= 0) {
            out[n++] = (char) ('0' + digit);
            p += size;
            continue;
        }

        out[n++] = (char) (*p >= 'A' && *p <= 'Z' ? *p | 0x20 : *p);
        p++;
    }

    return n;
}


static int
corr_password_is_common(const corr_passwords_t *passwords,
    const char *folded, size_t len)
{
    size_t  i, unit;

    if (passwords->nwords
        && bsearch(&folded, passwords->words, passwords->nwords,
                   sizeof(char *), corr_passwords_compare) != NULL)
    {
        return 1;
    }

    /* one short piece again and again */

    for (unit = 1; unit <= CORR_PASSWORD_UNIT; unit++) {

        for (i = unit; i < len && folded[i] == folded[i - unit]; i++) {
            /* void */
        }

        if (i == len) {
            return 1;
        }
    }

    /* 123456789, abcdefgh and back */

    for (i = 2; i < len; i++) {
        if (folded[i] - folded[i - 1] != folded[1] - folded[0]) {
            return 0;
        }
    }

    return folded[1] - folded[0] == 1 || folded[1] - folded[0] == -1;
}


/*
 * Words that everyone knows are struck out; what is left must be long
 * enough by itself.
 */

static int
corr_password_is_personal(const corr_passwords_t *passwords, char *folded,
    size_t len, const corr_str_t *words, size_t nwords)
{
    char        word[CORR_PASSWORD_BYTES];
    size_t      i, left, struck;
    corr_str_t  w;

    left = len;

    for (i = 0; i < nwords; i++) {

        if (words[i].len == 0 || words[i].len > CORR_PASSWORD_BYTES) {
            continue;
        }

        w.data = (unsigned char *) word;
        w.len = corr_password_fold(words[i], word);

        if (w.len < CORR_PASSWORD_WORD && w.len != len) {
            continue;
        }

        struck = corr_password_strike(folded, left, w);

        /* a mobile number is typed without its zero as well */

        if (w.len == 11 && word[0] == '0') {
            struck += corr_password_strike(folded, left - struck,
                                           corr_make_str(word + 1, 10));
        }

        left -= struck;
    }

    return left < len
           && corr_utf8_length(corr_make_str(folded, left))
              < passwords->conf.min;
}


/* Returns how many bytes went. */

static size_t
corr_password_strike(char *folded, size_t len, corr_str_t word)
{
    char    *p;
    size_t   struck;

    struck = 0;

    while (len - struck >= word.len
           && (p = memmem(folded, len - struck, word.data, word.len)) != NULL)
    {
        memmove(p, p + word.len,
                (size_t) (folded + len - struck - (p + word.len)));
        struck += word.len;
    }

    return struck;
}


const char *
corr_password_message(corr_password_verdict_e verdict)
{
    static const char  *names[] = {
        "", "password_required", "password_short",
        "password_long", "password_wrong", "password_common",
        "password_personal"
    };

    return names[verdict];
}


/* argon2id. */

int
corr_password_make(const corr_passwords_t *passwords, corr_str_t text,
    char hash[CORR_PASSWORD_HASH])
{
    _Static_assert(crypto_pwhash_STRBYTES <= CORR_PASSWORD_HASH,
                   "room for a hash");

    if (crypto_pwhash_str(hash, (char *) text.data, text.len,
                          passwords->conf.passes, passwords->conf.memory)
        != 0)
    {
        return CORR_ERROR;
    }

    return CORR_OK;
}


/*
 * crypto_pwhash_str_verify() in two steps: libsodium 1.0.18 calls it a wrong
 * password when there was no memory to hash it.  CORR_ERROR is a fault:
 * memory, or a broken hash.
 */

static int
corr_password_matches(const char *known, corr_str_t text)
{
    int                 n, rc;
    size_t              memory, salt_len, hash_len;
    const char         *end;
    unsigned            passes;
    unsigned char       made[CORR_ARGON2_HASH];
    unsigned char       salt[crypto_pwhash_SALTBYTES];
    unsigned char       hash[CORR_ARGON2_HASH];

    n = 0;

    if (sscanf(known, "$argon2id$v=19$m=%zu,t=%u,p=1$%n", &memory, &passes,
               &n)
        != 2
        || n == 0
        || corr_password_decode(known + n, salt, sizeof(salt), &salt_len,
                                &end)
           != CORR_OK
        || salt_len != sizeof(salt)
        || *end != '$'
        || corr_password_decode(end + 1, hash, sizeof(hash), &hash_len, &end)
           != CORR_OK
        || hash_len != sizeof(hash)
        || *end != '\0'
        || memory > SIZE_MAX / 1024)
    {
        return CORR_ERROR;
    }

    if (crypto_pwhash(made, sizeof(made), (char *) text.data, text.len, salt,
                      passes, memory * 1024, crypto_pwhash_ALG_ARGON2ID13)
        != 0)
    {
        return CORR_ERROR;
    }

    rc = sodium_memcmp(made, hash, sizeof(hash)) == 0 ? CORR_OK
                                                      : CORR_INVALID;

    sodium_memzero(made, sizeof(made));

    return rc;
}


static int
corr_password_decode(const char *text, unsigned char *out, size_t size,
    size_t *len, const char **end)
{
    return sodium_base642bin(out, size, text, strlen(text), NULL, len, end,
                             sodium_base64_VARIANT_ORIGINAL_NO_PADDING)
           == 0 ? CORR_OK : CORR_ERROR;
}


int
corr_password_test(const corr_passwords_t *passwords, corr_str_t text,
    corr_str_t stored, int *rehash)
{
    int          rc;
    char         hash[CORR_PASSWORD_HASH];
    const char  *known;

    if (rehash != NULL) {
        *rehash = 0;
    }

    known = passwords->nobody;

    if (stored.len && stored.len < sizeof(hash)) {
        memcpy(hash, stored.data, stored.len);
        hash[stored.len] = '\0';
        known = hash;
    }

    rc = corr_password_matches(known, text);

    if (rc != CORR_OK) {
        return rc;
    }

    if (known == passwords->nobody) {
        return CORR_INVALID;
    }

    if (rehash != NULL) {
        *rehash = crypto_pwhash_str_needs_rehash(hash, passwords->conf.passes,
                                                 passwords->conf.memory)
                  != 0;
    }

    return CORR_OK;
}
