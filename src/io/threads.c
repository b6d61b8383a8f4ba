/*
 * Tasks in nginx's thread pools.
 *
 * The orphan way: a task stands in the pool of its operation, which outlives
 * the request, and nothing counts in r->main->blocked.  The operation's
 * deadline timer is what keeps a worker that quits until the task is done.
 */

#include "threads.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>


/* Who may touch a task; a thread takes it by changing QUEUED to RUNNING. */

#define CORR_TASK_QUEUED     0
#define CORR_TASK_RUNNING    1
#define CORR_TASK_DONE       2
#define CORR_TASK_CANCELED   3

#define CORR_TASK_SLICE      100000    /* nanoseconds, the least there is */
#define CORR_TASK_TURN       200000    /* nanoseconds between two yields */
#define CORR_TASK_SIGNAL     (SIGRTMIN + 3)

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id  _sigev_un._tid
#endif


typedef struct {
    corr_task_t              task;       /* first */
    ngx_thread_task_t        thread;
    ngx_queue_t              link;       /* in threads->held */
    corr_threads_t          *threads;
    corr_task_pt             run;
    void                   (*wipe)(void *data);
    ngx_int_t                nice;
    ngx_uint_t               state;      /* atomic */
} corr_work_t;


/* The kernel's sched_attr: C libraries before 2.41 have none. */

typedef struct {
    uint32_t                 size;
    uint32_t                 policy;
    uint64_t                 flags;
    int32_t                  nice;
    uint32_t                 priority;
    uint64_t                 runtime;
    uint64_t                 deadline;
    uint64_t                 period;
} corr_sched_attr_t;


/* Of a thread that runs nicely. */

static __thread struct {
    ngx_int_t                nice;
    timer_t                  timer;
    unsigned                 timed;
    volatile sig_atomic_t    runs;       /* or a late signal would set the
                                            timer of a thread that sleeps */
} corr_turn;


struct corr_threads_s {
    ngx_thread_pool_t       *pool;
    ngx_int_t                nice;
    ngx_uint_t               queue;
    ngx_log_t               *log;
    ngx_queue_t              held;       /* posted and not finished */
    corr_threads_status_t    status;
};


static void corr_task_run(void *data, ngx_log_t *log);
static void corr_task_nice_run(corr_work_t *work);
static void corr_task_renice(ngx_int_t nice);
static void corr_task_place(void);
static void corr_turn_create(void);
static void corr_turn_set(long nanoseconds);
static void corr_turn_yield(int signo);
static void corr_task_done(ngx_event_t *ev);
static void corr_task_expire(corr_op_t *op);
static void corr_task_release(corr_op_t *op);
static ngx_uint_t corr_task_take(corr_work_t *work, ngx_uint_t state);


ngx_thread_pool_t *
corr_threads_declare(ngx_conf_t *cf, ngx_str_t *pool)
{
    return ngx_thread_pool_add(cf, pool);
}


corr_threads_t *
corr_threads_create(ngx_cycle_t *cycle, ngx_str_t *pool, ngx_int_t nice,
    ngx_uint_t queue)
{
    corr_threads_t    *threads;
    struct sigaction   action;

    threads = ngx_pcalloc(cycle->pool, sizeof(corr_threads_t));
    if (threads == NULL) {
        return NULL;
    }

    threads->pool = ngx_thread_pool_get(cycle, pool);
    if (threads->pool == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "thread pool \"%V\" not found", pool);
        return NULL;
    }

    threads->nice = nice;
    threads->queue = queue;
    threads->log = cycle->log;

    ngx_queue_init(&threads->held);

    if (nice) {
        ngx_memzero(&action, sizeof(action));
        action.sa_handler = corr_turn_yield;
        action.sa_flags = SA_RESTART;
        sigemptyset(&action.sa_mask);

        if (sigaction(CORR_TASK_SIGNAL, &action, NULL) == -1) {
            ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                          "sigaction() failed");
            return NULL;
        }
    }

    return threads;
}


void
corr_threads_destroy(corr_threads_t *threads)
{
    corr_work_t  *work;
    ngx_queue_t  *q;

    if (threads == NULL) {
        return;
    }

    while (!ngx_queue_empty(&threads->held)) {
        q = ngx_queue_head(&threads->held);
        work = ngx_queue_data(q, corr_work_t, link);

        ngx_queue_remove(q);

        /*
         * nginx leaves its threads alone when even its own exit task found
         * the queue full: what they are at stays theirs
         */

        if (!corr_task_take(work, CORR_TASK_CANCELED)
            && __atomic_load_n(&work->state, __ATOMIC_ACQUIRE)
               == CORR_TASK_RUNNING)
        {
            continue;
        }

        corr_op_complete(&work->task.op, CORR_OP_UNAVAILABLE);

        /* frees an orphan; otherwise the owner still has the memory */

        if (work->task.op.owner != NULL) {
            corr_task_release(&work->task.op);
            continue;
        }

        corr_op_forget(&work->task.op);
    }
}


void
corr_threads_status(corr_threads_t *threads, corr_threads_status_t *status)
{
    *status = threads->status;
}


corr_task_t *
corr_task_create(corr_threads_t *threads, corr_owner_t *owner,
    const char *name, size_t size, corr_task_pt run, void (*wipe)(void *))
{
    size_t        head;
    corr_op_t    *op;
    corr_work_t  *work;

    head = ngx_align(sizeof(corr_work_t), NGX_POOL_ALIGNMENT);

    op = corr_op_create(head + size, owner, name, threads->log);
    if (op == NULL) {
        return NULL;
    }

    op->expire = corr_task_expire;
    op->release = corr_task_release;

    work = (corr_work_t *) op;

    work->task.data = (u_char *) work + head;
    work->threads = threads;
    work->run = run;
    work->wipe = wipe;
    work->nice = threads->nice;

    work->thread.handler = corr_task_run;
    work->thread.ctx = work;
    work->thread.event.handler = corr_task_done;
    work->thread.event.data = work;
    work->thread.event.log = threads->log;

    return &work->task;
}


void
corr_task_post(corr_task_t *task, ngx_msec_t timeout)
{
    corr_work_t     *work = (corr_work_t *) task;
    corr_threads_t  *threads;

    threads = work->threads;

    corr_op_start(&task->op, timeout);

    threads->status.operations++;

    if ((threads->queue && threads->status.running >= threads->queue)
        || ngx_thread_task_post(threads->pool, &work->thread) != NGX_OK)
    {
        threads->status.refused++;
        corr_op_complete(&task->op, CORR_OP_UNAVAILABLE);
        return;
    }

    /* the loop has not come round yet, so corr_task_done() did not run */

    task->op.in_client = 1;

    ngx_queue_insert_tail(&threads->held, &work->link);
    threads->status.running++;
}


/* In a thread: may touch `work` and what run() was given, nothing else. */

static void
corr_task_run(void *data, ngx_log_t *log)
{
    corr_work_t  *work = data;

    if (!corr_task_take(work, CORR_TASK_RUNNING)) {
        return;
    }

    if (work->nice) {
        corr_task_nice_run(work);

    } else {
        work->task.result = work->run(work->task.data);
    }

    __atomic_store_n(&work->state, CORR_TASK_DONE, __ATOMIC_RELEASE);
}


static void
corr_task_nice_run(corr_work_t *work)
{
    if (corr_turn.nice < work->nice) {
        corr_turn.nice = work->nice;
        corr_task_renice(work->nice);
        corr_task_place();
        corr_turn_create();
    }

    corr_turn.runs = 1;
    corr_turn_set(CORR_TASK_TURN);

    work->task.result = work->run(work->task.data);

    corr_turn.runs = 0;
    corr_turn_set(0);
}


/*
 * Of this thread alone: on Linux niceness belongs to threads.  A nice one
 * still keeps the processor to the end of its slice, some milliseconds, when
 * the event loop wakes (EEVDF, RUN_TO_PARITY), so its slices are to be as
 * short as may be.  Kernels before 6.12 take no wish for the length; those
 * before 6.6 do not need it.
 */

static void
corr_task_renice(ngx_int_t nice)
{
    corr_sched_attr_t  attr;

    ngx_memzero(&attr, sizeof(attr));

    attr.size = sizeof(attr);
    attr.policy = SCHED_OTHER;
    attr.nice = (int32_t) nice;
    attr.runtime = CORR_TASK_SLICE;

    if (syscall(SYS_sched_setattr, 0, &attr, 0) == -1) {
        (void) setpriority(PRIO_PROCESS, (id_t) syscall(SYS_gettid),
                           (int) nice);
    }
}


/*
 * One of the processors that this thread may use, the first, is left to those
 * who answer: while hashes and pictures keep all others, whoever wakes finds
 * one that none of them holds.  Of a worker that is bound to a single one
 * (worker_cpu_affinity) nothing can be left.
 */

static void
corr_task_place(void)
{
    int        i;
    cpu_set_t  set;

    if (sched_getaffinity(0, sizeof(set), &set) == -1 || CPU_COUNT(&set) < 2)
    {
        return;
    }

    for (i = 0; !CPU_ISSET(i, &set); i++) { /* void */ }

    CPU_CLR(i, &set);

    (void) sched_setaffinity(0, sizeof(set), &set);
}


/*
 * The kernel looks for somebody else to run when one wakes, and with its
 * tick, 4 ms.  Who was put aside for a moment (the event loop by the backend
 * it has just asked) has had more than its share by a hair, so a nice thread
 * is taken before it and keeps the processor until the tick.  A thread that
 * offers it by itself every fifth of a millisecond costs the others that at
 * the most.  Without a timer it is merely nice.
 */

static void
corr_turn_create(void)
{
    sigset_t         set;
    struct sigevent  ev;

    if (corr_turn.timed) {
        return;
    }

    ngx_memzero(&ev, sizeof(ev));

    ev.sigev_notify = SIGEV_THREAD_ID;
    ev.sigev_signo = CORR_TASK_SIGNAL;
    ev.sigev_notify_thread_id = (pid_t) syscall(SYS_gettid);

    if (timer_create(CLOCK_MONOTONIC, &ev, &corr_turn.timer) == -1) {
        return;
    }

    corr_turn.timed = 1;

    /* nginx blocks all signals in its threads */

    sigemptyset(&set);
    sigaddset(&set, CORR_TASK_SIGNAL);
    (void) pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}


static void
corr_turn_set(long nanoseconds)
{
    struct itimerspec  spec;

    if (!corr_turn.timed) {
        return;
    }

    ngx_memzero(&spec, sizeof(spec));
    spec.it_value.tv_nsec = nanoseconds;

    (void) timer_settime(corr_turn.timer, 0, &spec, NULL);
}


/* A signal: in the thread that hashes or draws, wherever it stands. */

static void
corr_turn_yield(int signo)
{
    int  saved = errno;

    (void) signo;

    (void) sched_yield();

    if (corr_turn.runs) {
        corr_turn_set(CORR_TASK_TURN);
    }

    errno = saved;
}


static ngx_uint_t
corr_task_take(corr_work_t *work, ngx_uint_t state)
{
    ngx_uint_t  expected = CORR_TASK_QUEUED;

    return __atomic_compare_exchange_n(&work->state, &expected, state, 0,
                                       __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}


/* On the event loop, when the thread has let go. */

static void
corr_task_done(ngx_event_t *ev)
{
    corr_work_t  *work = ev->data;

    ngx_queue_remove(&work->link);
    work->threads->status.running--;

    corr_op_end(&work->task.op, work->task.result == CORR_OK
                                ? CORR_OP_OK : CORR_OP_FAILED);
}


/*
 * The thread may hold it still, and its queue does in any case: it is freed
 * when it comes back.  A task that has not begun never will, and is answered
 * as one that was never sent.
 */

static void
corr_task_expire(corr_op_t *op)
{
    corr_work_t  *work = (corr_work_t *) op;

    work->threads->status.timeouts++;

    if (corr_task_take(work, CORR_TASK_CANCELED)) {
        corr_op_complete(op, CORR_OP_UNAVAILABLE);
        return;
    }

    corr_op_complete(op, CORR_OP_TIMEOUT);
}


static void
corr_task_release(corr_op_t *op)
{
    void        (*wipe)(void *data);
    corr_work_t  *work = (corr_work_t *) op;

    wipe = work->wipe;
    work->wipe = NULL;

    if (wipe != NULL) {
        wipe(work->task.data);
    }
}
