/*
 * Work that would hold the event loop: hashing, drawing, disk.
 *
 * The function runs in a thread of nginx's pool and may use only what was
 * copied into its task: no nginx pool, no log, no request.  A full queue
 * is UNAVAILABLE, which a page turns into 503.
 */

#ifndef CORR_THREADS_H
#define CORR_THREADS_H

#include "op.h"

#include <ngx_thread_pool.h>


typedef struct corr_task_s  corr_task_t;

/* CORR_OK or another code: OK or FAILED; `result` keeps the code. */
typedef int (*corr_task_pt)(void *data);

struct corr_task_s {
    corr_op_t                op;
    int                      result;
    void                    *data;       /* `size` zeroed bytes, in the
                                            operation's pool; the thread's
                                            until corr_task_ended() */
};


/*
 * Which pool: short CPU work at nice 19, or disk.
 *
 * corr_threads_declare() is for the directive that names a pool: nginx then
 * checks at load that such a `thread_pool` exists (`nginx -t` says so with
 * file and line), and makes its threads when a worker starts.
 *
 * queue: tasks posted and not finished, at the most; above it a task ends
 * UNAVAILABLE.  0: only the pool's own max_queue counts.  nice: of the
 * pool's threads, 0 leaves them as they are; two corr_threads_t on one pool
 * share its threads and the larger nice.
 */

typedef struct corr_threads_s  corr_threads_t;

/* NULL: no memory. */
ngx_thread_pool_t *corr_threads_declare(ngx_conf_t *cf, ngx_str_t *pool);

/* At the worker's start.  NULL: no memory or no such pool (logged). */
corr_threads_t *corr_threads_create(ngx_cycle_t *cycle, ngx_str_t *pool,
    ngx_int_t nice, ngx_uint_t queue);

/*
 * In exit_process, where nginx has already ended the threads: wipes what
 * never ran or ended without its completion being seen.
 */
void corr_threads_destroy(corr_threads_t *threads);

/*
 * A task with `size` zeroed bytes of data for run(); NULL without memory.
 * Whatever run() reads must be inside data or in task->op.pool.  wipe() (or
 * NULL) is called on the event loop before the memory is freed, once,
 * whether the task ran or not: secrets, malloc'd results, open files.  It
 * must not use a pool or a log of a request.  owner NULL: nobody waits.
 */
corr_task_t *corr_task_create(corr_threads_t *threads, corr_owner_t *owner,
    const char *name, size_t size, corr_task_pt run, void (*wipe)(void *));

/*
 * When the deadline passes, a task that has not begun never will
 * (UNAVAILABLE); of one that runs what it makes is wiped when it ends
 * (TIMEOUT).
 */
void corr_task_post(corr_task_t *task, ngx_msec_t timeout);

/*
 * Did it run to its end?  In one that is late a thread may still be writing:
 * what it makes must not be looked at.
 */
static ngx_inline ngx_uint_t
corr_task_ended(const corr_task_t *task)
{
    return task->op.status == CORR_OP_OK
           || task->op.status == CORR_OP_FAILED;
}

typedef struct {
    ngx_uint_t               running;    /* posted and not finished */
    uint64_t                 operations;
    uint64_t                 refused;    /* queue full */
    uint64_t                 timeouts;
} corr_threads_status_t;

void corr_threads_status(corr_threads_t *threads,
    corr_threads_status_t *status);


#endif /* CORR_THREADS_H */
