/*
 * What is expected comes from PostgreSQL 15: the bytes from
 *     select encode(int8send(-5000000000), 'hex')
 * and the like (date_send, timestamptz_send, …), the numbers beside times
 * from  extract(epoch from t) * 1000000  and  d - '1970-01-01'::date.
 */

#include "tap.h"
#include "pg_decode.h"


static unsigned char  room[CORR_PG_UUID_LEN];


static corr_value_t
decode(unsigned oid, const char *hex)
{
    size_t          i, len;
    unsigned        byte;
    corr_str_t      s;
    corr_value_t    value;
    unsigned char  *p;

    len = strlen(hex) / 2;

    /* a block of its own, so that a read behind it is seen */

    p = malloc(len ? len : 1);

    for (i = 0; i < len; i++) {
        sscanf(hex + 2 * i, "%2x", &byte);
        p[i] = (unsigned char) byte;
    }

    corr_pg_decode(oid, p, len, room, &value);

    if (value.kind == CORR_TEXT || value.kind == CORR_BYTES) {
        s = corr_str_dup(tap_alloc(), value.s);
        value.s = s;
    }

    free(p);

    return value;
}


static void
number(const char *what, unsigned oid, const char *hex, corr_kind_e kind,
    long long n)
{
    corr_value_t  v;

    v = decode(oid, hex);

    ok(v.kind == kind && v.n == n, "%s: %lld", what, (long long) v.n);
}


static void
nothing(const char *what, unsigned oid, const char *hex)
{
    ok(decode(oid, hex).kind == CORR_NULL, "%s: nothing", what);
}


static void
text(const char *what, unsigned oid, const char *hex, corr_kind_e kind,
    const char *expected)
{
    corr_value_t  v;

    v = decode(oid, hex);

    ok(v.kind == kind && corr_str_is(v.s, expected), "%s", what);
}


int
main(void)
{
    unsigned  i;

    static const unsigned  lengths[] = {
        16, 20, 21, 23, 700, 701, 1082, 1184, 2950
    };

    number("bool true", 16, "01", CORR_BOOL, 1);
    number("bool false", 16, "00", CORR_BOOL, 0);
    number("int2 below zero", 21, "fffe", CORR_INT, -2);
    number("int2 largest", 21, "7fff", CORR_INT, 32767);
    number("int4 below zero", 23, "fffeee90", CORR_INT, -70000);
    number("int4 largest", 23, "7fffffff", CORR_INT, 2147483647);
    number("int8 below zero", 20, "fffffffed5fa0e00", CORR_INT, -5000000000);
    number("int8 largest", 20, "7fffffffffffffff", CORR_INT,
           9223372036854775807LL);

    number("date", 1082, "0000265e", CORR_DATE, 20779);
    number("date, year 622", 1082, "fff85245", CORR_DATE, -492270);
    nothing("date infinity", 1082, "7fffffff");
    nothing("date -infinity", 1082, "80000000");

    number("time before 1970", 1184, "fffca2fec4c07ee0", CORR_TIME, -500000);
    number("time", 1184, "000303dbd2d67640", CORR_TIME, 1795352400123456);
    number("time, year 622", 1184, "ff65884007cce000", CORR_TIME,
           -42532128000000000);
    nothing("time infinity", 1184, "7fffffffffffffff");
    nothing("time -infinity", 1184, "8000000000000000");

    ok(decode(701, "fe41eb2d66005835").d == -1.5e300, "float8");
    ok(decode(700, "40100000").d == 2.25, "float4");

    text("text", 25, "d8b3d984d8a7d985", CORR_TEXT, "\xd8\xb3\xd9\x84\xd8"
         "\xa7\xd9\x85");
    text("varchar, empty", 1043, "", CORR_TEXT, "");
    text("bytea", 17, "41ff", CORR_BYTES, "A\xff");
    text("json", 114, "7b7d", CORR_TEXT, "{}");
    text("jsonb", 3802, "017b2261223a2022d8a8227d", CORR_TEXT,
         "{\"a\": \"\xd8\xa8\"}");
    nothing("jsonb of another version", 3802, "027b7d");
    nothing("jsonb without a version", 3802, "");
    text("uuid", 2950, "550e8400e29b41d4a716446655440000", CORR_TEXT,
         "550e8400-e29b-41d4-a716-446655440000");
    nothing("void", 2278, "");
    nothing("numeric", 1700, "0002000000000002000305780");
    ok(corr_pg_kind(1700) == CORR_NULL, "numeric is no kind");
    ok(corr_pg_needs_room(2950) && !corr_pg_needs_room(25),
       "only a uuid needs room");

    for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        nothing("nothing at all", lengths[i], "");
        nothing("three bytes", lengths[i], "010203");
        nothing("of no type", lengths[i], "0102030405060708090a0b");
    }

    return tap_done();
}
