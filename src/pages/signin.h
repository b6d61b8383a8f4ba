/*
 * Logging in with a password, the same for citizens and clerks: a try is
 * taken before the password is looked at, a hash is made in every case, and
 * only then the database says yes.  An unknown name, a wrong password and
 * an account without one give the same sentence after the same work.
 *
 * What differs between the two doors is one table in signin.c.
 */

#ifndef CORR_PAGES_SIGNIN_H
#define CORR_PAGES_SIGNIN_H

#include "shared.h"


/* Steps: shows the form; judges it. */
ngx_int_t corr_signin_show(corr_page_t *p);
ngx_int_t corr_signin_try(corr_page_t *p);

/*
 * Too often: the form again, 429, with the sentence and the seconds of the
 * row's `wait` at a field or over the form ("").
 */
ngx_int_t corr_signin_wait(corr_page_t *p, corr_rows_t *rows,
    const char *field, ngx_uint_t message);


/*
 * Whose session has ended: back to the door, and the browser forgets what it
 * kept of the pages (the clerk's list of letters stands in sessionStorage).
 */
ngx_int_t corr_signin_left(corr_page_t *p);

/* login.c, clerk_login.c: whose session has begun. */
ngx_int_t corr_login_desk(corr_page_t *p);
ngx_int_t corr_clerk_login_totp(corr_page_t *p);


#endif /* CORR_PAGES_SIGNIN_H */
