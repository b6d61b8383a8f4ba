/*
 * One connection to PostgreSQL: libpq in pipeline mode on nginx's event
 * loop.  The only file that calls libpq.
 *
 * Never PQexec, PQprepare, PQreset, PQcancel: they block.  Never
 * PQgetResult before PQisBusy said no.
 */

#include "pg_private.h"
#include "../lib/pg_decode.h"

#include <libpq-fe.h>
#include <openssl/ssl.h>


#define CORR_PG_NULLS     8

#define PG_READ_ONLY      "25006"
#define PG_UNKNOWN_CLASS  "42"       /* no such function, table, column */
#define PG_STALE_PLAN     "0A000"
#define PG_NO_STATEMENT   "26000"


static void corr_pg_event(void *data, ngx_uint_t events, ngx_uint_t closing);
static void corr_pg_timeout(ngx_event_t *ev);
static void corr_pg_stalled(ngx_event_t *ev);
static PGconn *corr_pg_start(corr_pg_conn_t *c);
static ngx_int_t corr_pg_watch(corr_pg_conn_t *c, ngx_uint_t events);
static void corr_pg_poll(corr_pg_conn_t *c);
static void corr_pg_fit(corr_pg_conn_t *c);
static void corr_pg_prepare(corr_pg_conn_t *c, ngx_uint_t first);
static const char *corr_pg_unfit(PGconn *db);
static ngx_uint_t corr_pg_lacks(corr_pg_conn_t *c, corr_pg_work_t *work);
static void corr_pg_flush(corr_pg_conn_t *c);
static void corr_pg_read(corr_pg_conn_t *c);
static void corr_pg_take(corr_pg_conn_t *c);
static ngx_int_t corr_pg_drain(corr_pg_conn_t *c);
static ngx_int_t corr_pg_prepared(corr_pg_conn_t *c, PGresult *res);
static void corr_pg_ready(corr_pg_conn_t *c);
static ngx_int_t corr_pg_unprepared(corr_pg_conn_t *c, PGresult *res,
    u_char *text, size_t size);
static ngx_int_t corr_pg_own_error(corr_pg_conn_t *c, PGresult *res);
static ngx_uint_t corr_pg_history(corr_pg_conn_t *c, PGresult *res);
static uint64_t corr_pg_bigint(PGresult *res, int column);
static ngx_int_t corr_pg_result(corr_pg_conn_t *c, PGresult *res);
static ngx_int_t corr_pg_position(corr_pg_conn_t *c, ngx_uint_t last);
static void corr_pg_keep(corr_pg_conn_t *c, corr_pg_work_t *work,
    PGresult *res);
static void corr_pg_refused(corr_pg_conn_t *c, corr_pg_work_t *work,
    PGresult *res);
static void corr_pg_answered(corr_pg_conn_t *c, corr_pg_work_t *work);
static ngx_int_t corr_pg_rows_read(corr_pg_work_t *work);
static void corr_pg_rest(corr_pg_conn_t *c);
static void corr_pg_close_error(corr_pg_conn_t *c);
static void corr_pg_close_saying(corr_pg_conn_t *c, const char *message);
static void corr_pg_notice(void *data, const char *message);
static corr_str_t corr_pg_field(ngx_pool_t *pool, PGresult *res, int field);


void
corr_pg_conn_init(corr_pg_conn_t *c, corr_pg_t *pg)
{
    c->timers.ident = (ngx_socket_t) -1;
    c->pg = pg;

    ngx_queue_init(&c->fifo);

    /* housekeeping: none of these may keep a worker that quits */

    c->timer.handler = corr_pg_timeout;
    c->timer.data = c;
    c->timer.log = pg->log;
    c->timer.cancelable = 1;

    c->stall.handler = corr_pg_stalled;
    c->stall.data = c;
    c->stall.log = pg->log;
    c->stall.cancelable = 1;
}


void
corr_pg_conn_open(corr_pg_conn_t *c)
{
    c->state = CORR_PG_CONNECTING;
    c->host = c->pg->host;
    c->retire = 0;
    c->silent = 0;

    c->db = corr_pg_start(c);

    if (c->db == NULL) {
        corr_pg_conn_close(c, "no memory");
        return;
    }

    if (PQstatus(c->db) == CONNECTION_BAD) {
        corr_pg_close_error(c);
        return;
    }

    (void) PQsetNoticeProcessor(c->db, corr_pg_notice, c);

    /* no DETAIL in what is logged: it quotes rows */

    (void) PQsetErrorVerbosity(c->db, PQERRORS_TERSE);

    /* libpq ignores connect_timeout when it is polled */

    ngx_add_timer(&c->timer, c->pg->conf->connect_timeout);

    /* as if PQconnectPoll() had said PGRES_POLLING_WRITING */

    (void) corr_pg_watch(c, CORR_FD_WRITE);
}


static PGconn *
corr_pg_start(corr_pg_conn_t *c)
{
    corr_pg_t       *pg;
    ngx_uint_t       n;
    corr_pg_host_t  *host;
    const char      *keywords[CORR_PG_KEYWORDS + 2];
    const char      *values[CORR_PG_KEYWORDS + 2];

    pg = c->pg;
    host = (corr_pg_host_t *) pg->conf->conninfo.elts + c->host;

    n = host->n;

    ngx_memcpy(keywords, host->keywords, n * sizeof(char *));
    ngx_memcpy(values, host->values, n * sizeof(char *));

    keywords[n] = "options";
    values[n++] = pg->options[c->host];

    keywords[n] = NULL;
    values[n] = NULL;

    return PQconnectStartParams(keywords, values, 0);
}


/*
 * A slot for the socket of this moment.  libpq may have closed one and
 * opened another, even under the same number, in any PQconnectPoll(): so
 * the slot is given back before each, and taken anew behind it.
 */

static ngx_int_t
corr_pg_watch(corr_pg_conn_t *c, ngx_uint_t events)
{
    int  fd;

    if (c->fd.connection == NULL) {

        fd = PQsocket(c->db);

        if (fd < 0
            || corr_fd_open(&c->fd, fd, corr_pg_event, c, c->pg->log)
               != NGX_OK)
        {
            corr_pg_conn_close(c, "no connection slot");
            return NGX_ERROR;
        }
    }

    if (corr_fd_watch(&c->fd, events) != NGX_OK) {
        corr_pg_conn_close(c, "event loop failure");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
corr_pg_event(void *data, ngx_uint_t events, ngx_uint_t closing)
{
    corr_pg_conn_t  *c = data;

    if (closing == CORR_FD_ABORT) {
        corr_pg_conn_close(c, "worker shutdown time-out");
        return;
    }

    if (closing) {
        corr_pg_rest(c);
        return;
    }

    if (c->state == CORR_PG_CONNECTING) {
        corr_pg_poll(c);
        return;
    }

    if (events == CORR_FD_WRITE) {
        corr_pg_flush(c);
        return;
    }

    corr_pg_read(c);
}


static void
corr_pg_poll(corr_pg_conn_t *c)
{
    corr_fd_release(&c->fd);

    switch (PQconnectPoll(c->db)) {

    case PGRES_POLLING_READING:
        (void) corr_pg_watch(c, CORR_FD_READ);
        return;

    case PGRES_POLLING_WRITING:
        (void) corr_pg_watch(c, CORR_FD_WRITE);
        return;

    case PGRES_POLLING_OK:
        corr_pg_fit(c);
        return;

    default:
        corr_pg_close_error(c);
    }
}


static void
corr_pg_fit(corr_pg_conn_t *c)
{
    const char  *unfit;

    unfit = corr_pg_unfit(c->db);

    if (unfit != NULL) {
        corr_pg_conn_close(c, unfit);
        return;
    }

    if (PQsetnonblocking(c->db, 1) != 0 || !PQenterPipelineMode(c->db)) {
        corr_pg_close_error(c);
        return;
    }

    c->state = CORR_PG_PREPARING;
    c->known = 0;
    c->nabsent = 0;
    ngx_memzero(c->absent, c->pg->conf->nstatements);

    corr_pg_prepare(c, 0);
}


static void
corr_pg_prepare(corr_pg_conn_t *c, ngx_uint_t first)
{
    ngx_uint_t                  i;
    const corr_pg_conf_t       *conf;
    const corr_pg_statement_t  *s;

    conf = c->pg->conf;

    c->next = 0;
    c->statement = first;
    c->seen = 0;
    c->nulls = 0;

    for (i = first; i < conf->nstatements; i++) {
        s = &conf->statements[i];

        if (!PQsendPrepare(c->db, (const char *) s->name.data,
                           (const char *) s->text.data, 0, NULL))
        {
            corr_pg_close_error(c);
            return;
        }
    }

    s = &conf->statements[conf->history];

    if (!PQsendQueryPrepared(c->db, (const char *) s->name.data, 0, NULL,
                             NULL, NULL, 1)
        || !PQpipelineSync(c->db))
    {
        corr_pg_close_error(c);
        return;
    }

    corr_pg_flush(c);
}


/*
 * What target_session_attrs=read-write would ask, without its round trip:
 * servers since 14 report both by themselves.
 */

static const char *
corr_pg_unfit(PGconn *db)
{
    const char  *standby, *read_only;

    standby = PQparameterStatus(db, "in_hot_standby");
    read_only = PQparameterStatus(db, "default_transaction_read_only");

    if (standby == NULL || read_only == NULL) {
        return "the server is older than PostgreSQL 14";
    }

    if (strcmp(standby, "on") == 0) {
        return "the server is a standby";
    }

    if (strcmp(read_only, "on") == 0) {
        return "the server is read-only";
    }

    return NULL;
}


ngx_int_t
corr_pg_conn_send(corr_pg_conn_t *c, corr_pg_work_t *work)
{
    ngx_uint_t                  i;
    corr_pg_call_t             *call;
    const corr_pg_statement_t  *s;

    if (c->nabsent && corr_pg_lacks(c, work)) {
        return NGX_DECLINED;
    }

    for (i = 0; i < work->ncalls; i++) {
        call = &work->calls[i];
        s = &c->pg->conf->statements[call->statement];

        if (!PQsendQueryPrepared(c->db, (const char *) s->name.data,
                                 call->nparams, call->values, call->lengths,
                                 call->formats, 1))
        {
            /* no sync, no commit: the server rolls the beginning back */

            corr_pg_close_error(c);
            return NGX_DECLINED;
        }
    }

    corr_fd_idle(&c->fd, 0);

    ngx_queue_insert_tail(&c->fifo, &work->queue);
    c->in_flight++;

    work->conn = c;
    work->op.op.in_client = 1;

    /* from here on the sync may be out, whatever is returned */

    if (!PQpipelineSync(c->db)) {
        corr_pg_close_error(c);
        return NGX_OK;
    }

    corr_pg_flush(c);

    return NGX_OK;
}


static ngx_uint_t
corr_pg_lacks(corr_pg_conn_t *c, corr_pg_work_t *work)
{
    ngx_uint_t  i;

    for (i = 0; i < work->ncalls; i++) {
        if (c->absent[work->calls[i].statement]) {
            return 1;
        }
    }

    return 0;
}


static void
corr_pg_flush(corr_pg_conn_t *c)
{
    int  rc;

    rc = PQflush(c->db);

    if (rc < 0) {
        corr_pg_close_error(c);
        return;
    }

    /* level-triggered: write interest only while there is output */

    (void) corr_pg_watch(c, rc ? CORR_FD_READ|CORR_FD_WRITE : CORR_FD_READ);
}


/*
 * Behind it something may be sent on this connection, or on another one:
 * what this one refused before it was lost waits for that.
 */

static void
corr_pg_read(corr_pg_conn_t *c)
{
    corr_pg_take(c);
    corr_pg_is_free(c->pg);
}


static void
corr_pg_take(corr_pg_conn_t *c)
{
    SSL       *ssl;
    PGnotify  *notify;

    do {
        if (!PQconsumeInput(c->db)) {
            corr_pg_close_error(c);
            return;
        }

        if (corr_pg_drain(c) != NGX_OK) {
            return;
        }

        while ((notify = PQnotifies(c->db)) != NULL) {
            PQfreemem(notify);
        }

        /* decrypted already: the socket would stay silent about it */

        ssl = PQgetssl(c->db);

    } while (ssl != NULL && SSL_pending(ssl) > 0);

    if (c->state == CORR_PG_UP && c->in_flight == 0) {

        if (c->retire) {
            corr_pg_conn_close(c, NULL);
            return;
        }

        corr_pg_rest(c);
    }

    corr_pg_flush(c);
}


/* NGX_ERROR: the connection was closed. */

static ngx_int_t
corr_pg_drain(corr_pg_conn_t *c)
{
    PGresult   *res;
    ngx_int_t   rc;

    for ( ;; ) {

        /* asked when idle as well: it reads what the server says unasked */

        if (PQisBusy(c->db)) {
            return NGX_OK;
        }

        if (c->state == CORR_PG_UP && ngx_queue_empty(&c->fifo)) {
            return NGX_OK;
        }

        res = PQgetResult(c->db);

        if (PQstatus(c->db) == CONNECTION_BAD) {
            PQclear(res);
            corr_pg_close_error(c);
            return NGX_ERROR;
        }

        if (res == NULL) {

            if (c->seen) {
                c->statement++;
                c->seen = 0;
                c->nulls = 0;
                continue;
            }

            /* the grammar has none here; libpq's versions differ */

            if (++c->nulls > CORR_PG_NULLS) {
                corr_pg_conn_close(c, "results out of order");
                return NGX_ERROR;
            }

            continue;
        }

        rc = (c->state == CORR_PG_PREPARING) ? corr_pg_prepared(c, res)
                                             : corr_pg_result(c, res);
        if (rc != NGX_OK) {
            return NGX_ERROR;
        }
    }
}


static ngx_int_t
corr_pg_prepared(corr_pg_conn_t *c, PGresult *res)
{
    u_char                 text[512];
    ExecStatusType         status;
    const corr_pg_conf_t  *conf;

    conf = c->pg->conf;
    status = PQresultStatus(res);

    if (status == PGRES_COMMAND_OK
        && corr_pg_position(c, conf->nstatements) == NGX_OK)
    {
        PQclear(res);
        return NGX_OK;
    }

    /* behind them, the one that was sent */

    if (status == PGRES_TUPLES_OK
        && corr_pg_position(c, conf->nstatements + 1) == NGX_OK)
    {
        c->known = corr_pg_history(c, res);
        PQclear(res);

        if (!c->known) {
            corr_pg_conn_close(c, "it was replaced as the primary: another "
                               "server has a newer timeline");
            return NGX_ERROR;
        }

        return NGX_OK;
    }

    /* behind one that the schema does not know the others were not looked at */

    if (status == PGRES_PIPELINE_ABORTED && c->next
        && corr_pg_position(c, conf->nstatements + 1) == NGX_OK)
    {
        PQclear(res);
        return NGX_OK;
    }

    if (status == PGRES_PIPELINE_SYNC && !c->seen && c->next) {
        PQclear(res);
        corr_pg_prepare(c, c->next);

        return c->state == CORR_PG_PREPARING ? NGX_OK : NGX_ERROR;
    }

    if (status == PGRES_PIPELINE_SYNC && !c->seen && c->known) {
        PQclear(res);
        corr_pg_ready(c);

        return c->state == CORR_PG_UP ? NGX_OK : NGX_ERROR;
    }

    if (corr_pg_own_error(c, res) == NGX_OK) {
        return NGX_ERROR;
    }

    ngx_cpystrn(text, (u_char *) "results out of order", sizeof(text));

    if (status == PGRES_FATAL_ERROR && !c->seen
        && c->statement < conf->nstatements
        && corr_pg_unprepared(c, res, text, sizeof(text)) == NGX_OK)
    {
        PQclear(res);
        return NGX_OK;
    }

    PQclear(res);
    corr_pg_conn_close(c, (char *) text);

    return NGX_ERROR;
}


static void
corr_pg_ready(corr_pg_conn_t *c)
{
    c->statement = 0;
    c->nulls = 0;
    c->state = CORR_PG_UP;
    c->since = ngx_current_msec;

    ngx_del_timer(&c->timer);

    corr_pg_rest(c);
    corr_pg_is_up(c);
}


/*
 * The schema is of another version, as it is for some minutes of an upgrade
 * with several nodes: all but the pages that need this statement go on.
 * NGX_DECLINED: without it, or with so many missing, nothing does; why is in
 * text.
 */

static ngx_int_t
corr_pg_unprepared(corr_pg_conn_t *c, PGresult *res, u_char *text,
    size_t size)
{
    corr_pg_t             *pg;
    ngx_uint_t             level;
    const char            *state;
    corr_pg_host_t        *host;
    const corr_pg_conf_t  *conf;

    pg = c->pg;
    conf = pg->conf;
    state = PQresultErrorField(res, PG_DIAG_SQLSTATE);

    *ngx_snprintf(text, size - 1,
                  "statement \"%V\" cannot be prepared: %s %s",
                  &conf->statements[c->statement].name, state,
                  PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY)) = '\0';

    if (ngx_strncmp(state, PG_UNKNOWN_CLASS, 2) != 0
        || c->nabsent == CORR_PG_ABSENT
        || c->statement == conf->history || c->statement == conf->at_it)
    {
        return NGX_DECLINED;
    }

    if (c->nabsent++ == 0) {
        host = (corr_pg_host_t *) conf->conninfo.elts + c->host;
        level = corr_complaint_level(&pg->unfit, (char *) text);

        ngx_log_error(level, pg->log, 0,
                      "postgres: %V: %s; is the schema of another version? "
                      "What needs it is answered with 503", &host->name,
                      text);
    }

    c->absent[c->statement] = 1;
    c->next = c->statement + 1;

    return corr_pg_position(c, conf->nstatements);
}


/*
 * An error without an SQLSTATE is libpq's own: no memory for a result, which
 * may have been the sync.  Nobody knows what comes next.  NGX_OK: it was one,
 * it is cleared and the connection closed.
 */

static ngx_int_t
corr_pg_own_error(corr_pg_conn_t *c, PGresult *res)
{
    u_char  text[512];

    if (PQresultStatus(res) != PGRES_FATAL_ERROR
        || PQresultErrorField(res, PG_DIAG_SQLSTATE) != NULL)
    {
        return NGX_DECLINED;
    }

    ngx_cpystrn(text, (u_char *) PQresultErrorMessage(res), sizeof(text));
    PQclear(res);

    corr_pg_close_saying(c, (char *) text);

    return NGX_OK;
}


/*
 * Of one system the newest timeline counts.  Both in one word, so that
 * workers need no lock: what is folded here differs between systems nearly
 * always, and where it did not an older one would be refused until nginx is
 * started anew.
 */

static ngx_uint_t
corr_pg_history(corr_pg_conn_t *c, PGresult *res)
{
    uint64_t       system, mine, last;
    ngx_atomic_t  *newest;

    if (PQntuples(res) != 1 || PQnfields(res) != 2
        || PQgetlength(res, 0, 0) != 8 || PQgetlength(res, 0, 1) != 8)
    {
        return 0;
    }

    newest = c->pg->conf->zone->data;

    system = corr_pg_bigint(res, 0);
    system = (system ^ (system >> 32)) & 0xffffffff;
    mine = (system << 32) | corr_pg_bigint(res, 1);

    do {
        last = *newest;

        if (last >> 32 == system && last > mine) {
            return 0;
        }

    } while (!ngx_atomic_cmp_set(newest, last, mine));

    return 1;
}


static uint64_t
corr_pg_bigint(PGresult *res, int column)
{
    uint64_t  n;

    ngx_memcpy(&n, PQgetvalue(res, 0, column), sizeof(n));

    return be64toh(n);
}


/*
 * The grammar of an operation's results: for each statement one result
 * and NULL; behind them all, without a NULL, the sync.  Behind an error
 * the rest is PIPELINE_ABORTED.  A commit that fails (a deferred
 * constraint) is one more error between the last statement and the sync.
 */

static ngx_int_t
corr_pg_result(corr_pg_conn_t *c, PGresult *res)
{
    ngx_int_t        rc;
    ngx_uint_t       last;
    ngx_queue_t     *q;
    corr_pg_work_t  *work;

    q = ngx_queue_head(&c->fifo);
    work = ngx_queue_data(q, corr_pg_work_t, queue);

    switch (PQresultStatus(res)) {

    case PGRES_PIPELINE_SYNC:
        last = c->statement + c->seen;
        rc = (last == work->ncalls || (work->refused && last > work->ncalls))
             ? NGX_OK : NGX_ERROR;

        PQclear(res);

        if (rc == NGX_OK) {
            corr_pg_answered(c, work);
            return NGX_OK;
        }

        break;

    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
    case PGRES_EMPTY_QUERY:
        rc = corr_pg_position(c, work->ncalls);

        if (rc == NGX_OK) {
            corr_pg_keep(c, work, res);
            return NGX_OK;
        }

        PQclear(res);
        break;

    case PGRES_FATAL_ERROR:
        if (corr_pg_own_error(c, res) == NGX_OK) {
            return NGX_ERROR;
        }

        rc = corr_pg_position(c, work->ncalls + 1);

        if (rc == NGX_OK) {
            corr_pg_refused(c, work, res);
        }

        PQclear(res);

        if (rc == NGX_OK) {
            return NGX_OK;
        }

        break;

    case PGRES_PIPELINE_ABORTED:
        rc = corr_pg_position(c, work->ncalls);
        PQclear(res);

        if (rc == NGX_OK) {
            return NGX_OK;
        }

        break;

    default:

        /* COPY and the like: statements of ours never do it */

        PQclear(res);
        break;
    }

    corr_pg_conn_close(c, "results out of order");

    return NGX_ERROR;
}


/* A result came: of which statement?  NGX_ERROR: there is none left. */

static ngx_int_t
corr_pg_position(corr_pg_conn_t *c, ngx_uint_t last)
{
    if (c->seen) {
        c->statement++;
    }

    c->seen = 1;
    c->nulls = 0;

    return c->statement < last ? NGX_OK : NGX_ERROR;
}


static void
corr_pg_keep(corr_pg_conn_t *c, corr_pg_work_t *work, PGresult *res)
{
    if (work->op.op.status != CORR_OP_PENDING
        || work->results[c->statement] != NULL)
    {
        PQclear(res);
        return;
    }

    work->results[c->statement] = res;
}


static void
corr_pg_refused(corr_pg_conn_t *c, corr_pg_work_t *work, PGresult *res)
{
    ngx_pool_t    *pool;
    corr_pg_op_t  *op;
    const char    *state;

    state = PQresultErrorField(res, PG_DIAG_SQLSTATE);

    if (work->refused) {
        return;
    }

    work->refused = 1;

    /*
     * The server takes no writes any more, or what was prepared no longer
     * fits its tables.  Nothing of it happened, and on another connection
     * it will.
     */

    if (strcmp(state, PG_READ_ONLY) == 0
        || strcmp(state, PG_STALE_PLAN) == 0
        || strcmp(state, PG_NO_STATEMENT) == 0)
    {
        c->retire = 1;
        work->move = (work->moves < c->pg->conf->connections);
    }

    if (strcmp(state, PG_READ_ONLY) == 0) {
        corr_pg_is_demoted(c);
    }

    op = &work->op;

    if (op->op.status != CORR_OP_PENDING) {
        return;
    }

    pool = op->op.pool;

    op->failed = c->statement;

    ngx_memzero(op->sqlstate, sizeof(op->sqlstate));
    ngx_memcpy(op->sqlstate, state,
               ngx_min(ngx_strlen(state), sizeof(op->sqlstate) - 1));

    op->message = corr_pg_field(pool, res, PG_DIAG_MESSAGE_PRIMARY);
    op->detail = corr_pg_field(pool, res, PG_DIAG_MESSAGE_DETAIL);
    op->constraint = corr_pg_field(pool, res, PG_DIAG_CONSTRAINT_NAME);
}


static corr_str_t
corr_pg_field(ngx_pool_t *pool, PGresult *res, int field)
{
    const char  *text;
    corr_str_t   s = corr_null_str;

    text = PQresultErrorField(res, field);
    if (text == NULL) {
        return s;
    }

    s.data = ngx_pnalloc(pool, ngx_strlen(text) + 1);
    if (s.data == NULL) {
        return s;
    }

    s.len = ngx_strlen(text);
    ngx_memcpy(s.data, text, s.len + 1);

    return s;
}


static void
corr_pg_answered(corr_pg_conn_t *c, corr_pg_work_t *work)
{
    ngx_queue_remove(&work->queue);
    c->in_flight--;

    c->statement = 0;
    c->seen = 0;
    c->nulls = 0;

    if (work->refused) {
        corr_pg_work_clear(work);
    }

    if (work->move && work->op.op.status == CORR_OP_PENDING) {
        corr_pg_work_again(work);

    } else if (work->refused) {
        corr_pg_work_end(work, CORR_OP_FAILED);

    } else {

        /* rows that nobody can read are no empty ones */

        corr_pg_work_end(work, corr_pg_rows_read(work) == NGX_OK
                               ? CORR_OP_OK : CORR_OP_LOST);
    }

    /* the next one has its own grace, and its own question */

    if (c->stall.timer_set) {
        ngx_del_timer(&c->stall);
    }

    corr_owner_detach(&c->owner);

    c->question = NULL;
    c->asked = 0;
    c->kept = 0;

    corr_pg_conn_late(c);
}


void
corr_pg_conn_late(corr_pg_conn_t *c)
{
    ngx_queue_t     *q;
    corr_pg_work_t  *work;

    if (ngx_queue_empty(&c->fifo) || c->stall.timer_set) {
        return;
    }

    q = ngx_queue_head(&c->fifo);
    work = ngx_queue_data(q, corr_pg_work_t, queue);

    if (work->op.op.status != CORR_OP_PENDING) {
        ngx_add_timer(&c->stall, CORR_PG_GRACE);
    }
}


static void
corr_pg_stalled(ngx_event_t *ev)
{
    corr_pg_is_late(ev->data);
}


ngx_int_t
corr_pg_conn_pid(corr_pg_conn_t *c)
{
    return PQbackendPID(c->db);
}


/*
 * Nothing is under way.  When the worker quits it is closed a little
 * later, so that the requests that are left need not connect again.
 */

static void
corr_pg_rest(corr_pg_conn_t *c)
{
    ngx_msec_t  life;

    corr_fd_idle(&c->fd, 1);

    if (ngx_exiting) {
        ngx_add_timer(&c->timer, CORR_PG_LINGER);
        return;
    }

    if (c->timer.timer_set) {
        return;
    }

    /* not all connections of all workers at once */

    life = c->nabsent ? CORR_PG_ABSENT_LIFE : c->pg->conf->lifetime;

    if (life) {
        ngx_add_timer(&c->timer, life - (ngx_msec_t) ngx_random()
                                        % (life / 5 + 1));
    }
}


static void
corr_pg_timeout(ngx_event_t *ev)
{
    corr_pg_conn_t  *c = ev->data;

    if (c->state != CORR_PG_UP) {
        c->silent = 1;
        corr_pg_conn_close(c, c->state == CORR_PG_CONNECTING
                              ? "connecting took too long"
                              : "preparing took too long");
        return;
    }

    if (c->in_flight == 0) {
        corr_pg_conn_close(c, NULL);
        return;
    }

    if (!ngx_exiting) {
        c->retire = 1;
    }
}


static void
corr_pg_close_error(corr_pg_conn_t *c)
{
    corr_pg_close_saying(c, PQerrorMessage(c->db));
}


static void
corr_pg_close_saying(corr_pg_conn_t *c, const char *message)
{
    size_t       len;
    u_char       text[512];
    const char  *why;

    /* nobody has acknowledged our bytes for tcp_user_timeout */

    if (strstr(message, strerror(ETIMEDOUT)) != NULL) {
        c->silent = 1;
    }

    /* "connection to server at …, port … failed: ": the log says where */

    why = strstr(message, " failed: ");

    if (why != NULL && c->state == CORR_PG_CONNECTING) {
        message = why + sizeof(" failed: ") - 1;
    }

    /* the first line; libpq goes on with what it guesses */

    len = strcspn(message, "\r\n");
    len = ngx_min(len, sizeof(text) - 1);

    ngx_memcpy(text, message, len);
    text[len] = '\0';

    corr_pg_conn_close(c, len ? (char *) text : "connection closed");
}


void
corr_pg_conn_close(corr_pg_conn_t *c, const char *text)
{
    ngx_queue_t      *q;
    corr_pg_work_t   *work;
    corr_pg_state_e   was;

    was = c->state;
    c->state = CORR_PG_DOWN;

    if (c->timer.timer_set) {
        ngx_del_timer(&c->timer);
    }

    if (c->stall.timer_set) {
        ngx_del_timer(&c->stall);
    }

    corr_owner_detach(&c->owner);
    c->question = NULL;

    /* out of the kernel's set before libpq closes it */

    corr_fd_release(&c->fd);

    PQfinish(c->db);
    c->db = NULL;

    while (!ngx_queue_empty(&c->fifo)) {
        q = ngx_queue_head(&c->fifo);
        ngx_queue_remove(q);

        work = ngx_queue_data(q, corr_pg_work_t, queue);
        corr_pg_work_clear(work);
        corr_pg_work_end(work, CORR_OP_LOST);
    }

    c->in_flight = 0;

    corr_pg_is_down(c, was, text);
}


static void
corr_pg_notice(void *data, const char *message)
{
    size_t           len;
    ngx_str_t        text;
    corr_pg_conn_t  *c = data;

    len = ngx_strlen(message);

    while (len && message[len - 1] == '\n') {
        len--;
    }

    text.len = len;
    text.data = (u_char *) message;

    ngx_log_debug1(NGX_LOG_DEBUG_CORE, c->pg->log, 0, "postgres: %V", &text);
}


/*
 * Results.
 */

typedef struct {
    corr_rows_t       rows;            /* first */
    PGresult         *result;
    Oid              *types;
    unsigned char   **rooms;           /* per column; NULL: none needed */
} corr_pg_rows_t;


static corr_rows_t *corr_pg_rows_create(corr_pg_work_t *work, ngx_uint_t i);
static ngx_int_t corr_pg_column(corr_pg_work_t *work, ngx_uint_t i,
    corr_pg_rows_t *rows, int column);
static void corr_pg_cell(const corr_rows_t *rows, unsigned row,
    unsigned column, corr_value_t *value);


corr_rows_t *
corr_pg_rows(corr_pg_op_t *op, ngx_uint_t i)
{
    corr_pg_work_t  *work = (corr_pg_work_t *) op;

    if (op->op.status != CORR_OP_OK || i >= work->ncalls) {
        return NULL;
    }

    return work->rows[i];
}


static ngx_int_t
corr_pg_rows_read(corr_pg_work_t *work)
{
    ngx_uint_t  i;

    if (work->op.op.status != CORR_OP_PENDING) {
        return NGX_OK;
    }

    for (i = 0; i < work->ncalls; i++) {
        if (work->results[i] == NULL) {
            continue;
        }

        work->rows[i] = corr_pg_rows_create(work, i);

        if (work->rows[i] == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static corr_rows_t *
corr_pg_rows_create(corr_pg_work_t *work, ngx_uint_t i)
{
    int              column, n;
    PGresult        *res;
    ngx_pool_t      *pool;
    corr_pg_rows_t  *rows;

    pool = work->op.op.pool;
    res = work->results[i];
    n = PQnfields(res);

    rows = ngx_pcalloc(pool, sizeof(corr_pg_rows_t));
    if (rows == NULL) {
        return NULL;
    }

    rows->result = res;
    rows->rows.nrows = PQntuples(res);
    rows->rows.ncolumns = n;
    rows->rows.cell = corr_pg_cell;
    rows->rows.data = rows;

    rows->rows.columns = ngx_pcalloc(pool, (n + 1) * sizeof(corr_column_t));
    rows->types = ngx_pcalloc(pool, (n + 1) * sizeof(Oid));
    rows->rooms = ngx_pcalloc(pool, (n + 1) * sizeof(unsigned char *));

    if (rows->rows.columns == NULL || rows->types == NULL
        || rows->rooms == NULL)
    {
        return NULL;
    }

    for (column = 0; column < n; column++) {
        if (corr_pg_column(work, i, rows, column) != NGX_OK) {
            return NULL;
        }
    }

    return &rows->rows;
}


static ngx_int_t
corr_pg_column(corr_pg_work_t *work, ngx_uint_t i, corr_pg_rows_t *rows,
    int column)
{
    Oid             type;
    corr_column_t  *c;

    type = PQftype(rows->result, column);
    rows->types[column] = type;

    c = &rows->rows.columns[column];
    c->name = corr_cstr(PQfname(rows->result, column));
    c->hash = corr_name_hash(c->name);
    c->kind = corr_pg_kind(type);

    if (c->kind == CORR_NULL) {
        ngx_log_error(NGX_LOG_ERR, work->pg->log, 0,
                      "postgres: statement \"%V\" returns column \"%s\" of "
                      "type %ud, which cannot be read",
                      &work->pg->conf
                           ->statements[work->calls[i].statement].name,
                      PQfname(rows->result, column), type);
    }

    if (corr_pg_needs_room(type) && rows->rows.nrows) {
        rows->rooms[column] = ngx_palloc(work->op.op.pool,
                                         (size_t) rows->rows.nrows
                                         * CORR_PG_UUID_LEN);

        return rows->rooms[column] ? NGX_OK : NGX_ERROR;
    }

    return NGX_OK;
}


static void
corr_pg_cell(const corr_rows_t *rows, unsigned row, unsigned column,
    corr_value_t *value)
{
    unsigned char   *room;
    corr_pg_rows_t  *r = rows->data;

    if (row >= rows->nrows || column >= rows->ncolumns
        || PQgetisnull(r->result, row, column))
    {
        value->kind = CORR_NULL;
        value->s = (corr_str_t) corr_null_str;
        return;
    }

    room = r->rooms[column];

    if (room != NULL) {
        room += (size_t) row * CORR_PG_UUID_LEN;
    }

    corr_pg_decode(r->types[column],
                   (unsigned char *) PQgetvalue(r->result, row, column),
                   PQgetlength(r->result, row, column), room, value);
}


void
corr_pg_work_clear(corr_pg_work_t *work)
{
    ngx_uint_t  i;

    for (i = 0; i < work->ncalls; i++) {
        PQclear(work->results[i]);
        work->results[i] = NULL;
        work->rows[i] = NULL;
    }
}


ngx_array_t *
corr_pg_conninfo(ngx_pool_t *pool, const char *conninfo, ngx_str_t *error)
{
    char               *message;
    size_t              len;
    u_char             *p;
    ngx_array_t        *a;
    PQconninfoOption   *options, *o;
    corr_pg_keyword_t  *k;

    message = NULL;
    options = PQconninfoParse(conninfo, &message);

    if (options == NULL) {
        len = message ? ngx_strlen(message) : 0;
        while (len && message[len - 1] == '\n') {
            len--;
        }

        p = ngx_pnalloc(pool, len + 1);
        if (p != NULL) {
            ngx_memcpy(p, message, len);
            error->len = len;
            error->data = p;
        }

        PQfreemem(message);
        return NULL;
    }

    a = ngx_array_create(pool, 16, sizeof(corr_pg_keyword_t));

    for (o = options; a != NULL && o->keyword != NULL; o++) {

        if (o->val == NULL) {
            continue;
        }

        k = ngx_array_push(a);
        len = ngx_strlen(o->keyword) + 1;
        p = ngx_pnalloc(pool, len + ngx_strlen(o->val) + 1);

        if (k == NULL || p == NULL) {
            a = NULL;
            break;
        }

        k->keyword = (char *) p;
        k->value = (char *) ngx_cpystrn(p, (u_char *) o->keyword, len) + 1;

        ngx_memcpy(p + len, o->val, ngx_strlen(o->val) + 1);
    }

    PQconninfoFree(options);

    return a;
}
