/*
 * The two tables of addresses: citizens' and clerks'.
 */

#ifndef CORR_ROUTES_H
#define CORR_ROUTES_H

#include "http/portal.h"


/* Ended by an entry with an empty path. */

extern const corr_route_t  corr_citizen_routes[];
extern const corr_route_t  corr_clerk_routes[];


#endif /* CORR_ROUTES_H */
