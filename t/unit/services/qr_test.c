/*
 * QR codes: with an argument it prints the picture of that text as a PGM,
 * for another program to read (qr.t); without, it is a TAP program.
 */

#include "tap.h"
#include "services/qr.h"

#include <string.h>


#define ZOOM    4


static int
draw(const char *text)
{
    char            path[65536], *p;
    int             x, y, len, i, j;
    unsigned char  *pixels;
    unsigned        side;
    corr_qr_t       qr;

    if (corr_qr_path(tap_alloc(), corr_cstr(text), &qr) != CORR_OK) {
        return 1;
    }

    side = qr.size * ZOOM;
    pixels = malloc(side * side);
    memset(pixels, 255, side * side);

    memcpy(path, qr.path.data, qr.path.len);
    path[qr.path.len] = '\0';

    for (p = path; *p; p = strchr(p, 'z') + 1) {
        if (sscanf(p, "M%d %dh%dv1h", &x, &y, &len) != 3) {
            return 1;
        }

        for (j = y * ZOOM; j < (y + 1) * ZOOM; j++) {
            for (i = x * ZOOM; i < (x + len) * ZOOM; i++) {
                pixels[(unsigned) j * side + (unsigned) i] = 0;
            }
        }
    }

    printf("P5 %u %u 255\n", side, side);
    fwrite(pixels, 1, side * side, stdout);
    free(pixels);
    corr_arena_destroy(tap_memory);

    return 0;
}


int
main(int argc, char **argv)
{
    char       *large;
    corr_qr_t   qr;

    if (argc == 2) {
        return draw(argv[1]);
    }

    is_int(corr_qr_path(tap_alloc(), CORR_STR("https://example.ir/x"), &qr),
           CORR_OK, "a short text");
    is_int(qr.size, 25 + 8, "version 2, and four modules around it");
    ok(strspn((char *) qr.path.data, "Mhvz -0123456789") >= qr.path.len,
       "a path and nothing else");

    is_int(corr_qr_path(tap_alloc(), CORR_STR(""), &qr), CORR_INVALID,
           "nothing");

    /* ISO/IEC 18004, table 7: 40-M holds 2331 bytes */

    large = malloc(5000);
    memset(large, 'a', 5000);

    is_int(corr_qr_path(tap_alloc(), corr_make_str(large, 2331), &qr),
           CORR_OK, "2331 bytes");
    is_int(corr_qr_path(tap_alloc(), corr_make_str(large, 2332), &qr),
           CORR_LIMIT, "2332 bytes");
    is_int(corr_qr_path(tap_alloc(), corr_make_str(large, 5000), &qr),
           CORR_LIMIT, "5000 bytes");

    free(large);

    return tap_done();
}
