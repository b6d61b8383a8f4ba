/*
 * What may be asked of a gateway: a number of questions each day, and of
 * requests each second.
 *
 * The day's budget is one of all nodes.  Each node counts for itself, tells
 * the database about once a second what was added (budget_job.c), and learns
 * what all have used: together they may go beyond the budget by what they
 * ask in that time.  Messages, which can wait, do so until a node that began
 * has learned it.  The limit of a second is each node's own.
 */

#include "gateway_private.h"

#include "../lib/jalali.h"


#define CORR_BUDGET_TELL     1000        /* msec, when there is news */
#define CORR_BUDGET_LEARN    5000        /* when there is none */


static void corr_gateway_new_day(corr_gateway_slot_t *slot);
static void corr_gateway_alarm(corr_gateway_state_t *state);


ngx_uint_t
corr_gateway_today(void)
{
    return (ngx_time() + CORR_TEHRAN_OFFSET) / 86400;
}


/* Under the zone's lock. */

static void
corr_gateway_new_day(corr_gateway_slot_t *slot)
{
    if (slot->day != corr_gateway_today()) {
        slot->day = corr_gateway_today();
        slot->used = 0;
        slot->untold = 0;
        slot->told = 0;
        slot->alarm = 0;
    }
}


ngx_uint_t
corr_gateway_left(corr_gateway_state_t *state)
{
    const corr_gateway_t  *g = state->conf;

    if (g->budget == 0 || state->slot == NULL
        || state->slot->day != corr_gateway_today())
    {
        return g->budget ? g->budget : NGX_MAX_INT_T_VALUE;
    }

    return state->slot->used >= g->budget ? 0
                                          : g->budget - state->slot->used;
}


ngx_uint_t
corr_gateway_learned(corr_gateway_state_t *state)
{
    return state->conf->budget == 0 || state->slot == NULL
           || state->slot->learned == corr_gateway_today();
}


ngx_msec_t
corr_gateway_admit(corr_gateway_state_t *state, ngx_uint_t counted)
{
    ngx_msec_t             wait, second;
    ngx_slab_pool_t       *pool;
    corr_gateway_slot_t   *slot = state->slot;
    const corr_gateway_t  *g = state->conf;

    if (slot == NULL || (g->budget == 0 && g->rate == 0)) {
        return 0;
    }

    wait = 0;
    second = ngx_current_msec / 1000;
    pool = (ngx_slab_pool_t *) g->zone->shm.addr;

    ngx_shmtx_lock(&pool->mutex);

    corr_gateway_new_day(slot);

    if ((ngx_msec_int_t) (second - slot->second) > 0) {
        slot->second = second;
        slot->in_second = 0;
    }

    if (g->budget && slot->used >= g->budget && !counted) {
        wait = NGX_TIMER_INFINITE;

    } else if (g->rate && slot->in_second >= g->rate) {
        wait = 1001 - ngx_current_msec % 1000;

    } else {
        slot->in_second++;
        slot->used += !counted;
        slot->untold += !counted;
    }

    ngx_shmtx_unlock(&pool->mutex);

    corr_gateway_alarm(state);

    return wait;
}


static void
corr_gateway_alarm(corr_gateway_state_t *state)
{
    ngx_uint_t              i, part;
    ngx_slab_pool_t        *pool;
    corr_gateway_slot_t    *slot = state->slot;
    const corr_gateway_t   *g = state->conf;

    static const ngx_uint_t  steps[] = { 100, 90, 75, 50 };

    if (g->budget == 0) {
        return;
    }

    part = 0;

    for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (slot->used * 100 >= g->budget * steps[i]) {
            part = steps[i];
            break;
        }
    }

    if (part <= slot->alarm) {
        return;
    }

    /* one worker tells it */

    pool = (ngx_slab_pool_t *) g->zone->shm.addr;

    ngx_shmtx_lock(&pool->mutex);

    if (part <= slot->alarm) {
        part = 0;

    } else {
        slot->alarm = part;
    }

    ngx_shmtx_unlock(&pool->mutex);

    if (part) {
        ngx_log_error((part == 100 ? NGX_LOG_ERR : NGX_LOG_WARN),
                      state->gateways->log, 0,
                      "gateway \"%s\" has used %ui%% of its budget of %ui "
                      "for today", g->label, part, g->budget);
    }
}


ngx_int_t
corr_gateway_budget(corr_gateways_t *gateways, ngx_uint_t i,
    corr_gateway_budget_t *budget)
{
    ngx_int_t             rc;
    ngx_slab_pool_t      *pool;
    corr_gateway_slot_t  *slot;
    const corr_gateway_t *g;

    if (i >= gateways->n) {
        return NGX_DECLINED;
    }

    g = gateways->states[i].conf;
    slot = gateways->states[i].slot;

    if (g->budget == 0 || slot == NULL) {
        return NGX_AGAIN;
    }

    rc = NGX_AGAIN;
    pool = (ngx_slab_pool_t *) g->zone->shm.addr;

    ngx_shmtx_lock(&pool->mutex);

    corr_gateway_new_day(slot);

    /* one worker of the node tells it, whatever is done to the clock */

    if ((ngx_msec_int_t) (ngx_current_msec - slot->told)
        >= (slot->untold ? CORR_BUDGET_TELL : CORR_BUDGET_LEARN))
    {
        slot->told = ngx_current_msec;

        budget->kind = corr_gateway_kind_name(g->kind);
        budget->name = g->name;
        budget->day = slot->day;
        budget->used = slot->untold;
        rc = NGX_OK;
    }

    ngx_shmtx_unlock(&pool->mutex);

    return rc;
}


void
corr_gateway_budget_told(corr_gateways_t *gateways, ngx_uint_t i,
    const corr_gateway_budget_t *budget, ngx_uint_t all)
{
    ngx_slab_pool_t       *pool;
    corr_gateway_state_t  *state = &gateways->states[i];
    corr_gateway_slot_t   *slot = state->slot;

    pool = (ngx_slab_pool_t *) state->conf->zone->shm.addr;

    ngx_shmtx_lock(&pool->mutex);

    /* what another worker told meanwhile is not told again */

    if (slot->day == budget->day) {
        slot->untold -= ngx_min(budget->used, slot->untold);
        slot->used = all + slot->untold;
        slot->learned = slot->day;
    }

    ngx_shmtx_unlock(&pool->mutex);

    corr_gateway_alarm(state);
}
