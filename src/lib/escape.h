/*
 * Text made safe for where it is going to stand.  There is one writer for
 * counting, copying and streaming, so that they cannot disagree.
 */

#ifndef CORR_ESCAPE_H
#define CORR_ESCAPE_H

#include "base.h"


typedef enum {
    /* text and quoted attributes: & < > " ' as references */
    CORR_ESCAPE_HTML = 0,

    /* a path segment, a query value, the value of filename*: all but
       A-Z a-z 0-9 - . _ ~ as %XX */
    CORR_ESCAPE_URL,

    /* inside the quotes of a JSON string, also within a <script>: " \ and
       control characters, < > & U+2028 U+2029 as \uXXXX */
    CORR_ESCAPE_JSON,

    /* one field of a CSV line: quoted when it has to be; what a spreadsheet
       would take for a formula (first character = + - @ tab CR LF NUL, or
       the fullwidth forms of = + - @) gets a ' in front */
    CORR_ESCAPE_CSV,

    /* one line of a log: control characters, DEL and backslash as \xXX */
    CORR_ESCAPE_LOG
} corr_escape_e;


typedef int (*corr_write_pt)(void *data, const void *p, size_t n);


/* Hands the escaped text out in pieces; returns the first result of write()
   that is not CORR_OK. */
int corr_escape_write(corr_escape_e kind, corr_str_t s, corr_write_pt write,
    void *data);

/* The number of bytes that corr_escape_put() is going to write. */
size_t corr_escape_len(corr_escape_e kind, corr_str_t s);

/* Returns the place behind what it wrote. */
unsigned char *corr_escape_put(corr_escape_e kind, unsigned char *dst,
    corr_str_t s);

/* s itself when nothing has to be escaped; data == NULL without memory. */
corr_str_t corr_escape(const corr_alloc_t *a, corr_escape_e kind,
    corr_str_t s);


/*
 * May s stand as the value of an HTTP header?  No control characters but
 * tab (so no CR, LF, NUL), no blank at an end (RFC 9110, 5.5).
 */
int corr_header_value_valid(corr_str_t s);

/*
 * May a browser be sent to s after a login?  Only a path of this host: begins
 * with one /, no second / or \ there, no backslash, control character, blank
 * or byte above 0x7e anywhere, and the same after decoding %XX in its path.
 */
int corr_path_local(corr_str_t s);


#endif /* CORR_ESCAPE_H */
