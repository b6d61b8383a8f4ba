/*
 * What a clerk has written of a reply and not sent.  It is kept for them with
 * the letter: by the page's script while they write, by a button, and when the
 * reply came after the session had ended.
 */

#ifndef CORR_PAGES_CLERK_DRAFTS_H
#define CORR_PAGES_CLERK_DRAFTS_H

#include "clerk_actions.h"


/* The fields of POST …/draft, and what its action sends. */
extern const corr_rule_t  corr_reply_draft_rules[];
ngx_int_t corr_reply_draft_save(corr_page_t *p);

/* Instead of the reply's steps, when nobody is logged in. */
ngx_int_t corr_reply_leave(corr_page_t *p);

/*
 * When the letter's page has its rows: NGX_DECLINED, nothing of this letter
 * was left; else the return value is the step's.  left is what
 * corr_reply_left_find() gave, asked beside the page's round trip.
 */
corr_redis_op_t *corr_reply_left_find(corr_page_t *p);
ngx_int_t corr_reply_left_take(corr_page_t *p, corr_redis_op_t *left);


#endif /* CORR_PAGES_CLERK_DRAFTS_H */
