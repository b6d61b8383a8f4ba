/*
 * Puts stored files that no row names into the trash, after a time of grace,
 * and removes them from there after another one, a portion at a time; and
 * calls the database's own housekeeping.
 */

#ifndef CORR_COLLECTOR_H
#define CORR_COLLECTOR_H

#include <ngx_config.h>
#include <ngx_core.h>

#include "../io/postgres.h"
#include "../io/threads.h"
#include "settings.h"


typedef struct corr_collector_s  corr_collector_t;


/* Settings' collect. */

#define CORR_COLLECT_OFF    0
#define CORR_COLLECT_ON     1
#define CORR_COLLECT_FORCE  2    /* however many they are */


typedef struct {
    ngx_uint_t               trashed;
    ngx_uint_t               removed;    /* for good */
    ngx_uint_t               held;       /* left: too many at once */
} corr_collector_counts_t;


/* NULL without memory. */
corr_collector_t *corr_collector_create(ngx_cycle_t *cycle,
    corr_settings_t *settings, corr_pg_t *pg, corr_threads_t *disk);
void corr_collector_destroy(corr_collector_t *collector);

/* Files since it was last asked. */
void corr_collector_counts(corr_collector_t *collector,
    corr_collector_counts_t *counts);

/* When the database's housekeeping was last done; 0: not yet. */
time_t corr_collector_housekept(corr_collector_t *collector);


#endif /* CORR_COLLECTOR_H */
