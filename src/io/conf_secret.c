#include "conf_secret.h"


#define CORR_SECRET_MAX      65536


static void corr_conf_secret_wipe(void *data);


char *
corr_conf_secret(ngx_conf_t *cf, ngx_str_t *path, unsigned flags,
    ngx_str_t *text)
{
    long                 n;
    u_char               data[CORR_SECRET_MAX + 1];
    const char          *reason;
    ngx_pool_cleanup_t  *cln;

    if (ngx_conf_full_name(cf->cycle, path, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    n = corr_read_file((char *) path->data, flags | CORR_READ_TEXT, data,
                       CORR_SECRET_MAX, &reason);
    if (n < 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "secret file \"%V\": %s",
                           path, reason);
        ngx_explicit_memzero(data, sizeof(data));
        return NGX_CONF_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, sizeof(ngx_str_t));
    text->data = ngx_pnalloc(cf->pool, n + 1);

    if (cln == NULL || text->data == NULL) {
        ngx_explicit_memzero(data, n);
        return NGX_CONF_ERROR;
    }

    ngx_memcpy(text->data, data, n);
    ngx_explicit_memzero(data, n);

    text->data[n] = '\0';
    text->len = n;

    *(ngx_str_t *) cln->data = *text;
    cln->handler = corr_conf_secret_wipe;

    return NGX_CONF_OK;
}


static void
corr_conf_secret_wipe(void *data)
{
    ngx_str_t *text = data;

    ngx_explicit_memzero(text->data, text->len);
}
