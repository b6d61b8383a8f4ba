#include "counters.h"

#include "../services/collector.h"
#include "../services/relay.h"


#define CORR_COUNTERS_TICK   1000      /* milliseconds */


static ngx_int_t corr_counters_init(ngx_shm_zone_t *zone, void *data);
static void corr_counters_tick(ngx_event_t *ev);
static void corr_counters_refresh(corr_worker_t *w);
static void corr_counters_collected(corr_worker_t *w);
static void corr_counters_keep(corr_counters_t *counters,
    corr_client_figures_t *figures);
static ngx_uint_t corr_counters_route(corr_page_t *p);
static ngx_uint_t corr_counters_status(ngx_uint_t status);


const ngx_msec_t  corr_counter_bounds[CORR_COUNTERS_BUCKETS] = {
    5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000
};


const ngx_uint_t  corr_counter_statuses[CORR_COUNTERS_STATUSES] = {
    200, 206, 302, 303, 304, 400, 401, 403, 404, 405, 408, 409, 411, 413, 415,
    422, 429, 500, 503, 0
};


ngx_shm_zone_t *
corr_counters_zone(ngx_conf_t *cf)
{
    ngx_str_t        name = ngx_string("correspondence_counters");
    ngx_shm_zone_t  *zone;

    zone = ngx_shared_memory_add(cf, &name,
                                 ngx_align(sizeof(corr_counters_t),
                                           ngx_pagesize)
                                 + 8 * ngx_pagesize,
                                 &ngx_http_correspondence_module);
    if (zone == NULL) {
        return NULL;
    }

    zone->init = corr_counters_init;

    return zone;
}


static ngx_int_t
corr_counters_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t  *pool;

    if (data) {
        zone->data = data;
        return NGX_OK;
    }

    pool = (ngx_slab_pool_t *) zone->shm.addr;

    if (zone->shm.exists) {
        zone->data = pool->data;
        return NGX_OK;
    }

    zone->data = ngx_slab_calloc(pool, sizeof(corr_counters_t));
    if (zone->data == NULL) {
        return NGX_ERROR;
    }

    pool->data = zone->data;

    return NGX_OK;
}


void
corr_counters_start(corr_worker_t *w)
{
    if (w->settings->counters_zone == NULL) {
        return;
    }

    w->counters = w->settings->counters_zone->data;

    /* what a worker that was killed left in this slot */

    corr_counters_keep(w->counters, w->counters->workers[ngx_process_slot]);

    w->tick_data.fd = (ngx_socket_t) -1;
    w->tick_data.data = w;

    w->tick.handler = corr_counters_tick;
    w->tick.data = &w->tick_data;
    w->tick.log = w->cycle->log;
    w->tick.cancelable = 1;

    ngx_add_timer(&w->tick, CORR_COUNTERS_TICK);
}


static void
corr_counters_tick(ngx_event_t *ev)
{
    ngx_connection_t  *c = ev->data;

    corr_counters_refresh(c->data);

    if (!ngx_exiting) {
        ngx_add_timer(ev, CORR_COUNTERS_TICK);
    }
}


static void
corr_counters_refresh(corr_worker_t *w)
{
    corr_pg_status_t        pg;
    corr_http_status_t      http;
    corr_redis_status_t     redis;
    corr_relay_status_t     relay;
    corr_clamd_status_t     clamd;
    corr_threads_status_t   threads;
    corr_client_figures_t  *f;

    f = w->counters->workers[ngx_process_slot];

    corr_pg_status(w->pg, &pg);
    f[CORR_CLIENT_POSTGRES].operations = pg.operations;
    f[CORR_CLIENT_POSTGRES].failures = pg.failures;
    f[CORR_CLIENT_POSTGRES].timeouts = pg.timeouts;
    f[CORR_CLIENT_POSTGRES].in_flight = pg.in_flight;
    f[CORR_CLIENT_POSTGRES].queued = pg.queued;
    f[CORR_CLIENT_POSTGRES].connections = pg.connections;
    f[CORR_CLIENT_POSTGRES].wanted = pg.wanted;

    corr_redis_status(w->redis, &redis);
    f[CORR_CLIENT_REDIS].operations = redis.operations;
    f[CORR_CLIENT_REDIS].failures = redis.failures;
    f[CORR_CLIENT_REDIS].timeouts = redis.timeouts;
    f[CORR_CLIENT_REDIS].errors = redis.errors;
    f[CORR_CLIENT_REDIS].in_flight = redis.in_flight;
    f[CORR_CLIENT_REDIS].queued = redis.queued;
    f[CORR_CLIENT_REDIS].connections = redis.up;
    f[CORR_CLIENT_REDIS].wanted = 1;

    corr_http_status(w->http, &http);
    f[CORR_CLIENT_HTTP].operations = http.operations;
    f[CORR_CLIENT_HTTP].failures = http.failures;
    f[CORR_CLIENT_HTTP].timeouts = http.timeouts;
    f[CORR_CLIENT_HTTP].in_flight = http.in_flight;

    corr_threads_status(w->cpu, &threads);
    f[CORR_CLIENT_CPU].operations = threads.operations;
    f[CORR_CLIENT_CPU].failures = threads.refused + threads.timeouts;
    f[CORR_CLIENT_CPU].timeouts = threads.timeouts;
    f[CORR_CLIENT_CPU].in_flight = threads.running;

    corr_threads_status(w->disk, &threads);
    f[CORR_CLIENT_DISK].operations = threads.operations;
    f[CORR_CLIENT_DISK].failures = threads.refused + threads.timeouts;
    f[CORR_CLIENT_DISK].timeouts = threads.timeouts;
    f[CORR_CLIENT_DISK].in_flight = threads.running;

    if (w->clamd) {
        corr_clamd_status(w->clamd, &clamd);
        f[CORR_CLIENT_CLAMD].operations = clamd.operations;
        f[CORR_CLIENT_CLAMD].failures = clamd.failures;
        f[CORR_CLIENT_CLAMD].in_flight = clamd.in_flight;
        f[CORR_CLIENT_CLAMD].queued = clamd.queued;
    }

    if (w->relay) {
        corr_relay_status(w->relay, &relay);
        f[CORR_CLIENT_RELAY].operations = relay.sent + relay.unknown
                                          + relay.failed;
        f[CORR_CLIENT_RELAY].failures = relay.failed;
        f[CORR_CLIENT_RELAY].in_flight = relay.in_flight;
    }

    if (w->collector) {
        corr_counters_collected(w);
    }
}


static void
corr_counters_collected(corr_worker_t *w)
{
    corr_collector_counts_t  counts;

    corr_collector_counts(w->collector, &counts);

    corr_counters_add(w, CORR_COUNT_STORE_TRASHED, counts.trashed);
    corr_counters_add(w, CORR_COUNT_STORE_REMOVED, counts.removed);
    corr_counters_add(w, CORR_COUNT_STORE_HELD, counts.held);

    if (corr_collector_housekept(w->collector)) {
        w->counters->housekept = corr_collector_housekept(w->collector);
    }
}


/* The counters stay, the gauges go with the worker. */

void
corr_counters_stop(corr_worker_t *w)
{
    if (w->counters == NULL) {
        return;
    }

    if (w->tick.timer_set) {
        ngx_del_timer(&w->tick);
    }

    corr_counters_refresh(w);
    corr_counters_keep(w->counters, w->counters->workers[ngx_process_slot]);
}


static void
corr_counters_keep(corr_counters_t *counters, corr_client_figures_t *f)
{
    ngx_uint_t              i;
    corr_client_figures_t  *ended = counters->ended;

    for (i = 0; i < CORR_CLIENTS; i++) {
        (void) ngx_atomic_fetch_add(&ended[i].operations, f[i].operations);
        (void) ngx_atomic_fetch_add(&ended[i].failures, f[i].failures);
        (void) ngx_atomic_fetch_add(&ended[i].timeouts, f[i].timeouts);
        (void) ngx_atomic_fetch_add(&ended[i].errors, f[i].errors);
    }

    ngx_memzero(f, CORR_CLIENTS * sizeof(corr_client_figures_t));
}


void
corr_counters_page(corr_page_t *p)
{
    ngx_uint_t        i, kind, status;
    ngx_time_t       *now;
    ngx_msec_int_t    msec;
    corr_counters_t  *c = p->worker->counters;

    if (c == NULL || p->loc->kind > CORR_KIND_CLERK) {
        return;
    }

    kind = (p->loc->kind == CORR_KIND_CLERK);
    status = p->request->headers_out.status;

    if (status == 429) {
        corr_counters_add(p->worker, CORR_COUNT_THROTTLED, 1);
    }

    if (p->route == NULL) {
        (void) ngx_atomic_fetch_add(&c->nowhere, 1);

    } else {
        (void) ngx_atomic_fetch_add(
                           &c->requests[corr_counters_route(p)]
                                       [corr_counters_status(status)],
                           1);
    }

    now = ngx_timeofday();
    msec = (now->sec - p->request->start_sec) * 1000
           + (now->msec - p->request->start_msec);
    msec = ngx_max(msec, 0);

    for (i = 0; i < CORR_COUNTERS_BUCKETS; i++) {
        if ((ngx_msec_t) msec <= corr_counter_bounds[i]) {
            break;
        }
    }

    (void) ngx_atomic_fetch_add(&c->buckets[kind][i], 1);
    (void) ngx_atomic_fetch_add(&c->msec[kind], msec);
}


/* Citizens' routes from the front, clerks' from the middle. */

static ngx_uint_t
corr_counters_route(corr_page_t *p)
{
    ngx_uint_t  i;

    i = p->route - p->loc->routes;

    if (p->loc->kind == CORR_KIND_CLERK) {
        i += CORR_COUNTERS_ROUTES / 2;
    }

    return ngx_min(i, CORR_COUNTERS_ROUTES - 1);
}


static ngx_uint_t
corr_counters_status(ngx_uint_t status)
{
    ngx_uint_t  i;

    for (i = 0; corr_counter_statuses[i] != 0; i++) {
        if (corr_counter_statuses[i] == status) {
            break;
        }
    }

    return i;
}


void
corr_counters_add(corr_worker_t *worker, corr_count_e count, ngx_uint_t n)
{
    if (worker->counters) {
        (void) ngx_atomic_fetch_add(&worker->counters->counts[count], n);
    }
}


void
corr_counters_refused(corr_page_t *p)
{
    corr_counters_add(p->worker, p->loc->kind == CORR_KIND_CLERK
                                 ? CORR_COUNT_CLERK_REFUSED
                                 : CORR_COUNT_SIGNIN_REFUSED, 1);
}


void
corr_counters_client(corr_counters_t *counters, corr_client_e client,
    corr_client_figures_t *sum)
{
    ngx_uint_t              i;
    corr_client_figures_t  *f;

    *sum = counters->ended[client];

    for (i = 0; i < NGX_MAX_PROCESSES; i++) {
        f = &counters->workers[i][client];

        sum->operations += f->operations;
        sum->failures += f->failures;
        sum->timeouts += f->timeouts;
        sum->errors += f->errors;
        sum->in_flight += f->in_flight;
        sum->queued += f->queued;
        sum->connections += f->connections;
        sum->wanted += f->wanted;
    }
}
