/*
 * A bounded JSON reader into values, and paths into what it read.  Written
 * for answers of gateways: nothing in them is trusted.
 *
 *     object, array    CORR_OBJECT, CORR_LIST
 *     string           CORR_TEXT, UTF-8
 *     number           CORR_INT where it is an integer of 64 bits,
 *                      CORR_FLOAT where it has a fraction or an exponent;
 *                      one too large for either is kept as the CORR_TEXT of
 *                      its digits (a message id must not be rounded)
 *     true, null       CORR_BOOL, CORR_NULL
 *
 * Everything is copied into memory of the allocator: the input may go.
 */

#ifndef CORR_JSON_H
#define CORR_JSON_H

#include "value.h"


#define CORR_JSON_DEPTH     32      /* arrays and objects in one another */
#define CORR_JSON_MEMBERS   1024    /* members of one object */


typedef struct {
    size_t     offset;              /* bytes read when it was seen */
    char       text[96];            /* English, no part of the input */
} corr_json_error_t;


/*
 * Reads one whole JSON text of at most limit bytes (0: of any size; the
 * values take up to some 50 times that).  error may be NULL.
 *
 * CORR_OK; CORR_INVALID: not JSON, not UTF-8, cut short, or more behind it;
 * CORR_LIMIT: too long, too deep, too many members; CORR_ERROR: no memory.
 * A member given twice has its last value, as in ECMA-404's other readers.
 */
int corr_json_parse(const corr_alloc_t *a, corr_str_t text, size_t limit,
    corr_value_t *value, corr_json_error_t *error);


/*
 * Follows a path:
 *
 *     result.data.response         members of objects
 *     entries[0].messageid         elements of arrays, counted from 0;
 *     entries.0.status             the same
 *     responseText|json.response   the text found so far is itself JSON:
 *                                  read it (within limit), go on inside
 *
 * CORR_OK; CORR_INVALID: the path is malformed, leads nowhere, or the text
 * before |json is not JSON; CORR_LIMIT, CORR_ERROR: from reading that.
 * A null in the place is found: CORR_OK and CORR_NULL.
 */
int corr_json_path(const corr_alloc_t *a, corr_value_t root,
    corr_str_t path, size_t limit, corr_value_t *value);

/* CORR_OK or CORR_INVALID: whether that is a path, for nginx -t. */
int corr_json_path_check(corr_str_t path);

/*
 * A scalar as text, to compare it with what a configuration says or to keep
 * it: 200 is "200", true "true", null "".  CORR_INVALID for the others.
 * The text may be the value's own; out of memory is CORR_ERROR.
 */
int corr_json_scalar(const corr_alloc_t *a, corr_value_t value,
    corr_str_t *text);


#endif /* CORR_JSON_H */
