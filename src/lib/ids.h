/*
 * The numbers by which people, companies and places are known.
 *
 * Each corr_check_* takes what was typed (any digit family, blanks, dashes,
 * direction marks) and gives its one stored form, ASCII, in *out:
 *
 *   CORR_OK
 *   CORR_INVALID    wrong in shape (also: empty)
 *   CORR_CHECKSUM   right in shape, but a digit must be mistyped
 *   CORR_ERROR      no memory
 *
 * so that a table of fields can name its check.
 */

#ifndef CORR_IDS_H
#define CORR_IDS_H

#include "base.h"


#define CORR_CHECKSUM   -5


typedef int (*corr_check_pt)(const corr_alloc_t *a, corr_str_t s,
    corr_str_t *out);


/*
 * National code of a person: 10 digits; the last one follows from the sum of
 * the others by weights 10..2 modulo 11 (r < 2 ? r : 11 - r).  Ten equal
 * digits satisfy the sum and are refused as CORR_CHECKSUM.  Eight or nine
 * digits are not padded: the form asks for ten.
 */
int corr_check_national_code(const corr_alloc_t *a, corr_str_t s,
    corr_str_t *out);

/*
 * National id of a legal person: 11 digits; d = tenth digit + 2, weights
 * 29 27 23 19 17 29 27 23 19 17 on (digit + d), modulo 11, 10 counts as 0.
 * Eleven equal digits are refused.
 */
int corr_check_legal_id(const corr_alloc_t *a, corr_str_t s,
    corr_str_t *out);

/*
 * Mobile: (+98 | 0098 | 98 | 0 | nothing) 9 and nine digits, stored as
 * 09xxxxxxxxx.  Shape only: operators' prefixes change too often.
 */
int corr_check_mobile(const corr_alloc_t *a, corr_str_t s, corr_str_t *out);

/*
 * Postal code: 10 digits; the first five have no 0 and no 2, and do not
 * begin with four equal digits.  There is no check digit.
 */
int corr_check_postal_code(const corr_alloc_t *a, corr_str_t s,
    corr_str_t *out);

/*
 * Landline: (+98 | 0098 | 98 | 0 | nothing) area code [1-8]x and 8 local
 * digits that begin with 2..9, stored as 0xxxxxxxxxx.  Brackets, dots and
 * slashes are dropped too.
 */
int corr_check_phone(const corr_alloc_t *a, corr_str_t s, corr_str_t *out);

/* Registration number of a company: 1..10 digits, not all zero; leading
   zeros go. */
int corr_check_registration_number(const corr_alloc_t *a, corr_str_t s,
    corr_str_t *out);

/*
 * One-time codes and captcha answers: digits only (4..10 of them).  How many
 * there should be is the caller's knowledge.
 */
int corr_check_code(const corr_alloc_t *a, corr_str_t s, corr_str_t *out);

/*
 * E-mail: one address as people have them: printable ASCII without blanks,
 * quotes, brackets, comma, colon, semicolon and backslash before the @ (64
 * bytes at most), a host name with a dot behind it, 254 bytes at most.
 * Spaces around it go, the host is lower-cased, the rest stays.
 */
int corr_check_email(const corr_alloc_t *a, corr_str_t s, corr_str_t *out);

/* A UUID in its 36 character form, stored in lower case. */
int corr_check_uuid(const corr_alloc_t *a, corr_str_t s, corr_str_t *out);


/*
 * A mobile shown masked: the first four digits, three hidden, the last four.
 * mobile is the stored form (11 characters); first and last point into it.
 * CORR_INVALID when it is not of that form.
 */

#define CORR_NATIONAL_CODE_LEN   10

#define CORR_MOBILE_LEN      11
#define CORR_MOBILE_FIRST    4
#define CORR_MOBILE_HIDDEN   3
#define CORR_MOBILE_LAST     4

int corr_mobile_mask(corr_str_t mobile, corr_str_t *first, corr_str_t *last);

/*
 * Is this what belongs behind the mask?  answer, as typed, may be the whole
 * number in any form that corr_check_mobile() takes, or just the hidden
 * digits.  1 or 0; takes the same time for any wrong answer of one length.
 */

int corr_mobile_answers(corr_str_t mobile, corr_str_t answer);


#endif /* CORR_IDS_H */
