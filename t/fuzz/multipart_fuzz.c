/*
 * A body read whole and read in pieces must be the same thing.  The first
 * byte seeds the pieces; then the boundary up to a zero byte; then the body.
 */

#include "fuzz.h"
#include "record.h"


static const corr_multipart_limits_t  limits = { 6, 4, 300, 20, 40 };


static void
pieces(corr_record_t *r, corr_str_t boundary, corr_str_t body, uint32_t seed)
{
    size_t  i, n;

    if (record_start(r, boundary, &limits) != CORR_OK) {
        return;
    }

    for (i = 0; i < body.len; i += n) {
        seed = seed * 1664525 + 1013904223;
        n = (seed >> 24) % 40;

        if (n > body.len - i) {
            n = body.len - i;
        }

        record_feed(r, body.data + i, n);
    }

    record_finish(r);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    corr_str_t       boundary, body, unused;
    corr_record_t    whole, split, bytes, block;
    const uint8_t   *end;

    if (size < 2) {
        return 0;
    }

    end = memchr(data + 1, '\0', size - 1);
    if (end == NULL) {
        return 0;
    }

    boundary = corr_make_str(data + 1, (size_t) (end - data - 1));
    body = corr_make_str(end + 1, (size_t) (data + size - end - 1));

    (void) corr_multipart_boundary(boundary, &unused);
    (void) corr_multipart_boundary(body, &unused);

    record_body(&whole, boundary, &limits, body, 0, 0, 0);
    record_body(&bytes, boundary, &limits, body, 0, 0, 1);
    pieces(&split, boundary, body, data[0]);
    record_in_block(&block, boundary, &limits, body, 96 + data[0], 64,
                    data[0] % 4 * 97, data[0]);

    must(record_same(&whole, &bytes));
    must(record_same(&whole, &split));
    must(record_same(&whole, &block));
    must(whole.parts <= limits.parts && whole.ends <= 1);
    must(whole.rc != CORR_OK || whole.ends == 1);
    must(whole.len <= body.len * 2 + whole.parts * 200 + 100);

    record_free(&whole);
    record_free(&bytes);
    record_free(&block);
    record_free(&split);

    return 0;
}
