/*
 * File types: the structure of pictures and PDFs, behind what libmagic says.
 * libmagic itself is not fuzzed: the first byte says in its place what the
 * rest is.  The buffer is small (fuzz.mk), so that a short file has borders.
 */

#define _GNU_SOURCE    /* memfd_create() */

#include "fuzz.h"
#include "services/filetype.h"

#include <magic.h>
#include <sys/mman.h>
#include <unistd.h>


#define FUZZ_PIXELS   1000000


static const char  *media;


magic_t
magic_open(int flags)
{
    (void) flags;

    return (magic_t) &media;
}


int
magic_load(magic_t cookie, const char *database)
{
    (void) cookie;
    (void) database;

    return 0;
}


void
magic_close(magic_t cookie)
{
    (void) cookie;
}


const char *
magic_buffer(magic_t cookie, const void *data, size_t len)
{
    (void) cookie;
    must(data != NULL && len > 0);

    return media;
}


static void fuzz_noted(corr_filetypes_t *types, int fd, const uint8_t *data,
    size_t size, corr_file_verdict_e verdict, const corr_filetype_t *found);


static corr_file_verdict_e
fuzz_check(corr_filetypes_t *types, const uint8_t *data, size_t size,
    corr_filetype_t *found)
{
    corr_file_verdict_e  verdict;

    static int  fd = -1;

    if (fd == -1) {
        fd = memfd_create("fuzz", 0);
    }

    must(fd != -1 && ftruncate(fd, 0) == 0);
    must(pwrite(fd, data, size, 0) == (ssize_t) size);

    verdict = corr_filetype_check(types, fd, NULL, CORR_STR("name"), found);

    fuzz_noted(types, fd, data, size, verdict, found);

    return verdict;
}


/* What was noted of it in pieces says the same. */

static void
fuzz_noted(corr_filetypes_t *types, int fd, const uint8_t *data, size_t size,
    corr_file_verdict_e verdict, const corr_filetype_t *found)
{
    size_t              at, n;
    corr_filetype_t     noted;
    corr_file_marks_t   marks;

    memset(&marks, 0, sizeof(marks));

    for (at = 0; at < size; at += n) {
        n = 1 + (at * 7 + size) % 5;
        n = size - at < n ? size - at : n;
        corr_filetype_note(&marks, data + at, n);
    }

    must(corr_filetype_check(types, fd, &marks, CORR_STR("name"), &noted)
         == verdict);
    must(noted.width == found->width && noted.height == found->height);
}


/* What libmagic says here it would not say of what does not begin like it. */

static int
fuzz_begins(const uint8_t *data, size_t size)
{
    size_t  i;

    static const struct {
        const char  *media;
        const char  *bytes;
        size_t       len;
    } v[] = {
        { "image/jpeg", "\xff\xd8\xff", 3 },
        { "image/png", "\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16 },
        { "application/pdf", "%PDF-", 5 }
    };

    for (i = 0; strcmp(v[i].media, media) != 0; i++) { /* void */ }

    return size >= v[i].len && memcmp(data, v[i].bytes, v[i].len) == 0;
}


/* A whole one begins as it must, and says how large it is. */

static void
fuzz_whole(const uint8_t *data, size_t size, const corr_filetype_t *found)
{
    must(strcmp(found->media_type, media) == 0);
    must(corr_filetype_by_media_type(corr_cstr(media)) != NULL);

    if (found->kind == CORR_FILETYPE_PDF) {
        must(size >= 8 && memcmp(data, "%PDF-", 5) == 0);
        must(memmem(data, size, "%%EOF", 5) != NULL);
        must(found->width == 0 && found->height == 0);
        return;
    }

    must(found->width > 0 && found->height > 0);
    must((uint64_t) found->width * found->height <= FUZZ_PIXELS);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char                  error[CORR_SERVICE_ERROR];
    uint8_t              *longer;
    corr_filetype_t       found, again;
    corr_file_verdict_e   verdict;

    static corr_filetypes_t  *types;

    static const char  *kinds[] = { "image/jpeg", "image/png",
                                    "application/pdf" };

    if (types == NULL) {
        types = corr_filetypes_load(CORR_FILETYPE_JPEG | CORR_FILETYPE_PNG
                                    | CORR_FILETYPE_PDF, FUZZ_PIXELS, error);
        must(types != NULL);
    }

    if (size < 2) {
        return 0;
    }

    media = kinds[*data++ % 3];
    size--;

    verdict = fuzz_check(types, data, size, &found);
    must(verdict != CORR_FILE_EMPTY && verdict != CORR_FILE_EXTENSION
         && verdict != CORR_FILE_READ);
    must((verdict == CORR_FILE_KIND) == !fuzz_begins(data, size));

    if (verdict != CORR_FILE_OK) {
        return 0;
    }

    fuzz_whole(data, size, &found);

    /* what is behind a picture's end does not change what it is */

    if (found.kind != CORR_FILETYPE_PDF) {
        longer = malloc(size + 3000);
        must(longer != NULL);
        memcpy(longer, data, size);
        memset(longer + size, 0xff, 3000);

        must(fuzz_check(types, longer, size + 3000, &again) == CORR_FILE_OK);
        must(again.width == found.width && again.height == found.height);
        free(longer);
    }

    return 0;
}
