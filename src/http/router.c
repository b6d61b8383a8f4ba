/*
 * The table is walked from the top: some sixty comparisons of which nearly
 * all end at the first byte, which is less than a hash would take.
 */

#include "router.h"
#include "reply.h"
#include "veil.h"

#include "../lib/text.h"
#include "../services/texts.h"


static ngx_uint_t corr_router_match(corr_str_t pattern, corr_str_t path,
    corr_str_t *params);
static void corr_router_veil(corr_page_t *p, const corr_route_t *route);
static ngx_int_t corr_router_absent(corr_page_t *p);


const corr_step_pt  corr_router_nowhere[] = {
    corr_router_absent,
    NULL
};


ngx_int_t
corr_router_find(corr_page_t *p)
{
    ngx_uint_t            method;
    ngx_http_request_t   *r = p->request;
    const corr_route_t   *route;

    /*
     * "rewrite … break" may have taken it out of the location, and what is
     * no text is the name of nothing: the database would not even take it.
     */

    if (r->uri.len < p->loc->base.len
        || ngx_strncmp(r->uri.data, p->loc->base.data, p->loc->base.len)
           != 0
        || !corr_utf8_valid(corr_from_ngx(r->uri)))
    {
        return NGX_DECLINED;
    }

    p->path = corr_make_str(r->uri.data + p->loc->base.len,
                            r->uri.len - p->loc->base.len);

    method = (r->method == NGX_HTTP_HEAD) ? NGX_HTTP_GET : r->method;

    for (route = p->loc->routes; route->path.len; route++) {

        if ((route->method & method)
            && corr_router_match(corr_from_ngx(route->path), p->path,
                                 p->params))
        {
            corr_router_veil(p, route);
            p->route = route;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


/* "{code}" takes one whole, not empty segment. */

static ngx_uint_t
corr_router_match(corr_str_t pattern, corr_str_t path, corr_str_t *params)
{
    size_t      i, j, start;
    ngx_uint_t  n;

    j = 0;
    n = 0;

    for (i = 0; i < pattern.len; i++) {

        if (pattern.data[i] != '{') {

            if (j == path.len || path.data[j] != pattern.data[i]) {
                return 0;
            }

            j++;
            continue;
        }

        while (pattern.data[i] != '}') {
            i++;
        }

        start = j;

        /* "{id}.png": a name may go on behind the brace */

        while (j < path.len && path.data[j] != '/'
               && (i + 1 == pattern.len || pattern.data[i + 1] == '/'
                   || path.data[j] != pattern.data[i + 1]))
        {
            j++;
        }

        if (j == start || n == CORR_PARAMS_MAX) {
            return 0;
        }

        params[n++] = corr_make_str(path.data + start, j - start);
    }

    return j == path.len;
}


static void
corr_router_veil(corr_page_t *p, const corr_route_t *route)
{
    if (route->who & CORR_VEILED) {
        corr_veil_route(p->request, &p->loc->base, route);
    }
}


/* Assets stand in every location, so that a prefix is all one configures. */

static ngx_int_t
corr_router_absent(corr_page_t *p)
{
    ngx_str_t             name;
    corr_str_t            params[CORR_PARAMS_MAX];
    ngx_uint_t            methods;
    const corr_asset_t   *asset;
    const corr_route_t   *route;

    if (p->path.len > 8
        && ngx_strncmp(p->path.data, "/assets/", 8) == 0
        && (p->request->method & (NGX_HTTP_GET|NGX_HTTP_HEAD)))
    {
        name.data = p->path.data + 8;
        name.len = p->path.len - 8;

        asset = corr_texts_asset(p->settings->texts, &name);
        if (asset) {
            return corr_reply_asset(p, asset);
        }
    }

    methods = 0;

    for (route = p->loc->routes; route->path.len; route++) {
        if (corr_router_match(corr_from_ngx(route->path), p->path, params)) {
            corr_router_veil(p, route);
            methods |= route->method;
        }
    }

    if (methods == 0) {
        return NGX_HTTP_NOT_FOUND;
    }

    corr_reply_header(p, "Allow",
                      (methods & NGX_HTTP_POST)
                      ? ((methods & NGX_HTTP_GET)
                         ? CORR_STR("GET, HEAD, POST") : CORR_STR("POST"))
                      : CORR_STR("GET, HEAD"));

    return NGX_HTTP_NOT_ALLOWED;
}
