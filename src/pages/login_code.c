/*
 * Log in with a one-time code, and recover a forgotten password.
 *
 * A national code that nobody has sees a stable false mask, the same pages
 * and the same waits; its code goes to nobody.
 */

#include "shared.h"

#include "../lib/digits.h"
#include "../lib/ids.h"
#include "../services/passwords_work.h"


typedef struct {
    corr_task_t             *hash;
    corr_str_t               national_code;
    corr_str_t               mobile;
} corr_login_code_t;


static ngx_int_t corr_login_code_show(corr_page_t *p);
static ngx_int_t corr_login_code_check(corr_page_t *p);
static ngx_int_t corr_login_code_next(corr_page_t *p);
static ngx_int_t corr_login_code_ask(corr_page_t *p);
static ngx_int_t corr_login_mobile_find(corr_page_t *p);
static ngx_int_t corr_login_mobile_show(corr_page_t *p);
static ngx_int_t corr_login_mobile_check(corr_page_t *p);
static ngx_int_t corr_login_mobile_typed(corr_page_t *p);
static ngx_int_t corr_login_mobile_send(corr_page_t *p);
static ngx_int_t corr_login_code_requested(corr_page_t *p);
static ngx_int_t corr_login_verify_find(corr_page_t *p);
static ngx_int_t corr_login_verify_show(corr_page_t *p);
static ngx_int_t corr_login_resend(corr_page_t *p);
static ngx_int_t corr_login_resent(corr_page_t *p);
static ngx_int_t corr_login_verify(corr_page_t *p);
static ngx_int_t corr_login_verified_code(corr_page_t *p);
static ngx_int_t corr_login_code_desk(corr_page_t *p);
static ngx_int_t corr_login_request(corr_page_t *p, const char *purpose,
    corr_str_t national_code, corr_str_t mobile, corr_step_pt then);
static corr_str_t corr_login_mobile_of(corr_page_t *p, corr_rows_t *rows,
    corr_str_t national_code);

static ngx_int_t corr_recover_show(corr_page_t *p);
static ngx_int_t corr_recover_check(corr_page_t *p);
static ngx_int_t corr_recover_request(corr_page_t *p);
static ngx_int_t corr_recover_requested(corr_page_t *p);
static ngx_int_t corr_recover_code_find(corr_page_t *p);
static ngx_int_t corr_recover_code_show(corr_page_t *p);
static ngx_int_t corr_recover_resend(corr_page_t *p);
static ngx_int_t corr_recover_resent(corr_page_t *p);
static ngx_int_t corr_recover_verify(corr_page_t *p);
static ngx_int_t corr_recover_verified(corr_page_t *p);
static ngx_int_t corr_recover_password_find(corr_page_t *p);
static ngx_int_t corr_recover_password_show(corr_page_t *p);
static ngx_int_t corr_recover_password_check(corr_page_t *p);
static ngx_int_t corr_recover_password_granted(corr_page_t *p);
static ngx_int_t corr_recover_password_hashed(corr_page_t *p);
static ngx_int_t corr_recover_password_set(corr_page_t *p);
static ngx_int_t corr_recover_desk(corr_page_t *p);


static const corr_rule_t  corr_login_code_rules[] = {
    { "national_code", CORR_RULE_NATIONAL_CODE, CORR_REQUIRED, 0, 0,
      CORR_MSG_NATIONAL_CODE_REQUIRED, CORR_MSG_NATIONAL_CODE_FORMAT, NULL },
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};

static const corr_rule_t  corr_login_mobile_rules[] = {
    { "mobile", CORR_RULE_LINE, CORR_REQUIRED, 0, 20,
      CORR_MSG_MOBILE_REQUIRED, CORR_MSG_MOBILE_INCOMPLETE, NULL },
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};

static const corr_rule_t  corr_recover_rules[] = {
    { "national_code", CORR_RULE_NATIONAL_CODE, CORR_REQUIRED, 0, 0,
      CORR_MSG_NATIONAL_CODE_REQUIRED, CORR_MSG_NATIONAL_CODE_FORMAT, NULL },
    { "mobile", CORR_RULE_MOBILE, CORR_REQUIRED, 0, 0,
      CORR_MSG_MOBILE_REQUIRED, CORR_MSG_MOBILE_WRONG, NULL },
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};


const corr_step_pt  corr_login_code_steps[] = {
    corr_code_gone, corr_page_captcha, corr_login_code_show, NULL
};

const corr_step_pt  corr_login_code_check_steps[] = {
    corr_page_captcha_due, corr_login_code_check, corr_page_captcha_check,
    corr_login_code_next, NULL
};

const corr_step_pt  corr_login_mobile_steps[] = {
    corr_page_captcha, corr_login_mobile_find, corr_login_mobile_show, NULL
};

const corr_step_pt  corr_login_mobile_check_steps[] = {
    corr_page_captcha_due, corr_login_mobile_check, corr_login_mobile_typed,
    corr_page_captcha_check, corr_login_mobile_send, NULL
};

const corr_step_pt  corr_login_verify_steps[] = {
    corr_page_captcha, corr_login_verify_find, corr_login_verify_show, NULL
};

const corr_step_pt  corr_login_verify_check_steps[] = {
    corr_login_verify, NULL
};

const corr_step_pt  corr_login_resend_steps[] = {
    corr_page_captcha_due, corr_page_captcha_check, corr_login_resend, NULL
};

const corr_step_pt  corr_recover_steps[] = {
    corr_code_gone, corr_page_captcha, corr_recover_show, NULL
};

const corr_step_pt  corr_recover_check_steps[] = {
    corr_page_captcha_due, corr_recover_check, corr_page_captcha_check,
    corr_recover_request, NULL
};

const corr_step_pt  corr_recover_code_steps[] = {
    corr_page_captcha, corr_recover_code_find, corr_recover_code_show, NULL
};

const corr_step_pt  corr_recover_verify_steps[] = {
    corr_recover_verify, NULL
};

const corr_step_pt  corr_recover_resend_steps[] = {
    corr_page_captcha_due, corr_page_captcha_check, corr_recover_resend, NULL
};

const corr_step_pt  corr_recover_password_steps[] = {
    corr_recover_password_find, corr_recover_password_show, NULL
};

const corr_step_pt  corr_recover_password_set_steps[] = {
    corr_recover_password_check, NULL
};


static ngx_int_t
corr_login_code_show(corr_page_t *p)
{
    corr_form_view(p, corr_login_code_rules);

    return corr_reply_page(p, CORR_TPL_LOGIN_CODE);
}


static ngx_int_t
corr_login_code_check(corr_page_t *p)
{
    if (p->captcha_due && corr_captcha_new_wanted(p)) {
        return NGX_OK;
    }

    if (corr_form_check(p, corr_login_code_rules) != NGX_OK) {
        return NGX_ERROR;
    }

    return p->failed_form ? corr_flow_again(p, 422) : NGX_OK;
}


static ngx_int_t
corr_login_code_next(corr_page_t *p)
{
    if (corr_carry_set(p, corr_form_value(p, "national_code")) != NGX_OK) {
        return NGX_ERROR;
    }

    return corr_reply_redirect(p, "/login/code/mobile");
}


static ngx_int_t
corr_login_code_ask(corr_page_t *p)
{
    corr_login_code_t  *ctx;

    ctx = corr_page_data(p, sizeof(corr_login_code_t));
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ctx->national_code = corr_carry_get(p);

    return ctx->national_code.len ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
corr_login_mobile_find(corr_page_t *p)
{
    corr_login_code_t  *ctx;

    switch (corr_login_code_ask(p)) {

    case NGX_OK:
        break;

    case NGX_DECLINED:
        return corr_reply_redirect(p, "/login/code");

    default:
        return NGX_ERROR;
    }

    ctx = p->data;

    corr_db_begin(p, CORR_READ|CORR_UNGUARDED);
    corr_db_add(p, CORR_SQL_LOGIN_CODE_MOBILE,
                corr_pg_text(ctx->national_code));

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_login_mobile_show(corr_page_t *p)
{
    corr_str_t          mobile;
    corr_login_code_t  *ctx = p->data;

    mobile = corr_login_mobile_of(p, corr_db_rows(p, 0), ctx->national_code);

    corr_view_text(p->view, "mobile_masked", corr_page_mask(p, mobile));
    corr_form_view(p, corr_login_mobile_rules);

    return corr_reply_page(p, CORR_TPL_LOGIN_CODE_MOBILE);
}


/* The account's mobile, or the false one that always follows from a code. */

static corr_str_t
corr_login_mobile_of(corr_page_t *p, corr_rows_t *rows,
    corr_str_t national_code)
{
    u_char      *decoy;
    corr_str_t   mobile, none = corr_null_str;

    decoy = ngx_pnalloc(p->pool, CORR_MOBILE_LEN);
    if (decoy == NULL) {
        return none;
    }

    corr_secrets_decoy_mobile(p->settings->secrets, national_code, decoy);
    mobile = corr_rows_text(rows, 0, "mobile");

    return mobile.len ? mobile : corr_make_str(decoy, CORR_MOBILE_LEN);
}


static ngx_int_t
corr_login_mobile_check(corr_page_t *p)
{
    if (corr_login_code_ask(p) != NGX_OK) {
        return corr_reply_redirect(p, "/login/code");
    }

    if (corr_captcha_new_wanted(p)) {
        return corr_flow_again(p, NGX_HTTP_OK);
    }

    if (corr_form_check(p, corr_login_mobile_rules) != NGX_OK) {
        return NGX_ERROR;
    }

    if (p->failed_form) {
        return corr_flow_again(p, 422);
    }

    corr_db_begin(p, CORR_READ|CORR_UNGUARDED);
    corr_db_add(p, CORR_SQL_LOGIN_CODE_MOBILE,
                corr_pg_text(((corr_login_code_t *) p->data)
                             ->national_code));

    return corr_db_send(p, NULL);
}


/*
 * The whole number, or the digits behind the mask.  A wrong answer goes on
 * like a right one: the code is then sent to nobody.
 */

static ngx_int_t
corr_login_mobile_typed(corr_page_t *p)
{
    u_char             *whole;
    uint64_t            number;
    corr_str_t          mobile, typed, digits;
    corr_login_code_t  *ctx = p->data;

    mobile = corr_login_mobile_of(p, corr_db_rows(p, 0), ctx->national_code);
    typed = corr_form_value(p, "mobile");

    if (corr_check_mobile(&p->alloc, typed, &ctx->mobile) != CORR_OK) {

        digits = corr_digits_clean(&p->alloc, typed);

        if (digits.len != CORR_MOBILE_HIDDEN
            || corr_digits_number(digits, 999, &number) != CORR_OK
            || mobile.len != CORR_MOBILE_LEN)
        {
            corr_form_error(p, "mobile", CORR_MSG_MOBILE_INCOMPLETE, NULL);
            return corr_flow_again(p, 422);
        }

        whole = ngx_pnalloc(p->pool, CORR_MOBILE_LEN);
        if (whole == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(whole, mobile.data, CORR_MOBILE_LEN);
        ngx_memcpy(whole + CORR_MOBILE_FIRST, digits.data,
                   CORR_MOBILE_HIDDEN);

        ctx->mobile = corr_make_str(whole, CORR_MOBILE_LEN);
    }

    return NGX_OK;
}


static ngx_int_t
corr_login_mobile_send(corr_page_t *p)
{
    corr_login_code_t  *ctx = p->data;

    return corr_login_request(p, "login", ctx->national_code, ctx->mobile,
                              corr_login_code_requested);
}


static ngx_int_t
corr_login_request(corr_page_t *p, const char *purpose,
    corr_str_t national_code, corr_str_t mobile, corr_step_pt then)
{
    corr_code_t  code;

    if (corr_code_make(&p->alloc, p->settings->secrets, purpose, p->browser,
                       &code)
        != CORR_OK)
    {
        return NGX_ERROR;
    }

    corr_db_begin(p, CORR_WRITE_ONCE|CORR_UNGUARDED);

    corr_db_add(p, CORR_SQL_CODE_REQUEST, corr_pg_text(corr_cstr(purpose)),
                corr_pg_text(national_code), corr_pg_text(mobile),
                corr_pg_text(p->browser),
                corr_pg_text(corr_page_address(p)),
                corr_pg_bytes(code.hash), corr_pg_bytes(code.secret),
                corr_pg_text(corr_code_limits(&p->alloc, p->settings)));

    return corr_db_send(p, then);
}


static ngx_int_t
corr_login_code_requested(corr_page_t *p)
{
    return corr_code_requested(p, "/login/code/verify", "mobile");
}


static ngx_int_t
corr_login_verify_find(corr_page_t *p)
{
    corr_db_begin(p, CORR_READ|CORR_UNGUARDED);
    corr_code_state(p, "login");

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_login_verify_show(corr_page_t *p)
{
    if (corr_code_state_show(p, corr_db_rows(p, 0)) != NGX_OK) {
        return corr_reply_redirect(p, "/login/code?gone=1");
    }

    return corr_reply_page(p, CORR_TPL_LOGIN_CODE_VERIFY);
}


static ngx_int_t
corr_login_resend(corr_page_t *p)
{
    return corr_code_resend(p, "login", corr_login_resent);
}


static ngx_int_t
corr_login_resent(corr_page_t *p)
{
    return corr_code_requested(p, "/login/code/verify?flash=code_sent", "");
}


static ngx_int_t
corr_login_verify(corr_page_t *p)
{
    corr_str_t  hash;

    hash = corr_code_typed(p, "login");

    if (hash.len == 0) {
        return corr_flow_again(p, 422);
    }

    corr_db_begin(p, CORR_WRITE_ONCE|CORR_UNGUARDED);

    corr_db_add(p, CORR_SQL_LOGIN_CODE_VERIFY, corr_pg_text(p->browser),
                corr_pg_bytes(hash), corr_pg_text(corr_page_address(p)),
                corr_pg_text(corr_code_limits(&p->alloc, p->settings)));

    return corr_db_send(p, corr_login_verified_code);
}


static ngx_int_t
corr_login_verified_code(corr_page_t *p)
{
    corr_rows_t  *rows;

    rows = corr_db_rows(p, 0);

    if (!corr_str_is(corr_rows_text(rows, 0, "verdict"), "ok")) {
        corr_code_refused(p, rows);
        return corr_flow_again(p, 422);
    }

    corr_code_confirmed(p);

    return corr_session_start(p, CORR_A_PERSON,
                              corr_rows_int(rows, 0, "person_id"),
                              corr_rows_int(rows, 0, "session_epoch"),
                              corr_login_code_desk);
}


static ngx_int_t
corr_login_code_desk(corr_page_t *p)
{
    corr_carry_clear(p);

    return corr_reply_redirect(p, "/desk");
}


/* Recovery: national code and mobile, a code, a new password. */

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
    return corr_login_request(p, "recover",
                              corr_form_value(p, "national_code"),
                              corr_form_value(p, "mobile"),
                              corr_recover_requested);
}


static ngx_int_t
corr_recover_requested(corr_page_t *p)
{
    return corr_code_requested(p, "/recover/code", "");
}


static ngx_int_t
corr_recover_code_find(corr_page_t *p)
{
    corr_db_begin(p, CORR_READ|CORR_UNGUARDED);
    corr_code_state(p, "recover");

    return corr_db_send(p, NULL);
}


/* A code that was confirmed already has opened the next page. */

static ngx_int_t
corr_recover_code_show(corr_page_t *p)
{
    if (corr_code_state_show(p, corr_db_rows(p, 0)) != NGX_OK) {
        return corr_reply_redirect(p, "/recover/password");
    }

    return corr_reply_page(p, CORR_TPL_RECOVER_CODE);
}


static ngx_int_t
corr_recover_resend(corr_page_t *p)
{
    return corr_code_resend(p, "recover", corr_recover_resent);
}


static ngx_int_t
corr_recover_resent(corr_page_t *p)
{
    return corr_code_requested(p, "/recover/code?flash=code_sent", "");
}


static ngx_int_t
corr_recover_verify(corr_page_t *p)
{
    corr_str_t  hash;

    hash = corr_code_typed(p, "recover");

    if (hash.len == 0) {
        return corr_flow_again(p, 422);
    }

    corr_db_begin(p, CORR_WRITE_ONCE|CORR_UNGUARDED);

    corr_db_add(p, CORR_SQL_RECOVER_VERIFY, corr_pg_text(p->browser),
                corr_pg_bytes(hash), corr_pg_text(corr_page_address(p)),
                corr_pg_text(corr_code_limits(&p->alloc, p->settings)));

    return corr_db_send(p, corr_recover_verified);
}


static ngx_int_t
corr_recover_verified(corr_page_t *p)
{
    corr_rows_t  *rows;

    rows = corr_db_rows(p, 0);

    if (!corr_str_is(corr_rows_text(rows, 0, "verdict"), "ok")) {
        corr_code_refused(p, rows);
        return corr_flow_again(p, 422);
    }

    corr_code_confirmed(p);

    return corr_reply_redirect(p, "/recover/password");
}


static ngx_int_t
corr_recover_password_find(corr_page_t *p)
{
    corr_db_begin(p, CORR_READ|CORR_UNGUARDED);
    corr_db_add(p, CORR_SQL_RECOVER_GRANTED, corr_pg_text(p->browser));

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
    corr_db_add(p, CORR_SQL_RECOVER_GRANTED, corr_pg_text(p->browser));

    return corr_db_send(p, corr_recover_password_granted);
}


static ngx_int_t
corr_recover_password_granted(corr_page_t *p)
{
    corr_str_t          words[1];
    corr_rows_t        *rows;
    corr_login_code_t  *ctx;

    rows = corr_db_rows(p, 0);

    if (rows->nrows == 0) {
        return corr_reply_redirect(p, "/recover?gone=1");
    }

    words[0] = corr_rows_text(rows, 0, "national_code");

    if (corr_new_password_check(p, words, 1) != NGX_OK) {
        return corr_flow_again(p, 422);
    }

    ctx = corr_page_data(p, sizeof(corr_login_code_t));
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
    corr_login_code_t  *ctx = p->data;

    if (ctx->hash->op.status != CORR_OP_OK) {
        return corr_reply_error(p, NGX_HTTP_SERVICE_UNAVAILABLE,
                                CORR_MSG_BUSY, 5, "no thread for a password");
    }

    corr_db_begin(p, CORR_WRITE_ONCE|CORR_UNGUARDED);

    corr_db_add(p, CORR_SQL_RECOVER_PASSWORD, corr_pg_text(p->browser),
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
