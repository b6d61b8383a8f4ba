/*
 * A multipart body read in pieces, written down in one canonical form: two
 * ways to cut a body must give the same bytes here.
 */

#ifndef CORR_RECORD_H
#define CORR_RECORD_H

#include "multipart.h"

#include <stdio.h>
#include <stdlib.h>


typedef struct {
    unsigned char     *data;
    size_t             len;
    size_t             size;
    unsigned           parts;
    unsigned           ends;
    int                rc;
    unsigned           in_data;
    corr_multipart_t   m;
} corr_record_t;


static inline void
record_put(corr_record_t *r, const void *p, size_t n)
{
    if (n > r->size - r->len) {
        r->size = (r->size + n) * 2;
        r->data = realloc(r->data, r->size);

        if (r->data == NULL) {
            abort();
        }
    }

    if (n) {
        memcpy(r->data + r->len, p, n);
        r->len += n;
    }
}


static inline void
record_hex(corr_record_t *r, corr_str_t s)
{
    size_t  i;
    char    hex[3];

    if (s.data == NULL) {
        record_put(r, "-", 1);
        return;
    }

    record_put(r, "x", 1);

    for (i = 0; i < s.len; i++) {
        snprintf(hex, sizeof(hex), "%02x", s.data[i]);
        record_put(r, hex, 2);
    }
}


static inline void
record_event(corr_record_t *r, const corr_multipart_event_t *e)
{
    if (r->in_data && e->type != CORR_MULTIPART_DATA) {
        record_put(r, "\n", 1);
        r->in_data = 0;
    }

    switch (e->type) {

    case CORR_MULTIPART_PART:
        r->parts++;
        record_put(r, "part ", 5);
        record_hex(r, e->name);
        record_put(r, " ", 1);
        record_hex(r, e->filename);
        record_put(r, " ", 1);
        record_hex(r, e->content_type);
        record_put(r, "\n", 1);
        break;

    case CORR_MULTIPART_DATA:
        if (e->data.len == 0) {
            abort();            /* the contract: never empty */
        }

        if (!r->in_data) {
            record_put(r, "data ", 5);
            r->in_data = 1;
        }

        record_hex(r, e->data);
        r->len -= e->data.len * 2 + 1;      /* without the x between pieces */
        memmove(r->data + r->len, r->data + r->len + 1, e->data.len * 2);
        r->len += e->data.len * 2;
        break;

    case CORR_MULTIPART_PART_END:
        record_put(r, "part-end\n", 9);
        break;

    case CORR_MULTIPART_END:
        r->ends++;
        record_put(r, "end\n", 4);
        break;
    }
}


static inline int
record_start(corr_record_t *r, corr_str_t boundary,
    const corr_multipart_limits_t *limits)
{
    memset(r, 0, offsetof(corr_record_t, m));

    r->rc = corr_multipart_init(&r->m, boundary, limits);

    return r->rc;
}


/* The piece is copied, so that nothing may point into an older one. */

static inline void
record_feed(corr_record_t *r, const unsigned char *p, size_t n)
{
    unsigned char           *copy;
    corr_str_t               in;
    corr_multipart_event_t   event;

    if (r->rc != CORR_OK) {
        return;
    }

    copy = malloc(n ? n : 1);
    if (copy == NULL) {
        abort();
    }

    if (n) {
        memcpy(copy, p, n);
    }

    in = corr_make_str(copy, n);

    while ((r->rc = corr_multipart_next(&r->m, &in, &event)) == CORR_OK) {
        record_event(r, &event);
    }

    if (r->rc == CORR_AGAIN) {
        if (in.len) {
            abort();            /* the contract: used up */
        }

        r->rc = CORR_OK;
    }

    free(copy);
}


static inline void
record_finish(corr_record_t *r)
{
    if (r->rc == CORR_OK) {
        r->rc = corr_multipart_finish(&r->m);
    }
}


static inline void
record_free(corr_record_t *r)
{
    free(r->data);
    r->data = NULL;
}


/* Cut at a, b (a <= b <= body.len); in pieces of `size` when it is not 0. */

static inline void
record_body(corr_record_t *r, corr_str_t boundary,
    const corr_multipart_limits_t *limits, corr_str_t body, size_t a, size_t b,
    size_t size)
{
    size_t  i, n;

    if (record_start(r, boundary, limits) != CORR_OK) {
        return;
    }

    if (size) {
        for (i = 0; i < body.len; i += n) {
            n = (body.len - i < size) ? body.len - i : size;
            record_feed(r, body.data + i, n);
        }

    } else {
        record_feed(r, body.data, a);
        record_feed(r, body.data + a, b - a);
        record_feed(r, body.data + b, body.len - b);
    }

    record_finish(r);
}


/* A block of src/http/body.c, which a thread would write when it is full. */

typedef struct {
    unsigned char     *data;
    size_t             size;
    size_t             filled;
} corr_block_t;


/*
 * Data of a part takes its place; of a buffer of nginx's own it may take
 * several blocks, of the block itself it always has room.
 */

static inline void
record_placed(corr_record_t *r, corr_block_t *block, corr_multipart_event_t e,
    int own)
{
    size_t      n;
    corr_str_t  rest;

    for (rest = e.data; rest.len; rest.data += n, rest.len -= n) {

        n = block->size - block->filled;

        if (rest.len > n && !own) {
            abort();
        }

        n = (rest.len > n) ? n : rest.len;

        memmove(block->data + block->filled, rest.data, n);
        e.data = corr_make_str(block->data + block->filled, n);
        block->filled += n;

        record_event(r, &e);

        if (block->filled == block->size) {
            block->filled = 0;
        }
    }
}


static inline void
record_block_feed(corr_record_t *r, corr_block_t *block, corr_str_t in, int own)
{
    corr_multipart_event_t  e;

    while ((r->rc = corr_multipart_next(&r->m, &in, &e)) == CORR_OK) {

        if (e.type == CORR_MULTIPART_DATA) {
            record_placed(r, block, e, own);
            continue;
        }

        block->filled = 0;
        record_event(r, &e);
    }

    if (r->rc == CORR_AGAIN) {
        r->rc = CORR_OK;
    }
}


/*
 * As src/http/body.c reads it: into the rest of a block of `size` bytes, behind
 * what belongs there and what the parser keeps.  The pieces have up to `most`
 * bytes; the first `own` ones come in a buffer of nginx's.
 */

static inline void
record_in_block(corr_record_t *r, corr_str_t boundary,
    const corr_multipart_limits_t *limits, corr_str_t body, size_t size,
    size_t most, size_t own, uint32_t seed)
{
    size_t        i, n, used;
    corr_block_t  block = { malloc(size), size, 0 };

    if (block.data == NULL || size < sizeof(r->m.hold)) {
        abort();
    }

    (void) record_start(r, boundary, limits);

    n = (own > body.len) ? body.len : own;

    if (r->rc == CORR_OK && n) {
        record_block_feed(r, &block, corr_make_str(body.data, n), 1);
    }

    for (i = n; i < body.len && r->rc == CORR_OK; /* void */ ) {

        used = block.filled + corr_multipart_held(&r->m);

        if (used >= size) {
            block.filled = 0;
            continue;
        }

        seed = seed * 1664525 + 1013904223;
        n = 1 + (seed >> 16) % most;
        n = (n > size - used) ? size - used : n;
        n = (n > body.len - i) ? body.len - i : n;

        memcpy(block.data + used, body.data + i, n);
        record_block_feed(r, &block, corr_make_str(block.data + used, n), 0);
        i += n;
    }

    free(block.data);
    record_finish(r);
}


static inline int
record_same(const corr_record_t *a, const corr_record_t *b)
{
    return a->rc == b->rc && a->len == b->len
           && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}


#endif /* CORR_RECORD_H */
