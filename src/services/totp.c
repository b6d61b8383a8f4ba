/*
 * Time-based codes: RFC 4226 and RFC 6238 on OpenSSL's HMAC.
 */

#include "totp.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>


static const char  corr_base32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";


static int corr_base32_value(unsigned char c);
static size_t corr_totp_escape(corr_str_t text, unsigned char *out);


void
corr_totp_secret(unsigned char secret[CORR_TOTP_SECRET])
{
    corr_secrets_random(secret, CORR_TOTP_SECRET);
}


void
corr_totp_seal(const corr_secrets_t *secrets, corr_str_t username,
    const unsigned char secret[CORR_TOTP_SECRET],
    unsigned char sealed[CORR_TOTP_SEALED])
{
    (void) corr_secrets_encrypt(secrets, CORR_KEY_TOTP, username,
                                corr_make_str(secret, CORR_TOTP_SECRET),
                                sealed);
}


int
corr_totp_open(const corr_secrets_t *secrets, corr_str_t username,
    corr_str_t sealed, unsigned char secret[CORR_TOTP_SECRET])
{
    size_t  len;

    if (sealed.len != CORR_TOTP_SEALED) {
        return CORR_INVALID;
    }

    return corr_secrets_decrypt(secrets, CORR_KEY_TOTP, username, sealed,
                                secret, &len);
}


int
corr_totp_reseal(const corr_secrets_t *secrets, corr_str_t username,
    corr_str_t sealed, unsigned char anew[CORR_TOTP_SEALED])
{
    unsigned char  secret[CORR_TOTP_SECRET];

    if (!corr_secrets_sealed_old(secrets, CORR_KEY_TOTP, sealed)
        || corr_totp_open(secrets, username, sealed, secret) != CORR_OK)
    {
        return 0;
    }

    corr_totp_seal(secrets, username, secret, anew);
    corr_secrets_wipe(secret, sizeof(secret));

    return 1;
}


void
corr_totp_code(corr_str_t secret, uint64_t step,
    unsigned char code[CORR_TOTP_DIGITS])
{
    int            i;
    uint32_t       n;
    unsigned int   len;
    unsigned char  counter[8], mac[EVP_MAX_MD_SIZE];

    for (i = 7; i >= 0; i--) {
        counter[i] = (unsigned char) step;
        step >>= 8;
    }

    len = sizeof(mac);

    if (HMAC(EVP_sha1(), secret.data, (int) secret.len, counter,
             sizeof(counter), mac, &len) == NULL)
    {
        /* without memory nothing may match: no code has letters */

        memset(code, '-', CORR_TOTP_DIGITS);
        return;
    }

    /* RFC 4226 5.3: dynamic truncation */

    i = mac[len - 1] & 15;

    n = ((uint32_t) (mac[i] & 0x7f) << 24) | ((uint32_t) mac[i + 1] << 16)
        | ((uint32_t) mac[i + 2] << 8) | mac[i + 3];

    for (i = CORR_TOTP_DIGITS - 1; i >= 0; i--) {
        code[i] = (unsigned char) ('0' + n % 10);
        n /= 10;
    }

    corr_secrets_wipe(mac, sizeof(mac));
}


int
corr_totp_check(corr_str_t secret, int64_t now, corr_str_t code,
    int64_t *step)
{
    int            found;
    int64_t        s, matched;
    unsigned char  made[CORR_TOTP_DIGITS];

    if (code.len != CORR_TOTP_DIGITS || now < CORR_TOTP_PERIOD) {
        return CORR_INVALID;
    }

    found = 0;
    matched = 0;

    /* all three, whichever it is; the latest one wins */

    for (s = now / CORR_TOTP_PERIOD - 1; s <= now / CORR_TOTP_PERIOD + 1; s++)
    {
        corr_totp_code(secret, (uint64_t) s, made);

        if (made[0] != '-'
            && corr_secrets_equal(corr_make_str(made, sizeof(made)), code))
        {
            found = 1;
            matched = s;
        }
    }

    corr_secrets_wipe(made, sizeof(made));

    if (!found) {
        return CORR_INVALID;
    }

    *step = matched;

    return CORR_OK;
}


size_t
corr_totp_base32(const unsigned char *data, size_t len, unsigned char *out)
{
    size_t    i, n;
    uint32_t  bits;
    unsigned  have;

    n = 0;
    bits = 0;
    have = 0;

    for (i = 0; i < len; i++) {
        bits = (bits << 8) | data[i];
        have += 8;

        while (have >= 5) {
            have -= 5;
            out[n++] = (unsigned char) corr_base32[(bits >> have) & 31];
        }
    }

    if (have) {
        out[n++] = (unsigned char) corr_base32[(bits << (5 - have)) & 31];
    }

    return n;
}


int
corr_totp_base32_decode(corr_str_t text, unsigned char *out, size_t *len)
{
    int       value;
    size_t    i, n, end;
    uint32_t  bits;
    unsigned  have;

    n = 0;
    bits = 0;
    have = 0;

    for (end = text.len; end && text.data[end - 1] == '='; end--) {
        /* void */
    }

    for (i = 0; i < end; i++) {

        if (text.data[i] == ' ' || text.data[i] == '-') {
            continue;
        }

        value = corr_base32_value(text.data[i]);
        if (value < 0) {
            return CORR_INVALID;
        }

        bits = (bits << 5) | (uint32_t) value;
        have += 5;

        if (have >= 8) {
            have -= 8;
            out[n++] = (unsigned char) (bits >> have);
        }
    }

    /* a whole character too much, or bits that say something */

    if (have >= 5 || (bits & ((1u << have) - 1)) != 0) {
        return CORR_INVALID;
    }

    *len = n;

    return CORR_OK;
}


static int
corr_base32_value(unsigned char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }

    if (c >= 'a' && c <= 'z') {
        return c - 'a';
    }

    if (c >= '2' && c <= '7') {
        return c - '2' + 26;
    }

    return -1;
}


corr_str_t
corr_totp_uri(const corr_alloc_t *a, corr_str_t issuer, corr_str_t account,
    corr_str_t secret)
{
    size_t      size;
    corr_str_t  uri = corr_null_str;

    static const corr_str_t  scheme = corr_str("otpauth://totp/");
    static const corr_str_t  key = corr_str("?secret=");
    static const corr_str_t  name = corr_str("&issuer=");
    static const corr_str_t  rest =
                          corr_str("&algorithm=SHA1&digits=6&period=30");

    size = scheme.len + 6 * issuer.len + 1 + 3 * account.len + key.len
           + (secret.len * 8 + 4) / 5 + name.len + rest.len;

    uri.data = corr_alloc(a, size);
    if (uri.data == NULL) {
        return uri;
    }

    memcpy(uri.data, scheme.data, scheme.len);
    uri.len = scheme.len;

    uri.len += corr_totp_escape(issuer, uri.data + uri.len);
    uri.data[uri.len++] = ':';
    uri.len += corr_totp_escape(account, uri.data + uri.len);

    memcpy(uri.data + uri.len, key.data, key.len);
    uri.len += key.len;

    uri.len += corr_totp_base32(secret.data, secret.len, uri.data + uri.len);

    memcpy(uri.data + uri.len, name.data, name.len);
    uri.len += name.len;

    uri.len += corr_totp_escape(issuer, uri.data + uri.len);

    memcpy(uri.data + uri.len, rest.data, rest.len);
    uri.len += rest.len;

    return uri;
}


/* RFC 3986 unreserved characters stay, the rest is %XX. */

static size_t
corr_totp_escape(corr_str_t text, unsigned char *out)
{
    size_t             i, n;
    unsigned char      c;
    static const char  hex[] = "0123456789ABCDEF";

    n = 0;

    for (i = 0; i < text.len; i++) {
        c = text.data[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
            || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_'
            || c == '~')
        {
            out[n++] = c;
            continue;
        }

        out[n++] = '%';
        out[n++] = (unsigned char) hex[c >> 4];
        out[n++] = (unsigned char) hex[c & 15];
    }

    return n;
}
