/*
 * Persian text, encodings, escapes: nothing reads too far, and what each
 * promises about its result holds.
 */

#include "fuzz.h"
#include "encode.h"
#include "escape.h"
#include "text.h"


static void
fuzz_text(const corr_alloc_t *a, corr_str_t s)
{
    int         rc;
    unsigned    flags;
    corr_str_t  once, twice;

    for (flags = 0; flags <= CORR_TEXT_LINES; flags++) {
        rc = corr_text_clean(a, s, flags, &once);
        must(rc == CORR_OK || rc == CORR_INVALID);

        if (rc == CORR_OK) {
            must(once.len <= s.len && corr_utf8_valid(once));
            must(corr_text_clean(a, once, flags, &twice) == CORR_OK);
            must(corr_str_eq(once, twice));
        }
    }

    if (corr_text_search(a, s, &once) == CORR_OK) {
        must(once.len <= s.len && corr_utf8_valid(once));
        must(corr_text_search(a, once, &twice) == CORR_OK);
        must(corr_str_eq(once, twice));
    }

    if (corr_text_filename(a, s, 16, &once) == CORR_OK) {
        must(corr_utf8_length(once) <= 16);
        must(memchr(once.data, '/', once.len) == NULL);
        must(once.len == 0 || once.data[0] != '.');
    }
}


static void
fuzz_bytes(const corr_alloc_t *a, corr_str_t s)
{
    int              kind;
    size_t           len;
    corr_str_t       text;
    unsigned char   *buf, *back;

    buf = corr_alloc(a, s.len * 2 + 1);
    back = corr_alloc(a, s.len * 2 + 1);
    must(buf != NULL && back != NULL);

    text = corr_make_str(buf, corr_hex_len(s.len));
    must(corr_hex_encode(buf, s) == buf + text.len);
    must(corr_hex_decode(text, back, s.len, &len) == CORR_OK);
    must(corr_str_eq(corr_make_str(back, len), s));

    text.len = corr_base64url_len(s.len);
    must(corr_base64url_encode(buf, s) == buf + text.len);
    must(corr_base64url_decode(text, back, s.len, &len) == CORR_OK);
    must(corr_str_eq(corr_make_str(back, len), s));

    text.len = corr_base32_len(s.len);
    must(corr_base32_encode(buf, s) == buf + text.len);
    must(corr_base32_decode(text, back, s.len, &len) == CORR_OK);
    must(corr_str_eq(corr_make_str(back, len), s));

    /* what decodes is the one way to write it */

    if (corr_base64url_decode(s, back, s.len, &len) == CORR_OK) {
        text.len = corr_base64url_len(len);
        (void) corr_base64url_encode(buf, corr_make_str(back, len));
        must(corr_str_eq(text, s));
    }

    (void) corr_base32_decode(s, back, s.len, &len);
    (void) corr_hex_decode(s, back, s.len, &len);

    for (kind = CORR_ESCAPE_HTML; kind <= CORR_ESCAPE_LOG; kind++) {
        text = corr_escape(a, (corr_escape_e) kind, s);
        must(text.data != NULL);
        must(text.len == corr_escape_len((corr_escape_e) kind, s));
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    corr_str_t      s;
    corr_arena_t   *arena;
    corr_alloc_t   *a;

    arena = corr_arena_create(0);
    must(arena != NULL);
    a = corr_arena_alloc(arena);

    /* never NULL: an empty input of libFuzzer may be */

    s = size ? corr_make_str(data, size) : CORR_STR("");

    fuzz_text(a, s);
    fuzz_bytes(a, s);

    corr_arena_destroy(arena);

    return 0;
}
