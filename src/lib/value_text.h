/*
 * Values in machine form: JSON, attributes, what programs read back.
 */

#ifndef CORR_VALUE_TEXT_H
#define CORR_VALUE_TEXT_H

#include "base.h"


#define CORR_VALUE_TEXT   40        /* bytes that hold any of these */


/*
 * Each writes to dst, without a NUL, and returns the number of bytes.  0:
 * there is no such form (infinity; an instant or day out of the calendar).
 */

size_t corr_int_text(unsigned char *dst, int64_t n);

/* The shortest text that reads back as the same number. */
size_t corr_float_text(unsigned char *dst, double d);

/* 2025-11-22 (Gregorian, RFC 3339) */
size_t corr_iso_date(unsigned char *dst, int64_t days);

/* 2025-11-22T16:35:00+03:30; offset in seconds, east is positive */
size_t corr_iso_time(unsigned char *dst, int64_t usec, int offset);


#endif /* CORR_VALUE_TEXT_H */
