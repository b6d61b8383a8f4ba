/*
 * Tokens: fetched once per worker whoever waits, renewed before they end.
 */

#include "gateway_private.h"
#include "secrets.h"

#include "../io/pool.h"
#include "../lib/json.h"


#define CORR_TOKEN_MAX       8192        /* bytes */
#define CORR_TOKEN_PAUSE     2000        /* msec after one was refused */
#define CORR_TOKEN_LIFE_MAX  (7 * 86400)


static ngx_int_t corr_token_fetch(corr_gateway_state_t *state);
static void corr_token_fetched(corr_owner_t *owner);
static ngx_uint_t corr_token_read(corr_gateway_state_t *state,
    corr_http_op_t *op);
static ngx_uint_t corr_token_take(corr_gateway_state_t *state,
    corr_alloc_t *alloc, corr_value_t root);
static void corr_token_life(corr_gateway_state_t *state, corr_alloc_t *alloc,
    corr_value_t root);
static ngx_uint_t corr_token_at(corr_alloc_t *alloc, corr_value_t root,
    corr_str_t path, corr_str_t *text);
static void corr_token_keep(corr_str_t *place, corr_str_t text);
static void corr_token_wake(corr_gateway_state_t *state, ngx_uint_t ok);
static void *corr_token_palloc(void *pool, size_t size);


void
corr_gateway_token_init(corr_gateway_state_t *state, ngx_log_t *log)
{
    ngx_queue_init(&state->waiting);
    corr_owner_init(&state->owner, corr_token_fetched, log);
}


void
corr_gateway_token_done(corr_gateway_state_t *state)
{
    corr_owner_detach(&state->owner);
    state->fetch = NULL;

    corr_token_keep(&state->token, CORR_STR(""));
    corr_token_keep(&state->refresh, CORR_STR(""));
}


/*
 * An old one is good until its last seconds; a new one is fetched meanwhile,
 * from a tenth of its life (a minute at most) before the end.
 */

ngx_int_t
corr_gateway_token_get(corr_gateway_state_t *state,
    corr_gateway_call_t *call)
{
    ngx_msec_t  age, early;

    if (state->token.len) {
        age = ngx_current_msec - state->token_from;
        early = ngx_min(state->token_life / 10, 60000);

        if (age + early >= state->token_life && state->fetch == NULL) {
            (void) corr_token_fetch(state);
        }

        if (age + early / 4 < state->token_life) {
            return NGX_OK;
        }
    }

    if (state->fetch == NULL && corr_token_fetch(state) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_queue_insert_tail(&state->waiting, &call->link);

    return NGX_AGAIN;
}


void
corr_gateway_token_refused(corr_gateway_state_t *state, ngx_uint_t serial)
{
    if (serial == state->serial) {
        corr_token_keep(&state->token, CORR_STR(""));
    }
}


static ngx_int_t
corr_token_fetch(corr_gateway_state_t *state)
{
    ngx_pool_t                  *pool;
    corr_http_request_t          request;
    corr_gateways_t             *gateways = state->gateways;
    const corr_gateway_text_t   *body;
    const corr_gateway_token_t  *t = state->conf->token;

    if (state->refused
        && ngx_current_msec - state->token_failed < CORR_TOKEN_PAUSE)
    {
        return NGX_ERROR;
    }

    pool = ngx_create_pool(2048, gateways->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    state->refreshing = (state->refresh.len && t->again.n);
    body = state->refreshing ? &t->again : &t->request.body;

    if (corr_gateway_request_fill(NULL, state, &t->request, body, pool,
                                  &request)
        == CORR_OK)
    {
        state->fetch = corr_http_send(gateways->http, &state->owner,
                                      state->conf->label, &request);
        corr_gateway_count_up(state->slot, requests);
    }

    corr_pool_destroy(pool);

    return state->fetch ? NGX_OK : NGX_ERROR;
}


static void
corr_token_fetched(corr_owner_t *owner)
{
    ngx_uint_t             ok;
    corr_http_op_t        *op;
    corr_gateway_state_t  *state;

    state = ngx_queue_data(owner, corr_gateway_state_t, owner);
    op = state->fetch;

    if (op == NULL || op->op.status == CORR_OP_PENDING) {
        return;
    }

    ok = corr_token_read(state, op);
    state->fetch = NULL;

    if (!ok) {
        ngx_log_error(NGX_LOG_ERR, state->gateways->log, 0,
                      "gateway \"%s\" gave no token: HTTP status %ui, "
                      "error %ui", state->conf->label, op->code,
                      (ngx_uint_t) op->error);
    }

    corr_op_free(&op->op);

    /* a refresh token may have ended first: then from the beginning */

    if (!ok && state->refreshing) {
        corr_token_keep(&state->refresh, CORR_STR(""));

        if (corr_token_fetch(state) == NGX_OK) {
            return;
        }
    }

    state->refused = !ok;
    state->token_failed = ngx_current_msec;

    corr_token_wake(state, ok);
}


static ngx_uint_t
corr_token_read(corr_gateway_state_t *state, corr_http_op_t *op)
{
    ngx_uint_t    ok;
    ngx_pool_t   *pool;
    corr_alloc_t  alloc;
    corr_value_t  root;

    if (op->op.status != CORR_OP_OK || op->code < 200 || op->code > 299) {
        return 0;
    }

    pool = ngx_create_pool(2048, state->gateways->log);
    if (pool == NULL) {
        return 0;
    }

    alloc.alloc = corr_token_palloc;
    alloc.pool = pool;

    ok = corr_json_parse(&alloc, op->body, CORR_GATEWAY_ANSWER, &root, NULL)
         == CORR_OK
         && corr_token_take(state, &alloc, root);

    corr_pool_destroy(pool);

    return ok;
}


static ngx_uint_t
corr_token_take(corr_gateway_state_t *state, corr_alloc_t *alloc,
    corr_value_t root)
{
    corr_str_t                   text;
    const corr_gateway_token_t  *t = state->conf->token;

    if (!corr_token_at(alloc, root, t->take, &text)) {
        return 0;
    }

    corr_token_keep(&state->token, text);

    if (state->token.len == 0) {
        return 0;
    }

    corr_token_life(state, alloc, root);

    if (t->refresh.len && corr_token_at(alloc, root, t->refresh, &text)) {
        corr_token_keep(&state->refresh, text);
    }

    state->token_from = ngx_current_msec;
    state->serial++;
    corr_gateway_count_up(state->slot, tokens);

    return 1;
}


static void
corr_token_life(corr_gateway_state_t *state, corr_alloc_t *alloc,
    corr_value_t root)
{
    corr_str_t                   text;
    ngx_int_t                    life;
    const corr_gateway_token_t  *t = state->conf->token;

    life = t->lifetime;

    if (t->expires.len && corr_token_at(alloc, root, t->expires, &text)) {
        life = ngx_atoi(text.data, text.len);
        life = (life == NGX_ERROR) ? t->lifetime
                                   : life / (ngx_int_t) t->expires_unit;
    }

    state->token_life = (ngx_msec_t) ngx_min(ngx_max(life, 1),
                                             CORR_TOKEN_LIFE_MAX) * 1000;
}


static ngx_uint_t
corr_token_at(corr_alloc_t *alloc, corr_value_t root, corr_str_t path,
    corr_str_t *text)
{
    corr_value_t  value;

    return corr_json_path(alloc, root, path, CORR_GATEWAY_ANSWER, &value)
           == CORR_OK
           && corr_json_scalar(alloc, value, text) == CORR_OK
           && text->len != 0 && text->len <= CORR_TOKEN_MAX;
}


/* Outside of pools: it lives as long as the provider says. */

static void
corr_token_keep(corr_str_t *place, corr_str_t text)
{
    if (place->len) {
        corr_secrets_wipe(place->data, place->len);
        ngx_free(place->data);
        place->len = 0;
    }

    if (text.len == 0) {
        return;
    }

    place->data = ngx_alloc(text.len, ngx_cycle->log);
    if (place->data == NULL) {
        return;
    }

    ngx_memcpy(place->data, text.data, text.len);
    place->len = text.len;
}


/* Those that wait may begin to wait again: each is taken once. */

static void
corr_token_wake(corr_gateway_state_t *state, ngx_uint_t ok)
{
    ngx_queue_t  woken, *q;

    if (ngx_queue_empty(&state->waiting)) {
        return;
    }

    ngx_queue_init(&woken);
    ngx_queue_add(&woken, &state->waiting);
    ngx_queue_init(&state->waiting);

    while (!ngx_queue_empty(&woken)) {
        q = ngx_queue_head(&woken);
        ngx_queue_remove(q);
        corr_gateway_token_ready(ngx_queue_data(q, corr_gateway_call_t,
                                                link), ok);
    }
}


static void *
corr_token_palloc(void *pool, size_t size)
{
    return ngx_palloc(pool, size);
}
