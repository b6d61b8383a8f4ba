/*
 * The head stands in one file for all who seal, and is not published before
 * the one that stands there is known to be in the chain: nobody puts an older
 * head over a newer one, and a database that was set back is told by it, also
 * when its new chain has grown longer.
 */

#include "sealer.h"
#include "job.h"

#include "statements.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>


#define CORR_SEAL_LINES          500     /* at once */
#define CORR_SEAL_CHECKED        1000    /* links proven anew each time */
#define CORR_SEAL_NOTICE         60      /* seconds between two in the log */
#define CORR_SEAL_HASH           64      /* hex digits */
#define CORR_SEAL_LINE           160     /* bytes of the file */
#define CORR_SEAL_NAME           (NGX_MAX_PATH + 8)
#define CORR_SEAL_BUSY           10      /* times that is told */
#define CORR_SEAL_TIMEOUT        30000


typedef struct {
    int64_t                  seq;          /* 0: none */
    char                     hash[CORR_SEAL_HASH + 1];
} corr_seal_head_t;


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
    int64_t                  denied;       /* head, the same */
    corr_seal_head_t         standing;     /* in the file, as last seen */
    ngx_uint_t               busy;         /* times another one was at it */
    unsigned                 more:1;
    unsigned                 late:1;       /* the file is behind the chain */
};


/* What a thread needs to write the head. */

typedef struct {
    char                     path[NGX_MAX_PATH];
    corr_seal_head_t         head;
    corr_seal_head_t         standing;     /* expected; then found */
    int                      error;
} corr_seal_file_t;


static void corr_sealer_run(corr_job_t *job);
static void corr_sealer_resume(corr_job_t *job);
static void corr_sealer_sealed(corr_sealer_t *sealer);
static void corr_sealer_checked(corr_sealer_t *sealer, corr_rows_t *rows);
static ngx_uint_t corr_sealer_denied(corr_sealer_t *sealer,
    corr_rows_t *rows);
static void corr_sealer_notice(corr_sealer_t *sealer, int64_t seq,
    corr_str_t head);
static void corr_sealer_publish(corr_sealer_t *sealer, int64_t seq,
    corr_str_t head);
static void corr_sealer_written(corr_sealer_t *sealer);
static int corr_sealer_write(void *data);
static int corr_sealer_lock(const corr_seal_file_t *file);
static int corr_sealer_write_locked(corr_seal_file_t *file);
static int corr_sealer_read(const char *path, corr_seal_head_t *head);
static int corr_sealer_replace(const corr_seal_file_t *file);
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
    (void) corr_pg_add(sealer->seal, CORR_SQL_AUDIT_PUBLISHED, 2,
                       (corr_pg_param_t[]) {
                           corr_pg_int(sealer->standing.seq),
                           corr_pg_text(corr_cstr(sealer->standing.hash)) });
    corr_pg_send(sealer->seal, 0);
}


static void
corr_sealer_resume(corr_job_t *job)
{
    corr_sealer_t  *sealer = job->data;

    if (sealer->seal) {
        corr_sealer_sealed(sealer);

        if (corr_owner_waits(&job->owner)) {
            return;
        }
    }

    if (sealer->write) {
        corr_sealer_written(sealer);
    }

    sealer->write = NULL;

    corr_job_done(job, sealer->more);
}


static void
corr_sealer_sealed(corr_sealer_t *sealer)
{
    int64_t       sealed, seq;
    corr_str_t    head;
    corr_rows_t  *rows;

    rows = sealer->seal->op.status == CORR_OP_OK
           ? corr_pg_rows(sealer->seal, 0) : NULL;

    if (rows) {
        sealed = corr_rows_int(rows, 0, "sealed");
        seq = corr_rows_int(rows, 0, "seq");
        head = corr_rows_text(rows, 0, "head");

        sealer->more = (sealed == CORR_SEAL_LINES);
        corr_sealer_checked(sealer, corr_pg_rows(sealer->seal, 1));

        if (sealed > 0) {
            sealer->late = 1;
            corr_sealer_notice(sealer, seq, head);
        }

        if (!corr_sealer_denied(sealer, corr_pg_rows(sealer->seal, 2))
            && sealer->late && seq > 0)
        {
            corr_sealer_publish(sealer, seq, head);
        }
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
 * Is the published head in no chain?  It is left where it is, until somebody
 * takes the file away; with the next lines it is looked at again.
 */

static ngx_uint_t
corr_sealer_denied(corr_sealer_t *sealer, corr_rows_t *rows)
{
    corr_value_t  holds;

    if (sealer->standing.seq == 0) {
        return 0;
    }

    if (rows == NULL) {
        return 1;
    }

    holds = corr_rows_get(rows, 0, "holds");

    if (holds.kind == CORR_BOOL && holds.n) {
        sealer->denied = 0;
        return 0;
    }

    if (sealer->denied != sealer->standing.seq) {
        sealer->denied = sealer->standing.seq;
        ngx_log_error(NGX_LOG_CRIT, sealer->log, 0,
                      "the audit's chain does not hold its published head "
                      "%L %s: the database was set back or changed; \"%V\" "
                      "stays as it is", sealer->standing.seq,
                      sealer->standing.hash, &sealer->settings->audit_head);
    }

    sealer->standing.seq = 0;
    sealer->late = 0;

    return 1;
}


static void
corr_sealer_notice(corr_sealer_t *sealer, int64_t seq, corr_str_t head)
{
    if (ngx_time() - sealer->noticed >= CORR_SEAL_NOTICE) {
        sealer->noticed = ngx_time();
        ngx_log_error(NGX_LOG_NOTICE, sealer->log, 0,
                      "audit sealed up to %L, head %*s", seq, head.len,
                      head.data);
    }
}


/*
 * Outside of the database: whoever can change the chain there cannot change
 * what has been said here.
 */

static void
corr_sealer_publish(corr_sealer_t *sealer, int64_t seq, corr_str_t head)
{
    ngx_str_t         *path = &sealer->settings->audit_head;
    corr_seal_file_t  *file;

    if (path->len == 0 || path->len >= NGX_MAX_PATH
        || head.len != CORR_SEAL_HASH)
    {
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
    ngx_memcpy(file->head.hash, head.data, head.len);
    file->head.seq = seq;
    file->standing = sealer->standing;

    corr_task_post(sealer->write, CORR_SEAL_TIMEOUT);
}


static void
corr_sealer_written(corr_sealer_t *sealer)
{
    int                error;
    ngx_uint_t         ended;
    corr_seal_file_t  *file = sealer->write->data;

    ended = corr_task_ended(sealer->write);
    error = ended ? file->error : 0;

    if (error == EWOULDBLOCK) {
        sealer->busy++;

        if (sealer->busy % CORR_SEAL_BUSY != 0) {
            return;                      /* it stays late */
        }

    } else {
        sealer->busy = 0;
        sealer->late = 0;
    }

    if (ended && sealer->write->result == CORR_OK) {
        sealer->standing = file->head;
        return;
    }

    if (ended && sealer->write->result == CORR_INVALID) {

        /* another worker's, or of an earlier day: does the chain hold it? */

        sealer->standing = file->standing;

        if (file->standing.seq < file->head.seq) {
            sealer->late = 1;
            sealer->more = 1;
        }

        return;
    }

    ngx_log_error(NGX_LOG_ERR, sealer->log, error,
                  "the head of the audit could not be written to \"%V\"",
                  &sealer->settings->audit_head);
}


/* In a thread.  CORR_INVALID: another head stands there than was expected. */

static int
corr_sealer_write(void *data)
{
    int                lock, rc;
    corr_seal_file_t  *file = data;

    lock = corr_sealer_lock(file);

    if (lock == -1) {
        file->error = errno;
        return CORR_ERROR;
    }

    rc = corr_sealer_write_locked(file);
    file->error = rc == CORR_ERROR ? errno : 0;

    close(lock);

    return rc;
}


/* Of a file beside it.  Who holds it is not waited for: threads are few. */

static int
corr_sealer_lock(const corr_seal_file_t *file)
{
    int   fd, err;
    char  name[CORR_SEAL_NAME];

    snprintf(name, sizeof(name), "%s.lock", file->path);

    fd = open(name, O_RDWR|O_CREAT|O_CLOEXEC, 0644);

    if (fd != -1 && flock(fd, LOCK_EX|LOCK_NB) == -1) {
        err = errno;
        close(fd);
        errno = err;
        return -1;
    }

    return fd;
}


static int
corr_sealer_write_locked(corr_seal_file_t *file)
{
    corr_seal_head_t  found;

    if (corr_sealer_read(file->path, &found) == -1) {
        return CORR_ERROR;
    }

    if (found.seq
        && (found.seq >= file->head.seq || found.seq != file->standing.seq
            || strcmp(found.hash, file->standing.hash) != 0))
    {
        file->standing = found;
        return CORR_INVALID;
    }

    return corr_sealer_replace(file) == 0 ? CORR_OK : CORR_ERROR;
}


/* A file that is not there, or empty, holds none. */

static int
corr_sealer_read(const char *path, corr_seal_head_t *head)
{
    int        fd, err;
    char       line[CORR_SEAL_LINE];
    ssize_t    n;
    long long  seq;

    ngx_memzero(head, sizeof(corr_seal_head_t));

    fd = open(path, O_RDONLY|O_CLOEXEC);
    if (fd == -1) {
        return errno == ENOENT ? 0 : -1;
    }

    n = read(fd, line, sizeof(line) - 1);
    err = errno;
    close(fd);

    if (n <= 0) {
        errno = err;
        return (int) n;
    }

    line[n] = '\0';

    if (sscanf(line, "%lld %64[0-9a-f]", &seq, head->hash) != 2 || seq <= 0
        || strlen(head->hash) != CORR_SEAL_HASH)
    {
        errno = EBADMSG;
        return -1;
    }

    head->seq = seq;

    return 0;
}


/* Whole or not at all. */

static int
corr_sealer_replace(const corr_seal_file_t *file)
{
    int   fd, n, rc, err;
    char  part[CORR_SEAL_NAME], line[CORR_SEAL_LINE];

    snprintf(part, sizeof(part), "%s.part", file->path);
    n = snprintf(line, sizeof(line), "%lld %s %lld\n",
                 (long long) file->head.seq, file->head.hash,
                 (long long) time(NULL));

    fd = open(part, O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0644);
    if (fd == -1) {
        return -1;
    }

    rc = corr_sealer_write_all(fd, line, (size_t) n);

    if (rc == 0) {
        rc = fsync(fd);
    }

    err = errno;

    if (close(fd) == -1 && rc == 0) {
        rc = -1;
        err = errno;
    }

    if (rc == 0 && rename(part, file->path) == 0) {
        return 0;
    }

    err = rc == 0 ? errno : err;

    (void) unlink(part);
    errno = err;

    return -1;
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
