/*
 * The Cookie header (RFC 6265, 4.2), of which there may be several.
 */

#ifndef CORR_COOKIE_H
#define CORR_COOKIE_H

#include "base.h"


/*
 * The value of a cookie; it points into the header.  Names are compared
 * with case.  A pair of double quotes around the value is not part of it.
 *
 *   CORR_OK        found
 *   CORR_AGAIN     not there
 *   CORR_INVALID   there twice with different values: somebody may have
 *                  planted one (from a sibling host or a longer path), so
 *                  neither is believed
 */

int corr_cookie_find(const corr_str_t *headers, size_t n, corr_str_t name,
    corr_str_t *value);


#endif /* CORR_COOKIE_H */
