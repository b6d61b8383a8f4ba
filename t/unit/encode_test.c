#include "tap.h"
#include "encode.h"


typedef int (*decode_pt)(corr_str_t s, unsigned char *dst, size_t size,
    size_t *len);


static void
decode(decode_pt pt, const char *in, int rc, const char *expected)
{
    int             got;
    size_t          len;
    corr_str_t      dst;

    dst = exact(1, CORR_STR("...................."));
    got = pt(exact(0, corr_cstr(in)), dst.data, dst.len, &len);

    is_int(got, rc, in);

    if (rc == CORR_OK) {
        is_text(corr_make_str(dst.data, len), expected, "  its bytes");
    }
}


static void
base32(const char *in, const char *expected)
{
    corr_str_t      bytes = corr_cstr(in);
    unsigned char   buf[64], *last;

    last = corr_base32_encode(buf, exact(0, bytes));

    is_text(corr_make_str(buf, (size_t) (last - buf)), expected, expected);
    is_int((long long) corr_base32_len(bytes.len), (long long) (last - buf),
           "  its length");
    decode(corr_base32_decode, expected, CORR_OK, in);
}


int
main(void)
{
    size_t         len;
    unsigned char  room[2];

    /* RFC 4648, section 10, without the padding */

    base32("", "");
    base32("f", "MY");
    base32("fo", "MZXQ");
    base32("foo", "MZXW6");
    base32("foob", "MZXW6YQ");
    base32("fooba", "MZXW6YTB");
    base32("foobar", "MZXW6YTBOI");

    decode(corr_base32_decode, "mzxw 6ytb oi", CORR_OK, "foobar");
    decode(corr_base32_decode, "MZXW6YTBOI======", CORR_OK, "foobar");
    decode(corr_base32_decode, "MZXW6===", CORR_OK, "foo");
    decode(corr_base32_decode, "MZXW6==", CORR_INVALID, NULL);
    decode(corr_base32_decode, "MZ=W6===", CORR_INVALID, NULL);
    decode(corr_base32_decode, "========", CORR_INVALID, NULL);
    decode(corr_base32_decode, "M", CORR_INVALID, NULL);
    decode(corr_base32_decode, "A", CORR_INVALID, NULL);
    decode(corr_base32_decode, "AAA", CORR_INVALID, NULL);
    decode(corr_base32_decode, "MZX", CORR_INVALID, NULL);
    decode(corr_base32_decode, "MZ", CORR_INVALID, NULL);
    decode(corr_base32_decode, "M1", CORR_INVALID, NULL);
    decode(corr_base32_decode, "M\x19", CORR_INVALID, NULL);
    decode(corr_base32_decode, "M[", CORR_INVALID, NULL);

    decode(corr_base64url_decode, "Zm9vYmE", CORR_OK, "fooba");
    decode(corr_base64url_decode, "Zm9vYmE=", CORR_INVALID, NULL);
    decode(corr_base64url_decode, "Zm9vYmF", CORR_INVALID, NULL);
    decode(corr_base64url_decode, "Z", CORR_INVALID, NULL);
    decode(corr_base64url_decode, "A", CORR_INVALID, NULL);
    decode(corr_base64url_decode, "Zm9vY", CORR_INVALID, NULL);
    decode(corr_base64url_decode, "Zm9vA", CORR_INVALID, NULL);
    decode(corr_base64url_decode, "Zm+v", CORR_INVALID, NULL);
    decode(corr_base64url_decode, "Zm/v", CORR_INVALID, NULL);
    decode(corr_base64url_decode, "Zm v", CORR_INVALID, NULL);

    decode(corr_hex_decode, "666F6f", CORR_OK, "foo");
    decode(corr_hex_decode, "666", CORR_INVALID, NULL);
    decode(corr_hex_decode, "6g", CORR_INVALID, NULL);
    decode(corr_hex_decode, "@0", CORR_INVALID, NULL);
    decode(corr_hex_decode, "\x10\x11", CORR_INVALID, NULL);

    is_int(corr_hex_decode(CORR_STR("666f6f"), room, 2, &len), CORR_INVALID,
           "hex: no room");
    is_int(corr_base64url_decode(CORR_STR("Zm9v"), room, 2, &len),
           CORR_INVALID, "base64url: no room");
    is_int(corr_base32_decode(CORR_STR("MZXW6"), room, 2, &len), CORR_INVALID,
           "base32: no room");
    is_int(corr_base32_decode(CORR_STR("MZXQ"), room, 2, &len), CORR_OK,
           "base32: just enough");

    return tap_done();
}
