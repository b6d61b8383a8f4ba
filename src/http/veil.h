/*
 * Links that open something by themselves: no log holds one that somebody
 * else could follow (ASVS 14.2.1).  The name of the route stands there.
 *
 * What nginx itself refuses never comes to our handler, and what it sends
 * elsewhere has no location of ours at all.  So they are known by their
 * beginning, before anything else looks at a request, in all servers of this
 * nginx; and once more before it is logged, for what nobody looked at.
 */

#ifndef CORR_VEIL_H
#define CORR_VEIL_H

#include "portal.h"


/* Of all veiled routes of these locations (corr_loc_conf_t *). */
ngx_int_t corr_veil_init(ngx_conf_t *cf, corr_veils_t *veils,
    ngx_array_t *locations);

/* For NGX_HTTP_POST_READ_PHASE: NGX_DECLINED. */
ngx_int_t corr_veil_handler(ngx_http_request_t *r);

/* One that was rewritten to a veiled route, and is known only now. */
void corr_veil_route(ngx_http_request_t *r, ngx_str_t *base,
    const corr_route_t *route);


#endif /* CORR_VEIL_H */
