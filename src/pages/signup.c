/*
 * Sign-up, stage one: national code, mobile and birth date; a code by SMS;
 * the account and the desk.
 *
 * Whether the national code has an account already makes no difference
 * until the code is confirmed.  Then, when the account has another mobile,
 * Shahkar is asked at once whose it is.
 */

#include "code_page.h"

#include "../lib/jalali.h"
#include "../services/gateway.h"


typedef struct {
    int64_t                  birth_date;
    corr_str_t               claim;        /* uuid of the code that was right */
    corr_gateway_op_t       *call;
} corr_signup_t;


static ngx_int_t corr_signup_show(corr_page_t *p);
static ngx_int_t corr_signup_check(corr_page_t *p);
static ngx_int_t corr_signup_request(corr_page_t *p);
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
    corr_signup_t  *ctx = p->data;

    return corr_code_ask(p, CORR_SQL_SIGNUP_REQUEST,
                         corr_pg_text(corr_form_value(p, "national_code")),
                         corr_pg_text(corr_form_value(p, "mobile")),
                         corr_pg_text(corr_page_date(p, ctx->birth_date)));
}


ngx_int_t
corr_signup_code_right(corr_page_t *p)
{
    corr_str_t    verdict;
    corr_rows_t  *rows;

    rows = corr_db_rows(p, 0);
    verdict = corr_rows_text(rows, 0, "verdict");

    if (corr_str_is(verdict, "claim")) {
        return corr_signup_claim(p, rows);
    }

    if (corr_str_is(verdict, "refused")) {
        return corr_reply_error(p, NGX_HTTP_FORBIDDEN,
                                CORR_MSG_ACCOUNT_BLOCKED, 0, NULL);
    }

    return corr_session_start(p, CORR_A_PERSON,
                              corr_rows_int(rows, 0, "person_id"),
                              corr_rows_int(rows, 0, "session_epoch"),
                              corr_signup_desk);
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

    corr_db_begin(p, CORR_WRITE_ONCE|CORR_UNGUARDED|CORR_REVOKES);

    corr_db_add(p, CORR_SQL_SIGNUP_CLAIM, corr_pg_text(ctx->claim),
                corr_pg_text(corr_session_browser(p)),
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
