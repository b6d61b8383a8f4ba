#include "read_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>


static const char *corr_read_refused(int fd, unsigned flags);
static long corr_read_all(int fd, unsigned char *data, size_t size);
static const char *corr_read_text(const unsigned char *data, long *len);


long
corr_read_file(const char *path, unsigned flags, unsigned char *data,
    size_t max, const char **reason)
{
    int   fd;
    long  n;

    /* not to wait for the writer of a FIFO */

    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd == -1) {
        *reason = strerror(errno);
        return -1;
    }

    n = 0;
    *reason = corr_read_refused(fd, flags);

    if (*reason == NULL) {
        n = corr_read_all(fd, data, max + 1);

        if (n == -1) {
            *reason = strerror(errno);

        } else if ((size_t) n > max) {
            *reason = "is too large";

        } else if (flags & CORR_READ_TEXT) {
            *reason = corr_read_text(data, &n);
        }
    }

    close(fd);

    return *reason == NULL ? n : -1;
}


static const char *
corr_read_refused(int fd, unsigned flags)
{
    struct stat  st;

    if (fstat(fd, &st) == -1) {
        return strerror(errno);
    }

    if (!S_ISREG(st.st_mode)) {
        return "is not a plain file";
    }

    if ((flags & CORR_READ_SECRET) && (st.st_mode & (S_IWGRP | S_IRWXO))) {
        return "may be read or written by others; chmod 0640 or 0400";
    }

    return NULL;
}


static long
corr_read_all(int fd, unsigned char *data, size_t size)
{
    size_t   len;
    ssize_t  n;

    for (len = 0; len < size; len += (size_t) n) {

        n = read(fd, data + len, size - len);

        if (n == 0) {
            break;
        }

        if (n == -1) {
            if (errno != EINTR) {
                return -1;
            }

            n = 0;
        }
    }

    return (long) len;
}


static const char *
corr_read_text(const unsigned char *data, long *len)
{
    long  n;

    n = *len;

    while (n && (data[n - 1] == '\n' || data[n - 1] == '\r')) {
        n--;
    }

    *len = n;

    if (n == 0) {
        return "is empty";
    }

    if (data[n - 1] == ' ' || data[n - 1] == '\t') {
        return "ends with a blank";
    }

    return memchr(data, '\0', (size_t) n) ? "is no text: it holds a NUL"
                                          : NULL;
}
