/*
 * A foreign socket in nginx's event loop: one that libpq or libcurl opened
 * and will close, or one of our own, to Redis or clamd.
 *
 * Level-triggered (no library promises to drain it), `shared` (nginx must
 * not close it), both handlers always set (a worker that shuts down calls
 * them), removed from the kernel before the library closes it.
 */

#ifndef CORR_FD_H
#define CORR_FD_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


#define CORR_FD_READ    1
#define CORR_FD_WRITE   2

#define CORR_FD_QUIT    1
#define CORR_FD_ABORT   2


/*
 * What `data` of a timer that belongs to no connection must point to, as
 * the first member of something larger: nginx's debug log takes it for an
 * ngx_connection_t and reads the socket's number behind three pointers.
 */

typedef struct {
    void                    *unused[3];
    ngx_socket_t             ident;        /* -1 */
} corr_timer_data_t;


typedef struct corr_fd_s  corr_fd_t;

/*
 * events: CORR_FD_READ or CORR_FD_WRITE; errors come as what is watched,
 * the library will find them.  closing: 0, or why the worker wants the
 * socket gone (events is 0 then): CORR_FD_QUIT, it is idle and the worker
 * quits gracefully, told once; CORR_FD_ABORT, worker_shutdown_timeout has
 * passed: fail what is under way.  The handler may release the socket.
 */
typedef void (*corr_fd_handler_pt)(void *data, ngx_uint_t events,
    ngx_uint_t closing);

struct corr_fd_s {
    ngx_connection_t        *connection;   /* NULL: free */
    ngx_socket_t             fd;
    dev_t                    dev;          /* which socket fd was */
    ino_t                    ino;
    corr_fd_handler_pt       handler;
    void                    *data;
    ngx_log_t               *log;
};


/*
 * Nothing is watched at first.  NGX_ERROR: no connection slot is left (of
 * worker_connections).  log: the cycle's.
 */
ngx_int_t corr_fd_open(corr_fd_t *cfd, ngx_socket_t fd,
    corr_fd_handler_pt handler, void *data, ngx_log_t *log);

/*
 * A socket of our own, which is connecting and watched for CORR_FD_WRITE:
 * then corr_fd_connected() says whether it is.  NGX_ERROR: errno says why
 * not, ENOBUFS when no connection slot is left.
 */
ngx_int_t corr_fd_connect(corr_fd_t *cfd, const struct sockaddr *sockaddr,
    socklen_t socklen, corr_fd_handler_pt handler, void *data,
    ngx_log_t *log);

/* 0, or the error it met. */
ngx_err_t corr_fd_connected(const corr_fd_t *cfd);

/* Which readiness is wanted from now on: a set of CORR_FD_*. */
ngx_int_t corr_fd_watch(corr_fd_t *cfd, ngx_uint_t events);

/*
 * Marks it idle or busy: of an idle one the handler is told CORR_FD_QUIT
 * when the worker begins to quit.  It is not told again, so what becomes
 * idle while ngx_exiting must be closed by the client itself.
 */
void corr_fd_idle(corr_fd_t *cfd, ngx_uint_t idle);

/*
 * Gives the slot back; never closes the socket.  To be called before the
 * library closes it.  Safe to call twice.
 */
void corr_fd_release(corr_fd_t *cfd);

/* As release(), of a socket of our own: closes it. */
void corr_fd_close(corr_fd_t *cfd);


#endif /* CORR_FD_H */
