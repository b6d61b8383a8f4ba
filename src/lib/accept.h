/*
 * The Accept header (RFC 9110, 12.5.1), as far as a portal with two faces
 * needs it.
 */

#ifndef CORR_ACCEPT_H
#define CORR_ACCEPT_H

#include "base.h"


/*
 * Would the client rather have application/json than text/html?  The most
 * specific range that matches gives each its quality; JSON needs more of it,
 * or the same from a more specific range (application/json before a range
 * of everything, as many libraries send).  No header, or one that cannot
 * be read, asks for HTML.
 */

int corr_accept_json(corr_str_t accept);


#endif /* CORR_ACCEPT_H */
