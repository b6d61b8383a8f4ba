/*
 * Files in threads of the disk pool.
 *
 * A spool is shared by the event loop and by one task at a time.  It stands
 * in memory of its own and goes when the page has released it and no task
 * holds it: a thread may be writing when the request is long gone.
 */

#include "store_work.h"


#define CORR_STORE_PORTION    4096      /* files found in one scan */
#define CORR_STORE_ABANDON    60000     /* milliseconds */


typedef struct {
    corr_spool_t            *spool;
    size_t                   len;        /* of the block */
    corr_str_t               name;       /* when it finishes */
    uint64_t                 offset;     /* in the file */
    unsigned                 finish:1;
} corr_spool_job_t;


typedef struct {
    corr_store_list_t        list;       /* n: found, or gone */
    corr_store_t            *store;
    ngx_uint_t               prefix;
    corr_store_fate_pt       fate;
    time_t                   age;
    unsigned char            hash[CORR_STORE_HASH];    /* or that before */
    char                     id[CORR_STORE_ID + 1];
    unsigned                 goes_on:1;
} corr_store_job_t;


struct corr_spool_s {
    corr_store_t            *store;
    corr_threads_t          *threads;
    corr_filetypes_t        *types;
    corr_owner_t            *owner;
    uint64_t                 limit;
    uint64_t                 size;       /* given */
    corr_task_t             *task;       /* the last one, while it exists */
    ngx_uint_t               holders;    /* tasks, and the page */

    /* the running task's */
    unsigned char           *block;      /* else the page's, to fill */
    corr_incoming_t         *in;
    uint64_t                 written;
    corr_store_error_e       error;
    corr_file_verdict_e      verdict;
    corr_stored_t            stored;
    ngx_err_t                err;
};


static corr_task_t *corr_spool_task(corr_spool_t *spool, const char *name);
static int corr_spool_run(void *data);
static corr_store_error_e corr_spool_work(corr_spool_job_t *job);
static void corr_spool_wipe(void *data);
static void corr_spool_drop(corr_spool_t *spool);
static int corr_abandon_run(void *data);
static void corr_abandon_wipe(void *data);
static int corr_scan_run(void *data);
static int corr_scan_found(void *data,
    const unsigned char hash[CORR_STORE_HASH], uint64_t size, int64_t mtime);
static void corr_scan_wipe(void *data);
static corr_store_error_e corr_scan_whose(corr_store_job_t *job);
static int corr_fate_run(void *data);
static int corr_mark_run(void *data);


corr_spool_t *
corr_spool_create(corr_store_t *store, corr_threads_t *threads,
    corr_filetypes_t *types, corr_owner_t *owner, uint64_t limit,
    unsigned char *block)
{
    corr_spool_t  *spool;

    spool = ngx_calloc(sizeof(corr_spool_t), ngx_cycle->log);
    if (spool == NULL) {
        return NULL;
    }

    spool->store = store;
    spool->threads = threads;
    spool->types = types;
    spool->owner = owner;
    spool->limit = limit;
    spool->block = block;
    spool->holders = 1;

    return spool;
}


unsigned char *
corr_spool_block(corr_spool_t *spool)
{
    if (spool->block == NULL) {
        spool->block = ngx_alloc(CORR_SPOOL_BLOCK, ngx_cycle->log);
    }

    return spool->block;
}


unsigned char *
corr_spool_take_block(corr_spool_t *spool)
{
    unsigned char  *block;

    block = spool->block;
    spool->block = NULL;

    return block;
}


void
corr_spool_free_block(unsigned char *block)
{
    ngx_free(block);
}


corr_task_t *
corr_spool_write(corr_spool_t *spool, size_t len, ngx_msec_t timeout)
{
    corr_task_t       *task;
    corr_spool_job_t  *job;

    task = corr_spool_task(spool, "file write");
    if (task == NULL) {
        return NULL;
    }

    job = task->data;
    job->len = len;

    spool->size += len;

    corr_task_post(task, timeout);

    return task;
}


corr_task_t *
corr_spool_finish(corr_spool_t *spool, size_t len, corr_str_t name,
    ngx_msec_t timeout)
{
    corr_task_t       *task;
    corr_spool_job_t  *job;

    task = corr_spool_task(spool, "file place");
    if (task == NULL) {
        return NULL;
    }

    job = task->data;
    job->len = len;
    job->finish = 1;

    job->name.data = ngx_pnalloc(task->op.pool, name.len + 1);

    if (job->name.data == NULL) {
        corr_op_free(&task->op);
        return NULL;
    }

    job->name.len = name.len;

    if (name.len) {
        ngx_memcpy(job->name.data, name.data, name.len);
    }

    spool->size += len;

    corr_task_post(task, timeout);

    return task;
}


static corr_task_t *
corr_spool_task(corr_spool_t *spool, const char *name)
{
    corr_task_t       *task;
    corr_spool_job_t  *job;

    if (spool->task != NULL) {

        if (spool->task->op.status == CORR_OP_PENDING
            || spool->task->op.in_client)
        {
            return NULL;
        }

        /* or the tasks of a whole file would stay until the request ends */

        corr_op_free(&spool->task->op);
    }

    task = corr_task_create(spool->threads, spool->owner, name,
                            sizeof(corr_spool_job_t), corr_spool_run,
                            corr_spool_wipe);
    if (task == NULL) {
        return NULL;
    }

    job = task->data;
    job->spool = spool;
    job->offset = spool->size;

    spool->task = task;
    spool->holders++;

    return task;
}


/* In a thread. */

static int
corr_spool_run(void *data)
{
    corr_spool_t      *spool;
    corr_spool_job_t  *job = data;

    spool = job->spool;

    if (spool->error == CORR_STORE_OK) {
        spool->error = corr_spool_work(job);
        spool->err = ngx_errno;
    }

    if (spool->error == CORR_STORE_OK) {
        return CORR_OK;
    }

    corr_store_abandon(spool->in);
    spool->in = NULL;

    return CORR_INVALID;
}


static corr_store_error_e
corr_spool_work(corr_spool_job_t *job)
{
    corr_spool_t        *spool;
    corr_incoming_t     *in;
    corr_store_error_e   error;

    spool = job->spool;

    /* a block that no thread took (queue full, deadline) leaves a hole */

    if (job->offset != spool->written) {
        ngx_set_errno(ECANCELED);
        return CORR_STORE_IO;
    }

    if (spool->in == NULL) {
        error = corr_store_create(spool->store, spool->limit, &spool->in);

        if (error != CORR_STORE_OK) {
            return error;
        }
    }

    error = corr_store_write(spool->in, spool->block, job->len);
    spool->written += job->len;

    if (error != CORR_STORE_OK || !job->finish) {
        return error;
    }

    in = spool->in;
    spool->in = NULL;

    return corr_store_finish(in, spool->types, job->name, &spool->stored,
                             &spool->verdict);
}


/* On the event loop, when the task's memory goes. */

static void
corr_spool_wipe(void *data)
{
    corr_spool_t      *spool;
    corr_spool_job_t  *job = data;

    spool = job->spool;

    if (spool->task != NULL && spool->task->data == data) {
        spool->task = NULL;
    }

    corr_spool_drop(spool);
}


void
corr_spool_release(corr_spool_t *spool)
{
    if (spool != NULL) {
        corr_spool_drop(spool);
    }
}


static void
corr_spool_drop(corr_spool_t *spool)
{
    corr_task_t      *task;
    corr_threads_t   *threads;
    corr_incoming_t  *in;

    if (--spool->holders) {
        return;
    }

    in = spool->in;
    threads = spool->threads;

    corr_spool_free_block(spool->block);
    ngx_free(spool);

    if (in == NULL) {
        return;
    }

    task = NULL;

    /* a worker that ends may have no threads any more */

    if (!ngx_exiting && !ngx_terminate) {
        task = corr_task_create(threads, NULL, "file abandon",
                                sizeof(corr_incoming_t *), corr_abandon_run,
                                corr_abandon_wipe);
    }

    if (task == NULL) {
        corr_store_abandon(in);
        return;
    }

    *(corr_incoming_t **) task->data = in;

    corr_task_post(task, CORR_STORE_ABANDON);
}


static int
corr_abandon_run(void *data)
{
    corr_incoming_t  **in = data;

    corr_store_abandon(*in);
    *in = NULL;

    return CORR_OK;
}


/* The queue was full: then it is done here. */

static void
corr_abandon_wipe(void *data)
{
    corr_incoming_t  **in = data;

    corr_store_abandon(*in);
}


ngx_fd_t
corr_spool_reader(const corr_spool_t *spool)
{
    if (spool->in == NULL) {
        ngx_set_errno(ENOENT);
        return NGX_INVALID_FILE;
    }

    return corr_store_reader(spool->in);
}


corr_store_error_e
corr_spool_error(const corr_spool_t *spool)
{
    return spool->error;
}


corr_file_verdict_e
corr_spool_verdict(const corr_spool_t *spool)
{
    return spool->verdict;
}


const corr_stored_t *
corr_spool_stored(const corr_spool_t *spool)
{
    return &spool->stored;
}


uint64_t
corr_spool_size(const corr_spool_t *spool)
{
    return spool->size;
}


ngx_err_t
corr_spool_errno(const corr_spool_t *spool)
{
    return spool->err;
}


/* The collector's portions. */

corr_task_t *
corr_store_scan_task(corr_store_t *store, corr_threads_t *threads,
    corr_owner_t *owner, const char *id, ngx_uint_t prefix,
    const unsigned char *after, time_t age, ngx_msec_t timeout)
{
    corr_task_t       *task;
    corr_store_job_t  *job;

    task = corr_task_create(threads, owner, "store scan",
                            sizeof(corr_store_job_t), corr_scan_run,
                            corr_scan_wipe);
    if (task == NULL) {
        return NULL;
    }

    job = task->data;
    job->store = store;
    job->prefix = prefix;
    job->age = age;
    ngx_memcpy(job->id, id, CORR_STORE_ID + 1);

    if (after != NULL) {
        job->goes_on = 1;
        ngx_memcpy(job->hash, after, CORR_STORE_HASH);
    }

    corr_task_post(task, timeout);

    return task;
}


const corr_store_list_t *
corr_store_list(const corr_task_t *task)
{
    corr_store_job_t  *job = task->data;

    return corr_task_ended(task) ? &job->list : NULL;
}


static int
corr_scan_run(void *data)
{
    corr_store_job_t  *job = data;

    job->list.hashes = malloc(CORR_STORE_PORTION * CORR_STORE_HASH);

    if (job->list.hashes == NULL) {
        job->list.error = CORR_STORE_IO;
        job->list.err = ENOMEM;
        return CORR_INVALID;
    }

    job->list.error = corr_scan_whose(job);

    if (job->list.error == CORR_STORE_OK
        && (job->list.whose == CORR_STORE_OURS
            || job->list.whose == CORR_STORE_UNMARKED))
    {
        job->list.error = corr_store_scan(job->store, (unsigned) job->prefix,
                                          job->goes_on ? job->hash : NULL,
                                          job->age, corr_scan_found, job);
    }

    job->list.err = ngx_errno;

    return job->list.error == CORR_STORE_OK ? CORR_OK : CORR_INVALID;
}


static corr_store_error_e
corr_scan_whose(corr_store_job_t *job)
{
    corr_store_error_e   error;
    corr_store_list_t   *list;

    list = &job->list;
    error = corr_store_read_mark(job->store, list->id);

    if (error == CORR_STORE_OK) {
        list->whose = ngx_strcmp(list->id, job->id) == 0 ? CORR_STORE_OURS
                                                         : CORR_STORE_OTHERS;
        return CORR_STORE_OK;
    }

    if (error != CORR_STORE_ABSENT) {
        return error;
    }

    error = corr_store_holds(job->store);

    list->whose = error == CORR_STORE_ABSENT ? CORR_STORE_BARE
                                             : CORR_STORE_UNMARKED;

    return error == CORR_STORE_ABSENT ? CORR_STORE_OK : error;
}


static int
corr_scan_found(void *data, const unsigned char hash[CORR_STORE_HASH],
    uint64_t size, int64_t mtime)
{
    corr_store_job_t   *job = data;
    corr_store_list_t  *list;

    list = &job->list;

    if (list->n == CORR_STORE_PORTION) {
        list->more = 1;
        return 1;
    }

    ngx_memcpy(list->hashes[list->n++], hash, CORR_STORE_HASH);

    return 0;
}


static void
corr_scan_wipe(void *data)
{
    corr_store_job_t  *job = data;

    free(job->list.hashes);
}


corr_task_t *
corr_store_fate_task(corr_store_t *store, corr_threads_t *threads,
    corr_owner_t *owner, corr_store_fate_pt fate, corr_str_t hash, time_t age,
    ngx_msec_t timeout)
{
    corr_task_t       *task;
    corr_store_job_t  *job;

    task = corr_task_create(threads, owner, "store fate",
                            sizeof(corr_store_job_t), corr_fate_run, NULL);
    if (task == NULL) {
        return NULL;
    }

    job = task->data;
    job->store = store;
    job->fate = fate;
    job->age = age;

    if (hash.len == CORR_STORE_HASH) {
        ngx_memcpy(job->hash, hash.data, CORR_STORE_HASH);
    }

    corr_task_post(task, timeout);

    return task;
}


static int
corr_fate_run(void *data)
{
    corr_store_job_t  *job = data;

    job->list.error = job->fate(job->store,
                                corr_make_str(job->hash, CORR_STORE_HASH),
                                job->age);
    job->list.err = ngx_errno;

    if (job->list.error == CORR_STORE_OK) {
        job->list.n = 1;

    } else if (job->list.error == CORR_STORE_ABSENT) {
        job->list.error = CORR_STORE_OK;
    }

    return job->list.error == CORR_STORE_OK ? CORR_OK : CORR_INVALID;
}


corr_task_t *
corr_store_mark_task(corr_store_t *store, corr_threads_t *threads,
    corr_owner_t *owner, const char *id, ngx_msec_t timeout)
{
    corr_task_t       *task;
    corr_store_job_t  *job;

    task = corr_task_create(threads, owner, "store mark",
                            sizeof(corr_store_job_t), corr_mark_run, NULL);
    if (task == NULL) {
        return NULL;
    }

    job = task->data;
    job->store = store;
    ngx_memcpy(job->id, id, CORR_STORE_ID + 1);

    corr_task_post(task, timeout);

    return task;
}


static int
corr_mark_run(void *data)
{
    corr_store_job_t  *job = data;

    job->list.error = corr_store_write_mark(job->store, job->id);
    job->list.err = ngx_errno;

    return job->list.error == CORR_STORE_OK ? CORR_OK : CORR_INVALID;
}
