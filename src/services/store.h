/*
 * Where files lie: by content, in a directory or elsewhere.
 *
 * A file is known by the SHA-256 of its bytes and lies at ab/cd/abcd….  It
 * comes in as blocks into a temporary file, is hashed on the way, and takes
 * its place so that a crash at any moment leaves either nothing or the whole
 * file: write, fsync, rename, fsync of the directories.  Only after that may
 * a row about it be committed.
 *
 * The same bytes again: the file that is there is kept, made young again and
 * synced again (the first writer may have died before its own sync).  One
 * whose bytes are no longer those it is named by is replaced.
 *
 * A file without a row is an orphan.  The collector finds old files, asks
 * the database, and puts them into trash/ one by one; a lock per first byte
 * of the hash, held for the moment of placing and the moment of removing, and
 * the age, looked at again under it, make sure that a file placed meanwhile
 * stays.  The grace period must be longer than any upload takes from its
 * last block to its COMMIT.  What lies in the trash is nobody's: the same
 * bytes are placed anew beside it.
 *
 * A store has a mark, the id of the database it belongs to: another one must
 * not decide what of it is an orphan.
 *
 * All functions block: for a thread (store_work.h) or a tool.
 */

#ifndef CORR_STORE_H
#define CORR_STORE_H

#include "filetype.h"


#define CORR_STORE_HASH       64      /* characters, lower-case hex */
#define CORR_STORE_PATH       4096    /* room for a path and its NUL */
#define CORR_STORE_PREFIXES   256     /* collector's portions */
#define CORR_STORE_TRASH      256     /* one more: what lies in the trash */
#define CORR_STORE_ID         36      /* a mark: a UUID */
#define CORR_STORE_MARK       "store.id"


typedef enum {
    CORR_STORE_OK = 0,
    CORR_STORE_LARGE,         /* over the limit given to create() */
    CORR_STORE_REFUSED,       /* content: see verdict */
    CORR_STORE_FULL,          /* ENOSPC, EDQUOT: tell the administrator */
    CORR_STORE_IO,            /* EIO, permission, anything else: error */
    CORR_STORE_ABSENT         /* no such file */
} corr_store_error_e;


typedef struct {
    unsigned char    hash[CORR_STORE_HASH];  /* no NUL */
    uint64_t         size;                   /* bytes */
    corr_filetype_t  type;
    unsigned         known:1;                /* the bytes were there before */
} corr_stored_t;


typedef struct corr_store_s    corr_store_t;
typedef struct corr_incoming_s corr_incoming_t;  /* a file on its way in */

/* One file found by scan(); mtime in unix seconds.  Non-zero stops. */
typedef int (*corr_store_found_pt)(void *data,
    const unsigned char hash[CORR_STORE_HASH], uint64_t size, int64_t mtime);


/*
 * What a place for files must be able to do; the directory is one, an object
 * store would be another.  Errors are corr_store_error_e with errno set.
 */

typedef struct {
    const char          *name;
    corr_store_error_e (*create)(corr_store_t *store, corr_incoming_t *in);
    corr_store_error_e (*write)(corr_incoming_t *in, const void *data,
                               size_t len);
    corr_store_error_e (*place)(corr_incoming_t *in, corr_stored_t *stored);
    void               (*abandon)(corr_incoming_t *in);
    corr_store_error_e (*scan)(corr_store_t *store, unsigned prefix,
                               const unsigned char *after, int64_t older,
                               corr_store_found_pt found, void *data);
    corr_store_error_e (*remove)(corr_store_t *store,
                               const unsigned char hash[CORR_STORE_HASH],
                               int64_t older);
    corr_store_error_e (*discard)(corr_store_t *store,
                               const unsigned char hash[CORR_STORE_HASH],
                               int64_t older);
    corr_store_error_e (*empty)(corr_store_t *store,
                               const unsigned char hash[CORR_STORE_HASH],
                               int64_t older);
    corr_store_error_e (*take_back)(corr_store_t *store,
                               const unsigned char hash[CORR_STORE_HASH],
                               int64_t older);
    corr_store_error_e (*read_mark)(corr_store_t *store,
                               char id[CORR_STORE_ID + 1]);
    corr_store_error_e (*write_mark)(corr_store_t *store,
                               const char id[CORR_STORE_ID + 1]);
    corr_store_error_e (*holds)(corr_store_t *store);
    corr_store_error_e (*locate)(corr_store_t *store, corr_str_t hash,
                               char path[CORR_STORE_PATH]);
} corr_store_backend_t;


/*
 * The directory must exist and be writable by the workers; what is below it
 * is made on demand.  NULL with the reason in error.
 */
corr_store_t *corr_store_open(const char *directory,
    char error[CORR_SERVICE_ERROR]);
void corr_store_close(corr_store_t *store);


/*
 * Begins a file of at most `limit` bytes.  *in is malloc'd and must end in
 * corr_store_finish() or corr_store_abandon().
 */
corr_store_error_e corr_store_create(corr_store_t *store, uint64_t limit,
    corr_incoming_t **in);

/* After an error only abandon() is left. */
corr_store_error_e corr_store_write(corr_incoming_t *in, const void *data,
    size_t len);

/*
 * Checks the content (types may be NULL: anything goes), syncs and places
 * it.  Frees `in` whatever comes out.  *verdict (may be NULL) says why when
 * CORR_STORE_REFUSED.
 */
corr_store_error_e corr_store_finish(corr_incoming_t *in,
    corr_filetypes_t *types, corr_str_t name, corr_stored_t *stored,
    corr_file_verdict_e *verdict);

/*
 * Another descriptor of what was written so far, to be read with pread() and
 * closed by whoever asked; -1 with errno set.  Does not block.
 */
int corr_store_reader(const corr_incoming_t *in);

/* Removes what was written and frees `in`; NULL is allowed. */
void corr_store_abandon(corr_incoming_t *in);


/*
 * The path of a stored file, for sending it.  CORR_STORE_ABSENT when hash
 * has not the form of one; does not look whether the file is there, and so
 * does not block.
 */
corr_store_error_e corr_store_path(corr_store_t *store, corr_str_t hash,
    char path[CORR_STORE_PATH]);

/* Is it there, and how large? */
corr_store_error_e corr_store_stat(corr_store_t *store, corr_str_t hash,
    uint64_t *size);


/*
 * For the collector and fsck: calls found() for each file whose hash begins
 * with the byte `prefix` (0 … 255) and which is older than `age` seconds (0:
 * all), in the order of the hashes.  Who stopped it goes on behind the hash
 * `after`; NULL is from the first one, and with prefix 0 that also clears
 * abandoned temporary files older than `age` (not when 0).  Prefix
 * CORR_STORE_TRASH is the trash, where the age counts from the moment a file
 * was put there.
 */
corr_store_error_e corr_store_scan(corr_store_t *store, unsigned prefix,
    const unsigned char *after, int64_t age, corr_store_found_pt found,
    void *data);

/*
 * What may become of one file if it still is older than `age` seconds; a
 * younger one is CORR_STORE_ABSENT and stays.  Of the first three the caller
 * has seen that no row names it.
 *
 * remove     unlinks it
 * discard    puts it into the trash
 * empty      unlinks it in the trash
 * take_back  out of the trash to its place, young again; CORR_STORE_REFUSED
 *            when its bytes are no longer those it is named by.  A whole one
 *            that is at its place stays, and that in the trash goes.
 */
typedef corr_store_error_e (*corr_store_fate_pt)(corr_store_t *store,
    corr_str_t hash, int64_t age);

corr_store_error_e corr_store_remove(corr_store_t *store, corr_str_t hash,
    int64_t age);
corr_store_error_e corr_store_discard(corr_store_t *store, corr_str_t hash,
    int64_t age);
corr_store_error_e corr_store_empty(corr_store_t *store, corr_str_t hash,
    int64_t age);
corr_store_error_e corr_store_take_back(corr_store_t *store, corr_str_t hash,
    int64_t age);


/* CORR_STORE_ABSENT: there is none.  What is no id is given as it stands. */
corr_store_error_e corr_store_read_mark(corr_store_t *store,
    char id[CORR_STORE_ID + 1]);

/* CORR_STORE_REFUSED: there is one by now. */
corr_store_error_e corr_store_write_mark(corr_store_t *store,
    const char id[CORR_STORE_ID + 1]);

/* CORR_STORE_ABSENT: no file was ever placed in it. */
corr_store_error_e corr_store_holds(corr_store_t *store);


#endif /* CORR_STORE_H */
