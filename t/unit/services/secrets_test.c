/* The key file and what is made with it. */

#include "tap.h"
#include "services/secrets.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>


static char  dir[] = "/tmp/corr-secrets-XXXXXX";


static const char *
file(const char *name, const void *data, size_t len, int mode)
{
    FILE         *f;
    static char   path[4][64];
    static int    slot;

    char  *p = path[slot++ % 4];

    sprintf(p, "%s/%s", dir, name);

    f = fopen(p, "w");
    fwrite(data, 1, len, f);
    fclose(f);
    chmod(p, (mode_t) mode);

    return p;
}


static corr_secrets_t *
load(const char *one, const char *two)
{
    char             error[CORR_SERVICE_ERROR];
    const char      *paths[2];
    corr_secrets_t  *s;

    paths[0] = one;
    paths[1] = two;

    s = corr_secrets_load(paths, two ? 2 : 1, error);

    ok((s == NULL) == (error[0] != '\0'), "a reason when and only when it "
       "fails: %s", error);

    return s;
}


static void
loading(void)
{
    const char      *p;
    unsigned char    raw[64], mac[2][CORR_SECRETS_MAC];
    corr_str_t       part = corr_str("x");
    corr_secrets_t  *s;

    memset(raw, 0xa7, sizeof(raw));

    ok(load(file("short", raw, 31, 0600), NULL) == NULL, "31 bytes");
    ok(load(file("empty", raw, 0, 0600), NULL) == NULL, "no bytes");
    ok(load(file("open", raw, 32, 0644), NULL) == NULL, "world-readable");
    ok(load(file("group", raw, 32, 0660), NULL) == NULL, "group-writable");
    ok(load(dir, NULL) == NULL, "a directory");
    ok(load("/nonexistent/key", NULL) == NULL, "no file");

    s = load(file("raw", raw, 32, 0640), NULL);
    ok(s != NULL, "32 raw bytes, mode 0640");
    corr_secrets_mac(s, CORR_KEY_FORM, &part, 1, mac[0]);
    corr_secrets_free(s);

    /* the same 32 bytes, by coreutils' base64 */

    p = "p6enp6enp6enp6enp6enp6enp6enp6enp6enp6enp6c=\n";
    s = load(file("base64", p, strlen(p), 0400), NULL);
    ok(s != NULL, "base64 with a line end, mode 0400");
    corr_secrets_mac(s, CORR_KEY_FORM, &part, 1, mac[1]);
    corr_secrets_free(s);

    ok(memcmp(mac[0], mac[1], sizeof(mac[0])) == 0, "is the same key");

    p = "c2hvcnQ=\n";
    ok(load(file("short64", p, strlen(p), 0400), NULL) == NULL,
       "base64 of too little");
}


static void
macs(corr_secrets_t *s, corr_secrets_t *fresh, corr_secrets_t *rotated)
{
    unsigned char  one[CORR_SECRETS_MAC], two[CORR_SECRETS_MAC];
    corr_str_t     a[2], b[2], mac;

    a[0] = CORR_STR("ab");
    a[1] = CORR_STR("c");
    b[0] = CORR_STR("a");
    b[1] = CORR_STR("bc");

    corr_secrets_mac(s, CORR_KEY_FORM, a, 2, one);
    corr_secrets_mac(s, CORR_KEY_FORM, b, 2, two);
    ok(memcmp(one, two, sizeof(one)) != 0, "parts are kept apart");

    corr_secrets_mac(s, CORR_KEY_CODE, a, 2, two);
    ok(memcmp(one, two, sizeof(one)) != 0, "so are purposes");

    mac = corr_make_str(one, sizeof(one));

    ok(corr_secrets_mac_check(s, CORR_KEY_FORM, a, 2, mac), "right");
    ok(!corr_secrets_mac_check(s, CORR_KEY_FORM, b, 2, mac), "other parts");
    ok(!corr_secrets_mac_check(s, CORR_KEY_CODE, a, 2, mac), "other purpose");
    ok(!corr_secrets_mac_check(fresh, CORR_KEY_FORM, a, 2, mac),
       "other file");
    ok(corr_secrets_mac_check(rotated, CORR_KEY_FORM, a, 2, mac),
       "an old file still verifies");

    mac.len--;
    ok(!corr_secrets_mac_check(s, CORR_KEY_FORM, a, 2, mac), "cut");

    corr_secrets_mac(rotated, CORR_KEY_FORM, a, 2, one);
    corr_secrets_mac(fresh, CORR_KEY_FORM, a, 2, two);
    ok(memcmp(one, two, sizeof(one)) == 0, "the first file makes");

    corr_secrets_mac_of(rotated, 1, CORR_KEY_FORM, a, 2, one);
    corr_secrets_mac(s, CORR_KEY_FORM, a, 2, two);
    ok(memcmp(one, two, sizeof(one)) == 0, "another one when asked");

    corr_secrets_name(a, 2, one);
    corr_secrets_name(b, 2, two);
    ok(memcmp(one, two, sizeof(one)) != 0, "a name keeps parts apart, too");
    corr_secrets_name(a, 2, two);
    ok(memcmp(one, two, sizeof(one)) == 0, "and is always the same");
}


static void
encryption(corr_secrets_t *s, corr_secrets_t *fresh, corr_secrets_t *rotated)
{
    int            refused;
    size_t         i, n, len;
    corr_str_t     plain = corr_str("123456"), bound = corr_str("17");
    unsigned char  sealed[6 + CORR_SECRETS_OVERHEAD], again[sizeof(sealed)];
    unsigned char  out[sizeof(sealed)];

    n = corr_secrets_encrypt(s, CORR_KEY_MESSAGE, bound, plain, sealed);
    is_int((long long) n, (long long) sizeof(sealed), "as long as it says");

    is_int(corr_secrets_decrypt(s, CORR_KEY_MESSAGE, bound,
                                exact(0, corr_make_str(sealed, n)), out,
                                &len), CORR_OK, "opens");
    is_str(corr_make_str(out, len), plain, "to what it was");

    corr_secrets_encrypt(s, CORR_KEY_MESSAGE, bound, plain, again);
    ok(memcmp(sealed, again, n) != 0, "never the same twice");

    is_int(corr_secrets_decrypt(s, CORR_KEY_MESSAGE, CORR_STR("18"),
                                corr_make_str(sealed, n), out, &len),
           CORR_INVALID, "not in another row");
    is_int(corr_secrets_decrypt(s, CORR_KEY_TOTP, bound,
                                corr_make_str(sealed, n), out, &len),
           CORR_INVALID, "not for another purpose");
    is_int(corr_secrets_decrypt(fresh, CORR_KEY_MESSAGE, bound,
                                corr_make_str(sealed, n), out, &len),
           CORR_INVALID, "not with another file");
    ok(!corr_secrets_sealed_old(s, CORR_KEY_MESSAGE,
                                corr_make_str(sealed, n)),
       "sealed with the current file");
    ok(corr_secrets_sealed_old(rotated, CORR_KEY_MESSAGE,
                               corr_make_str(sealed, n)),
       "or with an old one");
    is_int(corr_secrets_decrypt(rotated, CORR_KEY_MESSAGE, bound,
                                corr_make_str(sealed, n), out, &len),
           CORR_OK, "with an old one");

    refused = 0;

    for (i = 0; i < n; i++) {
        sealed[i] ^= 1;
        refused += corr_secrets_decrypt(s, CORR_KEY_MESSAGE, bound,
                                        corr_make_str(sealed, n), out, &len)
                   == CORR_INVALID;
        sealed[i] ^= 1;
    }

    is_int(refused, (long long) n, "a bit changed anywhere is seen");

    refused = 0;

    for (i = 0; i < n; i++) {
        refused += corr_secrets_decrypt(s, CORR_KEY_MESSAGE, bound,
                                        exact(0, corr_make_str(sealed, i)),
                                        out, &len)
                   == CORR_INVALID;
    }

    is_int(refused, (long long) n, "and any cut");

    n = corr_secrets_encrypt(s, CORR_KEY_MESSAGE, CORR_STR(""), CORR_STR(""),
                             sealed);
    is_int(corr_secrets_decrypt(s, CORR_KEY_MESSAGE, CORR_STR(""),
                                corr_make_str(sealed, n), out, &len),
           CORR_OK, "nothing, bound to nothing");
    is_int((long long) len, 0, "stays nothing");
}


static void
randomness(void)
{
    int            i, j, count[10], bad, same;
    double         chi, d;
    unsigned char  digits[100], t[2][CORR_SECRETS_TOKEN];

    static const char  letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "abcdefghijklmnopqrstuvwxyz0123456789-_";

    memset(count, 0, sizeof(count));

    for (i = 0; i < 2000; i++) {
        corr_secrets_digits(digits, sizeof(digits));

        for (j = 0; j < 100; j++) {
            count[digits[j] - '0']++;
        }
    }

    chi = 0;

    for (i = 0; i < 10; i++) {
        d = count[i] - 20000;
        chi += d * d / 20000;
    }

    /* nine degrees of freedom: above 40 once in 100,000 runs */

    ok(chi < 40, "every digit as often (chi square %.1f)", chi);

    bad = 0;
    same = 0;

    for (i = 0; i < 1000; i++) {
        corr_secrets_token(NULL, t[i & 1]);
        same += i && memcmp(t[0], t[1], CORR_SECRETS_TOKEN) == 0;

        for (j = 0; j < CORR_SECRETS_TOKEN; j++) {
            bad += strchr(letters, t[i & 1][j]) == NULL || !t[i & 1][j];
        }
    }

    ok(bad == 0 && same == 0, "tokens are base64url, none twice in a row");
}


/* 48 bytes at a time, so that some are of two buffers. */

static void
drawn(void)
{
    int                  i, j, same, stays;
    static corr_drawn_t  pool;
    unsigned char        t[100][48], token[2][CORR_SECRETS_TOKEN];

    same = 0;
    stays = 0;

    for (i = 0; i < 100; i++) {
        corr_secrets_draw(&pool, t[i], sizeof(t[i]));

        for (j = 0; j < (int) (sizeof(pool.bytes) - pool.left); j++) {
            stays += pool.bytes[j] != 0;
        }

        for (j = 0; j < i; j++) {
            same += memcmp(t[i], t[j], 8) == 0
                    || memcmp(t[i] + 40, t[j] + 40, 8) == 0;
        }
    }

    ok(same == 0, "nothing is drawn twice");
    ok(stays == 0, "nothing that was drawn stays");
    ok(pool.left == (5 * sizeof(pool.bytes) - sizeof(t)) % sizeof(pool.bytes),
       "nothing is thrown away");

    corr_secrets_token(&pool, token[0]);
    corr_secrets_token(&pool, token[1]);
    ok(memcmp(token[0], token[1], CORR_SECRETS_TOKEN) != 0,
       "a token may be drawn");
}


static void
derived(corr_secrets_t *s, corr_secrets_t *fresh, corr_secrets_t *rotated)
{
    int            i, j, count[10];
    char           code[16];
    double         chi, d;
    corr_str_t     part;
    unsigned char  a[12], b[12];

    memset(count, 0, sizeof(count));

    for (i = 0; i < 20000; i++) {
        part = corr_make_str(code, (size_t) sprintf(code, "%d", i));
        corr_secrets_derive_digits(s, 0, CORR_KEY_CAPTCHA, &part, 1, a, 10);

        for (j = 0; j < 10; j++) {
            count[a[j] - '0']++;
        }
    }

    chi = 0;

    for (i = 0; i < 10; i++) {
        d = count[i] - 20000;
        chi += d * d / 20000;
    }

    ok(chi < 40, "derived digits too (chi square %.1f)", chi);

    part = CORR_STR("0012345679");
    corr_secrets_derive_digits(s, 0, CORR_KEY_CAPTCHA, &part, 1, a, 12);
    corr_secrets_derive_digits(s, 0, CORR_KEY_CAPTCHA, &part, 1, b, 12);
    ok(memcmp(a, b, 12) == 0, "the same each time");

    corr_secrets_derive_digits(fresh, 0, CORR_KEY_CAPTCHA, &part, 1, b, 12);
    ok(memcmp(a, b, 12) != 0, "but not with another file");

    corr_secrets_derive_digits(rotated, 1, CORR_KEY_CAPTCHA, &part, 1, b, 12);
    ok(memcmp(a, b, 12) == 0, "the old file still gives them");
}


static void
seals(corr_secrets_t *s, corr_secrets_t *fresh, corr_secrets_t *rotated)
{
    size_t         i;
    corr_str_t     part = corr_str("40312345"), other = corr_str("40312346");
    corr_str_t     seal;
    unsigned char  text[CORR_SECRETS_SEAL], typed[CORR_SECRETS_SEAL];

    corr_secrets_seal(s, &part, 1, text);
    seal = corr_make_str(text, sizeof(text));

    ok(corr_secrets_seal_check(s, &part, 1, seal), "a seal holds");
    ok(!corr_secrets_seal_check(s, &other, 1, seal), "for its own code");
    ok(!corr_secrets_seal_check(fresh, &part, 1, seal), "and its own file");
    ok(corr_secrets_seal_check(rotated, &part, 1, seal), "or an old one");

    for (i = 0; i < sizeof(text); i++) {
        typed[i] = text[i] == '0' ? 'O' : text[i] == '1' ? 'L'
                   : text[i] >= 'a' ? (unsigned char) (text[i] - 32)
                   : text[i];
    }

    ok(corr_secrets_seal_check(s, &part, 1,
                               corr_make_str(typed, sizeof(typed))),
       "as people copy it");

    text[3] = text[3] == 'x' ? 'y' : 'x';
    ok(!corr_secrets_seal_check(s, &part, 1, seal), "a character changed");
}


int
main(void)
{
    unsigned char    raw[64];
    const char      *one, *two;
    corr_secrets_t  *s, *fresh, *rotated;

    if (mkdtemp(dir) == NULL) {
        return 1;
    }

    loading();

    memset(raw, 1, sizeof(raw));
    one = file("one", raw, 32, 0600);
    memset(raw, 2, sizeof(raw));
    two = file("two", raw, 64, 0600);

    s = load(one, NULL);
    fresh = load(two, NULL);
    rotated = load(two, one);

    is_int((long long) corr_secrets_count(rotated), 2, "two files");

    macs(s, fresh, rotated);
    encryption(s, fresh, rotated);
    randomness();
    drawn();
    derived(s, fresh, rotated);
    seals(s, fresh, rotated);

    ok(corr_secrets_equal(CORR_STR("abc"), CORR_STR("abc"))
       && !corr_secrets_equal(CORR_STR("abc"), CORR_STR("abd"))
       && !corr_secrets_equal(CORR_STR("abc"), CORR_STR("ab"))
       && corr_secrets_equal(CORR_STR(""), CORR_STR("")), "equal is equal");

    corr_secrets_free(s);
    corr_secrets_free(fresh);
    corr_secrets_free(rotated);

    if (system("rm -rf /tmp/corr-secrets-??????") != 0) {
        return 1;
    }

    return tap_done();
}
