/*
 * A question to gateways: which one, its token, the request, again after a
 * pause, the next one.
 *
 * A call is an operation of its own with an owner of its own inside, so that
 * whoever asked may go while it is asked to its end.
 */

#include "gateway_private.h"

#include "../io/pool.h"


#define CORR_CALL_PAUSE_FIRST    300     /* msec; doubled each time */
#define CORR_CALL_SLACK          2000    /* msec beyond all time-outs */
#define CORR_CALL_SPARE          10000   /* of a lease, for what follows */


static ngx_msec_t corr_call_timeout(corr_gateway_call_t *call);
static void corr_call_next(corr_gateway_call_t *call);
static void corr_call_admit(corr_gateway_call_t *call);
static void corr_call_ask(corr_gateway_call_t *call);
static ngx_int_t corr_call_send(corr_gateway_call_t *call);
static void corr_call_resume(corr_owner_t *owner);
static void corr_call_answered(corr_gateway_call_t *call,
    corr_http_op_t *http);
static void corr_call_unanswered(corr_gateway_call_t *call,
    corr_http_op_t *http);
static void corr_call_judge(corr_gateway_call_t *call, corr_http_op_t *http);
static void corr_call_again(corr_gateway_call_t *call);
static void corr_call_pause(corr_gateway_call_t *call, ngx_msec_t msec);
static void corr_call_paused(ngx_event_t *ev);
static void corr_call_given_up(corr_gateway_call_t *call);
static void corr_call_end(corr_gateway_call_t *call, corr_op_status_e status);
static void corr_call_count(corr_gateway_call_t *call);
static void corr_call_log(corr_gateway_call_t *call, const char *what);
static void corr_call_expire(corr_op_t *op);
static void corr_call_release(corr_op_t *op);


static const char  *corr_call_kinds[] = {
    "shahkar", "registry", "company", "sms", "sms_status"
};


corr_gateways_t *
corr_gateways_create(ngx_cycle_t *cycle, corr_settings_t *settings,
    corr_http_t *http)
{
    ngx_uint_t             i;
    corr_gateway_t        *conf;
    corr_gateways_t       *gateways;
    corr_gateway_state_t  *state;

    gateways = ngx_pcalloc(cycle->pool, sizeof(corr_gateways_t));
    if (gateways == NULL) {
        return NULL;
    }

    gateways->settings = settings;
    gateways->http = http;
    gateways->log = cycle->log;
    gateways->n = settings->gateways ? settings->gateways->nelts : 0;

    gateways->states = ngx_pcalloc(cycle->pool,
                                   (gateways->n + 1)
                                   * sizeof(corr_gateway_state_t));
    if (gateways->states == NULL) {
        return NULL;
    }

    for (i = 0; i < gateways->n; i++) {
        conf = settings->gateways->elts;
        state = &gateways->states[i];

        state->conf = &conf[i];
        state->gateways = gateways;
        state->slot = corr_gateway_slot(&conf[i], cycle->log);

        corr_gateway_health_init(state);
        corr_gateway_token_init(state, cycle->log);
    }

    return gateways;
}


void
corr_gateways_destroy(corr_gateways_t *gateways)
{
    ngx_uint_t  i;

    if (gateways == NULL) {
        return;
    }

    for (i = 0; i < gateways->n; i++) {
        corr_gateway_token_done(&gateways->states[i]);
    }
}


corr_str_t
corr_gateway_kind_name(corr_gateway_kind_e kind)
{
    return corr_cstr(corr_call_kinds[kind]);
}


ngx_uint_t
corr_gateway_count(corr_gateways_t *gateways, corr_gateway_kind_e kind)
{
    ngx_uint_t  i, n;

    n = 0;

    for (i = 0; gateways != NULL && i < gateways->n; i++) {
        n += (gateways->states[i].conf->kind == kind);
    }

    return n;
}


corr_gateway_op_t *
corr_gateway_call(corr_gateways_t *gateways, corr_owner_t *owner,
    corr_gateway_kind_e kind, const corr_view_t *values)
{
    corr_op_t            *op;
    corr_gateway_call_t  *call;

    op = corr_op_create(sizeof(corr_gateway_call_t), owner,
                        corr_call_kinds[kind], gateways->log);
    if (op == NULL) {
        return NULL;
    }

    call = (corr_gateway_call_t *) op;

    call->gateways = gateways;
    call->kind = kind;
    call->op.reason = CORR_STR("none");

    call->pause.handler = corr_call_paused;
    call->pause.data = op;
    call->pause.log = gateways->log;

    corr_owner_init(&call->owner, corr_call_resume, gateways->log);

    op->expire = corr_call_expire;
    op->release = corr_call_release;

    /* what people typed, and codes, go with it */

    op->secret = 1;

    if (corr_gateway_values_copy(call, values) != NGX_OK) {
        corr_op_free(op);
        return NULL;
    }

    op->in_client = 1;
    corr_op_start(op, corr_call_timeout(call));

    corr_call_next(call);

    return &call->op;
}


/*
 * Everybody that could be asked, one after the other; but no longer than
 * whoever waits does: a page, or the lease of a message.
 */

static ngx_msec_t
corr_call_timeout(corr_gateway_call_t *call)
{
    ngx_uint_t             i;
    ngx_msec_t             sum, limit;
    corr_settings_t       *s = call->gateways->settings;
    const corr_gateway_t  *g;

    sum = CORR_CALL_SLACK;

    for (i = 0; i < call->gateways->n; i++) {

        g = call->gateways->states[i].conf;

        if (g->kind == call->kind) {
            sum += g->profile.timeout * (g->token ? 2 : 1);
            sum += g->retries * g->profile.connect_timeout;
        }
    }

    if (call->kind == CORR_GATEWAY_SMS
        || call->kind == CORR_GATEWAY_SMS_STATUS)
    {
        limit = (ngx_msec_t) s->relay_lease * 1000;
        limit = limit > 2 * CORR_CALL_SPARE ? limit - CORR_CALL_SPARE
                                            : limit / 2;

    } else {
        limit = s->page_timeout - s->page_timeout / 8;
    }

    return ngx_min(sum, limit);
}


/* The next gateway, or none is left. */

static void
corr_call_next(corr_gateway_call_t *call)
{
    corr_gateway_state_t  *state;

    call->state = CORR_CALL_NEXT;

    state = corr_gateway_choose(call);

    if (state == NULL) {

        if (call->unsent && !call->unclear) {
            call->op.verdict = CORR_VERDICT_UNSENT;
            call->op.reason = CORR_STR("unsent");
        }

        corr_call_end(call, CORR_OP_OK);
        return;
    }

    call->gateway = state;
    call->retries = 0;
    call->renewed = 0;
    call->counted = 0;
    call->op.provider = state->conf->name;

    corr_call_admit(call);
}


static void
corr_call_admit(corr_gateway_call_t *call)
{
    ngx_int_t   rc;
    ngx_msec_t  wait;

    call->queued = 0;

    if (call->gateway->conf->token) {

        rc = corr_gateway_token_get(call->gateway, call);

        if (rc == NGX_AGAIN) {
            call->state = CORR_CALL_TOKEN;
            return;
        }

        if (rc != NGX_OK) {
            corr_gateway_token_ready(call, 0);
            return;
        }
    }

    wait = corr_gateway_admit(call->gateway, call->counted);

    if (wait == NGX_TIMER_INFINITE) {
        call->op.reason = CORR_STR("budget");
        corr_call_next(call);
        return;
    }

    if (wait) {
        call->queued = 1;
        corr_call_pause(call, wait);
        return;
    }

    call->counted = 1;

    corr_call_ask(call);
}


void
corr_gateway_token_ready(corr_gateway_call_t *call, ngx_uint_t ok)
{
    call->state = CORR_CALL_NEXT;

    if (ok) {
        corr_call_admit(call);
        return;
    }

    /* nothing was asked: nobody has a doubt */

    corr_gateway_health_note(call->gateway, 0, 0);

    call->op.reason = CORR_STR("token");
    corr_call_log(call, "has no token");
    corr_call_given_up(call);
}


static void
corr_call_ask(corr_gateway_call_t *call)
{
    if (corr_call_send(call) == NGX_OK) {
        call->gateway->asked = ngx_current_msec;
        call->state = CORR_CALL_ASKED;
        return;
    }

    /* a value that may not stand where it should */

    call->op.reason = CORR_STR("value");
    corr_call_log(call, "cannot be asked: a value does not fit");
    corr_call_given_up(call);
}


static ngx_int_t
corr_call_send(corr_gateway_call_t *call)
{
    ngx_pool_t             *pool;
    corr_http_request_t     request;
    const corr_gateway_t   *g = call->gateway->conf;

    pool = ngx_create_pool(4096, call->gateways->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    corr_gateway_text_begin(call);
    call->serial = call->gateway->serial;
    call->http = NULL;

    if (corr_gateway_request_fill(call, call->gateway, &g->request,
                                  &g->request.body, pool, &request)
        == CORR_OK)
    {
        call->http = corr_http_send(call->gateways->http, &call->owner,
                                    g->label, &request);
        corr_gateway_count_up(call->gateway->slot, requests);
    }

    corr_pool_destroy(pool);

    return call->http ? NGX_OK : NGX_ERROR;
}


static void
corr_call_resume(corr_owner_t *owner)
{
    corr_http_op_t       *http;
    corr_gateway_call_t  *call;

    call = ngx_queue_data(owner, corr_gateway_call_t, owner);
    http = call->http;

    if (call->state != CORR_CALL_ASKED || http == NULL
        || http->op.status == CORR_OP_PENDING)
    {
        return;
    }

    call->http = NULL;
    corr_call_answered(call, http);
}


/* The answer is judged, then what it stood in can go. */

static void
corr_call_answered(corr_gateway_call_t *call, corr_http_op_t *http)
{
    if (http->op.status != CORR_OP_OK) {
        corr_call_unanswered(call, http);
        return;
    }

    if (http->code == 401 && call->gateway->conf->token && !call->renewed) {

        call->renewed = 1;
        corr_gateway_token_refused(call->gateway, call->serial);
        corr_op_free(&http->op);
        corr_call_admit(call);
        return;
    }

    corr_call_judge(call, http);
}


static void
corr_call_unanswered(corr_gateway_call_t *call, corr_http_op_t *http)
{
    ngx_uint_t          again;
    corr_gateway_op_t  *op = &call->op;

    corr_gateway_health_note(call->gateway, 0, http->elapsed);

    op->verdict = CORR_VERDICT_UNKNOWN;

    switch (http->error) {

    case CORR_HTTP_BAD_REQUEST:
        op->reason = CORR_STR("request");
        break;

    case CORR_HTTP_RESOLVE:
        op->reason = CORR_STR("resolve");
        break;

    case CORR_HTTP_CONNECT:
        op->reason = CORR_STR("connect");
        break;

    case CORR_HTTP_TLS:
        op->reason = CORR_STR("tls");
        break;

    case CORR_HTTP_TOO_LARGE:
        op->reason = CORR_STR("too_large");
        break;

    case CORR_HTTP_DEADLINE:
        op->reason = CORR_STR("timeout");
        break;

    default:
        op->reason = CORR_STR("no_answer");
        break;
    }

    op->doubt = (http->op.status != CORR_OP_UNAVAILABLE);

    if (op->doubt) {
        op->reference = call->sent_id;
    }

    /* a connection fault: nothing was asked, so it may be asked again */

    again = (!op->doubt && http->error != CORR_HTTP_BAD_REQUEST);

    corr_call_log(call, "did not answer");
    corr_op_free(&http->op);

    if (again) {
        corr_call_again(call);
        return;
    }

    corr_call_given_up(call);
}


static void
corr_call_judge(corr_gateway_call_t *call, corr_http_op_t *http)
{
    corr_answer_e  answer;

    answer = corr_gateway_judge(call, http->code, http->body);

    corr_gateway_health_note(call->gateway,
                             answer == CORR_ANSWER_DONE
                             && call->op.verdict != CORR_VERDICT_UNKNOWN,
                             http->elapsed);
    corr_op_free(&http->op);

    if (answer == CORR_ANSWER_BUSY) {
        corr_call_again(call);
        return;
    }

    if (call->op.verdict == CORR_VERDICT_UNKNOWN) {
        corr_call_log(call, "gave no clear answer");
        corr_call_given_up(call);
        return;
    }

    /* whose provider is not known never got out when none of them got it */

    if (call->op.verdict == CORR_VERDICT_UNSENT && call->only.len == 0) {
        call->op.verdict = CORR_VERDICT_UNKNOWN;
        call->unsent = 1;
        corr_call_next(call);
        return;
    }

    corr_call_end(call, CORR_OP_OK);
}


/* Once more at the same gateway, a little later. */

static void
corr_call_again(corr_gateway_call_t *call)
{
    ngx_msec_t  pause;

    if (call->retries >= call->gateway->conf->retries) {
        corr_call_given_up(call);
        return;
    }

    corr_gateway_count_up(call->gateway->slot, retries);

    pause = (ngx_msec_t) CORR_CALL_PAUSE_FIRST << ngx_min(call->retries, 4);
    call->retries++;

    corr_call_pause(call, pause / 2 + (ngx_msec_t) ngx_random() % pause);
}


static void
corr_call_pause(corr_gateway_call_t *call, ngx_msec_t msec)
{
    call->state = CORR_CALL_PAUSE;
    ngx_add_timer(&call->pause, msec);
}


static void
corr_call_paused(ngx_event_t *ev)
{
    corr_gateway_call_t *call = ev->data;

    corr_call_admit(call);
}


/*
 * This gateway said nothing of use: the next one, but never with a message
 * that may have gone out already.
 */

static void
corr_call_given_up(corr_gateway_call_t *call)
{
    corr_gateway_count_up(call->gateway->slot, unknown);
    call->unclear = 1;

    if (call->op.doubt && call->kind == CORR_GATEWAY_SMS) {
        corr_call_end(call, CORR_OP_OK);
        return;
    }

    corr_call_next(call);
}


static void
corr_call_end(corr_gateway_call_t *call, corr_op_status_e status)
{
    corr_op_t  *op = &call->op.op;

    call->state = CORR_CALL_ENDED;

    if (call->pause.timer_set) {
        ngx_del_timer(&call->pause);
    }

    corr_call_count(call);

    corr_op_complete(op, status);
    corr_op_forget(op);
}


static void
corr_call_count(corr_gateway_call_t *call)
{
    if (call->gateway == NULL) {
        return;
    }

    switch (call->op.verdict) {

    case CORR_VERDICT_UNKNOWN:
        break;

    case CORR_VERDICT_NO:
        corr_gateway_count_up(call->gateway->slot, no);
        break;

    default:
        corr_gateway_count_up(call->gateway->slot, yes);
        break;
    }
}


static void
corr_call_log(corr_gateway_call_t *call, const char *what)
{
    ngx_log_error(NGX_LOG_WARN, call->gateways->log, 0,
                  "%s gateway \"%s\" %s: %*s", corr_call_kinds[call->kind],
                  call->gateway->conf->label, what, call->op.reason.len,
                  call->op.reason.data);
}


static void
corr_call_expire(corr_op_t *op)
{
    corr_gateway_call_t *call = (corr_gateway_call_t *) op;

    if (call->state == CORR_CALL_TOKEN) {
        ngx_queue_remove(&call->link);

    } else if (call->state == CORR_CALL_ASKED) {

        /* nobody knows how far it came */

        call->op.doubt = 1;
        call->op.reference = call->sent_id;
    }

    call->op.verdict = CORR_VERDICT_UNKNOWN;
    call->op.reason = CORR_STR("timeout");

    if (call->queued) {

        /* our own limit of a second, no fault of the gateway's */

        call->op.reason = CORR_STR("rate");

    } else if (call->gateway) {
        corr_gateway_health_note(call->gateway, 0,
                                 ngx_current_msec - op->started);
        corr_gateway_count_up(call->gateway->slot, unknown);
        corr_call_log(call, "took too long");
    }

    corr_owner_detach(&call->owner);
    call->http = NULL;

    corr_call_end(call, CORR_OP_TIMEOUT);
}


static void
corr_call_release(corr_op_t *op)
{
    corr_gateway_call_t  *call = (corr_gateway_call_t *) op;

    if (call->pause.timer_set) {
        ngx_del_timer(&call->pause);
    }

    corr_owner_detach(&call->owner);
}


corr_str_t
corr_gateway_taken(const corr_gateway_op_t *op, const char *name)
{
    return corr_gateway_value(op->taken, name);
}


corr_str_t
corr_verdict_name(corr_verdict_e verdict)
{
    switch (verdict) {

    case CORR_VERDICT_YES:
        return CORR_STR("yes");

    case CORR_VERDICT_NO:
        return CORR_STR("no");

    case CORR_VERDICT_SENT:
        return CORR_STR("sent");

    case CORR_VERDICT_UNSENT:
        return CORR_STR("unsent");

    default:
        return CORR_STR("unknown");
    }
}


ngx_int_t
corr_gateway_status(corr_gateways_t *gateways, ngx_uint_t i,
    corr_gateway_status_t *status)
{
    corr_gateway_slot_t   *slot;
    corr_gateway_state_t  *state;

    if (gateways == NULL || i >= gateways->n) {
        return NGX_DECLINED;
    }

    state = &gateways->states[i];
    slot = state->slot;

    ngx_memzero(status, sizeof(corr_gateway_status_t));

    status->kind = corr_gateway_kind_name(state->conf->kind);
    status->name = state->conf->name;
    status->position = state->conf->position;
    status->budget = state->conf->budget;

    if (slot) {
        status->requests = slot->requests;
        status->yes = slot->yes;
        status->no = slot->no;
        status->unknown = slot->unknown;
        status->errors = slot->errors;
        status->retries = slot->retries;
        status->tokens = slot->tokens;
        status->msec = slot->msec;

        if (slot->day == corr_gateway_today()) {
            status->used = slot->used;
            status->alarm = slot->alarm;
        }
    }

    return NGX_OK;
}
