/*
 * Log in with a one-time code.
 *
 * A national code that nobody has sees a stable false mask, the same pages
 * and the same waits; its code goes to nobody.
 */

#include "code_page.h"

#include "../lib/digits.h"
#include "../lib/ids.h"


#define CORR_LOGIN_NEXT_MAX   512        /* bytes */


typedef struct {
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
static ngx_int_t corr_login_code_desk(corr_page_t *p);


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


const corr_step_pt  corr_login_code_steps[] = {
    corr_code_gone, corr_page_captcha, corr_login_code_show, NULL
};

const corr_step_pt  corr_login_code_check_steps[] = {
    corr_page_login_rate, corr_page_captcha_due, corr_login_code_check,
    corr_page_captcha_check, corr_login_code_next, NULL
};

const corr_step_pt  corr_login_mobile_steps[] = {
    corr_page_captcha, corr_login_mobile_find, corr_login_mobile_show, NULL
};

const corr_step_pt  corr_login_mobile_check_steps[] = {
    corr_page_captcha_due, corr_login_mobile_check, corr_login_mobile_typed,
    corr_page_captcha_check, corr_login_mobile_send, NULL
};


static ngx_int_t
corr_login_code_show(corr_page_t *p)
{
    corr_next_show(p);
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


/*
 * What the next pages know: the national code, and where to go behind them.
 * They show a mobile, masked: whoever asks for many of them is to blame, and
 * whoever types the code in the end is forgiven.
 */

static ngx_int_t
corr_login_code_next(corr_page_t *p)
{
    u_char      *carry, *last;
    corr_str_t   code, next;

    code = corr_form_value(p, "national_code");
    next = corr_next(p);

    if (next.len > CORR_LOGIN_NEXT_MAX) {
        next.len = 0;
    }

    carry = ngx_pnalloc(p->pool, code.len + next.len);
    if (carry == NULL) {
        return NGX_ERROR;
    }

    last = ngx_sprintf(carry, "%*s%*s", code.len, code.data, next.len,
                       next.data);

    if (corr_carry_set(p, corr_make_str(carry, last - carry)) != NGX_OK) {
        return NGX_ERROR;
    }

    corr_captcha_blame(p);

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
    ctx->national_code.len = ngx_min(ctx->national_code.len,
                                     CORR_NATIONAL_CODE_LEN);

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
    corr_str_t  mobile;

    mobile = corr_rows_text(corr_db_rows(p, 0), 0, "mobile");

    corr_view_text(p->view, "mobile_masked", corr_page_mask(p, mobile));
    corr_form_view(p, corr_login_mobile_rules);

    return corr_reply_page(p, CORR_TPL_LOGIN_CODE_MOBILE);
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

    mobile = corr_rows_text(corr_db_rows(p, 0), 0, "mobile");
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

    return corr_code_ask(p, CORR_SQL_CODE_REQUEST,
                         corr_pg_text(CORR_STR("login")),
                         corr_pg_text(ctx->national_code),
                         corr_pg_text(ctx->mobile));
}


ngx_int_t
corr_login_code_right(corr_page_t *p)
{
    corr_rows_t  *rows;

    rows = corr_db_rows(p, 0);

    /* the code is forgiven already; this is for the national code */

    corr_captcha_forgive(p);

    return corr_session_start(p, CORR_A_PERSON,
                              corr_rows_int(rows, 0, "person_id"),
                              corr_rows_int(rows, 0, "session_epoch"),
                              corr_login_code_desk);
}


static ngx_int_t
corr_login_code_desk(corr_page_t *p)
{
    corr_str_t  carry;

    carry = corr_carry_get(p);
    corr_carry_clear(p);

    if (carry.len <= CORR_NATIONAL_CODE_LEN) {
        return corr_reply_redirect(p, "/desk");
    }

    return corr_reply_redirect(p, "%*s", carry.len - CORR_NATIONAL_CODE_LEN,
                               carry.data + CORR_NATIONAL_CODE_LEN);
}
