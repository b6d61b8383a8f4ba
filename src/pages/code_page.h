/*
 * One-time codes on pages: asked for, typed, judged, sent again; the same
 * for sign-up, log-in, recovery and another mobile.  What differs between
 * them is one table in code_page.c, whose row follows from the route.
 *
 * An address is to blame for a code until it is confirmed, so that asking
 * for many, whoever's they are, ends in a captcha.
 */

#ifndef CORR_PAGES_CODE_PAGE_H
#define CORR_PAGES_CODE_PAGE_H

#include "shared.h"


/*
 * Asks for a code: the statement takes what is given here, and then
 * browser, address, hash, secret and limits.  Sent goes on to the page of the
 * code; too often and too many become an error of the form.
 *
 *     return corr_code_ask(p, CORR_SQL_SIGNUP_REQUEST, corr_pg_text(…), …);
 */
#define corr_code_ask(p, statement, ...)                                      \
    corr_code_ask_params(p, statement,                                        \
        sizeof((corr_pg_param_t[]) { __VA_ARGS__ }) / sizeof(corr_pg_param_t),\
        (corr_pg_param_t[]) { __VA_ARGS__ })

ngx_int_t corr_code_ask_params(corr_page_t *p, ngx_uint_t statement,
    ngx_uint_t nparams, const corr_pg_param_t *params);

/*
 * A step of the page where codes are asked for, first in its list: behind
 * "?gone=1" it says that no code is in progress, or, when the code was used
 * and this browser is logged in since (a double click), goes to the desk.
 */
ngx_int_t corr_code_gone(corr_page_t *p);

/* Adds code_state to the pipeline; …_show() puts it into the view. */
void corr_code_state(corr_page_t *p);

/* NGX_DECLINED: nothing was asked for in this browser. */
ngx_int_t corr_code_state_show(corr_page_t *p, corr_rows_t *rows);

/* A step: judges the field `code`. */
ngx_int_t corr_code_verify(corr_page_t *p);


/* Steps behind a right code, with the rows of the verifying statement. */
ngx_int_t corr_signup_code_right(corr_page_t *p);
ngx_int_t corr_login_code_right(corr_page_t *p);
ngx_int_t corr_recover_code_right(corr_page_t *p);
ngx_int_t corr_mobile_code_right(corr_page_t *p);


#endif /* CORR_PAGES_CODE_PAGE_H */
