/*
 * application/x-www-form-urlencoded, as the URL standard writes it, read as
 * it arrives.  + is a space, %XX a byte; a % that two hex digits do not
 * follow is CORR_INVALID, never kept as text.  Decoded exactly once.
 * Duplicates and limits: see fields.h.
 */

#ifndef CORR_URLENCODED_H
#define CORR_URLENCODED_H

#include "fields.h"


typedef struct {
    corr_fields_t           *fields;
    unsigned                 state;
    unsigned                 high;          /* first digit of %XX */
    int                      failed;
} corr_urlencoded_t;


void corr_urlencoded_init(corr_urlencoded_t *u, corr_fields_t *fields);

/*
 * Any number of bytes at a time.  CORR_OK, CORR_INVALID, CORR_LIMIT or
 * CORR_ERROR; a failure stays.
 */
int corr_urlencoded_feed(corr_urlencoded_t *u, corr_str_t data);

/* The body has ended: ends the last field. */
int corr_urlencoded_finish(corr_urlencoded_t *u);

/* A query string (without its ?) in one go. */
int corr_query_parse(corr_fields_t *fields, corr_str_t query);


#endif /* CORR_URLENCODED_H */
