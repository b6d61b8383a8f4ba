#include "codes.h"
#include "relay.h"


static void corr_code_mac(const corr_secrets_t *secrets, size_t file,
    const char *purpose, corr_str_t browser, corr_str_t digits,
    unsigned char mac[CORR_SECRETS_MAC]);


int
corr_code_make(const corr_alloc_t *a, const corr_secrets_t *secrets,
    const char *purpose, corr_str_t browser, corr_code_t *code)
{
    unsigned char   digits[CORR_CODE_DIGITS];

    corr_secrets_digits(digits, CORR_CODE_DIGITS);

    code->hash.data = corr_alloc(a, CORR_SECRETS_MAC);
    code->secret.data = corr_alloc(a, CORR_RELAY_SECRET_MAX);

    if (code->hash.data == NULL || code->secret.data == NULL) {
        corr_secrets_wipe(digits, sizeof(digits));
        return CORR_ERROR;
    }

    corr_code_mac(secrets, 0, purpose, browser,
                  corr_make_str(digits, CORR_CODE_DIGITS), code->hash.data);
    code->hash.len = CORR_SECRETS_MAC;

    code->secret.len = corr_relay_seal_code(secrets,
                                            corr_make_str(digits,
                                                          CORR_CODE_DIGITS),
                                            code->secret.data);

    corr_secrets_wipe(digits, sizeof(digits));

    return CORR_OK;
}


int
corr_code_hashes(const corr_alloc_t *a, const corr_secrets_t *secrets,
    const char *purpose, corr_str_t browser, corr_str_t digits,
    corr_str_t *hashes)
{
    size_t  i, n;

    n = corr_secrets_count(secrets);

    hashes->len = n * CORR_SECRETS_MAC;
    hashes->data = corr_alloc(a, hashes->len);

    if (hashes->data == NULL) {
        return CORR_ERROR;
    }

    for (i = 0; i < n; i++) {
        corr_code_mac(secrets, i, purpose, browser, digits,
                      hashes->data + i * CORR_SECRETS_MAC);
    }

    return CORR_OK;
}


static void
corr_code_mac(const corr_secrets_t *secrets, size_t file,
    const char *purpose, corr_str_t browser, corr_str_t digits,
    unsigned char mac[CORR_SECRETS_MAC])
{
    corr_str_t  parts[3];

    parts[0] = corr_cstr(purpose);
    parts[1] = browser;
    parts[2] = digits;

    corr_secrets_mac_of(secrets, file, CORR_KEY_CODE, parts, 3, mac);
}
