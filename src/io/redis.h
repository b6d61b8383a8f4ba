/*
 * Redis: one connection per worker, pipelined by nature.
 *
 * Used for what may be lost.  When it is not there operations fail at once
 * with UNAVAILABLE instead of queueing without bound.
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
    ngx_array_t              addrs;      /* corr_redis_addr_t; tried in turn */
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
    CORR_REDIS_STATUS
} corr_redis_reply_e;


typedef struct corr_redis_reply_s {
    corr_redis_reply_e           kind;
    corr_str_t                   text;       /* STRING, STATUS */
    int64_t                      n;          /* INTEGER */
    ngx_uint_t                   nelements;
    struct corr_redis_reply_s   *elements;
} corr_redis_reply_t;


typedef struct {
    corr_op_t                op;
    corr_redis_reply_t       reply;      /* copied; when status is OK */
    corr_str_t               error;      /* -ERR text; when FAILED */
} corr_redis_op_t;


corr_redis_t *corr_redis_create(ngx_cycle_t *cycle,
    const corr_redis_conf_t *conf);
void corr_redis_destroy(corr_redis_t *redis);

/*
 * Starts a command of argc binary-safe words (copied).  NULL only without
 * memory; every other failure is told by the operation's status.
 */
corr_redis_op_t *corr_redis_command(corr_redis_t *redis,
    corr_owner_t *owner, ngx_uint_t argc, const corr_str_t *argv);

/* Usable now? */
ngx_uint_t corr_redis_up(corr_redis_t *redis);

typedef struct {
    ngx_uint_t               up;
    ngx_uint_t               in_flight;
    uint64_t                 operations;
    uint64_t                 failures;
} corr_redis_status_t;

void corr_redis_status(corr_redis_t *redis, corr_redis_status_t *status);


#endif /* CORR_REDIS_H */
