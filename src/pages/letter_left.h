/*
 * A letter's form that came when its session was over: it is left behind
 * for an hour, and goes on when the same person has logged in again in the
 * same browser.
 */

#ifndef CORR_PAGES_LETTER_LEFT_H
#define CORR_PAGES_LETTER_LEFT_H

#include "letter_form.h"


/* Instead of the form's steps, when nobody is logged in. */
ngx_int_t corr_letter_leave(corr_page_t *p);

/* Asks Redis for it, beside the round trip of the form's page. */
void corr_letter_left_find(corr_page_t *p);

/*
 * When that ended: NGX_DECLINED, there is nothing; else the return value is
 * the step's, and the draft it became is the answer.
 */
ngx_int_t corr_letter_left_take(corr_page_t *p);


#endif /* CORR_PAGES_LETTER_LEFT_H */
