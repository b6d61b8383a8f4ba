/*
 * QR codes as the path of an SVG: for receipts and for authenticators.
 */

#ifndef CORR_QR_H
#define CORR_QR_H

#include "../lib/base.h"


#define CORR_QR_QUIET    4       /* modules around it, ISO/IEC 18004 */


typedef struct {
    corr_str_t      path;        /* of <path d="…">, dark modules */
    unsigned        size;        /* viewBox="0 0 size size", quiet zone
                                    included */
} corr_qr_t;


/*
 * Error correction level M.  CORR_LIMIT: the text does not fit a QR code;
 * CORR_INVALID: it is empty; CORR_ERROR: no memory.
 */
int corr_qr_path(const corr_alloc_t *a, corr_str_t text, corr_qr_t *qr);


#endif /* CORR_QR_H */
