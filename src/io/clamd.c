/*
 * clamd's INSTREAM, as clamd(8) has it:
 *
 *     > zINSTREAM NUL
 *     > length (4 bytes, network order), bytes; again and again
 *     > length 0
 *     < stream: OK NUL,  stream: NAME FOUND NUL,  … ERROR NUL
 *
 * clamd may answer before it has the whole file (its StreamMaxLength is
 * passed) and closes then: what it said is looked for before a write that
 * failed is taken for a loss.
 */

#include "clamd.h"
#include "fd.h"
#include "retry.h"


#define CORR_CLAMD_PORT     3310
#define CORR_CLAMD_CHUNK    65536
#define CORR_CLAMD_LENGTH   4
#define CORR_CLAMD_ANSWER   512
#define CORR_CLAMD_NEWS     600000   /* msec that a failure is worth telling */


struct corr_clamd_s {
    const corr_clamd_conf_t *conf;
    corr_threads_t          *threads;
    ngx_log_t               *log;
    ngx_queue_t              waiting;    /* corr_clamd_scan_t */
    ngx_queue_t              running;
    ngx_uint_t               nwaiting;
    ngx_uint_t               nrunning;

    corr_retry_t             retry;
    ngx_msec_t               shut;       /* not before this: nothing answered
                                            a connect; 0: open */
    corr_complaint_t         complaint;

    uint64_t                 operations;
    uint64_t                 failures;
    ngx_msec_t               failed;     /* when it last did not answer */

    unsigned                 starting:1;
    unsigned                 failing:1;  /* it gave no answer */
};


/* Shared by the scan and the thread that may be reading behind its end. */

typedef struct {
    ngx_fd_t                 fd;
    ngx_uint_t               holders;
} corr_clamd_file_t;


typedef struct {
    corr_clamd_file_t       *file;
    off_t                    offset;
    ssize_t                  n;
    ngx_err_t                err;
    u_char                   chunk[CORR_CLAMD_LENGTH + CORR_CLAMD_CHUNK];
} corr_clamd_read_t;


typedef enum {
    CORR_CLAMD_WAITING = 0,
    CORR_CLAMD_CONNECTING,
    CORR_CLAMD_SENDING,
    CORR_CLAMD_SENT            /* only its answer is missing */
} corr_clamd_state_e;


typedef struct {
    corr_clamd_op_t          op;         /* first */
    corr_clamd_t            *clamd;
    ngx_queue_t              link;       /* in clamd->waiting or ->running */
    corr_clamd_state_e       state;
    corr_fd_t                fd;
    ngx_uint_t               addr;

    corr_clamd_file_t       *file;
    off_t                    offset;
    corr_owner_t             reader;     /* of task */
    corr_task_t             *task;       /* holds the chunk */
    const u_char            *pos;        /* what is still to be sent */
    const u_char            *last;
    unsigned                 ended:1;    /* the chunk is the last one */

    size_t                   nanswer;
    u_char                   answer[CORR_CLAMD_ANSWER];
} corr_clamd_scan_t;


static void corr_clamd_start(corr_clamd_t *clamd);
static void corr_clamd_connect(corr_clamd_scan_t *scan);
static void corr_clamd_event(void *data, ngx_uint_t events,
    ngx_uint_t closing);
static void corr_clamd_connected(corr_clamd_scan_t *scan);
static void corr_clamd_send(corr_clamd_scan_t *scan);
static void corr_clamd_unsent(corr_clamd_scan_t *scan, ngx_err_t err);
static void corr_clamd_read(corr_clamd_scan_t *scan);
static int corr_clamd_read_run(void *data);
static void corr_clamd_read_wipe(void *data);
static void corr_clamd_was_read(corr_owner_t *owner);
static ssize_t corr_clamd_receive(corr_clamd_scan_t *scan);
static void corr_clamd_receive_some(corr_clamd_scan_t *scan);
static void corr_clamd_answered(corr_clamd_scan_t *scan);
static void corr_clamd_said(corr_clamd_scan_t *scan, const u_char *text,
    size_t len);
static void corr_clamd_expire(corr_op_t *op);
static void corr_clamd_fail(corr_clamd_scan_t *scan, corr_op_status_e status,
    const char *what, ngx_err_t err);
static void corr_clamd_end(corr_clamd_scan_t *scan, corr_op_status_e status);
static void corr_clamd_drop(corr_clamd_file_t *file);


static const u_char  corr_clamd_command[] = "zINSTREAM";   /* and its NUL */


corr_clamd_t *
corr_clamd_create(ngx_cycle_t *cycle, const corr_clamd_conf_t *conf,
    corr_threads_t *threads)
{
    corr_clamd_t  *clamd;

    clamd = ngx_pcalloc(cycle->pool, sizeof(corr_clamd_t));
    if (clamd == NULL) {
        return NULL;
    }

    clamd->conf = conf;
    clamd->threads = threads;
    clamd->log = cycle->log;

    ngx_queue_init(&clamd->waiting);
    ngx_queue_init(&clamd->running);

    return clamd;
}


void
corr_clamd_destroy(corr_clamd_t *clamd)
{
    ngx_queue_t  *q;

    if (clamd == NULL) {
        return;
    }

    clamd->starting = 1;              /* none starts in place of another */

    while (!ngx_queue_empty(&clamd->waiting)) {
        q = ngx_queue_head(&clamd->waiting);
        corr_clamd_end(ngx_queue_data(q, corr_clamd_scan_t, link),
                       CORR_OP_UNAVAILABLE);
    }

    while (!ngx_queue_empty(&clamd->running)) {
        q = ngx_queue_head(&clamd->running);
        corr_clamd_end(ngx_queue_data(q, corr_clamd_scan_t, link),
                       CORR_OP_LOST);
    }
}


void
corr_clamd_status(corr_clamd_t *clamd, corr_clamd_status_t *status)
{
    status->in_flight = clamd->nrunning;
    status->queued = clamd->nwaiting;
    status->operations = clamd->operations;
    status->failures = clamd->failures;
    status->down = clamd->failing
                   && ngx_current_msec - clamd->failed < CORR_CLAMD_NEWS;
}


corr_clamd_op_t *
corr_clamd_scan(corr_clamd_t *clamd, corr_owner_t *owner, ngx_fd_t fd)
{
    corr_clamd_scan_t  *scan;
    corr_clamd_file_t  *file;

    file = ngx_alloc(sizeof(corr_clamd_file_t), clamd->log);
    scan = (corr_clamd_scan_t *) corr_op_create(sizeof(corr_clamd_scan_t),
                                                owner, "scan", clamd->log);

    if (file == NULL || scan == NULL) {

        if (scan) {
            corr_op_free(&scan->op.op);
        }

        ngx_free(file);
        (void) close(fd);
        return NULL;
    }

    file->fd = fd;
    file->holders = 1;

    scan->clamd = clamd;
    scan->file = file;
    scan->op.op.expire = corr_clamd_expire;
    scan->op.op.in_client = 1;

    corr_owner_init(&scan->reader, corr_clamd_was_read, clamd->log);

    ngx_queue_insert_tail(&clamd->waiting, &scan->link);
    clamd->nwaiting++;
    clamd->operations++;

    corr_op_start(&scan->op.op, clamd->conf->timeout);

    if (clamd->nwaiting > clamd->conf->queue) {
        corr_clamd_fail(scan, CORR_OP_UNAVAILABLE, "too many files wait", 0);

    } else {
        corr_clamd_start(clamd);
    }

    return &scan->op;
}


/* As many as may run; one that fails at once makes room for the next. */

static void
corr_clamd_start(corr_clamd_t *clamd)
{
    ngx_queue_t        *q;
    corr_clamd_scan_t  *scan;

    if (clamd->starting) {
        return;
    }

    clamd->starting = 1;

    while (clamd->nrunning < clamd->conf->max
           && !ngx_queue_empty(&clamd->waiting))
    {
        q = ngx_queue_head(&clamd->waiting);
        scan = ngx_queue_data(q, corr_clamd_scan_t, link);

        if (scan->op.op.owner == NULL) {
            corr_clamd_end(scan, CORR_OP_UNAVAILABLE);
            continue;
        }

        if (clamd->shut
            && (ngx_msec_int_t) (clamd->shut - ngx_current_msec) > 0)
        {
            corr_clamd_fail(scan, CORR_OP_UNAVAILABLE,
                            "no answer a moment ago", 0);
            continue;
        }

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&clamd->running, q);
        clamd->nwaiting--;
        clamd->nrunning++;

        scan->state = CORR_CLAMD_CONNECTING;
        corr_clamd_connect(scan);
    }

    clamd->starting = 0;
}


static void
corr_clamd_connect(corr_clamd_scan_t *scan)
{
    ngx_err_t                 err;
    const ngx_addr_t         *addr;
    const corr_clamd_conf_t  *conf = scan->clamd->conf;

    err = 0;

    while (scan->addr < conf->naddrs) {
        addr = &conf->addrs[scan->addr++];

        if (corr_fd_connect(&scan->fd, addr->sockaddr, addr->socklen,
                            corr_clamd_event, scan, scan->clamd->log)
            == NGX_OK)
        {
            return;
        }

        err = ngx_socket_errno;
    }

    corr_clamd_fail(scan, CORR_OP_UNAVAILABLE, "connect failed", err);
}


static void
corr_clamd_event(void *data, ngx_uint_t events, ngx_uint_t closing)
{
    corr_clamd_scan_t *scan = data;

    /* whoever waited is gone: clamd sees the connection closed, and stops */

    if (closing || scan->op.op.owner == NULL) {
        corr_clamd_end(scan, CORR_OP_LOST);
        return;
    }

    if (events & CORR_FD_READ) {
        corr_clamd_receive_some(scan);

    } else if (scan->state == CORR_CLAMD_CONNECTING) {
        corr_clamd_connected(scan);

    } else {
        corr_clamd_send(scan);
    }
}


static void
corr_clamd_connected(corr_clamd_scan_t *scan)
{
    ngx_err_t  err;

    err = corr_fd_connected(&scan->fd);

    if (err) {
        corr_fd_close(&scan->fd);

        if (scan->addr < scan->clamd->conf->naddrs) {
            corr_clamd_connect(scan);
            return;
        }

        corr_clamd_fail(scan, CORR_OP_UNAVAILABLE, "connect failed", err);
        return;
    }

    corr_retry_reset(&scan->clamd->retry);
    scan->clamd->shut = 0;

    scan->state = CORR_CLAMD_SENDING;
    scan->pos = corr_clamd_command;
    scan->last = corr_clamd_command + sizeof(corr_clamd_command);

    corr_clamd_send(scan);
}


static void
corr_clamd_send(corr_clamd_scan_t *scan)
{
    ssize_t    n;
    ngx_err_t  err;

    while (scan->pos < scan->last) {

        n = send(scan->fd.fd, scan->pos, scan->last - scan->pos,
                 MSG_NOSIGNAL);

        if (n >= 0) {
            scan->pos += n;
            continue;
        }

        err = ngx_socket_errno;

        if (err == NGX_EINTR) {
            continue;
        }

        if (err != NGX_EAGAIN) {
            corr_clamd_unsent(scan, err);

        } else if (corr_fd_watch(&scan->fd, CORR_FD_READ|CORR_FD_WRITE)
                   != NGX_OK)
        {
            corr_clamd_fail(scan, CORR_OP_LOST, "no event", 0);
        }

        return;
    }

    if (corr_fd_watch(&scan->fd, CORR_FD_READ) != NGX_OK) {
        corr_clamd_fail(scan, CORR_OP_LOST, "no event", 0);
        return;
    }

    if (scan->ended) {
        scan->state = CORR_CLAMD_SENT;
        return;
    }

    corr_clamd_read(scan);
}


/* It hung up on us, and may have said why. */

static void
corr_clamd_unsent(corr_clamd_scan_t *scan, ngx_err_t err)
{
    while (corr_clamd_receive(scan) > 0) { /* void */ }

    if (scan->nanswer) {
        corr_clamd_answered(scan);
        return;
    }

    corr_clamd_fail(scan, CORR_OP_LOST, "write failed", err);
}


/* The next chunk, by a thread. */

static void
corr_clamd_read(corr_clamd_scan_t *scan)
{
    corr_clamd_t       *clamd = scan->clamd;
    corr_clamd_read_t  *job;

    if (scan->task) {
        corr_op_free(&scan->task->op);
    }

    scan->task = corr_task_create(clamd->threads, &scan->reader, "scan read",
                                  sizeof(corr_clamd_read_t),
                                  corr_clamd_read_run, corr_clamd_read_wipe);
    if (scan->task == NULL) {
        corr_clamd_fail(scan, CORR_OP_FAILED, "no memory", 0);
        return;
    }

    scan->file->holders++;

    job = scan->task->data;
    job->file = scan->file;
    job->offset = scan->offset;

    corr_task_post(scan->task, clamd->conf->timeout);
}


/* In a thread. */

static int
corr_clamd_read_run(void *data)
{
    corr_clamd_read_t *job = data;

    do {
        job->n = pread(job->file->fd, job->chunk + CORR_CLAMD_LENGTH,
                       CORR_CLAMD_CHUNK, job->offset);
        job->err = ngx_errno;

    } while (job->n == -1 && job->err == NGX_EINTR);

    return job->n == -1 ? CORR_INVALID : CORR_OK;
}


static void
corr_clamd_read_wipe(void *data)
{
    corr_clamd_read_t *job = data;

    corr_clamd_drop(job->file);
}


static void
corr_clamd_was_read(corr_owner_t *owner)
{
    uint32_t            n;
    corr_clamd_scan_t  *scan;
    corr_clamd_read_t  *job;

    scan = ngx_queue_data(owner, corr_clamd_scan_t, reader);
    job = scan->task->data;

    if (scan->op.op.owner == NULL) {
        corr_clamd_end(scan, CORR_OP_LOST);
        return;
    }

    if (scan->task->op.status != CORR_OP_OK) {
        corr_clamd_fail(scan, CORR_OP_FAILED, "the file could not be read",
                        scan->task->op.status == CORR_OP_FAILED ? job->err
                                                                : 0);
        return;
    }

    n = htonl((uint32_t) job->n);
    ngx_memcpy(job->chunk, &n, CORR_CLAMD_LENGTH);

    scan->pos = job->chunk;
    scan->last = job->chunk + CORR_CLAMD_LENGTH + job->n;
    scan->offset += job->n;
    scan->ended = (job->n == 0);

    corr_clamd_send(scan);
}


/* As recv(); -1 with EAGAIN when nothing has come. */

static ssize_t
corr_clamd_receive(corr_clamd_scan_t *scan)
{
    ssize_t  n;

    do {
        n = recv(scan->fd.fd, scan->answer + scan->nanswer,
                 CORR_CLAMD_ANSWER - scan->nanswer, 0);

    } while (n == -1 && ngx_socket_errno == NGX_EINTR);

    if (n > 0) {
        scan->nanswer += n;
    }

    return n;
}


static void
corr_clamd_receive_some(corr_clamd_scan_t *scan)
{
    ssize_t    n;
    ngx_err_t  err;

    n = corr_clamd_receive(scan);
    err = ngx_socket_errno;

    if (n == -1 && err == NGX_EAGAIN) {
        return;
    }

    if (n > 0
        && scan->nanswer < CORR_CLAMD_ANSWER
        && ngx_strlchr(scan->answer, scan->answer + scan->nanswer, '\0')
           == NULL)
    {
        return;
    }

    if (scan->nanswer) {
        corr_clamd_answered(scan);
        return;
    }

    corr_clamd_fail(scan, CORR_OP_LOST, "no answer", n == -1 ? err : 0);
}


/*
 * Anything but a plain verdict is none.  "OK" counts only for a file that
 * was sent to its end.
 */

static void
corr_clamd_answered(corr_clamd_scan_t *scan)
{
    u_char  *text, *end;
    size_t   len;

    text = scan->answer;
    end = ngx_strlchr(text, text + scan->nanswer, '\0');
    len = (end ? end : text + scan->nanswer) - text;

    if (end && len == 10 && ngx_memcmp(text, "stream: OK", 10) == 0
        && scan->state == CORR_CLAMD_SENT)
    {
        corr_clamd_end(scan, CORR_OP_OK);
        return;
    }

    if (end && len > 14 && ngx_memcmp(text, "stream: ", 8) == 0
        && ngx_memcmp(end - 6, " FOUND", 6) == 0)
    {
        scan->op.infected = 1;
        corr_clamd_said(scan, text + 8, len - 14);
        corr_clamd_end(scan, CORR_OP_OK);
        return;
    }

    corr_clamd_said(scan, text, len);

    ngx_log_error(NGX_LOG_ERR, scan->clamd->log, 0,
                  "clamd could not scan a file: \"%*s\"", scan->op.said.len,
                  scan->op.said.data);

    corr_clamd_end(scan, CORR_OP_FAILED);
}


static void
corr_clamd_said(corr_clamd_scan_t *scan, const u_char *text, size_t len)
{
    u_char  *p;
    size_t   i;

    p = ngx_pnalloc(scan->op.op.pool, len);
    if (p == NULL) {
        return;
    }

    for (i = 0; i < len; i++) {
        p[i] = (text[i] > 0x1f && text[i] < 0x7f) ? text[i] : '?';
    }

    scan->op.said = corr_make_str(p, len);
}


/*
 * Where a connect is not even refused, whoever comes next is told at once,
 * for a while, instead of waiting as long.
 */

static void
corr_clamd_expire(corr_op_t *op)
{
    corr_clamd_scan_t *scan = (corr_clamd_scan_t *) op;

    switch (scan->state) {

    case CORR_CLAMD_WAITING:
        corr_clamd_fail(scan, CORR_OP_UNAVAILABLE, "too busy", 0);
        break;

    case CORR_CLAMD_CONNECTING:
        scan->clamd->shut = ngx_current_msec
                            + corr_retry_delay(&scan->clamd->retry,
                                               scan->clamd->conf->timeout);
        corr_clamd_fail(scan, CORR_OP_UNAVAILABLE, "connect timed out", 0);
        break;

    default:
        corr_clamd_fail(scan, CORR_OP_TIMEOUT, "no answer in time", 0);
        break;
    }
}


static void
corr_clamd_fail(corr_clamd_scan_t *scan, corr_op_status_e status,
    const char *what, ngx_err_t err)
{
    corr_clamd_t  *clamd = scan->clamd;

    ngx_log_error(corr_complaint_level(&clamd->complaint, what), clamd->log,
                  err, "clamd could not be asked: %s", what);

    if (status != CORR_OP_FAILED) {
        clamd->failing = 1;
        clamd->failed = ngx_current_msec;
    }

    corr_clamd_end(scan, status);
}


/* `scan` may be gone afterwards. */

static void
corr_clamd_end(corr_clamd_scan_t *scan, corr_op_status_e status)
{
    corr_clamd_t  *clamd = scan->clamd;

    ngx_queue_remove(&scan->link);

    if (scan->state == CORR_CLAMD_WAITING) {
        clamd->nwaiting--;

    } else {
        clamd->nrunning--;
    }

    if (status != CORR_OP_OK) {
        clamd->failures++;

    } else {
        clamd->failing = 0;
    }

    corr_fd_close(&scan->fd);
    corr_owner_detach(&scan->reader);
    corr_clamd_drop(scan->file);

    corr_op_end(&scan->op.op, status);

    corr_clamd_start(clamd);
}


static void
corr_clamd_drop(corr_clamd_file_t *file)
{
    if (--file->holders) {
        return;
    }

    (void) close(file->fd);
    ngx_free(file);
}


char *
corr_clamd_conf_add(ngx_conf_t *cf, corr_clamd_conf_t *conf, ngx_str_t *addr)
{
    ngx_url_t  u;

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = *addr;
    u.default_port = CORR_CLAMD_PORT;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK || u.naddrs == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s in address \"%V\"",
                           u.err ? u.err : "no host", addr);
        return NGX_CONF_ERROR;
    }

    conf->addrs = u.addrs;
    conf->naddrs = u.naddrs;

    return NGX_CONF_OK;
}
