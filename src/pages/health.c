/*
 * Health and metrics: plain content handlers, since they are no pages.
 */

#include "health.h"


ngx_int_t
corr_health_handler(ngx_http_request_t *r)
{
    u_char              *last;
    ngx_int_t            rc;
    ngx_buf_t           *b;
    ngx_uint_t           ready;
    ngx_chain_t          out;
    corr_pg_status_t     pg;
    corr_redis_status_t  redis;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    corr_pg_status(corr_worker->pg, &pg);
    corr_redis_status(corr_worker->redis, &redis);

    ready = pg.connections && redis.up;

    b = ngx_create_temp_buf(r->pool, 256);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    last = ngx_snprintf(b->last, 256,
                        "{\"live\":true,\"ready\":%s,"
                        "\"postgres\":{\"connections\":%ui,\"queued\":%ui},"
                        "\"redis\":{\"up\":%s}}" CRLF,
                        ready ? "true" : "false", pg.connections, pg.queued,
                        redis.up ? "true" : "false");
    b->last = last;
    b->last_buf = 1;
    b->last_in_chain = 1;

    r->headers_out.status = ready ? NGX_HTTP_OK
                                  : NGX_HTTP_SERVICE_UNAVAILABLE;
    r->headers_out.content_length_n = b->last - b->pos;
    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


ngx_int_t
corr_metrics_handler(ngx_http_request_t *r)
{
    return NGX_HTTP_NOT_FOUND;
}
