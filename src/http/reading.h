/*
 * A reading of a file that PostgreSQL allowed a moment ago.
 *
 * Who reads a scan asks for it in many pieces.  Guard, right and the line in
 * the audit are asked for once in `reading_memory` seconds; what they said
 * stands in Redis meanwhile, of this session alone, and is asked for together
 * with it: a piece costs no round trip of its own.
 *
 * It is no way around the guard.  What ends a person's sessions
 * (CORR_REVOKES), and what the secretariat does (but CORR_KEEPS), ends all
 * readings of its desk before it is answered.  So it acts on the next
 * request, as on any page.  Where Redis could not be told, or a right was
 * taken away by hand in PostgreSQL, or ran out by itself, a file that is
 * being read may be read on, for those seconds at the most.
 */

#ifndef CORR_READING_H
#define CORR_READING_H

#include "portal.h"


/* What is sent; the bytes live as long as the page. */

typedef struct {
    corr_str_t               sha256;      /* hex: where it lies */
    corr_str_t               media_type;
    corr_str_t               name;        /* presentable, not trusted */
} corr_reading_t;


/*
 * Asks Redis, beside the session and before it is known whose it is: of a
 * route with CORR_READS, whose {id} is the file's.  token: the hash of the
 * cookie's token under the first key file (hex), whatever the session is
 * named after.
 */
ngx_int_t corr_reading_ask(corr_page_t *p, corr_str_t token);

/*
 * Was it allowed a moment ago, to this session at this address?  NGX_OK and
 * what it was, or NGX_DECLINED: PostgreSQL says.
 */
ngx_int_t corr_reading_find(corr_page_t *p, corr_reading_t *reading);

/*
 * PostgreSQL allowed it, in answer to what was asked behind _ask().  Nothing
 * where that asked nothing, as of a header alone.
 */
void corr_reading_note(corr_page_t *p, const corr_reading_t *reading);

/*
 * From now on PostgreSQL is asked for each of them anew, at this desk; `then`
 * runs when Redis has it, or cannot be told.  The return value is the step's.
 */
ngx_int_t corr_reading_revoke(corr_page_t *p, corr_step_pt then);


#endif /* CORR_READING_H */
