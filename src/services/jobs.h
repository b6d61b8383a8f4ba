/*
 * The work behind the pages, of one worker: gateways and their budgets, the
 * relay of messages, open questions of identity and of companies, the sealer of
 * the audit, due dates, the collector of files.
 */

#ifndef CORR_JOBS_H
#define CORR_JOBS_H

#include "worker.h"


/*
 * Fills gateways, budget, relay, identity, companies, sealer, deadlines and
 * collector of the worker, whose clients run already.  NGX_OK, or NGX_ERROR
 * without memory.
 */
ngx_int_t corr_jobs_start(corr_worker_t *worker);

/* In exit_process, before the clients are destroyed. */
void corr_jobs_stop(corr_worker_t *worker);


#endif /* CORR_JOBS_H */
