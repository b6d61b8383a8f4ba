#include "sealer.h"
#include "job.h"

#include "statements.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>


#define CORR_SEAL_LINES          500     /* at once */
#define CORR_SEAL_CHECKED        1000    /* links proven anew each time */
#define CORR_SEAL_NOTICE         60      /* seconds between two in the log */
#define CORR_SEAL_HEAD           160     /* bytes of the file */
#define CORR_SEAL_TIMEOUT        30000


struct corr_sealer_s {
    corr_settings_t         *settings;
    corr_pg_t               *pg;
    corr_threads_t          *disk;
    ngx_log_t               *log;
    corr_job_t               job;
    corr_pg_op_t            *seal;
    corr_task_t             *write;
    time_t                   noticed;
    int64_t                  broken;       /* link, as last known */
    unsigned                 more:1;
};


/* What a thread needs to write the head. */

typedef struct {
    char                     path[NGX_MAX_PATH];
    char                     part[NGX_MAX_PATH + 32];
    char                     head[CORR_SEAL_HEAD];
    size_t                   len;
    int                      error;
} corr_seal_file_t;


static void corr_sealer_run(corr_job_t *job);
static void corr_sealer_resume(corr_job_t *job);
static void corr_sealer_sealed(corr_sealer_t *sealer);
static void corr_sealer_checked(corr_sealer_t *sealer, corr_rows_t *rows);
static void corr_sealer_publish(corr_sealer_t *sealer, int64_t seq,
    corr_str_t head);
static int corr_sealer_write(void *data);
static int corr_sealer_write_all(int fd, const char *p, size_t n);


corr_sealer_t *
corr_sealer_create(ngx_cycle_t *cycle, corr_settings_t *settings,
    corr_pg_t *pg, corr_threads_t *disk)
{
    corr_sealer_t  *sealer;

    sealer = ngx_pcalloc(cycle->pool, sizeof(corr_sealer_t));
    if (sealer == NULL) {
        return NULL;
    }

    sealer->settings = settings;
    sealer->pg = pg;
    sealer->disk = disk;
    sealer->log = cycle->log;

    corr_job_init(&sealer->job, settings->seal_interval, corr_sealer_run,
                  corr_sealer_resume, sealer, cycle->log);

    return sealer;
}


void
corr_sealer_destroy(corr_sealer_t *sealer)
{
    if (sealer != NULL) {
        corr_job_stop(&sealer->job);
    }
}


static void
corr_sealer_run(corr_job_t *job)
{
    corr_sealer_t  *sealer = job->data;

    sealer->more = 0;
    sealer->seal = corr_pg_begin(sealer->pg, &job->owner, "audit seal");

    if (sealer->seal == NULL) {
        corr_job_done(job, 0);
        return;
    }

    (void) corr_pg_add(sealer->seal, CORR_SQL_AUDIT_SEAL, 1,
                       (corr_pg_param_t[]) { corr_pg_int(CORR_SEAL_LINES) });
    (void) corr_pg_add(sealer->seal, CORR_SQL_AUDIT_CHECK, 1,
                       (corr_pg_param_t[]) {
                           corr_pg_int(CORR_SEAL_CHECKED) });
    corr_pg_send(sealer->seal, 0);
}


static void
corr_sealer_resume(corr_job_t *job)
{
    corr_sealer_t     *sealer = job->data;
    corr_seal_file_t  *file;

    if (sealer->seal) {
        corr_sealer_sealed(sealer);

        if (corr_owner_waits(&job->owner)) {
            return;
        }
    }

    if (sealer->write) {
        file = sealer->write->data;

        if (sealer->write->op.status != CORR_OP_OK) {
            ngx_log_error(NGX_LOG_ERR, sealer->log, file->error,
                          "the head of the audit could not be written to "
                          "\"%V\"", &sealer->settings->audit_head);
        }
    }

    sealer->write = NULL;

    corr_job_done(job, sealer->more);
}


static void
corr_sealer_sealed(corr_sealer_t *sealer)
{
    int64_t       sealed;
    corr_rows_t  *rows;

    rows = sealer->seal->op.status == CORR_OP_OK
           ? corr_pg_rows(sealer->seal, 0) : NULL;

    sealed = rows ? corr_rows_int(rows, 0, "sealed") : 0;

    if (rows) {
        corr_sealer_checked(sealer, corr_pg_rows(sealer->seal, 1));
    }

    if (sealed > 0) {
        sealer->more = (sealed == CORR_SEAL_LINES);
        corr_sealer_publish(sealer, corr_rows_int(rows, 0, "seq"),
                            corr_rows_text(rows, 0, "head"));
    }

    corr_op_free(&sealer->seal->op);
    sealer->seal = NULL;
}


/* The page of the audit shows it; not everybody looks there. */

static void
corr_sealer_checked(corr_sealer_t *sealer, corr_rows_t *rows)
{
    int64_t  broken;

    if (rows == NULL) {
        return;
    }

    broken = corr_rows_int(rows, 0, "broken_seq");

    if (broken && broken != sealer->broken) {
        ngx_log_error(NGX_LOG_CRIT, sealer->log, 0,
                      "the audit's chain is broken at link %L", broken);
    }

    sealer->broken = broken;
}


/*
 * Outside of the database: whoever can change the chain there cannot change
 * what has been said here.
 */

static void
corr_sealer_publish(corr_sealer_t *sealer, int64_t seq, corr_str_t head)
{
    u_char            *p;
    ngx_str_t         *path = &sealer->settings->audit_head;
    corr_seal_file_t  *file;

    if (ngx_time() - sealer->noticed >= CORR_SEAL_NOTICE) {
        sealer->noticed = ngx_time();
        ngx_log_error(NGX_LOG_NOTICE, sealer->log, 0,
                      "audit sealed up to %L, head %*s", seq, head.len,
                      head.data);
    }

    if (path->len == 0 || path->len >= NGX_MAX_PATH || head.len > 64) {
        return;
    }

    sealer->write = corr_task_create(sealer->disk, &sealer->job.owner,
                                     "audit head", sizeof(corr_seal_file_t),
                                     corr_sealer_write, NULL);
    if (sealer->write == NULL) {
        return;
    }

    file = sealer->write->data;

    ngx_memcpy(file->path, path->data, path->len);
    ngx_sprintf((u_char *) file->part, "%V.%P%Z", path, ngx_pid);

    p = ngx_sprintf((u_char *) file->head, "%L %*s %T\n", seq, head.len,
                    head.data, ngx_time());
    file->len = p - (u_char *) file->head;

    corr_task_post(sealer->write, CORR_SEAL_TIMEOUT);
}


/* In a thread: whole or not at all. */

static int
corr_sealer_write(void *data)
{
    int                fd, rc;
    corr_seal_file_t  *file = data;

    fd = open(file->part, O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0644);

    if (fd == -1) {
        file->error = errno;
        return CORR_ERROR;
    }

    rc = corr_sealer_write_all(fd, file->head, file->len);

    if (rc == 0) {
        rc = fsync(fd);
    }

    file->error = rc ? errno : 0;

    if (close(fd) == -1 && rc == 0) {
        file->error = errno;
        rc = -1;
    }

    if (rc == 0 && rename(file->part, file->path) == 0) {
        return CORR_OK;
    }

    if (rc == 0) {
        file->error = errno;
    }

    (void) unlink(file->part);

    return CORR_ERROR;
}


static int
corr_sealer_write_all(int fd, const char *p, size_t n)
{
    ssize_t  written;

    while (n) {
        written = write(fd, p, n);

        if (written == -1) {

            if (errno == EINTR) {
                continue;
            }

            return -1;
        }

        p += written;
        n -= written;
    }

    return 0;
}
