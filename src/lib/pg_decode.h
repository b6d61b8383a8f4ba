/*
 * PostgreSQL's binary format of the few types that statements return.
 * Pure: bytes in, values out.
 */

#ifndef CORR_PG_DECODE_H
#define CORR_PG_DECODE_H

#include "value.h"


#define CORR_PG_UUID_LEN  36

/* The kind of a type's values, by its OID; CORR_NULL: not supported. */
corr_kind_e corr_pg_kind(uint32_t oid);

/*
 * One value of `len` bytes.  Text points into p; a uuid needs `room` of
 * CORR_PG_UUID_LEN bytes that live as long as the value.  What has not the
 * length of its type, and infinite times, become CORR_NULL.
 */
void corr_pg_decode(uint32_t oid, const unsigned char *p, size_t len,
    unsigned char *room, corr_value_t *value);

/* Does decoding values of this type need room? */
int corr_pg_needs_room(uint32_t oid);


#endif /* CORR_PG_DECODE_H */
