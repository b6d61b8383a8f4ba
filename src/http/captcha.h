/*
 * The security code of a form: issued with the page, answered with the form,
 * good for one answer, right or wrong.
 *
 *     corr_captcha_issue(p);                        shows one
 *     return corr_captcha_check(p, letter_checked); takes its answer
 *
 * The letter form asks for it unless the directive says off; forms of
 * people who are not logged in ask once their address misbehaved, or much was
 * tried about the number they name from anywhere (or always, if the directive
 * says so):
 *
 *     p->captcha_about = national_code;             when one is known
 *     return corr_captcha_due(p, track_show);       then p->captcha_due
 */

#ifndef CORR_HTTP_CAPTCHA_H
#define CORR_HTTP_CAPTCHA_H

#include "portal.h"


#define CORR_CAPTCHA_FILES  4    /* how often captcha_rate in a minute an
                                   address has pictures and sounds */

/* Does the letter form ask for it? */
#define corr_captcha_on(p)  ((p)->settings->captcha != 0)

/* The button for another picture was pressed: captcha_new. */
ngx_uint_t corr_captcha_new_wanted(corr_page_t *p);

/*
 * Puts captcha.id of a new one into the view, and notes it in Redis beside
 * whatever the page does next.  Without memory there is none in the view; one
 * that is more than an address may have in a minute is never right.
 */
void corr_captcha_issue(corr_page_t *p);

/*
 * Takes the form's captcha_id and captcha.  `then` runs when it is known
 * whether they are right; if not, the error stands at the field `captcha`
 * and p->failed_form is set.  503 when Redis does not answer.
 */
ngx_int_t corr_captcha_check(corr_page_t *p, corr_step_pt then);

/*
 * `then` runs when p->captcha_due says whether this form has to answer
 * one.  Redis away: nobody has to (a captcha could not be checked either).
 */
ngx_int_t corr_captcha_due(corr_page_t *p, corr_step_pt then);

/*
 * Counts a fault of this address and about this number: a wrong answer, a
 * guess.  For an hour.
 */
void corr_captcha_blame(corr_page_t *p);

/* Takes one back: what was suspected turned out well. */
void corr_captcha_forgive(corr_page_t *p);


#endif /* CORR_HTTP_CAPTCHA_H */
