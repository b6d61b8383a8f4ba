/*
 * clamd: does this file carry a virus?
 *
 * Each scan has a connection of its own and sends the file over it in chunks
 * (INSTREAM), so clamd needs to see no file of ours and may run elsewhere.
 * A chunk is read from the disk by a thread, never by the event loop.
 *
 * No more than `max` scans of a worker run at once, the others wait for their
 * turn; the deadline of a scan counts from the moment it was asked for.
 */

#ifndef CORR_CLAMD_H
#define CORR_CLAMD_H

#include "op.h"
#include "threads.h"


typedef struct {
    ngx_addr_t              *addrs;      /* of one name: tried in turn */
    ngx_uint_t               naddrs;     /* 0: there is no clamd */
    ngx_msec_t               timeout;    /* of a scan, its waiting included */
    ngx_uint_t               max;        /* scans at once */
    ngx_uint_t               queue;      /* that wait, at the most */
} corr_clamd_conf_t;


typedef struct corr_clamd_s  corr_clamd_t;


/*
 * status: OK, it was scanned; FAILED, clamd answered with an error or the
 * file could not be read; else as of every operation.  A scan changes
 * nothing: it may always be asked for again.
 */

typedef struct {
    corr_op_t                op;
    ngx_uint_t               infected;   /* when status is OK */
    corr_str_t               said;       /* name of the virus, or clamd's
                                            words; printable ASCII */
} corr_clamd_op_t;


/*
 * "unix:/path", "127.0.0.1", "[::1]:3310", a name, which is resolved here
 * and never again.  NGX_CONF_OK, or NGX_CONF_ERROR after it was logged with
 * file and line.
 */
char *corr_clamd_conf_add(ngx_conf_t *cf, corr_clamd_conf_t *conf,
    ngx_str_t *addr);

/*
 * Worker start and stop.  Connects only to scan.  conf must live as long;
 * threads are those of the disk.  The stop fails what is under way; nobody
 * is told.
 */
corr_clamd_t *corr_clamd_create(ngx_cycle_t *cycle,
    const corr_clamd_conf_t *conf, corr_threads_t *threads);
void corr_clamd_destroy(corr_clamd_t *clamd);

/*
 * Scans what fd gives, from its beginning (its position is not used), and
 * closes fd, also when there is no memory and NULL is returned.  When the
 * owner goes the scan is broken off.
 */
corr_clamd_op_t *corr_clamd_scan(corr_clamd_t *clamd, corr_owner_t *owner,
    ngx_fd_t fd);

typedef struct {
    ngx_uint_t               in_flight;
    ngx_uint_t               queued;
    uint64_t                 operations;
    uint64_t                 failures;   /* scans without a verdict */
    ngx_uint_t               down;       /* it gave none of late */
} corr_clamd_status_t;

void corr_clamd_status(corr_clamd_t *clamd, corr_clamd_status_t *status);


#endif /* CORR_CLAMD_H */
