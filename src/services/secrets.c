/*
 * The key file and everything that is made with it.
 */

#include "secrets.h"

#include "../lib/read_file.h"

#include <sodium.h>
#include <stdio.h>


#define CORR_SECRETS_MIN        32      /* bytes of a key file */
#define CORR_SECRETS_MAX        4096
#define CORR_SECRETS_PURPOSES   11      /* corr_key_e, and 0 */
#define CORR_SECRETS_VERSION    1       /* of what encrypt() makes */
#define CORR_SECRETS_KEY_ID     4       /* bytes: which file it was */

/* version, key, nonce, (text), tag */

#define CORR_SECRETS_HEAD       (1 + CORR_SECRETS_KEY_ID                      \
                                 + crypto_aead_xchacha20poly1305_ietf_NPUBBYTES)


typedef struct {
    unsigned char    keys[CORR_SECRETS_PURPOSES][32];
    unsigned char    ids[CORR_SECRETS_PURPOSES][CORR_SECRETS_KEY_ID];
} corr_keys_t;


/* Stands in guarded, locked memory that is made read only after loading. */

struct corr_secrets_s {
    size_t           count;
    corr_keys_t      files[CORR_SECRETS_FILES];
};


_Static_assert(CORR_SECRETS_HEAD
               + crypto_aead_xchacha20poly1305_ietf_ABYTES
               == CORR_SECRETS_OVERHEAD, "what encryption adds");


static int corr_secrets_file(const char *path, corr_keys_t *keys,
    char *error);
static size_t corr_secrets_unarmour(unsigned char *data, size_t len);
static void corr_secrets_keys(const unsigned char *data, size_t len,
    corr_keys_t *keys);
static void corr_secrets_hash(const unsigned char *key, size_t keylen,
    const corr_str_t *parts, size_t n, unsigned char hash[CORR_SECRETS_MAC]);
static void corr_secrets_stream(const unsigned char seed[CORR_SECRETS_MAC],
    unsigned char *out, size_t n);
static void corr_secrets_seal_text(const unsigned char *mac,
    unsigned char *seal);


/* Crockford's base32: no letter that looks like a digit, no u. */

static const char  corr_seal_letters[] = "0123456789abcdefghjkmnpqrstvwxyz";


corr_secrets_t *
corr_secrets_load(const char *const *paths, size_t n,
    char error[CORR_SERVICE_ERROR])
{
    size_t           i;
    corr_secrets_t  *secrets;

    error[0] = '\0';

    if (n == 0 || n > CORR_SECRETS_FILES) {
        snprintf(error, CORR_SERVICE_ERROR, "one to %d key files are needed",
                 CORR_SECRETS_FILES);
        return NULL;
    }

    if (sodium_init() < 0) {
        snprintf(error, CORR_SERVICE_ERROR, "libsodium does not start");
        return NULL;
    }

    secrets = sodium_malloc(sizeof(corr_secrets_t));
    if (secrets == NULL) {
        snprintf(error, CORR_SERVICE_ERROR, "no memory for keys");
        return NULL;
    }

    for (i = 0; i < n; i++) {
        if (corr_secrets_file(paths[i], &secrets->files[i], error)
            != CORR_OK)
        {
            sodium_free(secrets);
            return NULL;
        }
    }

    secrets->count = n;

    (void) sodium_mprotect_readonly(secrets);

    return secrets;
}


void
corr_secrets_free(corr_secrets_t *secrets)
{
    sodium_free(secrets);
}


size_t
corr_secrets_count(const corr_secrets_t *secrets)
{
    return secrets->count;
}


static int
corr_secrets_file(const char *path, corr_keys_t *keys, char *error)
{
    long           n;
    size_t         len;
    const char    *reason;
    unsigned char  data[CORR_SECRETS_MAX + 1];

    n = corr_read_file(path, CORR_READ_SECRET, data, CORR_SECRETS_MAX,
                       &reason);
    if (n < 0) {
        snprintf(error, CORR_SERVICE_ERROR, "\"%s\": %s", path, reason);
        sodium_memzero(data, sizeof(data));
        return CORR_ERROR;
    }

    len = corr_secrets_unarmour(data, (size_t) n);

    if (len >= CORR_SECRETS_MIN) {
        corr_secrets_keys(data, len, keys);
    }

    sodium_memzero(data, sizeof(data));

    if (len < CORR_SECRETS_MIN) {
        snprintf(error, CORR_SERVICE_ERROR,
                 "\"%s\" holds %zu bytes, a key file needs %d random ones",
                 path, len, CORR_SECRETS_MIN);
        return CORR_INVALID;
    }

    return CORR_OK;
}


/*
 * A file of nothing but base64 (either alphabet, line ends allowed) is taken
 * as such; that 32 random bytes look like it does not happen.  Returns the
 * length of the bytes, which replace the text.  The characters are looked at
 * first, since libsodium 1.0.18 takes many above 127 for good ones.
 */

static size_t
corr_secrets_unarmour(unsigned char *data, size_t len)
{
    size_t         i, n;
    unsigned char  raw[CORR_SECRETS_MAX];

    static const char  letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "abcdefghijklmnopqrstuvwxyz"
                                   "0123456789+/-_=\r\n";

    for (i = 0; i < len; i++) {
        if (memchr(letters, data[i], sizeof(letters) - 1) == NULL) {
            return len;
        }
    }

    if (sodium_base642bin(raw, sizeof(raw), (char *) data, len, "\r\n", &n,
                          NULL, sodium_base64_VARIANT_ORIGINAL) != 0
        && sodium_base642bin(raw, sizeof(raw), (char *) data, len, "\r\n", &n,
                             NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING)
           != 0)
    {
        return len;
    }

    memcpy(data, raw, n);
    sodium_memzero(raw, sizeof(raw));

    return n;
}


static void
corr_secrets_keys(const unsigned char *data, size_t len, corr_keys_t *keys)
{
    unsigned       i;
    unsigned char  root[crypto_kdf_KEYBYTES];

    crypto_generichash(root, sizeof(root), data, len, NULL, 0);

    /* the numbers 256 and above name the keys, those below are the keys */

    for (i = 0; i < CORR_SECRETS_PURPOSES; i++) {
        unsigned char  id[16];

        crypto_kdf_derive_from_key(keys->keys[i], 32, i, "corrdesk", root);
        crypto_kdf_derive_from_key(id, sizeof(id), 256 + i, "corrdesk", root);

        memcpy(keys->ids[i], id, CORR_SECRETS_KEY_ID);
    }

    sodium_memzero(root, sizeof(root));
}


/* Keyed hashes. */

void
corr_secrets_mac(const corr_secrets_t *secrets, corr_key_e key,
    const corr_str_t *parts, size_t n, unsigned char mac[CORR_SECRETS_MAC])
{
    corr_secrets_mac_of(secrets, 0, key, parts, n, mac);
}


void
corr_secrets_mac_of(const corr_secrets_t *secrets, size_t file,
    corr_key_e key, const corr_str_t *parts, size_t n,
    unsigned char mac[CORR_SECRETS_MAC])
{
    corr_secrets_hash(secrets->files[file].keys[key], 32, parts, n, mac);
}


void
corr_secrets_name(const corr_str_t *parts, size_t n,
    unsigned char name[CORR_SECRETS_MAC])
{
    corr_secrets_hash(NULL, 0, parts, n, name);
}


static void
corr_secrets_hash(const unsigned char *key, size_t keylen,
    const corr_str_t *parts, size_t n, unsigned char hash[CORR_SECRETS_MAC])
{
    size_t                    i, j;
    uint64_t                  len;
    unsigned char             size[8];
    crypto_generichash_state  state;

    crypto_generichash_init(&state, key, keylen, CORR_SECRETS_MAC);

    for (i = 0; i < n; i++) {
        len = parts[i].len;

        for (j = 0; j < sizeof(size); j++) {
            size[j] = (unsigned char) (len >> (8 * j));
        }

        crypto_generichash_update(&state, size, sizeof(size));

        if (parts[i].len) {
            crypto_generichash_update(&state, parts[i].data, parts[i].len);
        }
    }

    crypto_generichash_final(&state, hash, CORR_SECRETS_MAC);
    sodium_memzero(&state, sizeof(state));
}


int
corr_secrets_mac_check(const corr_secrets_t *secrets, corr_key_e key,
    const corr_str_t *parts, size_t n, corr_str_t mac)
{
    int            right;
    size_t         i;
    unsigned char  made[CORR_SECRETS_MAC];

    if (mac.len != CORR_SECRETS_MAC) {
        return 0;
    }

    right = 0;

    for (i = 0; i < secrets->count; i++) {
        corr_secrets_mac_of(secrets, i, key, parts, n, made);
        right |= sodium_memcmp(made, mac.data, CORR_SECRETS_MAC) == 0;
    }

    sodium_memzero(made, sizeof(made));

    return right;
}


/* Encryption. */

size_t
corr_secrets_encrypt(const corr_secrets_t *secrets, corr_key_e key,
    corr_str_t bound, corr_str_t plain, unsigned char *out)
{
    unsigned char       *nonce;
    unsigned long long   len;
    const corr_keys_t   *keys;

    keys = &secrets->files[0];

    out[0] = CORR_SECRETS_VERSION;
    memcpy(out + 1, keys->ids[key], CORR_SECRETS_KEY_ID);

    nonce = out + 1 + CORR_SECRETS_KEY_ID;
    randombytes_buf(nonce, crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);

    crypto_aead_xchacha20poly1305_ietf_encrypt(out + CORR_SECRETS_HEAD, &len,
        plain.data, plain.len, bound.data, bound.len, NULL, nonce,
        keys->keys[key]);

    return CORR_SECRETS_HEAD + (size_t) len;
}


int
corr_secrets_decrypt(const corr_secrets_t *secrets, corr_key_e key,
    corr_str_t bound, corr_str_t sealed, unsigned char *out, size_t *len)
{
    size_t               i;
    unsigned long long   n;
    const corr_keys_t   *keys;

    if (sealed.len < CORR_SECRETS_OVERHEAD
        || sealed.data[0] != CORR_SECRETS_VERSION)
    {
        return CORR_INVALID;
    }

    for (i = 0; i < secrets->count; i++) {
        keys = &secrets->files[i];

        if (memcmp(keys->ids[key], sealed.data + 1, CORR_SECRETS_KEY_ID) != 0)
        {
            continue;
        }

        if (crypto_aead_xchacha20poly1305_ietf_decrypt(out, &n, NULL,
                sealed.data + CORR_SECRETS_HEAD,
                sealed.len - CORR_SECRETS_HEAD, bound.data, bound.len,
                sealed.data + 1 + CORR_SECRETS_KEY_ID, keys->keys[key]) == 0)
        {
            *len = (size_t) n;
            return CORR_OK;
        }
    }

    return CORR_INVALID;
}


int
corr_secrets_sealed_old(const corr_secrets_t *secrets, corr_key_e key,
    corr_str_t sealed)
{
    return sealed.len >= CORR_SECRETS_OVERHEAD
           && memcmp(secrets->files[0].ids[key], sealed.data + 1,
                     CORR_SECRETS_KEY_ID)
              != 0;
}


/* Random and derived text. */

void
corr_secrets_random(unsigned char *out, size_t len)
{
    randombytes_buf(out, len);
}


void
corr_secrets_draw(corr_drawn_t *drawn, unsigned char *out, size_t len)
{
    size_t          n;
    unsigned char  *from, seed[randombytes_SEEDBYTES];

    while (len) {

        if (drawn->left == 0) {
            randombytes_buf(seed, sizeof(seed));
            randombytes_buf_deterministic(drawn->bytes, sizeof(drawn->bytes),
                                          seed);
            sodium_memzero(seed, sizeof(seed));

            drawn->left = sizeof(drawn->bytes);
        }

        n = (len < drawn->left) ? len : drawn->left;
        from = drawn->bytes + sizeof(drawn->bytes) - drawn->left;

        memcpy(out, from, n);
        sodium_memzero(from, n);

        drawn->left -= n;
        out += n;
        len -= n;
    }
}


void
corr_secrets_token(corr_drawn_t *drawn, unsigned char out[CORR_SECRETS_TOKEN])
{
    char           text[CORR_SECRETS_TOKEN + 1];
    unsigned char  raw[32];

    if (drawn != NULL) {
        corr_secrets_draw(drawn, raw, sizeof(raw));

    } else {
        randombytes_buf(raw, sizeof(raw));
    }

    sodium_bin2base64(text, sizeof(text), raw, sizeof(raw),
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);

    memcpy(out, text, CORR_SECRETS_TOKEN);

    sodium_memzero(raw, sizeof(raw));
    sodium_memzero(text, sizeof(text));
}


void
corr_secrets_digits(unsigned char *out, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        out[i] = (unsigned char) ('0' + randombytes_uniform(10));
    }
}


void
corr_secrets_derive_digits(const corr_secrets_t *secrets, size_t file,
    corr_key_e key, const corr_str_t *parts, size_t n, unsigned char *out,
    size_t ndigits)
{
    size_t         i;
    unsigned char  seed[CORR_SECRETS_MAC];

    corr_secrets_mac_of(secrets, file, key, parts, n, seed);
    corr_secrets_stream(seed, out, ndigits);

    for (i = 0; i < ndigits; i++) {
        out[i] = (unsigned char) ('0' + out[i] % 10);
    }

    sodium_memzero(seed, sizeof(seed));
}


/* n bytes below 250, of which each digit has 25. */

static void
corr_secrets_stream(const unsigned char seed[CORR_SECRETS_MAC],
    unsigned char *out, size_t n)
{
    size_t         i, got;
    uint64_t       block;
    unsigned char  buf[64], nonce[crypto_stream_chacha20_NONCEBYTES];

    got = 0;
    memset(nonce, 0, sizeof(nonce));

    for (block = 0; got < n; block++) {
        memset(buf, 0, sizeof(buf));

        crypto_stream_chacha20_xor_ic(buf, buf, sizeof(buf), nonce, block,
                                      seed);

        for (i = 0; i < sizeof(buf) && got < n; i++) {
            if (buf[i] < 250) {
                out[got++] = buf[i];
            }
        }
    }

    sodium_memzero(buf, sizeof(buf));
}


int
corr_secrets_equal(corr_str_t a, corr_str_t b)
{
    if (a.len != b.len) {
        return 0;
    }

    return a.len == 0 || sodium_memcmp(a.data, b.data, a.len) == 0;
}


void
corr_secrets_wipe(void *p, size_t len)
{
    if (len) {
        sodium_memzero(p, len);
    }
}


/* Seals of receipts. */

void
corr_secrets_seal(const corr_secrets_t *secrets, const corr_str_t *parts,
    size_t n, unsigned char seal[CORR_SECRETS_SEAL])
{
    unsigned char  mac[CORR_SECRETS_MAC];

    corr_secrets_mac(secrets, CORR_KEY_RECEIPT, parts, n, mac);
    corr_secrets_seal_text(mac, seal);
}


static void
corr_secrets_seal_text(const unsigned char *mac, unsigned char *seal)
{
    size_t    i;
    uint64_t  bits;

    bits = 0;

    for (i = 0; i < 8; i++) {
        bits = (bits << 8) | mac[i];
    }

    for (i = 0; i < CORR_SECRETS_SEAL; i++) {
        seal[i] = (unsigned char) corr_seal_letters[bits & 31];
        bits >>= 5;
    }
}


int
corr_secrets_seal_check(const corr_secrets_t *secrets,
    const corr_str_t *parts, size_t n, corr_str_t seal)
{
    int            right;
    size_t         i;
    unsigned char  c, typed[CORR_SECRETS_SEAL], made[CORR_SECRETS_SEAL];
    unsigned char  mac[CORR_SECRETS_MAC];

    if (seal.len != CORR_SECRETS_SEAL) {
        return 0;
    }

    for (i = 0; i < CORR_SECRETS_SEAL; i++) {
        c = seal.data[i];

        if (c >= 'A' && c <= 'Z') {
            c |= 0x20;
        }

        typed[i] = c == 'o' ? '0' : (c == 'i' || c == 'l') ? '1' : c;
    }

    right = 0;

    for (i = 0; i < secrets->count; i++) {
        corr_secrets_mac_of(secrets, i, CORR_KEY_RECEIPT, parts, n, mac);
        corr_secrets_seal_text(mac, made);

        right |= sodium_memcmp(made, typed, CORR_SECRETS_SEAL) == 0;
    }

    return right;
}


void
corr_secrets_hex(const unsigned char *data, size_t len, unsigned char *out)
{
    size_t             i;
    static const char  hex[] = "0123456789abcdef";

    for (i = 0; i < len; i++) {
        *out++ = (unsigned char) hex[data[i] >> 4];
        *out++ = (unsigned char) hex[data[i] & 15];
    }
}
