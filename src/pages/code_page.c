#include "code_page.h"


#define CORR_CODE_PARAMS_MAX   8       /* of a statement that asks */


typedef struct {
    const char              *purpose;  /* as in services/codes.h */
    const char              *start;    /* all its addresses begin so */
    const char              *page;     /* where the code is typed */
    const char              *sent;     /* the same behind "send another" */
    const char              *gone;     /* nothing was asked for */
    const char              *field;    /* of the form that asks */
    ngx_uint_t               template;
    ngx_uint_t               verify;   /* statement */
    ngx_uint_t               verify_ends;   /* CORR_REVOKES or 0 */
    ngx_uint_t               guard;    /* of its pages: CORR_UNGUARDED or 0 */
    corr_step_pt             right;
} corr_code_page_t;


static const corr_code_page_t *corr_code_page(corr_page_t *p);
static ngx_int_t corr_code_find(corr_page_t *p);
static ngx_int_t corr_code_show(corr_page_t *p);
static ngx_int_t corr_code_resend(corr_page_t *p);
static ngx_int_t corr_code_asked(corr_page_t *p);
static ngx_int_t corr_code_resent(corr_page_t *p);
static ngx_int_t corr_code_send(corr_page_t *p, ngx_uint_t statement,
    ngx_uint_t nparams, const corr_pg_param_t *params, corr_step_pt then);
static ngx_int_t corr_code_sent(corr_page_t *p, const char *location,
    const char *field);
static ngx_int_t corr_code_judged(corr_page_t *p);
static void corr_code_wrong(corr_page_t *p, corr_rows_t *rows);


static const corr_code_page_t  corr_code_pages[] = {

    { "signup", "/signup", "/signup/code", "/signup/code?flash=code_sent",
      "/signup?gone=1", "",
      CORR_TPL_SIGNUP_CODE, CORR_SQL_SIGNUP_VERIFY, 0, CORR_UNGUARDED,
      corr_signup_code_right },

    { "login", "/login/code", "/login/code/verify",
      "/login/code/verify?flash=code_sent", "/login/code?gone=1", "mobile",
      CORR_TPL_LOGIN_CODE_VERIFY, CORR_SQL_LOGIN_CODE_VERIFY, 0,
      CORR_UNGUARDED,
      corr_login_code_right },

    /* a code that was confirmed already has opened the next page */

    { "recover", "/recover", "/recover/code", "/recover/code?flash=code_sent",
      "/recover/password", "",
      CORR_TPL_RECOVER_CODE, CORR_SQL_RECOVER_VERIFY, 0, CORR_UNGUARDED,
      corr_recover_code_right },

    /* both steps are one page, which asks again for "another code" */

    { "mobile", "/desk/profile/mobile", "/desk/profile/mobile?sent=1", NULL,
      "/desk/profile/mobile", "mobile",
      CORR_TPL_PROFILE_MOBILE, CORR_SQL_MOBILE_VERIFY, CORR_REVOKES, 0,
      corr_mobile_code_right },

    { NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, NULL }
};


static const corr_rule_t  corr_code_rules[] = {
    { "code", CORR_RULE_DIGITS, CORR_REQUIRED, CORR_CODE_DIGITS,
      CORR_CODE_DIGITS, CORR_MSG_CODE_REQUIRED, CORR_MSG_CODE_FORMAT, NULL },
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};


const corr_step_pt  corr_code_steps[] = {
    corr_page_captcha, corr_code_find, corr_code_show, NULL
};

const corr_step_pt  corr_code_verify_steps[] = {
    corr_code_verify, NULL
};

const corr_step_pt  corr_code_resend_steps[] = {
    corr_page_captcha_due, corr_page_captcha_check, corr_code_resend, NULL
};


/* The row of the page's route; a route without one would be our mistake. */

static const corr_code_page_t *
corr_code_page(corr_page_t *p)
{
    const corr_code_page_t  *row;

    for (row = corr_code_pages; row[1].purpose; row++) {
        if (ngx_strncmp(p->route->path.data, row->start,
                        ngx_strlen(row->start))
            == 0)
        {
            break;
        }
    }

    return row;
}


ngx_int_t
corr_code_gone(corr_page_t *p)
{
    if (corr_query(p, "gone").len == 0 || p->again) {
        return NGX_OK;
    }

    if (corr_session_cookie_value(p, "correspondence").len) {
        return corr_reply_redirect(p, "/desk");
    }

    corr_form_error(p, "", CORR_MSG_CODE_NONE, NULL);

    return NGX_OK;
}


static ngx_int_t
corr_code_find(corr_page_t *p)
{
    corr_db_begin(p, CORR_READ|corr_code_page(p)->guard);
    corr_code_state(p);

    return corr_db_send(p, NULL);
}


void
corr_code_state(corr_page_t *p)
{
    corr_db_add(p, CORR_SQL_CODE_STATE,
                corr_pg_text(corr_cstr(corr_code_page(p)->purpose)),
                corr_pg_text(corr_session_browser(p)),
                corr_page_limits(p));
}


static ngx_int_t
corr_code_show(corr_page_t *p)
{
    if (corr_code_state_show(p, corr_db_rows(p, 0)) != NGX_OK) {
        return corr_reply_redirect(p, "%s", corr_code_page(p)->gone);
    }

    return corr_reply_page(p, corr_code_page(p)->template);
}


ngx_int_t
corr_code_state_show(corr_page_t *p, corr_rows_t *rows)
{
    corr_value_t  value;

    if (rows->nrows == 0) {
        return NGX_DECLINED;
    }

    corr_view_text(p->view, "mobile_masked",
                   corr_page_mask(p, corr_rows_text(rows, 0, "mobile")));

    value = corr_rows_get(rows, 0, "expires_at");
    corr_view_value(p->view, "expires_at", value);

    value = corr_rows_get(rows, 0, "resend");
    corr_view_value(p->view, "resend_seconds", value);

    corr_form_view(p, corr_code_rules);
    corr_view_text(corr_view_object(corr_view_object(p->view, "form"),
                                    "code"),
                   "value", CORR_STR(""));

    return NGX_OK;
}


ngx_int_t
corr_code_ask_params(corr_page_t *p, ngx_uint_t statement,
    ngx_uint_t nparams, const corr_pg_param_t *params)
{
    return corr_code_send(p, statement, nparams, params, corr_code_asked);
}


static ngx_int_t
corr_code_asked(corr_page_t *p)
{
    return corr_code_sent(p, corr_code_page(p)->page,
                          corr_code_page(p)->field);
}


static ngx_int_t
corr_code_resend(corr_page_t *p)
{
    corr_pg_param_t  purpose;

    purpose = corr_pg_text(corr_cstr(corr_code_page(p)->purpose));

    return corr_code_send(p, CORR_SQL_CODE_RESEND, 1, &purpose,
                          corr_code_resent);
}


static ngx_int_t
corr_code_resent(corr_page_t *p)
{
    return corr_code_sent(p, corr_code_page(p)->sent, "");
}


static ngx_int_t
corr_code_send(corr_page_t *p, ngx_uint_t statement, ngx_uint_t nparams,
    const corr_pg_param_t *params, corr_step_pt then)
{
    ngx_uint_t               n;
    corr_code_t              code;
    corr_pg_param_t          all[CORR_CODE_PARAMS_MAX];
    const corr_code_page_t  *page = corr_code_page(p);

    if (nparams + 5 > CORR_CODE_PARAMS_MAX
        || corr_code_make(&p->alloc, p->settings->secrets, page->purpose,
                          corr_session_browser(p), &code)
           != CORR_OK)
    {
        return NGX_ERROR;
    }

    for (n = 0; n < nparams; n++) {
        all[n] = params[n];
    }

    all[n++] = corr_pg_text(corr_session_browser(p));
    all[n++] = corr_pg_text(corr_page_address(p));
    all[n++] = corr_pg_bytes(code.hash);
    all[n++] = corr_pg_bytes(code.secret);
    all[n++] = corr_page_limits(p);

    corr_db_begin(p, CORR_WRITE_ONCE|page->guard);
    corr_db_add_params(p, statement, n, all);

    return corr_db_send(p, then);
}


static ngx_int_t
corr_code_sent(corr_page_t *p, const char *location, const char *field)
{
    int64_t       wait;
    corr_str_t    verdict;
    corr_rows_t  *rows;
    corr_view_t  *values;

    rows = corr_db_rows(p, 0);
    verdict = corr_rows_text(rows, 0, "verdict");

    corr_captcha_blame(p);

    if (corr_str_is(verdict, "sent")) {
        corr_relay_wake_code(p->worker->relay);
        return corr_reply_redirect(p, "%s", location);
    }

    if (corr_str_is(verdict, "none")) {
        return corr_reply_redirect(p, "%s", corr_code_page(p)->gone);
    }

    wait = corr_rows_int(rows, 0, "wait");

    values = corr_view_create(&p->alloc);
    if (values == NULL) {
        return NGX_ERROR;
    }

    corr_view_int(values, "seconds", wait);

    corr_form_error(p, field,
                    corr_str_is(verdict, "full") ? CORR_MSG_CODE_FULL
                                                 : CORR_MSG_CODE_WAIT,
                    values);

    return corr_flow_again(p, 429);
}


/* Whoever is logged in has the address in the guard already. */

ngx_int_t
corr_code_verify(corr_page_t *p)
{
    corr_str_t               hashes;
    corr_pg_param_t          params[4];
    const corr_code_page_t  *page = corr_code_page(p);

    if (corr_form_check(p, corr_code_rules) != NGX_OK) {
        return NGX_ERROR;
    }

    if (p->failed_form) {
        return corr_flow_again(p, 422);
    }

    if (corr_code_hashes(&p->alloc, p->settings->secrets, page->purpose,
                         corr_session_browser(p),
                         corr_form_value(p, "code"), &hashes)
        != CORR_OK)
    {
        return NGX_ERROR;
    }

    params[0] = corr_pg_text(corr_session_browser(p));
    params[1] = corr_pg_bytes(hashes);
    params[2] = corr_page_limits(p);
    params[3] = corr_pg_text(corr_page_address(p));

    corr_db_begin(p, CORR_WRITE_ONCE|page->guard|page->verify_ends);
    corr_db_add_params(p, page->verify, page->guard ? 4 : 3, params);

    return corr_db_send(p, corr_code_judged);
}


static ngx_int_t
corr_code_judged(corr_page_t *p)
{
    corr_str_t    verdict;
    corr_rows_t  *rows;

    rows = corr_db_rows(p, 0);
    verdict = corr_rows_text(rows, 0, "verdict");

    if (corr_str_is(verdict, "wrong")) {
        corr_code_wrong(p, rows);
        return corr_flow_again(p, 422);
    }

    if (corr_str_is(verdict, "expired")) {
        corr_form_error(p, "code", CORR_MSG_CODE_EXPIRED, NULL);
        return corr_flow_again(p, 422);
    }

    /* nobody is to blame for it any more */

    corr_page_about(p);
    corr_captcha_forgive(p);

    return corr_code_page(p)->right(p);
}


static void
corr_code_wrong(corr_page_t *p, corr_rows_t *rows)
{
    int64_t       left;
    corr_view_t  *values;

    corr_page_about(p);
    corr_captcha_blame(p);

    corr_counters_refused(p);

    left = corr_rows_int(rows, 0, "tries_left");
    values = corr_view_create(&p->alloc);

    if (values) {
        corr_view_int(values, "tries", left);
        corr_view_int(values, "tries_left", left);
    }

    corr_form_error(p, "code", left > 0 ? CORR_MSG_CODE_WRONG
                                        : CORR_MSG_CODE_WRONG_LAST,
                    values);
}
