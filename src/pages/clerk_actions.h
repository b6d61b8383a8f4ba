/*
 * Pages of clerks that have several forms: a letter, a referral, a ticket.
 * What a form does is the last segment of the address it is sent to.
 */

#ifndef CORR_PAGES_CLERK_ACTIONS_H
#define CORR_PAGES_CLERK_ACTIONS_H

#include "shared.h"


#define CORR_KEY_RULE                                                         \
    { "submission_key", CORR_RULE_KEY, CORR_REQUIRED, 0, 0,                   \
      CORR_MSG_SUBMISSION_KEY_INVALID, CORR_MSG_SUBMISSION_KEY_INVALID, NULL }

#define CORR_NO_RULE                                                          \
    { NULL, 0, 0, 0, 0, 0, 0, NULL }


typedef struct {
    const char              *name;      /* last segment of the address */
    const char              *form;      /* at_form.NAME of the page */
    const char              *flash;     /* what is said when it was done */
    const corr_rule_t       *rules;
    ngx_int_t              (*send)(corr_page_t *p);
} corr_action_t;


/* Which of the table this request is; NULL: it shows the page. */
const corr_action_t *corr_action_find(corr_page_t *p,
    const corr_action_t *actions);

/*
 * A step's work: checks the form, sends what it asks for.  A text that the
 * rules call FORM_body may come as body.  A file that came with a refused form
 * is kept for its next showing.
 */
ngx_int_t corr_action_do(corr_page_t *p, const corr_action_t *actions);

/*
 * Into the view of the page: at_form.NAME and what was typed, the kept files
 * and the submission key.
 */
void corr_action_view(corr_page_t *p, const corr_action_t *actions);

/* Checked fields as parameters of a statement. */
corr_pg_param_t corr_action_key(corr_page_t *p);
corr_pg_param_t corr_action_text(corr_page_t *p, const char *name);

/* {id} of the address; 0 when it is no number. */
int64_t corr_param_id(corr_page_t *p);

/* A text from the request's pool, by ngx_sprintf's format; up to 1 KiB. */
corr_str_t corr_clerk_text(corr_page_t *p, const char *format, ...);

/* Rows of `column` as the list `name`, with is_current at the one shown. */
void corr_clerk_tabs(corr_page_t *p, const char *name, corr_rows_t *rows,
    const char *column, corr_str_t current);

/*
 * Keyset pages of a list: `rows` holds one row too many when there are more.
 * url is the list's address with its arguments, without the page.  Cuts the
 * rows to `shown` and puts pager into the view; the next page begins behind
 * `column` of the last row shown (a text or a number).
 */
void corr_clerk_pager(corr_page_t *p, corr_rows_t *rows, unsigned shown,
    corr_str_t url, const char *column);


#endif /* CORR_PAGES_CLERK_ACTIONS_H */
