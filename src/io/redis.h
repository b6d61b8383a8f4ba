/*
 * Redis: one connection per worker, pipelined by nature.
 *
 * Used for what may be lost.  When it is not there operations fail at once
 * with UNAVAILABLE instead of queueing without bound; they wait only while
 * the addresses are tried for the first time (the start of a worker, or
 * right after a loss), and behind an operation that is late.
 */

#ifndef CORR_REDIS_H
#define CORR_REDIS_H

#include "op.h"


typedef struct {
    struct sockaddr         *sockaddr;   /* Unix or literal address: no
                                            names are looked up here */
    socklen_t                socklen;
    ngx_str_t                name;       /* for the log */
} corr_redis_addr_t;


typedef struct {
    ngx_array_t              addrs;      /* corr_redis_addr_t; tried in
                                            turn until one is a master */
    ngx_array_t              sentinels;  /* corr_redis_addr_t; when not empty
                                            they are asked for the master */
    ngx_str_t                master;     /* its name at the sentinels */
    ngx_str_t                username;
    ngx_str_t                password;   /* AUTH, first in the pipeline */
    ngx_int_t                database;
    ngx_msec_t               connect_timeout;
    ngx_msec_t               timeout;    /* of an operation */
    ngx_uint_t               queue;      /* unanswered, at the most */
} corr_redis_conf_t;


typedef struct corr_redis_s  corr_redis_t;


typedef enum {
    CORR_REDIS_NIL = 0,
    CORR_REDIS_STRING,
    CORR_REDIS_INTEGER,
    CORR_REDIS_ARRAY,
    CORR_REDIS_STATUS,
    CORR_REDIS_ERROR             /* only inside an array (EXEC, a script) */
} corr_redis_reply_e;


typedef struct corr_redis_reply_s {
    corr_redis_reply_e           kind;
    corr_str_t                   text;       /* STRING, STATUS, ERROR; a
                                                NUL stands behind it */
    int64_t                      n;          /* INTEGER */
    ngx_uint_t                   nelements;
    struct corr_redis_reply_s   *elements;
} corr_redis_reply_t;


typedef struct {
    corr_op_t                op;
    corr_redis_reply_t       reply;      /* copied; when status is OK */
    corr_str_t               error;      /* -ERR text; when FAILED.  No keys
                                            and values stand in it */
} corr_redis_op_t;


/*
 * Adds an address ("unix:/path", "127.0.0.1", "[::1]:6380", a name) to
 * conf->addrs or conf->sentinels while the configuration is read; all
 * addresses of a name, which is resolved here and never again.
 * NGX_CONF_OK, or NGX_CONF_ERROR after it was logged with file and line.
 */
char *corr_redis_conf_add(ngx_conf_t *cf, corr_redis_conf_t *conf,
    ngx_str_t *addr);
char *corr_redis_conf_add_sentinel(ngx_conf_t *cf, corr_redis_conf_t *conf,
    ngx_str_t *addr);

/*
 * Worker start and stop.  Connects in the background; never blocks.  conf
 * must live as long.  The stop fails what is under way; nobody is told.
 */
corr_redis_t *corr_redis_create(ngx_cycle_t *cycle,
    const corr_redis_conf_t *conf);
void corr_redis_destroy(corr_redis_t *redis);

/*
 * Starts a command of argc binary-safe words (copied).  NULL only without
 * memory; every other failure is told by the operation's status:
 * UNAVAILABLE, it was never sent; LOST and TIMEOUT, it may have happened.
 * Never SUBSCRIBE, MONITOR or anything that blocks the connection.
 */
corr_redis_op_t *corr_redis_command(corr_redis_t *redis,
    corr_owner_t *owner, ngx_uint_t argc, const corr_str_t *argv);

/* Usable now? */
ngx_uint_t corr_redis_up(corr_redis_t *redis);

typedef struct {
    ngx_uint_t               up;
    ngx_uint_t               in_flight;
    ngx_uint_t               queued;
    uint64_t                 operations;
    uint64_t                 failures;   /* UNAVAILABLE LOST TIMEOUT FAILED */
    uint64_t                 timeouts;   /* TIMEOUT alone */
    uint64_t                 errors;     /* FAILED: error replies */
    ngx_uint_t               writes;     /* up, and takes them: its last one
                                            is some seconds old at the most */
} corr_redis_status_t;

void corr_redis_status(corr_redis_t *redis, corr_redis_status_t *status);


#endif /* CORR_REDIS_H */
