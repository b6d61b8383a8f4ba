/*
 * Sign-up, stage one: national code, mobile and birth date; a code by SMS;
 * the account and the desk.
 *
 * Whether the national code has an account already makes no difference
 * until the code is confirmed.  Then, when the account has another mobile,
 * Shahkar is asked at once whose it is.
 */

#include "shared.h"

#include "../lib/jalali.h"
#include "../services/gateway.h"
#include "../services/relay.h"


typedef struct {
    int64_t                  birth_date;
    corr_str_t               claim;        /* uuid of the code that was right */
    corr_gateway_op_t       *call;
} corr_signup_t;


static ngx_int_t corr_signup_show(corr_page_t *p);
static ngx_int_t corr_signup_check(corr_page_t *p);
static ngx_int_t corr_signup_request(corr_page_t *p);
static ngx_int_t corr_signup_requested(corr_page_t *p);
static ngx_int_t corr_signup_code_find(corr_page_t *p);
static ngx_int_t corr_signup_code_show(corr_page_t *p);
static ngx_int_t corr_signup_resend(corr_page_t *p);
static ngx_int_t corr_signup_resent(corr_page_t *p);
static ngx_int_t corr_signup_verify(corr_page_t *p);
static ngx_int_t corr_signup_verified(corr_page_t *p);
static ngx_int_t corr_signup_claim(corr_page_t *p, corr_rows_t *rows);
static ngx_int_t corr_signup_answered(corr_page_t *p);
static ngx_int_t corr_signup_claimed(corr_page_t *p);
static ngx_int_t corr_signup_desk(corr_page_t *p);


static const corr_rule_t  corr_signup_rules[] = {
    { "national_code", CORR_RULE_NATIONAL_CODE, CORR_REQUIRED, 0, 0,
      CORR_MSG_NATIONAL_CODE_REQUIRED, CORR_MSG_NATIONAL_CODE_FORMAT, NULL },
    { "mobile", CORR_RULE_MOBILE, CORR_REQUIRED, 0, 0,
      CORR_MSG_MOBILE_REQUIRED, CORR_MSG_MOBILE_WRONG, NULL },
    CORR_BIRTH_RULES,
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};


const corr_step_pt  corr_signup_steps[] = {
    corr_code_gone,
    corr_page_captcha,
    corr_signup_show,
    NULL
};


const corr_step_pt  corr_signup_request_steps[] = {
    corr_page_captcha_due,
    corr_signup_check,
    corr_page_captcha_check,
    corr_signup_request,
    NULL
};


const corr_step_pt  corr_signup_code_steps[] = {
    corr_page_captcha,
    corr_signup_code_find,
    NULL
};


const corr_step_pt  corr_signup_resend_steps[] = {
    corr_page_captcha_due,
    corr_page_captcha_check,
    corr_signup_resend,
    NULL
};


const corr_step_pt  corr_signup_verify_steps[] = {
    corr_signup_verify,
    NULL
};


static ngx_int_t
corr_signup_show(corr_page_t *p)
{
    corr_form_view(p, corr_signup_rules);

    return corr_reply_page(p, CORR_TPL_SIGNUP);
}


static ngx_int_t
corr_signup_check(corr_page_t *p)
{
    corr_signup_t  *ctx;

    if (p->captcha_due && corr_captcha_new_wanted(p)) {
        return NGX_OK;
    }

    ctx = corr_page_data(p, sizeof(corr_signup_t));

    if (ctx == NULL || corr_form_check(p, corr_signup_rules) != NGX_OK) {
        return NGX_ERROR;
    }

    return corr_page_birth_date(p, &ctx->birth_date) == NGX_OK
           ? NGX_OK : corr_flow_again(p, 422);
}


static ngx_int_t
corr_signup_request(corr_page_t *p)
{
    corr_code_t     code;
    corr_signup_t  *ctx = p->data;

    if (corr_code_make(&p->alloc, p->settings->secrets, "signup", p->browser,
                       &code)
        != CORR_OK)
    {
        return NGX_ERROR;
    }

    corr_db_begin(p, CORR_WRITE_ONCE|CORR_UNGUARDED);

    corr_db_add(p, CORR_SQL_SIGNUP_REQUEST,
                corr_pg_text(corr_form_value(p, "national_code")),
                corr_pg_text(corr_form_value(p, "mobile")),
                corr_pg_text(corr_page_date(p, ctx->birth_date)),
                corr_pg_text(p->browser),
                corr_pg_text(corr_page_address(p)),
                corr_pg_bytes(code.hash), corr_pg_bytes(code.secret),
                corr_pg_text(corr_code_limits(&p->alloc, p->settings)));

    return corr_db_send(p, corr_signup_requested);
}


static ngx_int_t
corr_signup_requested(corr_page_t *p)
{
    return corr_code_requested(p, "/signup/code", "");
}


static ngx_int_t
corr_signup_code_find(corr_page_t *p)
{
    corr_db_begin(p, CORR_READ|CORR_UNGUARDED);
    corr_code_state(p, "signup");

    return corr_db_send(p, corr_signup_code_show);
}


static ngx_int_t
corr_signup_code_show(corr_page_t *p)
{
    if (corr_code_state_show(p, corr_db_rows(p, 0)) != NGX_OK) {
        return corr_reply_redirect(p, "/signup?gone=1");
    }

    return corr_reply_page(p, CORR_TPL_SIGNUP_CODE);
}


static ngx_int_t
corr_signup_resend(corr_page_t *p)
{
    return corr_code_resend(p, "signup", corr_signup_resent);
}


static ngx_int_t
corr_signup_resent(corr_page_t *p)
{
    return corr_code_requested(p, "/signup/code?flash=code_sent", "");
}


static ngx_int_t
corr_signup_verify(corr_page_t *p)
{
    corr_str_t  hash;

    hash = corr_code_typed(p, "signup");

    if (hash.len == 0) {
        return corr_flow_again(p, 422);
    }

    corr_db_begin(p, CORR_WRITE_ONCE|CORR_UNGUARDED);

    corr_db_add(p, CORR_SQL_SIGNUP_VERIFY, corr_pg_text(p->browser),
                corr_pg_bytes(hash), corr_pg_text(corr_page_address(p)),
                corr_pg_text(corr_code_limits(&p->alloc, p->settings)));

    return corr_db_send(p, corr_signup_verified);
}


static ngx_int_t
corr_signup_verified(corr_page_t *p)
{
    corr_str_t    verdict;
    corr_rows_t  *rows;

    rows = corr_db_rows(p, 0);
    verdict = corr_rows_text(rows, 0, "verdict");

    if (corr_str_is(verdict, "ok")) {
        corr_code_confirmed(p);

        return corr_session_start(p, CORR_A_PERSON,
                                  corr_rows_int(rows, 0, "person_id"),
                                  corr_rows_int(rows, 0, "session_epoch"),
                                  corr_signup_desk);
    }

    if (corr_str_is(verdict, "claim")) {
        corr_code_confirmed(p);

        return corr_signup_claim(p, rows);
    }

    if (corr_str_is(verdict, "refused")) {
        return corr_reply_error(p, NGX_HTTP_FORBIDDEN,
                                CORR_MSG_ACCOUNT_BLOCKED, 0, NULL);
    }

    corr_code_refused(p, rows);

    return corr_flow_again(p, 422);
}


/* The account has another mobile: whose is this one? */

static ngx_int_t
corr_signup_claim(corr_page_t *p, corr_rows_t *rows)
{
    corr_view_t    *values;
    corr_signup_t  *ctx;

    ctx = corr_page_data(p, sizeof(corr_signup_t));
    values = corr_view_create(&p->alloc);

    if (ctx == NULL || values == NULL) {
        return NGX_ERROR;
    }

    ctx->claim = corr_rows_text(rows, 0, "claim");

    corr_view_text(values, "national_code",
                   corr_rows_text(rows, 0, "national_code"));
    corr_view_text(values, "mobile", corr_rows_text(rows, 0, "mobile"));

    ctx->call = corr_gateway_call(p->worker->gateways, &p->owner,
                                  CORR_GATEWAY_SHAHKAR, values);
    if (ctx->call == NULL) {
        return NGX_ERROR;
    }

    return corr_flow_then(p, corr_signup_answered);
}


static ngx_int_t
corr_signup_answered(corr_page_t *p)
{
    corr_signup_t  *ctx = p->data;

    corr_db_begin(p, CORR_WRITE_ONCE|CORR_UNGUARDED);

    corr_db_add(p, CORR_SQL_SIGNUP_CLAIM, corr_pg_text(ctx->claim),
                corr_pg_text(p->browser),
                corr_pg_text(corr_verdict_name(ctx->call->verdict)),
                corr_pg_text(ctx->call->provider),
                corr_pg_text(ctx->call->reference),
                corr_pg_text(corr_page_address(p)));

    return corr_db_send(p, corr_signup_claimed);
}


static ngx_int_t
corr_signup_claimed(corr_page_t *p)
{
    ngx_uint_t    message;
    corr_str_t    verdict;
    corr_rows_t  *rows;

    corr_relay_wake(p->worker->relay);

    rows = corr_db_rows(p, 0);
    verdict = corr_rows_text(rows, 0, "verdict");

    if (corr_str_is(verdict, "ok")) {
        return corr_session_start(p, CORR_A_PERSON,
                                  corr_rows_int(rows, 0, "person_id"),
                                  corr_rows_int(rows, 0, "session_epoch"),
                                  corr_signup_desk);
    }

    message = corr_str_is(verdict, "later") ? CORR_MSG_SIGNUP_CLAIM_UNKNOWN
              : corr_str_is(verdict, "refused") ? CORR_MSG_SIGNUP_CLAIM_NO
              : CORR_MSG_CODE_EXPIRED;

    corr_form_error(p, "", message, NULL);

    p->status = 422;

    return corr_flow_steps(p, corr_signup_steps);
}


static ngx_int_t
corr_signup_desk(corr_page_t *p)
{
    return corr_reply_redirect(p, "/desk?flash=signed_up");
}
