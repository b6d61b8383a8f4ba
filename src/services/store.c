/*
 * Where files lie: a directory, by content.
 */

#define _GNU_SOURCE

#include "store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>


#define CORR_STORE_ROOT     (CORR_STORE_PATH - 128)    /* longest directory */
#define CORR_STORE_FOREVER  INT64_MAX
#define CORR_STORE_SHELVES  (CORR_STORE_PREFIXES * CORR_STORE_PREFIXES)
#define CORR_STORE_BATCH    1024     /* files of a shelf put in order at once */


/*
 * Two bytes of a hash are a shelf, with a bit of `safe`; the first of them is
 * the directory of that shelf, in the root, with a byte of `rooted`.
 */

struct corr_store_s {
    const corr_store_backend_t  *backend;
    char                         root[CORR_STORE_ROOT];
    unsigned char                safe[CORR_STORE_SHELVES / 8];
    unsigned char                rooted[CORR_STORE_PREFIXES];
};


struct corr_incoming_s {
    corr_store_t                *store;
    uint64_t                     limit;
    uint64_t                     size;
    EVP_MD_CTX                  *digest;
    corr_file_marks_t            marks;
    int                          fd;
    int                          err;    /* errno of the first failure */
    corr_store_error_e           error;
    char                         path[CORR_STORE_PATH];    /* temporary */
};


typedef struct {
    unsigned char                hash[CORR_STORE_HASH];
    uint64_t                     size;
    int64_t                      mtime;
} corr_store_entry_t;


/* A scan: the first old files of a shelf that come behind `after`. */

typedef struct {
    int64_t                      older;
    char                         path[CORR_STORE_PATH];    /* the shelf's */
    char                         start[5];                 /* its hashes' */
    unsigned char                after[CORR_STORE_HASH];
    size_t                       n;
    int                          full;    /* there may be more than n */
    corr_store_entry_t           entries[2 * CORR_STORE_BATCH];
} corr_store_scan_t;


static corr_store_error_e corr_directory_create(corr_store_t *store,
    corr_incoming_t *in);
static corr_store_error_e corr_directory_write(corr_incoming_t *in,
    const void *data, size_t len);
static corr_store_error_e corr_directory_place(corr_incoming_t *in,
    corr_stored_t *stored);
static int corr_directory_shelf(corr_store_t *store,
    const unsigned char *hash, char path[CORR_STORE_PATH]);
static int corr_directory_settle(corr_store_t *store,
    const unsigned char *hash, const char *shelf);
static void corr_directory_doubt(corr_store_t *store,
    const unsigned char *hash);
static unsigned char *corr_directory_safe(corr_store_t *store,
    const unsigned char *hash, unsigned char *bit);
static size_t corr_directory_number(const unsigned char *hash,
    size_t digits);
static int corr_directory_place_locked(corr_incoming_t *in,
    corr_stored_t *stored);
static int corr_directory_reuse(const char *path, uint64_t size,
    const unsigned char *hash);
static int corr_directory_same(int fd, const unsigned char *hash);
static int corr_directory_sync(const char *path);
static void corr_directory_abandon(corr_incoming_t *in);
static corr_store_error_e corr_directory_scan(corr_store_t *store,
    unsigned prefix, const unsigned char *after, int64_t older,
    corr_store_found_pt found, void *data);
static int corr_directory_scan_shelf(corr_store_scan_t *scan,
    corr_store_found_pt found, void *data);
static int corr_directory_batch(corr_store_scan_t *scan);
static int corr_directory_wanted(const corr_store_scan_t *scan, int dir,
    const char *name, corr_store_entry_t *entry);
static void corr_directory_sort(corr_store_scan_t *scan);
static int corr_directory_compare(const void *one, const void *two);
static void corr_directory_clear(corr_store_t *store, int64_t older);
static corr_store_error_e corr_directory_remove(corr_store_t *store,
    const unsigned char hash[CORR_STORE_HASH], int64_t older);
static corr_store_error_e corr_directory_discard(corr_store_t *store,
    const unsigned char hash[CORR_STORE_HASH], int64_t older);
static int corr_directory_discard_locked(corr_store_t *store,
    const char *path, const char *trash);
static corr_store_error_e corr_directory_empty(corr_store_t *store,
    const unsigned char hash[CORR_STORE_HASH], int64_t older);
static corr_store_error_e corr_directory_take_back(corr_store_t *store,
    const unsigned char hash[CORR_STORE_HASH], int64_t older);
static corr_store_error_e corr_directory_take_back_locked(
    corr_store_t *store, const unsigned char *hash, const char *trash);
static corr_store_error_e corr_directory_put_back(corr_store_t *store,
    const unsigned char *hash, int fd, uint64_t size, const char *trash);
static int corr_directory_old(const char *path, int64_t older);
static void corr_directory_trash(corr_store_t *store,
    const unsigned char *hash, char path[CORR_STORE_PATH]);
static corr_store_error_e corr_directory_read_mark(corr_store_t *store,
    char id[CORR_STORE_ID + 1]);
static corr_store_error_e corr_directory_write_mark(corr_store_t *store,
    const char id[CORR_STORE_ID + 1]);
static corr_store_error_e corr_directory_holds(corr_store_t *store);
static corr_store_error_e corr_directory_locate(corr_store_t *store,
    corr_str_t hash, char path[CORR_STORE_PATH]);
static int corr_directory_lock(corr_store_t *store,
    const unsigned char *hash);
static int corr_directory_open(corr_store_t *store, const char *dir,
    corr_str_t name, int flags, char path[CORR_STORE_PATH]);
static int corr_directory_make(const char *path);
static int corr_store_is_hash(corr_str_t hash);
static EVP_MD_CTX *corr_store_digest(void);
static int corr_store_digest_end(EVP_MD_CTX *digest,
    unsigned char hash[CORR_STORE_HASH]);
static corr_store_error_e corr_store_failed(int err);
static int64_t corr_store_older(int64_t age);


static const corr_store_backend_t  corr_directory = {
    "directory",
    corr_directory_create,
    corr_directory_write,
    corr_directory_place,
    corr_directory_abandon,
    corr_directory_scan,
    corr_directory_remove,
    corr_directory_discard,
    corr_directory_empty,
    corr_directory_take_back,
    corr_directory_read_mark,
    corr_directory_write_mark,
    corr_directory_holds,
    corr_directory_locate
};


/* What every place for files has in common. */

corr_store_t *
corr_store_open(const char *directory, char error[CORR_SERVICE_ERROR])
{
    struct stat    st;
    corr_store_t  *store;

    error[0] = '\0';

    if (stat(directory, &st) == -1) {
        snprintf(error, CORR_SERVICE_ERROR, "\"%s\": %s", directory,
                 strerror(errno));
        return NULL;
    }

    if (!S_ISDIR(st.st_mode) || strlen(directory) >= CORR_STORE_ROOT) {
        snprintf(error, CORR_SERVICE_ERROR, "\"%s\": %s", directory,
                 S_ISDIR(st.st_mode) ? "is too long" : "is not a directory");
        return NULL;
    }

    store = calloc(1, sizeof(corr_store_t));

    if (store == NULL) {
        snprintf(error, CORR_SERVICE_ERROR, "no memory");
        return NULL;
    }

    store->backend = &corr_directory;
    memcpy(store->root, directory, strlen(directory) + 1);

    return store;
}


void
corr_store_close(corr_store_t *store)
{
    free(store);
}


corr_store_error_e
corr_store_create(corr_store_t *store, uint64_t limit, corr_incoming_t **out)
{
    int                  err;
    corr_incoming_t     *in;
    corr_store_error_e   error;

    *out = NULL;

    in = calloc(1, sizeof(corr_incoming_t));
    if (in == NULL) {
        return CORR_STORE_IO;
    }

    in->store = store;
    in->limit = limit;
    in->fd = -1;

    in->digest = corr_store_digest();
    if (in->digest == NULL) {
        free(in);
        errno = ENOMEM;
        return CORR_STORE_IO;
    }

    error = store->backend->create(store, in);

    if (error != CORR_STORE_OK) {
        err = errno;
        EVP_MD_CTX_free(in->digest);
        free(in);
        errno = err;
        return error;
    }

    *out = in;

    return CORR_STORE_OK;
}


corr_store_error_e
corr_store_write(corr_incoming_t *in, const void *data, size_t len)
{
    if (in->error != CORR_STORE_OK) {
        errno = in->err;
        return in->error;
    }

    if (len > in->limit - in->size) {
        in->error = CORR_STORE_LARGE;
        return in->error;
    }

    if (len == 0) {
        return CORR_STORE_OK;
    }

    if (EVP_DigestUpdate(in->digest, data, len) != 1) {
        in->error = CORR_STORE_IO;
        in->err = errno = ENOMEM;
        return in->error;
    }

    in->size += len;
    corr_filetype_note(&in->marks, data, len);

    in->error = in->store->backend->write(in, data, len);
    in->err = errno;

    return in->error;
}


corr_store_error_e
corr_store_finish(corr_incoming_t *in, corr_filetypes_t *types,
    corr_str_t name, corr_stored_t *stored, corr_file_verdict_e *verdict)
{
    int                  err;
    corr_store_error_e   error;
    corr_file_verdict_e  v;

    memset(stored, 0, sizeof(corr_stored_t));

    error = in->error;
    v = CORR_FILE_OK;

    if (error == CORR_STORE_OK && types != NULL) {
        v = corr_filetype_check(types, in->fd, &in->marks, name,
                                &stored->type);
        in->err = errno;

        if (v == CORR_FILE_READ) {
            error = CORR_STORE_IO;

        } else if (v != CORR_FILE_OK) {
            error = CORR_STORE_REFUSED;
        }
    }

    if (verdict != NULL) {
        *verdict = v;
    }

    if (error == CORR_STORE_OK
        && corr_store_digest_end(in->digest, stored->hash) == -1)
    {
        error = CORR_STORE_IO;
        in->err = ENOMEM;
    }

    if (error == CORR_STORE_OK) {
        stored->size = in->size;

        error = in->store->backend->place(in, stored);
        in->err = errno;
    }

    err = in->err;
    corr_store_abandon(in);
    errno = err;

    return error;
}


int
corr_store_reader(const corr_incoming_t *in)
{
    return fcntl(in->fd, F_DUPFD_CLOEXEC, 0);
}


void
corr_store_abandon(corr_incoming_t *in)
{
    if (in == NULL) {
        return;
    }

    in->store->backend->abandon(in);
    EVP_MD_CTX_free(in->digest);
    free(in);
}


corr_store_error_e
corr_store_path(corr_store_t *store, corr_str_t hash,
    char path[CORR_STORE_PATH])
{
    if (!corr_store_is_hash(hash)) {
        return CORR_STORE_ABSENT;
    }

    return store->backend->locate(store, hash, path);
}


corr_store_error_e
corr_store_stat(corr_store_t *store, corr_str_t hash, uint64_t *size)
{
    char         path[CORR_STORE_PATH];
    struct stat  st;

    if (corr_store_path(store, hash, path) != CORR_STORE_OK) {
        return CORR_STORE_ABSENT;
    }

    if (stat(path, &st) == -1) {
        return errno == ENOENT ? CORR_STORE_ABSENT : CORR_STORE_IO;
    }

    *size = (uint64_t) st.st_size;

    return CORR_STORE_OK;
}


corr_store_error_e
corr_store_scan(corr_store_t *store, unsigned prefix,
    const unsigned char *after, int64_t age, corr_store_found_pt found,
    void *data)
{
    if (prefix > CORR_STORE_TRASH) {
        return CORR_STORE_ABSENT;
    }

    return store->backend->scan(store, prefix, after, corr_store_older(age),
                                found, data);
}


corr_store_error_e
corr_store_remove(corr_store_t *store, corr_str_t hash, int64_t age)
{
    if (!corr_store_is_hash(hash)) {
        return CORR_STORE_ABSENT;
    }

    return store->backend->remove(store, hash.data, corr_store_older(age));
}


corr_store_error_e
corr_store_discard(corr_store_t *store, corr_str_t hash, int64_t age)
{
    if (!corr_store_is_hash(hash)) {
        return CORR_STORE_ABSENT;
    }

    return store->backend->discard(store, hash.data, corr_store_older(age));
}


corr_store_error_e
corr_store_empty(corr_store_t *store, corr_str_t hash, int64_t age)
{
    if (!corr_store_is_hash(hash)) {
        return CORR_STORE_ABSENT;
    }

    return store->backend->empty(store, hash.data, corr_store_older(age));
}


corr_store_error_e
corr_store_take_back(corr_store_t *store, corr_str_t hash, int64_t age)
{
    if (!corr_store_is_hash(hash)) {
        return CORR_STORE_ABSENT;
    }

    return store->backend->take_back(store, hash.data, corr_store_older(age));
}


corr_store_error_e
corr_store_read_mark(corr_store_t *store, char id[CORR_STORE_ID + 1])
{
    return store->backend->read_mark(store, id);
}


corr_store_error_e
corr_store_write_mark(corr_store_t *store, const char id[CORR_STORE_ID + 1])
{
    return store->backend->write_mark(store, id);
}


corr_store_error_e
corr_store_holds(corr_store_t *store)
{
    return store->backend->holds(store);
}


static int
corr_store_is_hash(corr_str_t hash)
{
    size_t  i;

    if (hash.len != CORR_STORE_HASH) {
        return 0;
    }

    for (i = 0; i < hash.len; i++) {
        if (!((hash.data[i] >= '0' && hash.data[i] <= '9')
              || (hash.data[i] >= 'a' && hash.data[i] <= 'f')))
        {
            return 0;
        }
    }

    return 1;
}


/* OpenSSL's, which uses the processor's own instructions: four times. */

static EVP_MD_CTX *
corr_store_digest(void)
{
    EVP_MD_CTX  *digest;

    digest = EVP_MD_CTX_new();

    if (digest != NULL && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1)
    {
        EVP_MD_CTX_free(digest);
        return NULL;
    }

    return digest;
}


static int
corr_store_digest_end(EVP_MD_CTX *digest, unsigned char hash[CORR_STORE_HASH])
{
    unsigned char  raw[EVP_MAX_MD_SIZE];

    if (EVP_DigestFinal_ex(digest, raw, NULL) != 1) {
        return -1;
    }

    corr_secrets_hex(raw, CORR_STORE_HASH / 2, hash);

    return 0;
}


static corr_store_error_e
corr_store_failed(int err)
{
    errno = err;

    switch (err) {

    case ENOSPC:
    case EDQUOT:
        return CORR_STORE_FULL;

    case ENOENT:
        return CORR_STORE_ABSENT;

    default:
        return CORR_STORE_IO;
    }
}


static int64_t
corr_store_older(int64_t age)
{
    return age > 0 ? (int64_t) time(NULL) - age : CORR_STORE_FOREVER;
}


/* The directory. */

static corr_store_error_e
corr_directory_create(corr_store_t *store, corr_incoming_t *in)
{
    unsigned char  name[16], hex[32];

    corr_secrets_random(name, sizeof(name));
    corr_secrets_hex(name, sizeof(name), hex);

    in->fd = corr_directory_open(store, "tmp", corr_make_str(hex, sizeof(hex)),
                                 O_EXCL, in->path);

    /* the root is gone */

    return in->fd == -1 ? corr_store_failed(errno == ENOENT ? EIO : errno)
                        : CORR_STORE_OK;
}


static corr_store_error_e
corr_directory_write(corr_incoming_t *in, const void *data, size_t len)
{
    ssize_t      n;
    const char  *p;

    for (p = data; len; p += n, len -= (size_t) n) {

        n = write(in->fd, p, len);

        if (n == -1) {
            if (errno != EINTR) {
                return corr_store_failed(errno);
            }

            n = 0;
        }
    }

    return CORR_STORE_OK;
}


static corr_store_error_e
corr_directory_place(corr_incoming_t *in, corr_stored_t *stored)
{
    int   err, lock, placed;
    char  shelf[CORR_STORE_PATH];

    /*
     * The bytes first, before anyone can find them.  An error here is not
     * tried again: the kernel may have dropped the pages it could not write.
     */

    if (fsync(in->fd) == -1) {
        return corr_store_failed(errno);
    }

    if (corr_directory_shelf(in->store, stored->hash, shelf) == -1) {
        return corr_store_failed(errno == ENOENT ? EIO : errno);
    }

    lock = corr_directory_lock(in->store, stored->hash);
    if (lock == -1) {
        return corr_store_failed(errno == ENOENT ? EIO : errno);
    }

    placed = corr_directory_place_locked(in, stored);
    err = errno;

    close(lock);

    /* from here on it is too young for the collector */

    if (placed == 0
        && corr_directory_settle(in->store, stored->hash, shelf) == -1)
    {
        placed = -1;
        err = errno;
    }

    if (placed == -1) {
        corr_directory_doubt(in->store, stored->hash);
        return corr_store_failed(err);
    }

    return CORR_STORE_OK;
}


/* The directory for this hash, made if need be. */

static int
corr_directory_shelf(corr_store_t *store, const unsigned char *hash,
    char path[CORR_STORE_PATH])
{
    char            first[CORR_STORE_PATH];
    unsigned char   bit, *safe;

    safe = corr_directory_safe(store, hash, &bit);

    snprintf(first, sizeof(first), "%s/%.2s", store->root, (char *) hash);
    snprintf(path, CORR_STORE_PATH, "%s/%.2s/%.2s", store->root,
             (char *) hash, (char *) hash + 2);

    if (__atomic_load_n(safe, __ATOMIC_RELAXED) & bit) {
        return 0;
    }

    return corr_directory_make(first) == -1 || corr_directory_make(path) == -1
           ? -1 : 0;
}


/*
 * The name in it is put on the disk, and all directories on the way, also
 * those that were there: whoever made them may have died before.  What this
 * process has seen through once it need not do again, since nobody takes
 * directories out of a store.  All of it behind the rename: one transaction
 * of the file system does.
 */

static int
corr_directory_settle(corr_store_t *store, const unsigned char *hash,
    const char *shelf)
{
    char            first[CORR_STORE_PATH];
    unsigned char   bit, *safe, *rooted;

    safe = corr_directory_safe(store, hash, &bit);

    if (corr_directory_sync(shelf) == -1) {
        return -1;
    }

    if (__atomic_load_n(safe, __ATOMIC_RELAXED) & bit) {
        return 0;
    }

    snprintf(first, sizeof(first), "%s/%.2s", store->root, (char *) hash);

    if (corr_directory_sync(first) == -1) {
        return -1;
    }

    rooted = &store->rooted[corr_directory_number(hash, 2)];

    if (!__atomic_load_n(rooted, __ATOMIC_RELAXED)) {

        if (corr_directory_sync(store->root) == -1) {
            return -1;
        }

        __atomic_store_n(rooted, 1, __ATOMIC_RELAXED);
    }

    __atomic_fetch_or(safe, bit, __ATOMIC_RELAXED);

    return 0;
}


/* After a failure all is made and synced anew. */

static void
corr_directory_doubt(corr_store_t *store, const unsigned char *hash)
{
    unsigned char   bit, *safe;

    safe = corr_directory_safe(store, hash, &bit);

    __atomic_fetch_and(safe, (unsigned char) ~bit, __ATOMIC_RELAXED);
    __atomic_store_n(&store->rooted[corr_directory_number(hash, 2)], 0,
                     __ATOMIC_RELAXED);
}


/* Where the bit of these first two bytes is. */

static unsigned char *
corr_directory_safe(corr_store_t *store, const unsigned char *hash,
    unsigned char *bit)
{
    size_t  n;

    n = corr_directory_number(hash, 4);
    *bit = (unsigned char) (1 << n % 8);

    return &store->safe[n / 8];
}


/* What the first so many hex digits say. */

static size_t
corr_directory_number(const unsigned char *hash, size_t digits)
{
    size_t  i, n;

    for (n = 0, i = 0; i < digits; i++) {
        n = n * 16 + (hash[i] <= '9' ? hash[i] - '0' : hash[i] - 'a' + 10);
    }

    return n;
}


static int
corr_directory_place_locked(corr_incoming_t *in, corr_stored_t *stored)
{
    int   known;
    char  path[CORR_STORE_PATH];

    corr_directory_locate(in->store,
                          corr_make_str(stored->hash, CORR_STORE_HASH), path);

    known = corr_directory_reuse(path, in->size, stored->hash);

    if (known == -1) {
        return -1;
    }

    if (!known) {
        if (rename(in->path, path) == -1) {
            errno = errno == ENOENT ? EIO : errno;
            return -1;
        }

        in->path[0] = '\0';
    }

    stored->known = known ? 1 : 0;

    return 0;
}


/*
 * Is the file there already?  Then it becomes young, so that the collector
 * leaves it alone until the row is there, and is synced: the one who placed
 * it may not have come that far.  One of another length, or whose bytes have
 * changed since, is a broken one, and is replaced: what is accepted now must
 * not depend on it.
 */

static int
corr_directory_reuse(const char *path, uint64_t size,
    const unsigned char *hash)
{
    int          fd, err, same;
    struct stat  st;

    fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd == -1) {
        return errno == ENOENT ? 0 : -1;
    }

    err = 0;

    if (fstat(fd, &st) == -1) {
        err = errno;

    } else {
        same = (uint64_t) st.st_size == size && corr_directory_same(fd, hash);

        if (!same) {
            close(fd);
            return 0;
        }

        if (futimens(fd, NULL) == -1 || fsync(fd) == -1) {
            err = errno;
        }
    }

    close(fd);
    errno = err;

    return err ? -1 : 1;
}


/* A file that cannot be read is as good as another one. */

static int
corr_directory_same(int fd, const unsigned char *hash)
{
    ssize_t         n;
    EVP_MD_CTX     *digest;
    unsigned char   block[65536];
    unsigned char   hex[CORR_STORE_HASH];

    digest = corr_store_digest();
    if (digest == NULL) {
        return 0;
    }

    while ((n = read(fd, block, sizeof(block))) != 0) {

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n == -1 || EVP_DigestUpdate(digest, block, (size_t) n) != 1) {
            break;
        }
    }

    if (n != 0 || corr_store_digest_end(digest, hex) == -1) {
        memset(hex, 0, sizeof(hex));
    }

    EVP_MD_CTX_free(digest);

    return memcmp(hex, hash, CORR_STORE_HASH) == 0;
}


static int
corr_directory_sync(const char *path)
{
    int  fd, rc, err;

    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd == -1) {
        return -1;
    }

    rc = fsync(fd);
    err = errno;

    close(fd);
    errno = err;

    return rc;
}


/* A file in a directory of the store's own, which is made if need be. */

static int
corr_directory_open(corr_store_t *store, const char *dir, corr_str_t name,
    int flags, char path[CORR_STORE_PATH])
{
    int   fd;
    char  parent[CORR_STORE_PATH];

    flags |= O_RDWR | O_CREAT | O_CLOEXEC;

    snprintf(path, CORR_STORE_PATH, "%s/%s/%.*s", store->root, dir,
             (int) name.len, (char *) name.data);

    fd = open(path, flags, 0640);

    if (fd != -1 || errno != ENOENT) {
        return fd;
    }

    snprintf(parent, sizeof(parent), "%s/%s", store->root, dir);

    return corr_directory_make(parent) == -1 ? -1 : open(path, flags, 0640);
}


static int
corr_directory_make(const char *path)
{
    if (mkdir(path, 0750) == -1 && errno != EEXIST) {
        return -1;
    }

    return 0;
}


static void
corr_directory_abandon(corr_incoming_t *in)
{
    if (in->fd != -1) {
        close(in->fd);
    }

    if (in->path[0] != '\0') {
        (void) unlink(in->path);
    }
}


/*
 * One lock file per first byte of the hash.  Threads exclude each other as
 * well, since each opens it anew; a process that dies lets go.
 */

static int
corr_directory_lock(corr_store_t *store, const unsigned char *hash)
{
    int   fd, err;
    char  path[CORR_STORE_PATH];

    fd = corr_directory_open(store, "lock",
                             corr_make_str((unsigned char *) hash, 2), 0, path);
    if (fd == -1) {
        return -1;
    }

    while (flock(fd, LOCK_EX) == -1) {
        if (errno != EINTR) {
            err = errno;
            close(fd);
            errno = err;
            return -1;
        }
    }

    return fd;
}


static corr_store_error_e
corr_directory_locate(corr_store_t *store, corr_str_t hash,
    char path[CORR_STORE_PATH])
{
    char  *h;

    h = (char *) hash.data;

    snprintf(path, CORR_STORE_PATH, "%s/%.2s/%.2s/%.*s", store->root, h,
             h + 2, CORR_STORE_HASH, h);

    return CORR_STORE_OK;
}


/* Collecting. */

static corr_store_error_e
corr_directory_scan(corr_store_t *store, unsigned prefix,
    const unsigned char *after, int64_t older, corr_store_found_pt found,
    void *data)
{
    int                 rc, err;
    unsigned            shelf;
    corr_store_scan_t  *scan;

    if (prefix == 0 && after == NULL && older != CORR_STORE_FOREVER) {
        corr_directory_clear(store, older);
    }

    scan = calloc(1, sizeof(corr_store_scan_t));
    if (scan == NULL) {
        return corr_store_failed(ENOMEM);
    }

    scan->older = older;

    if (after != NULL) {
        memcpy(scan->after, after, CORR_STORE_HASH);
    }

    rc = 0;

    if (prefix == CORR_STORE_TRASH) {
        snprintf(scan->path, sizeof(scan->path), "%s/trash", store->root);
        rc = corr_directory_scan_shelf(scan, found, data);
    }

    for (shelf = 0;
         rc == 0 && prefix != CORR_STORE_TRASH && shelf < CORR_STORE_PREFIXES;
         shelf++)
    {
        snprintf(scan->start, sizeof(scan->start), "%02x%02x", prefix & 255,
                 shelf & 255);

        if (memcmp(scan->start, scan->after, 4) < 0) {
            continue;
        }

        snprintf(scan->path, sizeof(scan->path), "%s/%.2s/%.2s", store->root,
                 scan->start, scan->start + 2);

        rc = corr_directory_scan_shelf(scan, found, data);
    }

    err = errno;
    free(scan);

    return rc == -1 ? corr_store_failed(err) : CORR_STORE_OK;
}


/* 0, 1 when found() stopped it, or -1. */

static int
corr_directory_scan_shelf(corr_store_scan_t *scan, corr_store_found_pt found,
    void *data)
{
    size_t               i;
    corr_store_entry_t  *entry;

    do {
        if (corr_directory_batch(scan) == -1) {
            return -1;
        }

        for (i = 0; i < scan->n; i++) {
            entry = &scan->entries[i];

            if (found(data, entry->hash, entry->size, entry->mtime)) {
                return 1;
            }
        }

        if (scan->full) {
            memcpy(scan->after, scan->entries[scan->n - 1].hash,
                   CORR_STORE_HASH);
        }

    } while (scan->full);

    return 0;
}


/*
 * A directory tells its names in no order, and there may be any number of
 * them: it is read again for each batch.
 */

static int
corr_directory_batch(corr_store_scan_t *scan)
{
    DIR            *dir;
    int             err;
    struct dirent  *entry;

    scan->n = 0;
    scan->full = 0;

    dir = opendir(scan->path);
    if (dir == NULL) {
        return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
    }

    while (errno = 0, (entry = readdir(dir)) != NULL) {

        if (!corr_directory_wanted(scan, dirfd(dir), entry->d_name,
                                   &scan->entries[scan->n]))
        {
            continue;
        }

        scan->n++;

        if (scan->n == 2 * CORR_STORE_BATCH) {
            corr_directory_sort(scan);
        }
    }

    err = errno;
    closedir(dir);
    errno = err;

    corr_directory_sort(scan);

    return err ? -1 : 0;
}


static int
corr_directory_wanted(const corr_store_scan_t *scan, int dir,
    const char *name, corr_store_entry_t *entry)
{
    struct stat  st;

    if (!corr_store_is_hash(corr_cstr(name))
        || strncmp(name, scan->start, strlen(scan->start)) != 0
        || memcmp(name, scan->after, CORR_STORE_HASH) <= 0
        || (scan->full
            && memcmp(name, scan->entries[CORR_STORE_BATCH - 1].hash,
                      CORR_STORE_HASH) > 0)
        || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1
        || !S_ISREG(st.st_mode) || (int64_t) st.st_mtime >= scan->older)
    {
        return 0;
    }

    memcpy(entry->hash, name, CORR_STORE_HASH);
    entry->size = (uint64_t) st.st_size;
    entry->mtime = (int64_t) st.st_mtime;

    return 1;
}


static void
corr_directory_sort(corr_store_scan_t *scan)
{
    qsort(scan->entries, scan->n, sizeof(corr_store_entry_t),
          corr_directory_compare);

    if (scan->n > CORR_STORE_BATCH) {
        scan->n = CORR_STORE_BATCH;
        scan->full = 1;
    }
}


static int
corr_directory_compare(const void *one, const void *two)
{
    const corr_store_entry_t  *a = one, *b = two;

    return memcmp(a->hash, b->hash, CORR_STORE_HASH);
}


/* What a worker that died left behind. */

static void
corr_directory_clear(corr_store_t *store, int64_t older)
{
    DIR            *dir;
    char            path[CORR_STORE_PATH];
    struct stat     st;
    struct dirent  *entry;

    snprintf(path, sizeof(path), "%s/tmp", store->root);

    dir = opendir(path);
    if (dir == NULL) {
        return;
    }

    while ((entry = readdir(dir)) != NULL) {

        if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0
            && S_ISREG(st.st_mode) && (int64_t) st.st_mtime < older)
        {
            (void) unlinkat(dirfd(dir), entry->d_name, 0);
        }
    }

    closedir(dir);
}


static corr_store_error_e
corr_directory_remove(corr_store_t *store,
    const unsigned char hash[CORR_STORE_HASH], int64_t older)
{
    int   lock, err;
    char  path[CORR_STORE_PATH];

    lock = corr_directory_lock(store, hash);
    if (lock == -1) {
        return corr_store_failed(errno);
    }

    corr_directory_locate(store, corr_make_str(hash, CORR_STORE_HASH), path);

    err = corr_directory_old(path, older);

    /* not synced on purpose: a file that comes back is an orphan again */

    if (err == 0 && unlink(path) == -1) {
        err = errno;
    }

    close(lock);

    return err ? corr_store_failed(err) : CORR_STORE_OK;
}


/* 0, or why it may not go. */

static int
corr_directory_old(const char *path, int64_t older)
{
    struct stat  st;

    if (stat(path, &st) == -1) {
        return errno;
    }

    return (int64_t) st.st_mtime >= older ? ENOENT : 0;
}


/* The trash: one directory, a file's name in it is its hash. */

static void
corr_directory_trash(corr_store_t *store, const unsigned char *hash,
    char path[CORR_STORE_PATH])
{
    snprintf(path, CORR_STORE_PATH, "%s/trash/%.*s", store->root,
             CORR_STORE_HASH, (char *) hash);
}


static corr_store_error_e
corr_directory_discard(corr_store_t *store,
    const unsigned char hash[CORR_STORE_HASH], int64_t older)
{
    int   lock, err;
    char  path[CORR_STORE_PATH], trash[CORR_STORE_PATH];

    lock = corr_directory_lock(store, hash);
    if (lock == -1) {
        return corr_store_failed(errno);
    }

    corr_directory_locate(store, corr_make_str(hash, CORR_STORE_HASH), path);
    corr_directory_trash(store, hash, trash);

    err = corr_directory_old(path, older);

    if (err == 0 && corr_directory_discard_locked(store, path, trash) == -1) {
        err = errno == ENOENT ? EIO : errno;
    }

    close(lock);

    return err ? corr_store_failed(err) : CORR_STORE_OK;
}


/*
 * Its time in the trash begins before it is there: the other way round one
 * whose collector died in between would be as old there as it ever was.
 */

static int
corr_directory_discard_locked(corr_store_t *store, const char *path,
    const char *trash)
{
    char  parent[CORR_STORE_PATH];

    snprintf(parent, sizeof(parent), "%s/trash", store->root);

    if (corr_directory_make(parent) == -1
        || utimensat(AT_FDCWD, path, NULL, 0) == -1)
    {
        return -1;
    }

    return rename(path, trash);
}


static corr_store_error_e
corr_directory_empty(corr_store_t *store,
    const unsigned char hash[CORR_STORE_HASH], int64_t older)
{
    int   lock, err;
    char  trash[CORR_STORE_PATH];

    lock = corr_directory_lock(store, hash);
    if (lock == -1) {
        return corr_store_failed(errno);
    }

    corr_directory_trash(store, hash, trash);

    err = corr_directory_old(trash, older);

    if (err == 0 && unlink(trash) == -1) {
        err = errno;
    }

    close(lock);

    return err ? corr_store_failed(err) : CORR_STORE_OK;
}


static corr_store_error_e
corr_directory_take_back(corr_store_t *store,
    const unsigned char hash[CORR_STORE_HASH], int64_t older)
{
    int                  lock, err;
    char                 trash[CORR_STORE_PATH];
    corr_store_error_e   error;

    lock = corr_directory_lock(store, hash);
    if (lock == -1) {
        return corr_store_failed(errno);
    }

    corr_directory_trash(store, hash, trash);

    err = corr_directory_old(trash, older);
    error = err ? corr_store_failed(err)
                : corr_directory_take_back_locked(store, hash, trash);
    err = errno;

    close(lock);
    errno = err;

    return error;
}


static corr_store_error_e
corr_directory_take_back_locked(corr_store_t *store,
    const unsigned char *hash, const char *trash)
{
    int                  fd, err;
    struct stat          st;
    corr_store_error_e   error;

    fd = open(trash, O_RDONLY | O_CLOEXEC);
    if (fd == -1) {
        return corr_store_failed(errno);
    }

    if (fstat(fd, &st) == -1) {
        error = corr_store_failed(errno);

    } else if (!corr_directory_same(fd, hash)) {
        errno = EBADMSG;
        error = CORR_STORE_REFUSED;

    } else {
        error = corr_directory_put_back(store, hash, fd,
                                        (uint64_t) st.st_size, trash);
    }

    err = errno;
    close(fd);
    errno = err;

    return error;
}


/* As when it comes in. */

static corr_store_error_e
corr_directory_put_back(corr_store_t *store, const unsigned char *hash,
    int fd, uint64_t size, const char *trash)
{
    int   rc;
    char  path[CORR_STORE_PATH], shelf[CORR_STORE_PATH];

    if (corr_directory_shelf(store, hash, shelf) == -1) {
        return corr_store_failed(errno == ENOENT ? EIO : errno);
    }

    corr_directory_locate(store, corr_make_str(hash, CORR_STORE_HASH), path);

    rc = corr_directory_reuse(path, size, hash);

    if (rc == 1) {
        rc = unlink(trash);

    } else if (rc == 0) {
        rc = futimens(fd, NULL) == -1 ? -1 : rename(trash, path);
    }

    if (rc == -1 || corr_directory_settle(store, hash, shelf) == -1) {
        return corr_store_failed(errno == ENOENT ? EIO : errno);
    }

    return CORR_STORE_OK;
}


/* Whose it is. */

static corr_store_error_e
corr_directory_read_mark(corr_store_t *store, char id[CORR_STORE_ID + 1])
{
    int      fd, err;
    char     path[CORR_STORE_PATH];
    size_t   i;
    ssize_t  n;

    snprintf(path, sizeof(path), "%s/" CORR_STORE_MARK, store->root);

    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1) {
        return corr_store_failed(errno);
    }

    do {
        n = read(fd, id, CORR_STORE_ID);
    } while (n == -1 && errno == EINTR);

    err = errno;
    close(fd);

    if (n == -1) {
        return corr_store_failed(err);
    }

    for (i = 0; i < (size_t) n && id[i] > ' ' && id[i] <= '~'; i++) {
        /* void */
    }

    id[i] = '\0';

    return CORR_STORE_OK;
}


/* Whole or not at all, and of several who try the first one's. */

static corr_store_error_e
corr_directory_write_mark(corr_store_t *store,
    const char id[CORR_STORE_ID + 1])
{
    int                  err;
    char                 path[CORR_STORE_PATH];
    corr_incoming_t      in;
    corr_store_error_e   error;

    memset(&in, 0, sizeof(corr_incoming_t));
    snprintf(path, sizeof(path), "%s/" CORR_STORE_MARK, store->root);

    error = corr_directory_create(store, &in);

    if (error == CORR_STORE_OK) {
        error = corr_directory_write(&in, id, CORR_STORE_ID);
    }

    if (error == CORR_STORE_OK) {
        error = corr_directory_write(&in, "\n", 1);
    }

    if (error == CORR_STORE_OK
        && (fsync(in.fd) == -1 || link(in.path, path) == -1
            || corr_directory_sync(store->root) == -1))
    {
        error = errno == EEXIST ? CORR_STORE_REFUSED
                                : corr_store_failed(errno);
    }

    err = errno;
    corr_directory_abandon(&in);
    errno = err;

    return error;
}


/* A directory that nothing is mounted on has no shelves. */

static corr_store_error_e
corr_directory_holds(corr_store_t *store)
{
    DIR            *dir;
    int             err;
    struct dirent  *entry;

    dir = opendir(store->root);
    if (dir == NULL) {
        return corr_store_failed(errno == ENOENT ? EIO : errno);
    }

    while (errno = 0, (entry = readdir(dir)) != NULL) {

        if (strcmp(entry->d_name, "trash") == 0
            || (strlen(entry->d_name) == 2
                && strspn(entry->d_name, "0123456789abcdef") == 2))
        {
            break;
        }
    }

    err = entry == NULL && errno == 0 ? ENOENT : errno;
    closedir(dir);

    return entry != NULL ? CORR_STORE_OK : corr_store_failed(err);
}
