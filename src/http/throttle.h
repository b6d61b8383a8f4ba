/*
 * How often an address may do something that costs the portal more than a
 * page: so many times in a minute, counted in Redis for all nodes.
 *
 *     return corr_throttle(p, "captcha", p->settings->captcha_rate, then);
 */

#ifndef CORR_THROTTLE_H
#define CORR_THROTTLE_H

#include "portal.h"


/*
 * `then` runs, or the answer is 429 with the seconds to wait.  rate 0: no
 * limit.  what is a literal.  When Redis does not answer nobody is held up:
 * what must not be guessed is limited by PostgreSQL.
 */
ngx_int_t corr_throttle(corr_page_t *p, const char *what, ngx_uint_t rate,
    corr_step_pt then);

/*
 * A form that may bring files, before it is read.  `bytes` count against
 * settings->uploads_per_hour of the person (of nobody: the address; of staff:
 * nothing); p->uploads_spent is set when they are more.  `then` runs in any
 * case: what was written is still read, and only the files are refused.
 */
ngx_int_t corr_throttle_uploads(corr_page_t *p, off_t bytes,
    corr_step_pt then);

/*
 * "what:ADDRESS": the name of a counter of this address.  Of an IPv6 address
 * the first 64 bits count, since that is what one household or server has.
 * data == NULL without memory.
 */
corr_str_t corr_throttle_key(corr_page_t *p, const char *what);


#endif /* CORR_THROTTLE_H */
