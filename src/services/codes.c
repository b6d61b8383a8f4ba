#include "codes.h"
#include "relay.h"


int
corr_code_make(const corr_alloc_t *a, const corr_secrets_t *secrets,
    const char *purpose, corr_str_t browser, corr_code_t *code)
{
    int             rc;
    unsigned char   digits[CORR_CODE_DIGITS];

    corr_secrets_digits(digits, CORR_CODE_DIGITS);

    rc = corr_code_hash(a, secrets, purpose, browser,
                        corr_make_str(digits, CORR_CODE_DIGITS),
                        &code->hash);

    code->secret.data = corr_alloc(a, CORR_RELAY_SECRET_MAX);

    if (rc != CORR_OK || code->secret.data == NULL) {
        corr_secrets_wipe(digits, sizeof(digits));
        return CORR_ERROR;
    }

    code->secret.len = corr_relay_seal_code(secrets,
                                            corr_make_str(digits,
                                                          CORR_CODE_DIGITS),
                                            code->secret.data);

    corr_secrets_wipe(digits, sizeof(digits));

    return CORR_OK;
}


int
corr_code_hash(const corr_alloc_t *a, const corr_secrets_t *secrets,
    const char *purpose, corr_str_t browser, corr_str_t digits,
    corr_str_t *hash)
{
    corr_str_t  parts[3];

    hash->data = corr_alloc(a, CORR_SECRETS_MAC);
    if (hash->data == NULL) {
        return CORR_ERROR;
    }

    parts[0] = corr_cstr(purpose);
    parts[1] = browser;
    parts[2] = digits;

    corr_secrets_mac(secrets, CORR_KEY_CODE, parts, 3, hash->data);
    hash->len = CORR_SECRETS_MAC;

    return CORR_OK;
}
