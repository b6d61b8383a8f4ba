/*
 * The current password, asked again where a session alone must not be
 * enough: whoever finds an open desk would have the account with it.
 */

#ifndef CORR_PAGES_CONFIRM_H
#define CORR_PAGES_CONFIRM_H

#include "shared.h"


/* Is the session so old that it is asked (correspondence_confirm_after)? */
ngx_uint_t corr_confirm_due(corr_page_t *p);

/* An error of the form when the field is empty. */
void corr_confirm_required(corr_page_t *p);

/*
 * Takes a try at the field `current_password`.  `then` runs when it is right,
 * and when a person has none; wrong (422) and too often (429) become an
 * error of the form.  A wrong one of staff stands in the audit.
 *
 *     return corr_confirm(p, corr_mobile_confirmed);
 */
ngx_int_t corr_confirm(corr_page_t *p, corr_step_pt then);

/* What it was checked against; empty: there was none. */
corr_str_t corr_confirm_stored(corr_page_t *p);


#endif /* CORR_PAGES_CONFIRM_H */
