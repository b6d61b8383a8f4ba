/*
 * The relay: sends what stands in the table of messages, one per worker, all
 * workers of all nodes sharing the work.
 *
 * A message that was sent without an answer is "unknown" and looked up at the
 * provider before it is sent again; a node that dies loses its lease.  Codes
 * go first and are erased once sent.
 */

#ifndef CORR_RELAY_H
#define CORR_RELAY_H

#include <ngx_config.h>
#include <ngx_core.h>

#include "../io/postgres.h"
#include "gateway.h"
#include "secrets.h"
#include "settings.h"


typedef struct corr_relay_s  corr_relay_t;


/* NULL without memory.  settings, pg and gateways live longer. */
corr_relay_t *corr_relay_create(ngx_cycle_t *cycle,
    corr_settings_t *settings, corr_pg_t *pg, corr_gateways_t *gateways);
void corr_relay_destroy(corr_relay_t *relay);

/*
 * Called behind a commit that may have added a message: looks for it at
 * once.  Cheap, and safe with NULL.
 */
void corr_relay_wake(corr_relay_t *relay);

/* Behind a code that was asked for, real or not: looks for it soon. */
void corr_relay_wake_code(corr_relay_t *relay);


/*
 * A one-time code as messages.secret keeps it, and out of it.  Bound to its
 * purpose and to no row: who writes it does not know the row's id yet.
 */

#define CORR_RELAY_CODE_MAX     32       /* digits */
#define CORR_RELAY_SECRET_MAX   (CORR_RELAY_CODE_MAX + CORR_SECRETS_OVERHEAD)

size_t corr_relay_seal_code(const corr_secrets_t *secrets, corr_str_t code,
    unsigned char out[CORR_RELAY_SECRET_MAX]);

/* CORR_OK or CORR_INVALID; the caller wipes code. */
int corr_relay_open_code(const corr_secrets_t *secrets, corr_str_t sealed,
    unsigned char code[CORR_RELAY_CODE_MAX], size_t *len);


/* For metrics: of this worker. */

typedef struct {
    ngx_uint_t               in_flight;
    uint64_t                 sent;
    uint64_t                 unknown;
    uint64_t                 retried;
    uint64_t                 failed;
    uint64_t                 checked;    /* asked for their delivery */
} corr_relay_status_t;

void corr_relay_status(corr_relay_t *relay, corr_relay_status_t *status);


#endif /* CORR_RELAY_H */
