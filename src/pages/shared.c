#include "shared.h"

#include "../http/throttle.h"
#include "../lib/escape.h"
#include "../lib/encode.h"
#include "../lib/escape.h"
#include "../lib/ids.h"
#include "../lib/jalali.h"


#define CORR_AGE_MAX         120         /* years of a person's life */

#define CORR_CARRY_MAX       128         /* bytes of the text */
#define CORR_CARRY_LIFE      600         /* seconds */
#define CORR_CARRY_COOKIE    "correspondence-carry"


static corr_str_t corr_page_url(corr_page_t *p, const char *path,
    int64_t page);
static ngx_int_t corr_page_birth_error(corr_page_t *p, const char *field,
    ngx_uint_t message, int64_t year);
static ngx_int_t corr_page_go_on(corr_page_t *p);
static ngx_int_t corr_page_captcha_issue(corr_page_t *p);
static ngx_int_t corr_page_captcha_checked(corr_page_t *p);


const corr_rule_t  corr_code_rules[] = {
    { "code", CORR_RULE_DIGITS, CORR_REQUIRED, CORR_CODE_DIGITS,
      CORR_CODE_DIGITS, CORR_MSG_CODE_REQUIRED, CORR_MSG_CODE_FORMAT, NULL },
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};


corr_str_t
corr_page_address(corr_page_t *p)
{
    return corr_from_ngx(p->request->connection->addr_text);
}


corr_str_t
corr_page_mask(corr_page_t *p, corr_str_t mobile)
{
    u_char      *text, *last;
    corr_str_t   first, end, none = corr_null_str;

    if (corr_mobile_mask(mobile, &first, &end) != CORR_OK) {
        return none;
    }

    text = ngx_pnalloc(p->pool, mobile.len + 9);
    if (text == NULL) {
        return none;
    }

    /* three bullets, U+2022 */

    last = ngx_sprintf(text, "%*s\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2%*s",
                       first.len, first.data, end.len, end.data);

    return corr_make_str(text, last - text);
}


corr_str_t
corr_page_date(corr_page_t *p, int64_t days)
{
    u_char       *text, *last;
    corr_str_t    none = corr_null_str;
    corr_date_t   date;

    text = ngx_pnalloc(p->pool, sizeof("9999-12-31"));

    if (text == NULL
        || corr_gregorian_from_days(days, &date) != CORR_OK)
    {
        return none;
    }

    last = ngx_sprintf(text, "%04d-%02d-%02d", date.year, date.month,
                       date.day);

    return corr_make_str(text, last - text);
}


void
corr_page_pager(corr_page_t *p, const char *path, int64_t page,
    int64_t total, int64_t per_page)
{
    int64_t       pages;
    corr_view_t  *pager;

    pages = (total + per_page - 1) / per_page;

    if (pages < 2) {
        return;
    }

    pager = corr_view_object(p->view, "pager");

    corr_view_int(pager, "page", page);
    corr_view_int(pager, "pages", pages);

    if (page > 1) {
        corr_view_text(pager, "previous_url",
                       corr_page_url(p, path, page - 1));
    }

    if (page < pages) {
        corr_view_text(pager, "next_url", corr_page_url(p, path, page + 1));
    }
}


static corr_str_t
corr_page_url(corr_page_t *p, const char *path, int64_t page)
{
    u_char      *url, *last;
    corr_str_t   none = corr_null_str;

    url = ngx_pnalloc(p->pool, ngx_strlen(path) + NGX_INT64_LEN);
    if (url == NULL) {
        return none;
    }

    last = ngx_sprintf(url, "%s%L", path, page);

    return corr_make_str(url, last - url);
}


/*
 * Errors elsewhere in the form do not hide one here: people should not be
 * told piece by piece.
 */

ngx_int_t
corr_page_birth_date(corr_page_t *p, int64_t *days)
{
    int64_t      today;
    corr_date_t  date;

    date.year = (int) corr_form_int(p, "birth_year");
    date.month = (int) corr_form_int(p, "birth_month");
    date.day = (int) corr_form_int(p, "birth_day");

    if (date.year == 0 || date.month == 0 || date.day == 0) {
        return NGX_DECLINED;
    }

    if (date.year >= 1900 && date.year <= 2100) {
        return corr_page_birth_error(p, "birth_year",
                                     CORR_MSG_BIRTH_YEAR_GREGORIAN,
                                     date.year);
    }

    if (date.year < CORR_JALALI_FIRST || date.year > CORR_JALALI_LAST) {
        return corr_page_birth_error(p, "birth_year",
                                     CORR_MSG_BIRTH_YEAR_WRONG, date.year);
    }

    if (corr_jalali_to_days(date, days) != CORR_OK) {
        return corr_page_birth_error(p, "birth_day",
                                     date.month == 12 && date.day == 30
                                     ? CORR_MSG_BIRTH_DATE_LEAP
                                     : CORR_MSG_BIRTH_DATE_UNREAL,
                                     date.year);
    }

    today = corr_local_day((int64_t) ngx_time() * CORR_USEC,
                           CORR_TEHRAN_OFFSET);

    if (*days > today) {
        return corr_page_birth_error(p, "birth_year",
                                     CORR_MSG_BIRTH_DATE_FUTURE, date.year);
    }

    if (today - *days > CORR_AGE_MAX * 1461 / 4) {
        return corr_page_birth_error(p, "birth_year",
                                     CORR_MSG_BIRTH_DATE_TOO_OLD, date.year);
    }

    return p->failed_form ? NGX_DECLINED : NGX_OK;
}


static ngx_int_t
corr_page_birth_error(corr_page_t *p, const char *field, ngx_uint_t message,
    int64_t year)
{
    u_char       *text, *last;
    corr_view_t  *values;

    values = corr_view_create(&p->alloc);
    text = ngx_pnalloc(p->pool, 2 * NGX_INT64_LEN);

    if (values == NULL || text == NULL) {
        return NGX_ERROR;
    }

    /* as text: a year is not grouped */

    last = ngx_sprintf(text, "%L", year);
    corr_view_text(values, "year", corr_make_str(text, last - text));

    text = last;
    last = ngx_sprintf(text, "%L", year - 621);
    corr_view_text(values, "jalali_year", corr_make_str(text, last - text));

    corr_form_error(p, field, message, values);

    return NGX_DECLINED;
}


static ngx_int_t
corr_page_go_on(corr_page_t *p)
{
    (void) p;

    return NGX_OK;
}


ngx_int_t
corr_page_login_rate(corr_page_t *p)
{
    return corr_throttle(p, "login", p->settings->login_rate,
                         corr_page_go_on);
}


ngx_int_t
corr_page_captcha(corr_page_t *p)
{
    return corr_captcha_due(p, corr_page_captcha_issue);
}


static ngx_int_t
corr_page_captcha_issue(corr_page_t *p)
{
    if (p->captcha_due) {
        corr_captcha_issue(p);
    }

    return NGX_OK;
}


ngx_int_t
corr_page_captcha_due(corr_page_t *p)
{
    return corr_captcha_due(p, corr_page_go_on);
}


ngx_int_t
corr_page_captcha_check(corr_page_t *p)
{
    if (!p->captcha_due) {
        return NGX_OK;
    }

    if (corr_captcha_new_wanted(p)) {
        return corr_flow_again(p, NGX_HTTP_OK);
    }

    return corr_captcha_check(p, corr_page_captcha_checked);
}


static ngx_int_t
corr_page_captcha_checked(corr_page_t *p)
{
    return p->failed_form ? corr_flow_again(p, 422) : NGX_OK;
}


ngx_int_t
corr_code_requested(corr_page_t *p, const char *location, const char *field)
{
    int64_t       wait;
    corr_str_t    verdict;
    corr_rows_t  *rows;
    corr_view_t  *values;

    rows = corr_db_rows(p, 0);
    verdict = corr_rows_text(rows, 0, "verdict");

    corr_captcha_blame(p);

    if (corr_str_is(verdict, "sent")) {
        corr_relay_wake(p->worker->relay);
        return corr_reply_redirect(p, location);
    }

    if (corr_str_is(verdict, "none")) {
        return corr_reply_redirect(p, "/login/code?gone=1");
    }

    wait = corr_rows_int(rows, 0, "wait");

    values = corr_view_create(&p->alloc);
    if (values == NULL) {
        return NGX_ERROR;
    }

    corr_view_int(values, "seconds", wait);
    corr_view_int(p->view, "wait_seconds", wait);

    corr_form_error(p, field,
                    corr_str_is(verdict, "full") ? CORR_MSG_CODE_NOT_SENT
                                                 : CORR_MSG_CODE_WAIT,
                    values);

    return corr_flow_again(p, 429);
}


ngx_int_t
corr_code_resend(corr_page_t *p, const char *purpose, corr_step_pt then)
{
    corr_code_t  code;

    if (corr_code_make(&p->alloc, p->settings->secrets, purpose, p->browser,
                       &code)
        != CORR_OK)
    {
        return NGX_ERROR;
    }

    corr_db_begin(p, CORR_WRITE_ONCE|CORR_UNGUARDED);

    corr_db_add(p, CORR_SQL_CODE_RESEND, corr_pg_text(corr_cstr(purpose)),
                corr_pg_text(p->browser),
                corr_pg_text(corr_page_address(p)),
                corr_pg_bytes(code.hash), corr_pg_bytes(code.secret),
                corr_pg_text(corr_code_limits(&p->alloc, p->settings)));

    return corr_db_send(p, then);
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


void
corr_code_state(corr_page_t *p, const char *purpose)
{
    corr_db_add(p, CORR_SQL_CODE_STATE,
                corr_pg_text(corr_cstr(purpose)), corr_pg_text(p->browser),
                corr_pg_text(corr_code_limits(&p->alloc, p->settings)));
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


corr_str_t
corr_code_typed(corr_page_t *p, const char *purpose)
{
    corr_str_t  hash, none = corr_null_str;

    if (corr_form_check(p, corr_code_rules) != NGX_OK || p->failed_form
        || corr_code_hash(&p->alloc, p->settings->secrets, purpose,
                          p->browser, corr_form_value(p, "code"), &hash)
           != CORR_OK)
    {
        return none;
    }

    return hash;
}


void
corr_code_refused(corr_page_t *p, corr_rows_t *rows)
{
    int64_t       left;
    corr_view_t  *values;

    if (!corr_str_is(corr_rows_text(rows, 0, "verdict"), "wrong")) {
        corr_form_error(p, "code", CORR_MSG_CODE_EXPIRED, NULL);
        return;
    }

    corr_captcha_blame(p);

    corr_counters_add(p->worker, CORR_COUNT_SIGNIN_REFUSED, 1);

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


void
corr_code_confirmed(corr_page_t *p)
{
    corr_captcha_forgive(p);
}


/* "TIME TEXT", so that an old cookie says nothing. */

ngx_int_t
corr_carry_set(corr_page_t *p, corr_str_t text)
{
    size_t       len;
    u_char      *value, *last;
    u_char       plain[CORR_CARRY_MAX + NGX_TIME_T_LEN + 1];
    u_char       sealed[sizeof(plain) + CORR_SECRETS_OVERHEAD];

    if (text.len > CORR_CARRY_MAX) {
        return NGX_ERROR;
    }

    last = ngx_sprintf(plain, "%T %*s", ngx_time(), text.len, text.data);

    len = corr_secrets_encrypt(p->settings->secrets, CORR_KEY_FLOW,
                               p->browser,
                               corr_make_str(plain, last - plain), sealed);

    value = ngx_pnalloc(p->pool, corr_base64url_len(len));
    if (value == NULL) {
        return NGX_ERROR;
    }

    last = corr_base64url_encode(value, corr_make_str(sealed, len));

    return corr_reply_cookie(p, CORR_CARRY_COOKIE,
                             corr_make_str(value, last - value),
                             CORR_CARRY_LIFE);
}


corr_str_t
corr_carry_get(corr_page_t *p)
{
    size_t       len;
    u_char      *sp, *plain;
    u_char       sealed[CORR_CARRY_MAX + NGX_TIME_T_LEN + 1
                        + CORR_SECRETS_OVERHEAD];
    time_t       made;
    corr_str_t   value, none = corr_null_str;

    plain = ngx_pnalloc(p->pool, sizeof(sealed));
    if (plain == NULL) {
        return none;
    }

    value = corr_session_cookie_value(p, CORR_CARRY_COOKIE);

    if (value.len == 0
        || corr_base64url_decode(value, sealed, sizeof(sealed), &len)
           != CORR_OK
        || corr_secrets_decrypt(p->settings->secrets, CORR_KEY_FLOW,
                                p->browser, corr_make_str(sealed, len),
                                plain, &len)
           != CORR_OK)
    {
        return none;
    }

    sp = ngx_strlchr(plain, plain + len, ' ');
    if (sp == NULL) {
        return none;
    }

    made = ngx_atotm(plain, sp - plain);

    if (made == (time_t) NGX_ERROR || ngx_time() - made > CORR_CARRY_LIFE) {
        return none;
    }

    return corr_make_str(sp + 1, plain + len - sp - 1);
}


void
corr_carry_clear(corr_page_t *p)
{
    corr_str_t  none = corr_null_str;

    (void) corr_reply_cookie(p, CORR_CARRY_COOKIE, none, 0);
}


corr_str_t
corr_next(corr_page_t *p)
{
    corr_str_t  next, none = corr_null_str;

    next = corr_fields_get(p->route->method == CORR_POST ? &p->fields
                                                         : &p->args,
                           "next");

    return corr_path_local(next) ? next : none;
}


void
corr_next_show(corr_page_t *p)
{
    corr_str_t  next;

    next = corr_next(p);

    if (next.len) {
        corr_view_text(p->view, "next", next);
    }

    if (corr_query(p, "ended").len && !p->again) {
        corr_view_text(p->view, "flash",
                       corr_texts_message(p->settings->texts,
                                          CORR_MSG_SESSION_ENDED, NULL,
                                          p->pool));
    }
}
