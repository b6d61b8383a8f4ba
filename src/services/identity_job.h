/*
 * Identity's two questions, mobile (Shahkar) and registry: asked of the
 * gateway, and the answer recorded by SQL.
 *
 * One way for both: a page that asks at once, after identity_ask() said
 * "ask", and the background job that asks again what stayed open.  So
 * nothing depends on who waits: a page that goes away loses no answer.
 */

#ifndef CORR_IDENTITY_JOB_H
#define CORR_IDENTITY_JOB_H

#include <ngx_config.h>
#include <ngx_core.h>

#include "../io/postgres.h"
#include "gateway.h"
#include "relay.h"
#include "settings.h"


typedef struct corr_identity_s  corr_identity_t;


typedef struct {
    int64_t                  person;
    corr_str_t               step;           /* "mobile" or "registry" */
    corr_str_t               national_code;  /* as identity_ask() gave them: */
    corr_str_t               mobile;         /* the verdict holds for these */
    int64_t                  birth_date;     /* days since 1970-01-01 */

    /* typed by the person: for gateways that only compare names, and for a
       step that is skipped; may be empty */
    corr_str_t               first_name;
    corr_str_t               last_name;
    corr_str_t               father_name;

    corr_str_t               address;        /* of the browser, for the audit;
                                                may be empty */
} corr_identity_ask_t;


/*
 * op.status OK: recorded, the rest is set.  FAILED: the database refused it.
 * UNAVAILABLE, LOST, TIMEOUT: nobody knows whether it was recorded; the step
 * is a task then, and is asked again in the background: tell people that it
 * is pending.
 */

typedef struct {
    corr_op_t                op;
    corr_verdict_e           verdict;
    corr_str_t               reason;         /* see corr_gateway_op_t */
    corr_str_t               state;          /* yes no pending skipped, or
                                                stale: the person changed
                                                meanwhile what was asked */
    int64_t                  level;
    int64_t                  session_epoch;
} corr_identity_op_t;


/* NULL without memory. */
corr_identity_t *corr_identity_create(ngx_cycle_t *cycle,
    corr_settings_t *settings, corr_pg_t *pg, corr_gateways_t *gateways,
    corr_relay_t *relay);
void corr_identity_destroy(corr_identity_t *identity);

/*
 * Asks and records.  All is copied.  NULL only without memory.  Without a
 * gateway of the kind the step is skipped or stays pending, as the directive
 * says.
 */
corr_identity_op_t *corr_identity_check(corr_identity_t *identity,
    corr_owner_t *owner, const corr_identity_ask_t *ask);


#endif /* CORR_IDENTITY_JOB_H */
