/*
 * A form read whole, in two pieces and byte by byte is the same; what was
 * read and is written again by the URL escape reads the same again.
 */

#include "fuzz.h"
#include "escape.h"
#include "text.h"
#include "urlencoded.h"


static const corr_fields_limits_t  limits = { 12, 24, 200, 600 };


static int
feed(const corr_alloc_t *a, corr_fields_t *f, corr_str_t s, size_t cut,
    size_t size)
{
    size_t              i, n;
    corr_urlencoded_t   u;

    corr_fields_init(f, a, &limits);
    corr_urlencoded_init(&u, f);

    (void) corr_urlencoded_feed(&u, corr_make_str(s.data, cut));

    for (i = cut; i < s.len; i += n) {
        n = (s.len - i < size) ? s.len - i : size;
        (void) corr_urlencoded_feed(&u, corr_make_str(s.data + i, n));
    }

    return corr_urlencoded_finish(&u);
}


static void
same(const corr_fields_t *a, const corr_fields_t *b)
{
    unsigned  i;

    must(a->nfields == b->nfields);

    for (i = 0; i < a->nfields; i++) {
        must(corr_str_eq(a->field[i].name, b->field[i].name));
        must(corr_str_eq(a->field[i].value, b->field[i].value));
    }
}


static corr_str_t
rewritten(const corr_alloc_t *a, const corr_fields_t *f)
{
    unsigned        i;
    size_t          size = 1;
    corr_str_t      out;
    unsigned char  *dst;

    for (i = 0; i < f->nfields; i++) {
        size += corr_escape_len(CORR_ESCAPE_URL, f->field[i].name)
                + corr_escape_len(CORR_ESCAPE_URL, f->field[i].value) + 2;
    }

    out.data = corr_alloc(a, size);
    must(out.data != NULL);
    dst = out.data;

    for (i = 0; i < f->nfields; i++) {
        dst = corr_escape_put(CORR_ESCAPE_URL, dst, f->field[i].name);
        *dst++ = '=';
        dst = corr_escape_put(CORR_ESCAPE_URL, dst, f->field[i].value);
        *dst++ = '&';
    }

    out.len = (size_t) (dst - out.data);

    return out;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int            rc;
    unsigned       i;
    corr_str_t     s;
    corr_arena_t  *arena;
    corr_alloc_t  *a;
    corr_fields_t  whole, other;

    if (size == 0) {
        return 0;
    }

    arena = corr_arena_create(0);
    must(arena != NULL);
    a = corr_arena_alloc(arena);

    s = corr_make_str(data + 1, size - 1);

    rc = feed(a, &whole, s, 0, size);
    must(feed(a, &other, s, 0, 1) == rc);
    same(&whole, &other);
    must(feed(a, &other, s, data[0] % size, size) == rc);
    same(&whole, &other);

    for (i = 0; i < whole.nfields; i++) {
        must(whole.field[i].name.len > 0);
        must(whole.field[i].name.len <= limits.name);
        must(whole.field[i].value.len <= limits.value);
        must(corr_utf8_valid(whole.field[i].value));
    }

    if (rc == CORR_OK) {
        s = rewritten(a, &whole);
        must(feed(a, &other, s, 0, size) == CORR_OK);
        same(&whole, &other);
    }

    corr_arena_destroy(arena);

    return 0;
}
