/*
 * One letter as its sender sees it: for the page itself, and for the forms
 * on it that are shown again (thread.c).
 */

#ifndef CORR_PAGES_LETTER_PAGE_H
#define CORR_PAGES_LETTER_PAGE_H

#include "shared.h"


/*
 * Adds the statements of the letter {code} to the pipeline of a read, as
 * its first ones; the letter's own is number 0.
 */
void corr_letter_page_find(corr_page_t *p);

/* Puts their rows into the view.  NGX_DECLINED: there is no such letter. */
ngx_int_t corr_letter_page_show(corr_page_t *p);

/* The id of the last event among those rows; 0: there is none. */
int64_t corr_letter_page_last_event(corr_page_t *p);


#endif /* CORR_PAGES_LETTER_PAGE_H */
