/*
 * Named values that came with a request: a query string, an urlencoded
 * form, the text parts of a multipart form.  One collection for all, so
 * that all obey the same limits and one meaning:
 *
 *   - a name that comes twice: corr_fields_get() gives the FIRST value (as
 *     URLSearchParams.get does), corr_fields_nth() gives all in order;
 *   - names are valid UTF-8 without NUL, or the whole is CORR_INVALID;
 *   - in values a NUL, and each byte that is no UTF-8, becomes SUBSTITUTE
 *     (U+001A).  So values are valid UTF-8 without NUL, and what was no
 *     text is refused where any control character is: by the field's own
 *     rule, in words, and not with the whole form;
 *   - a field with an empty name is not kept, but counts.
 *
 * Memory: copies of what was kept, and one scratch buffer of at most twice
 * the longest field.  Everything ends with a NUL that is not counted.
 */

#ifndef CORR_FIELDS_H
#define CORR_FIELDS_H

#include "base.h"


typedef struct {
    unsigned                 count;         /* fields */
    size_t                   name;          /* bytes of one name */
    size_t                   value;         /* bytes of one value */
    size_t                   total;         /* bytes of all together */
} corr_fields_limits_t;


typedef struct {
    corr_str_t               name;
    corr_str_t               value;
} corr_field_t;


typedef struct {
    const corr_alloc_t      *alloc;
    corr_fields_limits_t     limits;
    corr_field_t            *field;         /* in order of arrival */
    unsigned                 nfields;
    size_t                   substituted;   /* bytes that were no text */

    /* private */
    unsigned                 allocated;
    unsigned                 seen;
    size_t                   total;
    unsigned char           *scratch;
    size_t                   size;
    size_t                   len;
    size_t                   name_len;
    unsigned                 in_value;
} corr_fields_t;


/* limits NULL: 64 fields, names 64, values 64 KiB, total 256 KiB. */

void corr_fields_init(corr_fields_t *f, const corr_alloc_t *a,
    const corr_fields_limits_t *limits);

/* A whole field at once: CORR_OK, CORR_INVALID, CORR_LIMIT, CORR_ERROR. */

int corr_fields_add(corr_fields_t *f, corr_str_t name, corr_str_t value);

/*
 * A field as it streams in: begin; append to its name; value; append to its
 * value; end.  Results as above; after a failure the collection is only good
 * for reading what it had.
 */

int corr_fields_begin(corr_fields_t *f);
int corr_fields_append(corr_fields_t *f, const void *p, size_t n);
void corr_fields_value(corr_fields_t *f);
int corr_fields_end(corr_fields_t *f);

/* The first value of that name; { 0, NULL } when there is none. */

corr_str_t corr_fields_get(const corr_fields_t *f, const char *name);

/* The value number i (from 0) of that name; { 0, NULL } behind the last. */

corr_str_t corr_fields_nth(const corr_fields_t *f, const char *name,
    unsigned i);


#endif /* CORR_FIELDS_H */
