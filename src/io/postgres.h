/*
 * PostgreSQL: a few pipelined connections per worker, shared by all
 * requests.
 *
 * One operation is one pipeline with one sync, hence one implicit
 * transaction: all of its statements happen or none.  Statements are
 * prepared on each connection when it opens; only prepared statements can
 * be sent, by their number in the generated table.
 *
 *     op = corr_pg_begin(pg, owner, "letters list");
 *     corr_pg_add(op, CORR_SQL_PERSON_GUARD, 2, guard);
 *     corr_pg_add(op, CORR_SQL_LETTERS_LIST, 3, params);
 *     corr_pg_send(op, timeout);
 *     …resume…
 *     if (op->op.status == CORR_OP_OK) rows = corr_pg_rows(op, 1);
 */

#ifndef CORR_POSTGRES_H
#define CORR_POSTGRES_H

#include "op.h"
#include "../lib/value.h"


#define CORR_PG_STATEMENTS_MAX   20      /* in one operation */


typedef struct {
    ngx_str_t                name;       /* of the prepared statement, */
    ngx_str_t                text;       /* both with a NUL behind them */
    ngx_uint_t               nparams;
    ngx_uint_t               writes;     /* it, or what it calls */
} corr_pg_statement_t;


/* One address: keywords and values, ended by NULL, for libpq. */

typedef struct {
    const char             **keywords;
    const char             **values;
    ngx_uint_t               n;
    const char              *options;    /* of the session; may be NULL */
    ngx_str_t                name;       /* for the log: no password */
} corr_pg_host_t;


typedef struct {
    ngx_array_t              conninfo;   /* corr_pg_host_t: tried in turn;
                                            see corr_pg_conf_add_host() */
    ngx_str_t                search_path;     /* empty: the server's */
    ngx_str_t                settings;        /* more of a connection's:
                                                 " -c NAME=VALUE" */
    ngx_msec_t               statement_timeout; /* the server's own limit;
                                                   0: timeout */
    ngx_uint_t               connections;     /* per worker, in all */
    ngx_uint_t               writers;         /* of them, for operations that
                                                 write; 0: for all alike */
    ngx_uint_t               depth;           /* operations per connection
                                                 that reads; a writer has one */
    ngx_uint_t               queue;           /* waiting for a place: reads,
                                                 and as many writes */
    ngx_msec_t               connect_timeout; /* per host */
    ngx_msec_t               timeout;         /* default deadline */
    ngx_msec_t               lifetime;        /* of a connection */
    const corr_pg_statement_t *statements;
    ngx_uint_t               nstatements;
    ngx_uint_t               history;         /* the statement that says it */
    ngx_uint_t               at_it;           /* is a backend at work: by its
                                                 number, a row or none */
    ngx_shm_zone_t          *zone;            /* corr_pg_conf_zone() */
} corr_pg_conf_t;


typedef struct corr_pg_s  corr_pg_t;


typedef enum {
    CORR_PG_NULL = 0,
    CORR_PG_TEXT,
    CORR_PG_INT,
    CORR_PG_BOOL,
    CORR_PG_BYTES
} corr_pg_param_e;


typedef struct {
    corr_pg_param_e          kind;
    corr_str_t               text;       /* TEXT, BYTES: copied by add() */
    int64_t                  n;          /* INT, BOOL */
} corr_pg_param_t;


#define corr_pg_null()    ((corr_pg_param_t) { CORR_PG_NULL, { 0, NULL }, 0 })
#define corr_pg_text(s)   ((corr_pg_param_t) { CORR_PG_TEXT, (s), 0 })
#define corr_pg_int(i)    ((corr_pg_param_t) { CORR_PG_INT, { 0, NULL }, (i) })
#define corr_pg_bool(b)   ((corr_pg_param_t) { CORR_PG_BOOL, { 0, NULL }, (b) })
#define corr_pg_bytes(s)  ((corr_pg_param_t) { CORR_PG_BYTES, (s), 0 })


typedef struct {
    corr_op_t                op;         /* first */

    /* when status is CORR_OP_FAILED: what the server said */
    u_char                   sqlstate[6];
    ngx_uint_t               failed;     /* which statement; their number
                                            when it was the commit */
    corr_str_t               message;    /* MESSAGE_PRIMARY */
    corr_str_t               detail;
    corr_str_t               constraint;
} corr_pg_op_t;


/*
 * Adds the hosts of a libpq connection string ("host=… dbname=… user=…", or
 * a URI) to conf->conninfo, while the configuration is read.  Several
 * hosts, and all addresses of a name, become one entry each; names are
 * resolved here and never again.  Beyond libpq's words password_file=PATH
 * (below the configuration's directory when relative) names the file that
 * holds the password.  Words that would make a worker block, retry by
 * itself or read a user's files are refused.  NGX_CONF_OK, or
 * NGX_CONF_ERROR after it was logged with file and line.
 */
char *corr_pg_conf_add_host(ngx_conf_t *cf, corr_pg_conf_t *conf,
    ngx_str_t *conninfo);

/*
 * Where the workers, also those behind a reload, remember the newest history
 * of the database: conf->history is the number of a statement without
 * parameters that returns two bigints, the system's identifier and its
 * timeline.  A primary that was replaced and came back believes that it is
 * one; it is told by its timeline, which is older.  NGX_CONF_OK or
 * NGX_CONF_ERROR.
 */
char *corr_pg_conf_zone(ngx_conf_t *cf, corr_pg_conf_t *conf, void *tag);

/*
 * Worker start and stop.  Connects in the background; never blocks.  conf
 * must live as long.  The stop fails what is under way; nobody is told.
 */
corr_pg_t *corr_pg_create(ngx_cycle_t *cycle, const corr_pg_conf_t *conf);
void corr_pg_destroy(corr_pg_t *pg);

/* NULL without memory. */
corr_pg_op_t *corr_pg_begin(corr_pg_t *pg, corr_owner_t *owner,
    const char *name);

/*
 * Parameters are copied.  A text is sent as text, so its type is what the
 * statement says ($1::date).  NGX_ERROR: no memory, too many statements, not
 * as many parameters as the statement has, or a text with a NUL inside;
 * the operation then ends as UNAVAILABLE when it is sent all the same.
 */
ngx_int_t corr_pg_add(corr_pg_op_t *op, ngx_uint_t statement,
    ngx_uint_t nparams, const corr_pg_param_t *params);

/*
 * timeout in milliseconds, 0: the pool's default.  Completes later with
 * OK, FAILED (the whole operation was rolled back), UNAVAILABLE (nothing
 * was sent), LOST or TIMEOUT (a write may have happened: look it up).  An
 * answer for which there is no memory is LOST.
 */
void corr_pg_send(corr_pg_op_t *op, ngx_msec_t timeout);

/*
 * The rows of the i-th statement; NULL unless the operation is OK.  Columns
 * of types that pages do not use (numeric, arrays, …) are logged and read as
 * NULL, and so are infinite times.  They live until the owner detaches or
 * corr_op_free(), and hand out text that points into the result.
 */
corr_rows_t *corr_pg_rows(corr_pg_op_t *op, ngx_uint_t i);

/* For health and metrics. */
typedef struct {
    ngx_uint_t               connections;     /* usable now */
    ngx_uint_t               wanted;
    ngx_uint_t               absent;          /* statements that the schema
                                                 does not know */
    ngx_uint_t               writers;         /* of the usable ones */
    ngx_uint_t               writes_refused;  /* no writer can be had */
    ngx_uint_t               in_flight;
    ngx_uint_t               queued;
    uint64_t                 operations;
    uint64_t                 failures;        /* UNAVAILABLE LOST TIMEOUT */
    uint64_t                 timeouts;        /* TIMEOUT alone */
} corr_pg_status_t;

void corr_pg_status(corr_pg_t *pg, corr_pg_status_t *status);


#endif /* CORR_POSTGRES_H */
