/*
 * Every address of the portal.  Reading this is knowing it.
 *
 * A route: method, path, who may, the steps of its page, and the steps that
 * show its form again when the input was refused.  Before its first step
 * the driver has seen to the session, the form and its CSRF token; with its
 * first round trip the guard has seen to the account.
 */

#include "routes.h"

#include "pages/pages.h"


#define corr_get(path, who, steps)                                            \
    { CORR_GET, ngx_string(path), who, steps, NULL }

#define corr_post(path, who, steps, again)                                    \
    { CORR_POST, ngx_string(path), who, steps, again }

#define corr_end  { 0, ngx_null_string, 0, NULL, NULL }


const corr_route_t  corr_citizen_routes[] = {

    corr_get("/", CORR_ANYONE, corr_home_steps),

    corr_end
};


const corr_route_t  corr_clerk_routes[] = {

    corr_end
};
