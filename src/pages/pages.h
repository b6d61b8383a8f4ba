/*
 * The step lists of all pages, for routes.c: a list for showing, one for
 * doing, and what shows a refused form again.
 */

#ifndef CORR_PAGES_H
#define CORR_PAGES_H

#include "../http/portal.h"


/* home.c */
extern const corr_step_pt  corr_home_steps[];


#endif /* CORR_PAGES_H */
