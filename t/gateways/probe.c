/*
 * Gateways without the portal: an nginx module for tests.
 *
 *     gateway_probe;      in a location: GET …/KIND?HEX, where HEX is that of
 *                         name=value&…, asks the gateways of the kind and answers with what came of
 *                         it as JSON; GET …/status the counts of all
 *
 * Built by t/gateways/build with the module's own lib, io and services.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "io/http.h"
#include "lib/encode.h"
#include "lib/template.h"
#include "services/gateway.h"


typedef struct {
    corr_owner_t             owner;
    ngx_http_request_t      *request;
    corr_gateway_op_t       *call;
} probe_t;


static void *probe_create_conf(ngx_conf_t *cf);
static ngx_int_t probe_postconfiguration(ngx_conf_t *cf);
static char *probe_location(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static ngx_int_t probe_handler(ngx_http_request_t *r);
static corr_view_t *probe_values(ngx_http_request_t *r);
static void probe_resume(corr_owner_t *owner);
static void probe_cleanup(void *data);
static ngx_int_t probe_answer(ngx_http_request_t *r, corr_view_t *view);
static corr_view_t *probe_result(ngx_http_request_t *r,
    corr_gateway_op_t *call);
static corr_view_t *probe_status(ngx_http_request_t *r);
static int probe_write(void *data, const void *p, size_t n);
static corr_alloc_t probe_alloc(ngx_pool_t *pool);
static ngx_int_t probe_init_process(ngx_cycle_t *cycle);
static void probe_exit_process(ngx_cycle_t *cycle);


static corr_gateways_t  *probe_gateways;
static corr_http_t      *probe_http;


static ngx_command_t  probe_commands[] = {

    { ngx_string("correspondence_gateway"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE12,
      corr_gateway_block,
      NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL },

    { ngx_string("gateway_page_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET, offsetof(corr_settings_t, page_timeout),
      NULL },

    { ngx_string("gateway_probe"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      probe_location,
      NGX_HTTP_LOC_CONF_OFFSET, 0, NULL },

    ngx_null_command
};


static ngx_http_module_t  probe_module_ctx = {
    NULL, probe_postconfiguration, probe_create_conf, NULL, NULL, NULL, NULL,
    NULL
};


ngx_module_t  ngx_http_gateway_probe_module = {
    NGX_MODULE_V1,
    &probe_module_ctx, probe_commands, NGX_HTTP_MODULE,
    NULL, NULL, probe_init_process, NULL, NULL, probe_exit_process, NULL,
    NGX_MODULE_V1_PADDING
};


ngx_module_t  *ngx_modules[] = { &ngx_http_gateway_probe_module, NULL };
char  *ngx_module_names[] = { "ngx_http_gateway_probe_module", NULL };
char  *ngx_module_order[] = { NULL };


static void *
probe_create_conf(ngx_conf_t *cf)
{
    corr_settings_t  *s;

    s = ngx_pcalloc(cf->pool, sizeof(corr_settings_t));
    if (s == NULL) {
        return NULL;
    }

    s->page_timeout = NGX_CONF_UNSET_MSEC;
    s->relay_lease = 60;
    s->http.connections = 64;

    return s;
}


static ngx_int_t
probe_postconfiguration(ngx_conf_t *cf)
{
    corr_settings_t           *s;
    ngx_http_core_loc_conf_t  *clcf;

    s = ngx_http_conf_get_module_main_conf(cf, ngx_http_gateway_probe_module);
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    ngx_conf_init_msec_value(s->page_timeout, 30000);
    s->http.resolver = clcf->resolver;
    s->http.resolver_timeout = 5000;

    return NGX_OK;
}


static char *
probe_location(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    (void) cmd;
    (void) conf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = probe_handler;

    return NGX_CONF_OK;
}


static ngx_int_t
probe_handler(ngx_http_request_t *r)
{
    u_char              *kind;
    probe_t             *probe;
    ngx_uint_t           i;
    corr_view_t         *values;
    ngx_http_cleanup_t  *cln;

    static const char  *kinds[] = {
        "shahkar", "registry", "company", "sms", "sms_status"
    };

    ngx_http_discard_request_body(r);

    kind = r->uri.data + r->uri.len;

    while (kind > r->uri.data && kind[-1] != '/') {
        kind--;
    }

    r->uri.data[r->uri.len] = ' ';

    for (i = 0; i < CORR_GATEWAY_KINDS; i++) {
        if (ngx_strlen(kinds[i])
            == (size_t) (r->uri.data + r->uri.len - kind)
            && ngx_strncmp(kind, kinds[i], ngx_strlen(kinds[i])) == 0)
        {
            break;
        }
    }

    if (i == CORR_GATEWAY_KINDS) {
        return probe_answer(r, probe_status(r));
    }

    cln = ngx_http_cleanup_add(r, sizeof(probe_t));
    values = probe_values(r);

    if (cln == NULL || values == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    probe = cln->data;
    probe->request = r;
    corr_owner_init(&probe->owner, probe_resume, r->connection->log);
    cln->handler = probe_cleanup;

    probe->call = corr_gateway_call(probe_gateways, &probe->owner, i, values);

    if (probe->call == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->main->count++;

    return NGX_DONE;
}


static corr_view_t *
probe_values(ngx_http_request_t *r)
{
    size_t         len;
    u_char        *p, *last, *end, *eq, *src, *dst;
    corr_str_t     name, value;
    corr_view_t   *values;
    corr_alloc_t  *alloc;

    alloc = ngx_palloc(r->pool, sizeof(corr_alloc_t));
    if (alloc == NULL) {
        return NULL;
    }

    *alloc = probe_alloc(r->pool);

    values = corr_view_create(alloc);

    /* hex, so that nginx's own debug log does not tell what is asked */

    p = ngx_pnalloc(r->pool, r->args.len / 2 + 1);
    if (p == NULL
        || corr_hex_decode(corr_make_str(r->args.data, r->args.len), p,
                           r->args.len / 2, &len)
           != CORR_OK)
    {
        return NULL;
    }

    last = p + len;

    for ( /* void */ ; values && p < last; p = end + 1) {

        end = ngx_strlchr(p, last, '&');
        end = end ? end : last;
        eq = ngx_strlchr(p, end, '=');

        if (eq == NULL) {
            continue;
        }

        name = corr_str_dup(alloc, corr_make_str(p, eq - p));

        dst = ngx_pnalloc(r->pool, end - eq);
        src = eq + 1;
        value.data = dst;
        ngx_unescape_uri(&dst, &src, end - src, 0);
        value.len = dst - value.data;

        corr_view_text(values, (char *) name.data, value);
    }

    return values;
}


static void
probe_resume(corr_owner_t *owner)
{
    probe_t             *probe = ngx_queue_data(owner, probe_t, owner);
    ngx_int_t            rc;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    if (corr_owner_waits(owner)) {
        return;
    }

    r = probe->request;
    c = r->connection;

    rc = probe_answer(r, probe_result(r, probe->call));

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


static void
probe_cleanup(void *data)
{
    probe_t *probe = data;

    corr_owner_detach(&probe->owner);
}


static corr_view_t *
probe_result(ngx_http_request_t *r, corr_gateway_op_t *call)
{
    corr_view_t   *view;
    corr_alloc_t  *alloc;
    corr_value_t   taken;

    alloc = ngx_palloc(r->pool, sizeof(corr_alloc_t));
    *alloc = probe_alloc(r->pool);
    view = corr_view_create(alloc);

    corr_view_text(view, "verdict", corr_verdict_name(call->verdict));
    corr_view_text(view, "provider", call->provider);
    corr_view_text(view, "reference", call->reference);
    corr_view_text(view, "reason", call->reason);
    corr_view_flag(view, "doubt", call->doubt);

    if (call->taken) {
        taken.kind = CORR_OBJECT;
        taken.object = call->taken;
        corr_view_set(view, CORR_STR("taken"), taken);
    }

    return view;
}


static corr_view_t *
probe_status(ngx_http_request_t *r)
{
    ngx_uint_t              i;
    corr_view_t            *view, *row;
    corr_alloc_t           *alloc;
    corr_gateway_status_t   s;

    alloc = ngx_palloc(r->pool, sizeof(corr_alloc_t));
    *alloc = probe_alloc(r->pool);
    view = corr_view_create(alloc);

    for (i = 0; corr_gateway_status(probe_gateways, i, &s) == NGX_OK; i++) {
        row = corr_view_append(view, "gateways");
        corr_view_text(row, "kind", s.kind);
        corr_view_text(row, "name", s.name);
        corr_view_int(row, "requests", s.requests);
        corr_view_int(row, "yes", s.yes);
        corr_view_int(row, "no", s.no);
        corr_view_int(row, "unknown", s.unknown);
        corr_view_int(row, "errors", s.errors);
        corr_view_int(row, "retries", s.retries);
        corr_view_int(row, "tokens", s.tokens);
        corr_view_int(row, "used", s.used);
        corr_view_int(row, "room",
                      corr_gateway_room(probe_gateways,
                                        CORR_GATEWAY_SMS, 20));
    }

    return view;
}


static ngx_int_t
probe_answer(ngx_http_request_t *r, corr_view_t *view)
{
    ngx_int_t       rc;
    ngx_buf_t      *b;
    ngx_chain_t     out;
    corr_sink_t     sink;
    corr_render_t   render;

    b = ngx_create_temp_buf(r->pool, 65536);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    sink.write = probe_write;
    sink.refer = probe_write;
    sink.data = b;

    ngx_memzero(&render, sizeof(render));

    if (corr_view_json(view, &render, &sink) != CORR_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->last_buf = 1;
    out.buf = b;
    out.next = NULL;

    r->headers_out.status = 200;
    r->headers_out.content_length_n = b->last - b->pos;
    ngx_str_set(&r->headers_out.content_type, "application/json");

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_http_output_filter(r, &out);
}


static int
probe_write(void *data, const void *p, size_t n)
{
    ngx_buf_t *b = data;

    if (n > (size_t) (b->end - b->last)) {
        return CORR_ERROR;
    }

    b->last = ngx_cpymem(b->last, p, n);

    return CORR_OK;
}


static void *
probe_palloc(void *pool, size_t size)
{
    return ngx_palloc(pool, size);
}


static corr_alloc_t
probe_alloc(ngx_pool_t *pool)
{
    corr_alloc_t  alloc;

    alloc.alloc = probe_palloc;
    alloc.pool = pool;

    return alloc;
}


static ngx_int_t
probe_init_process(ngx_cycle_t *cycle)
{
    corr_settings_t  *s;

    s = ngx_http_cycle_get_module_main_conf(cycle,
                                            ngx_http_gateway_probe_module);

    probe_http = corr_http_create(cycle, &s->http);
    if (probe_http == NULL) {
        return NGX_ERROR;
    }

    probe_gateways = corr_gateways_create(cycle, s, probe_http);

    return probe_gateways ? NGX_OK : NGX_ERROR;
}


static void
probe_exit_process(ngx_cycle_t *cycle)
{
    (void) cycle;

    corr_gateways_destroy(probe_gateways);
    corr_http_destroy(probe_http);
}
