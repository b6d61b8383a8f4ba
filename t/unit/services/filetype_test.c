/* File types: pictures by gd, PDFs by hand, all of them cut and altered. */

#define _GNU_SOURCE

#include "tap.h"
#include "services/filetype.h"

#include <errno.h>
#include <fcntl.h>
#include <gd.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>


static corr_filetypes_t  *types;
static corr_filetype_t    found;
static size_t             checks, same;    /* also with marks */


static const char  pdf[] =
    "%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"
    "1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    "2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n"
    "xref\n0 3\n0000000000 65535 f \n0000000015 00000 n \n"
    "0000000058 00000 n \ntrailer<</Size 3/Root 1 0 R>>\n"
    "startxref\n102\n%%EOF\n";


/* What comes out with what was noted of it in pieces, 1 to 7 bytes long. */

static int
noted_says(corr_filetypes_t *t, int fd, const unsigned char *data, size_t len,
    const char *name)
{
    int                verdict;
    size_t             at, n;
    corr_filetype_t    noted;
    corr_file_marks_t  marks;

    memset(&marks, 0, sizeof(marks));

    for (at = 0; at < len; at += n) {
        n = 1 + (at + checks) % 7;
        n = len - at < n ? len - at : n;
        corr_filetype_note(&marks, data + at, n);
    }

    verdict = corr_filetype_check(t, fd, &marks, exact(0, corr_cstr(name)),
                                  &noted);

    return noted.width == found.width && noted.height == found.height
           ? verdict : -1;
}


static int
check_in(corr_filetypes_t *t, const void *data, size_t len, const char *name)
{
    int  fd, verdict;

    fd = memfd_create("t", 0);

    if (write(fd, data, len) != (ssize_t) len) {
        printf("Bail out! write\n");
        exit(1);
    }

    verdict = corr_filetype_check(t, fd, NULL, exact(0, corr_cstr(name)),
                                  &found);
    same += noted_says(t, fd, data, len, name) == verdict;
    checks++;
    close(fd);

    return verdict;
}


static int
check(const void *data, size_t len, const char *name)
{
    return check_in(types, data, len, name);
}


static unsigned char *
picture(const char *kind, int *size, int interlace)
{
    int         i;
    void       *data;
    gdImagePtr  im;

    im = gdImageCreateTrueColor(97, 61);

    for (i = 0; i < 400; i++) {
        gdImageSetPixel(im, i * 37 % 97, i * 53 % 61, i * 7919);
    }

    gdImageInterlace(im, interlace);

    data = kind[0] == 'j' ? gdImageJpegPtr(im, size, 80)
                          : gdImagePngPtr(im, size);
    gdImageDestroy(im);

    return data;
}


/* Is any beginning of it taken for a whole? */

static int
cuts(const unsigned char *data, size_t len, const char *name)
{
    int     accepted;
    size_t  n;

    accepted = 0;

    for (n = 0; n < len; n++) {
        accepted += check(data, n, name) == CORR_FILE_OK;
    }

    return accepted;
}


static void
jpeg(void)
{
    int             size, progressive;
    unsigned char  *data, *longer;

    for (progressive = 0; progressive < 2; progressive++) {
        data = picture("jpeg", &size, progressive);

        is_int(check(data, (size_t) size, "a.jpg"), CORR_FILE_OK, "a JPEG");
        ok(found.kind == CORR_FILETYPE_JPEG && found.width == 97
           && found.height == 61
           && strcmp(found.media_type, "image/jpeg") == 0
           && strcmp(found.extension, "jpg") == 0,
           "of its size (%u x %u)", found.width, found.height);

        is_int(cuts(data, (size_t) size, "a.jpg"), 0, "whole only");

        longer = malloc((size_t) size + 100000);
        memcpy(longer, data, (size_t) size);
        memset(longer + size, 'M', 100000);
        is_int(check(longer, (size_t) size + 100000, "a.jpeg"), CORR_FILE_OK,
               "with a film behind it, as phones do");
        free(longer);

        gdFree(data);
    }
}


/* Decoders go by the first frame, and may meet the second behind its rows. */

static void
frames(void)
{
    int             at, len, size;
    unsigned char  *data, *two;

    data = picture("jpeg", &size, 0);
    two = malloc((size_t) size + 64);

    for (at = 2; data[at + 1] != 0xc0; at += len) {
        len = 2 + data[at + 2] * 256 + data[at + 3];
    }

    len = 2 + data[at + 2] * 256 + data[at + 3];

    memcpy(two, data, (size_t) size - 2);
    memcpy(two + size - 2, data + at, (size_t) len);
    memcpy(two + size - 2 + len, data + size - 2, 2);
    memset(two + at + 5, 0x4e, 4);

    is_int(check(two, (size_t) (size + len), "a.jpg"), CORR_FILE_DAMAGED,
           "a JPEG that says twice how large it is");

    free(two);
    gdFree(data);
}


/*
 * More markers than are noted, inside of a segment, where they are none: the
 * picture's own are read for.  And what was noted is not read once more.
 */

static void
marks(void)
{
    int                 fd, size;
    size_t              i, len;
    unsigned char      *data, *more;
    corr_filetype_t     noted;
    corr_file_marks_t   m;

    data = picture("jpeg", &size, 1);
    len = (size_t) size + 4 + 2 * (CORR_FILE_MARKS + 10);
    more = malloc(len);

    memcpy(more, data, 2);
    memcpy(more + 2, "\xff\xe1", 2);
    more[4] = (unsigned char) ((2 + 2 * (CORR_FILE_MARKS + 10)) >> 8);
    more[5] = (unsigned char) (2 + 2 * (CORR_FILE_MARKS + 10));

    for (i = 6; i < 6 + 2 * (CORR_FILE_MARKS + 10); i += 2) {
        memcpy(more + i, "\xff\xe2", 2);
    }

    memcpy(more + i, data + 2, (size_t) size - 2);
    is_int(check(more, len, "a.jpg"), CORR_FILE_OK, "many that are none");
    is_int(cuts(more, len, "a.jpg"), 0, "whole only");

    memset(&m, 0, sizeof(m));
    corr_filetype_note(&m, more, len);
    ok(m.more && m.n == CORR_FILE_MARKS, "not all of them are kept");
    free(more);

    memset(&m, 0, sizeof(m));
    corr_filetype_note(&m, data, (size_t) size);
    memcpy(data + size - 40, "\xff\xc1", 2);

    fd = memfd_create("t", 0);
    ok(write(fd, data, (size_t) size) == size, "altered behind it");
    is_int(corr_filetype_check(types, fd, NULL, CORR_STR(""), &noted),
           CORR_FILE_DAMAGED, "read, it is seen");
    is_int(corr_filetype_check(types, fd, &m, CORR_STR(""), &noted),
           CORR_FILE_OK, "with what was noted those bytes are not read");
    m.size++;
    is_int(corr_filetype_check(types, fd, &m, CORR_STR(""), &noted),
           CORR_FILE_DAMAGED, "noted of another length it is not believed");
    close(fd);

    gdFree(data);
}


static void
png(void)
{
    int             size;
    unsigned char  *data;

    data = picture("png", &size, 0);

    is_int(check(data, (size_t) size, "a.PNG"), CORR_FILE_OK, "a PNG");
    ok(found.kind == CORR_FILETYPE_PNG && found.width == 97
       && found.height == 61, "of its size");

    is_int(cuts(data, (size_t) size, "a.png"), 0, "whole only");

    /* a first chunk of another name, an empty picture, a length too large */

    data[12] ^= 1;
    ok(check(data, (size_t) size, "a.png") != CORR_FILE_OK, "no IHDR");
    data[12] ^= 1;

    data[19] = 0;
    is_int(check(data, (size_t) size, "a.png"), CORR_FILE_DAMAGED, "width 0");
    data[19] = 97;

    data[33] = 0xff;
    is_int(check(data, (size_t) size, "a.png"), CORR_FILE_DAMAGED,
           "a chunk of 4 GiB");

    gdFree(data);
}


static void
pixels(void)
{
    char               error[CORR_SERVICE_ERROR];
    int                size;
    unsigned char     *data;
    corr_filetypes_t  *t;

    data = picture("png", &size, 0);

    t = corr_filetypes_load(7, 97 * 61, error);
    is_int(check_in(t, data, (size_t) size, ""), CORR_FILE_OK,
           "as many pixels as allowed");
    corr_filetypes_free(t);

    t = corr_filetypes_load(7, 97 * 61 - 1, error);
    is_int(check_in(t, data, (size_t) size, ""), CORR_FILE_PIXELS,
           "one more");

    /* the header alone says 2^31 by 2^31: nothing is decoded */

    memset(data + 16, 0x7f, 8);
    is_int(check_in(t, data, (size_t) size, ""), CORR_FILE_PIXELS,
           "a bomb");
    corr_filetypes_free(t);

    t = corr_filetypes_load(CORR_FILETYPE_PDF, 0, error);
    is_int(check_in(t, data, (size_t) size, ""), CORR_FILE_KIND,
           "a kind that the directive does not list");
    is_int(check_in(t, pdf, sizeof(pdf) - 1, ""), CORR_FILE_OK,
           "and one that it does");
    corr_filetypes_free(t);

    gdFree(data);
}


static void
pdfs(void)
{
    char    *p, *file;
    size_t   i, at, len;
    int      wrong;

    static const char  *encrypted[] = {
        "/Encrypt 12 0 R", "/Encrypt<<", "/Encrypt\r\n12\n0\tR"
    };

    static const char  *not_encrypted[] = {
        "/EncryptMetadata true", "/Encrypt is a word", "/Encryption 12 0 R",
        "/Encrypt 12 R"
    };

    is_int(check(pdf, sizeof(pdf) - 1, "a.pdf"), CORR_FILE_OK, "a PDF");
    ok(found.kind == CORR_FILETYPE_PDF
       && strcmp(found.media_type, "application/pdf") == 0, "is one");

    is_int(cuts((unsigned char *) pdf, sizeof(pdf) - 2, "a.pdf"), 0,
           "whole only");

    file = malloc(300000);

    /* across every border of the reader's buffer */

    len = 200000;
    wrong = 0;

    for (i = 0; i < 3; i++) {
        for (at = 65536 - 20; at < 65536 + 4; at++) {
            memset(file, 'x', len);
            memcpy(file, pdf, sizeof(pdf) - 1);
            memcpy(file + len - 6, "%%EOF\n", 6);
            memcpy(file + at, encrypted[i], strlen(encrypted[i]));

            wrong += check(file, len, "a.pdf") != CORR_FILE_ENCRYPTED;
        }
    }

    is_int(wrong, 0, "encrypted, wherever it says so");

    for (i = 0; i < 4; i++) {
        p = file + 120000;
        memset(file, ' ', len);
        memcpy(file, pdf, sizeof(pdf) - 1);
        memcpy(file + len - 6, "%%EOF\n", 6);
        memcpy(p, not_encrypted[i], strlen(not_encrypted[i]));

        is_int(check(file, len, "a.pdf"), CORR_FILE_OK, not_encrypted[i]);
    }

    file[0] = ' ';
    memcpy(file + 1, pdf, sizeof(pdf) - 1);
    ok(check(file, sizeof(pdf), "a.pdf") != CORR_FILE_OK,
       "the header is not at the beginning");

    memset(file, 'x', len);
    memcpy(file, pdf, sizeof(pdf) - 1);
    is_int(check(file, len, "a.pdf"), CORR_FILE_DAMAGED,
           "%%EOF long before the end");

    free(file);
}


static void
names(void)
{
    size_t  i;

    static const struct {
        const char  *name;
        int          verdict;
    } v[] = {
        { "", CORR_FILE_OK }, { "a.pdf", CORR_FILE_OK },
        { "A.PDF", CORR_FILE_OK }, { "noextension", CORR_FILE_OK },
        { "ends with.", CORR_FILE_OK }, { "scan.2024", CORR_FILE_OK },
        { "a.b c", CORR_FILE_OK }, { "a.something", CORR_FILE_OK },
        { "\xd9\x86\xd8\xa7\xd9\x85\xd9\x87.\xd8\xa7\xd9\x84", CORR_FILE_OK },
        { "a.jpg", CORR_FILE_EXTENSION }, { "a.pdf.exe", CORR_FILE_EXTENSION },
        { "a.htm", CORR_FILE_EXTENSION }, { "a.HTML", CORR_FILE_EXTENSION },
        { ".mp4", CORR_FILE_EXTENSION }, { "a.pd", CORR_FILE_EXTENSION }
    };

    for (i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
        is_int(check(pdf, sizeof(pdf) - 1, v[i].name), v[i].verdict,
               v[i].name);
    }
}


static void
others(void)
{
    size_t  i;

    static const char  *v[] = {
        "<html><script>alert(1)</script>", "GIF89a\1\0\1\0", "PK\3\4",
        "\x7f" "ELF\2\1\1", "MZ\x90", "#!/bin/sh\n", "%!PS-Adobe-3.0\n",
        "\xff\xd8", "\x89PNG\r\n\x1a\n", "BM", "II*", "<svg xmlns=\"x\"/>"
    };

    for (i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
        ok(check(v[i], strlen(v[i]), "a.jpg") != CORR_FILE_OK, "not %zu", i);
    }

    is_int(check("", 0, "a.jpg"), CORR_FILE_EMPTY, "empty");

    errno = 0;
    is_int(corr_filetype_check(types, -1, NULL, CORR_STR(""), &found),
           CORR_FILE_READ, "no file");
    is_int(errno, EBADF, "and errno says why");
}


/* libmagic's expressions about texts took 0.8 s for each of these. */

static void
costs(void)
{
    int       i, wrong;
    char     *file;
    clock_t   start;

    file = malloc(65536);
    memset(file, '\n', 65536);

    start = clock();
    wrong = 0;

    for (i = 0; i < 5; i++) {
        wrong += check(file, 65536, "a.jpg") != CORR_FILE_KIND;
    }

    is_int(wrong, 0, "nothing but empty lines");
    ok(clock() - start < CLOCKS_PER_SEC / 2, "found to be so in no time");

    free(file);
}


int
main(void)
{
    char  error[CORR_SERVICE_ERROR];

    types = corr_filetypes_load(CORR_FILETYPE_JPEG | CORR_FILETYPE_PNG
                                | CORR_FILETYPE_PDF, 0, error);

    if (!ok(types != NULL, "libmagic %s", error)) {
        return tap_done();
    }

    jpeg();
    frames();
    marks();
    png();
    pixels();
    pdfs();
    names();
    others();
    costs();

    is_int(corr_filetype_by_name(CORR_STR("jpeg")), CORR_FILETYPE_JPEG,
           "a word of the directive");
    is_int(corr_filetype_by_name(CORR_STR("gif")), 0, "none of its words");
    ok(corr_filetype_by_media_type(CORR_STR("image/png"))->kind
       == CORR_FILETYPE_PNG, "from the database");
    ok(corr_filetype_by_media_type(CORR_STR("text/html")) == NULL,
       "not from the database");

    is_int((int) same, (int) checks, "each time the same with what was noted");

    corr_filetypes_free(types);
    exact(0, CORR_STR(""));

    return tap_done();
}
