/*
 * The state of a letter for whoever has its tracking code and knows the end
 * of the mobile: the state and nothing else.
 *
 * Guessing is slowed down by PostgreSQL for each code and address, and an
 * address that keeps failing has to answer a captcha.
 */

#include "shared.h"

#include "../http/captcha.h"
#include "../http/throttle.h"
#include "../lib/ids.h"
#include "../lib/tracking.h"


static ngx_int_t corr_track_form(corr_page_t *p);
static ngx_int_t corr_track_show(corr_page_t *p);
static ngx_int_t corr_track_limit(corr_page_t *p);
static ngx_int_t corr_track_due(corr_page_t *p);
static ngx_int_t corr_track_check(corr_page_t *p);
static ngx_int_t corr_track_checked(corr_page_t *p);
static ngx_int_t corr_track_answer(corr_page_t *p);


typedef struct {
    corr_str_t  code;
} corr_track_t;


static const corr_rule_t  corr_track_rules[] = {
    { "tracking_code", CORR_RULE_DIGITS, CORR_REQUIRED, CORR_TRACKING_MIN,
      CORR_TRACKING_MAX, CORR_MSG_TRACKING_CODE_REQUIRED,
      CORR_MSG_TRACKING_CODE_WRONG, NULL },
    { "mobile_last4", CORR_RULE_DIGITS, CORR_REQUIRED, 4, 4,
      CORR_MSG_MOBILE_LAST4_REQUIRED, CORR_MSG_MOBILE_LAST4_WRONG, NULL },
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};


const corr_step_pt  corr_track_steps[] = {
    corr_track_form,
    NULL
};


const corr_step_pt  corr_track_find_steps[] = {
    corr_track_limit,
    NULL
};


static ngx_int_t
corr_track_form(corr_page_t *p)
{
    corr_page_about(p);

    return corr_captcha_due(p, corr_track_show);
}


static ngx_int_t
corr_track_show(corr_page_t *p)
{
    if (p->captcha_due) {
        corr_captcha_issue(p);
    }

    corr_form_view(p, corr_track_rules);

    return corr_reply_page(p, CORR_TPL_TRACK);
}


static ngx_int_t
corr_track_limit(corr_page_t *p)
{
    return corr_throttle(p, "track", p->settings->track_rate,
                         corr_track_due);
}


static ngx_int_t
corr_track_due(corr_page_t *p)
{
    corr_page_about(p);

    return corr_captcha_due(p, corr_track_check);
}


static ngx_int_t
corr_track_check(corr_page_t *p)
{
    corr_track_t  *ctx;

    if (corr_captcha_new_wanted(p)) {
        return corr_track_show(p);
    }

    ctx = corr_page_data(p, sizeof(corr_track_t));

    if (ctx == NULL || corr_form_check(p, corr_track_rules) != NGX_OK) {
        return NGX_ERROR;
    }

    if (corr_form_value(p, "tracking_code").len
        && corr_check_tracking(&p->alloc,
                               corr_form_value(p, "tracking_code"),
                               &ctx->code)
           != CORR_OK)
    {
        corr_form_error(p, "tracking_code", CORR_MSG_TRACKING_CODE_WRONG,
                        NULL);
    }

    return p->captcha_due ? corr_captcha_check(p, corr_track_checked)
                          : corr_track_checked(p);
}


static ngx_int_t
corr_track_checked(corr_page_t *p)
{
    corr_track_t  *ctx = p->data;

    if (p->failed_form) {
        return corr_flow_again(p, 422);
    }

    corr_db_begin(p, CORR_WRITE_ONCE|CORR_UNGUARDED);

    corr_db_add(p, CORR_SQL_TRACK, corr_pg_text(ctx->code),
                corr_pg_text(corr_form_value(p, "mobile_last4")),
                corr_pg_text(corr_page_address(p)));

    return corr_db_send(p, corr_track_answer);
}


static ngx_int_t
corr_track_answer(corr_page_t *p)
{
    corr_str_t     verdict;
    corr_rows_t   *rows;
    corr_view_t   *found;
    corr_track_t  *ctx = p->data;

    rows = corr_db_rows(p, 0);
    verdict = corr_rows_text(rows, 0, "verdict");

    if (corr_str_is(verdict, "wait")) {
        return corr_reply_error(p, 429, CORR_MSG_TOO_OFTEN,
                                corr_rows_int(rows, 0, "wait"), NULL);
    }

    if (!corr_str_is(verdict, "ok")) {
        corr_captcha_blame(p);
        corr_form_error(p, "tracking_code", CORR_MSG_TRACK_NOT_FOUND, NULL);

        return corr_flow_again(p, 422);
    }

    found = corr_view_object(p->view, "found");

    corr_view_text(found, "tracking_code", ctx->code);
    corr_view_value(found, "status", corr_rows_get(rows, 0, "status"));
    corr_view_value(found, "created_at",
                    corr_rows_get(rows, 0, "created_at"));
    corr_view_value(found, "updated_at",
                    corr_rows_get(rows, 0, "updated_at"));

    return corr_track_show(p);
}
