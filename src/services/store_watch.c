#include "store_watch.h"
#include "job.h"
#include "store.h"

#include <sys/statvfs.h>


#define CORR_WATCH_INTERVAL  15000     /* milliseconds */
#define CORR_WATCH_TIMEOUT   10000

/* Nearly full: less than a twentieth is free, and less than this. */
#define CORR_WATCH_ROOM      ((uint64_t) 20 * 1024 * 1024 * 1024)


typedef struct {
    corr_store_t            *store;
    const char              *path;
    corr_store_error_e       error;
    ngx_err_t                err;
    uint64_t                 free;
    uint64_t                 total;
} corr_watch_job_t;


struct corr_store_watch_s {
    corr_settings_t         *settings;
    corr_threads_t          *disk;
    ngx_log_t               *log;
    corr_job_t               job;
    corr_task_t             *task;
    corr_store_state_t       state;
};


static void corr_watch_run(corr_job_t *job);
static int corr_watch_look(void *data);
static void corr_watch_resume(corr_job_t *job);
static void corr_watch_note(corr_store_watch_t *watch, ngx_uint_t writable,
    ngx_err_t err);


corr_store_watch_t *
corr_store_watch_create(ngx_cycle_t *cycle, corr_settings_t *settings,
    corr_threads_t *disk)
{
    corr_store_watch_t  *watch;

    watch = ngx_pcalloc(cycle->pool, sizeof(corr_store_watch_t));
    if (watch == NULL) {
        return NULL;
    }

    watch->settings = settings;
    watch->disk = disk;
    watch->log = cycle->log;

    corr_job_init(&watch->job, CORR_WATCH_INTERVAL, corr_watch_run,
                  corr_watch_resume, watch, cycle->log);
    corr_job_wake(&watch->job);

    return watch;
}


void
corr_store_watch_destroy(corr_store_watch_t *watch)
{
    if (watch != NULL) {
        corr_job_stop(&watch->job);
    }
}


void
corr_store_watch_state(corr_store_watch_t *watch, corr_store_state_t *state)
{
    *state = watch->state;
}


static void
corr_watch_run(corr_job_t *job)
{
    corr_watch_job_t    *look;
    corr_store_watch_t  *watch = job->data;

    watch->task = corr_task_create(watch->disk, &job->owner, "store watch",
                                   sizeof(corr_watch_job_t), corr_watch_look,
                                   NULL);
    if (watch->task == NULL) {
        corr_job_done(job, 0);
        return;
    }

    look = watch->task->data;
    look->store = watch->settings->store;
    look->path = (char *) watch->settings->store_path.data;

    corr_task_post(watch->task, CORR_WATCH_TIMEOUT);
}


/* In a thread. */

static int
corr_watch_look(void *data)
{
    struct statvfs     fs;
    corr_incoming_t   *in;
    corr_watch_job_t  *look = data;

    if (statvfs(look->path, &fs) == 0) {
        look->free = (uint64_t) fs.f_bavail * fs.f_frsize;
        look->total = (uint64_t) fs.f_blocks * fs.f_frsize;
    }

    look->error = corr_store_create(look->store, 1, &in);

    if (look->error == CORR_STORE_OK) {
        look->error = corr_store_write(in, "", 1);
    }

    look->err = ngx_errno;
    corr_store_abandon(in);

    return look->error == CORR_STORE_OK ? CORR_OK : CORR_INVALID;
}


static void
corr_watch_resume(corr_job_t *job)
{
    corr_watch_job_t    *look;
    corr_store_watch_t  *watch = job->data;

    /* a queue that is full says nothing of the disk */

    if (corr_task_ended(watch->task)) {
        look = watch->task->data;

        watch->state.free = look->free;
        watch->state.total = look->total;
        watch->state.nearly_full = look->free < look->total / 20
                                   && look->free < CORR_WATCH_ROOM;

        corr_watch_note(watch, look->error == CORR_STORE_OK, look->err);

    } else if (watch->task->op.status == CORR_OP_TIMEOUT) {
        corr_watch_note(watch, 0, NGX_ETIMEDOUT);
    }

    watch->task = NULL;

    corr_job_done(job, 0);
}


static void
corr_watch_note(corr_store_watch_t *watch, ngx_uint_t writable, ngx_err_t err)
{
    ngx_uint_t  was;

    was = !watch->state.known || watch->state.writable;

    watch->state.known = 1;
    watch->state.writable = writable;

    if (was && !writable) {
        ngx_log_error(NGX_LOG_CRIT, watch->log, err,
                      "the store \"%V\" cannot be written",
                      &watch->settings->store_path);

    } else if (!was && writable) {
        ngx_log_error(NGX_LOG_NOTICE, watch->log, 0,
                      "the store \"%V\" can be written again",
                      &watch->settings->store_path);
    }
}
