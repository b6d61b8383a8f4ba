/*
 * Finds the route of a request in its location's table.
 */

#ifndef CORR_ROUTER_H
#define CORR_ROUTER_H

#include "portal.h"


/*
 * Sets p->path, p->route and p->params.  NGX_DECLINED: there is none; then
 * corr_router_nowhere are the steps to run.
 */
ngx_int_t corr_router_find(corr_page_t *p);

/* 404, 405 with Allow, or an asset of html/assets. */
extern const corr_step_pt  corr_router_nowhere[];


#endif /* CORR_ROUTER_H */
