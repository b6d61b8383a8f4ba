/*
 * What a file is, by its content: JPEG, PNG or PDF.
 *
 * libmagic looks at the beginning; then the structure is checked as far as
 * that goes without decoding anything (untrusted pictures are never decoded
 * in a worker): markers and chunks in order, the end where it should be,
 * width and height from the header, an encrypted PDF recognised.  The name
 * that the browser gave must not contradict; the Content-Type it gave is
 * not looked at (ASVS 5.2.2).
 */

#ifndef CORR_FILETYPE_H
#define CORR_FILETYPE_H

#include "secrets.h"


/* A set; the directive's words are "jpeg", "png", "pdf". */

#define CORR_FILETYPE_JPEG    0x01
#define CORR_FILETYPE_PNG     0x02
#define CORR_FILETYPE_PDF     0x04


typedef enum {
    CORR_FILE_OK = 0,
    CORR_FILE_EMPTY,
    CORR_FILE_KIND,           /* not one of the kinds that are allowed */
    CORR_FILE_EXTENSION,      /* its name says it is something else */
    CORR_FILE_DAMAGED,        /* begins like one, but is cut or mixed */
    CORR_FILE_ENCRYPTED,      /* a PDF that asks for a password */
    CORR_FILE_PIXELS,         /* more pixels than allowed */
    CORR_FILE_READ            /* could not be read: errno */
} corr_file_verdict_e;


typedef struct {
    unsigned         kind;           /* one of CORR_FILETYPE_* */
    const char      *media_type;     /* "image/jpeg" … */
    const char      *extension;      /* "jpg" …: for the name when sent */
    uint32_t         width;          /* pixels; 0 for a PDF */
    uint32_t         height;
} corr_filetype_t;


typedef struct corr_filetypes_s  corr_filetypes_t;


/*
 * Where a JPEG's markers stand, noted while its bytes are at hand, so that a
 * picture of megabytes need not be read once more to find its end.  Zeroed
 * by whoever has it.
 */

#define CORR_FILE_MARKS       512

typedef struct {
    uint64_t         size;           /* bytes that were noted */
    uint64_t         at[CORR_FILE_MARKS];    /* of a marker's last FF */
    unsigned         n;
    unsigned         more:1;         /* there were more of them */
    unsigned         other:1;        /* it does not begin like a JPEG */
    unsigned         ff:1;           /* the last byte */
} corr_file_marks_t;

/* The next bytes of a file, from its first on. */
void corr_filetype_note(corr_file_marks_t *marks, const void *data,
    size_t len);


/*
 * allowed: the set; pixels: width × height at the most, 0: no limit.
 * Loads libmagic's database once to see that it is there.  NULL with the
 * reason in error.  May be used from many threads at once.
 */
corr_filetypes_t *corr_filetypes_load(unsigned allowed, uint64_t pixels,
    char error[CORR_SERVICE_ERROR]);
void corr_filetypes_free(corr_filetypes_t *types);

/* 0: no such word. */
unsigned corr_filetype_by_name(corr_str_t name);

/*
 * The kind of a stored file by what was found when it came in ("image/png"
 * from the database).  NULL: unknown.
 */
const corr_filetype_t *corr_filetype_by_media_type(corr_str_t media_type);

/*
 * Reads from fd (its position is not used).  Blocks: for a thread.  marks:
 * what was noted of all its bytes, or NULL.  name is the browser's, may be
 * empty or without an extension.
 */
corr_file_verdict_e corr_filetype_check(corr_filetypes_t *types, int fd,
    const corr_file_marks_t *marks, corr_str_t name, corr_filetype_t *found);

/* Name of the message in html/messages.txt: "file_type" … */
const char *corr_file_message(corr_file_verdict_e verdict);


#endif /* CORR_FILETYPE_H */
