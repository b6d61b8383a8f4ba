/*
 * What is counted for /metrics: in a shared-memory zone, so that the
 * figures are of all workers and survive a reload.
 *
 * Counters only grow.  Gauges stand in a slot of the worker's own, which it
 * fills each second and empties when it goes; what a worker that was killed
 * had counted is kept by the next one in its slot.
 */

#ifndef CORR_COUNTERS_H
#define CORR_COUNTERS_H

#include "portal.h"


#define CORR_COUNTERS_ROUTES    256      /* of both tables */
#define CORR_COUNTERS_BUCKETS   11
#define CORR_COUNTERS_STATUSES  20       /* HTTP's, the last: all others */


typedef enum {
    CORR_COUNT_SIGNIN_REFUSED = 0,       /* wrong password, code */
    CORR_COUNT_CLERK_REFUSED,            /* wrong password, TOTP */
    CORR_COUNT_CSRF_REFUSED,
    CORR_COUNT_THROTTLED,
    CORR_COUNT_UPLOADED_FILES,
    CORR_COUNT_UPLOADED_BYTES,
    CORR_COUNT_SESSIONS_STARTED,
    CORR_COUNT_SESSIONS_ENDED,           /* by whoever had them */
    CORR_COUNT_SCANNED_CLEAN,
    CORR_COUNT_SCANNED_INFECTED,
    CORR_COUNT_SCANNED_NOT,              /* no verdict */
    CORR_COUNT_STORE_TRASHED,
    CORR_COUNT_STORE_REMOVED,
    CORR_COUNT_STORE_HELD,
    CORR_COUNTS
} corr_count_e;


/* A client's figures, as its worker last saw them. */

typedef struct {
    ngx_atomic_uint_t        operations;
    ngx_atomic_uint_t        failures;
    ngx_atomic_uint_t        timeouts;   /* of the failures */
    ngx_atomic_uint_t        errors;     /* of them: Redis said no */
    ngx_atomic_uint_t        in_flight;
    ngx_atomic_uint_t        queued;
    ngx_atomic_uint_t        connections;
    ngx_atomic_uint_t        wanted;     /* connections */
} corr_client_figures_t;


typedef enum {
    CORR_CLIENT_POSTGRES = 0,
    CORR_CLIENT_REDIS,
    CORR_CLIENT_HTTP,
    CORR_CLIENT_CPU,
    CORR_CLIENT_DISK,
    CORR_CLIENT_RELAY,
    CORR_CLIENT_CLAMD,
    CORR_CLIENTS
} corr_client_e;


typedef struct corr_counters_s {
    ngx_atomic_t             requests[CORR_COUNTERS_ROUTES]
                                     [CORR_COUNTERS_STATUSES];
    ngx_atomic_t             nowhere;              /* no route */
    ngx_atomic_t             buckets[2][CORR_COUNTERS_BUCKETS + 1];
    ngx_atomic_t             msec[2];              /* summed up */
    ngx_atomic_t             counts[CORR_COUNTS];
    ngx_atomic_t             housekept;            /* unix time; 0: not yet */
    corr_client_figures_t    ended[CORR_CLIENTS];  /* counts of workers that
                                                      are gone */
    corr_client_figures_t    workers[NGX_MAX_PROCESSES][CORR_CLIENTS];
} corr_counters_t;


/* Upper bounds of the buckets, milliseconds; the last one is +Inf. */
extern const ngx_msec_t  corr_counter_bounds[CORR_COUNTERS_BUCKETS];


/* What is counted apart of HTTP's statuses; 0: all others. */
extern const ngx_uint_t  corr_counter_statuses[CORR_COUNTERS_STATUSES];


/* While the configuration is read. NULL: no memory. */
ngx_shm_zone_t *corr_counters_zone(ngx_conf_t *cf);

/* At the worker's start and stop. */
void corr_counters_start(corr_worker_t *worker);
void corr_counters_stop(corr_worker_t *worker);

/* A page was replied to. */
void corr_counters_page(corr_page_t *p);

void corr_counters_add(corr_worker_t *worker, corr_count_e count,
    ngx_uint_t n);

/* A log-in of the page's location was refused. */
void corr_counters_refused(corr_page_t *p);

/* The sum over workers, alive or gone. */
void corr_counters_client(corr_counters_t *counters, corr_client_e client,
    corr_client_figures_t *sum);


#endif /* CORR_COUNTERS_H */
