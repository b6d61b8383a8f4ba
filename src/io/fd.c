/*
 * Foreign sockets in nginx's event loop.
 */

#include "fd.h"


static void corr_fd_read_handler(ngx_event_t *ev);
static void corr_fd_write_handler(ngx_event_t *ev);
static ngx_int_t corr_fd_set(ngx_event_t *ev, ngx_int_t event,
    ngx_uint_t wanted);
static ngx_uint_t corr_fd_closed(const corr_fd_t *cfd);


ngx_int_t
corr_fd_open(corr_fd_t *cfd, ngx_socket_t fd, corr_fd_handler_pt handler,
    void *data, ngx_log_t *log)
{
    struct stat        st;
    ngx_connection_t  *c;

    corr_fd_release(cfd);

    if (fstat(fd, &st) == -1) {
        return NGX_ERROR;
    }

    c = ngx_get_connection(fd, log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    /* a worker that shuts down calls read->handler of every used slot */

    c->data = cfd;
    c->log = log;
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->shared = 1;

    c->read->handler = corr_fd_read_handler;
    c->write->handler = corr_fd_write_handler;
    c->read->log = log;
    c->write->log = log;

    cfd->connection = c;
    cfd->fd = fd;
    cfd->dev = st.st_dev;
    cfd->ino = st.st_ino;
    cfd->handler = handler;
    cfd->data = data;
    cfd->log = log;

    return NGX_OK;
}


ngx_int_t
corr_fd_connect(corr_fd_t *cfd, const struct sockaddr *sockaddr,
    socklen_t socklen, corr_fd_handler_pt handler, void *data, ngx_log_t *log)
{
    int           on = 1;
    ngx_err_t     err;
    ngx_socket_t  fd;

    fd = socket(sockaddr->sa_family, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC,
                0);
    if (fd == (ngx_socket_t) -1) {
        return NGX_ERROR;
    }

    if (sockaddr->sa_family != AF_UNIX) {
        (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }

    err = 0;

    if (connect(fd, sockaddr, socklen) == -1
        && ngx_socket_errno != NGX_EINPROGRESS)
    {
        err = ngx_socket_errno;

    } else if (corr_fd_open(cfd, fd, handler, data, log) != NGX_OK
               || corr_fd_watch(cfd, CORR_FD_WRITE) != NGX_OK)
    {
        corr_fd_release(cfd);
        err = ENOBUFS;
    }

    if (err) {
        (void) close(fd);
        ngx_set_socket_errno(err);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_err_t
corr_fd_connected(const corr_fd_t *cfd)
{
    int        err;
    socklen_t  len;

    err = 0;
    len = sizeof(err);

    if (getsockopt(cfd->fd, SOL_SOCKET, SO_ERROR, &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    return err;
}


ngx_int_t
corr_fd_watch(corr_fd_t *cfd, ngx_uint_t events)
{
    ngx_connection_t  *c;

    c = cfd->connection;
    if (c == NULL) {
        return NGX_ERROR;
    }

    if (corr_fd_set(c->read, NGX_READ_EVENT, events & CORR_FD_READ)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return corr_fd_set(c->write, NGX_WRITE_EVENT, events & CORR_FD_WRITE);
}


static ngx_int_t
corr_fd_set(ngx_event_t *ev, ngx_int_t event, ngx_uint_t wanted)
{
    if (wanted && !ev->active) {
        return ngx_add_event(ev, event, NGX_LEVEL_EVENT);
    }

    if (!wanted && ev->active) {

        /* not NGX_CLOSE_EVENT, which would leave it in the kernel */

        return ngx_del_event(ev, event, 0);
    }

    return NGX_OK;
}


void
corr_fd_idle(corr_fd_t *cfd, ngx_uint_t idle)
{
    if (cfd->connection != NULL) {
        cfd->connection->idle = idle ? 1 : 0;
    }
}


void
corr_fd_release(corr_fd_t *cfd)
{
    ngx_uint_t         flags;
    ngx_connection_t  *c;

    c = cfd->connection;
    if (c == NULL) {
        return;
    }

    cfd->connection = NULL;

    /*
     * A library that closed the socket behind our back took it out of the
     * kernel's set as well: then only nginx's own flags are to be cleared.
     */

    flags = corr_fd_closed(cfd) ? NGX_CLOSE_EVENT : 0;

    if (c->read->active) {
        (void) ngx_del_event(c->read, NGX_READ_EVENT, flags);
    }

    if (c->write->active) {
        (void) ngx_del_event(c->write, NGX_WRITE_EVENT, flags);
    }

    /* shared: frees the slot, does not close */

    ngx_close_connection(c);
}


void
corr_fd_close(corr_fd_t *cfd)
{
    if (cfd->connection != NULL) {
        corr_fd_release(cfd);
        (void) close(cfd->fd);
    }
}


/* Its number may be another file's by now: threads open some meanwhile. */

static ngx_uint_t
corr_fd_closed(const corr_fd_t *cfd)
{
    struct stat  st;

    return fstat(cfd->fd, &st) == -1 || st.st_dev != cfd->dev
           || st.st_ino != cfd->ino;
}


static void
corr_fd_read_handler(ngx_event_t *ev)
{
    corr_fd_t         *cfd;
    ngx_uint_t         closing;
    ngx_connection_t  *c;

    c = ev->data;
    cfd = c->data;

    /* libraries read past nginx, which therefore never clears it */
    ev->ready = 0;

    if (!c->close) {
        cfd->handler(cfd->data, CORR_FD_READ, 0);
        return;
    }

    /* it stays set otherwise, and what is read later would say it again */

    closing = c->error ? CORR_FD_ABORT : CORR_FD_QUIT;
    c->close = 0;

    cfd->handler(cfd->data, 0, closing);
}


static void
corr_fd_write_handler(ngx_event_t *ev)
{
    corr_fd_t         *cfd;
    ngx_connection_t  *c;

    c = ev->data;
    cfd = c->data;

    ev->ready = 0;

    cfd->handler(cfd->data, CORR_FD_WRITE, 0);
}
