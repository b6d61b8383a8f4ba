/*
 * Log in with national code and password, and log out.
 *
 * An unknown national code, a wrong password and an account without one
 * give the same sentence after the same work: a password is hashed in every
 * case.
 */

#include "shared.h"

#include "../lib/escape.h"
#include "../services/passwords_work.h"


typedef struct {
    corr_task_t             *verify;
    int64_t                  person;
    corr_str_t               hash;
} corr_login_t;


static ngx_int_t corr_login_show(corr_page_t *p);
static ngx_int_t corr_login_try(corr_page_t *p);
static ngx_int_t corr_login_tried(corr_page_t *p);
static ngx_int_t corr_login_wait(corr_page_t *p, corr_rows_t *rows);
static ngx_int_t corr_login_verified(corr_page_t *p);
static ngx_int_t corr_login_done(corr_page_t *p);
static ngx_int_t corr_login_desk(corr_page_t *p);
static ngx_int_t corr_logout(corr_page_t *p);
static ngx_int_t corr_logout_noted(corr_page_t *p);
static ngx_int_t corr_logout_done(corr_page_t *p);


static const corr_rule_t  corr_login_rules[] = {
    { "national_code", CORR_RULE_NATIONAL_CODE, CORR_REQUIRED, 0, 0,
      CORR_MSG_NATIONAL_CODE_REQUIRED, CORR_MSG_NATIONAL_CODE_FORMAT, NULL },
    { "password", CORR_RULE_RAW, CORR_REQUIRED, 0, 512,
      CORR_MSG_PASSWORD_REQUIRED, CORR_MSG_LOGIN_WRONG, NULL },
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};


const corr_step_pt  corr_login_steps[] = {
    corr_login_show,
    NULL
};


const corr_step_pt  corr_login_try_steps[] = {
    corr_page_login_rate,
    corr_login_try,
    NULL
};


const corr_step_pt  corr_logout_steps[] = {
    corr_logout,
    NULL
};


static ngx_int_t
corr_login_show(corr_page_t *p)
{
    corr_next_show(p);


    corr_form_view(p, corr_login_rules);

    return corr_reply_page(p, CORR_TPL_LOGIN);
}


static ngx_int_t
corr_login_try(corr_page_t *p)
{
    if (corr_form_check(p, corr_login_rules) != NGX_OK) {
        return NGX_ERROR;
    }

    if (p->failed_form) {
        return corr_flow_again(p, 422);
    }

    corr_db_begin(p, CORR_WRITE_ONCE|CORR_UNGUARDED);

    corr_db_add(p, CORR_SQL_LOGIN_TRY,
                corr_pg_text(corr_form_value(p, "national_code")),
                corr_pg_text(p->browser),
                corr_pg_text(corr_page_address(p)));

    return corr_db_send(p, corr_login_tried);
}


static ngx_int_t
corr_login_tried(corr_page_t *p)
{
    corr_str_t     verdict, stored;
    corr_rows_t   *rows;
    corr_login_t  *ctx;

    ctx = corr_page_data(p, sizeof(corr_login_t));
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    rows = corr_db_rows(p, 0);
    verdict = corr_rows_text(rows, 0, "verdict");

    if (!corr_str_is(verdict, "try")) {
        return corr_login_wait(p, rows);
    }

    stored = corr_rows_text(rows, 0, "password_hash");

    ctx->person = corr_rows_int(rows, 0, "person_id");
    ctx->hash = stored;

    ctx->verify = corr_password_verify(p->settings->passwords,
                                       p->worker->cpu, &p->owner,
                                       corr_form_value(p, "password"),
                                       stored, p->settings->page_timeout);
    if (ctx->verify == NULL) {
        return NGX_ERROR;
    }

    return corr_flow_then(p, corr_login_verified);
}


static ngx_int_t
corr_login_wait(corr_page_t *p, corr_rows_t *rows)
{
    int64_t       wait;
    corr_view_t  *values;

    wait = corr_rows_int(rows, 0, "wait");

    values = corr_view_create(&p->alloc);
    if (values == NULL) {
        return NGX_ERROR;
    }

    corr_view_int(values, "seconds", wait);
    corr_view_int(p->view, "wait_seconds", wait);
    corr_form_error(p, "", wait ? CORR_MSG_LOGIN_WAIT
                                : CORR_MSG_LOGIN_CODE_ONLY, values);

    return corr_flow_again(p, 429);
}


static ngx_int_t
corr_login_verified(corr_page_t *p)
{
    ngx_uint_t     right;
    corr_login_t  *ctx = p->data;

    if (ctx->verify->op.status != CORR_OP_OK) {
        return corr_reply_error(p, NGX_HTTP_SERVICE_UNAVAILABLE,
                                CORR_MSG_BUSY, 5, "no thread for a password");
    }

    right = corr_password_result(ctx->verify)->right;

    corr_db_begin(p, CORR_WRITE_ONCE|CORR_UNGUARDED);

    corr_db_add(p, CORR_SQL_LOGIN_DONE,
                corr_pg_text(corr_form_value(p, "national_code")),
                ctx->person ? corr_pg_int(ctx->person) : corr_pg_null(),
                right ? corr_pg_text(ctx->hash) : corr_pg_null(),
                corr_pg_text(p->browser),
                corr_pg_text(corr_page_address(p)));

    return corr_db_send(p, corr_login_done);
}


static ngx_int_t
corr_login_done(corr_page_t *p)
{
    corr_rows_t  *rows;

    rows = corr_db_rows(p, 0);

    if (corr_rows_int(rows, 0, "ok")) {
        return corr_session_start(p, CORR_A_PERSON,
                                  corr_rows_int(rows, 0, "person_id"),
                                  corr_rows_int(rows, 0, "session_epoch"),
                                  corr_login_desk);
    }

    corr_captcha_blame(p);
    corr_form_error(p, "", CORR_MSG_LOGIN_WRONG, NULL);
    corr_counters_add(p->worker, CORR_COUNT_SIGNIN_REFUSED, 1);

    return corr_flow_again(p, 422);
}


static ngx_int_t
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
    return corr_session_end(p, corr_logout_done);
}


static ngx_int_t
corr_logout_done(corr_page_t *p)
{
    if (corr_reply_header(p, "Clear-Site-Data", CORR_STR("\"cache\""))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return corr_reply_redirect(p, "/login?flash=logged_out");
}
