/*
 * A forgotten password: national code and mobile, a code, a new password.
 *
 * Who has no account sees the same pages and the same waits; the code goes to
 * nobody.
 */

#include "code_page.h"

#include "../services/passwords_work.h"


typedef struct {
    corr_task_t             *hash;
} corr_recover_t;


static ngx_int_t corr_recover_show(corr_page_t *p);
static ngx_int_t corr_recover_check(corr_page_t *p);
static ngx_int_t corr_recover_request(corr_page_t *p);
static ngx_int_t corr_recover_password_find(corr_page_t *p);
static ngx_int_t corr_recover_password_show(corr_page_t *p);
static ngx_int_t corr_recover_password_check(corr_page_t *p);
static ngx_int_t corr_recover_password_granted(corr_page_t *p);
static ngx_int_t corr_recover_password_hashed(corr_page_t *p);
static ngx_int_t corr_recover_password_set(corr_page_t *p);
static ngx_int_t corr_recover_desk(corr_page_t *p);


static const corr_rule_t  corr_recover_rules[] = {
    { "national_code", CORR_RULE_NATIONAL_CODE, CORR_REQUIRED, 0, 0,
      CORR_MSG_NATIONAL_CODE_REQUIRED, CORR_MSG_NATIONAL_CODE_FORMAT, NULL },
    { "mobile", CORR_RULE_MOBILE, CORR_REQUIRED, 0, 0,
      CORR_MSG_MOBILE_REQUIRED, CORR_MSG_MOBILE_WRONG, NULL },
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};


const corr_step_pt  corr_recover_steps[] = {
    corr_code_gone, corr_page_captcha, corr_recover_show, NULL
};

const corr_step_pt  corr_recover_check_steps[] = {
    corr_page_captcha_due, corr_recover_check, corr_page_captcha_check,
    corr_recover_request, NULL
};

const corr_step_pt  corr_recover_password_steps[] = {
    corr_recover_password_find, corr_recover_password_show, NULL
};

const corr_step_pt  corr_recover_password_set_steps[] = {
    corr_recover_password_check, NULL
};


static ngx_int_t
corr_recover_show(corr_page_t *p)
{
    corr_form_view(p, corr_recover_rules);

    return corr_reply_page(p, CORR_TPL_RECOVER);
}


static ngx_int_t
corr_recover_check(corr_page_t *p)
{
    if (p->captcha_due && corr_captcha_new_wanted(p)) {
        return NGX_OK;
    }

    if (corr_form_check(p, corr_recover_rules) != NGX_OK) {
        return NGX_ERROR;
    }

    return p->failed_form ? corr_flow_again(p, 422) : NGX_OK;
}


static ngx_int_t
corr_recover_request(corr_page_t *p)
{
    return corr_code_ask(p, CORR_SQL_CODE_REQUEST,
                         corr_pg_text(CORR_STR("recover")),
                         corr_pg_text(corr_form_value(p, "national_code")),
                         corr_pg_text(corr_form_value(p, "mobile")));
}


ngx_int_t
corr_recover_code_right(corr_page_t *p)
{
    return corr_reply_redirect(p, "/recover/password");
}


static ngx_int_t
corr_recover_password_find(corr_page_t *p)
{
    corr_db_begin(p, CORR_READ|CORR_UNGUARDED);
    corr_db_add(p, CORR_SQL_RECOVER_GRANTED,
                corr_pg_text(corr_session_browser(p)));

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_recover_password_show(corr_page_t *p)
{
    corr_rows_t  *rows;

    rows = corr_db_rows(p, 0);

    if (rows->nrows == 0) {
        return corr_reply_redirect(p, "/recover?gone=1");
    }

    corr_view_row(p->view, rows, 0);
    corr_form_view(p, corr_new_password_rules);

    return corr_reply_page(p, CORR_TPL_RECOVER_PASSWORD);
}


static ngx_int_t
corr_recover_password_check(corr_page_t *p)
{
    corr_db_begin(p, CORR_READ|CORR_UNGUARDED);
    corr_db_add(p, CORR_SQL_RECOVER_GRANTED,
                corr_pg_text(corr_session_browser(p)));

    return corr_db_send(p, corr_recover_password_granted);
}


static ngx_int_t
corr_recover_password_granted(corr_page_t *p)
{
    corr_str_t          words[1];
    corr_rows_t        *rows;
    corr_recover_t  *ctx;

    rows = corr_db_rows(p, 0);

    if (rows->nrows == 0) {
        return corr_reply_redirect(p, "/recover?gone=1");
    }

    words[0] = corr_rows_text(rows, 0, "national_code");

    if (corr_new_password_check(p, words, 1) != NGX_OK) {
        return corr_flow_again(p, 422);
    }

    ctx = corr_page_data(p, sizeof(corr_recover_t));
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ctx->hash = corr_password_hash(p->settings->passwords, p->worker->cpu,
                                   &p->owner,
                                   corr_form_raw(p, "new_password"),
                                   p->settings->page_timeout);
    if (ctx->hash == NULL) {
        return NGX_ERROR;
    }

    return corr_flow_then(p, corr_recover_password_hashed);
}


static ngx_int_t
corr_recover_password_hashed(corr_page_t *p)
{
    corr_recover_t  *ctx = p->data;

    if (ctx->hash->op.status != CORR_OP_OK) {
        return corr_reply_error(p, NGX_HTTP_SERVICE_UNAVAILABLE,
                                CORR_MSG_BUSY, 5, "no thread for a password");
    }

    corr_db_begin(p, CORR_WRITE_ONCE|CORR_UNGUARDED|CORR_REVOKES);

    corr_db_add(p, CORR_SQL_RECOVER_PASSWORD,
                corr_pg_text(corr_session_browser(p)),
                corr_pg_text(corr_password_result(ctx->hash)->hash),
                corr_pg_text(corr_page_address(p)));

    return corr_db_send(p, corr_recover_password_set);
}


static ngx_int_t
corr_recover_password_set(corr_page_t *p)
{
    corr_rows_t  *rows;

    rows = corr_db_rows(p, 0);

    if (!corr_str_is(corr_rows_text(rows, 0, "verdict"), "ok")) {
        return corr_reply_redirect(p, "/recover?gone=1");
    }

    corr_relay_wake(p->worker->relay);

    return corr_session_start(p, CORR_A_PERSON,
                              corr_rows_int(rows, 0, "person_id"),
                              corr_rows_int(rows, 0, "session_epoch"),
                              corr_recover_desk);
}


static ngx_int_t
corr_recover_desk(corr_page_t *p)
{
    return corr_reply_redirect(p, "/desk?flash=recovered");
}
