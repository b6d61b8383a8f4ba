/*
 * How gateways do, as a worker has seen it lately, and what all workers of a
 * node count, in shared memory.
 */

#include "gateway_private.h"


#define CORR_HALF_LIFE       30000.0     /* msec: what was seen fades */
#define CORR_SAMPLE          0.3         /* weight of what is seen now */
#define CORR_SICK            5           /* failures in a row: sick */
#define CORR_PROBE_FIRST     1000        /* msec between tries of a sick one */
#define CORR_PROBE_MOST      15000       /* each wait twice the one before */
#define CORR_OLD_NEWS        600000      /* msec that a failure is told */
#define CORR_ERROR_COST      20000.0     /* an error is worth so many msec */
#define CORR_SLACK           500.0       /* msec that do not change the order */


typedef struct {
    corr_gateway_slot_t      slots[CORR_GATEWAYS_MAX];
} corr_gateway_shared_t;


static ngx_int_t corr_gateway_init_zone(ngx_shm_zone_t *zone, void *data);
static void corr_gateway_fade(corr_gateway_state_t *state);
static double corr_gateway_faded(ngx_msec_t passed);
static void corr_gateway_show(corr_gateway_state_t *state);
static void corr_gateway_failed(corr_gateway_state_t *state,
    ngx_msec_t elapsed);
static ngx_uint_t corr_gateway_due(corr_gateway_state_t *state);
static double corr_gateway_cost(corr_gateway_state_t *state);


/* Its address is what tells the zone from others of that name. */

static const char  corr_gateway_tag[] = "correspondence_gateways";


ngx_shm_zone_t *
corr_gateway_zone(ngx_conf_t *cf)
{
    ngx_str_t        name = ngx_string("correspondence_gateways");
    ngx_shm_zone_t  *zone;

    zone = ngx_shared_memory_add(cf, &name,
                                 ngx_align(sizeof(corr_gateway_shared_t),
                                           ngx_pagesize)
                                 + 8 * ngx_pagesize,
                                 (void *) corr_gateway_tag);
    if (zone == NULL) {
        return NULL;
    }

    zone->init = corr_gateway_init_zone;

    return zone;
}


static ngx_int_t
corr_gateway_init_zone(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t        *pool;
    corr_gateway_shared_t  *shared;

    if (data) {
        zone->data = data;
        return NGX_OK;
    }

    pool = (ngx_slab_pool_t *) zone->shm.addr;

    if (zone->shm.exists) {
        zone->data = pool->data;
        return NGX_OK;
    }

    shared = ngx_slab_calloc(pool, sizeof(corr_gateway_shared_t));
    if (shared == NULL) {
        return NGX_ERROR;
    }

    pool->data = shared;
    zone->data = shared;

    return NGX_OK;
}


/* By kind, name and position, so that a reload finds the same again. */

corr_gateway_slot_t *
corr_gateway_slot(const corr_gateway_t *g, ngx_log_t *log)
{
    uint32_t                crc;
    ngx_uint_t              i;
    ngx_slab_pool_t        *pool;
    ngx_atomic_uint_t       key;
    corr_gateway_slot_t    *slot;
    corr_gateway_shared_t  *shared;

    if (g->zone == NULL || g->zone->data == NULL) {
        return NULL;
    }

    crc = ngx_crc32_short(g->name.data, g->name.len);
    key = ((ngx_atomic_uint_t) crc << 16) | (g->kind << 8)
          | (g->position + 1);

    shared = g->zone->data;
    pool = (ngx_slab_pool_t *) g->zone->shm.addr;

    ngx_shmtx_lock(&pool->mutex);

    slot = NULL;

    for (i = 0; i < CORR_GATEWAYS_MAX; i++) {
        if (shared->slots[i].key == key) {
            slot = &shared->slots[i];
            break;
        }

        if (slot == NULL && shared->slots[i].key == 0) {
            slot = &shared->slots[i];
        }
    }

    if (slot) {
        slot->key = key;
    }

    ngx_shmtx_unlock(&pool->mutex);

    if (slot == NULL) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "gateway \"%s\" is not counted: too many others were "
                      "before it", g->label);
    }

    return slot;
}


/* Health. */

static void
corr_gateway_fade(corr_gateway_state_t *state)
{
    double  factor;

    factor = corr_gateway_faded(ngx_current_msec - state->faded);
    state->faded = ngx_current_msec;

    state->errors *= factor;
    state->latency *= factor;
}


/* 2^(-t/half life), near enough and without libm. */

static double
corr_gateway_faded(ngx_msec_t passed)
{
    double  factor;

    for (factor = 1.0; passed > CORR_HALF_LIFE; passed -= CORR_HALF_LIFE) {
        factor /= 2;

        if (factor < 0.001) {
            return 0;
        }
    }

    return factor / (1.0 + passed / CORR_HALF_LIFE);
}


void
corr_gateway_health_note(corr_gateway_state_t *state, ngx_uint_t good,
    ngx_msec_t elapsed)
{
    corr_gateway_fade(state);

    state->errors += CORR_SAMPLE * ((good ? 0.0 : 1.0) - state->errors);
    state->latency += CORR_SAMPLE * ((double) elapsed - state->latency);

    if (good) {
        state->failures = 0;
        state->probes = 0;

    } else {
        corr_gateway_failed(state, elapsed);
        corr_gateway_count_up(state->slot, errors);
    }

    if (state->slot) {
        (void) ngx_atomic_fetch_add(&state->slot->msec, elapsed);
        corr_gateway_show(state);
    }
}


/*
 * One that takes half of what it is given is slow, not sick: only failures in
 * a row tell that it is away.  What was under way when it fell sick tells
 * nothing new.
 */

static void
corr_gateway_failed(corr_gateway_state_t *state, ngx_msec_t elapsed)
{
    ngx_msec_t  begun;

    begun = ngx_current_msec - elapsed;

    if (++state->failures < CORR_SICK
        || (state->probes
            && (ngx_msec_int_t) (begun - state->probed) < 0))
    {
        return;
    }

    state->probes++;
    state->probed = ngx_current_msec;
}


/* For the metrics, whichever worker they are asked of. */

static void
corr_gateway_show(corr_gateway_state_t *state)
{
    corr_gateway_mark_t  *mark;

    if (ngx_worker < CORR_GATEWAY_WORKERS) {
        mark = &state->slot->seen[ngx_worker];

        mark->errors = (ngx_atomic_uint_t) (state->errors * 1000);
        mark->latency = (ngx_atomic_uint_t) state->latency;
        mark->at = ngx_current_msec;
        mark->set = 1;
    }
}


/* What workers of before have seen is not ours; the first one says so. */

void
corr_gateway_health_init(corr_gateway_state_t *state)
{
    state->faded = ngx_current_msec;

    if (state->slot && ngx_worker == 0) {
        ngx_memzero(state->slot->seen, sizeof(state->slot->seen));
    }
}


ngx_int_t
corr_gateway_seen(corr_gateways_t *gateways, ngx_uint_t i, ngx_uint_t worker,
    corr_gateway_seen_t *seen)
{
    double                factor;
    corr_gateway_mark_t  *mark;

    if (gateways->states[i].slot == NULL) {
        return NGX_DECLINED;
    }

    mark = &gateways->states[i].slot->seen[worker];

    if (!mark->set) {
        return NGX_DECLINED;
    }

    factor = corr_gateway_faded(ngx_current_msec - mark->at);

    seen->errors = (ngx_uint_t) (mark->errors * factor);
    seen->latency = (ngx_uint_t) (mark->latency * factor);

    return NGX_OK;
}


static double
corr_gateway_cost(corr_gateway_state_t *state)
{
    corr_gateway_fade(state);

    return state->errors * CORR_ERROR_COST + state->latency;
}


/*
 * The first in the configuration's order unless another is plainly better:
 * what was passed over drifts back while it is not asked.
 */

corr_gateway_state_t *
corr_gateway_choose(corr_gateway_call_t *call)
{
    double                 cost, least;
    ngx_uint_t             i;
    corr_gateway_state_t  *state, *best;

    best = NULL;
    least = 0;

    for (i = 0; i < call->gateways->n; i++) {

        state = &call->gateways->states[i];

        if (state->conf->kind != call->kind
            || (call->tried & ((uint64_t) 1 << i))
            || (call->only.len && !corr_str_eq(call->only, state->conf->name))
            || corr_gateway_left(state) == 0
            || !corr_gateway_text_ready(call, state->conf))
        {
            continue;
        }

        cost = corr_gateway_cost(state);

        if (best == NULL || cost * 2 + CORR_SLACK < least) {
            best = state;
            least = cost;
        }
    }

    if (best) {
        call->tried |= (uint64_t) 1 << (best - call->gateways->states);
    }

    return best;
}


/*
 * Whether a sick one is to be tried: with one question, and after each that
 * fails the wait is longer.  Nobody waits for long once it works again: a code
 * lives two minutes.
 */

static ngx_uint_t
corr_gateway_due(corr_gateway_state_t *state)
{
    ngx_msec_t  wait;

    wait = ngx_min((ngx_msec_t) CORR_PROBE_FIRST
                   << ngx_min(state->probes - 1, 10), CORR_PROBE_MOST);

    return ngx_current_msec - state->asked >= wait
           && ngx_current_msec - state->probed >= wait;
}


ngx_uint_t
corr_gateway_works(corr_gateways_t *gateways, corr_gateway_kind_e kind)
{
    ngx_uint_t             i;
    corr_gateway_state_t  *state;

    for (i = 0; i < gateways->n; i++) {

        state = &gateways->states[i];

        if (state->conf->kind != kind || corr_gateway_left(state) == 0) {
            continue;
        }

        if (state->probes == 0) {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
corr_gateway_down(corr_gateways_t *gateways, corr_gateway_kind_e kind)
{
    ngx_uint_t             i, down;
    corr_gateway_state_t  *state;

    down = 0;

    for (i = 0; i < gateways->n; i++) {

        state = &gateways->states[i];

        if (state->conf->kind != kind) {
            continue;
        }

        if (corr_gateway_left(state)
            && (state->probes == 0
                || ngx_current_msec - state->probed > CORR_OLD_NEWS))
        {
            return 0;
        }

        down = 1;
    }

    return down;
}


ngx_uint_t
corr_gateway_room(corr_gateways_t *gateways, corr_gateway_kind_e kind,
    ngx_uint_t wanted)
{
    ngx_uint_t             i, left, sick, room;
    corr_gateway_state_t  *state;

    room = 0;
    sick = 0;

    for (i = 0; i < gateways->n; i++) {

        state = &gateways->states[i];

        if (state->conf->kind != kind || !corr_gateway_learned(state)) {
            continue;
        }

        left = corr_gateway_left(state);

        if (left == 0) {
            continue;
        }

        if (state->probes) {
            sick |= corr_gateway_due(state);
            continue;
        }

        room += ngx_min(left, wanted);
    }

    return ngx_min(room ? room : sick, wanted);
}
