/*
 * Chains the lines of the audit in batches, off the transactions that wrote
 * them, and publishes the head of the chain: to a file outside the database,
 * where no head is replaced that the chain does not hold, and to the error
 * log.
 */

#ifndef CORR_SEALER_H
#define CORR_SEALER_H

#include <ngx_config.h>
#include <ngx_core.h>

#include "../io/postgres.h"
#include "../io/threads.h"
#include "settings.h"


typedef struct corr_sealer_s  corr_sealer_t;


/* NULL without memory.  disk: where the head is written. */
corr_sealer_t *corr_sealer_create(ngx_cycle_t *cycle,
    corr_settings_t *settings, corr_pg_t *pg, corr_threads_t *disk);
void corr_sealer_destroy(corr_sealer_t *sealer);


#endif /* CORR_SEALER_H */
