/*
 * The due dates of open letters and referrals follow the calendar, when a
 * holiday is entered or taken out (calendar_set in sql/): portion by portion,
 * so that nobody who works at a letter waits for all of them.
 */

#ifndef CORR_DEADLINES_JOB_H
#define CORR_DEADLINES_JOB_H

#include <ngx_config.h>
#include <ngx_core.h>

#include "../io/postgres.h"


typedef struct corr_deadlines_s  corr_deadlines_t;


/* At the worker's start and stop.  NULL without memory. */
corr_deadlines_t *corr_deadlines_create(ngx_cycle_t *cycle, corr_pg_t *pg);
void corr_deadlines_destroy(corr_deadlines_t *deadlines);

/* The calendar has changed. */
void corr_deadlines_wake(corr_deadlines_t *deadlines);


#endif /* CORR_DEADLINES_JOB_H */
