/*
 * JSON: what was read and printed reads and prints as the same again.
 * Input: a path, a NUL, the JSON text.
 */

#include <stdlib.h>

#include "json.h"
#include "template.h"


#define FUZZ_OUTPUT   (1024 * 1024)


typedef struct {
    unsigned char   *data;
    size_t           len;
} fuzz_output_t;


static int
fuzz_write(void *data, const void *p, size_t n)
{
    fuzz_output_t  *o = data;

    if (o->len + n > FUZZ_OUTPUT) {
        abort();                        /* past the limit */
    }

    memcpy(o->data + o->len, p, n);
    o->len += n;

    return CORR_OK;
}


static corr_str_t
fuzz_print(const corr_alloc_t *a, corr_value_t value)
{
    corr_view_t    *root;
    corr_sink_t     sink = { fuzz_write, fuzz_write, NULL };
    fuzz_output_t   o = { NULL, 0 };
    corr_render_t   how = { .utc_offset = 12600, .limit = FUZZ_OUTPUT };

    o.data = corr_alloc(a, FUZZ_OUTPUT);
    root = corr_view_create(a);
    if (o.data == NULL || root == NULL) {
        abort();
    }

    sink.data = &o;

    /* the same wrapper around it again and again would grow too deep */

    if (value.kind == CORR_OBJECT) {
        root = value.object;

    } else {
        corr_view_value(root, "v", value);
    }

    if (corr_view_json(root, &how, &sink) != CORR_OK) {
        o.len = 0;
    }

    return corr_make_str(o.data, o.len);
}


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t           n;
    corr_str_t       first, second, text, path;
    corr_value_t     value, found;
    corr_arena_t    *arena;
    const uint8_t   *nul;

    nul = size ? memchr(data, '\0', size) : NULL;
    n = (nul == NULL) ? 0 : (size_t) (nul - data);
    path = corr_make_str(data, n);
    text = corr_make_str(nul ? nul + 1 : data, size - (nul ? n + 1 : 0));

    arena = corr_arena_create(64 * 1024 * 1024);

    if (corr_json_parse(corr_arena_alloc(arena), text, 0, &value, NULL)
        != CORR_OK)
    {
        goto done;
    }

    if (corr_json_path(corr_arena_alloc(arena), value, path, 4096, &found)
        == CORR_OK)
    {
        if (corr_json_path_check(path) != CORR_OK) {
            abort();
        }

        (void) corr_json_scalar(corr_arena_alloc(arena), found, &second);
    }

    first = fuzz_print(corr_arena_alloc(arena), value);

    if (first.len) {
        if (corr_json_parse(corr_arena_alloc(arena), first, 0, &value, NULL)
            != CORR_OK)
        {
            abort();
        }

        second = fuzz_print(corr_arena_alloc(arena), value);

        if (!corr_str_eq(first, second)) {
            abort();
        }
    }

done:

    corr_arena_destroy(arena);

    return 0;
}
