/*
 * Sessions: a 256-bit token in a cookie, only its hash in Redis, with idle
 * and absolute limits; a new token at every login.  And the browser cookie
 * that binds one-time codes and the forms of people who are not logged in.
 *
 * What a session may is never in it: the guard statement asks PostgreSQL
 * with each page.
 */

#ifndef CORR_SESSION_H
#define CORR_SESSION_H

#include "portal.h"


#define CORR_NEXT_MAX   512      /* bytes of where one was; escaped, it fits
                                    into a redirect */


/* Steps of the driver. */
ngx_int_t corr_session_find(corr_page_t *p);
ngx_int_t corr_session_missing(corr_page_t *p);    /* to the log-in page */

/* The same, and from there to this path of ours. */
ngx_int_t corr_session_missing_for(corr_page_t *p, corr_str_t next);

/* Does this browser bring the cookie of a session, living or not? */
ngx_uint_t corr_session_was(corr_page_t *p);

/*
 * A new session for a person, a clerk, or a clerk who still owes the code;
 * the old one of this browser ends.  Sets the cookie; `then` runs when
 * Redis has it.  The return value is the step's.
 */
ngx_int_t corr_session_start(corr_page_t *p, corr_who_e who, int64_t id,
    int64_t epoch, corr_step_pt then);

/* Ends this browser's session and clears its cookie. */
ngx_int_t corr_session_end(corr_page_t *p, corr_step_pt then);

/*
 * The person's sessions, for the page that lists them: an array of
 * corr_session_info_t in *list when `then` runs.
 */
typedef struct {
    corr_str_t               id;          /* opaque, for the form */
    corr_str_t               hash;        /* not for showing */
    int64_t                  created;     /* usec */
    int64_t                  seen;        /* usec; its last page */
    corr_str_t               address;
    corr_str_t               agent;
    corr_redis_op_t         *left;        /* how long it will live */
    unsigned                 current:1;
} corr_session_info_t;

ngx_int_t corr_session_list(corr_page_t *p, ngx_array_t **list,
    corr_step_pt then);

/*
 * All sessions but this browser's were ended by a new epoch: this browser
 * gets a new one of that epoch, and the list is empty but for it.
 */
ngx_int_t corr_session_renew(corr_page_t *p, int64_t epoch,
    corr_step_pt then);

/* Ends one of that list. */
ngx_int_t corr_session_end_other(corr_page_t *p,
    const corr_session_info_t *info, corr_step_pt then);

/* The value of a cookie of ours by its bare name; empty when not there. */
corr_str_t corr_session_cookie_value(corr_page_t *p, const char *cookie);

/*
 * What binds codes and forms to this browser: a hash of the token in its
 * cookie, in hex, the same with any key file.  Empty where no token was
 * prepared.
 */
corr_str_t corr_session_browser(corr_page_t *p);

/* The token of the forms of this page, and its check (constant time). */
ngx_int_t corr_csrf_prepare(corr_page_t *p);
ngx_int_t corr_csrf_check(corr_page_t *p);


#endif /* CORR_SESSION_H */
