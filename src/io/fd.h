/*
 * A foreign socket in nginx's event loop: one that libpq, hiredis or
 * libcurl opened and will close.
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


typedef struct corr_fd_s  corr_fd_t;

/*
 * events: CORR_FD_READ, CORR_FD_WRITE or both.  closing: the worker is
 * shutting down and wants the socket gone; fail what is under way.
 */
typedef void (*corr_fd_handler_pt)(void *data, ngx_uint_t events,
    ngx_uint_t closing);

struct corr_fd_s {
    ngx_connection_t        *connection;   /* NULL: free */
    ngx_socket_t             fd;
    corr_fd_handler_pt       handler;
    void                    *data;
    ngx_log_t               *log;
};


/* NGX_ERROR: no connection slot is left. */
ngx_int_t corr_fd_open(corr_fd_t *cfd, ngx_socket_t fd,
    corr_fd_handler_pt handler, void *data, ngx_log_t *log);

/* Which readiness is wanted from now on: a set of CORR_FD_*. */
ngx_int_t corr_fd_watch(corr_fd_t *cfd, ngx_uint_t events);

/*
 * Marks it idle or busy: an idle one is closed at once when the worker
 * quits gracefully.
 */
void corr_fd_idle(corr_fd_t *cfd, ngx_uint_t idle);

/* Gives the slot back; never closes the socket.  Safe to call twice. */
void corr_fd_release(corr_fd_t *cfd);


#endif /* CORR_FD_H */
