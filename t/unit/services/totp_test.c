/* TOTP against the vectors of RFC 4226, RFC 6238 and RFC 4648. */

#include "tap.h"
#include "services/totp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>


static const corr_str_t  rfc_secret = corr_str("12345678901234567890");


static void
hotp(void)
{
    int            i;
    unsigned char  code[6];

    /* RFC 4226, appendix D */

    static const char  *codes[] = {
        "755224", "287082", "359152", "969429", "338314",
        "254676", "287922", "162583", "399871", "520489"
    };

    for (i = 0; i < 10; i++) {
        corr_totp_code(rfc_secret, (uint64_t) i, code);
        is_text(corr_make_str(code, 6), codes[i], "RFC 4226 appendix D");
    }
}


static void
totp(void)
{
    size_t         i;
    unsigned char  code[6];

    /* RFC 6238, appendix B, SHA-1; the last six of its eight digits */

    static const struct {
        uint64_t     at;
        const char  *code;
    } v[] = {
        { 59, "94287082" }, { 1111111109, "07081804" },
        { 1111111111, "14050471" }, { 1234567890, "89005924" },
        { 2000000000, "69279037" }, { 20000000000ULL, "65353130" }
    };

    for (i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
        corr_totp_code(rfc_secret, v[i].at / 30, code);
        is_text(corr_make_str(code, 6), v[i].code + 2,
                "RFC 6238 appendix B");
    }
}


static void
window(void)
{
    int64_t  step;

    /* 07081804 is of the step 37037036, which begins at 1111111080 */

    static const struct {
        int64_t  now;
        int      rc;
    } v[] = {
        { 1111111049, CORR_INVALID }, { 1111111050, CORR_OK },
        { 1111111080, CORR_OK }, { 1111111139, CORR_OK },
        { 1111111140, CORR_INVALID }, { 0, CORR_INVALID },
        { -1, CORR_INVALID }
    };

    size_t  i;

    for (i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
        step = 0;

        is_int(corr_totp_check(rfc_secret, v[i].now, CORR_STR("081804"),
                               &step),
               v[i].rc, "one step to either side, no more");

        if (v[i].rc == CORR_OK) {
            is_int(step, 37037036, "and says which step it was");
        }
    }

    is_int(corr_totp_check(rfc_secret, 1111111109, CORR_STR("07081804"),
                           &step), CORR_INVALID, "eight digits are not six");
    is_int(corr_totp_check(rfc_secret, 1111111109, CORR_STR(""), &step),
           CORR_INVALID, "nothing is not a code");
    is_int(corr_totp_check(rfc_secret, 1111111109, CORR_STR("081805"),
                           &step), CORR_INVALID, "a wrong digit");
}


static void
base32(void)
{
    int            rc;
    size_t         i, n;
    unsigned char  out[64];

    /* RFC 4648, section 10, without padding */

    static const char  *v[][2] = {
        { "", "" }, { "f", "MY" }, { "fo", "MZXQ" }, { "foo", "MZXW6" },
        { "foob", "MZXW6YQ" }, { "fooba", "MZXW6YTB" },
        { "foobar", "MZXW6YTBOI" }
    };

    for (i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
        n = corr_totp_base32((unsigned char *) v[i][0], strlen(v[i][0]), out);
        is_text(corr_make_str(out, n), v[i][1], "RFC 4648 section 10");

        rc = corr_totp_base32_decode(exact(0, corr_cstr(v[i][1])), out, &n);
        ok(rc == CORR_OK && n == strlen(v[i][0])
           && memcmp(out, v[i][0], n) == 0, "and back");
    }

    rc = corr_totp_base32_decode(CORR_STR("mzxw 6ytb-oi======"), out, &n);
    ok(rc == CORR_OK && n == 6 && memcmp(out, "foobar", 6) == 0,
       "small letters, blanks, dashes, padding");

    is_int(corr_totp_base32_decode(CORR_STR("MZXW1"), out, &n), CORR_INVALID,
           "1 is not in the alphabet");
    is_int(corr_totp_base32_decode(CORR_STR("M"), out, &n), CORR_INVALID,
           "one character is no byte");
    is_int(corr_totp_base32_decode(CORR_STR("MZ"), out, &n), CORR_INVALID,
           "stray bits");
}


static void
uri(void)
{
    corr_str_t  u;

    u = corr_totp_uri(tap_alloc(), CORR_STR("\xd8\xaf a"), CORR_STR("ali&b"),
                      CORR_STR("foobar"));

    is_text(u, "otpauth://totp/%D8%AF%20a:ali%26b?secret=MZXW6YTBOI"
            "&issuer=%D8%AF%20a&algorithm=SHA1&digits=6&period=30",
            "the address for the QR code");
}


static void
reseal(void)
{
    int              i;
    char             error[CORR_SERVICE_ERROR], dir[] = "/tmp/corr-totp-XXXXXX";
    char             path[2][64];
    FILE            *f;
    corr_str_t       name, text;
    const char      *paths[2];
    unsigned char    secret[CORR_TOTP_SECRET], out[CORR_TOTP_SECRET];
    unsigned char    sealed[CORR_TOTP_SEALED], anew[CORR_TOTP_SEALED];
    corr_secrets_t  *old, *new, *both;

    if (mkdtemp(dir) == NULL) {
        exit(1);
    }

    for (i = 0; i < 2; i++) {
        sprintf(path[i], "%s/%d", dir, i);
        f = fopen(path[i], "w");
        fchmod(fileno(f), 0600);
        fprintf(f, "%064d", i);
        fclose(f);
    }

    paths[0] = path[1];
    paths[1] = path[0];

    old = corr_secrets_load(&paths[1], 1, error);
    new = corr_secrets_load(&paths[0], 1, error);
    both = corr_secrets_load(paths, 2, error);

    name = CORR_STR("ali");
    text = corr_make_str(sealed, sizeof(sealed));
    corr_totp_secret(secret);
    corr_totp_seal(old, name, secret, sealed);

    is_int(corr_totp_reseal(old, name, text, anew), 0, "the current file's");
    is_int(corr_totp_reseal(new, name, text, anew), 0, "one not loaded");
    is_int(corr_totp_reseal(both, CORR_STR("sara"), text, anew), 0,
           "another's");
    is_int(corr_totp_reseal(both, name, text, anew), 1, "an old file's");

    text = corr_make_str(anew, sizeof(anew));
    is_int(corr_totp_open(new, name, text, out), CORR_OK,
           "no longer needs it");
    ok(memcmp(out, secret, sizeof(out)) == 0, "and is the same");

    corr_secrets_free(old);
    corr_secrets_free(new);
    corr_secrets_free(both);

    for (i = 0; i < 2; i++) {
        remove(path[i]);
    }

    remove(dir);
}


int
main(void)
{
    hotp();
    totp();
    window();
    base32();
    uri();
    reseal();

    return tap_done();
}
