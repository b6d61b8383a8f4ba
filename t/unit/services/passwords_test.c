/* Passwords: what is accepted, and argon2id. */

#include "tap.h"
#include "services/passwords.h"

#include <string.h>
#include <time.h>
#include <unistd.h>


static corr_passwords_t *
load(size_t min, size_t memory, unsigned passes, const char *common)
{
    char                   error[CORR_SERVICE_ERROR];
    corr_passwords_t      *p;
    corr_passwords_conf_t  conf = { min, memory, passes, common };

    p = corr_passwords_load(&conf, error);

    if ((p == NULL) != (error[0] != '\0')) {
        ok(0, "a reason when and only when it fails");
    }

    return p;
}


static void
verdicts(const corr_passwords_t *p)
{
    int     i;
    size_t  j;
    char    name[64];

    static const struct {
        const char               *text;
        corr_password_verdict_e   verdict;
    } v[] = {
        { "", CORR_PASSWORD_EMPTY },
        { "x7#kQ2!", CORR_PASSWORD_SHORT },
        { "x7#kQ2!m", CORR_PASSWORD_OK },
        { "password", CORR_PASSWORD_COMMON },
        { "PassWord", CORR_PASSWORD_COMMON },
        { "trustno1", CORR_PASSWORD_COMMON },
        { "aaaaaaaaaaaa", CORR_PASSWORD_COMMON },
        { "xyxyxyxyxyxy", CORR_PASSWORD_COMMON },
        { "q7zQ7zq7zq7z", CORR_PASSWORD_COMMON },
        { "23456789", CORR_PASSWORD_COMMON },
        { "hgfedcba", CORR_PASSWORD_COMMON },
        /* 12345678 in Persian digits */
        { "\xdb\xb1\xdb\xb2\xdb\xb3\xdb\xb4\xdb\xb5\xdb\xb6\xdb\xb7\xdb\xb8",
          CORR_PASSWORD_COMMON },
        /* eight Persian letters, sixteen bytes; and seven of them */
        { "\xd8\xb3\xd9\x84\xd8\xa7\xd9\x85\xd8\xac\xd9\x87\xd8\xa7\xd9\x86",
          CORR_PASSWORD_OK },
        { "\xd8\xb3\xd9\x84\xd8\xa7\xd9\x85\xd8\xac\xd9\x87\xd8\xa7",
          CORR_PASSWORD_SHORT },
        { "correct horse battery staple", CORR_PASSWORD_OK },
        { " leading and trailing ", CORR_PASSWORD_OK },
        { "0012345679", CORR_PASSWORD_PERSONAL },
        { "0012345679ali", CORR_PASSWORD_PERSONAL },
        { "\xdb\xb0\xdb\xb0\xdb\xb1\xdb\xb2\xdb\xb3\xdb\xb4\xdb\xb5\xdb\xb6"
          "\xdb\xb7\xdb\xb9" "abc", CORR_PASSWORD_PERSONAL },
        { "9121234567", CORR_PASSWORD_PERSONAL },
        { "Mohammadi!", CORR_PASSWORD_PERSONAL },
        { "mohammadi-0912123456", CORR_PASSWORD_OK },
        { "tree of mohammadi", CORR_PASSWORD_OK },
        { "with\nnewline", CORR_PASSWORD_ENCODING },
        { "not utf-8 \xff", CORR_PASSWORD_ENCODING }
    };

    corr_str_t  words[4] = {
        corr_str("0012345679"), corr_str("09121234567"),
        corr_str("mohammadi"), corr_str("ali")
    };

    for (j = 0; j < sizeof(v) / sizeof(v[0]); j++) {
        sprintf(name, "verdict %zu: %s", j,
                corr_password_message(v[j].verdict));
        is_int(corr_password_check(p, exact(0, corr_cstr(v[j].text)), words,
                                   4), v[j].verdict, name);
    }

    {
        char  text[600];

        for (i = 0; i < 600; i++) {
            text[i] = (char) ('!' + i * 7 % 90);
        }

        is_int(corr_password_check(p, corr_make_str(text, 128), NULL, 0),
               CORR_PASSWORD_OK, "128 characters");
        is_int(corr_password_check(p, corr_make_str(text, 129), NULL, 0),
               CORR_PASSWORD_LONG, "129 characters");
        is_int(corr_password_check(p, corr_make_str(text, 600), NULL, 0),
               CORR_PASSWORD_LONG, "600 characters");
    }
}


static double
seconds(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);

    return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}


static void
argon2(const corr_passwords_t *p)
{
    int                i, rehash;
    char               hash[CORR_PASSWORD_HASH], again[CORR_PASSWORD_HASH];
    double             at, known, unknown;
    corr_str_t         text = corr_str("\xd8\xb1\xd9\x85\xd8\xb2 Abc1 ");
    corr_passwords_t  *dearer;

    is_int(corr_password_make(p, text, hash), CORR_OK, "a hash");
    ok(strncmp(hash, "$argon2id$v=19$m=7168,t=5,p=1$", 30) == 0,
       "with the parameters asked for: %.30s", hash);

    corr_password_make(p, text, again);
    ok(strcmp(hash, again) != 0, "salted");

    is_int(corr_password_test(p, text, corr_cstr(hash), &rehash), CORR_OK,
           "right");
    is_int(rehash, 0, "of today's cost");

    is_int(corr_password_test(p, corr_make_str(text.data, text.len - 1),
                              corr_cstr(hash), NULL), CORR_INVALID,
           "a blank less is another password");
    is_int(corr_password_test(p, CORR_STR(""), corr_cstr(hash), NULL),
           CORR_INVALID, "nothing is wrong");
    is_int(corr_password_test(p, text, CORR_STR("$argon2id$broken"), NULL),
           CORR_ERROR, "a broken hash is a fault, not a wrong password");

    /* by the reference implementation's program:
       printf password | argon2 somesaltsomesalt -id -t 2 -m 16 -p 1 -e */

    is_int(corr_password_test(p, CORR_STR("password"),
               CORR_STR("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHRzb21lc2F"
                        "sdA$/DO3gTkjHTS3Fia9YkXB1y76GQrWBcPYFmpyrc7fosI"),
               &rehash), CORR_OK, "the reference implementation's hash");
    is_int(rehash, 1, "whose cost is another");

    dearer = load(8, 24 * 1024 * 1024, 2, NULL);
    is_int(corr_password_test(dearer, text, corr_cstr(hash), &rehash),
           CORR_OK, "right under a new setting");
    is_int(rehash, 1, "and due for a new hash");
    corr_passwords_free(dearer);

    known = 0;
    unknown = 0;

    for (i = 0; i < 5; i++) {
        at = seconds();
        corr_password_test(p, CORR_STR("wrong"), corr_cstr(hash), NULL);
        known += seconds() - at;

        at = seconds();
        is_int(corr_password_test(p, CORR_STR("wrong"), CORR_STR(""), NULL),
               CORR_INVALID, "nobody is never right");
        unknown += seconds() - at;
    }

    ok(unknown > known * 0.7 && unknown < known * 1.4,
       "and takes as long (%.1f ms, %.1f ms)", known * 200, unknown * 200);
}


/* Each pair is enough; less of either, and it is none. */

static void
costs(void)
{
    size_t             i;
    corr_passwords_t  *p;

    static const struct {
        size_t    mib;
        unsigned  passes;
    } v[] = { { 7, 5 }, { 9, 4 }, { 12, 3 }, { 19, 2 }, { 46, 1 } };

    for (i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
        p = load(8, v[i].mib << 20, v[i].passes, NULL);
        ok(p != NULL, "%zu MiB and %u passes", v[i].mib, v[i].passes);
        corr_passwords_free(p);

        ok(load(8, (v[i].mib << 20) - 1, v[i].passes, NULL) == NULL
           && load(8, v[i].mib << 20, v[i].passes - 1, NULL) == NULL,
           "and no less");
    }

    p = load(8, 64 << 20, 3, NULL);
    ok(p != NULL, "more of both");
    corr_passwords_free(p);
}


int
main(void)
{
    corr_passwords_t  *p;

    ok(load(7, 7 << 20, 5, NULL) == NULL, "seven is too short");
    ok(load(8, 7 << 20, 5, "/nonexistent") == NULL, "no list");
    costs();

    p = load(8, 7 << 20, 5, "html/passwords.txt");

    if (!ok(p != NULL, "the list that comes with the portal")) {
        return tap_done();
    }

    verdicts(p);
    argon2(p);

    corr_passwords_free(p);

    return tap_done();
}
