/*
 * The three families of decimal digits that people type: ASCII, Persian
 * (U+06F0..F9) and Arabic-Indic (U+0660..69).
 *
 * Functions that return a string return data == NULL only when there is no
 * memory.  Input need not be valid UTF-8: what is not one of the characters
 * below is copied byte by byte.
 */

#ifndef CORR_DIGITS_H
#define CORR_DIGITS_H

#include "base.h"


/* Every digit becomes ASCII, all else stays as it was. */

corr_str_t corr_digits_ascii(const corr_alloc_t *a, corr_str_t s);

/*
 * For codes and numbers that people copy, paste or dictate: digits become
 * ASCII, and what carries no meaning in them goes: blanks of any kind,
 * direction marks (U+200E/F, 202A-E, 2066-9, 061C), joiners (U+200B-D,
 * 2060, FEFF), tatweel, and dashes (-, U+2010..2015, 2212).
 */

corr_str_t corr_digits_clean(const corr_alloc_t *a, corr_str_t s);

/* Every digit becomes Persian, for showing. */

corr_str_t corr_digits_persian(const corr_alloc_t *a, corr_str_t s);

/*
 * A whole number, 0..max, in any digit family, with blanks and direction
 * marks around it and nothing else (no sign, no grouping).
 * CORR_OK or CORR_INVALID (empty, other characters, larger than max).
 */

int corr_digits_number(corr_str_t s, uint64_t max, uint64_t *n);

/*
 * The digit at p, for scanners: its value 0..9 and its length in *size, or
 * -1.
 */

int corr_digit_at(const unsigned char *p, const unsigned char *last,
    size_t *size);


#endif /* CORR_DIGITS_H */
