/*
 * Templates: compiling never reads past the text, and rendering keeps to its
 * limit, gives the same twice, and lets nothing through unescaped.
 * Input: flags (a byte), the template, a NUL, partial p, a NUL, JSON data.
 */

#include <stdlib.h>

#include "json.h"
#include "template.h"


#define FUZZ_OUTPUT   8192


typedef struct {
    size_t           len;
    unsigned char    data[FUZZ_OUTPUT];
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


static int
fuzz_partial(void *data, corr_str_t name, corr_str_t *text)
{
    if (!corr_str_is(name, "p")) {
        return CORR_INVALID;
    }

    *text = *(corr_str_t *) data;

    return CORR_OK;
}


static int
fuzz_label(void *data, corr_str_t name, corr_str_t value, corr_str_t *text)
{
    (void) data;
    (void) name;

    *text = value;

    return CORR_OK;
}


static size_t
fuzz_count(corr_str_t s, unsigned char c)
{
    size_t  i, n;

    for (i = 0, n = 0; i < s.len; i++) {
        n += (s.data[i] == c);
    }

    return n;
}


/* Up to the next NUL, in memory of its own for AddressSanitizer. */

static corr_str_t
fuzz_cut(const uint8_t **data, size_t *size)
{
    size_t          n;
    corr_str_t      s;
    const uint8_t  *nul;

    nul = *size ? memchr(*data, '\0', *size) : NULL;
    n = (nul == NULL) ? *size : (size_t) (nul - *data);

    s.len = n;
    s.data = malloc(n ? n : 1);
    if (s.data == NULL) {
        abort();
    }

    if (n) {
        memcpy(s.data, *data, n);
    }

    n += (nul != NULL);
    *data += n;
    *size -= n;

    return s;
}


static void
fuzz_render(const corr_template_t *t, const corr_view_t *root, int escaped,
    corr_str_t text, corr_str_t partial)
{
    int            rc;
    corr_sink_t    sink = { fuzz_write, fuzz_write, NULL };
    corr_render_t  how = { .label = fuzz_label, .utc_offset = 12600,
                           .limit = FUZZ_OUTPUT };

    static fuzz_output_t  first, second;

    first.len = 0;
    second.len = 0;

    sink.data = &first;
    rc = corr_template_render(t, &how, root, NULL, &sink);

    sink.data = &second;
    if (corr_template_render(t, &how, root, NULL, &sink) != rc
        || first.len != second.len
        || memcmp(first.data, second.data, first.len) != 0)
    {
        abort();
    }

    /* a < in the output must be the template's own */

    if (escaped && fuzz_count(text, '<') + fuzz_count(partial, '<') == 0
        && memchr(first.data, '<', first.len) != NULL)
    {
        abort();
    }
}


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned                flags;
    corr_str_t              text, partial, json;
    corr_view_t            *root;
    corr_value_t            value;
    corr_arena_t           *arena;
    corr_templates_t       *set;
    corr_template_t        *t;
    corr_template_error_t   error;

    if (size == 0) {
        return 0;
    }

    flags = *data++ & 7;
    size--;

    text = fuzz_cut(&data, &size);
    partial = fuzz_cut(&data, &size);
    json = fuzz_cut(&data, &size);

    arena = corr_arena_create(64 * 1024 * 1024);
    set = corr_templates_create(corr_arena_alloc(arena), flags, fuzz_partial,
                                &partial);

    t = corr_template_compile(set, CORR_STR("page"), text, &error);

    if (t == NULL) {
        if (error.text[0] == '\0' || error.line == 0) {
            abort();
        }

        goto done;
    }

    if (corr_json_parse(corr_arena_alloc(arena), json, 0, &value, NULL)
        != CORR_OK)
    {
        goto done;
    }

    root = (value.kind == CORR_OBJECT) ? value.object
           : corr_view_create(corr_arena_alloc(arena));

    if (value.kind != CORR_OBJECT) {
        corr_view_value(root, ".", value);
    }

    fuzz_render(t, root, (flags & CORR_TEMPLATE_STRICT)
                         && !(flags & CORR_TEMPLATE_PLAIN),
                text, partial);

done:

    corr_arena_destroy(arena);
    free(text.data);
    free(partial.data);
    free(json.data);

    return 0;
}
