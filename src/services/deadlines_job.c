/*
 * Whoever changes the calendar wakes the job of their worker.  That of any
 * other looks once a minute, for when this one's node or the database went
 * away in between; of several that look, one works (calendar_follow in sql/).
 */

#include "deadlines_job.h"
#include "job.h"

#include "statements.h"


#define CORR_DEADLINES_INTERVAL  60000   /* msec */
#define CORR_DEADLINES_PORTION   500     /* letters: some tenths of a second */


struct corr_deadlines_s {
    corr_pg_t               *pg;
    corr_job_t               job;
    corr_pg_op_t            *following;
};


static void corr_deadlines_run(corr_job_t *job);
static void corr_deadlines_followed(corr_job_t *job);


corr_deadlines_t *
corr_deadlines_create(ngx_cycle_t *cycle, corr_pg_t *pg)
{
    corr_deadlines_t  *deadlines;

    deadlines = ngx_pcalloc(cycle->pool, sizeof(corr_deadlines_t));
    if (deadlines == NULL) {
        return NULL;
    }

    deadlines->pg = pg;

    corr_job_init(&deadlines->job, CORR_DEADLINES_INTERVAL,
                  corr_deadlines_run, corr_deadlines_followed, deadlines,
                  cycle->log);

    return deadlines;
}


void
corr_deadlines_destroy(corr_deadlines_t *deadlines)
{
    if (deadlines != NULL) {
        corr_job_stop(&deadlines->job);
    }
}


void
corr_deadlines_wake(corr_deadlines_t *deadlines)
{
    corr_job_wake(&deadlines->job);
}


static void
corr_deadlines_run(corr_job_t *job)
{
    corr_deadlines_t  *deadlines = job->data;

    deadlines->following = corr_pg_begin(deadlines->pg, &job->owner,
                                         "deadlines");
    if (deadlines->following == NULL) {
        corr_job_done(job, 0);
        return;
    }

    (void) corr_pg_add(deadlines->following, CORR_SQL_CALENDAR_FOLLOW, 1,
                       (corr_pg_param_t[]) {
                           corr_pg_int(CORR_DEADLINES_PORTION) });
    corr_pg_send(deadlines->following, 0);
}


static void
corr_deadlines_followed(corr_job_t *job)
{
    ngx_uint_t         more;
    corr_rows_t       *rows;
    corr_deadlines_t  *deadlines = job->data;

    rows = deadlines->following->op.status == CORR_OP_OK
           ? corr_pg_rows(deadlines->following, 0) : NULL;
    more = corr_rows_get(rows, 0, "more").n ? 1 : 0;

    deadlines->following = NULL;

    corr_job_done(job, more);
}
