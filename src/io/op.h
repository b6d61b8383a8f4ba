/*
 * An operation: something asked of PostgreSQL, Redis, a gateway or a
 * thread, which will be answered later.
 *
 * One rule for all four clients: an operation that was started completes
 * exactly once, never before the starting call has returned, and never
 * later than its deadline.  It lives in a pool of its own and so outlives
 * the request that asked; when the owner goes first, the operation is
 * orphaned and finishes for nobody.
 *
 * The deadline is a timer that is not cancelable: nginx ends a worker that
 * quits when no such timer is left, so every operation under way keeps the
 * worker until it is answered (code that forgets it loses requests on
 * every reload).
 */

#ifndef CORR_OP_H
#define CORR_OP_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "../lib/base.h"


typedef enum {
    CORR_OP_PENDING = 0,
    CORR_OP_OK,            /* answered; the client's own result says what */
    CORR_OP_FAILED,        /* answered with an error (SQLSTATE, -ERR, task) */
    CORR_OP_UNAVAILABLE,   /* was never sent: no connection, queue full */
    CORR_OP_LOST,          /* sent, and the connection died: unknown */
    CORR_OP_TIMEOUT        /* sent, and nothing came in time: unknown */
} corr_op_status_e;


typedef struct corr_op_s     corr_op_t;
typedef struct corr_owner_s  corr_owner_t;


/*
 * Who waits: a page's flow, or a background job.  resume() is called from
 * the event loop, once after one or more operations of the owner ended;
 * the owner may be gone when it returns.
 */

struct corr_owner_s {
    ngx_queue_t              ops;        /* all that are its, ended or not */
    ngx_uint_t               pending;
    void                   (*resume)(corr_owner_t *owner);
    ngx_event_t              wake;       /* posted by completions */
    ngx_log_t               *log;
};


struct corr_op_s {
    ngx_queue_t              link;       /* in owner->ops */
    corr_owner_t            *owner;      /* NULL: orphan */
    ngx_socket_t             ident;      /* -1; must follow 3 pointers, as
                                            fd in ngx_connection_t does: the
                                            debug log of timers reads it */
    ngx_pool_t              *pool;       /* the operation stands in it */
    corr_op_status_e         status;
    ngx_event_t              deadline;
    ngx_msec_t               started;    /* ngx_current_msec */
    void                   (*expire)(corr_op_t *op);   /* deadline passed */
    void                   (*release)(corr_op_t *op);  /* frees results */
    unsigned                 waiting:1;   /* since corr_op_start() */
    unsigned                 in_client:1; /* the client still holds it */
    unsigned                 secret:1;    /* its pool is wiped with it */
    const char              *name;       /* for the log and the metrics */
};


/* log: lives as long as the owner. */
void corr_owner_init(corr_owner_t *owner, void (*resume)(corr_owner_t *),
    ngx_log_t *log);

/*
 * Orphans what is under way and releases what has ended.  Called by the
 * one cleanup of a request, or when a job ends.
 */
void corr_owner_detach(corr_owner_t *owner);

static ngx_inline ngx_uint_t
corr_owner_waits(corr_owner_t *owner)
{
    return owner->pending != 0;
}


/* For the clients. */

/*
 * An operation of `size` zeroed bytes (a structure that begins with
 * corr_op_t) in a new pool; NULL without memory.  owner may be NULL: an
 * orphan from the start, which frees itself when it has ended.  log must
 * outlive every request: the cycle's.
 */
corr_op_t *corr_op_create(size_t size, corr_owner_t *owner,
    const char *name, ngx_log_t *log);

/*
 * Counts it as pending and arms the deadline (milliseconds).  When the
 * deadline passes op->expire(op) is called, which must end the operation;
 * without one it ends as CORR_OP_TIMEOUT.
 */
void corr_op_start(corr_op_t *op, ngx_msec_t timeout);

/*
 * Ends it: disarms, tells the owner through a posted event.  An orphan
 * that the client no longer holds is freed here: do not touch op after.
 * Of an operation that has already ended nothing changes.
 */
void corr_op_complete(corr_op_t *op, corr_op_status_e status);

/* The client lets go of an operation it still held after its end. */
void corr_op_forget(corr_op_t *op);

/* Both: an orphan is freed once, here, whoever held it until now. */
void corr_op_end(corr_op_t *op, corr_op_status_e status);

/*
 * Frees an operation before its owner goes: one with large results, or one
 * that will not be started after all.  One that is under way becomes an
 * orphan.
 */
void corr_op_free(corr_op_t *op);


#endif /* CORR_OP_H */
