#include "shared.h"

#include "../http/throttle.h"
#include "../lib/digits.h"
#include "../lib/encode.h"
#include "../lib/escape.h"
#include "../lib/ids.h"
#include "../lib/jalali.h"


#define CORR_AGE_MAX         120         /* years of a person's life */

#define CORR_CARRY_MAX       600         /* bytes of the text */
#define CORR_CARRY_LIFE      600         /* seconds */
#define CORR_CARRY_COOKIE    "correspondence-carry"


static corr_str_t corr_page_url(corr_page_t *p, const char *path,
    int64_t page);
static ngx_int_t corr_page_birth_error(corr_page_t *p, const char *field,
    ngx_uint_t message, int64_t year);
static ngx_int_t corr_page_go_on(corr_page_t *p);
static ngx_int_t corr_page_changed(corr_page_t *p);
static ngx_int_t corr_page_captcha_issue(corr_page_t *p);
static ngx_int_t corr_page_captcha_checked(corr_page_t *p);


corr_str_t
corr_page_address(corr_page_t *p)
{
    return corr_from_ngx(p->request->connection->addr_text);
}


corr_pg_param_t
corr_page_limits(corr_page_t *p)
{
    return corr_pg_text(corr_from_ngx(p->settings->limits));
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
corr_page_change_rate(corr_page_t *p)
{
    return corr_throttle_amount(p, "changes", 1, 3600,
                                p->settings->changes_per_hour,
                                corr_page_changed);
}


static ngx_int_t
corr_page_changed(corr_page_t *p)
{
    if (corr_throttle_over(p)) {
        return corr_reply_error(p, 429, CORR_MSG_TOO_OFTEN,
                                3600 - ngx_time() % 3600, NULL);
    }

    return NGX_OK;
}


/*
 * The number that is tried: of the form, or handed on by the page before.
 * Whether anybody has it makes no difference.
 */

void
corr_page_about(corr_page_t *p)
{
    corr_str_t  number;

    number = corr_form_raw(p, "national_code");

    if (number.len == 0) {
        number = corr_form_raw(p, "tracking_code");
    }

    if (number.len == 0) {
        number = corr_carry_get(p);
        number.len = ngx_min(number.len, CORR_NATIONAL_CODE_LEN);
    }

    if (number.len && number.len <= CORR_CARRY_MAX) {
        p->captcha_about = corr_digits_clean(&p->alloc, number);
    }
}


ngx_int_t
corr_page_captcha(corr_page_t *p)
{
    corr_page_about(p);

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
    corr_page_about(p);

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
                               corr_session_browser(p),
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
                                corr_session_browser(p),
                                corr_make_str(sealed, len), plain, &len)
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

    return next.len <= CORR_NEXT_MAX && corr_path_local(next) ? next : none;
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
        corr_reply_flash(p, CORR_MSG_SESSION_ENDED);
    }
}
