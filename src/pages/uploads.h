/*
 * Files that came with a form: as statements take them, and kept from one
 * showing of a form to the next.
 */

#ifndef CORR_PAGES_UPLOADS_H
#define CORR_PAGES_UPLOADS_H

#include "../http/portal.h"


/*
 * p->uploads as a JSON list for files_add() of the database: sha256, size,
 * media_type, name, and width and height of pictures.  data == NULL without
 * memory.
 */
corr_str_t corr_uploads_json(corr_page_t *p);

/*
 * For forms without drafts (follow-ups, tickets).  A file that passed while
 * another field was wrong goes into the form as a box `kept_file`, whose
 * value says, encrypted and for this account alone, which file it is.
 *
 * corr_uploads_restore() puts the files of the boxes that came back in front
 * of p->uploads; more than allowed in all are an error at `file`.
 * corr_uploads_show() puts kept_files into the view.
 */
ngx_int_t corr_uploads_restore(corr_page_t *p);
void corr_uploads_show(corr_page_t *p);

/* "Too many files" at the field `file`; max: how many are allowed. */
void corr_uploads_too_many(corr_page_t *p, ngx_uint_t max);


#endif /* CORR_PAGES_UPLOADS_H */
