/*
 * A page's one round trip: statements in one pipeline, the guard first.
 *
 *     corr_db_begin(p, CORR_READ);
 *     corr_db_add(p, CORR_SQL_LETTERS_LIST, corr_pg_int(p->session.id));
 *     return corr_db_send(p, letters_show);
 *
 * The guard is the account's session epoch, status, level and role: an
 * ended session or a changed role acts on the next request.  For a write
 * it raises, so that nothing behind it happens.
 *
 * Answers that a page need not know are handled here: an ended session, a
 * refused role, not found, too often, no database.  Refused input (CR422,
 * CR409) shows the route's form again with the error at its field.
 *
 * A write whose answer was lost is sent again, which is safe because every
 * function that creates something looks its submission_key up first; a
 * write that is not so says CORR_WRITE_ONCE and gives 503 instead.
 */

#ifndef CORR_DB_H
#define CORR_DB_H

#include "portal.h"


#define CORR_READ           0
#define CORR_WRITE          1      /* may be repeated: keyed or idempotent */
#define CORR_WRITE_ONCE     2
#define CORR_UNGUARDED      4      /* pages of nobody: sign-up, log-in */
#define CORR_NOTE           8      /* with a write: a line of the audit, and no
                                      page that says who it is for */
#define CORR_REVOKES       16      /* with a write: it ends sessions of a
                                      person; http/reading.h */
#define CORR_KEEPS         32      /* with a write at the secretariat: surely
                                      it takes no right away; all others
                                      there count as if they did */


void corr_db_begin(corr_page_t *p, ngx_uint_t flags);

/* corr_db_add(p, CORR_SQL_X, corr_pg_int(1), corr_pg_text(s)); */
#define corr_db_add(p, statement, ...)                                        \
    corr_db_add_params(p, statement,                                          \
        sizeof((corr_pg_param_t[]) { { 0 }, ##__VA_ARGS__ })                  \
            / sizeof(corr_pg_param_t) - 1,                                    \
        &((corr_pg_param_t[]) { { 0 }, ##__VA_ARGS__ })[1])

void corr_db_add_params(corr_page_t *p, ngx_uint_t statement,
    ngx_uint_t nparams, const corr_pg_param_t *params);

/* The return value is the step's. */
ngx_int_t corr_db_send(corr_page_t *p, corr_step_pt then);

/*
 * The rows of the i-th statement of the page (0: the first behind the
 * guard).  Never NULL behind corr_db_send(): an empty table at the least.
 */
corr_rows_t *corr_db_rows(corr_page_t *p, ngx_uint_t i);

/*
 * For pages that answer some refusals themselves: called instead of the
 * common answer when the operation failed with this SQLSTATE class; must
 * be set between begin and send.
 */
typedef ngx_int_t (*corr_db_refused_pt)(corr_page_t *p, const char *sqlstate,
    corr_str_t message, corr_str_t detail);

void corr_db_on_refusal(corr_page_t *p, corr_db_refused_pt refused);


/* The request goes away. */
void corr_db_abandon(corr_page_t *p);


#endif /* CORR_DB_H */
