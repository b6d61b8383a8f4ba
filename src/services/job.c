#include "job.h"


#define CORR_JOB_PAUSE   50      /* milliseconds between runs that are woken */


static void corr_job_now(corr_job_t *job);
static void corr_job_due(ngx_event_t *ev);
static void corr_job_resumed(corr_owner_t *owner);
static ngx_msec_t corr_job_jitter(corr_job_t *job);


void
corr_job_init(corr_job_t *job, ngx_msec_t interval, corr_job_pt run,
    corr_job_pt resume, void *data, ngx_log_t *log)
{
    ngx_memzero(job, sizeof(corr_job_t));

    job->timer.ident = (ngx_socket_t) -1;

    job->event.handler = corr_job_due;
    job->event.data = job;
    job->event.log = log;
    job->event.cancelable = 1;

    job->interval = interval;
    job->run = run;
    job->resume = resume;
    job->data = data;

    corr_owner_init(&job->owner, corr_job_resumed, log);

    /* workers start together: let them not come in step */

    ngx_add_timer(&job->event, 1 + (ngx_msec_t) ngx_random() % interval);
}


/*
 * At once, but for the rush hour: then one run does for all who woke it
 * meanwhile.
 */

void
corr_job_wake(corr_job_t *job)
{
    ngx_msec_int_t  pause;

    if (job->busy) {
        job->again = 1;
        return;
    }

    pause = (ngx_msec_int_t) (job->ended + CORR_JOB_PAUSE - ngx_current_msec);

    if (pause <= 0 || job->ended == 0) {
        corr_job_now(job);
        return;
    }

    if (!job->event.posted) {
        ngx_add_timer(&job->event, pause);
    }
}


static void
corr_job_now(corr_job_t *job)
{
    if (job->event.timer_set) {
        ngx_del_timer(&job->event);
    }

    if (!job->event.posted) {
        ngx_post_event(&job->event, &ngx_posted_events);
    }
}


void
corr_job_wake_in(corr_job_t *job, ngx_msec_t msec)
{
    if (job->busy) {
        job->again = 1;
        return;
    }

    if (job->event.posted
        || (job->event.timer_set
            && (ngx_msec_int_t) (job->event.timer.key - ngx_current_msec)
               <= (ngx_msec_int_t) msec))
    {
        return;
    }

    /* ngx_add_timer() would take a small difference for none */

    if (job->event.timer_set) {
        ngx_del_timer(&job->event);
    }

    ngx_add_timer(&job->event, msec);
}


static void
corr_job_due(ngx_event_t *ev)
{
    corr_job_t *job = ev->data;

    if (ngx_exiting || ngx_terminate || ngx_quit) {
        return;
    }

    job->busy = 1;
    job->again = 0;

    job->run(job);
}


static void
corr_job_resumed(corr_owner_t *owner)
{
    corr_job_t  *job;

    job = ngx_queue_data(owner, corr_job_t, owner);

    if (job->busy && !corr_owner_waits(owner)) {
        job->resume(job);
    }
}


void
corr_job_done(corr_job_t *job, ngx_uint_t more)
{
    corr_owner_detach(&job->owner);

    job->busy = 0;
    job->ended = ngx_current_msec;

    if (more) {
        corr_job_now(job);
        return;
    }

    ngx_add_timer(&job->event, job->again ? CORR_JOB_PAUSE
                                          : corr_job_jitter(job));
}


static ngx_msec_t
corr_job_jitter(corr_job_t *job)
{
    return job->interval - job->interval / 8
           + (ngx_msec_t) ngx_random() % (job->interval / 4 + 1);
}


void
corr_job_stop(corr_job_t *job)
{
    corr_owner_detach(&job->owner);

    if (job->event.timer_set) {
        ngx_del_timer(&job->event);
    }

    if (job->event.posted) {
        ngx_delete_posted_event(&job->event);
    }

    job->busy = 1;
}
