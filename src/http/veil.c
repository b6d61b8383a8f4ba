/*
 * The line of the request is replaced at once: nothing but logs reads it.
 * The address is still needed, by a redirect to https for one, and goes when
 * the request does, right before it is logged.
 */

#include "veil.h"


typedef struct {
    ngx_str_t                begin;      /* "/clerk/invitations/" */
    ngx_str_t                path;       /* "/clerk/invitations/{token}" */
} corr_veil_t;


typedef struct {
    ngx_http_request_t      *request;
    ngx_str_t                path;
    ngx_uint_t               variable;
} corr_veil_end_t;


static ngx_int_t corr_veil_add(ngx_conf_t *cf, ngx_array_t *veils,
    ngx_str_t *base, const corr_route_t *route);
static ngx_int_t corr_veil_path(ngx_pool_t *pool, ngx_str_t *path,
    ngx_str_t *base, const corr_route_t *route);
static void corr_veil_referer(ngx_http_request_t *r);
static ngx_int_t corr_veil_log(ngx_http_request_t *r);
static corr_veil_t *corr_veil_find(corr_veils_t *veils, ngx_str_t *uri);
static void corr_veil_put(ngx_http_request_t *r, corr_veils_t *veils,
    ngx_str_t *path);
static void corr_veil_line(ngx_http_request_t *r, ngx_str_t *path);
static void corr_veil_end(void *data);


ngx_int_t
corr_veil_init(ngx_conf_t *cf, corr_veils_t *veils, ngx_array_t *locations)
{
    ngx_str_t                   name = ngx_string("request_uri");
    ngx_uint_t                  i;
    ngx_array_t                *log;
    corr_loc_conf_t           **loc;
    const corr_route_t         *route;
    ngx_http_handler_pt        *handler;
    ngx_http_core_main_conf_t  *cmcf;

    if (ngx_array_init(&veils->routes, cf->pool, 4, sizeof(corr_veil_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    loc = locations->elts;

    for (i = 0; i < locations->nelts; i++) {

        for (route = loc[i]->routes; route->path.len; route++) {

            if ((route->who & CORR_VEILED)
                && corr_veil_add(cf, &veils->routes, &loc[i]->base, route)
                   != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    veils->variable = ngx_http_get_variable_index(cf, &name);

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    handler = ngx_array_push(&cmcf->phases[NGX_HTTP_POST_READ_PHASE].handlers);

    if (veils->variable == NGX_ERROR || handler == NULL) {
        return NGX_ERROR;
    }

    *handler = corr_veil_handler;

    /* before whoever writes a log: those are called from the first on */

    log = &cmcf->phases[NGX_HTTP_LOG_PHASE].handlers;

    if (ngx_array_push(log) == NULL) {
        return NGX_ERROR;
    }

    handler = log->elts;

    ngx_memmove(handler + 1, handler,
                (log->nelts - 1) * sizeof(ngx_http_handler_pt));

    *handler = corr_veil_log;

    return NGX_OK;
}


static ngx_int_t
corr_veil_add(ngx_conf_t *cf, ngx_array_t *veils, ngx_str_t *base,
    const corr_route_t *route)
{
    corr_veil_t  *veil;

    veil = ngx_array_push(veils);

    if (veil == NULL
        || corr_veil_path(cf->pool, &veil->path, base, route) != NGX_OK)
    {
        return NGX_ERROR;
    }

    veil->begin.data = veil->path.data;
    veil->begin.len = base->len + strcspn((char *) route->path.data, "{");

    return NGX_OK;
}


static ngx_int_t
corr_veil_path(ngx_pool_t *pool, ngx_str_t *path, ngx_str_t *base,
    const corr_route_t *route)
{
    path->len = base->len + route->path.len;
    path->data = ngx_pnalloc(pool, path->len);

    if (path->data == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(path->data, "%V%V", base, &route->path);

    return NGX_OK;
}


ngx_int_t
corr_veil_handler(ngx_http_request_t *r)
{
    corr_veil_t       *veil;
    corr_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_correspondence_module);
    veil = corr_veil_find(&mcf->veils, &r->uri);

    if (veil) {
        corr_veil_put(r, &mcf->veils, &veil->path);
    }

    corr_veil_referer(r);

    return NGX_DECLINED;
}


/*
 * The error log has it as it came, and nothing else a visitor can write there
 * may hold what a terminal takes for a command.
 */

static void
corr_veil_referer(ngx_http_request_t *r)
{
    size_t      i;
    ngx_str_t  *value;

    if (r->headers_in.referer == NULL) {
        return;
    }

    value = &r->headers_in.referer->value;

    for (i = 0; i < value->len; i++) {
        if (value->data[i] < 0x20 || value->data[i] >= 0x7f) {
            value->data[i] = '?';
        }
    }
}


/*
 * What is refused before its phases begin (a header that nginx does not take,
 * a certificate that is missing) is logged all the same.
 */

static ngx_int_t
corr_veil_log(ngx_http_request_t *r)
{
    corr_veil_t       *veil;
    corr_veil_end_t    end;
    corr_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_correspondence_module);
    veil = corr_veil_find(&mcf->veils, &r->uri);

    /* an error's page has another one */

    if (veil == NULL) {
        veil = corr_veil_find(&mcf->veils, &r->unparsed_uri);
    }

    if (veil) {
        end.request = r;
        end.path = veil->path;
        end.variable = mcf->veils.variable;

        corr_veil_line(r, &veil->path);
        corr_veil_end(&end);
    }

    return NGX_OK;
}


static corr_veil_t *
corr_veil_find(corr_veils_t *veils, ngx_str_t *uri)
{
    ngx_uint_t    i;
    corr_veil_t  *veil;

    veil = veils->routes.elts;

    for (i = 0; i < veils->routes.nelts; i++) {

        if (uri->len > veil[i].begin.len
            && ngx_strncmp(uri->data, veil[i].begin.data, veil[i].begin.len)
               == 0)
        {
            return &veil[i];
        }
    }

    return NULL;
}


void
corr_veil_route(ngx_http_request_t *r, ngx_str_t *base,
    const corr_route_t *route)
{
    ngx_str_t          path;
    corr_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_correspondence_module);

    if (corr_veil_path(r->pool, &path, base, route) != NGX_OK) {
        ngx_str_set(&path, "-");
    }

    corr_veil_put(r, &mcf->veils, &path);
}


static void
corr_veil_put(ngx_http_request_t *r, corr_veils_t *veils, ngx_str_t *path)
{
    corr_veil_end_t     *end;
    ngx_http_cleanup_t  *cln;

    corr_veil_line(r, path);

    cln = ngx_http_cleanup_add(r, sizeof(corr_veil_end_t));
    if (cln == NULL) {
        ngx_str_set(&r->unparsed_uri, "-");
        return;
    }

    end = cln->data;
    end->request = r;
    end->path = *path;
    end->variable = veils->variable;

    cln->handler = corr_veil_end;
}


static void
corr_veil_line(ngx_http_request_t *r, ngx_str_t *path)
{
    u_char  *p;
    size_t   len;

    ngx_str_set(&r->request_line, "-");

    len = r->method_name.len + path->len + r->http_protocol.len + 2;

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return;
    }

    r->request_line.data = p;
    r->request_line.len = ngx_sprintf(p, "%V %V %V", &r->method_name, path,
                                      &r->http_protocol) - p;
}


/* A value that was asked for before is kept: the log would write that. */

static void
corr_veil_end(void *data)
{
    corr_veil_end_t *end = data;

    ngx_http_request_t  *r = end->request;

    r->unparsed_uri = end->path;
    r->uri = end->path;

    r->variables[end->variable].valid = 0;
    r->variables[end->variable].not_found = 0;
}
