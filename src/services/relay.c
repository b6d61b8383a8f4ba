/*
 * The relay: claims messages, renders them, sends them, records what came of
 * it; and asks what became of those that were sent.
 *
 * Each message under way has an owner and a pool of its own and goes through
 * ASKING (a gateway) and RECORDING (the database); the second is repeated
 * until it succeeds or the lease has long ended: what is not known to have
 * been sent would be sent again.
 */

#include "relay.h"
#include "job.h"
#include "texts.h"

#include "../io/pool.h"
#include "../io/retry.h"
#include "../lib/json.h"
#include "../lib/sms.h"

#include "statements.h"


#define CORR_RELAY_PARAMS_MAX    65536   /* bytes of JSON */

/* a result is recorded again: so often when the database refuses it, or the
   worker ends; for so long, in milliseconds, when it is away */

#define CORR_RELAY_RECORDS       12
#define CORR_RELAY_RECORDING     600000

#define CORR_RELAY_SWEEP         5       /* each so many checks */

/* checks of a message whose fate is unknown before it is sent again: with a
   provider that could tell, and without one */

#define CORR_RELAY_GIVE_UP       6
#define CORR_RELAY_NO_STATUS     1

/* when a code goes out, milliseconds behind its request */

#define CORR_RELAY_CODE_LEAST    100
#define CORR_RELAY_CODE_MORE     300

#define CORR_CODE_MASK           "******"


typedef struct corr_message_s  corr_message_t;


struct corr_relay_s {
    corr_settings_t         *settings;
    corr_pg_t               *pg;
    corr_gateways_t         *gateways;
    ngx_log_t               *log;
    corr_job_t               claim;
    corr_job_t               check;
    corr_pg_op_t            *claiming;
    corr_pg_op_t            *checking;
    ngx_uint_t               room;       /* of the claim: for messages, */
    ngx_uint_t               others;     /* and for those that are no codes */
    ngx_uint_t               checks;     /* runs of the check */
    ngx_uint_t               sending;    /* under way */
    ngx_uint_t               looking;    /* under way, for their state */
    ngx_queue_t              messages;   /* corr_message_t */
    corr_str_t               node;
    corr_relay_status_t      status;
    unsigned                 more:1;     /* wait: the last claim with room
                                            for them was full */
};


struct corr_message_s {
    corr_owner_t             owner;
    ngx_queue_t              link;
    corr_timer_data_t        timer;
    ngx_event_t              pause;
    ngx_pool_t              *pool;
    corr_alloc_t             alloc;
    corr_relay_t            *relay;
    int64_t                  id;
    int64_t                  tries;
    unsigned                 check:1;    /* its state is asked for */
    unsigned                 sent:1;     /* the state it is checked in */
    corr_gateway_op_t       *call;
    corr_pg_op_t            *record;
    corr_retry_t             retry;
    ngx_msec_t               ended;      /* when there was a result */
    ngx_uint_t               vain;       /* of CORR_RELAY_RECORDS */

    /* wiped once it was handed to the gateway */
    corr_str_t               code;
    corr_str_t               full;

    /* what is recorded */
    corr_str_t               outcome;
    corr_str_t               provider;
    corr_str_t               reference;
    corr_str_t               reason;
    corr_str_t               text;       /* codes masked */
    corr_pg_param_t          cost;
    int64_t                  parts;
    int64_t                  give_up;
};


static ngx_int_t corr_relay_name(corr_relay_t *relay, ngx_cycle_t *cycle);
static void corr_relay_claim(corr_job_t *job);
static void corr_relay_claimed(corr_job_t *job);
static ngx_uint_t corr_relay_room(corr_relay_t *relay);
static ngx_uint_t corr_relay_others(corr_relay_t *relay, ngx_uint_t room);
static void corr_relay_check(corr_job_t *job);
static void corr_relay_checked(corr_job_t *job);

static corr_message_t *corr_message_create(corr_relay_t *relay,
    corr_rows_t *rows, ngx_uint_t row);
static void corr_message_finish(corr_message_t *m);
static void corr_message_destroy(corr_message_t *m);
static void corr_message_send(corr_message_t *m, corr_rows_t *rows,
    ngx_uint_t row);
static const char *corr_message_render(corr_message_t *m,
    corr_rows_t *rows, ngx_uint_t row, corr_view_t **params);
static const char *corr_message_params(corr_message_t *m, corr_str_t json,
    corr_view_t **params);
static ngx_int_t corr_message_open(corr_message_t *m, corr_str_t secret);
static corr_view_t *corr_message_values(corr_message_t *m,
    corr_rows_t *rows, ngx_uint_t row, const corr_view_t *params);
static ngx_int_t corr_message_named(corr_message_t *m,
    const corr_view_t *params, corr_view_t *values);
static void corr_message_wipe(corr_message_t *m);
static void corr_message_refuse(corr_message_t *m, const char *reason);
static void corr_message_look(corr_message_t *m, corr_rows_t *rows,
    ngx_uint_t row);
static void corr_message_resume(corr_owner_t *owner);
static void corr_message_answered(corr_message_t *m);
static void corr_message_judge_sent(corr_message_t *m);
static void corr_message_judge_state(corr_message_t *m);
static void corr_message_record(corr_message_t *m);
static void corr_message_record_sent(corr_message_t *m);
static void corr_message_record_state(corr_message_t *m);
static void corr_message_recorded(corr_message_t *m);
static ngx_uint_t corr_message_in_vain(corr_message_t *m,
    corr_op_status_e status);
static void corr_message_paused(ngx_event_t *ev);
static corr_str_t corr_message_keep(corr_message_t *m, corr_str_t s);
static corr_pg_param_t corr_message_text(corr_str_t s);
static void *corr_message_palloc(void *pool, size_t size);


corr_relay_t *
corr_relay_create(ngx_cycle_t *cycle, corr_settings_t *settings,
    corr_pg_t *pg, corr_gateways_t *gateways)
{
    corr_relay_t  *relay;

    relay = ngx_pcalloc(cycle->pool, sizeof(corr_relay_t));
    if (relay == NULL) {
        return NULL;
    }

    relay->settings = settings;
    relay->pg = pg;
    relay->gateways = gateways;
    relay->log = cycle->log;

    ngx_queue_init(&relay->messages);

    if (corr_relay_name(relay, cycle) != NGX_OK) {
        return NULL;
    }

    corr_job_init(&relay->claim, settings->relay_interval, corr_relay_claim,
                  corr_relay_claimed, relay, cycle->log);
    corr_job_init(&relay->check, 2 * settings->relay_interval,
                  corr_relay_check, corr_relay_checked, relay, cycle->log);

    return relay;
}


/* Who holds a lease, for people who look at the table. */

static ngx_int_t
corr_relay_name(corr_relay_t *relay, ngx_cycle_t *cycle)
{
    u_char  *p;

    relay->node.data = ngx_pnalloc(cycle->pool,
                                   cycle->hostname.len + 1 + NGX_INT64_LEN);
    if (relay->node.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(relay->node.data, "%V:%P", &cycle->hostname, ngx_pid);
    relay->node.len = p - relay->node.data;

    return NGX_OK;
}


void
corr_relay_destroy(corr_relay_t *relay)
{
    ngx_queue_t  *q;

    if (relay == NULL) {
        return;
    }

    corr_job_stop(&relay->claim);
    corr_job_stop(&relay->check);

    while (!ngx_queue_empty(&relay->messages)) {
        q = ngx_queue_head(&relay->messages);
        corr_message_destroy(ngx_queue_data(q, corr_message_t, link));
    }
}


void
corr_relay_wake(corr_relay_t *relay)
{
    if (relay == NULL || ngx_exiting || ngx_terminate) {
        return;
    }

    corr_job_wake(&relay->claim);
}


/*
 * Not at once: a code that is sent makes work that one for nobody does not,
 * and the request that follows at once would be slower for it.  By chance,
 * so that no later request is the one to look at.
 */

void
corr_relay_wake_code(corr_relay_t *relay)
{
    if (relay == NULL || ngx_exiting || ngx_terminate) {
        return;
    }

    corr_job_wake_in(&relay->claim, CORR_RELAY_CODE_LEAST
                     + (ngx_msec_t) ngx_random() % CORR_RELAY_CODE_MORE);
}


void
corr_relay_status(corr_relay_t *relay, corr_relay_status_t *status)
{
    *status = relay->status;
    status->in_flight = relay->sending + relay->looking;
}


/* Claiming: no more than can be sent at once. */

static ngx_uint_t
corr_relay_room(corr_relay_t *relay)
{
    ngx_uint_t  batch = relay->settings->relay_batch;

    if (relay->sending >= batch) {
        return 0;
    }

    return corr_gateway_room(relay->gateways, CORR_GATEWAY_SMS,
                             batch - relay->sending);
}


/* A quarter of the places is for codes alone: others may be slow. */

static ngx_uint_t
corr_relay_others(corr_relay_t *relay, ngx_uint_t room)
{
    ngx_uint_t  places;

    places = relay->settings->relay_batch - relay->settings->relay_batch / 4;

    return relay->sending < places ? ngx_min(places - relay->sending, room)
                                   : 0;
}


static void
corr_relay_claim(corr_job_t *job)
{
    ngx_uint_t     room;
    corr_relay_t  *relay = job->data;

    room = corr_relay_room(relay);

    if (room == 0) {
        corr_job_done(job, 0);
        return;
    }

    relay->room = room;
    relay->others = corr_relay_others(relay, room);
    relay->claiming = corr_pg_begin(relay->pg, &job->owner,
                                    "messages claim");

    if (relay->claiming == NULL) {
        corr_job_done(job, 0);
        return;
    }

    (void) corr_pg_add(relay->claiming, CORR_SQL_MESSAGES_CLAIM, 4,
                       (corr_pg_param_t[]) {
                           corr_pg_int(room),
                           corr_pg_int(relay->settings->relay_lease),
                           corr_pg_text(relay->node),
                           corr_pg_int(relay->others) });
    corr_pg_send(relay->claiming, 0);
}


static void
corr_relay_claimed(corr_job_t *job)
{
    ngx_uint_t       row, n;
    corr_rows_t     *rows;
    corr_relay_t    *relay = job->data;
    corr_message_t  *m;

    rows = relay->claiming->op.status == CORR_OP_OK
           ? corr_pg_rows(relay->claiming, 0) : NULL;

    for (row = 0; rows != NULL && row < rows->nrows; row++) {

        m = corr_message_create(relay, rows, row);

        /* without memory its lease ends, and it is looked for */

        if (m != NULL) {
            relay->sending++;
            corr_message_send(m, rows, row);
        }
    }

    n = rows ? rows->nrows : 0;

    if (relay->others) {
        relay->more = (n >= relay->others);

    } else if (n == relay->room) {
        relay->more = 1;
    }

    relay->claiming = NULL;

    corr_job_done(job, 0);
}


/* What became of those that were sent, and of those nobody knows about. */

static void
corr_relay_check(corr_job_t *job)
{
    ngx_uint_t     room;
    corr_relay_t  *relay = job->data;

    relay->checking = corr_pg_begin(relay->pg, &job->owner,
                                    "messages check");
    if (relay->checking == NULL) {
        corr_job_done(job, 0);
        return;
    }

    room = relay->settings->relay_batch > relay->looking
           ? relay->settings->relay_batch - relay->looking : 0;

    (void) corr_pg_add(relay->checking, CORR_SQL_MESSAGES_TO_CHECK, 3,
                       (corr_pg_param_t[]) {
                           corr_pg_int(room),
                           corr_pg_int(relay->settings->relay_lease),
                           corr_pg_bool(corr_gateway_count(relay->gateways,
                                            CORR_GATEWAY_SMS_STATUS) != 0)
                       });

    if (relay->checks++ % CORR_RELAY_SWEEP == 0) {
        (void) corr_pg_add(relay->checking, CORR_SQL_MESSAGES_SWEEP, 0,
                           NULL);
    }

    corr_pg_send(relay->checking, 0);
}


static void
corr_relay_checked(corr_job_t *job)
{
    ngx_uint_t       row, n;
    corr_rows_t     *rows;
    corr_relay_t    *relay = job->data;
    corr_message_t  *m;

    rows = relay->checking->op.status == CORR_OP_OK
           ? corr_pg_rows(relay->checking, 0) : NULL;
    n = rows ? rows->nrows : 0;

    for (row = 0; row < n; row++) {

        m = corr_message_create(relay, rows, row);

        if (m != NULL) {
            relay->looking++;
            corr_message_look(m, rows, row);
        }
    }

    relay->checking = NULL;

    corr_job_done(job, n == relay->settings->relay_batch);
}


/* One message. */

static corr_message_t *
corr_message_create(corr_relay_t *relay, corr_rows_t *rows, ngx_uint_t row)
{
    ngx_pool_t      *pool;
    corr_message_t  *m;

    pool = ngx_create_pool(2048, relay->log);
    if (pool == NULL) {
        return NULL;
    }

    m = ngx_pcalloc(pool, sizeof(corr_message_t));
    if (m == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    m->pool = pool;
    m->alloc.alloc = corr_message_palloc;
    m->alloc.pool = pool;
    m->relay = relay;
    m->id = corr_rows_int(rows, row, "id");
    m->tries = corr_rows_int(rows, row, "tries");
    m->cost = corr_pg_null();

    m->timer.ident = (ngx_socket_t) -1;
    m->pause.handler = corr_message_paused;
    m->pause.data = &m->timer;
    m->pause.log = relay->log;

    corr_owner_init(&m->owner, corr_message_resume, relay->log);
    ngx_queue_insert_tail(&relay->messages, &m->link);

    return m;
}


static void
corr_message_finish(corr_message_t *m)
{
    corr_relay_t  *relay = m->relay;

    if (m->check) {
        relay->looking--;

    } else {
        relay->sending--;
    }

    corr_message_destroy(m);

    /* room again, and there was more: half a batch at a time */

    if (relay->more && relay->sending <= relay->settings->relay_batch / 2) {
        corr_relay_wake(relay);
    }
}


static void
corr_message_destroy(corr_message_t *m)
{
    if (m->pause.timer_set) {
        ngx_del_timer(&m->pause);
    }

    corr_owner_detach(&m->owner);
    ngx_queue_remove(&m->link);
    corr_pool_destroy(m->pool);
}


static void
corr_message_send(corr_message_t *m, corr_rows_t *rows, ngx_uint_t row)
{
    const char   *reason;
    corr_view_t  *params, *values;

    reason = corr_message_render(m, rows, row, &params);

    if (reason) {
        corr_message_wipe(m);
        corr_message_refuse(m, reason);
        return;
    }

    values = corr_message_values(m, rows, row, params);

    if (values) {
        m->call = corr_gateway_call(m->relay->gateways, &m->owner,
                                    CORR_GATEWAY_SMS, values);
    }

    corr_message_wipe(m);

    if (m->call == NULL) {
        corr_message_refuse(m, "memory");
    }
}


/* The text as it is sent, and as it is kept.  NULL, or why there is none. */

static const char *
corr_message_render(corr_message_t *m, corr_rows_t *rows, ngx_uint_t row,
    corr_view_t **params)
{
    ngx_int_t         sms;
    corr_str_t        secret;
    corr_sms_t        count;
    const char       *reason;
    corr_settings_t  *s = m->relay->settings;

    sms = corr_texts_sms_find(s->texts, corr_rows_text(rows, row,
                                                       "template"));
    if (sms < 0) {
        return "template";
    }

    reason = corr_message_params(m, corr_rows_text(rows, row, "params"),
                                 params);
    if (reason) {
        return reason;
    }

    secret = corr_rows_text(rows, row, "secret");

    if (secret.len && corr_message_open(m, secret) != NGX_OK) {
        return "secret";
    }

    corr_view_text(*params, "host", corr_make_str(s->host.data,
                                                  s->host.len));
    corr_view_text(*params, "body_name", corr_make_str(s->body_name.data,
                                                       s->body_name.len));

    if (m->code.len) {
        corr_view_text(*params, "code", m->code);
    }

    m->full = corr_texts_render_sms(s->texts, sms, *params, m->pool);
    m->text = m->full;

    if (m->code.len) {
        corr_view_cstr(*params, "code", CORR_CODE_MASK);
        m->text = corr_texts_render_sms(s->texts, sms, *params, m->pool);
    }

    /* a code that did not get in would be missing, or stay in what is kept */

    if (corr_view_failed(*params)) {
        m->text.len = 0;
        return "memory";
    }

    if (m->full.len == 0 || m->text.len == 0
        || corr_sms_count(m->full, &count) != CORR_OK)
    {
        return "render";
    }

    m->parts = count.parts;

    return NULL;
}


static const char *
corr_message_params(corr_message_t *m, corr_str_t json, corr_view_t **params)
{
    int           rc;
    corr_value_t  value;

    rc = corr_json_parse(&m->alloc, json, CORR_RELAY_PARAMS_MAX, &value,
                         NULL);

    if (rc == CORR_ERROR) {
        return "memory";
    }

    if (rc != CORR_OK || value.kind != CORR_OBJECT) {
        return "params";
    }

    *params = value.object;

    return NULL;
}


static ngx_int_t
corr_message_open(corr_message_t *m, corr_str_t secret)
{
    m->code.data = ngx_pnalloc(m->pool, CORR_RELAY_CODE_MAX);

    if (m->code.data == NULL
        || corr_relay_open_code(m->relay->settings->secrets, secret,
                                m->code.data, &m->code.len)
           != CORR_OK)
    {
        m->code.len = 0;
        return NGX_ERROR;
    }

    return NGX_OK;
}


static corr_view_t *
corr_message_values(corr_message_t *m, corr_rows_t *rows, ngx_uint_t row,
    const corr_view_t *params)
{
    corr_view_t  *values;

    values = corr_view_create(&m->alloc);
    if (values == NULL) {
        return NULL;
    }

    corr_view_text(values, "mobile", corr_rows_text(rows, row, "mobile"));
    corr_view_text(values, "template",
                   corr_rows_text(rows, row, "template"));
    corr_view_int(values, "local_id",
                  corr_rows_int(rows, row, "provider_key"));
    corr_view_text(values, "text", m->full);

    if (m->code.len) {
        corr_view_text(values, "code", m->code);
    }

    if (corr_message_named(m, params, values) != NGX_OK) {
        return NULL;
    }

    return corr_view_failed(values) ? NULL : values;
}


/* value_tracking_code and the like, for templates of the provider's. */

static ngx_int_t
corr_message_named(corr_message_t *m, const corr_view_t *params,
    corr_view_t *values)
{
    u_char        *key;
    unsigned       position;
    corr_str_t     name, text;
    corr_value_t   value;

    position = 0;

    while (corr_view_next(params, &position, &name, &value)) {

        if (corr_json_scalar(&m->alloc, value, &text) != CORR_OK
            || corr_str_is(name, "code"))
        {
            continue;
        }

        key = ngx_pnalloc(m->pool, name.len + sizeof("value_"));
        if (key == NULL) {
            return NGX_ERROR;
        }

        ngx_sprintf(key, "value_%*s%Z", name.len, name.data);
        corr_view_text(values, (char *) key, text);
    }

    return NGX_OK;
}


static void
corr_message_wipe(corr_message_t *m)
{
    if (m->code.len) {
        corr_secrets_wipe(m->code.data, m->code.len);
        corr_secrets_wipe(m->full.data, m->full.len);
        m->code.len = 0;
        m->full.len = 0;
    }
}


/*
 * A message that can never be sent does not come again.  One for which there
 * is no memory now, or whose template or key a newer node has and this one
 * not yet, does: as often as one that providers do not take.
 */

static void
corr_message_refuse(corr_message_t *m, const char *reason)
{
    ngx_log_error(NGX_LOG_ERR, m->relay->log, 0,
                  "message %L cannot be sent: %s", m->id, reason);

    m->reason = corr_cstr(reason);
    m->outcome = corr_str_is(m->reason, "params") ? CORR_STR("failed")
                                                  : CORR_STR("retry");

    corr_message_record(m);
}


static void
corr_message_look(corr_message_t *m, corr_rows_t *rows, ngx_uint_t row)
{
    corr_str_t     provider, id;
    corr_view_t   *values;
    corr_relay_t  *relay = m->relay;

    m->check = 1;
    m->sent = corr_str_is(corr_rows_text(rows, row, "state"), "sent");
    m->give_up = CORR_RELAY_NO_STATUS;

    values = corr_view_create(&m->alloc);

    if (values != NULL) {
        provider = corr_rows_text(rows, row, "provider");
        id = corr_rows_text(rows, row, "provider_id");

        corr_view_int(values, "local_id",
                      corr_rows_int(rows, row, "provider_key"));

        if (id.len) {
            corr_view_text(values, "id", id);
        }

        if (provider.len) {
            corr_view_text(values, "provider", provider);
        }

        m->call = corr_gateway_call(relay->gateways, &m->owner,
                                    CORR_GATEWAY_SMS_STATUS, values);
    }

    if (m->call == NULL) {
        m->outcome = CORR_STR("pending");
        corr_message_record(m);
    }
}


static void
corr_message_resume(corr_owner_t *owner)
{
    corr_message_t  *m;

    m = ngx_queue_data(owner, corr_message_t, owner);

    if (corr_owner_waits(owner)) {
        return;
    }

    if (m->record) {
        corr_message_recorded(m);

    } else if (m->call) {
        corr_message_answered(m);
    }
}


static void
corr_message_answered(corr_message_t *m)
{
    corr_str_t          cost;
    ngx_int_t           n;
    corr_gateway_op_t  *call = m->call;

    m->provider = corr_message_keep(m, call->provider);
    m->reference = corr_message_keep(m, call->reference);
    m->reason = corr_message_keep(m, call->reason);

    cost = corr_gateway_taken(call, "cost");
    n = ngx_atoi(cost.data, cost.len);

    if (cost.len && n != NGX_ERROR) {
        m->cost = corr_pg_int(n);
    }

    if (m->check) {
        corr_message_judge_state(m);

    } else {
        corr_message_judge_sent(m);
    }

    m->call = NULL;
    corr_op_free(&call->op);

    corr_message_record(m);
}


static void
corr_message_judge_sent(corr_message_t *m)
{
    corr_relay_status_t  *status = &m->relay->status;

    if (m->call->verdict == CORR_VERDICT_YES) {
        m->outcome = CORR_STR("sent");
        m->reason.len = 0;
        status->sent++;

    } else if (m->call->verdict == CORR_VERDICT_NO) {
        m->outcome = CORR_STR("failed");
        status->failed++;

    } else if (m->call->doubt) {
        m->outcome = CORR_STR("unknown");
        status->unknown++;

    } else {

        /* by this message, or by all that are asked now? */

        m->outcome = corr_gateway_works(m->relay->gateways, CORR_GATEWAY_SMS)
                     && !corr_str_is(m->reason, "rate")
                     ? CORR_STR("retry") : CORR_STR("wait");
        status->retried++;
    }
}


static void
corr_message_judge_state(corr_message_t *m)
{
    m->relay->status.checked++;

    switch (m->call->verdict) {

    case CORR_VERDICT_YES:
        m->outcome = CORR_STR("delivered");
        m->reason.len = 0;
        break;

    case CORR_VERDICT_NO:
        m->outcome = CORR_STR("failed");
        break;

    case CORR_VERDICT_SENT:
        m->outcome = CORR_STR("sent");
        m->reason.len = 0;
        break;

    case CORR_VERDICT_UNSENT:

        /* a provider forgets after a while what it certainly had */

        m->outcome = m->sent ? CORR_STR("pending") : CORR_STR("unsent");
        break;

    default:
        m->outcome = CORR_STR("pending");

        if (m->call->provider.len) {
            m->give_up = CORR_RELAY_GIVE_UP;
        }

        break;
    }

    /* the id that was asked with is no news, that of nothing is none */

    if (m->call->verdict == CORR_VERDICT_UNSENT
        || corr_gateway_taken(m->call, "id").len == 0)
    {
        m->reference.len = 0;
    }
}


/* Recording. */

static void
corr_message_record(corr_message_t *m)
{
    if (m->ended == 0) {
        m->ended = ngx_current_msec;
    }

    m->record = corr_pg_begin(m->relay->pg, &m->owner, "message result");

    if (m->record == NULL) {
        ngx_add_timer(&m->pause, corr_retry_delay(&m->retry, 60000));
        return;
    }

    if (m->check) {
        corr_message_record_state(m);

    } else {
        corr_message_record_sent(m);
    }

    corr_pg_send(m->record, 0);
}


static void
corr_message_record_sent(corr_message_t *m)
{
    (void) corr_pg_add(m->record, CORR_SQL_MESSAGE_RESULT, 9,
                       (corr_pg_param_t[]) {
                           corr_pg_int(m->id),
                           corr_pg_int(m->tries),
                           corr_pg_text(m->outcome),
                           corr_message_text(m->provider),
                           corr_message_text(m->reference),
                           corr_message_text(m->reason),
                           m->cost,
                           corr_message_text(m->text),
                           m->parts ? corr_pg_int(m->parts)
                                    : corr_pg_null() });
}


static void
corr_message_record_state(corr_message_t *m)
{
    (void) corr_pg_add(m->record, CORR_SQL_MESSAGE_CHECKED, 6,
                       (corr_pg_param_t[]) {
                           corr_pg_int(m->id),
                           corr_pg_text(m->outcome),
                           corr_message_text(m->provider),
                           corr_message_text(m->reference),
                           corr_message_text(m->reason),
                           corr_pg_int(m->give_up) });
}


static void
corr_message_recorded(corr_message_t *m)
{
    corr_op_status_e  status;

    status = m->record->op.status;

    corr_op_free(&m->record->op);
    m->record = NULL;

    if (status == CORR_OP_OK) {

        /* what goes back to the queue may go out at once */

        if (corr_str_is(m->outcome, "unsent")) {
            corr_relay_wake(m->relay);
        }

        corr_message_finish(m);
        return;
    }

    if (corr_message_in_vain(m, status)) {

        /* its lease ends, it is unknown then, and looked up */

        ngx_log_error(NGX_LOG_ERR, m->relay->log, 0,
                      "message %L: its result could not be recorded: %*s",
                      m->id, m->outcome.len, m->outcome.data);
        corr_message_finish(m);
        return;
    }

    ngx_add_timer(&m->pause, corr_retry_delay(&m->retry, 60000));
}


static ngx_uint_t
corr_message_in_vain(corr_message_t *m, corr_op_status_e status)
{
    if (status == CORR_OP_FAILED || ngx_exiting) {
        return ++m->vain >= CORR_RELAY_RECORDS;
    }

    return ngx_current_msec - m->ended > CORR_RELAY_RECORDING;
}


static void
corr_message_paused(ngx_event_t *ev)
{
    corr_message_record(ngx_queue_data(ev->data, corr_message_t, timer));
}


static corr_str_t
corr_message_keep(corr_message_t *m, corr_str_t s)
{
    corr_str_t  none = corr_null_str;

    s = corr_str_dup(&m->alloc, s);

    return s.data ? s : none;
}


static corr_pg_param_t
corr_message_text(corr_str_t s)
{
    return s.len ? corr_pg_text(s) : corr_pg_null();
}


static void *
corr_message_palloc(void *pool, size_t size)
{
    return ngx_palloc(pool, size);
}


/* Codes. */

size_t
corr_relay_seal_code(const corr_secrets_t *secrets, corr_str_t code,
    unsigned char out[CORR_RELAY_SECRET_MAX])
{
    if (code.len == 0 || code.len > CORR_RELAY_CODE_MAX) {
        return 0;
    }

    return corr_secrets_encrypt(secrets, CORR_KEY_MESSAGE, CORR_STR("code"),
                                code, out);
}


int
corr_relay_open_code(const corr_secrets_t *secrets, corr_str_t sealed,
    unsigned char code[CORR_RELAY_CODE_MAX], size_t *len)
{
    int            rc;
    unsigned char  plain[CORR_RELAY_SECRET_MAX];

    if (sealed.len > sizeof(plain)) {
        return CORR_INVALID;
    }

    rc = corr_secrets_decrypt(secrets, CORR_KEY_MESSAGE, CORR_STR("code"),
                              sealed, plain, len);

    if (rc == CORR_OK && (*len == 0 || *len > CORR_RELAY_CODE_MAX)) {
        rc = CORR_INVALID;
    }

    if (rc == CORR_OK) {
        ngx_memcpy(code, plain, *len);
    }

    corr_secrets_wipe(plain, sizeof(plain));

    return rc;
}
