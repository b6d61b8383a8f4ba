/*
 * A form that came when its session was over is left behind in Redis for an
 * hour, and goes on when the same person has logged in again in the same
 * browser.
 *
 * "left:WHAT:BROWSER" holds its submission key and its parts, encrypted, bound
 * to the browser.  The key says whose form it was: somebody else who logs in
 * at the same computer sees nothing of it.
 *
 * Who may leave something: the browser brings the cookie of a session that
 * was, and with it the token of its form (CORR_LEAVES).  Not endlessly: of an
 * address, and of all, so many bytes in an hour are kept.
 */

#ifndef CORR_PAGES_LEFT_H
#define CORR_PAGES_LEFT_H

#include "shared.h"


#define CORR_LEFT_PARTS  3


/*
 * Keeps parts[0], the submission key, and what follows it; none but the last
 * may have a line break.  Stored or not, then runs: what is left to do is to
 * log in.  A step's return value.
 */
ngx_int_t corr_left_keep(corr_page_t *p, const char *what,
    const corr_str_t parts[CORR_LEFT_PARTS], corr_step_pt then);

/* Asks for it, beside the round trip of a page; NULL without memory. */
corr_redis_op_t *corr_left_find(corr_page_t *p, const char *what);

/* When that ended: CORR_OK and its parts, if there is one of who is here. */
int corr_left_open(corr_page_t *p, corr_redis_op_t *found,
    corr_str_t parts[CORR_LEFT_PARTS]);

/* It lies in the database now. */
void corr_left_forget(corr_page_t *p, const char *what);


#endif /* CORR_PAGES_LEFT_H */
