/*
 * multipart/form-data (RFC 7578), read as it arrives, in constant memory.
 *
 * The caller pulls events; between two of them it may wait for a disk as
 * long as it likes.  The same body gives the same events whatever way it is
 * cut (pieces of data may be cut differently, their sum is the same).
 *
 *     corr_multipart_init(&m, boundary, NULL);
 *
 *     for each buffer `in` of the body
 *         while ((rc = corr_multipart_next(&m, &in, &event)) == CORR_OK)
 *             switch (event.type) ...
 *         rc is CORR_AGAIN (in is used up), or why the body is refused
 *
 *     rc = corr_multipart_finish(&m);
 *
 * One form is accepted, the one that browsers and curl send.  Refused with
 * CORR_INVALID: anything before the first delimiter but one CR LF, anything
 * behind the last but blanks and one CR LF; lines that end with a bare LF or
 * CR; folded header lines; control characters and invalid UTF-8 in headers;
 * a part without exactly one Content-Disposition: form-data with exactly one
 * not empty name and at most one filename; parameters with a * (filename*:
 * RFC 7578, 4.2); nested multipart/...; a Content-Transfer-Encoding that
 * encodes; a charset other than UTF-8 on a text part; a missing end.
 * What looks like a delimiter but is not followed by --, or by blanks (up to
 * CORR_MULTIPART_BLANKS) and CR LF, is data.
 */

#ifndef CORR_MULTIPART_H
#define CORR_MULTIPART_H

#include "base.h"


#define CORR_BOUNDARY_MAX        70         /* RFC 2046, 5.1.1 */
#define CORR_MULTIPART_HEAD      4096       /* limit of limits.header_bytes */
#define CORR_MULTIPART_BLANKS    16


typedef struct {
    unsigned                 parts;         /* 64 */
    unsigned                 headers;       /* 8, in one part */
    size_t                   header_bytes;  /* 2048, in one part */
    size_t                   name;          /* 64, bytes */
    size_t                   filename;      /* 1024, bytes */
} corr_multipart_limits_t;


typedef enum {
    CORR_MULTIPART_PART = 1,                /* a part begins */
    CORR_MULTIPART_DATA,                    /* some of its bytes */
    CORR_MULTIPART_PART_END,                /* the part is complete */
    CORR_MULTIPART_END                      /* the last delimiter was there */
} corr_multipart_event_e;


/*
 * Strings live until the next call.  filename.data is NULL for a field
 * without a file, filename.len is 0 when a file field was left empty.  It is
 * what the client said, with %22 %0D %0A and backslashed quotes decoded:
 * corr_text_filename() makes it presentable.  content_type ("image/jpeg",
 * without parameters, data NULL when absent) is a claim, never a fact.
 */

typedef struct {
    corr_multipart_event_e   type;
    corr_str_t               name;          /* PART */
    corr_str_t               filename;      /* PART */
    corr_str_t               content_type;  /* PART */
    corr_str_t               data;          /* DATA, never empty */
} corr_multipart_event_t;


typedef struct {
    corr_multipart_limits_t  limits;

    /* private */
    unsigned                 state;
    unsigned                 match;         /* state of the delimiter */
    size_t                   matched;       /* bytes, or blanks, of it */
    int                      failed;
    unsigned                 nparts;
    unsigned                 nheaders;
    size_t                   line;          /* where a header line began */
    size_t                   head_len;
    size_t                   held;          /* a delimiter cut by an input */
    size_t                   delimiter_len; /* CR LF -- boundary */
    unsigned char            delimiter[4 + CORR_BOUNDARY_MAX];
    unsigned char            hold[4 + CORR_BOUNDARY_MAX
                                  + CORR_MULTIPART_BLANKS + 2];
    unsigned char            head[CORR_MULTIPART_HEAD];
} corr_multipart_t;


/*
 * The boundary out of a Content-Type header; it points into the header.
 * CORR_INVALID when that is not multipart/form-data with exactly one
 * boundary of 1..70 permitted characters, plain or quoted.
 */

int corr_multipart_boundary(corr_str_t content_type, corr_str_t *boundary);

/* limits NULL: the figures above.  CORR_INVALID: such a boundary cannot be. */

int corr_multipart_init(corr_multipart_t *m, corr_str_t boundary,
    const corr_multipart_limits_t *limits);

/*
 * CORR_OK: *event, and *in without what was used; CORR_AGAIN: *in is empty,
 * more is needed; CORR_INVALID; CORR_LIMIT.  A failure stays.
 */

int corr_multipart_next(corr_multipart_t *m, corr_str_t *in,
    corr_multipart_event_t *event);

/*
 * What the parser keeps of the last input, which may be the beginning of a
 * delimiter: if it is none, so many bytes of data come before those of the
 * next input.
 */

size_t corr_multipart_held(const corr_multipart_t *m);

/* The body has ended.  CORR_INVALID when its last delimiter was not there. */

int corr_multipart_finish(corr_multipart_t *m);


#endif /* CORR_MULTIPART_H */
