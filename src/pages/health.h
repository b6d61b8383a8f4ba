/*
 * For machines: is the portal alive, can it work, and its figures.
 */

#ifndef CORR_HEALTH_H
#define CORR_HEALTH_H

#include "../http/portal.h"


/* The one route of "correspondence health", "… live" and so on. */
extern const corr_route_t  corr_health_routes[];
extern const corr_route_t  corr_live_routes[];
extern const corr_route_t  corr_ready_routes[];
extern const corr_route_t  corr_metrics_routes[];


#endif /* CORR_HEALTH_H */
