/*
 * Compares what rows say about files with the directory where they lie.
 * sql/fsck asks the database and runs this:
 *
 *     corr-fsck [-q] [-t] [-a SECONDS] [-i ID] STORE < ROWS
 *
 * ROWS are lines "HASH SIZE" (the statement files_hashes), in any order, made
 * before this runs: a file is placed before its row is committed, so that
 * none can be missing because it is new.  Prints a line for each difference:
 *
 *     missing HASH SIZE    a row names it, there is no such file
 *     trashed HASH SIZE    not at its place, but in the trash; its bytes are
 *                          looked at when it is taken back
 *     damaged HASH SIZE    the bytes are not those that were taken
 *     extra HASH SIZE      no row names it; the collector will put it into
 *                          the trash
 *     marked ID            the store is another database's than ID of -i, or
 *                          nobody's ("none")
 *
 * With -t what rows name is taken out of the trash, also in place of what is
 * damaged: "back HASH SIZE", which is no difference any more.  In a store that
 * is another database's nothing is.
 *
 * An extra file younger than SECONDS (a day unless given: the collector's
 * grace) may have its row yet to come and is only counted.  With -q lengths
 * are compared and nothing is read but what -t takes back.  Ends with 0 when
 * there is no difference, 1 when there is one, 2 when it could not look.
 */

#include "../services/store.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>


#define CORR_FSCK_AGE    (24 * 60 * 60)
#define CORR_FSCK_BLOCK  65536


typedef struct {
    unsigned char   hash[CORR_STORE_HASH];
    uint64_t        size;
    int             seen;
} corr_fsck_row_t;


typedef struct {
    corr_store_t     *store;
    corr_fsck_row_t  *rows;       /* sorted by hash */
    size_t            nrows;
    int64_t           young;      /* extra files from then on are new */
    const char       *id;         /* the database's, or NULL */
    int               quick;
    int               take_back;
    int               failed;
    uint64_t          good;
    uint64_t          fresh;
    uint64_t          missing;
    uint64_t          trashed;
    uint64_t          back;
    uint64_t          damaged;
    uint64_t          extra;
    uint64_t          marked;     /* as another's */
} corr_fsck_t;


static int corr_fsck_options(corr_fsck_t *fsck, int argc, char **argv);
static int corr_fsck_usage(void);
static int corr_fsck_mark(corr_fsck_t *fsck);
static int corr_fsck_read(corr_fsck_t *fsck, FILE *in);
static int corr_fsck_line(corr_fsck_row_t *row, const char *line);
static int corr_fsck_compare(const void *one, const void *two);
static int corr_fsck_found(void *data,
    const unsigned char hash[CORR_STORE_HASH], uint64_t size, int64_t mtime);
static int corr_fsck_damaged(corr_fsck_t *fsck,
    const unsigned char *hash, uint64_t size);
static int corr_fsck_trash(corr_fsck_t *fsck);
static int corr_fsck_discarded(void *data,
    const unsigned char hash[CORR_STORE_HASH], uint64_t size, int64_t mtime);
static int corr_fsck_back(corr_fsck_t *fsck, const unsigned char *hash);
static int corr_fsck_cannot(corr_fsck_t *fsck, const unsigned char *hash);
static int corr_fsck_whole(corr_fsck_t *fsck, const unsigned char *hash);
static int corr_fsck_hash(FILE *file, char hex[CORR_STORE_HASH + 1]);
static int corr_fsck_scan(corr_fsck_t *fsck);
static void corr_fsck_say(const char *what, const unsigned char *hash,
    uint64_t size);


int
main(int argc, char **argv)
{
    char         error[CORR_SERVICE_ERROR];
    corr_fsck_t  fsck;

    memset(&fsck, 0, sizeof(corr_fsck_t));

    if (corr_fsck_options(&fsck, argc, argv) == -1) {
        return corr_fsck_usage();
    }

    fsck.store = corr_store_open(argv[optind], error);

    if (fsck.store == NULL) {
        fprintf(stderr, "corr-fsck: %s\n", error);
        return 2;
    }

    if (corr_fsck_read(&fsck, stdin) == -1 || corr_fsck_mark(&fsck) == -1
        || corr_fsck_scan(&fsck) == -1)
    {
        return 2;
    }

    fprintf(stderr, "%" PRIu64 " good, %" PRIu64 " missing, %" PRIu64
            " trashed, %" PRIu64 " damaged, %" PRIu64 " extra, %" PRIu64
            " new, %" PRIu64 " back\n", fsck.good, fsck.missing, fsck.trashed,
            fsck.damaged, fsck.extra, fsck.fresh, fsck.back);

    free(fsck.rows);
    corr_store_close(fsck.store);

    return fsck.missing || fsck.trashed || fsck.damaged || fsck.extra
           || fsck.marked ? 1 : 0;
}


static int
corr_fsck_options(corr_fsck_t *fsck, int argc, char **argv)
{
    int    c;
    long   age = CORR_FSCK_AGE;
    char  *end;

    while ((c = getopt(argc, argv, "qta:i:")) != -1) {
        switch (c) {

        case 'q':
            fsck->quick = 1;
            break;

        case 't':
            fsck->take_back = 1;
            break;

        case 'a':
            age = strtol(optarg, &end, 10);
            if (age < 0 || end == optarg || *end != '\0') {
                return -1;
            }
            break;

        case 'i':
            fsck->id = *optarg ? optarg : NULL;
            break;

        default:
            return -1;
        }
    }

    fsck->young = (int64_t) time(NULL) - age;

    return optind + 1 == argc ? 0 : -1;
}


static int
corr_fsck_usage(void)
{
    fprintf(stderr, "usage: corr-fsck [-q] [-t] [-a SECONDS] [-i ID] STORE "
            "< ROWS\n");

    return 2;
}


/* A store that lost its mark may still have in it what rows name. */

static int
corr_fsck_mark(corr_fsck_t *fsck)
{
    char                 id[CORR_STORE_ID + 1] = "none";
    corr_store_error_e   error;

    if (fsck->id == NULL) {
        return 0;
    }

    error = corr_store_read_mark(fsck->store, id);

    if (error != CORR_STORE_OK && error != CORR_STORE_ABSENT) {
        fprintf(stderr, "corr-fsck: " CORR_STORE_MARK ": %s\n",
                strerror(errno));
        return -1;
    }

    if (strcmp(id, fsck->id) == 0) {
        return 0;
    }

    printf("marked %s\n", id);
    fsck->marked = 1;

    if (fsck->take_back && error == CORR_STORE_OK) {
        fprintf(stderr, "corr-fsck: the store is of the database %s, the rows "
                "are of %s: nothing is taken back\n", id, fsck->id);
        fsck->take_back = 0;
    }

    return 0;
}


static int
corr_fsck_read(corr_fsck_t *fsck, FILE *in)
{
    char             *line = NULL;
    size_t            room = 0, allocated = 0;
    corr_fsck_row_t  *rows;

    while (getline(&line, &room, in) != -1) {

        if (fsck->nrows == allocated) {
            allocated = allocated ? 2 * allocated : 1024;
            rows = realloc(fsck->rows, allocated * sizeof(corr_fsck_row_t));

            if (rows == NULL) {
                fprintf(stderr, "corr-fsck: no memory\n");
                return -1;
            }

            fsck->rows = rows;
        }

        if (corr_fsck_line(&fsck->rows[fsck->nrows], line) == -1) {
            fprintf(stderr, "corr-fsck: no hash and size: %s", line);
            return -1;
        }

        fsck->nrows++;
    }

    free(line);

    if (ferror(in)) {
        fprintf(stderr, "corr-fsck: %s\n", strerror(errno));
        return -1;
    }

    if (fsck->nrows) {
        qsort(fsck->rows, fsck->nrows, sizeof(corr_fsck_row_t),
              corr_fsck_compare);
    }

    return 0;
}


static int
corr_fsck_line(corr_fsck_row_t *row, const char *line)
{
    int   n = 0;
    char  hex[CORR_STORE_HASH + 1];

    if (sscanf(line, "%64[0-9a-f] %" SCNu64 " %n", hex, &row->size, &n) != 2
        || strlen(hex) != CORR_STORE_HASH || line[n] != '\0')
    {
        return -1;
    }

    memcpy(row->hash, hex, CORR_STORE_HASH);
    row->seen = 0;

    return 0;
}


static int
corr_fsck_compare(const void *one, const void *two)
{
    return memcmp(one, two, CORR_STORE_HASH);
}


static int
corr_fsck_scan(corr_fsck_t *fsck)
{
    size_t    i;
    unsigned  prefix;

    for (prefix = 0; prefix < CORR_STORE_PREFIXES; prefix++) {

        if (corr_store_scan(fsck->store, prefix, NULL, 0, corr_fsck_found,
                            fsck)
            != CORR_STORE_OK)
        {
            fprintf(stderr, "corr-fsck: %02x: %s\n", prefix,
                    strerror(errno));
            return -1;
        }

        if (fsck->failed) {
            return -1;
        }
    }

    if (corr_fsck_trash(fsck) == -1) {
        return -1;
    }

    for (i = 0; i < fsck->nrows; i++) {

        if (!fsck->rows[i].seen) {
            corr_fsck_say("missing", fsck->rows[i].hash, fsck->rows[i].size);
            fsck->missing++;
        }
    }

    return 0;
}


static int
corr_fsck_found(void *data, const unsigned char hash[CORR_STORE_HASH],
    uint64_t size, int64_t mtime)
{
    int               whole;
    corr_fsck_t      *fsck = data;
    corr_fsck_row_t  *row = NULL;

    if (fsck->nrows) {
        row = bsearch(hash, fsck->rows, fsck->nrows, sizeof(corr_fsck_row_t),
                      corr_fsck_compare);
    }

    if (row == NULL) {
        if (mtime > fsck->young) {
            fsck->fresh++;
            return 0;
        }

        corr_fsck_say("extra", hash, size);
        fsck->extra++;
        return 0;
    }

    row->seen = 1;
    whole = size != row->size ? 0
                              : fsck->quick ? 1 : corr_fsck_whole(fsck, hash);

    if (whole == -1) {
        return corr_fsck_cannot(fsck, hash);
    }

    if (whole) {
        fsck->good++;
        return 0;
    }

    return corr_fsck_damaged(fsck, hash, size);
}


static int
corr_fsck_damaged(corr_fsck_t *fsck, const unsigned char *hash,
    uint64_t size)
{
    int  back;

    back = fsck->take_back ? corr_fsck_back(fsck, hash) : 0;

    if (back == -1) {
        return corr_fsck_cannot(fsck, hash);
    }

    if (back) {
        corr_fsck_say("back", hash, size);
        fsck->back++;
        return 0;
    }

    corr_fsck_say("damaged", hash, size);
    fsck->damaged++;

    return 0;
}


/* Behind all others, so that what is at its place was seen. */

static int
corr_fsck_trash(corr_fsck_t *fsck)
{
    if (fsck->nrows
        && corr_store_scan(fsck->store, CORR_STORE_TRASH, NULL, 0,
                           corr_fsck_discarded, fsck)
           != CORR_STORE_OK)
    {
        fprintf(stderr, "corr-fsck: trash: %s\n", strerror(errno));
        return -1;
    }

    return fsck->failed ? -1 : 0;
}


static int
corr_fsck_discarded(void *data, const unsigned char hash[CORR_STORE_HASH],
    uint64_t size, int64_t mtime)
{
    int               back;
    corr_fsck_t      *fsck = data;
    corr_fsck_row_t  *row;

    (void) mtime;

    row = bsearch(hash, fsck->rows, fsck->nrows, sizeof(corr_fsck_row_t),
                  corr_fsck_compare);

    /* one of another length would be no help */

    if (row == NULL || row->seen || row->size != size) {
        return 0;
    }

    back = fsck->take_back ? corr_fsck_back(fsck, hash) : 0;

    if (back == -1) {
        return corr_fsck_cannot(fsck, hash);
    }

    /* damaged there: then it is missing */

    if (fsck->take_back && !back) {
        return 0;
    }

    row->seen = 1;
    corr_fsck_say(back ? "back" : "trashed", hash, size);
    fsck->back += back ? 1 : 0;
    fsck->trashed += back ? 0 : 1;

    return 0;
}


/* 1, 0 when there is none or it is damaged, or -1. */

static int
corr_fsck_back(corr_fsck_t *fsck, const unsigned char *hash)
{
    corr_store_error_e  error;

    error = corr_store_take_back(fsck->store,
                                 corr_make_str((unsigned char *) hash,
                                               CORR_STORE_HASH), 0);

    if (error == CORR_STORE_ABSENT || error == CORR_STORE_REFUSED) {
        return 0;
    }

    return error == CORR_STORE_OK ? 1 : -1;
}


static int
corr_fsck_cannot(corr_fsck_t *fsck, const unsigned char *hash)
{
    fprintf(stderr, "corr-fsck: %.*s: %s\n", CORR_STORE_HASH,
            (const char *) hash, strerror(errno));
    fsck->failed = 1;

    return 1;
}


/* 1, 0, or -1 when it cannot be read: a disk that fails is no damage yet. */

static int
corr_fsck_whole(corr_fsck_t *fsck, const unsigned char *hash)
{
    int    rc;
    char   path[CORR_STORE_PATH], hex[CORR_STORE_HASH + 1];
    FILE  *file;

    (void) corr_store_path(fsck->store,
                           corr_make_str((unsigned char *) hash,
                                         CORR_STORE_HASH), path);

    file = fopen(path, "rb");
    if (file == NULL) {
        return -1;
    }

    rc = corr_fsck_hash(file, hex);
    fclose(file);

    return rc == -1 ? -1 : memcmp(hex, hash, CORR_STORE_HASH) == 0;
}


static int
corr_fsck_hash(FILE *file, char hex[CORR_STORE_HASH + 1])
{
    size_t                    n;
    unsigned char             block[CORR_FSCK_BLOCK];
    unsigned char             digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_state  state;

    crypto_hash_sha256_init(&state);

    while ((n = fread(block, 1, sizeof(block), file)) > 0) {
        crypto_hash_sha256_update(&state, block, n);
    }

    if (ferror(file)) {
        return -1;
    }

    crypto_hash_sha256_final(&state, digest);
    sodium_bin2hex(hex, CORR_STORE_HASH + 1, digest, sizeof(digest));

    return 0;
}


static void
corr_fsck_say(const char *what, const unsigned char *hash, uint64_t size)
{
    printf("%s %.*s %" PRIu64 "\n", what, CORR_STORE_HASH,
           (const char *) hash, size);
}
