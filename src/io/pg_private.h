/*
 * What the parts of the PostgreSQL client share: the pool (pg_pool.c), the
 * connection (postgres.c, the only file that calls libpq) and the reading
 * of connection strings (pg_conf.c).
 */

#ifndef CORR_PG_PRIVATE_H
#define CORR_PG_PRIVATE_H

#include "postgres.h"
#include "fd.h"
#include "retry.h"


struct pg_conn;                        /* PGconn */
struct pg_result;                      /* PGresult */


/* More words than libpq has, with those that are set twice. */
#define CORR_PG_KEYWORDS     96

/* An oldest operation this late behind its deadline: the peer is dead. */
#define CORR_PG_GRACE        2000

/* How often nobody may be there to say whether a late write is still on. */
#define CORR_PG_QUESTIONS    3

/* How long a host that gave no answer at all is passed over. */
#define CORR_PG_SILENCE      15000

/* So many statements may be missing of a schema that another module goes
   with, before and behind an upgrade; and such a connection lives so long. */
#define CORR_PG_ABSENT       32
#define CORR_PG_ABSENT_LIFE  10000

/* How long an idle connection of a quitting worker is kept for its last
   requests, which may still come from Redis, a form, a gateway. */
#define CORR_PG_LINGER       1000


typedef enum {
    CORR_PG_DOWN = 0,
    CORR_PG_CONNECTING,
    CORR_PG_PREPARING,
    CORR_PG_UP
} corr_pg_state_e;


/*
 * A commit may wait for long, for a disk or a standby, and what is sent
 * behind it would wait as well: nothing is, and what reads has its own.
 */

typedef enum {
    CORR_PG_READS = 0,
    CORR_PG_WRITES,
    CORR_PG_KINDS
} corr_pg_kind_e;


typedef struct {
    corr_timer_data_t        timers;     /* first */

    corr_pg_t               *pg;
    corr_pg_kind_e           kind;       /* of what it is for */
    corr_pg_state_e          state;
    ngx_uint_t               host;       /* in conf->conninfo */
    struct pg_conn          *db;
    corr_fd_t                fd;

    ngx_event_t              timer;      /* connecting: the deadline; up: the
                                            end of its life or linger */
    ngx_event_t              stall;      /* the oldest operation is late */

    corr_owner_t             owner;      /* of the question why */
    corr_pg_op_t            *question;
    ngx_uint_t               asked;      /* since it was late, how often */

    ngx_queue_t              fifo;       /* corr_pg_work_t, as sent */
    ngx_uint_t               in_flight;
    ngx_msec_t               since;      /* up since */

    u_char                  *absent;     /* per statement: cannot be prepared */
    ngx_uint_t               nabsent;
    ngx_uint_t               next;       /* to prepare, behind such a one */

    /* where in the results of the first of fifo, or of the preparing */
    ngx_uint_t               statement;
    ngx_uint_t               nulls;
    unsigned                 seen:1;     /* a result of that statement */
    unsigned                 known:1;    /* its history is not an old one */

    unsigned                 kept:1;     /* late, and said so */
    unsigned                 retire:1;   /* takes nothing new */
    unsigned                 silent:1;   /* its host gave no sign of life */
} corr_pg_conn_t;


/* What came of the attempts at one host. */

typedef struct {
    corr_complaint_t         complaint;
    ngx_msec_t               at;         /* the last one failed */
    unsigned                 tried:1;    /* in this round */
    unsigned                 silent:1;   /* and it gave no sign of life */
} corr_pg_try_t;


struct corr_pg_s {
    corr_timer_data_t        timers;     /* first */

    const corr_pg_conf_t    *conf;
    ngx_pool_t              *pool;
    ngx_log_t               *log;
    corr_pg_conn_t          *conns;
    const char             **options;    /* one per host */

    ngx_queue_t              queue[CORR_PG_KINDS];   /* corr_pg_work_t, */
    ngx_uint_t               queued[CORR_PG_KINDS];  /* never sent */
    ngx_uint_t               up;

    ngx_uint_t               turn;       /* whose queue is looked at first */
    ngx_event_t              retry;
    ngx_uint_t               host;       /* the one to try next */
    corr_retry_t             again;      /* rounds that failed */

    corr_pg_try_t           *tries;      /* one per host */
    corr_complaint_t         unfit;      /* about statements */

    uint64_t                 operations;
    uint64_t                 failures;
    uint64_t                 timeouts;

    /* all hosts tried, and none is up that would take such a one */
    ngx_uint_t               failing[CORR_PG_KINDS];

    unsigned                 stopping:1;
};


typedef struct {
    ngx_uint_t               statement;
    int                      nparams;
    const char             **values;
    int                     *lengths;
    int                     *formats;
} corr_pg_call_t;


typedef struct {
    corr_pg_op_t             op;         /* first */
    corr_pg_t               *pg;
    corr_pg_conn_t          *conn;       /* NULL: not sent, or answered */
    ngx_queue_t              queue;      /* in pg->queue or conn->fifo */

    ngx_uint_t               ncalls;
    corr_pg_call_t           calls[CORR_PG_STATEMENTS_MAX];
    struct pg_result        *results[CORR_PG_STATEMENTS_MAX];
    corr_rows_t             *rows[CORR_PG_STATEMENTS_MAX];

    corr_pg_kind_e           kind;
    unsigned                 broken:1;   /* an add() failed */
    ngx_uint_t               moves;      /* to another connection */
    unsigned                 refused:1;  /* the server said an error */
    unsigned                 move:1;     /* it is the connection's fault */
} corr_pg_work_t;


/* The connection. */

void corr_pg_conn_init(corr_pg_conn_t *c, corr_pg_t *pg);

/* Begins to connect to pg->host; ends in corr_pg_is_up() or _is_down(). */
void corr_pg_conn_open(corr_pg_conn_t *c);

/*
 * Sends; NGX_DECLINED: it did not leave as a whole, so nothing of it will
 * happen, and the connection is down, or has not all of its statements.
 */
ngx_int_t corr_pg_conn_send(corr_pg_conn_t *c, corr_pg_work_t *work);

/* An operation of its fifo ended without its answer. */
void corr_pg_conn_late(corr_pg_conn_t *c);

/* Closes it; what it had sent is lost.  text: why, for the log. */
void corr_pg_conn_close(corr_pg_conn_t *c, const char *text);

/* The number of its process in the server. */
ngx_int_t corr_pg_conn_pid(corr_pg_conn_t *c);

/* Drops results. */
void corr_pg_work_clear(corr_pg_work_t *work);


/* The pool is told. */

void corr_pg_is_up(corr_pg_conn_t *c);
void corr_pg_is_down(corr_pg_conn_t *c, corr_pg_state_e was,
    const char *text);

/* This server takes no writes any more: its connections go. */
void corr_pg_is_demoted(corr_pg_conn_t *c);

/* Rolled back for a reason that another connection does not have. */
void corr_pg_work_again(corr_pg_work_t *work);

/* A place became free. */
void corr_pg_is_free(corr_pg_t *pg);

/* The oldest operation of a connection is late, and its grace is over. */
void corr_pg_is_late(corr_pg_conn_t *c);

/* The operation is over for the client. */
void corr_pg_work_end(corr_pg_work_t *work, corr_op_status_e status);


/* Keywords and values of a connection string. */

typedef struct {
    const char              *keyword;
    const char              *value;      /* never NULL */
} corr_pg_keyword_t;

/* An array of corr_pg_keyword_t, or NULL with *error in the pool. */
ngx_array_t *corr_pg_conninfo(ngx_pool_t *pool, const char *conninfo,
    ngx_str_t *error);


#endif /* CORR_PG_PRIVATE_H */
