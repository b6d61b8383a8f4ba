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
 * `amount` of something is used by the person (without a session: by the
 * address) whose request it is.  `then` runs in any case, and over() says
 * whether it is more than `limit` in this window of so many seconds; not when
 * limit is 0, nor while Redis is away.
 */
ngx_int_t corr_throttle_amount(corr_page_t *p, const char *what,
    off_t amount, time_t window, int64_t limit, corr_step_pt then);
ngx_uint_t corr_throttle_over(corr_page_t *p);

/*
 * "what:ADDRESS": the name of a counter of this address.  Of an IPv6 address
 * the first 64 bits count, since that is what one household or server has.
 * data == NULL without memory.
 */
corr_str_t corr_throttle_key(corr_page_t *p, const char *what);


#endif /* CORR_THROTTLE_H */
