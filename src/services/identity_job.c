/*
 * A check: the gateway's answer, then the SQL function that records it.  It
 * goes on when whoever asked is gone, or was told that it takes too long.
 */

#include "identity_job.h"
#include "job.h"

#include "../lib/jalali.h"

#include "statements.h"


#define CORR_IDENTITY_INTERVAL   5000
#define CORR_IDENTITY_BATCH      5
#define CORR_IDENTITY_LEASE      120     /* seconds */


struct corr_identity_s {
    corr_settings_t         *settings;
    corr_pg_t               *pg;
    corr_gateways_t         *gateways;
    corr_relay_t            *relay;
    ngx_log_t               *log;
    corr_job_t               job;
    corr_pg_op_t            *claim;
};


typedef struct {
    corr_identity_op_t       op;         /* first */
    corr_identity_t         *identity;
    corr_alloc_t             alloc;
    corr_owner_t             owner;
    corr_identity_ask_t      ask;        /* copied */
    corr_gateway_op_t       *call;
    corr_pg_op_t            *record;
    corr_str_t               verdict;    /* as SQL wants it */
    ngx_uint_t               by_relay;
    u_char                   birth_date[16];
} corr_identity_check_t;


static corr_identity_op_t *corr_identity_begin(corr_identity_t *identity,
    corr_owner_t *owner, const corr_identity_ask_t *ask,
    ngx_uint_t by_relay);
static ngx_int_t corr_identity_copy(corr_identity_check_t *check,
    const corr_identity_ask_t *ask);
static corr_gateway_kind_e corr_identity_kind(corr_str_t step);
static ngx_uint_t corr_identity_skips(corr_identity_check_t *check);
static void corr_identity_call(corr_identity_check_t *check);
static void corr_identity_resume(corr_owner_t *owner);
static void corr_identity_record(corr_identity_check_t *check);
static corr_pg_param_t corr_identity_name(corr_identity_check_t *check,
    const char *name, corr_str_t typed);
static corr_pg_param_t corr_identity_text(corr_str_t s);
static void corr_identity_recorded(corr_identity_check_t *check);
static void corr_identity_end(corr_identity_check_t *check,
    corr_op_status_e status);
static void corr_identity_expire(corr_op_t *op);
static void corr_identity_release(corr_op_t *op);
static void corr_identity_claim(corr_job_t *job);
static void corr_identity_resumed(corr_job_t *job);
static ngx_uint_t corr_identity_room(corr_identity_t *identity);
static void *corr_identity_palloc(void *pool, size_t size);


corr_identity_t *
corr_identity_create(ngx_cycle_t *cycle, corr_settings_t *settings,
    corr_pg_t *pg, corr_gateways_t *gateways, corr_relay_t *relay)
{
    corr_identity_t  *identity;

    identity = ngx_pcalloc(cycle->pool, sizeof(corr_identity_t));
    if (identity == NULL) {
        return NULL;
    }

    identity->settings = settings;
    identity->pg = pg;
    identity->gateways = gateways;
    identity->relay = relay;
    identity->log = cycle->log;

    corr_job_init(&identity->job, CORR_IDENTITY_INTERVAL,
                  corr_identity_claim, corr_identity_resumed, identity,
                  cycle->log);

    return identity;
}


void
corr_identity_destroy(corr_identity_t *identity)
{
    if (identity != NULL) {
        corr_job_stop(&identity->job);
    }
}


corr_identity_op_t *
corr_identity_check(corr_identity_t *identity, corr_owner_t *owner,
    const corr_identity_ask_t *ask)
{
    return corr_identity_begin(identity, owner, ask, 0);
}


static corr_identity_op_t *
corr_identity_begin(corr_identity_t *identity, corr_owner_t *owner,
    const corr_identity_ask_t *ask, ngx_uint_t by_relay)
{
    corr_op_t              *op;
    corr_identity_check_t  *check;

    op = corr_op_create(sizeof(corr_identity_check_t), owner,
                        "identity check", identity->log);
    if (op == NULL) {
        return NULL;
    }

    check = (corr_identity_check_t *) op;
    check->identity = identity;
    check->by_relay = by_relay;

    corr_owner_init(&check->owner, corr_identity_resume, identity->log);

    op->expire = corr_identity_expire;
    op->release = corr_identity_release;

    if (corr_identity_copy(check, ask) != NGX_OK) {
        corr_op_free(op);
        return NULL;
    }

    op->in_client = 1;
    corr_op_start(op, identity->settings->page_timeout);

    if (corr_identity_skips(check)) {
        check->verdict = CORR_STR("skipped");
        corr_identity_record(check);

    } else {
        corr_identity_call(check);
    }

    return &check->op;
}


static ngx_int_t
corr_identity_copy(corr_identity_check_t *check,
    const corr_identity_ask_t *ask)
{
    ngx_uint_t    i;
    corr_date_t   date;
    corr_str_t   *text[] = {
        &check->ask.step, &check->ask.national_code, &check->ask.mobile,
        &check->ask.first_name, &check->ask.last_name,
        &check->ask.father_name, &check->ask.address
    };

    check->alloc.alloc = corr_identity_palloc;
    check->alloc.pool = check->op.op.pool;
    check->ask = *ask;

    for (i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
        *text[i] = corr_str_dup(&check->alloc, *text[i]);

        if (text[i]->data == NULL) {
            return NGX_ERROR;
        }
    }

    if (corr_gregorian_from_days(ask->birth_date, &date) != CORR_OK) {
        return NGX_ERROR;
    }

    ngx_sprintf(check->birth_date, "%04d-%02d-%02d%Z", date.year, date.month,
                date.day);

    return NGX_OK;
}


static corr_gateway_kind_e
corr_identity_kind(corr_str_t step)
{
    return corr_str_is(step, "mobile") ? CORR_GATEWAY_SHAHKAR
                                       : CORR_GATEWAY_REGISTRY;
}


/* No gateway at all, and the administrator lets people pass. */

static ngx_uint_t
corr_identity_skips(corr_identity_check_t *check)
{
    corr_identity_t      *identity = check->identity;
    corr_gateway_kind_e   kind;

    kind = corr_identity_kind(check->ask.step);

    if (corr_gateway_count(identity->gateways, kind) != 0) {
        return 0;
    }

    return kind == CORR_GATEWAY_SHAHKAR
           ? identity->settings->shahkar_missing_skips
           : identity->settings->registry_missing_skips;
}


static void
corr_identity_call(corr_identity_check_t *check)
{
    corr_view_t          *values;
    corr_identity_ask_t  *ask = &check->ask;

    values = corr_view_create(&check->alloc);

    if (values != NULL) {
        corr_view_text(values, "national_code", ask->national_code);
        corr_view_text(values, "mobile", ask->mobile);
        corr_view_date(values, "birth_date", ask->birth_date);
        corr_view_text(values, "first_name", ask->first_name);
        corr_view_text(values, "last_name", ask->last_name);
        corr_view_text(values, "father_name", ask->father_name);

        check->call = corr_gateway_call(check->identity->gateways,
                                        &check->owner,
                                        corr_identity_kind(ask->step),
                                        values);
    }

    if (check->call == NULL) {
        corr_identity_end(check, CORR_OP_UNAVAILABLE);
    }
}


static void
corr_identity_resume(corr_owner_t *owner)
{
    corr_identity_check_t  *check;

    check = ngx_queue_data(owner, corr_identity_check_t, owner);

    if (corr_owner_waits(owner)) {
        return;
    }

    if (check->record) {
        corr_identity_recorded(check);
        return;
    }

    check->op.verdict = check->call->verdict;
    check->op.reason = check->call->verdict == CORR_VERDICT_YES
                       ? CORR_STR("") : check->call->reason;
    check->verdict = corr_verdict_name(check->call->verdict);

    corr_identity_record(check);
}


static void
corr_identity_record(corr_identity_check_t *check)
{
    corr_str_t            provider, reference, none = corr_null_str;
    corr_identity_ask_t  *ask = &check->ask;

    provider = check->call ? check->call->provider : none;
    reference = check->call ? check->call->reference : none;

    check->record = corr_pg_begin(check->identity->pg, &check->owner,
                                  "identity result");
    if (check->record == NULL) {
        corr_identity_end(check, CORR_OP_UNAVAILABLE);
        return;
    }

    (void) corr_pg_add(check->record, CORR_SQL_IDENTITY_RESULT, 14,
        (corr_pg_param_t[]) {
            corr_pg_int(ask->person),
            corr_pg_text(ask->step),
            corr_pg_text(ask->national_code),
            corr_pg_text(ask->mobile),
            corr_pg_text(corr_cstr((char *) check->birth_date)),
            corr_pg_text(check->verdict),
            corr_identity_text(check->op.reason),
            corr_identity_text(provider),
            corr_identity_text(reference),
            corr_identity_name(check, "first_name", ask->first_name),
            corr_identity_name(check, "last_name", ask->last_name),
            corr_identity_name(check, "father_name", ask->father_name),
            corr_pg_bool(check->by_relay),
            corr_identity_text(ask->address) });

    corr_pg_send(check->record, 0);
}


/*
 * What the gateway says; what was typed counts when there is none, or when
 * the gateway compared it with a yes and has no names of its own.
 */

static corr_pg_param_t
corr_identity_name(corr_identity_check_t *check, const char *name,
    corr_str_t typed)
{
    corr_str_t  taken;

    if (check->call == NULL) {
        return corr_identity_text(typed);
    }

    taken = corr_gateway_taken(check->call, name);

    return corr_identity_text(taken.len ? taken : typed);
}


static corr_pg_param_t
corr_identity_text(corr_str_t s)
{
    return s.len ? corr_pg_text(s) : corr_pg_null();
}


static void
corr_identity_recorded(corr_identity_check_t *check)
{
    corr_rows_t       *rows;
    corr_identity_op_t *op = &check->op;

    if (check->record->op.status != CORR_OP_OK) {

        ngx_log_error(NGX_LOG_ERR, check->identity->log, 0,
                      "the identity of person %L was asked for, but the "
                      "answer could not be recorded", check->ask.person);
        corr_identity_end(check, check->record->op.status);
        return;
    }

    rows = corr_pg_rows(check->record, 0);

    if (rows != NULL && rows->nrows) {
        op->state = corr_rows_text(rows, 0, "step_state");
        op->level = corr_rows_int(rows, 0, "level");
        op->session_epoch = corr_rows_int(rows, 0, "session_epoch");
    }

    /* there may be a message for the person now */

    if (check->by_relay && op->verdict != CORR_VERDICT_UNKNOWN) {
        corr_relay_wake(check->identity->relay);
    }

    corr_identity_end(check, CORR_OP_OK);
}


static void
corr_identity_end(corr_identity_check_t *check, corr_op_status_e status)
{
    corr_op_complete(&check->op.op, status);
    corr_op_forget(&check->op.op);
}


/* Whoever waits is told; the answer will be recorded all the same. */

static void
corr_identity_expire(corr_op_t *op)
{
    corr_op_complete(op, CORR_OP_TIMEOUT);
}


static void
corr_identity_release(corr_op_t *op)
{
    corr_identity_check_t *check = (corr_identity_check_t *) op;

    corr_owner_detach(&check->owner);
}


/* The background: steps that wait. */

static ngx_uint_t
corr_identity_room(corr_identity_t *identity)
{
    ngx_uint_t  room;

    room = corr_gateway_room(identity->gateways, CORR_GATEWAY_SHAHKAR,
                             CORR_IDENTITY_BATCH);

    return ngx_max(room, corr_gateway_room(identity->gateways,
                                           CORR_GATEWAY_REGISTRY,
                                           CORR_IDENTITY_BATCH));
}


static void
corr_identity_claim(corr_job_t *job)
{
    ngx_uint_t        room;
    corr_identity_t  *identity = job->data;

    room = corr_identity_room(identity);

    if (room) {
        identity->claim = corr_pg_begin(identity->pg, &job->owner,
                                        "identity claim");
    }

    if (identity->claim == NULL) {
        corr_job_done(job, 0);
        return;
    }

    (void) corr_pg_add(identity->claim, CORR_SQL_IDENTITY_CLAIM, 2,
                       (corr_pg_param_t[]) {
                           corr_pg_int(room),
                           corr_pg_int(CORR_IDENTITY_LEASE) });
    corr_pg_send(identity->claim, 0);
}


static void
corr_identity_resumed(corr_job_t *job)
{
    unsigned              row;
    ngx_uint_t            more;
    corr_rows_t          *rows;
    corr_identity_t      *identity = job->data;
    corr_identity_ask_t   ask;

    /* a second time, when the checks of this run have ended */

    if (identity->claim == NULL) {
        corr_job_done(job, 0);
        return;
    }

    rows = identity->claim->op.status == CORR_OP_OK
           ? corr_pg_rows(identity->claim, 0) : NULL;
    more = 0;

    for (row = 0; rows != NULL && row < rows->nrows; row++) {

        ngx_memzero(&ask, sizeof(ask));

        ask.person = corr_rows_int(rows, row, "person_id");
        ask.step = corr_rows_text(rows, row, "step");
        ask.national_code = corr_rows_text(rows, row, "national_code");
        ask.mobile = corr_rows_text(rows, row, "mobile");
        ask.birth_date = corr_rows_get(rows, row, "birth_date").n;
        ask.first_name = corr_rows_text(rows, row, "first_name");
        ask.last_name = corr_rows_text(rows, row, "last_name");
        ask.father_name = corr_rows_text(rows, row, "father_name");

        if (corr_identity_begin(identity, &job->owner, &ask, 1) != NULL) {
            more = 1;
        }
    }

    corr_op_free(&identity->claim->op);
    identity->claim = NULL;

    if (!more) {
        corr_job_done(job, 0);
    }
}


static void *
corr_identity_palloc(void *pool, size_t size)
{
    return ngx_palloc(pool, size);
}
