/*
 * A preload library that lets calls of nginx's workers fail: allocations,
 * and reads, writes and files of whatever library makes them.
 *
 *   LD_PRELOAD=build/faults.so CORR_FAULTS=/path/of/control nginx …
 *
 * The control file holds a faults_t that the test writes and this library
 * reads, while nginx runs (t/lib/Portal/Faults.pm is the other side).  The
 * master is left alone: it is told from its workers by the fork.
 *
 * Readiness is edge-triggered for nginx's own sockets.  A kernel that gave
 * less than there is, or EAGAIN, says so again when there is more; so does
 * this library, by asking the kernel anew for what was asked last.
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>


/* Which calls: a set. */

#define FAULTS_ALLOC     0x01
#define FAULTS_READ      0x02
#define FAULTS_WRITE     0x04
#define FAULTS_SYNC      0x08      /* fsync, fdatasync */
#define FAULTS_NAME      0x10      /* open, mkdir, rename */
#define FAULTS_CONNECT   0x20      /* socket, connect, accept */

/* On what: a set. */

#define FAULTS_CLIENT    0x01      /* connections nginx has accepted */
#define FAULTS_LOCAL     0x02      /* Unix sockets: PostgreSQL, Redis */
#define FAULTS_REMOTE    0x04      /* connections to gateways */
#define FAULTS_FILE      0x08      /* files, but for logs */

/* And then. */

#define FAULTS_FAIL      1         /* with error */
#define FAULTS_SHORT     2         /* size bytes at the most */
#define FAULTS_TURN      3         /* half of the calls end with error */


typedef struct {
    uint32_t                 armed;
    uint32_t                 calls;
    uint32_t                 targets;
    uint32_t                 action;
    uint32_t                 error;      /* an errno */
    uint32_t                 size;
    uint32_t                 port;       /* nginx's own */
    uint32_t                 hold;       /* threads wait in their next call */
    uint64_t                 first;      /* 1: the first call since armed */
    uint64_t                 last;
    uint64_t                 seen;       /* calls since it was armed */
    uint64_t                 hits;
    uint64_t                 skip;       /* of a thread's calls, by hold */
    uint64_t                 passed;
    uint32_t                 held;       /* threads that wait */
    uint32_t                 leaks;      /* asked for: 1, found: 2, none: 3 */
    int64_t                  clock;      /* seconds that it is set ahead */
} faults_t;


typedef struct {
    int                      epoll;
    struct epoll_event       event;
} faults_fd_t;


#define FAULTS_FDS       4096

static faults_t         *faults;
static int               in_worker;
static pthread_t         main_thread;
static __thread int      spared __attribute__((tls_model("initial-exec")));
static faults_fd_t       fds[FAULTS_FDS];

int __lsan_do_recoverable_leak_check(void) __attribute__((weak));
const char *magic_buffer(void *magic, const void *p, size_t size);


#define real(name)                                                            \
    static __typeof__(name)  *next;                                           \
                                                                              \
    if (next == NULL) {                                                       \
        next = (__typeof__(name) *) dlsym(RTLD_NEXT, #name);                  \
    }


static void
faults_forked(void)
{
    in_worker = 1;
    main_thread = pthread_self();
}


__attribute__((constructor)) static void
faults_init(void)
{
    int          fd;
    void        *p;
    const char  *file;

    file = getenv("CORR_FAULTS");
    if (file == NULL) {
        return;
    }

    fd = open(file, O_RDWR|O_CLOEXEC);
    if (fd == -1) {
        return;
    }

    p = mmap(NULL, sizeof(faults_t), PROT_READ|PROT_WRITE, MAP_SHARED, fd, 0);

    close(fd);

    if (p == MAP_FAILED) {
        return;
    }

    faults = p;

    pthread_atfork(NULL, NULL, faults_forked);
}


/* Threads that are held go on one by one in no order. */

static void
faults_wait(void)
{
    if (pthread_equal(pthread_self(), main_thread)
        || __atomic_add_fetch(&faults->passed, 1, __ATOMIC_SEQ_CST)
           <= faults->skip)
    {
        return;
    }

    __atomic_add_fetch(&faults->held, 1, __ATOMIC_SEQ_CST);

    while (__atomic_load_n(&faults->hold, __ATOMIC_SEQ_CST)) {
        usleep(500);
    }

    __atomic_sub_fetch(&faults->held, 1, __ATOMIC_SEQ_CST);
}


/* Is it this call's turn? */

static int
faults_due(uint32_t call)
{
    uint64_t  n;

    if (faults == NULL || !in_worker) {
        return 0;
    }

    if (__atomic_load_n(&faults->hold, __ATOMIC_SEQ_CST)) {
        faults_wait();
    }

    if (!__atomic_load_n(&faults->armed, __ATOMIC_SEQ_CST)
        || !(faults->calls & call))
    {
        return 0;
    }

    n = __atomic_add_fetch(&faults->seen, 1, __ATOMIC_SEQ_CST);

    if (n < faults->first || n > faults->last) {
        return 0;
    }

    /*
     * Half of the calls, but in no beat: libpq sends and receives in turns
     * while it connects, and every other call would be each of its sends
     */

    if (faults->action == FAULTS_TURN
        && ((n * 0x9e3779b97f4a7c15ULL) >> 63) == 0)
    {
        return 0;
    }

    __atomic_add_fetch(&faults->hits, 1, __ATOMIC_SEQ_CST);

    return 1;
}


static int
faults_allocation(void)
{
    if (spared || !faults_due(FAULTS_ALLOC)) {
        return 0;
    }

    errno = ENOMEM;

    return 1;
}


/* The clock, as an administrator or a time server sets it. */

int
gettimeofday(struct timeval *tv, void *zone)
{
    int  rc;

    real(gettimeofday)

    rc = next(tv, zone);

    if (faults != NULL && in_worker) {
        tv->tv_sec += __atomic_load_n(&faults->clock, __ATOMIC_SEQ_CST);
    }

    return rc;
}


static uint32_t
faults_target(int fd)
{
    int                  flags;
    socklen_t            len;
    struct stat          st;
    struct sockaddr_in6  address;

    if (fstat(fd, &st) == -1) {
        return 0;
    }

    if (S_ISREG(st.st_mode)) {
        flags = fcntl(fd, F_GETFL);

        return (flags & O_APPEND) ? 0 : FAULTS_FILE;
    }

    if (!S_ISSOCK(st.st_mode)) {
        return 0;
    }

    len = sizeof(address);
    address.sin6_family = AF_UNSPEC;

    if (getsockname(fd, (struct sockaddr *) &address, &len) == -1) {
        return 0;
    }

    if (address.sin6_family == AF_UNIX) {
        return FAULTS_LOCAL;
    }

    return ntohs(address.sin6_port) == faults->port ? FAULTS_CLIENT
                                                    : FAULTS_REMOTE;
}


static void
faults_again(int fd)
{
    struct epoll_event  event;

    if (fd < FAULTS_FDS && fds[fd].event.events) {
        event = fds[fd].event;
        (void) epoll_ctl(fds[fd].epoll, EPOLL_CTL_MOD, fd, &event);
    }
}


/*
 * 1: the call is not to be made, errno says what it gives.  0: it is, with
 * at most *size bytes.
 */

static int
faults_io(uint32_t call, int fd, size_t *size)
{
    uint32_t  target;

    if (faults == NULL
        || !in_worker
        || !(faults->armed | faults->hold))
    {
        return 0;
    }

    target = faults_target(fd);

    if (!(target & (faults->targets | (faults->hold ? FAULTS_FILE : 0)))
        || !faults_due(call))
    {
        return 0;
    }

    if (faults->action == FAULTS_SHORT) {

        if (*size > faults->size) {
            *size = faults->size;
            faults_again(fd);
        }

        return 0;
    }

    if (faults->error == EAGAIN || faults->error == EINTR) {
        faults_again(fd);
    }

    errno = (int) faults->error;

    return 1;
}


/* Allocations. */

void *
malloc(size_t size)
{
    real(malloc);

    return faults_allocation() ? NULL : next(size);
}


/* dlsym() itself may ask for memory before the real one is known */

void *
calloc(size_t n, size_t size)
{
    static int   asking;
    static char  early[4096];

    static __typeof__(calloc)  *next;

    if (next == NULL) {

        if (asking) {
            return n * size <= sizeof(early) ? early : NULL;
        }

        asking = 1;
        next = (__typeof__(calloc) *) dlsym(RTLD_NEXT, "calloc");
    }

    return faults_allocation() ? NULL : next(n, size);
}


void *
realloc(void *p, size_t size)
{
    real(realloc);

    return (size && faults_allocation()) ? NULL : next(p, size);
}


int
posix_memalign(void **p, size_t alignment, size_t size)
{
    real(posix_memalign);

    return faults_allocation() ? ENOMEM : next(p, alignment, size);
}


void *
aligned_alloc(size_t alignment, size_t size)
{
    real(aligned_alloc);

    return faults_allocation() ? NULL : next(alignment, size);
}


/* what argon2 works in */

void *
mmap(void *p, size_t size, int protection, int flags, int fd, off_t offset)
{
    real(mmap);

    if ((flags & MAP_ANONYMOUS) && faults_allocation()) {
        return MAP_FAILED;
    }

    return next(p, size, protection, flags, fd, offset);
}


/*
 * libmagic 5.44 frees its text twice when vasprintf() finds no memory.  That
 * is not ours to mend, nor can it be avoided from outside: in there, there is
 * memory.
 */

const char *
magic_buffer(void *magic, const void *p, size_t size)
{
    const char  *said;

    real(magic_buffer);

    spared = 1;
    said = next(magic, p, size);
    spared = 0;

    return said;
}


/* Reading. */

ssize_t
read(int fd, void *p, size_t size)
{
    real(read);

    return faults_io(FAULTS_READ, fd, &size) ? -1 : next(fd, p, size);
}


ssize_t
recv(int fd, void *p, size_t size, int flags)
{
    real(recv);

    return faults_io(FAULTS_READ, fd, &size) ? -1 : next(fd, p, size, flags);
}


ssize_t
pread(int fd, void *p, size_t size, off_t offset)
{
    real(pread);

    return faults_io(FAULTS_READ, fd, &size) ? -1
                                             : next(fd, p, size, offset);
}


ssize_t
pread64(int fd, void *p, size_t size, off64_t offset)
{
    real(pread64);

    return faults_io(FAULTS_READ, fd, &size) ? -1
                                             : next(fd, p, size, offset);
}


/* Writing. */

ssize_t
write(int fd, const void *p, size_t size)
{
    real(write);

    return faults_io(FAULTS_WRITE, fd, &size) ? -1 : next(fd, p, size);
}


ssize_t
send(int fd, const void *p, size_t size, int flags)
{
    real(send);

    return faults_io(FAULTS_WRITE, fd, &size) ? -1 : next(fd, p, size, flags);
}


ssize_t
pwrite64(int fd, const void *p, size_t size, off64_t offset)
{
    real(pwrite64);

    return faults_io(FAULTS_WRITE, fd, &size) ? -1
                                              : next(fd, p, size, offset);
}


ssize_t
writev(int fd, const struct iovec *iov, int n)
{
    int           i;
    size_t        size, whole;
    struct iovec  first;

    real(writev);

    whole = 0;

    for (i = 0; i < n; i++) {
        whole += iov[i].iov_len;
    }

    size = whole;

    if (faults_io(FAULTS_WRITE, fd, &size)) {
        return -1;
    }

    if (size == whole) {
        return next(fd, iov, n);
    }

    for (i = 0; i < n - 1 && iov[i].iov_len == 0; i++) { /* void */ }

    first = iov[i];
    first.iov_len = first.iov_len < size ? first.iov_len : size;

    return next(fd, &first, 1);
}


ssize_t
sendfile64(int to, int from, off64_t *offset, size_t size)
{
    real(sendfile64);

    return faults_io(FAULTS_WRITE, to, &size) ? -1
                                              : next(to, from, offset, size);
}


/* Files, and connections. */

int
fsync(int fd)
{
    size_t  size = 0;

    real(fsync);

    return faults_io(FAULTS_SYNC, fd, &size) ? -1 : next(fd);
}


static int
faults_path(uint32_t call)
{
    if (faults == NULL || faults->action == FAULTS_SHORT || !faults_due(call))
    {
        return 0;
    }

    errno = (int) faults->error;

    return 1;
}


/* O_CREAT: what only reads is the business of FAULTS_READ */

int
open(const char *path, int flags, ...)
{
    mode_t   mode;
    va_list  args;

    real(open);

    va_start(args, flags);
    mode = (flags & O_CREAT) ? va_arg(args, mode_t) : 0;
    va_end(args);

    if ((flags & O_CREAT) && faults_path(FAULTS_NAME)) {
        return -1;
    }

    return next(path, flags, mode);
}


int
open64(const char *path, int flags, ...)
{
    mode_t   mode;
    va_list  args;

    real(open64);

    va_start(args, flags);
    mode = (flags & O_CREAT) ? va_arg(args, mode_t) : 0;
    va_end(args);

    if ((flags & O_CREAT) && faults_path(FAULTS_NAME)) {
        return -1;
    }

    return next(path, flags, mode);
}


int
mkdir(const char *path, mode_t mode)
{
    real(mkdir);

    return faults_path(FAULTS_NAME) ? -1 : next(path, mode);
}


int
rename(const char *from, const char *to)
{
    real(rename);

    return faults_path(FAULTS_NAME) ? -1 : next(from, to);
}


int
socket(int domain, int type, int protocol)
{
    real(socket);

    return faults_path(FAULTS_CONNECT) ? -1 : next(domain, type, protocol);
}


int
connect(int fd, const struct sockaddr *address, socklen_t len)
{
    real(connect);

    return faults_path(FAULTS_CONNECT) ? -1 : next(fd, address, len);
}


/* Readiness. */

int
epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    real(epoll_ctl);

    if (fd >= 0 && fd < FAULTS_FDS) {

        fds[fd].epoll = epoll;
        fds[fd].event.events = 0;

        if (operation != EPOLL_CTL_DEL && event != NULL) {
            fds[fd].event = *event;
        }
    }

    return next(epoll, operation, fd, event);
}


/* The one place where a worker stands between two events. */

int
epoll_wait(int epoll, struct epoll_event *events, int n, int timeout)
{
    real(epoll_wait);

    if (faults != NULL && in_worker && faults->leaks == 1) {

        faults->leaks = (__lsan_do_recoverable_leak_check
                         && __lsan_do_recoverable_leak_check()) ? 2 : 3;
    }

    return next(epoll, events, n, timeout);
}
