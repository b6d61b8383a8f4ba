/*
 * For machines: is the portal alive, can it work, and its figures.
 */

#ifndef CORR_HEALTH_H
#define CORR_HEALTH_H

#include "../http/portal.h"


/* The one route of "correspondence health" and of "… metrics". */
extern const corr_route_t  corr_health_routes[];
extern const corr_route_t  corr_metrics_routes[];


#endif /* CORR_HEALTH_H */
