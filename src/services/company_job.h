/*
 * Companies whose gateway gave no answer while a letter was sent: asked again
 * in the background.  What the answer covers of the letters is marked as
 * checked then, under the name that the gateway tells.
 */

#ifndef CORR_COMPANY_JOB_H
#define CORR_COMPANY_JOB_H

#include <ngx_config.h>
#include <ngx_core.h>

#include "../io/postgres.h"
#include "gateway.h"


typedef struct corr_companies_s  corr_companies_t;


/* At the worker's start and stop.  NULL without memory. */
corr_companies_t *corr_companies_create(ngx_cycle_t *cycle, corr_pg_t *pg,
    corr_gateways_t *gateways);
void corr_companies_destroy(corr_companies_t *companies);


#endif /* CORR_COMPANY_JOB_H */
