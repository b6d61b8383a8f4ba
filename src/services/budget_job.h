/*
 * Budgets of gateways are shared by all nodes: a row for each gateway and
 * day, to which a node adds about once a second what its workers asked.
 * Nobody who asks a gateway waits for it, and no letter's transaction
 * touches it.
 */

#ifndef CORR_BUDGET_JOB_H
#define CORR_BUDGET_JOB_H

#include "gateway.h"


typedef struct corr_budget_s  corr_budget_t;


/* At the worker's start and stop.  NULL without memory. */
corr_budget_t *corr_budget_create(ngx_cycle_t *cycle, corr_pg_t *pg,
    corr_gateways_t *gateways);
void corr_budget_destroy(corr_budget_t *budget);


#endif /* CORR_BUDGET_JOB_H */
