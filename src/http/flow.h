/*
 * Runs a page's steps.  The one place where a request is resumed and the
 * one where it is finalized.
 *
 * Before the first step the driver sees to who may (session), reads the
 * form of a POST and checks its CSRF token: a route cannot forget them.
 */

#ifndef CORR_FLOW_H
#define CORR_FLOW_H

#include "portal.h"


/* The content handler of a citizen or clerk location. */
ngx_int_t corr_flow_handler(ngx_http_request_t *r);

/*
 * `then` runs, as a step, when what was started has ended; the list goes
 * on behind it.   return corr_flow_then(p, letter_inserted);
 */
ngx_int_t corr_flow_then(corr_page_t *p, corr_step_pt then);

/* Goes on with another list: return corr_flow_steps(p, other); */
ngx_int_t corr_flow_steps(corr_page_t *p, const corr_step_pt *steps);

/*
 * Shows the form again with its errors (422): the route's `again` steps.
 *     if (p->failed_form) return corr_flow_again(p, 422);
 */
ngx_int_t corr_flow_again(corr_page_t *p, ngx_uint_t status);

/* Wakes a page that waits for something that is no operation (its body). */
void corr_flow_wake(corr_page_t *p);


#endif /* CORR_FLOW_H */
