/*
 * Compares what rows say about files with the directory where they lie.
 * sql/fsck asks the database and runs this:
 *
 *     corr-fsck [-q] [-a SECONDS] STORE < ROWS
 *
 * ROWS are lines "HASH SIZE" (the statement files_hashes), in any order, made
 * before this runs: a file is placed before its row is committed, so that
 * none can be missing because it is new.  Prints a line for each difference:
 *
 *     missing HASH SIZE    a row names it, there is no such file
 *     damaged HASH SIZE    the bytes are not those that were taken
 *     extra HASH SIZE      no row names it; the collector will remove it
 *
 * An extra file younger than SECONDS (a day unless given: the collector's
 * grace) may have its row yet to come and is only counted.  With -q lengths
 * are compared and nothing is read.  Ends with 0 when there is no difference,
 * 1 when there is one, 2 when it could not look.
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
    int               quick;
    int               failed;
    uint64_t          good;
    uint64_t          fresh;
    uint64_t          missing;
    uint64_t          damaged;
    uint64_t          extra;
} corr_fsck_t;


static int corr_fsck_usage(void);
static int corr_fsck_read(corr_fsck_t *fsck, FILE *in);
static int corr_fsck_line(corr_fsck_row_t *row, const char *line);
static int corr_fsck_compare(const void *one, const void *two);
static int corr_fsck_found(void *data,
    const unsigned char hash[CORR_STORE_HASH], uint64_t size, int64_t mtime);
static int corr_fsck_whole(corr_fsck_t *fsck, const unsigned char *hash);
static int corr_fsck_hash(FILE *file, char hex[CORR_STORE_HASH + 1]);
static int corr_fsck_scan(corr_fsck_t *fsck);
static void corr_fsck_say(const char *what, const unsigned char *hash,
    uint64_t size);


int
main(int argc, char **argv)
{
    int          c;
    long         age = CORR_FSCK_AGE;
    char        *end, error[CORR_SERVICE_ERROR];
    corr_fsck_t  fsck;

    memset(&fsck, 0, sizeof(corr_fsck_t));

    while ((c = getopt(argc, argv, "qa:")) != -1) {
        switch (c) {

        case 'q':
            fsck.quick = 1;
            break;

        case 'a':
            age = strtol(optarg, &end, 10);
            if (age < 0 || end == optarg || *end != '\0') {
                return corr_fsck_usage();
            }
            break;

        default:
            return corr_fsck_usage();
        }
    }

    if (optind + 1 != argc) {
        return corr_fsck_usage();
    }

    fsck.young = (int64_t) time(NULL) - age;
    fsck.store = corr_store_open(argv[optind], error);

    if (fsck.store == NULL) {
        fprintf(stderr, "corr-fsck: %s\n", error);
        return 2;
    }

    if (corr_fsck_read(&fsck, stdin) == -1 || corr_fsck_scan(&fsck) == -1) {
        return 2;
    }

    fprintf(stderr, "%" PRIu64 " good, %" PRIu64 " missing, %" PRIu64
            " damaged, %" PRIu64 " extra, %" PRIu64 " new\n", fsck.good,
            fsck.missing, fsck.damaged, fsck.extra, fsck.fresh);

    free(fsck.rows);
    corr_store_close(fsck.store);

    return fsck.missing || fsck.damaged || fsck.extra ? 1 : 0;
}


static int
corr_fsck_usage(void)
{
    fprintf(stderr, "usage: corr-fsck [-q] [-a SECONDS] STORE < ROWS\n");

    return 2;
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
        fprintf(stderr, "corr-fsck: %.*s: %s\n", CORR_STORE_HASH,
                (const char *) hash, strerror(errno));
        fsck->failed = 1;
        return 1;
    }

    if (whole) {
        fsck->good++;
        return 0;
    }

    corr_fsck_say("damaged", hash, size);
    fsck->damaged++;

    return 0;
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
