/*
 * PostgreSQL's binary format of the few types that statements return.
 *
 * Source: src/include/catalog/pg_type.dat (OIDs), the *send functions in
 * src/backend/utils/adt (formats): integers in network order, times as
 * microseconds and dates as days since 2000-01-01.
 */

#include "pg_decode.h"


#define PG_BOOL          16
#define PG_BYTEA         17
#define PG_NAME          19
#define PG_INT8          20
#define PG_INT2          21
#define PG_INT4          23
#define PG_TEXT          25
#define PG_JSON          114
#define PG_FLOAT4        700
#define PG_FLOAT8        701
#define PG_UNKNOWN       705
#define PG_BPCHAR        1042
#define PG_VARCHAR       1043
#define PG_DATE          1082
#define PG_TIMESTAMPTZ   1184
#define PG_VOID          2278
#define PG_UUID          2950
#define PG_JSONB         3802

#define PG_EPOCH_DAYS    10957                        /* 2000-01-01 */
#define PG_EPOCH_USEC    (PG_EPOCH_DAYS * INT64_C(86400000000))


static size_t corr_pg_size(uint32_t oid);
static int64_t corr_pg_integer(const unsigned char *p, size_t len);
static double corr_pg_float(const unsigned char *p, size_t len);
static void corr_pg_time(int64_t n, corr_value_t *value);
static void corr_pg_date(int64_t n, corr_value_t *value);
static void corr_pg_uuid(const unsigned char *p, unsigned char *room);


corr_kind_e
corr_pg_kind(uint32_t oid)
{
    switch (oid) {

    case PG_BOOL:
        return CORR_BOOL;

    case PG_INT2:
    case PG_INT4:
    case PG_INT8:
        return CORR_INT;

    case PG_FLOAT4:
    case PG_FLOAT8:
        return CORR_FLOAT;

    case PG_DATE:
        return CORR_DATE;

    case PG_TIMESTAMPTZ:
        return CORR_TIME;

    case PG_BYTEA:
        return CORR_BYTES;

    case PG_TEXT:
    case PG_VARCHAR:
    case PG_BPCHAR:
    case PG_NAME:
    case PG_UNKNOWN:
    case PG_JSON:
    case PG_JSONB:
    case PG_UUID:
    case PG_VOID:
        return CORR_TEXT;

    default:
        return CORR_NULL;
    }
}


int
corr_pg_needs_room(uint32_t oid)
{
    return oid == PG_UUID;
}


void
corr_pg_decode(uint32_t oid, const unsigned char *p, size_t len,
    unsigned char *room, corr_value_t *value)
{
    size_t   size;
    int64_t  n;

    value->kind = corr_pg_kind(oid);
    value->s = corr_make_str(p, len);

    size = corr_pg_size(oid);

    if (size != 0 && len != size) {
        value->kind = CORR_NULL;
        return;
    }

    switch (oid) {

    case PG_FLOAT4:
    case PG_FLOAT8:
        value->d = corr_pg_float(p, len);
        return;

    case PG_VOID:
        value->kind = CORR_NULL;
        return;

    case PG_JSONB:

        /* a version byte before the text */

        if (len == 0 || p[0] != 1) {
            value->kind = CORR_NULL;
            return;
        }

        value->s = corr_make_str(p + 1, len - 1);
        return;

    case PG_UUID:

        if (room == NULL) {
            value->kind = CORR_NULL;
            return;
        }

        corr_pg_uuid(p, room);
        value->s = corr_make_str(room, CORR_PG_UUID_LEN);
        return;
    }

    if (value->kind == CORR_TEXT || value->kind == CORR_BYTES
        || value->kind == CORR_NULL)
    {
        return;
    }

    n = corr_pg_integer(p, len);

    switch (value->kind) {

    case CORR_TIME:
        corr_pg_time(n, value);
        return;

    case CORR_DATE:
        corr_pg_date(n, value);
        return;

    case CORR_BOOL:
        value->n = (n != 0);
        return;

    default:
        value->n = n;
    }
}


/* Of a type whose values are all as long; 0: of any length. */

static size_t
corr_pg_size(uint32_t oid)
{
    switch (oid) {

    case PG_BOOL:
        return 1;

    case PG_INT2:
        return 2;

    case PG_INT4:
    case PG_FLOAT4:
    case PG_DATE:
        return 4;

    case PG_INT8:
    case PG_FLOAT8:
    case PG_TIMESTAMPTZ:
        return 8;

    case PG_UUID:
        return 16;

    default:
        return 0;
    }
}


static int64_t
corr_pg_integer(const unsigned char *p, size_t len)
{
    size_t    i;
    uint64_t  u;

    /* the sign goes all the way up */

    u = (p[0] & 0x80) ? UINT64_MAX : 0;

    for (i = 0; i < len; i++) {
        u = (u << 8) | p[i];
    }

    return (int64_t) u;
}


static double
corr_pg_float(const unsigned char *p, size_t len)
{
    float     f;
    double    d;
    int64_t   n;
    uint32_t  u;

    n = corr_pg_integer(p, len);

    if (len == 4) {
        u = (uint32_t) n;
        memcpy(&f, &u, 4);
        return f;
    }

    memcpy(&d, &n, 8);

    return d;
}


static void
corr_pg_time(int64_t n, corr_value_t *value)
{
    /* -infinity and infinity are the ends of the range */

    if (n == INT64_MIN || n > INT64_MAX - PG_EPOCH_USEC) {
        value->kind = CORR_NULL;
        return;
    }

    value->n = n + PG_EPOCH_USEC;
}


static void
corr_pg_date(int64_t n, corr_value_t *value)
{
    if (n <= INT32_MIN || n >= INT32_MAX) {
        value->kind = CORR_NULL;
        return;
    }

    value->n = n + PG_EPOCH_DAYS;
}


static void
corr_pg_uuid(const unsigned char *p, unsigned char *room)
{
    unsigned           i;
    static const char  hex[] = "0123456789abcdef";

    for (i = 0; i < 16; i++) {

        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *room++ = '-';
        }

        *room++ = (unsigned char) hex[p[i] >> 4];
        *room++ = (unsigned char) hex[p[i] & 0xf];
    }
}
