/*
 * The file store: every system call of it that can fail goes through a
 * wrapper here (ld --wrap), which writes down the order, fails the Nth, or
 * ends the process at the Nth.
 */

#define _GNU_SOURCE

#include "tap.h"
#include "services/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>


/* sha256sum of "abc", FIPS 180-2, B.1 */

#define ABC  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


static char           root[] = "/tmp/corr-store-XXXXXX";
static corr_store_t  *store;

static int            calls;         /* so far */
static int            fail_at;       /* which, counted from 1; 0: none */
static int            fail_with;     /* errno, or -1: die */
static int            short_writes;
static char           journal[4096];


static int
step(const char *what, const char *path)
{
    size_t       n;
    const char  *name;

    calls++;

    if (fail_at && calls == fail_at) {
        if (fail_with == -1) {
            _exit(42);
        }

        errno = fail_with;
        return -1;
    }

    name = path;

    if (strncmp(path, root, sizeof(root) - 1) == 0) {
        name = path + sizeof(root) - 1;
    }

    if (strncmp(name, "/tmp/", 5) == 0) {
        name = "/tmp/*";
    }

    n = strlen(journal);
    snprintf(journal + n, sizeof(journal) - n, "%s %.9s\n", what, name);

    return 0;
}


static const char *
fd_path(int fd)
{
    char         link[64];
    ssize_t      n;
    static char  path[512];

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof(path) - 1);
    path[n < 0 ? 0 : n] = '\0';

    return path;
}


ssize_t __real_write(int fd, const void *data, size_t len);
ssize_t __wrap_write(int fd, const void *data, size_t len);
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __real_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode);
int __real_futimens(int fd, const struct timespec times[2]);
int __wrap_futimens(int fd, const struct timespec times[2]);
int __real_flock(int fd, int how);
int __wrap_flock(int fd, int how);


ssize_t
__wrap_write(int fd, const void *data, size_t len)
{
    if (step("write", fd_path(fd)) == -1) {
        return -1;
    }

    if (short_writes && len > 1) {
        len = len / 2;
    }

    return __real_write(fd, data, len);
}


int
__wrap_open(const char *path, int flags, ...)
{
    va_list  args;
    mode_t   mode;

    va_start(args, flags);
    mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);

    return step("open", path) == -1 ? -1 : __real_open(path, flags, mode);
}


int
__wrap_fsync(int fd)
{
    return step("fsync", fd_path(fd)) == -1 ? -1 : __real_fsync(fd);
}


int
__wrap_rename(const char *from, const char *to)
{
    return step("rename", to) == -1 ? -1 : __real_rename(from, to);
}


int
__wrap_mkdir(const char *path, mode_t mode)
{
    return step("mkdir", path) == -1 ? -1 : __real_mkdir(path, mode);
}


int
__wrap_futimens(int fd, const struct timespec times[2])
{
    return step("futimens", fd_path(fd)) == -1 ? -1
                                               : __real_futimens(fd, times);
}


int
__wrap_flock(int fd, int how)
{
    return step("flock", fd_path(fd)) == -1 ? -1 : __real_flock(fd, how);
}


static void
reset(int at, int with)
{
    calls = 0;
    fail_at = at;
    fail_with = with;
    journal[0] = '\0';
}


static corr_store_error_e
put(const char *text, size_t block, corr_stored_t *stored)
{
    size_t               n, len;
    corr_incoming_t     *in;
    corr_store_error_e   error;

    error = corr_store_create(store, 1000000, &in);
    if (error != CORR_STORE_OK) {
        return error;
    }

    len = strlen(text);

    while (len) {
        n = block < len ? block : len;
        error = corr_store_write(in, text, n);

        if (error != CORR_STORE_OK) {
            corr_store_abandon(in);
            return error;
        }

        text += n;
        len -= n;
    }

    return corr_store_finish(in, NULL, CORR_STR(""), stored, NULL);
}


/* Holds the store this text, whole?  1, 0, or -1: something else. */

static int
holds(const char *hash, const char *text)
{
    char     path[CORR_STORE_PATH], data[256];
    FILE    *f;
    size_t   n;

    corr_store_path(store, corr_make_str(hash, CORR_STORE_HASH), path);

    f = fopen(path, "r");
    if (f == NULL) {
        return 0;
    }

    n = fread(data, 1, sizeof(data), f);
    fclose(f);

    return n == strlen(text) && memcmp(data, text, n) == 0 ? 1 : -1;
}


static int
temporary(void)
{
    int   n;
    char  command[128];
    FILE  *p;

    snprintf(command, sizeof(command), "ls %s/tmp | wc -l", root);
    p = popen(command, "r");

    if (fscanf(p, "%d", &n) != 1) {
        n = -1;
    }

    pclose(p);

    return n;
}


static void
forget(const char *hash)
{
    corr_store_remove(store, corr_make_str(hash, CORR_STORE_HASH), 0);
}


/* As a process that has just begun. */

static void
reopen(void)
{
    char  error[CORR_SERVICE_ERROR];

    reset(0, 0);
    corr_store_close(store);
    store = corr_store_open(root, error);
}


static void
order(void)
{
    corr_stored_t  stored;

    reset(0, 0);
    is_int(put("abc", 2, &stored), CORR_STORE_OK, "a file");
    is_str(corr_make_str(stored.hash, CORR_STORE_HASH), CORR_STR(ABC),
           "by its SHA-256 (FIPS 180-2)");
    ok(stored.size == 3 && !stored.known, "new, three bytes");

    is_text(corr_cstr(journal),
            "open /tmp/*\n"
            "mkdir /tmp\n"
            "open /tmp/*\n"
            "write /tmp/*\n"
            "write /tmp/*\n"
            "fsync /tmp/*\n"
            "mkdir /ba\n"
            "mkdir /ba/78\n"
            "open /lock/ba\n"
            "mkdir /lock\n"
            "open /lock/ba\n"
            "flock /lock/ba\n"
            "open /ba/78/ba\n"
            "rename /ba/78/ba\n"
            "open /ba/78\n"
            "fsync /ba/78\n"
            "open /ba\n"
            "fsync /ba\n"
            "open \n"
            "fsync \n",
            "the bytes are safe before the name is, and the name before the "
            "end");

    reset(0, 0);
    is_int(put("abc", 3, &stored), CORR_STORE_OK, "the same again");
    ok(stored.known, "known");
    ok(strstr(journal, "rename") == NULL
       && strstr(journal, "futimens /ba/78/ba\nfsync /ba/78/ba\n") != NULL
       && strstr(journal, "fsync /ba/78\n") != NULL,
       "is made young and synced again");
    is_int(temporary(), 0, "nothing temporary is left");

    reset(0, 0);
    forget(ABC);
    reset(0, 0);
    is_int(put("abc", 3, &stored), CORR_STORE_OK, "again where others lay");
    is_text(corr_cstr(journal),
            "open /tmp/*\n"
            "write /tmp/*\n"
            "fsync /tmp/*\n"
            "open /lock/ba\n"
            "flock /lock/ba\n"
            "open /ba/78/ba\n"
            "rename /ba/78/ba\n"
            "open /ba/78\n"
            "fsync /ba/78\n",
            "syncs only what can have changed");

    reset(0, 0);
    is_int(put("n89", 3, &stored), CORR_STORE_OK, "on another shelf of it");
    ok(strstr(journal, "fsync /ba/dc\nopen /ba\nfsync /ba\n") != NULL
       && strstr(journal, "fsync \n") == NULL,
       "syncs its directory, and not the root again");
    reset(0, 0);
    forget("badc6de47ccf2c201cf5cf9288debfd9dc34c3cbd7e723b648e352affc5ecedf");

    reopen();
    reset(0, 0);
    is_int(put("abc", 3, &stored), CORR_STORE_OK, "by another process");
    ok(strstr(journal, "fsync /ba\nopen \nfsync \n") != NULL,
       "which cannot know what the first had synced");

    short_writes = 1;
    forget(ABC);
    is_int(put("abc", 3, &stored), CORR_STORE_OK, "written by halves");
    is_int(holds(ABC, "abc"), 1, "is whole");
    short_writes = 0;
}


/* As SQLite does it: the first call fails, then the second … */

static void
failures(void)
{
    int                  n, bad, done, known;
    corr_stored_t        stored;
    corr_store_error_e   error;

    static const struct {
        int                  err;
        corr_store_error_e   error;
    } v[] = {
        { ENOSPC, CORR_STORE_FULL }, { EDQUOT, CORR_STORE_FULL },
        { EIO, CORR_STORE_IO }, { EACCES, CORR_STORE_IO },
        { EROFS, CORR_STORE_IO }
    };

    size_t  i;

    for (known = 0; known < 2; known++) {
        for (i = 0; i < sizeof(v) / sizeof(v[0]); i++) {

            bad = 0;
            done = 0;

            for (n = 1; !done && n < 100; n++) {
                reset(0, 0);
                forget(ABC);

                if (known) {
                    put("abc", 3, &stored);
                }

                reopen();
                reset(n, v[i].err);
                error = put("abc", 1, &stored);
                done = calls < n;

                if (done) {
                    bad += error != CORR_STORE_OK;

                } else {
                    bad += error != v[i].error || errno != v[i].err;
                }

                fail_at = 0;
                bad += temporary() != 0;
                bad += holds(ABC, "abc") == -1;
                bad += known && holds(ABC, "abc") != 1;

                /* and nothing stands in the way of the next try */

                bad += put("abc", 3, &stored) != CORR_STORE_OK;
                bad += holds(ABC, "abc") != 1;
            }

            ok(done && bad == 0, "%s at each of %d calls (%s)",
               strerrorname_np(v[i].err), n - 2, known ? "known" : "new");
        }
    }
}


static void
crashes(void)
{
    int            n, bad, done, status;
    pid_t          pid;
    corr_stored_t  stored;

    bad = 0;
    done = 0;

    for (n = 1; !done && n < 100; n++) {
        reset(0, 0);
        forget(ABC);
        fflush(stdout);

        pid = fork();

        if (pid == 0) {
            reopen();
            reset(n, -1);
            _exit(put("abc", 1, &stored) == CORR_STORE_OK ? 0 : 1);
        }

        waitpid(pid, &status, 0);
        done = WEXITSTATUS(status) == 0;

        bad += !done && WEXITSTATUS(status) != 42;
        bad += holds(ABC, "abc") == -1;
        bad += put("abc", 3, &stored) != CORR_STORE_OK;
        bad += holds(ABC, "abc") != 1;
    }

    if (system("rm -f /tmp/corr-store-*/tmp/*") != 0) {
        bad++;
    }

    ok(done && bad == 0, "a crash before each of %d calls leaves all or "
       "nothing, and no lock", n - 2);
}


static int
count(void *data, const unsigned char hash[CORR_STORE_HASH], uint64_t size,
    int64_t mtime)
{
    int  *n = data;

    (void) hash;
    (void) size;
    (void) mtime;

    return ++*n == 1000;
}


static int
found(int64_t age)
{
    int       n;
    unsigned  prefix;

    n = 0;

    for (prefix = 0; prefix < CORR_STORE_PREFIXES; prefix++) {
        corr_store_scan(store, prefix, NULL, age, count, &n);
    }

    return n;
}


static void
make_old(const char *hash, int64_t age)
{
    char             path[CORR_STORE_PATH];
    struct timespec  times[2];

    corr_store_path(store, corr_make_str(hash, CORR_STORE_HASH), path);

    clock_gettime(CLOCK_REALTIME, &times[0]);
    times[0].tv_sec -= age;
    times[1] = times[0];
    utimensat(AT_FDCWD, path, times, 0);
}


static void
collecting(void)
{
    char           name[32];
    int            i;
    uint64_t       size;
    corr_stored_t  stored;

    reset(0, 0);

    for (i = 0; i < 20; i++) {
        sprintf(name, "file %d", i);
        put(name, 100, &stored);
    }

    put("abc", 3, &stored);

    is_int(found(0), 21, "all files are found");
    is_int(found(3600), 0, "none is old");

    make_old(ABC, 4000);
    is_int(found(3600), 1, "one is old now");
    is_int(found(4100), 0, "but not that old");

    /* it comes in again between the collector's question and its removal */

    put("abc", 3, &stored);
    is_int(corr_store_remove(store, CORR_STR(ABC), 3600), CORR_STORE_ABSENT,
           "a file that came again stays");
    is_int(holds(ABC, "abc"), 1, "indeed");

    make_old(ABC, 4000);
    is_int(corr_store_stat(store, CORR_STR(ABC), &size), CORR_STORE_OK,
           "it is there");
    is_int((long long) size, 3, "three bytes");
    is_int(corr_store_remove(store, CORR_STR(ABC), 3600), CORR_STORE_OK,
           "an old one goes");
    is_int(corr_store_stat(store, CORR_STR(ABC), &size), CORR_STORE_ABSENT,
           "indeed");
    is_int(corr_store_remove(store, CORR_STR(ABC), 3600), CORR_STORE_ABSENT,
           "once");

    /* what a dead worker left in tmp/ */

    {
        char              command[256];
        corr_incoming_t  *in;

        corr_store_create(store, 10, &in);
        snprintf(command, sizeof(command),
                 "touch -d '2 hours ago' %s/tmp/old", root);

        if (system(command) != 0) {
            ok(0, "touch");
        }

        found(3600);
        is_int(temporary(), 1, "an old temporary file goes, a new one stays");
        corr_store_abandon(in);
        is_int(temporary(), 0, "until it is abandoned");
    }
}


static int
in_trash(const char *hash, int64_t age)
{
    char             path[CORR_STORE_PATH];
    struct timespec  times[2];

    snprintf(path, sizeof(path), "%s/trash/%s", root, hash);

    clock_gettime(CLOCK_REALTIME, &times[0]);
    times[0].tv_sec -= age;
    times[1] = times[0];

    return age ? utimensat(AT_FDCWD, path, times, 0) == 0
               : access(path, F_OK) == 0;
}


static int
trashed(int64_t age)
{
    int  n = 0;

    corr_store_scan(store, CORR_STORE_TRASH, NULL, age, count, &n);

    return n;
}


static void
discarding(void)
{
    FILE           *f;
    char            path[CORR_STORE_PATH];
    uint64_t        size;
    corr_stored_t   stored;

    reset(0, 0);
    put("abc", 3, &stored);
    is_int(trashed(0), 0, "there is no trash yet");
    is_int(corr_store_discard(store, CORR_STR(ABC), 3600), CORR_STORE_ABSENT,
           "a young file is not put there");

    make_old(ABC, 4000);
    is_int(corr_store_discard(store, CORR_STR(ABC), 3600), CORR_STORE_OK,
           "an old one is");
    is_int(corr_store_stat(store, CORR_STR(ABC), &size), CORR_STORE_ABSENT,
           "and no longer at its place");
    is_int(trashed(0), 1, "but there");
    is_int(trashed(3600), 0, "since now");
    is_int(corr_store_empty(store, CORR_STR(ABC), 3600), CORR_STORE_ABSENT,
           "where it stays for a while");

    is_int(corr_store_take_back(store, CORR_STR(ABC), 0), CORR_STORE_OK,
           "it is taken back");
    is_int(holds(ABC, "abc"), 1, "whole");
    is_int(trashed(0) + in_trash(ABC, 0), 0, "out of the trash");
    is_int(corr_store_discard(store, CORR_STR(ABC), 3600), CORR_STORE_ABSENT,
           "and young");
    is_int(corr_store_take_back(store, CORR_STR(ABC), 0), CORR_STORE_ABSENT,
           "once");

    /* the same bytes come in while it is there */

    make_old(ABC, 4000);
    corr_store_discard(store, CORR_STR(ABC), 3600);
    is_int(put("abc", 3, &stored), CORR_STORE_OK, "sent again");
    is_int(stored.known, 0, "it is placed anew");
    is_int(in_trash(ABC, 4000), 1, "beside the one in the trash");
    is_int(corr_store_empty(store, CORR_STR(ABC), 3600), CORR_STORE_OK,
           "which goes");
    is_int(holds(ABC, "abc"), 1, "and nothing of the other");

    /* back into the place of a broken one, and never a broken one */

    make_old(ABC, 4000);
    corr_store_discard(store, CORR_STR(ABC), 3600);
    put("abc", 3, &stored);
    corr_store_path(store, CORR_STR(ABC), path);
    is_int(truncate(path, 1), 0, "one that was cut");
    is_int(corr_store_take_back(store, CORR_STR(ABC), 0), CORR_STORE_OK,
           "is replaced");
    is_int(holds(ABC, "abc"), 1, "by the whole one");

    make_old(ABC, 4000);
    corr_store_discard(store, CORR_STR(ABC), 3600);
    snprintf(path, sizeof(path), "%s/trash/" ABC, root);
    f = fopen(path, "w");
    fputs("abd", f);
    fclose(f);
    is_int(corr_store_take_back(store, CORR_STR(ABC), 0), CORR_STORE_REFUSED,
           "one that changed in the trash is not taken back");
    is_int(corr_store_empty(store, CORR_STR(ABC), 0), CORR_STORE_OK,
           "but goes");
}


/* Whatever call fails, the bytes are at the place or in the trash. */

static int
whereabouts(void)
{
    reset(0, 0);

    if (holds(ABC, "abc")) {
        return !in_trash(ABC, 0);
    }

    return in_trash(ABC, 0)
           && corr_store_take_back(store, CORR_STR(ABC), 0) == CORR_STORE_OK
           && holds(ABC, "abc");
}


static void
discarding_fails(void)
{
    int                  at, bad = 0, done = 0, failed = 0;
    corr_stored_t        stored;
    corr_store_error_e   error;

    for (at = 1; !done; at++) {
        reset(0, 0);
        put("abc", 3, &stored);
        make_old(ABC, 4000);
        reset(at, EIO);
        error = corr_store_discard(store, CORR_STR(ABC), 3600);
        done = calls < at;
        failed += error != CORR_STORE_OK;
        bad += (error != CORR_STORE_OK) == done;
        bad += !whereabouts();

        reset(0, 0);
        make_old(ABC, 4000);
        corr_store_discard(store, CORR_STR(ABC), 3600);
        reset(at, EIO);
        (void) corr_store_take_back(store, CORR_STR(ABC), 0);
        done = done && calls < at;
        bad += !whereabouts();
    }

    ok(bad == 0 && failed > 2, "%d calls failed, one by one, and nothing was "
       "lost", at - 2);
}


static void
marking(void)
{
    char  id[CORR_STORE_ID + 1], path[CORR_STORE_PATH];
    FILE *f;

    static const char  one[] = "5f0e2d8c-8f0c-4a55-9d0b-0a6a2a2c4f11";
    static const char  two[] = "00000000-8f0c-4a55-9d0b-0a6a2a2c4f11";

    reset(0, 0);
    is_int(corr_store_holds(store), CORR_STORE_OK, "the store has shelves");
    is_int(corr_store_read_mark(store, id), CORR_STORE_ABSENT, "no mark");
    is_int(corr_store_write_mark(store, one), CORR_STORE_OK, "it gets one");
    is_int(corr_store_write_mark(store, two), CORR_STORE_REFUSED, "once");
    is_int(corr_store_read_mark(store, id), CORR_STORE_OK, "there it is");
    ok(strcmp(id, one) == 0, "the first one: %s", id);
    is_int(temporary(), 0, "nothing temporary is left");

    snprintf(path, sizeof(path), "%s/" CORR_STORE_MARK, root);
    f = fopen(path, "w");
    fputs("what is\nthis?", f);
    fclose(f);
    is_int(corr_store_read_mark(store, id), CORR_STORE_OK, "whatever it is");
    ok(strcmp(id, "what") == 0, "%s", id);
    unlink(path);

    reset(1, EIO);
    ok(corr_store_write_mark(store, one) != CORR_STORE_OK, "not written");
    reset(0, 0);
    is_int(corr_store_read_mark(store, id), CORR_STORE_ABSENT, "is no mark");
}


/* Broken content, of another length, is replaced. */

static void
broken(void)
{
    char           path[CORR_STORE_PATH];
    corr_stored_t  stored;

    put("abc", 3, &stored);
    corr_store_path(store, CORR_STR(ABC), path);

    if (truncate(path, 1) == -1) {
        ok(0, "truncate");
    }

    is_int(put("abc", 3, &stored), CORR_STORE_OK, "a file cut on the disk");
    is_int(holds(ABC, "abc"), 1, "is whole again");
}


static void
limits(void)
{
    char              path[CORR_STORE_PATH], error[CORR_SERVICE_ERROR];
    corr_stored_t     stored;
    corr_incoming_t  *in;
    corr_filetypes_t *types;

    corr_file_verdict_e  verdict;

    corr_store_create(store, 10, &in);
    is_int(corr_store_write(in, "0123456789", 10), CORR_STORE_OK, "ten");
    is_int(corr_store_write(in, "x", 1), CORR_STORE_LARGE, "eleven");
    is_int(corr_store_write(in, "", 0), CORR_STORE_LARGE, "stays refused");
    is_int(corr_store_finish(in, NULL, CORR_STR(""), &stored, NULL),
           CORR_STORE_LARGE, "to the end");
    is_int(temporary(), 0, "and leaves nothing");

    types = corr_filetypes_load(CORR_FILETYPE_PDF, 0, error);
    corr_store_create(store, 100, &in);
    corr_store_write(in, "<html>", 6);
    is_int(corr_store_finish(in, types, CORR_STR("a.pdf"), &stored,
                             &verdict),
           CORR_STORE_REFUSED, "content that is refused");
    is_int(verdict, CORR_FILE_KIND, "and why");
    is_int(temporary(), 0, "leaves nothing");

    corr_store_create(store, 100, &in);
    corr_store_write(in, "%PDF-1.4\n%%EOF\n", 15);
    is_int(corr_store_finish(in, types, CORR_STR("a.pdf"), &stored,
                             &verdict), CORR_STORE_OK, "content that is not");
    is_int(stored.type.kind, CORR_FILETYPE_PDF, "has its type");
    corr_filetypes_free(types);

    is_int(corr_store_path(store, CORR_STR("../../etc/passwd"), path),
           CORR_STORE_ABSENT, "only hashes have paths");
    is_int(corr_store_path(store,
               CORR_STR("BA7816bf8f01cfea414140de5dae2223"
                        "b00361a396177a9cb410ff61f20015ad"), path),
           CORR_STORE_ABSENT, "in small letters");

    ok(corr_store_open("/nonexistent", error) == NULL, "%s", error);
    ok(corr_store_open("/etc/passwd", error) == NULL, "%s", error);
}


/* Writers of the same bytes against a collector that removes all it may. */

/* A file of this name and age, whatever is in it. */

static void
lay(unsigned shelf, unsigned n, int64_t age)
{
    char   hash[CORR_STORE_HASH + 1], path[CORR_STORE_PATH];
    FILE  *f;

    snprintf(hash, sizeof(hash), "ee%02x%060x", shelf & 255, n);
    corr_store_path(store, corr_make_str(hash, CORR_STORE_HASH), path);

    f = fopen(path, "w");

    if (f == NULL) {
        path[strlen(root) + sizeof("/ee/00") - 1] = '\0';
        (void) mkdir(path, 0700);
        corr_store_path(store, corr_make_str(hash, CORR_STORE_HASH), path);
        f = fopen(path, "w");
    }

    if (f != NULL) {
        fclose(f);
    }

    make_old(hash, age);
}


typedef struct {
    int            n;
    int            some;          /* of a turn */
    int            disorder;
    unsigned char  last[CORR_STORE_HASH];
} walk_t;


static int
walk(void *data, const unsigned char hash[CORR_STORE_HASH], uint64_t size,
    int64_t mtime)
{
    walk_t  *w = data;

    (void) size;
    (void) mtime;

    w->disorder += memcmp(hash, w->last, CORR_STORE_HASH) <= 0;
    memcpy(w->last, hash, CORR_STORE_HASH);

    return ++w->n % w->some == 0;
}


/* A portion in turns, each behind the last one: how many files? */

static int
walked(int some, int *disorder)
{
    int     n;
    walk_t  w;

    memset(&w, 0, sizeof(w));
    w.some = some;

    do {
        n = w.n;
        corr_store_scan(store, 0xee, n ? w.last : NULL, 3600, walk, &w);
    } while (w.n > n && w.n % some == 0);

    *disorder = w.disorder;

    return w.n;
}


/* More of them on one shelf than are put in order at once. */

static void
crowd(void)
{
    int       i, disorder;
    char      path[CORR_STORE_PATH];

    static const int  some[] = { 1000000, 4096, 1024, 1000, 333 };

    reset(0, 0);
    snprintf(path, sizeof(path), "%s/ee", root);
    (void) mkdir(path, 0700);

    lay(0, 1, 4000);
    lay(255, 1, 4000);

    for (i = 0; i < 5000; i++) {
        lay(0x7f, (unsigned) i * 7919 % 5003, i % 5 ? 4000 : 1000);
    }

    for (i = 0; i < 5; i++) {
        is_int(walked(some[i], &disorder), 4002,
               "each old file of a crowded shelf has its turn");
        is_int(disorder, 0, "once, and in order");
    }
}


static void *
writer(void *data)
{
    int             i, *lost = data;
    uint64_t        size;
    corr_stored_t   stored;

    for (i = 0; i < 200; i++) {
        if (put("abc", 3, &stored) != CORR_STORE_OK
            || corr_store_stat(store, CORR_STR(ABC), &size) != CORR_STORE_OK)
        {
            ++*lost;
        }
    }

    return NULL;
}


static void *
collector(void *data)
{
    int  i;

    for (i = 0; i < 2000; i++) {
        corr_store_remove(store, CORR_STR(ABC), 3600);
    }

    return data;
}


static void
together(void)
{
    int        i, lost[4];
    pthread_t  threads[5];

    memset(lost, 0, sizeof(lost));

    /* an old orphan at the start: the race is about its removal */

    make_old(ABC, 4000);

    for (i = 0; i < 4; i++) {
        pthread_create(&threads[i], NULL, writer, &lost[i]);
    }

    pthread_create(&threads[4], NULL, collector, NULL);

    for (i = 0; i < 5; i++) {
        pthread_join(threads[i], NULL);
    }

    is_int(lost[0] + lost[1] + lost[2] + lost[3], 0,
           "what was placed is there, whatever the collector does");
    is_int(temporary(), 0, "nothing temporary is left");
}


int
main(void)
{
    char  error[CORR_SERVICE_ERROR], command[64];

    if (mkdtemp(root) == NULL) {
        return 1;
    }

    store = corr_store_open(root, error);

    order();
    failures();
    crashes();
    collecting();
    discarding();
    discarding_fails();
    marking();
    crowd();
    broken();
    limits();
    together();

    corr_store_close(store);

    snprintf(command, sizeof(command), "rm -rf %s", root);

    return system(command) != 0 || tap_done();
}
