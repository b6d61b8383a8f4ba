/*
 * Persian text: what is kept of what people type, and how two texts are
 * compared in a search.
 */

#ifndef CORR_TEXT_H
#define CORR_TEXT_H

#include "base.h"


#define CORR_UTF8_BAD   0xffffffff

/*
 * The character at *p, which moves behind it.  CORR_UTF8_BAD (and *p one
 * byte further) for what RFC 3629 does not allow: overlong forms,
 * surrogates, above U+10FFFF, a cut sequence.  *p must be below last.
 */

uint32_t corr_utf8_next(const unsigned char **p, const unsigned char *last);

/* Writes a character (1..4 bytes) and returns the place behind it. */

unsigned char *corr_utf8_put(unsigned char *dst, uint32_t c);

int corr_utf8_valid(corr_str_t s);

/* Characters (code points), for the limits that people are told. */

size_t corr_utf8_length(corr_str_t s);

/* The first n characters of s, never half of one. */

corr_str_t corr_utf8_prefix(corr_str_t s, size_t n);


/*
 * Text as it is stored.
 *
 *   - Arabic yeh U+064A and alef maksura U+0649 become U+06CC, Arabic kaf
 *     U+0643 becomes U+06A9 (yeh with hamza U+0626 stays);
 *   - alef, waw and yeh with a separate madda or hamza become one character
 *     (macOS sends file names that way);
 *   - tatweel, U+00AD, U+200B, U+FEFF go, and so do U+202A-E and U+2066-9,
 *     with which a text could turn the page around it;
 *   - blanks of any kind become one space, none at the ends of lines;
 *   - a ZWNJ stays between letters only: not at an end, not beside a space,
 *     not twice;
 *   - digits stay as typed.
 *
 * Without CORR_TEXT_LINES line breaks are blanks too, and U+200E, U+200F
 * and U+061C go (names, subjects).  With it CR LF, CR, U+2028 and U+2029
 * become LF, at most one line in a row stays empty, and those marks stay.
 *
 * CORR_OK; CORR_INVALID: not UTF-8, or with control characters (other than
 * tab, CR, LF) or noncharacters in it; CORR_ERROR: no memory.
 * The result is never longer than s.  Cleaning it again changes nothing.
 */

#define CORR_TEXT_LINES   1

int corr_text_clean(const corr_alloc_t *a, corr_str_t s, unsigned flags,
    corr_str_t *out);

/*
 * Text as it is compared.  On top of the cleaning without CORR_TEXT_LINES:
 *
 *   - digits of all families are ASCII, A..Z are a..z;
 *   - a ZWNJ is a space, a ZWJ (U+200D) goes;
 *   - U+0622, 0623, 0625, 0671 are U+0627; U+0624 is U+0648; U+0626 is
 *     U+06CC; U+0629, 06C0, 06C2 are U+0647; a hamza by itself (U+0621)
 *     goes;
 *   - marks go: U+064B..U+065F, U+0670.
 *
 * Both sides of a comparison have to be folded.  Results as above.
 */

int corr_text_search(const corr_alloc_t *a, corr_str_t s, corr_str_t *out);

/*
 * The name of an uploaded file, as data to show and to offer on download;
 * never a path on a disk.  What stands before the last / or \ goes, the
 * rest is cleaned as text, dots at both ends go, :*?"<>| become _, and
 * what is longer than max characters loses its middle: the extension stays
 * (max is at least 16).  The result may be empty.  Results as above, but ASCII
 * control characters are blanks.
 */

int corr_text_filename(const corr_alloc_t *a, corr_str_t s, size_t max,
    corr_str_t *out);


#endif /* CORR_TEXT_H */
