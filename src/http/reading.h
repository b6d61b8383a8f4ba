/*
 * A reading of a file that PostgreSQL allowed a moment ago.
 *
 * Who reads a scan asks for it in many pieces.  Guard, right and the line in
 * the audit are asked for once in `reading_memory` seconds; what they said
 * stands in Redis meanwhile, under the session's name, and is asked for
 * together with the session: a piece costs no round trip of its own.
 *
 * It is no way around the guard.  Whatever ends sessions or takes a right
 * away (CORR_REVOKES in db.h, and every form of the secretariat) changes the
 * stamp of its desk before it is answered, and what was noted under another
 * stamp counts no more.  So both act on the next request, as on any page.
 * Only where Redis forgot the stamp and not the reading, or a right was taken
 * away by hand in PostgreSQL, or ran out by itself, may a file that was being
 * read be read on, for those seconds at the most.
 */

#ifndef CORR_READING_H
#define CORR_READING_H

#include "portal.h"


#define CORR_READING_MAX     60       /* seconds, of reading_memory */


/* What is sent; the bytes live as long as the page. */

typedef struct {
    corr_str_t               sha256;      /* hex: where it lies */
    corr_str_t               media_type;
    corr_str_t               name;        /* presentable, not trusted */
} corr_reading_t;


/*
 * Asks Redis, beside the session of this name (hex) and before it is known
 * whose it is: of a route with CORR_READS, whose {id} is the file's.
 */
ngx_int_t corr_reading_ask(corr_page_t *p, corr_str_t session);

/*
 * Was it allowed a moment ago, to this session at this address?  NGX_OK and
 * what it was, or NGX_DECLINED: PostgreSQL says.
 */
ngx_int_t corr_reading_find(corr_page_t *p, corr_reading_t *reading);

/* PostgreSQL allowed it, in answer to what was asked behind _ask(). */
void corr_reading_note(corr_page_t *p, const corr_reading_t *reading);

/*
 * From now on PostgreSQL is asked for each of them anew, at this desk; `then`
 * runs when Redis has it.  The return value is the step's.
 */
ngx_int_t corr_reading_revoke(corr_page_t *p, corr_step_pt then);


#endif /* CORR_READING_H */
