/*
 * Citizens log in with national code and password (see signin.h), and log
 * out.
 */

#include "signin.h"


static ngx_int_t corr_logout(corr_page_t *p);
static ngx_int_t corr_logout_noted(corr_page_t *p);


const corr_step_pt  corr_login_steps[] = {
    corr_signin_show,
    NULL
};


const corr_step_pt  corr_login_try_steps[] = {
    corr_page_login_rate,
    corr_signin_try,
    NULL
};


const corr_step_pt  corr_logout_steps[] = {
    corr_logout,
    NULL
};


ngx_int_t
corr_login_desk(corr_page_t *p)
{
    corr_str_t  next;

    next = corr_next(p);

    if (next.len == 0) {
        return corr_reply_redirect(p, "/desk");
    }

    return corr_reply_redirect(p, "%*s", next.len, next.data);
}


static ngx_int_t
corr_logout(corr_page_t *p)
{
    corr_db_begin(p, CORR_WRITE);
    corr_db_add(p, CORR_SQL_LOGOUT);

    return corr_db_send(p, corr_logout_noted);
}


static ngx_int_t
corr_logout_noted(corr_page_t *p)
{
    return corr_session_end(p, corr_signin_left);
}
