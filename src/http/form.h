/*
 * Fields of forms and queries: found, normalised, checked by a table.
 *
 * A page states its fields once; checking fills the errors, and the same
 * table tells the template what was typed.
 *
 *     static const corr_rule_t  signup_rules[] = {
 *         { "national_code", CORR_RULE_NATIONAL_CODE, CORR_REQUIRED, 0, 0,
 *           CORR_MSG_NATIONAL_CODE_REQUIRED, CORR_MSG_NATIONAL_CODE_WRONG },
 *         …
 *         { NULL }
 *     };
 */

#ifndef CORR_FORM_H
#define CORR_FORM_H

#include "portal.h"


typedef enum {
    CORR_RULE_LINE = 0,       /* one line of text, folded for storing */
    CORR_RULE_TEXT,           /* several lines, folded for storing */
    CORR_RULE_RAW,            /* as typed: passwords; never shown again */
    CORR_RULE_DIGITS,         /* digits of any family, blanks dropped;
                                 min and max are their number */
    CORR_RULE_NUMBER,         /* an integer; min and max its range */
    CORR_RULE_NATIONAL_CODE,
    CORR_RULE_LEGAL_ID,
    CORR_RULE_MOBILE,
    CORR_RULE_POSTAL_CODE,
    CORR_RULE_PHONE,
    CORR_RULE_EMAIL,
    CORR_RULE_KEY,            /* submission_key: 16..64 of [A-Za-z0-9_-] */
    CORR_RULE_CHOICE,         /* one of `choices`, separated by blanks */
    CORR_RULE_FLAG            /* present: 1 */
} corr_rule_e;


#define CORR_OPTIONAL   0
#define CORR_REQUIRED   1


typedef struct {
    const char              *name;
    corr_rule_e              kind;
    ngx_uint_t               required;
    ngx_int_t                min;          /* characters, digits or value */
    ngx_int_t                max;
    ngx_int_t                missing;      /* CORR_MSG_… */
    ngx_int_t                wrong;
    const char              *choices;
} corr_rule_t;


/* What was sent, as typed; an empty string when it was not. */
corr_str_t corr_form_raw(corr_page_t *p, const char *name);

/* All values of a field that may repeat (unit…), one call each. */
corr_str_t corr_form_nth(corr_page_t *p, const char *name, ngx_uint_t n);

/* The same of the query string. */
corr_str_t corr_query(corr_page_t *p, const char *name);
int64_t corr_query_int(corr_page_t *p, const char *name, int64_t otherwise);

/*
 * Checks all fields by the table.  Errors go to the view; p->failed_form is
 * set when there was one.  Returns NGX_OK, or NGX_ERROR without memory.
 */
ngx_int_t corr_form_check(corr_page_t *p, const corr_rule_t *rules);

/* The value after checking: normalised.  Empty when missing or refused. */
corr_str_t corr_form_value(corr_page_t *p, const char *name);
int64_t corr_form_int(corr_page_t *p, const char *name);

/*
 * An error at a field (or "" for the whole form): shown at the field and
 * in the summary.  field is a literal or lives in the request's pool.  values
 * may be NULL, or fill the message's {{names}}.
 */
void corr_form_error(corr_page_t *p, const char *field, ngx_uint_t message,
    corr_view_t *values);

/*
 * Files and captchas are judged before the fields that stand above them:
 * their errors go to the end of the summary, where they stand on the page.
 */
void corr_form_errors_sort(corr_page_t *p);

/*
 * Puts form.NAME {name value error} into the view for each rule, with what
 * was typed; values already there (set by corr_form_fill) stay.
 */
void corr_form_view(corr_page_t *p, const corr_rule_t *rules);

/* The value a field shows when nothing was typed (editing a profile). */
void corr_form_fill(corr_page_t *p, const char *name, corr_str_t value);

/* Is s one of the words, which are separated by blanks? */
int corr_form_choice_is(const char *choices, corr_str_t s);

/* submission_key for a fresh form: as sent, or a new random one. */
void corr_form_key(corr_page_t *p);

/* Was this key made by corr_form_key() for whoever is logged in? */
ngx_uint_t corr_form_key_ours(corr_page_t *p, corr_str_t key);


#endif /* CORR_FORM_H */
