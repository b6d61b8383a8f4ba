/*
 * A job behind the pages: something done now and then, one run at a time.
 *
 *     run(job)       the time has come, or it was woken: starts operations of
 *                    job->owner, or returns corr_job_done()
 *     resume(job)    what it started has ended; ends the run by
 *                    corr_job_done(), or starts more
 *
 * The timer is cancelable: an idle job never keeps a worker that quits, a run
 * under way does, by the deadlines of its operations.  A worker that quits
 * begins no new run.
 */

#ifndef CORR_JOB_H
#define CORR_JOB_H

#include "../io/op.h"
#include "../io/fd.h"


typedef struct corr_job_s  corr_job_t;

typedef void (*corr_job_pt)(corr_job_t *job);


struct corr_job_s {
    corr_timer_data_t        timer;      /* first: data of the event */
    ngx_event_t              event;
    corr_owner_t             owner;      /* of what a run starts */
    corr_job_pt              run;
    corr_job_pt              resume;
    ngx_msec_t               interval;
    ngx_msec_t               ended;      /* the last run */
    void                    *data;
    unsigned                 busy:1;     /* a run is under way */
    unsigned                 again:1;    /* woken meanwhile */
};


/* Its first run comes within the interval, not at once. */
void corr_job_init(corr_job_t *job, ngx_msec_t interval, corr_job_pt run,
    corr_job_pt resume, void *data, ngx_log_t *log);

/* Runs soon: now, or some milliseconds behind the last run. */
void corr_job_wake(corr_job_t *job);

/* Runs within so many milliseconds, unless it would anyway. */
void corr_job_wake_in(corr_job_t *job, ngx_msec_t msec);

/*
 * The run is over and its operations are freed; the next one follows after
 * the interval, or at once when `more` is to be done.
 */
void corr_job_done(corr_job_t *job, ngx_uint_t more);

/* Gives up what is under way. */
void corr_job_stop(corr_job_t *job);


#endif /* CORR_JOB_H */
