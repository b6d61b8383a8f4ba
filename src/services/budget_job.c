/*
 * One gateway after the other, each in a transaction of its own: nodes
 * whose configurations name them in another order do not wait for each other
 * crosswise.
 *
 * What could not be told is told the next time.  When the answer was lost it
 * is told twice, and the budget ends sooner rather than later.
 */

#include "budget_job.h"
#include "job.h"

#include "statements.h"


#define CORR_BUDGET_INTERVAL   1000      /* msec */


struct corr_budget_s {
    corr_pg_t               *pg;
    corr_gateways_t         *gateways;
    corr_job_t               job;
    corr_pg_op_t            *telling;
    corr_gateway_budget_t    told;
    ngx_uint_t               i;
};


static void corr_budget_run(corr_job_t *job);
static void corr_budget_next(corr_budget_t *budget);
static void corr_budget_tell(corr_budget_t *budget);
static void corr_budget_told(corr_job_t *job);


corr_budget_t *
corr_budget_create(ngx_cycle_t *cycle, corr_pg_t *pg,
    corr_gateways_t *gateways)
{
    corr_budget_t  *budget;

    budget = ngx_pcalloc(cycle->pool, sizeof(corr_budget_t));
    if (budget == NULL) {
        return NULL;
    }

    budget->pg = pg;
    budget->gateways = gateways;

    corr_job_init(&budget->job, CORR_BUDGET_INTERVAL, corr_budget_run,
                  corr_budget_told, budget, cycle->log);

    return budget;
}


void
corr_budget_destroy(corr_budget_t *budget)
{
    if (budget != NULL) {
        corr_job_stop(&budget->job);
    }
}


static void
corr_budget_run(corr_job_t *job)
{
    corr_budget_t  *budget = job->data;

    budget->i = 0;
    corr_budget_next(budget);
}


static void
corr_budget_next(corr_budget_t *budget)
{
    ngx_int_t  rc;

    for ( ;; ) {
        rc = corr_gateway_budget(budget->gateways, budget->i, &budget->told);

        if (rc != NGX_AGAIN) {
            break;
        }

        budget->i++;
    }

    if (rc == NGX_DECLINED) {
        corr_job_done(&budget->job, 0);
        return;
    }

    corr_budget_tell(budget);
}


static void
corr_budget_tell(corr_budget_t *budget)
{
    budget->telling = corr_pg_begin(budget->pg, &budget->job.owner,
                                    "gateway budget");
    if (budget->telling == NULL) {
        corr_job_done(&budget->job, 0);
        return;
    }

    (void) corr_pg_add(budget->telling, CORR_SQL_GATEWAY_BUDGET_ADD, 4,
                       (corr_pg_param_t[]) {
                           corr_pg_text(budget->told.kind),
                           corr_pg_text(budget->told.name),
                           corr_pg_int(budget->told.day),
                           corr_pg_int(budget->told.used) });
    corr_pg_send(budget->telling, 0);
}


static void
corr_budget_told(corr_job_t *job)
{
    corr_rows_t    *rows;
    corr_budget_t  *budget = job->data;

    rows = budget->telling->op.status == CORR_OP_OK
           ? corr_pg_rows(budget->telling, 0) : NULL;

    if (rows == NULL || rows->nrows == 0) {
        budget->telling = NULL;
        corr_job_done(job, 0);
        return;
    }

    corr_gateway_budget_told(budget->gateways, budget->i, &budget->told,
                             corr_rows_int(rows, 0, "used"));

    corr_op_free(&budget->telling->op);
    budget->telling = NULL;
    budget->i++;

    corr_budget_next(budget);
}
