/*
 * Clerks log in with user name and password (see signin.h), then with the
 * code of their authenticator; and log out.
 *
 * Between the two the session is half: it opens the page of the code and
 * nothing else.
 */

#include "signin.h"

#include "../lib/escape.h"
#include "../services/totp.h"


static ngx_int_t corr_clerk_totp_show(corr_page_t *p);
static ngx_int_t corr_clerk_totp_try(corr_page_t *p);
static ngx_int_t corr_clerk_totp_tried(corr_page_t *p);
static ngx_int_t corr_clerk_totp_done(corr_page_t *p);
static ngx_int_t corr_clerk_inbox_go(corr_page_t *p);
static ngx_int_t corr_clerk_logout(corr_page_t *p);
static ngx_int_t corr_clerk_logout_noted(corr_page_t *p);


static const corr_rule_t  corr_clerk_totp_rules[] = {
    { "code", CORR_RULE_DIGITS, CORR_REQUIRED, CORR_TOTP_DIGITS,
      CORR_TOTP_DIGITS, CORR_MSG_TOTP_REQUIRED, CORR_MSG_TOTP_WRONG, NULL },
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};


const corr_step_pt  corr_clerk_login_steps[] = {
    corr_signin_show, NULL
};

const corr_step_pt  corr_clerk_login_try_steps[] = {
    corr_page_login_rate, corr_signin_try, NULL
};

const corr_step_pt  corr_clerk_totp_steps[] = {
    corr_clerk_totp_show, NULL
};

const corr_step_pt  corr_clerk_totp_try_steps[] = {
    corr_clerk_totp_try, NULL
};

const corr_step_pt  corr_clerk_logout_steps[] = {
    corr_clerk_logout, NULL
};


ngx_int_t
corr_clerk_login_totp(corr_page_t *p)
{
    corr_str_t  next;

    next = corr_escape(&p->alloc, CORR_ESCAPE_URL, corr_next(p));

    return corr_reply_redirect(p, "/login/totp%s%*s",
                               next.len ? "?next=" : "", next.len, next.data);
}


static ngx_int_t
corr_clerk_totp_show(corr_page_t *p)
{
    corr_next_show(p);
    corr_form_view(p, corr_clerk_totp_rules);
    corr_view_text(corr_view_object(corr_view_object(p->view, "form"),
                                    "code"),
                   "value", CORR_STR(""));

    return corr_reply_page(p, CORR_TPL_CLERK_TOTP);
}


static ngx_int_t
corr_clerk_totp_try(corr_page_t *p)
{
    if (corr_form_check(p, corr_clerk_totp_rules) != NGX_OK) {
        return NGX_ERROR;
    }

    if (p->failed_form) {
        return corr_flow_again(p, 422);
    }

    corr_db_begin(p, CORR_WRITE_ONCE|CORR_UNGUARDED|CORR_KEEPS);

    corr_db_add(p, CORR_SQL_STAFF_TOTP_TRY, corr_pg_int(p->session.id),
                corr_pg_int(p->session.epoch),
                corr_pg_text(corr_page_address(p)));

    return corr_db_send(p, corr_clerk_totp_tried);
}


static ngx_int_t
corr_clerk_totp_tried(corr_page_t *p)
{
    int64_t        step;
    ngx_uint_t     right, renewed;
    corr_str_t     verdict;
    corr_rows_t   *rows;
    unsigned char  anew[CORR_TOTP_SEALED];

    rows = corr_db_rows(p, 0);
    verdict = corr_rows_text(rows, 0, "verdict");

    if (corr_str_is(verdict, "expired")) {
        return corr_reply_redirect(p, "/login");
    }

    if (!corr_str_is(verdict, "try")) {
        return corr_signin_wait(p, rows, "code", CORR_MSG_STAFF_LOGIN_WAIT);
    }

    right = corr_totp_typed(p, rows, &step);

    renewed = right
              && corr_totp_reseal(p->settings->secrets,
                                  corr_rows_text(rows, 0, "username"),
                                  corr_rows_get(rows, 0, "totp_secret").s,
                                  anew);

    corr_db_begin(p, CORR_WRITE_ONCE|CORR_UNGUARDED|CORR_KEEPS);

    corr_db_add(p, CORR_SQL_STAFF_TOTP_DONE, corr_pg_int(p->session.id),
                corr_pg_int(p->session.epoch),
                right ? corr_pg_int(step) : corr_pg_null(),
                corr_pg_text(corr_session_browser(p)),
                corr_pg_text(corr_page_address(p)),
                renewed ? corr_pg_bytes(corr_make_str(anew, sizeof(anew)))
                        : corr_pg_null());

    return corr_db_send(p, corr_clerk_totp_done);
}


static ngx_int_t
corr_clerk_totp_done(corr_page_t *p)
{
    corr_rows_t  *rows;

    rows = corr_db_rows(p, 0);

    if (corr_rows_int(rows, 0, "ok")) {
        return corr_session_start(p, CORR_A_STAFF,
                                  corr_rows_int(rows, 0, "staff_id"),
                                  corr_rows_int(rows, 0, "epoch"),
                                  corr_clerk_inbox_go);
    }

    corr_form_error(p, "code", CORR_MSG_TOTP_WRONG, NULL);
    corr_counters_refused(p);

    return corr_flow_again(p, 422);
}


static ngx_int_t
corr_clerk_inbox_go(corr_page_t *p)
{
    corr_str_t  next;

    next = corr_next(p);

    return corr_reply_redirect(p, "%*s", next.len ? next.len : 1,
                               next.len ? next.data : (u_char *) "/");
}


static ngx_int_t
corr_clerk_logout(corr_page_t *p)
{
    corr_db_begin(p, CORR_WRITE);
    corr_db_add(p, CORR_SQL_STAFF_LOGOUT);

    return corr_db_send(p, corr_clerk_logout_noted);
}


static ngx_int_t
corr_clerk_logout_noted(corr_page_t *p)
{
    return corr_session_end(p, corr_signin_left);
}


/*
 * Is the code typed in `code` that of the secret in the row, and of a later
 * step than the last one used?
 */

ngx_uint_t
corr_totp_typed(corr_page_t *p, corr_rows_t *rows, int64_t *step)
{
    int             rc;
    unsigned char   secret[CORR_TOTP_SECRET];

    if (corr_totp_open(p->settings->secrets,
                       corr_rows_text(rows, 0, "username"),
                       corr_rows_get(rows, 0, "totp_secret").s, secret)
        != CORR_OK)
    {
        ngx_log_error(NGX_LOG_ERR, p->log, 0,
                      "correspondence: the TOTP secret of staff %L cannot "
                      "be decrypted with the key files",
                      p->session.id);
        return 0;
    }

    rc = corr_totp_check(corr_make_str(secret, sizeof(secret)), ngx_time(),
                         corr_form_value(p, "code"), step);

    corr_secrets_wipe(secret, sizeof(secret));

    return rc == CORR_OK
           && *step > corr_rows_int(rows, 0, "totp_step");
}
