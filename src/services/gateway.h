/*
 * Gateways: the services of others that say who somebody is and that carry
 * messages, described by directives alone.
 *
 *     values = corr_view_create(alloc);
 *     corr_view_text(values, "national_code", code);
 *     corr_view_text(values, "mobile", mobile);
 *     call = corr_gateway_call(gateways, owner, CORR_GATEWAY_SHAHKAR, values);
 *     …resume…
 *     switch (call->verdict) …
 *
 * Several gateways of one kind are tried in the order of their health, as a
 * worker has seen it: one that errs or slows is passed over and drifts back.
 * An answer is yes, no or unknown; what was not said plainly is unknown.
 *
 * Nothing of what is sent or answered is ever logged, nor any address: only
 * the gateway's name, HTTP's status and the kind of error.
 */

#ifndef CORR_GATEWAY_H
#define CORR_GATEWAY_H

#include <ngx_config.h>
#include <ngx_core.h>

#include "../io/http.h"
#include "../lib/value.h"
#include "settings.h"


typedef enum {
    CORR_GATEWAY_SHAHKAR = 0,  /* mobile and national code: one person? */
    CORR_GATEWAY_REGISTRY,     /* national code and birth date; names */
    CORR_GATEWAY_COMPANY,      /* national id of a company; its name */
    CORR_GATEWAY_SMS,          /* carries a message */
    CORR_GATEWAY_SMS_STATUS,   /* what became of one */
    CORR_GATEWAY_KINDS
} corr_gateway_kind_e;


typedef enum {
    CORR_VERDICT_UNKNOWN = 0,
    CORR_VERDICT_YES,          /* it is so; sms: taken; status: delivered */
    CORR_VERDICT_NO,           /* it is not; sms: refused for good; status:
                                  will not be delivered */
    CORR_VERDICT_SENT,         /* status: on its way, no more is known */
    CORR_VERDICT_UNSENT        /* status: the provider never got it */
} corr_verdict_e;


/* One block of the configuration, immutable; and a worker's gateways. */

typedef struct corr_gateway_s   corr_gateway_t;
typedef struct corr_gateways_s  corr_gateways_t;


/*
 * A question under way.  op.status is OK whenever it has ended by itself,
 * whatever the verdict; TIMEOUT when all tries together took too long.
 *
 * Texts live as long as the operation (until its owner detaches).
 */

typedef struct {
    corr_op_t                op;
    corr_verdict_e           verdict;
    corr_str_t               provider;   /* the gateway's name that answered,
                                            or was asked last; may be empty */
    corr_str_t               reference;  /* the provider's id of the answer
                                            (taken as `id`), else the id that
                                            was sent; may be empty */
    corr_str_t               reason;     /* one English word for the record:
                                            of a no mismatch, dead or what the
                                            `no` says; of an unknown timeout,
                                            connect, budget, rate, none,
                                            unclear … */
    corr_view_t             *taken;      /* what `take` names, as text; names
                                            of people folded by lib/text.h */
    unsigned                 doubt:1;    /* of an unknown: a request left and
                                            may have been carried out.  Not
                                            set: nobody did anything, a
                                            message may be sent again */
} corr_gateway_op_t;


/*
 * correspondence_gateway KIND [NAME] { … }    conf: corr_settings_t
 *
 * The language is in the README and in dev/gateways.  Mistakes are logged
 * with file and line.
 */
char *corr_gateway_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


/*
 * Once all directives were read: what each gateway by itself cannot see.
 * resolver: nginx's, for those without one of their own.  signs_up: the
 * portal is one of citizens, who get in by a message only.
 */
ngx_int_t corr_gateways_check(ngx_conf_t *cf, corr_settings_t *settings,
    ngx_resolver_t *resolver, ngx_uint_t signs_up);


/*
 * At the worker's start and stop; asks nobody yet.  settings and http live
 * longer.  NULL without memory.
 */
corr_gateways_t *corr_gateways_create(ngx_cycle_t *cycle,
    corr_settings_t *settings, corr_http_t *http);
void corr_gateways_destroy(corr_gateways_t *gateways);

/* How many gateways of the kind the configuration has. */
ngx_uint_t corr_gateway_count(corr_gateways_t *gateways,
    corr_gateway_kind_e kind);

/*
 * How many questions it makes sense to ask now, at most `wanted`: 0 when
 * all budgets are used up; while every provider fails one to try with, after
 * 1, 2, 4 … 15 seconds.
 */
ngx_uint_t corr_gateway_room(corr_gateways_t *gateways,
    corr_gateway_kind_e kind, ngx_uint_t wanted);

/* Does one of the kind compare names that the person has to type? */
ngx_uint_t corr_gateway_wants_names(corr_gateways_t *gateways,
    corr_gateway_kind_e kind);

/* Is there one of the kind with budget left that does not fail? */
ngx_uint_t corr_gateway_works(corr_gateways_t *gateways,
    corr_gateway_kind_e kind);

/*
 * Has every one of the kind failed in a row of late, or used up its budget?
 * As this worker has seen it; a kind without any is not down.
 */
ngx_uint_t corr_gateway_down(corr_gateways_t *gateways,
    corr_gateway_kind_e kind);

/*
 * values, all copied; a gateway that needs one which is not there is passed
 * over:
 *
 *     shahkar      national_code, mobile (09…)
 *     registry     national_code, birth_date (corr_view_date, or Jalali
 *                  text YYYY/MM/DD); first_name, last_name, father_name as
 *                  typed, for those that only compare
 *     company      company_national_id, registration_number
 *     sms          mobile, text, local_id; code and value_NAME for those
 *                  that fill templates of their own; template (ours)
 *     sms_status   local_id, id (the provider's); provider: the name of the
 *                  gateway that took it, only which is asked
 *
 * Never fails but without memory (NULL): no gateway is an UNKNOWN with the
 * reason "none".  Whoever asked may go; the question is asked to its end.
 */
corr_gateway_op_t *corr_gateway_call(corr_gateways_t *gateways,
    corr_owner_t *owner, corr_gateway_kind_e kind,
    const corr_view_t *values);

/* A value that was taken, or an empty text. */
corr_str_t corr_gateway_taken(const corr_gateway_op_t *call,
    const char *name);

/* "yes", "no", "unknown" as the database keeps them. */
corr_str_t corr_verdict_name(corr_verdict_e verdict);


/*
 * For health and metrics: the i-th gateway, all workers of this node
 * together; NGX_DECLINED behind the last.
 */

typedef struct {
    corr_str_t               kind;
    corr_str_t               name;
    ngx_uint_t               position;   /* among those of its kind */
    ngx_uint_t               requests;   /* HTTP requests, tokens too */
    ngx_uint_t               yes;
    ngx_uint_t               no;
    ngx_uint_t               unknown;
    ngx_uint_t               errors;     /* no answer, or none of use */
    ngx_uint_t               retries;
    ngx_uint_t               tokens;     /* fetched */
    uint64_t                 msec;       /* spent waiting, in all */
    ngx_uint_t               budget;     /* a day; 0: none */
    ngx_uint_t               used;       /* of it today (Tehran), by all
                                            nodes */
    ngx_uint_t               alarm;      /* what was told of it: 0 50 75 90
                                            100 per cent */
} corr_gateway_status_t;

ngx_int_t corr_gateway_status(corr_gateways_t *gateways, ngx_uint_t i,
    corr_gateway_status_t *status);


/*
 * How one worker of this node (0, 1 …) has seen the i-th gateway of late: what
 * decides whom it asks first.  NGX_DECLINED: it has not.
 */

#define CORR_GATEWAY_WORKERS    64

typedef struct {
    ngx_uint_t               errors;     /* of a thousand */
    ngx_uint_t               latency;    /* msec */
} corr_gateway_seen_t;

ngx_int_t corr_gateway_seen(corr_gateways_t *gateways, ngx_uint_t i,
    ngx_uint_t worker, corr_gateway_seen_t *seen);


/*
 * The budgets of all nodes together (budget_job.h).  NGX_OK: the database
 * should be told that `used` more were asked that day, or be asked what all
 * have; NGX_AGAIN: not this one, not now; NGX_DECLINED behind the last.
 */

typedef struct {
    corr_str_t               kind;
    corr_str_t               name;
    ngx_uint_t               day;        /* Tehran's, since 1970 */
    ngx_uint_t               used;       /* since it was last told */
} corr_gateway_budget_t;

ngx_int_t corr_gateway_budget(corr_gateways_t *gateways, ngx_uint_t i,
    corr_gateway_budget_t *budget);

/* The database knows; `all` is what all nodes used that day. */
void corr_gateway_budget_told(corr_gateways_t *gateways, ngx_uint_t i,
    const corr_gateway_budget_t *budget, ngx_uint_t all);


#endif /* CORR_GATEWAY_H */
