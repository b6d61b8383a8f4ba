/*
 * A value in PostgreSQL's binary format: a byte that chooses the type, then
 * the value.  Nothing is read behind it, it is of its type's kind or NULL,
 * and JSON can be made of it.
 */

#include "fuzz.h"
#include "pg_decode.h"
#include "template.h"
#include "text.h"


#define FUZZ_OUTPUT   65536


typedef struct {
    size_t           len;
    unsigned char    data[FUZZ_OUTPUT];
} fuzz_output_t;


static const uint32_t  types[] = {
    16, 17, 19, 20, 21, 23, 25, 114, 700, 701, 705, 1042, 1043, 1082, 1184,
    1700, 2278, 2950, 3802
};


static int
fuzz_write(void *data, const void *p, size_t n)
{
    fuzz_output_t  *o = data;

    must(o->len + n <= FUZZ_OUTPUT);

    memcpy(o->data + o->len, p, n);
    o->len += n;

    return CORR_OK;
}


/* Text from the database is UTF-8 already; of the rest all is shown. */

static void
fuzz_show(const corr_alloc_t *a, corr_value_t value)
{
    corr_view_t    *root;
    corr_sink_t     sink = { fuzz_write, fuzz_write, NULL };
    corr_render_t   how = { .utc_offset = 12600,
                            .limit = FUZZ_OUTPUT };

    static fuzz_output_t  o;

    if (value.kind == CORR_TEXT && !corr_utf8_valid(value.s)) {
        return;
    }

    o.len = 0;
    sink.data = &o;

    root = corr_view_create(a);
    must(root != NULL);
    corr_view_value(root, "v", value);

    must(corr_view_json(root, &how, &sink) == CORR_OK);
    must(o.len > 6 && memcmp(o.data, "{\"v\":", 5) == 0);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t         oid;
    unsigned char    room[CORR_PG_UUID_LEN], *value_bytes;
    corr_value_t     value;
    corr_arena_t    *arena;

    if (size == 0) {
        return 0;
    }

    oid = types[*data++ % (sizeof(types) / sizeof(types[0]))];
    size--;

    /* in memory of its own, so that the byte behind it is nobody's */

    value_bytes = malloc(size ? size : 1);
    must(value_bytes != NULL);
    memcpy(value_bytes, data, size);

    arena = corr_arena_create(0);
    must(arena != NULL);

    corr_pg_decode(oid, value_bytes, size,
                   corr_pg_needs_room(oid) ? room : NULL, &value);

    must(value.kind == corr_pg_kind(oid) || value.kind == CORR_NULL);
    must(value.kind != CORR_BOOL || value.n == 0 || value.n == 1);

    if (value.kind == CORR_TEXT || value.kind == CORR_BYTES) {
        must(value.s.len <= size || value.s.data == room);
    }

    fuzz_show(corr_arena_alloc(arena), value);

    corr_arena_destroy(arena);
    free(value_bytes);

    return 0;
}
