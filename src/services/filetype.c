/*
 * What a file is, by its content.
 */

#define _GNU_SOURCE    /* memmem() */

#include "filetype.h"

#include <errno.h>
#include <magic.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>


#define CORR_FILE_BEGINNING    65536    /* bytes that libmagic sees */
#ifndef CORR_FILE_BUFFER                /* t/fuzz takes a small one */
#define CORR_FILE_BUFFER       65536
#endif
#define CORR_FILE_COOKIES      16       /* kept; one per thread is enough */
#define CORR_FILE_PDF_END      1024     /* %%EOF must be in there: ISO 32000-1
                                           annex H, note 18 */
#define CORR_FILE_TOKEN        64       /* "/Encrypt 123456 65535 R" fits */

/* nothing that unpacks, parses text or looks at anything but the beginning */

#define CORR_FILE_MAGIC        (MAGIC_MIME_TYPE | MAGIC_ERROR                 \
                                | MAGIC_NO_CHECK_COMPRESS                     \
                                | MAGIC_NO_CHECK_TAR | MAGIC_NO_CHECK_ELF     \
                                | MAGIC_NO_CHECK_CDF | MAGIC_NO_CHECK_APPTYPE \
                                | MAGIC_NO_CHECK_TOKENS                       \
                                | MAGIC_NO_CHECK_ENCODING                     \
                                | MAGIC_NO_CHECK_CSV | MAGIC_NO_CHECK_JSON)


/* A libmagic handle is for one thread at a time; loading one is slow. */

struct corr_filetypes_s {
    unsigned             allowed;
    uint64_t             pixels;
    pthread_mutex_t      mutex;
    magic_t              cookies[CORR_FILE_COOKIES];
    size_t               ncookies;
};


typedef struct {
    int                  fd;
    uint64_t             pos;        /* of what is in buf */
    uint64_t             size;       /* of the file */
    size_t               at;         /* in buf */
    size_t               have;       /* in buf */
    int                  failed;     /* errno */
    const corr_file_marks_t *marks;  /* NULL: read */
    unsigned             mark;       /* the next of them */
    unsigned char        buf[CORR_FILE_BUFFER];
} corr_reader_t;


typedef struct {
    corr_filetype_t      type;
    corr_str_t           beginning;
    const char          *extensions; /* each between blanks */
    corr_file_verdict_e (*check)(corr_reader_t *reader,
                                 corr_filetype_t *found);
} corr_file_kind_t;


static magic_t corr_filetypes_take(corr_filetypes_t *types);
static void corr_filetypes_give(corr_filetypes_t *types, magic_t cookie);
static const corr_file_kind_t *corr_filetype_look(corr_filetypes_t *types,
    corr_reader_t *reader);
static int corr_filetype_begins(const corr_file_kind_t *kind,
    const corr_reader_t *reader);
static int corr_filetype_agrees(const corr_file_kind_t *kind,
    corr_str_t name);
static corr_file_verdict_e corr_jpeg_check(corr_reader_t *reader,
    corr_filetype_t *found);
static int corr_jpeg_marker(corr_reader_t *reader, int in_scan);
static int corr_jpeg_noted(corr_reader_t *reader);
static int corr_jpeg_is_data(int marker);
static void corr_file_mark(corr_file_marks_t *marks, uint64_t at, int marker);
static int corr_jpeg_is_frame(int marker);
static corr_file_verdict_e corr_png_check(corr_reader_t *reader,
    corr_filetype_t *found);
static corr_file_verdict_e corr_pdf_check(corr_reader_t *reader,
    corr_filetype_t *found);
static int corr_pdf_encrypted(const unsigned char *p,
    const unsigned char *last);
static const unsigned char *corr_pdf_number(const unsigned char *p,
    const unsigned char *last);
static const unsigned char *corr_pdf_blanks(const unsigned char *p,
    const unsigned char *last);
static void corr_reader_seek(corr_reader_t *reader, uint64_t pos);
static int corr_reader_fill(corr_reader_t *reader);
static int corr_reader_byte(corr_reader_t *reader);
static int corr_reader_find(corr_reader_t *reader, int byte);
static int64_t corr_reader_number(corr_reader_t *reader, unsigned bytes);
static int corr_reader_skip(corr_reader_t *reader, uint64_t n);


#define corr_file_begins(text)                                                \
    { sizeof(text) - 1, (unsigned char *) (text) }

static const corr_file_kind_t  corr_file_kinds[] = {
    { { CORR_FILETYPE_JPEG, "image/jpeg", "jpg", 0, 0 },
      corr_file_begins("\xff\xd8\xff"),
      " jpg jpeg jpe jfif ", corr_jpeg_check },
    { { CORR_FILETYPE_PNG, "image/png", "png", 0, 0 },
      corr_file_begins("\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
      " png ", corr_png_check },
    { { CORR_FILETYPE_PDF, "application/pdf", "pdf", 0, 0 },
      corr_file_begins("%PDF-"),
      " pdf ", corr_pdf_check }
};

#define CORR_FILE_KINDS                                                       \
    (sizeof(corr_file_kinds) / sizeof(corr_file_kinds[0]))


corr_filetypes_t *
corr_filetypes_load(unsigned allowed, uint64_t pixels,
    char error[CORR_SERVICE_ERROR])
{
    magic_t            cookie;
    corr_filetypes_t  *types;

    error[0] = '\0';

    types = calloc(1, sizeof(corr_filetypes_t));

    if (types == NULL || pthread_mutex_init(&types->mutex, NULL) != 0) {
        snprintf(error, CORR_SERVICE_ERROR, "no memory");
        free(types);
        return NULL;
    }

    types->allowed = allowed;
    types->pixels = pixels;

    cookie = corr_filetypes_take(types);

    if (cookie == NULL) {
        snprintf(error, CORR_SERVICE_ERROR,
                 "libmagic cannot load its database");
        corr_filetypes_free(types);
        return NULL;
    }

    corr_filetypes_give(types, cookie);

    return types;
}


void
corr_filetypes_free(corr_filetypes_t *types)
{
    if (types == NULL) {
        return;
    }

    while (types->ncookies) {
        magic_close(types->cookies[--types->ncookies]);
    }

    pthread_mutex_destroy(&types->mutex);
    free(types);
}


static magic_t
corr_filetypes_take(corr_filetypes_t *types)
{
    magic_t  cookie;

    cookie = NULL;

    pthread_mutex_lock(&types->mutex);

    if (types->ncookies) {
        cookie = types->cookies[--types->ncookies];
    }

    pthread_mutex_unlock(&types->mutex);

    if (cookie != NULL) {
        return cookie;
    }

    cookie = magic_open(CORR_FILE_MAGIC);

    if (cookie != NULL && magic_load(cookie, NULL) != 0) {
        magic_close(cookie);
        return NULL;
    }

    return cookie;
}


static void
corr_filetypes_give(corr_filetypes_t *types, magic_t cookie)
{
    pthread_mutex_lock(&types->mutex);

    if (types->ncookies < CORR_FILE_COOKIES) {
        types->cookies[types->ncookies++] = cookie;
        cookie = NULL;
    }

    pthread_mutex_unlock(&types->mutex);

    if (cookie != NULL) {
        magic_close(cookie);
    }
}


unsigned
corr_filetype_by_name(corr_str_t name)
{
    size_t  i;

    static const char  *names[CORR_FILE_KINDS] = { "jpeg", "png", "pdf" };

    for (i = 0; i < CORR_FILE_KINDS; i++) {
        if (corr_str_is(name, names[i])) {
            return corr_file_kinds[i].type.kind;
        }
    }

    return 0;
}


const corr_filetype_t *
corr_filetype_by_media_type(corr_str_t media_type)
{
    size_t  i;

    for (i = 0; i < CORR_FILE_KINDS; i++) {
        if (corr_str_is(media_type, corr_file_kinds[i].type.media_type)) {
            return &corr_file_kinds[i].type;
        }
    }

    return NULL;
}


const char *
corr_file_message(corr_file_verdict_e verdict)
{
    static const char  *names[] = {
        "", "file_empty", "file_type", "file_type", "file_damaged",
        "file_encrypted", "file_pixels", "file_failed"
    };

    return names[verdict];
}


corr_file_verdict_e
corr_filetype_check(corr_filetypes_t *types, int fd,
    const corr_file_marks_t *marks, corr_str_t name, corr_filetype_t *found)
{
    struct stat              st;
    corr_reader_t           *reader;
    corr_file_verdict_e      verdict;
    const corr_file_kind_t  *kind;

    memset(found, 0, sizeof(corr_filetype_t));

    if (fstat(fd, &st) == -1) {
        return CORR_FILE_READ;
    }

    if (st.st_size == 0) {
        return CORR_FILE_EMPTY;
    }

    reader = malloc(sizeof(corr_reader_t));
    if (reader == NULL) {
        return CORR_FILE_READ;
    }

    reader->fd = fd;
    reader->size = (uint64_t) st.st_size;
    reader->failed = 0;
    reader->marks = marks != NULL && !marks->other
                    && marks->size == reader->size ? marks : NULL;
    reader->mark = 0;
    corr_reader_seek(reader, 0);

    kind = corr_filetype_look(types, reader);

    if (kind == NULL) {
        verdict = CORR_FILE_KIND;

    } else if (!corr_filetype_agrees(kind, name)) {
        verdict = CORR_FILE_EXTENSION;

    } else {
        *found = kind->type;
        verdict = kind->check(reader, found);
    }

    if (reader->failed) {
        errno = reader->failed;
        verdict = CORR_FILE_READ;
    }

    free(reader);

    if (verdict == CORR_FILE_OK && types->pixels
        && (uint64_t) found->width * found->height > types->pixels)
    {
        return CORR_FILE_PIXELS;
    }

    return verdict;
}


/*
 * libmagic has the last word, and is asked only about what begins like one of
 * ours: of any text it tries expressions that take it a second.
 */

static const corr_file_kind_t *
corr_filetype_look(corr_filetypes_t *types, corr_reader_t *reader)
{
    size_t                   i;
    magic_t                  cookie;
    const char              *media;
    const corr_file_kind_t  *kind;

    if (corr_reader_fill(reader) <= 0) {
        return NULL;
    }

    kind = NULL;

    for (i = 0; i < CORR_FILE_KINDS; i++) {
        if ((types->allowed & corr_file_kinds[i].type.kind)
            && corr_filetype_begins(&corr_file_kinds[i], reader))
        {
            kind = &corr_file_kinds[i];
        }
    }

    if (kind == NULL) {
        return NULL;
    }

    cookie = corr_filetypes_take(types);

    if (cookie == NULL) {
        reader->failed = ENOMEM;
        return NULL;
    }

    media = magic_buffer(cookie, reader->buf,
                         reader->have < CORR_FILE_BEGINNING
                         ? reader->have : CORR_FILE_BEGINNING);

    if (media == NULL || strcmp(media, kind->type.media_type) != 0) {
        kind = NULL;
    }

    corr_filetypes_give(types, cookie);

    return kind;
}


static int
corr_filetype_begins(const corr_file_kind_t *kind,
    const corr_reader_t *reader)
{
    return reader->have >= kind->beginning.len
           && memcmp(reader->buf, kind->beginning.data, kind->beginning.len)
              == 0;
}


/*
 * An extension is one to five ASCII letters and digits, not all digits;
 * what else follows a dot is a part of the name, and a name without an
 * extension contradicts nothing.
 */

static int
corr_filetype_agrees(const corr_file_kind_t *kind, corr_str_t name)
{
    int            letters;
    char           word[8];
    size_t         i, n;
    unsigned char  c;

    for (i = name.len; i && name.data[i - 1] != '.'; i--) {
        /* void */
    }

    n = name.len - i;

    if (i == 0 || n == 0 || n > 5) {
        return 1;
    }

    letters = 0;
    word[0] = ' ';

    for (n = 1; i < name.len; i++, n++) {
        c = name.data[i];

        if (c >= 'A' && c <= 'Z') {
            c |= 0x20;
        }

        if (c >= 'a' && c <= 'z') {
            letters = 1;

        } else if (c < '0' || c > '9') {
            return 1;
        }

        word[n] = (char) c;
    }

    if (!letters) {
        return 1;
    }

    word[n] = ' ';
    word[n + 1] = '\0';

    return strstr(kind->extensions, word) != NULL;
}


/*
 * JPEG, ITU T.81 annex B: segments up to the end of the image.  What follows
 * it is not looked at: phones put second pictures and films there.
 */

static corr_file_verdict_e
corr_jpeg_check(corr_reader_t *reader, corr_filetype_t *found)
{
    int      marker, in_scan;
    int64_t  len, height, width;

    corr_reader_seek(reader, 0);

    if (corr_reader_number(reader, 2) != 0xffd8) {
        return CORR_FILE_DAMAGED;
    }

    in_scan = 0;

    for ( ;; ) {
        marker = corr_jpeg_marker(reader, in_scan);

        if (marker == 0xd9) {
            return in_scan && found->width && found->height
                   ? CORR_FILE_OK : CORR_FILE_DAMAGED;
        }

        if (marker < 0xc0 || (marker >= 0xd0 && marker <= 0xd8)) {
            return CORR_FILE_DAMAGED;
        }

        len = corr_reader_number(reader, 2);
        if (len < 2) {
            return CORR_FILE_DAMAGED;
        }

        len -= 2;

        if (corr_jpeg_is_frame(marker)) {
            (void) corr_reader_byte(reader);
            height = corr_reader_number(reader, 2);
            width = corr_reader_number(reader, 2);

            /* one frame: decoders draw the first, whatever a second says */

            if (len < 5 || height <= 0 || width <= 0 || found->width) {
                return CORR_FILE_DAMAGED;
            }

            found->width = (uint32_t) width;
            found->height = (uint32_t) height;
            len -= 5;
        }

        if (corr_reader_skip(reader, (uint64_t) len) != CORR_OK) {
            return CORR_FILE_DAMAGED;
        }

        if (marker == 0xda) {
            in_scan = 1;
        }
    }
}


static int
corr_jpeg_is_frame(int marker)
{
    return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4
           && marker != 0xc8 && marker != 0xcc;
}


/*
 * The next marker, or -1.  In a scan the picture's own bytes come first:
 * FF 00 is one of them, FF D0 … FF D7 stand between them.
 */

static int
corr_jpeg_marker(corr_reader_t *reader, int in_scan)
{
    int  c;

    if (in_scan && reader->marks != NULL && corr_jpeg_noted(reader) == -1) {
        return -1;
    }

    for ( ;; ) {
        c = in_scan ? corr_reader_find(reader, 0xff)
                    : corr_reader_byte(reader);

        if (c != 0xff) {
            return -1;
        }

        do {
            c = corr_reader_byte(reader);
        } while (c == 0xff);

        if (c < 0) {
            return -1;
        }

        if (in_scan && corr_jpeg_is_data(c)) {
            continue;
        }

        return c;
    }
}


static int
corr_jpeg_is_data(int marker)
{
    return marker == 0 || (marker >= 0xd0 && marker <= 0xd7);
}


/*
 * Up to the next marker that was noted.  -1: there is none; CORR_OK: it is
 * there, or behind all that could be noted and has to be read for.
 */

static int
corr_jpeg_noted(corr_reader_t *reader)
{
    uint64_t                  pos;
    const corr_file_marks_t  *marks = reader->marks;

    pos = reader->pos + reader->at;

    while (reader->mark < marks->n && marks->at[reader->mark] < pos) {
        reader->mark++;
    }

    if (reader->mark == marks->n) {
        return marks->more ? CORR_OK : -1;
    }

    return corr_reader_skip(reader, marks->at[reader->mark] - pos);
}


void
corr_filetype_note(corr_file_marks_t *marks, const void *data, size_t len)
{
    const unsigned char  *p, *start, *last;

    if (len == 0) {
        return;
    }

    start = p = data;
    last = p + len;

    if (marks->size == 0) {
        marks->other = len < 2 || p[0] != 0xff || p[1] != 0xd8;
    }

    if (!marks->other && marks->ff && p[0] != 0xff) {
        corr_file_mark(marks, marks->size - 1, p[0]);
    }

    while (!marks->other && !marks->more
           && (p = memchr(p, 0xff, (size_t) (last - p))) != NULL)
    {
        do {
            p++;
        } while (p < last && *p == 0xff);

        if (p == last) {
            break;
        }

        corr_file_mark(marks, marks->size + (uint64_t) (p - start) - 1, *p);
    }

    marks->ff = last[-1] == 0xff;
    marks->size += len;
}


static void
corr_file_mark(corr_file_marks_t *marks, uint64_t at, int marker)
{
    if (corr_jpeg_is_data(marker)) {
        return;
    }

    if (marks->n == CORR_FILE_MARKS) {
        marks->more = 1;
        return;
    }

    marks->at[marks->n++] = at;
}


/* PNG, ISO/IEC 15948: IHDR first, IDAT, IEND; lengths that add up. */

static corr_file_verdict_e
corr_png_check(corr_reader_t *reader, corr_filetype_t *found)
{
    int      data;
    int64_t  len, type, width, height;

    corr_reader_seek(reader, 8);

    if (corr_reader_number(reader, 4) != 13
        || corr_reader_number(reader, 4) != 0x49484452)
    {
        return CORR_FILE_DAMAGED;
    }

    width = corr_reader_number(reader, 4);
    height = corr_reader_number(reader, 4);

    if (width <= 0 || height <= 0 || width > 0x7fffffff
        || height > 0x7fffffff
        || corr_reader_skip(reader, 5 + 4) != CORR_OK)
    {
        return CORR_FILE_DAMAGED;
    }

    found->width = (uint32_t) width;
    found->height = (uint32_t) height;

    data = 0;

    for ( ;; ) {
        len = corr_reader_number(reader, 4);
        type = corr_reader_number(reader, 4);

        if (len < 0 || type < 0 || len > 0x7fffffff
            || corr_reader_skip(reader, (uint64_t) len + 4) != CORR_OK)
        {
            return CORR_FILE_DAMAGED;
        }

        if (type == 0x49444154) {
            data = 1;
        }

        if (type == 0x49454e44) {
            return data && len == 0 ? CORR_FILE_OK : CORR_FILE_DAMAGED;
        }
    }
}


/*
 * PDF, ISO 32000-1: the header at the very beginning (a reader would take it
 * a little later, which is how a file is two things at once), %%EOF at the
 * end, and no /Encrypt entry in any trailer.  Trailers and the dictionaries
 * of cross-reference streams are never compressed, so the bytes tell.
 */

static corr_file_verdict_e
corr_pdf_check(corr_reader_t *reader, corr_filetype_t *found)
{
    int                   encrypted;
    size_t                keep;
    uint64_t              end;
    const unsigned char  *last;

    (void) found;

    corr_reader_seek(reader, 0);
    encrypted = 0;

    if (corr_reader_fill(reader) <= 0 || reader->have < 8
        || memcmp(reader->buf, "%PDF-", 5) != 0)
    {
        return CORR_FILE_DAMAGED;
    }

    for ( ;; ) {
        last = reader->buf + reader->have;
        encrypted |= corr_pdf_encrypted(reader->buf, last);

        end = reader->pos + reader->have;

        if (end >= reader->size) {
            break;
        }

        /* a token may stand across the border */

        keep = reader->have < CORR_FILE_TOKEN ? 0 : CORR_FILE_TOKEN;
        corr_reader_seek(reader, end - keep);

        if (corr_reader_fill(reader) <= 0) {
            return CORR_FILE_DAMAGED;
        }
    }

    corr_reader_seek(reader, reader->size > CORR_FILE_PDF_END
                             ? reader->size - CORR_FILE_PDF_END : 0);

    if (corr_reader_fill(reader) <= 0
        || memmem(reader->buf, reader->have, "%%EOF", 5) == NULL)
    {
        return CORR_FILE_DAMAGED;
    }

    return encrypted ? CORR_FILE_ENCRYPTED : CORR_FILE_OK;
}


/* "/Encrypt 12 0 R" or "/Encrypt <<" */

static int
corr_pdf_encrypted(const unsigned char *p, const unsigned char *last)
{
    const unsigned char  *q;

    static const char  name[] = "/Encrypt";

    while ((p = memmem(p, (size_t) (last - p), name, sizeof(name) - 1))
           != NULL)
    {
        p += sizeof(name) - 1;
        q = corr_pdf_blanks(p, last);

        if (last - q >= 2 && q[0] == '<' && q[1] == '<') {
            return 1;
        }

        if (q > p && (q = corr_pdf_number(q, last)) != NULL
            && (q = corr_pdf_number(corr_pdf_blanks(q, last), last)) != NULL)
        {
            q = corr_pdf_blanks(q, last);

            if (q < last && *q == 'R') {
                return 1;
            }
        }
    }

    return 0;
}


static const unsigned char *
corr_pdf_number(const unsigned char *p, const unsigned char *last)
{
    const unsigned char  *q;

    for (q = p; q < last && *q >= '0' && *q <= '9'; q++) {
        /* void */
    }

    return q > p ? q : NULL;
}


static const unsigned char *
corr_pdf_blanks(const unsigned char *p, const unsigned char *last)
{
    while (p < last && (*p == ' ' || *p == '\r' || *p == '\n' || *p == '\t'
                        || *p == '\f' || *p == '\0'))
    {
        p++;
    }

    return p;
}


/* Reading, with a buffer, and without the file's own position. */

static void
corr_reader_seek(corr_reader_t *reader, uint64_t pos)
{
    reader->pos = pos;
    reader->at = 0;
    reader->have = 0;
}


/* From pos + have on; how many bytes came, 0 at the end, or -1. */

static int
corr_reader_fill(corr_reader_t *reader)
{
    ssize_t  n;

    reader->pos += reader->have;
    reader->at = 0;
    reader->have = 0;

    while (reader->have < sizeof(reader->buf)) {
        n = pread(reader->fd, reader->buf + reader->have,
                  sizeof(reader->buf) - reader->have,
                  (off_t) (reader->pos + reader->have));

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n == -1) {
            reader->failed = errno;
            return -1;
        }

        if (n == 0) {
            break;
        }

        reader->have += (size_t) n;
    }

    return (int) reader->have;
}


static int
corr_reader_byte(corr_reader_t *reader)
{
    if (reader->at == reader->have && corr_reader_fill(reader) <= 0) {
        return -1;
    }

    return reader->buf[reader->at++];
}


/* Goes behind the next of these bytes; -1: there is none. */

static int
corr_reader_find(corr_reader_t *reader, int byte)
{
    unsigned char  *p;

    for ( ;; ) {
        p = memchr(reader->buf + reader->at, byte,
                   reader->have - reader->at);

        if (p != NULL) {
            reader->at = (size_t) (p - reader->buf) + 1;
            return byte;
        }

        if (corr_reader_fill(reader) <= 0) {
            return -1;
        }
    }
}


static int64_t
corr_reader_number(corr_reader_t *reader, unsigned bytes)
{
    int      c;
    int64_t  n;

    for (n = 0; bytes; bytes--) {
        c = corr_reader_byte(reader);
        if (c < 0) {
            return -1;
        }

        n = (n << 8) | c;
    }

    return n;
}


/* CORR_INVALID: the file is not that long. */

static int
corr_reader_skip(corr_reader_t *reader, uint64_t n)
{
    uint64_t  pos;

    pos = reader->pos + reader->at;

    if (n > reader->size - pos) {
        return CORR_INVALID;
    }

    if (n <= reader->have - reader->at) {
        reader->at += (size_t) n;
        return CORR_OK;
    }

    corr_reader_seek(reader, pos + n);

    return CORR_OK;
}
