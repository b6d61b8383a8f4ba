/*
 * Tracking codes: random digits and a check digit by ISO/IEC 7064,
 * MOD 11,10, which notices every single wrong digit and nearly every swap
 * of two neighbours before the database is asked.
 */

#ifndef CORR_TRACKING_H
#define CORR_TRACKING_H

#include "base.h"


#define CORR_TRACKING_MIN   6       /* digits, the check digit included */
#define CORR_TRACKING_MAX   18


/* The check digit ('0'..'9') of ASCII digits, or 0 when s is not digits. */

unsigned char corr_tracking_check_digit(corr_str_t digits);

/*
 * What was typed, in any digit family, with blanks or dashes, as it is
 * stored: ASCII.  A corr_check_pt (ids.h): CORR_OK, CORR_INVALID (not
 * digits, or too few or many), CORR_CHECKSUM, CORR_ERROR.
 */

int corr_check_tracking(const corr_alloc_t *a, corr_str_t s,
    corr_str_t *out);


#endif /* CORR_TRACKING_H */
