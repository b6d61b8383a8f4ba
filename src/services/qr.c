/*
 * QR codes as the path of an SVG.
 */

#include "qr.h"

#include <errno.h>
#include <qrencode.h>
#include <stdio.h>


/* "M177 177h177v1h-177z": one run of dark modules */

#define CORR_QR_RUN    sizeof("M1000 1000h1000v1h-1000z")


static size_t corr_qr_runs(const QRcode *code);
static size_t corr_qr_draw(const QRcode *code, char *out, size_t size);
static int corr_qr_next(const QRcode *code, int *x, int *y, int *len);


int
corr_qr_path(const corr_alloc_t *a, corr_str_t text, corr_qr_t *qr)
{
    size_t   size;
    QRcode  *code;

    if (text.len == 0) {
        return CORR_INVALID;
    }

    /* as bytes: every reader takes UTF-8 there, few know ECI */

    code = text.len > 4096
           ? NULL
           : QRcode_encodeData((int) text.len, text.data, 0, QR_ECLEVEL_M);

    if (code == NULL) {
        return text.len > 4096 || errno == ERANGE ? CORR_LIMIT : CORR_ERROR;
    }

    size = corr_qr_runs(code) * CORR_QR_RUN + 1;

    qr->path.data = corr_alloc(a, size);

    if (qr->path.data == NULL) {
        QRcode_free(code);
        return CORR_ERROR;
    }

    qr->path.len = corr_qr_draw(code, (char *) qr->path.data, size);
    qr->size = (unsigned) code->width + 2 * CORR_QR_QUIET;

    QRcode_free(code);

    return CORR_OK;
}


static size_t
corr_qr_runs(const QRcode *code)
{
    int     x, y, len;
    size_t  n;

    n = 0;
    x = 0;
    y = 0;

    while (corr_qr_next(code, &x, &y, &len)) {
        x += len;
        n++;
    }

    return n;
}


static size_t
corr_qr_draw(const QRcode *code, char *out, size_t size)
{
    int     x, y, len;
    size_t  n;

    n = 0;
    x = 0;
    y = 0;

    while (corr_qr_next(code, &x, &y, &len)) {
        n += (size_t) snprintf(out + n, size - n, "M%d %dh%dv1h-%dz",
                               x + CORR_QR_QUIET, y + CORR_QR_QUIET, len,
                               len);
        x += len;
    }

    return n;
}


/* The next run of dark modules at or after x, y. */

static int
corr_qr_next(const QRcode *code, int *x, int *y, int *len)
{
    const unsigned char  *row;

    for ( /* void */ ; *y < code->width; (*y)++, *x = 0) {
        row = code->data + *y * code->width;

        while (*x < code->width && !(row[*x] & 1)) {
            (*x)++;
        }

        if (*x == code->width) {
            continue;
        }

        for (*len = 0; *x + *len < code->width && (row[*x + *len] & 1);
             (*len)++)
        {
            /* void */
        }

        return 1;
    }

    return 0;
}
