/*
 * Removes stored files that no row names, after a time of grace, a portion
 * at a time; and calls the database's own housekeeping.
 */

#ifndef CORR_COLLECTOR_H
#define CORR_COLLECTOR_H

#include <ngx_config.h>
#include <ngx_core.h>

#include "../io/postgres.h"
#include "../io/threads.h"
#include "settings.h"


typedef struct corr_collector_s  corr_collector_t;


/* NULL without memory. */
corr_collector_t *corr_collector_create(ngx_cycle_t *cycle,
    corr_settings_t *settings, corr_pg_t *pg, corr_threads_t *disk);
void corr_collector_destroy(corr_collector_t *collector);


#endif /* CORR_COLLECTOR_H */
