/*
 * What a worker has: its clients, and the work behind the pages.
 */

#ifndef CORR_WORKER_H
#define CORR_WORKER_H

#include "settings.h"          /* first: it begins with nginx's own */
#include "secrets.h"

#include "../io/threads.h"


typedef struct {
    ngx_cycle_t             *cycle;
    corr_settings_t         *settings;
    corr_pg_t               *pg;
    corr_redis_t            *redis;
    corr_http_t             *http;
    corr_threads_t          *cpu;
    corr_threads_t          *disk;
    corr_clamd_t            *clamd;      /* NULL: files are not scanned */
    struct corr_counters_s  *counters;   /* shared by the workers */
    ngx_event_t              tick;       /* refreshes them */
    ngx_connection_t         tick_data;
    struct corr_relay_s     *relay;      /* sends messages */
    struct corr_identity_s  *identity;   /* asks who somebody is */
    struct corr_companies_s *companies;  /* asks for companies again */
    struct corr_sealer_s    *sealer;     /* chains audit lines */
    struct corr_deadlines_s *deadlines;  /* follow the calendar */
    struct corr_collector_s *collector;  /* removes orphan files */
    struct corr_store_watch_s *store_watch;  /* NULL: there is no store */
    struct corr_gateways_s  *gateways;
    struct corr_budget_s    *budget;     /* of gateways, with other nodes */
    corr_drawn_t             drawn;      /* random bytes for its pages */
    struct corr_facts_s     *facts;      /* of the database, for /health */
} corr_worker_t;


/* Made in init_process; the one mutable variable of the module. */

extern corr_worker_t  *corr_worker;


#endif /* CORR_WORKER_H */
