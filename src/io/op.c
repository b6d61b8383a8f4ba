/*
 * Operations and their owners: deadlines, orphans, and the one place where
 * a completion becomes a wake-up.
 */

#include "op.h"
#include "pool.h"


static void corr_owner_wake(ngx_event_t *ev);
static void corr_op_deadline(ngx_event_t *ev);
static void corr_op_orphan(corr_op_t *op);
static void corr_op_destroy(corr_op_t *op);


void
corr_owner_init(corr_owner_t *owner, void (*resume)(corr_owner_t *),
    ngx_log_t *log)
{
    ngx_memzero(owner, sizeof(corr_owner_t));

    ngx_queue_init(&owner->ops);

    owner->resume = resume;
    owner->log = log;

    owner->wake.handler = corr_owner_wake;
    owner->wake.data = owner;
    owner->wake.log = log;
}


void
corr_owner_detach(corr_owner_t *owner)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&owner->ops)) {
        q = ngx_queue_head(&owner->ops);
        corr_op_free(ngx_queue_data(q, corr_op_t, link));
    }

    if (owner->wake.posted) {
        ngx_delete_posted_event(&owner->wake);
    }
}


static void
corr_owner_wake(ngx_event_t *ev)
{
    corr_owner_t  *owner = ev->data;

    owner->resume(owner);
}


corr_op_t *
corr_op_create(size_t size, corr_owner_t *owner, const char *name,
    ngx_log_t *log)
{
    corr_op_t   *op;
    ngx_pool_t  *pool;

    pool = ngx_create_pool(ngx_align(size, NGX_POOL_ALIGNMENT) + 1024, log);
    if (pool == NULL) {
        return NULL;
    }

    op = ngx_pcalloc(pool, size);
    if (op == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    op->pool = pool;
    op->name = name;
    op->ident = (ngx_socket_t) -1;

    op->deadline.handler = corr_op_deadline;
    op->deadline.data = op;
    op->deadline.log = log;

    op->owner = owner;

    if (owner != NULL) {
        ngx_queue_insert_tail(&owner->ops, &op->link);
    }

    return op;
}


void
corr_op_start(corr_op_t *op, ngx_msec_t timeout)
{
    op->waiting = 1;
    op->started = ngx_current_msec;

    if (op->owner != NULL) {
        op->owner->pending++;
    }

    ngx_add_timer(&op->deadline, timeout);
}


static void
corr_op_deadline(ngx_event_t *ev)
{
    corr_op_t  *op = ev->data;

    if (op->expire != NULL) {
        op->expire(op);
        return;
    }

    corr_op_complete(op, CORR_OP_TIMEOUT);
}


void
corr_op_complete(corr_op_t *op, corr_op_status_e status)
{
    if (op->status != CORR_OP_PENDING) {
        return;
    }

    op->status = status;

    if (op->deadline.timer_set) {
        ngx_del_timer(&op->deadline);
    }

    if (op->owner == NULL) {

        if (!op->in_client) {
            corr_op_destroy(op);
        }

        return;
    }

    if (op->waiting) {
        op->owner->pending--;
    }

    /*
     * Posted, never called: the owner may stand in the middle of starting
     * other operations, and several completions need one resume.
     */

    ngx_post_event(&op->owner->wake, &ngx_posted_events);
}


void
corr_op_forget(corr_op_t *op)
{
    op->in_client = 0;

    if (op->owner == NULL && op->status != CORR_OP_PENDING) {
        corr_op_destroy(op);
    }
}


void
corr_op_end(corr_op_t *op, corr_op_status_e status)
{
    op->in_client = 1;

    corr_op_complete(op, status);
    corr_op_forget(op);
}


void
corr_op_free(corr_op_t *op)
{
    corr_op_orphan(op);

    if (op->in_client) {
        return;
    }

    if (op->status == CORR_OP_PENDING && op->waiting) {
        return;
    }

    corr_op_destroy(op);
}


static void
corr_op_orphan(corr_op_t *op)
{
    if (op->owner == NULL) {
        return;
    }

    if (op->status == CORR_OP_PENDING && op->waiting) {
        op->owner->pending--;
    }

    ngx_queue_remove(&op->link);
    op->owner = NULL;
}


static void
corr_op_destroy(corr_op_t *op)
{
    if (op->deadline.timer_set) {
        ngx_del_timer(&op->deadline);
    }

    if (op->release != NULL) {
        op->release(op);
    }

    if (op->secret) {
        corr_pool_destroy(op->pool);
        return;
    }

    ngx_destroy_pool(op->pool);
}
