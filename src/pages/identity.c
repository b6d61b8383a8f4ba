/*
 * Identity in levels: does the mobile belong to the national code
 * (Shahkar), and who is it (the civil registry).
 *
 * A gateway has three answers.  Yes raises the level, no says what to do,
 * unknown keeps the step pending: it is asked again in the background and
 * an SMS tells when it is through.
 *
 * A registry that returns no names but compares them has the person type
 * them; they wait with the question.
 */

#include "shared.h"

#include "../lib/digits.h"
#include "../lib/jalali.h"
#include "../lib/value_text.h"
#include "../services/gateway.h"
#include "../services/identity_job.h"


#define CORR_NAME_MAX              60        /* characters */


typedef struct {
    const char              *step;         /* "mobile", "registry" */
    corr_identity_op_t      *check;
    int64_t                  birth_date;
    ngx_uint_t               has_birth_date;
    ngx_uint_t               has_names;
} corr_identity_page_t;


static ngx_int_t corr_identity_find(corr_page_t *p);
static ngx_int_t corr_identity_show(corr_page_t *p);
static void corr_identity_said(corr_page_t *p, corr_rows_t *rows);
static void corr_identity_fill(corr_page_t *p, int64_t birth_date);
static void corr_identity_fill_int(corr_page_t *p, const char *name,
    int64_t n);
static ngx_int_t corr_identity_mobile(corr_page_t *p);
static ngx_int_t corr_identity_registry(corr_page_t *p);
static ngx_int_t corr_identity_names(corr_page_t *p);
static ngx_int_t corr_identity_ask(corr_page_t *p, const char *step);
static corr_pg_param_t corr_identity_typed(corr_page_t *p,
    const char *name);
static ngx_int_t corr_identity_asked(corr_page_t *p);
static ngx_int_t corr_identity_wait(corr_page_t *p, corr_rows_t *rows);
static ngx_int_t corr_identity_check_step(corr_page_t *p,
    corr_rows_t *rows);
static ngx_int_t corr_identity_checked(corr_page_t *p);
static ngx_int_t corr_identity_redirect(corr_page_t *p);


static const corr_rule_t  corr_identity_rules[] = {
    CORR_BIRTH_RULES,
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};


static const corr_rule_t  corr_identity_name_rules[] = {
    { "first_name", CORR_RULE_LINE, CORR_REQUIRED, 0, CORR_NAME_MAX,
      CORR_MSG_FIRST_NAME_REQUIRED, CORR_MSG_FIELD_TOO_LONG, NULL },
    { "last_name", CORR_RULE_LINE, CORR_REQUIRED, 0, CORR_NAME_MAX,
      CORR_MSG_LAST_NAME_REQUIRED, CORR_MSG_FIELD_TOO_LONG, NULL },
    { "father_name", CORR_RULE_LINE, CORR_REQUIRED, 0, CORR_NAME_MAX,
      CORR_MSG_FATHER_NAME_REQUIRED, CORR_MSG_FIELD_TOO_LONG, NULL },
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};


const corr_step_pt  corr_identity_steps[] = {
    corr_identity_find,
    NULL
};


const corr_step_pt  corr_identity_mobile_steps[] = {
    corr_identity_mobile,
    NULL
};


const corr_step_pt  corr_identity_registry_steps[] = {
    corr_identity_registry,
    NULL
};


static ngx_int_t
corr_identity_find(corr_page_t *p)
{
    corr_db_begin(p, CORR_READ);
    corr_db_add(p, CORR_SQL_PERSON_SHOW, corr_pg_int(p->session.id));

    return corr_db_send(p, corr_identity_show);
}


static ngx_int_t
corr_identity_show(corr_page_t *p)
{
    ngx_uint_t    shut;
    corr_rows_t  *rows;

    rows = corr_db_rows(p, 0);

    corr_view_row(p->view, rows, 0);
    corr_view_text(p->view, "mobile_masked",
                   corr_page_mask(p, corr_rows_text(rows, 0, "mobile")));

    shut = (corr_gateway_count(p->worker->gateways, CORR_GATEWAY_SHAHKAR)
            == 0 && !p->settings->shahkar_missing_skips)
           || (corr_gateway_count(p->worker->gateways,
                                  CORR_GATEWAY_REGISTRY)
               == 0 && !p->settings->registry_missing_skips);

    corr_view_flag(p->view, "form_shut", shut && p->session.level < 3);

    if (!p->again) {
        corr_identity_said(p, rows);
        corr_identity_fill(p, corr_rows_int(rows, 0, "birth_date"));
    }

    corr_form_view(p, corr_identity_rules);

    if (corr_gateway_wants_names(p->worker->gateways,
                                 CORR_GATEWAY_REGISTRY))
    {
        corr_view_flag(p->view, "ask_names", 1);
        corr_form_view(p, corr_identity_name_rules);
    }

    return corr_reply_page(p, CORR_TPL_IDENTITY);
}


/*
 * What came of the step that ?asked= names: on top of the page, where whoever
 * has pressed its button looks.  As it is now, so that a page that is loaded
 * again says nothing old.
 */

static void
corr_identity_said(corr_page_t *p, corr_rows_t *rows)
{
    ngx_uint_t  mobile;
    corr_str_t  asked, state;

    asked = corr_query(p, "asked");
    mobile = corr_str_is(asked, "mobile");

    if (!mobile && !corr_str_is(asked, "registry")) {
        return;
    }

    state = corr_rows_text(rows, 0, mobile ? "mobile_step" : "registry_step");

    if (corr_str_is(state, "no")) {
        corr_reply_flash(p, mobile ? CORR_MSG_FLASH_MOBILE_STEP_NO
                                   : CORR_MSG_FLASH_REGISTRY_STEP_NO);

    } else if (corr_str_is(state, "pending")) {
        corr_reply_flash(p, mobile ? CORR_MSG_MOBILE_STEP_UNKNOWN
                                   : CORR_MSG_REGISTRY_STEP_UNKNOWN);

    } else if (mobile && corr_str_is(state, "yes")
               && !corr_rows_int(rows, 0, "form_open"))
    {
        corr_reply_flash(p, CORR_MSG_MOBILE_STEP_DONE);
    }
}


/* The date that the registry refused: who mended its year types no more. */

static void
corr_identity_fill(corr_page_t *p, int64_t birth_date)
{
    corr_date_t  date;

    if (corr_jalali_from_days(birth_date, &date) != CORR_OK) {
        return;
    }

    corr_identity_fill_int(p, "birth_day", date.day);
    corr_identity_fill_int(p, "birth_month", date.month);
    corr_identity_fill_int(p, "birth_year", date.year);
}


static void
corr_identity_fill_int(corr_page_t *p, const char *name, int64_t n)
{
    u_char      *text;
    corr_str_t   s;

    text = ngx_pnalloc(p->pool, CORR_VALUE_TEXT);
    if (text == NULL) {
        return;
    }

    s = corr_make_str(text, corr_int_text(text, n));
    corr_form_fill(p, name, corr_digits_persian(&p->alloc, s));
}


static ngx_int_t
corr_identity_mobile(corr_page_t *p)
{
    return corr_identity_ask(p, "mobile");
}


/* With a birth date when the registry refused the one of the sign-up. */

static ngx_int_t
corr_identity_registry(corr_page_t *p)
{
    corr_identity_page_t  *ctx;

    ctx = corr_page_data(p, sizeof(corr_identity_page_t));
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    if (corr_identity_names(p) != NGX_OK) {
        return NGX_ERROR;
    }

    if (corr_form_raw(p, "birth_year").len == 0
        && corr_form_raw(p, "birth_day").len == 0)
    {
        return p->failed_form ? corr_flow_again(p, 422)
                              : corr_identity_ask(p, "registry");
    }

    if (corr_form_check(p, corr_identity_rules) != NGX_OK) {
        return NGX_ERROR;
    }

    if (corr_page_birth_date(p, &ctx->birth_date) != NGX_OK
        || p->failed_form)
    {
        return corr_flow_again(p, 422);
    }

    ctx->has_birth_date = 1;

    return corr_identity_ask(p, "registry");
}


static ngx_int_t
corr_identity_names(corr_page_t *p)
{
    corr_identity_page_t  *ctx = p->data;

    ctx->has_names = corr_gateway_wants_names(p->worker->gateways,
                                              CORR_GATEWAY_REGISTRY);

    return ctx->has_names ? corr_form_check(p, corr_identity_name_rules)
                          : NGX_OK;
}


static corr_pg_param_t
corr_identity_typed(corr_page_t *p, const char *name)
{
    corr_identity_page_t  *ctx = p->data;

    return ctx->has_names ? corr_pg_text(corr_form_value(p, name))
                          : corr_pg_null();
}


static ngx_int_t
corr_identity_ask(corr_page_t *p, const char *step)
{
    corr_identity_page_t  *ctx;

    ctx = corr_page_data(p, sizeof(corr_identity_page_t));
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ctx->step = step;

    corr_db_begin(p, CORR_WRITE_ONCE);

    if (ctx->has_birth_date) {
        corr_db_add(p, CORR_SQL_BIRTH_DATE_SET,
                    corr_pg_text(corr_page_date(p, ctx->birth_date)));
    }

    corr_db_add(p, CORR_SQL_IDENTITY_ASK, corr_pg_text(corr_cstr(step)),
                corr_pg_int(p->settings->identity_asks_per_day),
                corr_identity_typed(p, "first_name"),
                corr_identity_typed(p, "last_name"),
                corr_identity_typed(p, "father_name"));

    return corr_db_send(p, corr_identity_asked);
}


static ngx_int_t
corr_identity_asked(corr_page_t *p)
{
    corr_str_t             verdict;
    corr_rows_t           *rows;
    corr_identity_page_t  *ctx = p->data;

    rows = corr_db_rows(p, ctx->has_birth_date ? 1 : 0);
    verdict = corr_rows_text(rows, 0, "verdict");

    if (corr_str_is(verdict, "ask")) {
        return corr_identity_check_step(p, rows);
    }

    if (corr_str_is(verdict, "wait")) {
        return corr_identity_wait(p, rows);
    }

    /*
     * done already, asked already, or the other step comes first: the page
     * shows it
     */

    return corr_str_is(verdict, "first")
           ? corr_reply_redirect(p, "/desk/identity")
           : corr_identity_redirect(p);
}


static ngx_int_t
corr_identity_wait(corr_page_t *p, corr_rows_t *rows)
{
    corr_view_t  *values;

    values = corr_view_create(&p->alloc);
    if (values == NULL) {
        return NGX_ERROR;
    }

    corr_view_int(values, "seconds", corr_rows_int(rows, 0, "wait"));
    corr_form_error(p, "", CORR_MSG_IDENTITY_WAIT, values);

    return corr_flow_again(p, 429);
}


static ngx_int_t
corr_identity_check_step(corr_page_t *p, corr_rows_t *rows)
{
    corr_identity_ask_t    ask;
    corr_identity_page_t  *ctx = p->data;

    ngx_memzero(&ask, sizeof(ask));

    ask.person = p->session.id;
    ask.step = corr_cstr(ctx->step);
    ask.national_code = corr_rows_text(rows, 0, "national_code");
    ask.mobile = corr_rows_text(rows, 0, "mobile");
    ask.birth_date = corr_rows_int(rows, 0, "birth_date");
    ask.address = corr_page_address(p);

    if (ctx->has_names) {
        ask.first_name = corr_form_value(p, "first_name");
        ask.last_name = corr_form_value(p, "last_name");
        ask.father_name = corr_form_value(p, "father_name");
    }

    ctx->check = corr_identity_check(p->worker->identity, &p->owner, &ask);
    if (ctx->check == NULL) {
        return NGX_ERROR;
    }

    return corr_flow_then(p, corr_identity_checked);
}


/* Whatever the answer, the page tells: it reads the steps anew. */

static ngx_int_t
corr_identity_checked(corr_page_t *p)
{
    corr_relay_wake(p->worker->relay);

    return corr_identity_redirect(p);
}


static ngx_int_t
corr_identity_redirect(corr_page_t *p)
{
    corr_identity_page_t  *ctx = p->data;

    return corr_reply_redirect(p, ngx_strcmp(ctx->step, "mobile") == 0
                                  ? "/desk/identity?asked=mobile"
                                  : "/desk/identity?asked=registry");
}
