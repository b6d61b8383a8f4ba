/*
 * A run claims a few companies, asks about all of them at once, and records
 * each answer in a transaction of its own.  The claim's rows stay until the
 * last one is recorded: the answer holds for what was asked.
 */

#include "company_job.h"
#include "job.h"

#include "../lib/digits.h"

#include "statements.h"


#define CORR_COMPANY_INTERVAL   5000
#define CORR_COMPANY_BATCH      5
#define CORR_COMPANY_LEASE      120     /* seconds */


typedef struct {
    corr_companies_t        *companies;
    corr_owner_t             owner;
    unsigned                 row;        /* of the claim */
    corr_gateway_op_t       *call;
    corr_pg_op_t            *record;
} corr_company_check_t;


struct corr_companies_s {
    corr_pg_t               *pg;
    corr_gateways_t         *gateways;
    ngx_log_t               *log;
    corr_job_t               job;
    corr_pg_op_t            *claim;
    ngx_uint_t               asking;     /* checks under way */
    corr_company_check_t     checks[CORR_COMPANY_BATCH];
};


static void corr_company_claim(corr_job_t *job);
static void corr_company_claimed(corr_job_t *job);
static void corr_company_done(corr_companies_t *companies);
static void corr_company_call(corr_company_check_t *check);
static void corr_company_resume(corr_owner_t *owner);
static void corr_company_record(corr_company_check_t *check);
static corr_pg_param_t corr_company_number(corr_company_check_t *check);
static corr_pg_param_t corr_company_asked(corr_company_check_t *check,
    const char *column);
static corr_pg_param_t corr_company_text(corr_str_t s);
static void corr_company_recorded(corr_company_check_t *check);
static void corr_company_end(corr_company_check_t *check);
static void *corr_company_palloc(void *pool, size_t size);


corr_companies_t *
corr_companies_create(ngx_cycle_t *cycle, corr_pg_t *pg,
    corr_gateways_t *gateways)
{
    ngx_uint_t         i;
    corr_companies_t  *companies;

    companies = ngx_pcalloc(cycle->pool, sizeof(corr_companies_t));
    if (companies == NULL) {
        return NULL;
    }

    companies->pg = pg;
    companies->gateways = gateways;
    companies->log = cycle->log;

    for (i = 0; i < CORR_COMPANY_BATCH; i++) {
        companies->checks[i].companies = companies;
        corr_owner_init(&companies->checks[i].owner, corr_company_resume,
                        cycle->log);
    }

    corr_job_init(&companies->job, CORR_COMPANY_INTERVAL, corr_company_claim,
                  corr_company_claimed, companies, cycle->log);

    return companies;
}


void
corr_companies_destroy(corr_companies_t *companies)
{
    ngx_uint_t  i;

    if (companies == NULL) {
        return;
    }

    for (i = 0; i < CORR_COMPANY_BATCH; i++) {
        corr_owner_detach(&companies->checks[i].owner);
    }

    corr_job_stop(&companies->job);
}


static void
corr_company_claim(corr_job_t *job)
{
    ngx_uint_t         room;
    corr_companies_t  *companies = job->data;

    room = corr_gateway_room(companies->gateways, CORR_GATEWAY_COMPANY,
                             CORR_COMPANY_BATCH);

    if (room) {
        companies->claim = corr_pg_begin(companies->pg, &job->owner,
                                         "company claim");
    }

    if (companies->claim == NULL) {
        corr_job_done(job, 0);
        return;
    }

    (void) corr_pg_add(companies->claim, CORR_SQL_COMPANY_CLAIM, 2,
                       (corr_pg_param_t[]) {
                           corr_pg_int(room),
                           corr_pg_int(CORR_COMPANY_LEASE) });
    corr_pg_send(companies->claim, 0);
}


static void
corr_company_claimed(corr_job_t *job)
{
    unsigned           row;
    corr_rows_t       *rows;
    corr_companies_t  *companies = job->data;

    rows = companies->claim->op.status == CORR_OP_OK
           ? corr_pg_rows(companies->claim, 0) : NULL;

    for (row = 0;
         rows != NULL && row < rows->nrows && row < CORR_COMPANY_BATCH;
         row++)
    {
        companies->checks[row].row = row;
        corr_company_call(&companies->checks[row]);
    }

    if (companies->asking == 0) {
        corr_company_done(companies);
    }
}


static void
corr_company_done(corr_companies_t *companies)
{
    corr_op_free(&companies->claim->op);
    companies->claim = NULL;

    corr_job_done(&companies->job, 0);
}


/* Without memory the lease ends, and somebody asks again. */

static void
corr_company_call(corr_company_check_t *check)
{
    corr_rows_t       *rows;
    corr_view_t       *values;
    corr_alloc_t       alloc;
    corr_companies_t  *companies = check->companies;

    check->call = NULL;
    check->record = NULL;

    rows = corr_pg_rows(companies->claim, 0);

    alloc.alloc = corr_company_palloc;
    alloc.pool = companies->claim->op.pool;

    values = corr_view_create(&alloc);
    if (values == NULL) {
        return;
    }

    corr_view_text(values, "company_national_id",
                   corr_rows_text(rows, check->row, "national_id"));
    corr_view_text(values, "company_name",
                   corr_rows_text(rows, check->row, "name"));
    corr_view_text(values, "registration_number",
                   corr_rows_text(rows, check->row, "registration_number"));

    check->call = corr_gateway_call(companies->gateways, &check->owner,
                                    CORR_GATEWAY_COMPANY, values);
    if (check->call != NULL) {
        companies->asking++;
    }
}


static void
corr_company_resume(corr_owner_t *owner)
{
    corr_company_check_t  *check;

    check = ngx_queue_data(owner, corr_company_check_t, owner);

    if (corr_owner_waits(owner)) {
        return;
    }

    if (check->record == NULL) {
        corr_company_record(check);

    } else {
        corr_company_recorded(check);
    }
}


static void
corr_company_record(corr_company_check_t *check)
{
    corr_str_t          none = corr_null_str;
    corr_rows_t        *rows;
    corr_companies_t   *companies = check->companies;
    corr_gateway_op_t  *call = check->call;

    check->record = corr_pg_begin(companies->pg, &check->owner,
                                  "company result");
    if (check->record == NULL) {
        corr_company_end(check);
        return;
    }

    rows = corr_pg_rows(companies->claim, 0);

    (void) corr_pg_add(check->record, CORR_SQL_COMPANY_RESULT, 10,
        (corr_pg_param_t[]) {
            corr_pg_int(corr_rows_int(rows, check->row, "company_id")),
            corr_company_asked(check, "national_id"),
            corr_company_asked(check, "name"),
            corr_company_asked(check, "registration_number"),
            corr_pg_text(corr_verdict_name(call->verdict)),
            corr_company_text(call->verdict == CORR_VERDICT_YES
                              ? none : call->reason),
            corr_company_text(call->provider),
            corr_company_text(call->reference),
            corr_company_text(corr_gateway_taken(call, "name")),
            corr_company_number(check) });

    corr_pg_send(check->record, 0);
}


/* What the gateway wrote there may be no number; then it told none. */

static corr_pg_param_t
corr_company_number(corr_company_check_t *check)
{
    uint64_t      n;
    corr_str_t    number;
    corr_alloc_t  alloc;

    alloc.alloc = corr_company_palloc;
    alloc.pool = check->record->op.pool;

    number = corr_digits_clean(&alloc,
                               corr_gateway_taken(check->call,
                                                  "registration_number"));

    return corr_digits_number(number, INT64_MAX, &n) == CORR_OK
           ? corr_pg_text(number) : corr_pg_null();
}


static corr_pg_param_t
corr_company_asked(corr_company_check_t *check, const char *column)
{
    return corr_company_text(
        corr_rows_text(corr_pg_rows(check->companies->claim, 0), check->row,
                       column));
}


static corr_pg_param_t
corr_company_text(corr_str_t s)
{
    return s.len ? corr_pg_text(s) : corr_pg_null();
}


static void
corr_company_recorded(corr_company_check_t *check)
{
    corr_rows_t       *rows;
    corr_companies_t  *companies = check->companies;

    if (check->record->op.status != CORR_OP_OK) {

        rows = corr_pg_rows(companies->claim, 0);

        ngx_log_error(NGX_LOG_ERR, companies->log, 0,
                      "company %L was asked for, but the answer could not "
                      "be recorded",
                      corr_rows_int(rows, check->row, "company_id"));
    }

    corr_company_end(check);
}


static void
corr_company_end(corr_company_check_t *check)
{
    corr_companies_t  *companies = check->companies;

    corr_owner_detach(&check->owner);

    if (--companies->asking == 0) {
        corr_company_done(companies);
    }
}


static void *
corr_company_palloc(void *pool, size_t size)
{
    return ngx_palloc(pool, size);
}
