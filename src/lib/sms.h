/*
 * How many parts a text costs (3GPP TS 23.038, 23.040): GSM 7-bit default
 * alphabet when every character is in it or in its extension table (160
 * septets, or 153 in each of several parts), else UCS-2 (70, or 67; a
 * character outside the BMP takes two).  Neither an extended nor a surrogate
 * pair is cut between parts.
 */

#ifndef CORR_SMS_H
#define CORR_SMS_H

#include "base.h"


typedef struct {
    unsigned                 ucs2;          /* 1: UCS-2, 0: GSM 7-bit */
    size_t                   units;         /* septets or 16-bit units */
    size_t                   parts;         /* 0 for an empty text */
    size_t                   left;          /* units free in the last part */
} corr_sms_t;


/* CORR_INVALID when text is not UTF-8. */

int corr_sms_count(corr_str_t text, corr_sms_t *sms);

/* Do these bytes of the text, which is UTF-8, lie in more than one part? */

unsigned corr_sms_cuts(corr_str_t text, size_t from, size_t len);


#endif /* CORR_SMS_H */
