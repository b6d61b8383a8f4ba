/*
 * What several pages do the same way.
 */

#ifndef CORR_PAGES_SHARED_H
#define CORR_PAGES_SHARED_H

#include "pages.h"

#include "../http/counters.h"
#include "../http/captcha.h"
#include "../http/db.h"
#include "../http/flow.h"
#include "../http/form.h"
#include "../http/reply.h"
#include "../http/session.h"
#include "../services/codes.h"
#include "../services/relay.h"
#include "../services/texts.h"


/* The address of the browser, as statements take it. */
corr_str_t corr_page_address(corr_page_t *p);

/* The directives about limits, as statements take them. */
corr_pg_param_t corr_page_limits(corr_page_t *p);

/* 0912•••4567, of a stored mobile; the template chooses the digits. */
corr_str_t corr_page_mask(corr_page_t *p, corr_str_t mobile);

/* A Jalali date as text for a statement: 2025-11-22. */
corr_str_t corr_page_date(corr_page_t *p, int64_t days);


/*
 * `pager` of a list with `total` rows, when it has more than one page.
 * path: "/desk/letters?page=", to which the number is added.
 */
void corr_page_pager(corr_page_t *p, const char *path, int64_t page,
    int64_t total, int64_t per_page);


/*
 * birth_day, birth_month, birth_year: rules for corr_form_check(), and the
 * date they make.  Errors stand at the field that is wrong.
 */
#define CORR_BIRTH_RULES                                                      \
    { "birth_day", CORR_RULE_NUMBER, CORR_REQUIRED, 1, 31,                    \
      CORR_MSG_BIRTH_DAY_REQUIRED, CORR_MSG_BIRTH_DAY_WRONG, NULL },          \
    { "birth_month", CORR_RULE_NUMBER, CORR_REQUIRED, 1, 12,                  \
      CORR_MSG_BIRTH_MONTH_REQUIRED, CORR_MSG_BIRTH_MONTH_WRONG, NULL },      \
    { "birth_year", CORR_RULE_NUMBER, CORR_REQUIRED, 1, 9999,                 \
      CORR_MSG_BIRTH_YEAR_REQUIRED, CORR_MSG_BIRTH_YEAR_WRONG, NULL }

ngx_int_t corr_page_birth_date(corr_page_t *p, int64_t *days);


/*
 * The captcha of people who are not logged in, as steps: of a list that
 * shows a form, and of one that takes it (due first, check when the rest of
 * the form is right, since an answer is good for once).
 */
void corr_page_about(corr_page_t *p);      /* called by the steps */
ngx_int_t corr_page_captcha(corr_page_t *p);
ngx_int_t corr_page_captcha_due(corr_page_t *p);
ngx_int_t corr_page_captcha_check(corr_page_t *p);

/* A step: so many log-ins of an address in a minute. */
ngx_int_t corr_page_login_rate(corr_page_t *p);

/*
 * A step: so many changes of a person in an hour, where nothing else limits
 * them and each leaves a line in the audit.
 */
ngx_int_t corr_page_change_rate(corr_page_t *p);


/*
 * new_password: NGX_OK, or an error at the field.  words: what everybody who
 * knows the person would try.
 */
ngx_int_t corr_new_password_check(corr_page_t *p, const corr_str_t *words,
    size_t nwords);

extern const corr_rule_t  corr_new_password_rules[];


/* clerk_login.c: the code of an authenticator typed in `code`. */
ngx_uint_t corr_totp_typed(corr_page_t *p, corr_rows_t *rows, int64_t *step);


/*
 * Where a log-in leads: `next` of its address or form, when it is a path of
 * this location; empty: nowhere in particular.
 */
corr_str_t corr_next(corr_page_t *p);

/* On the page of a log-in: next, and whether a session has ended. */
void corr_next_show(corr_page_t *p);


/*
 * A text that one page of somebody who is not logged in hands to the next:
 * encrypted in a cookie, bound to the browser, good for ten minutes.
 */
ngx_int_t corr_carry_set(corr_page_t *p, corr_str_t text);
corr_str_t corr_carry_get(corr_page_t *p);      /* empty: there is none */
void corr_carry_clear(corr_page_t *p);


#endif /* CORR_PAGES_SHARED_H */
