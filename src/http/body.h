/*
 * The body of a POST, read as it arrives in constant memory: fields into
 * p->fields, files straight into the store.
 *
 * The CSRF token must be the form's first field: it is checked before the
 * first byte of a file is kept, and when the body has ended.
 */

#ifndef CORR_BODY_H
#define CORR_BODY_H

#include "portal.h"


/*
 * What its head says: of a kind that can be read, and no longer than may be.
 * A refusal is replied to here: 400, 413, 415.
 */
ngx_int_t corr_body_begin(corr_page_t *p);

/* A step, behind that.  Refusals are replied to here, 408 and 503 as well. */
ngx_int_t corr_body_read(corr_page_t *p);

/* Its bytes, behind begin(); when it does not tell, as many as it may have. */
off_t corr_body_length(corr_page_t *p);

/*
 * Before a reply: what was not read of the body is dropped, or the
 * connection ends with the reply.
 */
void corr_body_leave(corr_page_t *p);

/* The request goes away: files on their way in are given up. */
void corr_body_abandon(corr_page_t *p);


#endif /* CORR_BODY_H */
