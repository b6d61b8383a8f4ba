/*
 * Values encrypted to a provider's public key: compact JWE, ECDH-ES+A256KW
 * with A256GCM (RFC 7516, 7518), as PGSB wants them.
 */

#ifndef CORR_JWE_H
#define CORR_JWE_H

#include <ngx_config.h>
#include <ngx_core.h>

#include "../lib/base.h"


typedef struct corr_jwe_key_s  corr_jwe_key_t;


/*
 * A public EC key in PEM, or a JWK; it lives as long as the pool.  NULL: it
 * is none, or no memory.
 */
corr_jwe_key_t *corr_jwe_key_create(ngx_pool_t *pool, corr_str_t text);

/* The JWE of plain, in pool.  CORR_OK or CORR_ERROR. */
int corr_jwe_encrypt(corr_jwe_key_t *key, ngx_pool_t *pool,
    corr_str_t plain, corr_str_t *out);


#endif /* CORR_JWE_H */
