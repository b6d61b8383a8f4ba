/*
 * libjose, all of it.
 */

#include "jwe.h"

#include <jose/jose.h>
#include <jose/openssl.h>
#include <openssl/pem.h>


struct corr_jwe_key_s {
    json_t                  *jwk;
};


static json_t *corr_jwe_read(corr_str_t text);
static json_t *corr_jwe_read_pem(corr_str_t text);
static void corr_jwe_free(void *data);
static int corr_jwe_protect(json_t *jwe);
static int corr_jwe_part(ngx_pool_t *pool, json_t *jwe, const char *name,
    corr_str_t *part);


corr_jwe_key_t *
corr_jwe_key_create(ngx_pool_t *pool, corr_str_t text)
{
    corr_jwe_key_t      *key;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(pool, sizeof(corr_jwe_key_t));
    if (cln == NULL) {
        return NULL;
    }

    key = cln->data;
    key->jwk = corr_jwe_read(text);

    if (key->jwk == NULL) {
        return NULL;
    }

    cln->handler = corr_jwe_free;

    if (!jose_jwk_prm(NULL, key->jwk, true, "deriveKey")
        && !jose_jwk_prm(NULL, key->jwk, false, "deriveKey"))
    {
        return NULL;
    }

    /* a private part has no business in a worker */

    return jose_jwk_pub(NULL, key->jwk) ? key : NULL;
}


static json_t *
corr_jwe_read(corr_str_t text)
{
    json_t  *jwk;

    jwk = (text.len && text.data[0] == '{')
          ? json_loadb((char *) text.data, text.len, 0, NULL)
          : corr_jwe_read_pem(text);

    if (jwk == NULL) {
        return NULL;
    }

    if (!json_is_object(jwk)
        || !json_is_string(json_object_get(jwk, "kty"))
        || ngx_strcmp(json_string_value(json_object_get(jwk, "kty")), "EC")
           != 0)
    {
        json_decref(jwk);
        return NULL;
    }

    return jwk;
}


static json_t *
corr_jwe_read_pem(corr_str_t text)
{
    BIO       *bio;
    json_t    *jwk;
    EVP_PKEY  *pkey;

    bio = BIO_new_mem_buf(text.data, (int) text.len);
    if (bio == NULL) {
        return NULL;
    }

    pkey = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);

    BIO_free(bio);

    if (pkey == NULL) {
        ERR_clear_error();
        return NULL;
    }

    jwk = jose_openssl_jwk_from_EVP_PKEY(NULL, pkey);

    EVP_PKEY_free(pkey);

    return jwk;
}


static void
corr_jwe_free(void *data)
{
    corr_jwe_key_t *key = data;

    json_decref(key->jwk);
}


int
corr_jwe_encrypt(corr_jwe_key_t *key, ngx_pool_t *pool, corr_str_t plain,
    corr_str_t *out)
{
    int          rc;
    u_char      *p;
    json_t      *jwe, *cek;
    size_t       size;
    corr_str_t   part[5];
    ngx_uint_t   i;

    static const char  *names[] = {
        "protected", "encrypted_key", "iv", "ciphertext", "tag"
    };

    rc = CORR_ERROR;
    size = 0;

    cek = json_object();
    jwe = json_pack("{s:{s:s,s:s}}", "protected", "alg", "ECDH-ES+A256KW",
                    "enc", "A256GCM");

    if (cek == NULL || jwe == NULL
        || !jose_jwe_enc_jwk(NULL, jwe, NULL, key->jwk, cek)
        || corr_jwe_protect(jwe) != CORR_OK
        || !jose_jwe_enc_cek(NULL, jwe, cek, plain.data, plain.len))
    {
        goto done;
    }

    for (i = 0; i < 5; i++) {
        if (corr_jwe_part(pool, jwe, names[i], &part[i]) != CORR_OK) {
            goto done;
        }

        size += part[i].len + 1;
    }

    out->data = ngx_pnalloc(pool, size);
    if (out->data == NULL) {
        goto done;
    }

    for (p = out->data, i = 0; i < 5; i++) {
        p = ngx_cpymem(p, part[i].data, part[i].len);
        *p++ = '.';
    }

    out->len = size - 1;
    rc = CORR_OK;

done:

    ERR_clear_error();
    json_decref(cek);
    json_decref(jwe);

    return rc;
}


/*
 * libjose leaves the ephemeral key in a header of its own; the compact form
 * has only the protected one.
 */

static int
corr_jwe_protect(json_t *jwe)
{
    json_t  *header;

    header = json_object_get(jwe, "header");

    if (header == NULL) {
        return CORR_OK;
    }

    if (json_object_update(json_object_get(jwe, "protected"), header) == -1
        || json_object_del(jwe, "header") == -1)
    {
        return CORR_ERROR;
    }

    return CORR_OK;
}


static int
corr_jwe_part(ngx_pool_t *pool, json_t *jwe, const char *name,
    corr_str_t *part)
{
    json_t  *value;

    value = json_object_get(jwe, name);

    if (!json_is_string(value)) {
        return CORR_ERROR;
    }

    *part = corr_make_str(json_string_value(value),
                          json_string_length(value));

    return CORR_OK;
}
