/*
 * Text, digits, numbers of people, dates, encodings, escapes: nothing reads
 * too far, and what each promises about its result holds.
 */

#include "fuzz.h"
#include "digits.h"
#include "encode.h"
#include "escape.h"
#include "ids.h"
#include "jalali.h"
#include "text.h"
#include "tracking.h"


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
fuzz_digits(const corr_alloc_t *a, corr_str_t s)
{
    uint64_t    n;
    corr_str_t  clean;

    clean = corr_digits_clean(a, s);
    must(clean.data != NULL && clean.len <= s.len);
    must(corr_digits_ascii(a, corr_digits_persian(a, s)).len
         == corr_digits_ascii(a, s).len);

    n = 0;
    must(corr_digits_number(s, 12345, &n) != CORR_OK || n <= 12345);
}


static void
fuzz_ids(const corr_alloc_t *a, corr_str_t s)
{
    size_t      i;
    corr_str_t  once, twice, first, last;

    static const corr_check_pt  checks[] = {
        corr_check_national_code, corr_check_legal_id, corr_check_mobile,
        corr_check_postal_code, corr_check_phone,
        corr_check_registration_number, corr_check_code, corr_check_email,
        corr_check_uuid, corr_check_tracking
    };

    for (i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        if (checks[i](a, s, &once) == CORR_OK) {
            must(checks[i](a, once, &twice) == CORR_OK);
            must(corr_str_eq(once, twice));
        }
    }

    if (corr_check_mobile(a, s, &once) == CORR_OK) {
        must(corr_mobile_mask(once, &first, &last) == CORR_OK);
        must(corr_mobile_answers(once, once));
    }

    (void) corr_mobile_answers(CORR_STR("09121234567"), s);
    (void) corr_tracking_check_digit(s);
}


static void
fuzz_dates(corr_str_t s)
{
    int64_t        days, back;
    corr_date_t    date;
    corr_moment_t  m;

    if (corr_jalali_parse(s, &days) == CORR_OK) {
        must(corr_jalali_from_days(days, &date) == CORR_OK);
        must(corr_jalali_to_days(date, &back) == CORR_OK && back == days);
    }

    if (s.len >= 8) {
        memcpy(&days, s.data, 8);

        if (corr_moment(days, CORR_TEHRAN_OFFSET, &m) == CORR_OK) {
            back = corr_day_start(m.days, CORR_TEHRAN_OFFSET)
                   + (m.hour * 3600 + m.minute * 60 + m.second) * CORR_USEC
                   + m.usec;
            must(back == days);
        }
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
    fuzz_digits(a, s);
    fuzz_ids(a, s);
    fuzz_dates(s);
    fuzz_bytes(a, s);

    corr_arena_destroy(arena);

    return 0;
}
