/*
 * For machines: is the portal alive, can it work, and its figures.
 */

#ifndef CORR_HEALTH_H
#define CORR_HEALTH_H

#include "../http/portal.h"


/* Content handlers of "correspondence health" and "… metrics". */
ngx_int_t corr_health_handler(ngx_http_request_t *r);
ngx_int_t corr_metrics_handler(ngx_http_request_t *r);


#endif /* CORR_HEALTH_H */
