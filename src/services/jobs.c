#include "jobs.h"

#include "budget_job.h"
#include "collector.h"
#include "company_job.h"
#include "deadlines_job.h"
#include "gateway.h"
#include "identity_job.h"
#include "relay.h"
#include "sealer.h"
#include "store_watch.h"


ngx_int_t
corr_jobs_start(corr_worker_t *w)
{
    w->gateways = corr_gateways_create(w->cycle, w->settings, w->http);
    if (w->gateways == NULL) {
        return NGX_ERROR;
    }

    w->budget = corr_budget_create(w->cycle, w->pg, w->gateways);
    if (w->budget == NULL) {
        return NGX_ERROR;
    }

    w->relay = corr_relay_create(w->cycle, w->settings, w->pg, w->gateways);
    if (w->relay == NULL) {
        return NGX_ERROR;
    }

    w->identity = corr_identity_create(w->cycle, w->settings, w->pg,
                                       w->gateways, w->relay);
    w->companies = corr_companies_create(w->cycle, w->pg, w->gateways);
    w->sealer = corr_sealer_create(w->cycle, w->settings, w->pg, w->disk);
    w->deadlines = corr_deadlines_create(w->cycle, w->pg);

    if (w->identity == NULL || w->companies == NULL || w->sealer == NULL
        || w->deadlines == NULL)
    {
        return NGX_ERROR;
    }

    if (w->settings->store != NULL) {
        w->store_watch = corr_store_watch_create(w->cycle, w->settings,
                                                 w->disk);
        if (w->store_watch == NULL) {
            return NGX_ERROR;
        }
    }

    /* one of a node is enough, and a store without one has none */

    if (ngx_worker == 0 && w->settings->store != NULL) {
        w->collector = corr_collector_create(w->cycle, w->settings, w->pg,
                                             w->disk);
        if (w->collector == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


void
corr_jobs_stop(corr_worker_t *w)
{
    corr_collector_destroy(w->collector);
    corr_store_watch_destroy(w->store_watch);
    corr_deadlines_destroy(w->deadlines);
    corr_sealer_destroy(w->sealer);
    corr_companies_destroy(w->companies);
    corr_identity_destroy(w->identity);
    corr_relay_destroy(w->relay);
    corr_budget_destroy(w->budget);
    corr_gateways_destroy(w->gateways);
}
