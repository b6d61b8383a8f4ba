/*
 * The pool: which connection takes an operation, what waits and for how
 * long, and when it is tried again.
 *
 * The first connection is for reads, so many behind it for writes, the rest
 * for reads: where a server lets only a few in, both have some.
 *
 * While no connection is up one at a time is tried, each address of the
 * list in turn.  Operations wait for the first round; once a whole round
 * has failed they fail at once, until a connection is up.  So do writes while
 * others are up and none for writes can be had.
 */

#include "pg_private.h"


/* One that is lost so soon counts as an attempt that failed. */
#define CORR_PG_SHORT_LIFE   1000


static const char *corr_pg_options(corr_pg_t *pg, corr_pg_host_t *host);
static u_char *corr_pg_escape(u_char *p, ngx_str_t *s);
static ngx_int_t corr_pg_conns(corr_pg_t *pg);
static void corr_pg_retry(ngx_event_t *ev);
static void corr_pg_grow(corr_pg_t *pg);
static ngx_uint_t corr_pg_wanted(corr_pg_t *pg, corr_pg_conn_t *c);
static void corr_pg_attempt_failed(corr_pg_conn_t *c, const char *text);
static void corr_pg_note(corr_pg_conn_t *c);
static ngx_int_t corr_pg_next_host(corr_pg_t *pg, ngx_uint_t host);
static ngx_uint_t corr_pg_passed_over(corr_pg_t *pg, ngx_uint_t host);
static ngx_uint_t corr_pg_silent(const corr_pg_try_t *try);
static void corr_pg_later(corr_pg_t *pg, ngx_msec_t delay);
static ngx_msec_t corr_pg_backoff(corr_pg_t *pg);
static void corr_pg_complain(corr_pg_t *pg, ngx_uint_t host,
    const char *what, const char *text);
static ngx_uint_t corr_pg_hopes(corr_pg_t *pg, corr_pg_conn_t *c);
static void corr_pg_give_up(corr_pg_t *pg, corr_pg_kind_e kind);
static void corr_pg_fail(corr_pg_t *pg);
static void corr_pg_wait(corr_pg_work_t *work, ngx_uint_t first);
static void corr_pg_wait_over(corr_pg_work_t *work);
static corr_pg_conn_t *corr_pg_choose(corr_pg_t *pg, corr_pg_kind_e kind);
static corr_pg_conn_t *corr_pg_least(corr_pg_t *pg, corr_pg_kind_e kind,
    ngx_uint_t depth);
static void corr_pg_dispatch(corr_pg_work_t *work, corr_pg_conn_t *c);
static void corr_pg_serve(corr_pg_t *pg, corr_pg_kind_e kind);
static ngx_int_t corr_pg_ask(corr_pg_conn_t *c);
static void corr_pg_told(corr_owner_t *owner);
static void corr_pg_kept(corr_pg_conn_t *c);
static void corr_pg_expire(corr_op_t *op);
static void corr_pg_release(corr_op_t *op);
static ngx_int_t corr_pg_param(corr_pg_work_t *work, corr_pg_call_t *call,
    ngx_uint_t i, const corr_pg_param_t *param);


corr_pg_t *
corr_pg_create(ngx_cycle_t *cycle, const corr_pg_conf_t *conf)
{
    corr_pg_t       *pg;
    ngx_uint_t       i;
    ngx_pool_t      *pool;
    corr_pg_host_t  *hosts;

    pool = ngx_create_pool(4096, cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    pg = ngx_pcalloc(pool, sizeof(corr_pg_t));
    if (pg == NULL) {
        goto failed;
    }

    pg->timers.ident = (ngx_socket_t) -1;
    pg->conf = conf;
    pg->pool = pool;
    pg->log = cycle->log;

    for (i = 0; i < CORR_PG_KINDS; i++) {
        ngx_queue_init(&pg->queue[i]);
    }

    pg->retry.handler = corr_pg_retry;
    pg->retry.data = pg;
    pg->retry.log = cycle->log;
    pg->retry.cancelable = 1;

    pg->options = ngx_pcalloc(pool, conf->conninfo.nelts * sizeof(char *));
    pg->conns = ngx_pcalloc(pool, conf->connections * sizeof(corr_pg_conn_t));

    pg->tries = ngx_pcalloc(pool, conf->conninfo.nelts
                                  * sizeof(corr_pg_try_t));

    if (pg->options == NULL || pg->conns == NULL || pg->tries == NULL) {
        goto failed;
    }

    hosts = conf->conninfo.elts;

    for (i = 0; i < conf->conninfo.nelts; i++) {
        pg->options[i] = corr_pg_options(pg, &hosts[i]);

        if (pg->options[i] == NULL) {
            goto failed;
        }
    }

    if (corr_pg_conns(pg) != NGX_OK) {
        goto failed;
    }

    corr_pg_grow(pg);

    return pg;

failed:

    ngx_destroy_pool(pool);

    return NULL;
}


static ngx_int_t
corr_pg_conns(corr_pg_t *pg)
{
    ngx_uint_t       i;
    corr_pg_conn_t  *c;

    for (i = 0; i < pg->conf->connections; i++) {
        c = &pg->conns[i];

        c->absent = ngx_pcalloc(pg->pool, pg->conf->nstatements);
        if (c->absent == NULL) {
            return NGX_ERROR;
        }

        corr_pg_conn_init(c, pg);
        corr_owner_init(&c->owner, corr_pg_told, pg->log);

        c->kind = (i > 0 && i <= pg->conf->writers) ? CORR_PG_WRITES
                                                    : CORR_PG_READS;
    }

    return NGX_OK;
}


void
corr_pg_destroy(corr_pg_t *pg)
{
    ngx_uint_t  i;

    pg->stopping = 1;

    corr_pg_fail(pg);

    for (i = 0; i < pg->conf->connections; i++) {
        if (pg->conns[i].state != CORR_PG_DOWN) {
            corr_pg_conn_close(&pg->conns[i], NULL);
        }
    }

    if (pg->retry.timer_set) {
        ngx_del_timer(&pg->retry);
    }

    ngx_destroy_pool(pg->pool);
}


/*
 * What every session has, set at its start and not by queries.  The
 * keep-alives are the server's: they end a transaction whose client
 * vanished between two statements.
 */

static const char *
corr_pg_options(corr_pg_t *pg, corr_pg_host_t *host)
{
    size_t                 len;
    u_char                *p, *options;
    ngx_str_t              given, path;
    ngx_msec_t             timeout;
    const corr_pg_conf_t  *conf;

    conf = pg->conf;
    path = conf->search_path;
    timeout = conf->statement_timeout ? conf->statement_timeout
                                      : conf->timeout;

    given.data = (u_char *) (host->options ? host->options : "");
    given.len = ngx_strlen(given.data);

    len = given.len + conf->settings.len + path.len * 2 + NGX_INT64_LEN + 256;

    options = ngx_pcalloc(pg->pool, len);
    if (options == NULL) {
        return NULL;
    }

    p = ngx_sprintf(options, "%V -c TimeZone=UTC -c statement_timeout=%M"
                    " -c tcp_keepalives_idle=60 -c tcp_keepalives_interval=10"
                    " -c tcp_keepalives_count=3", &given, timeout);

    p = ngx_sprintf(p, "%V", &conf->settings);

    if (path.len) {
        p = ngx_cpymem(p, " -c search_path=", sizeof(" -c search_path=") - 1);
        (void) corr_pg_escape(p, &path);
    }

    return (char *) options;
}


static u_char *
corr_pg_escape(u_char *p, ngx_str_t *s)
{
    size_t  i;

    for (i = 0; i < s->len; i++) {

        if (s->data[i] == ' ' || s->data[i] == '\\') {
            *p++ = '\\';
        }

        *p++ = s->data[i];
    }

    return p;
}


static void
corr_pg_retry(ngx_event_t *ev)
{
    corr_pg_grow(ev->data);
}


/* Opens connections that are missing. */

static void
corr_pg_grow(corr_pg_t *pg)
{
    ngx_uint_t       i;
    corr_pg_conn_t  *c;

    for (i = 0; i < pg->conf->connections; i++) {
        c = &pg->conns[i];

        /* one that fails at once arms it */

        if (pg->retry.timer_set || pg->stopping) {
            return;
        }

        if (c->state == CORR_PG_DOWN && corr_pg_wanted(pg, c)) {
            corr_pg_conn_open(c);
        }
    }
}


/*
 * One while none is up; all of them behind it.  A worker that quits needs
 * one of a kind, when something of that kind waits.
 */

static ngx_uint_t
corr_pg_wanted(corr_pg_t *pg, corr_pg_conn_t *c)
{
    ngx_uint_t       i;
    corr_pg_conn_t  *other;

    if (pg->up && !ngx_exiting) {
        return 1;
    }

    if (ngx_exiting && ngx_queue_empty(&pg->queue[c->kind])) {
        return 0;
    }

    for (i = 0; i < pg->conf->connections; i++) {
        other = &pg->conns[i];

        if (other->state != CORR_PG_DOWN
            && (pg->up == 0 || other->kind == c->kind))
        {
            return 0;
        }
    }

    return 1;
}


void
corr_pg_is_up(corr_pg_conn_t *c)
{
    corr_pg_t       *pg;
    ngx_uint_t       i, first;
    corr_pg_host_t  *host;

    pg = c->pg;
    host = (corr_pg_host_t *) pg->conf->conninfo.elts + c->host;
    first = (pg->up++ == 0);

    if (first) {
        ngx_log_error(NGX_LOG_NOTICE, pg->log, 0,
                      "postgres: connected to %V", &host->name);
    }

    for (i = 0; i < pg->conf->conninfo.nelts; i++) {
        pg->tries[i].tried = 0;

        if (first) {
            pg->tries[i].complaint.hash = 0;
        }
    }

    pg->host = c->host;
    pg->failing[CORR_PG_READS] = 0;

    if (first || c->kind == CORR_PG_WRITES) {
        pg->failing[CORR_PG_WRITES] = 0;
    }

    corr_pg_is_free(pg);
    corr_pg_grow(pg);
}


void
corr_pg_is_down(corr_pg_conn_t *c, corr_pg_state_e was, const char *text)
{
    corr_pg_t   *pg;
    ngx_msec_t   delay;

    pg = c->pg;
    delay = 0;

    if (was == CORR_PG_UP) {
        pg->up--;
    }

    if (pg->stopping) {
        return;
    }

    if (was != CORR_PG_UP) {
        corr_pg_attempt_failed(c, text);
        return;
    }

    /* closed by ourselves, its time was over */

    if (text == NULL) {
        corr_pg_grow(pg);
        return;
    }

    pg->host = c->host;

    if (c->silent) {
        corr_pg_note(c);
        (void) corr_pg_next_host(pg, c->host);
    }

    if (ngx_current_msec - c->since >= CORR_PG_SHORT_LIFE) {
        corr_retry_reset(&pg->again);

    } else if (!pg->retry.timer_set) {
        delay = corr_pg_backoff(pg);
        corr_pg_later(pg, delay);
    }

    corr_pg_complain(pg, c->host, "lost", text);

    if (pg->up == 0 && delay > CORR_RETRY_PATIENCE) {
        corr_pg_fail(pg);
        return;
    }

    corr_pg_grow(pg);
}


static void
corr_pg_attempt_failed(corr_pg_conn_t *c, const char *text)
{
    corr_pg_t   *pg;
    ngx_uint_t   i;

    pg = c->pg;

    corr_pg_note(c);
    pg->tries[c->host].tried = 1;

    /* the other addresses first, without waiting */

    if (corr_pg_next_host(pg, c->host) == NGX_OK) {
        corr_pg_later(pg, 1);
        corr_pg_complain(pg, c->host, "cannot connect to", text);
        return;
    }

    for (i = 0; i < pg->conf->conninfo.nelts; i++) {
        pg->tries[i].tried = 0;
    }

    (void) corr_pg_next_host(pg, c->host);

    corr_pg_later(pg, corr_pg_backoff(pg));
    corr_pg_complain(pg, c->host, "cannot connect to", text);

    if (pg->up == 0) {
        corr_pg_fail(pg);

    } else if (c->kind == CORR_PG_WRITES && !corr_pg_hopes(pg, c)) {

        /* a server that lets in only a few, and reading goes on */

        corr_pg_give_up(pg, CORR_PG_WRITES);
    }
}


/* Another writer is there, or being made. */

static ngx_uint_t
corr_pg_hopes(corr_pg_t *pg, corr_pg_conn_t *c)
{
    ngx_uint_t       i;
    corr_pg_conn_t  *other;

    for (i = 0; i < pg->conf->connections; i++) {
        other = &pg->conns[i];

        if (other != c && other->kind == CORR_PG_WRITES
            && other->state != CORR_PG_DOWN)
        {
            return 1;
        }
    }

    return 0;
}


static void
corr_pg_note(corr_pg_conn_t *c)
{
    corr_pg_try_t  *try;

    try = &c->pg->tries[c->host];
    try->silent = c->silent;
    try->at = ngx_current_msec;
}


/* NGX_DECLINED: all were tried.  Several attempts may be at one of them. */

static ngx_int_t
corr_pg_next_host(corr_pg_t *pg, ngx_uint_t host)
{
    ngx_uint_t  i, n;

    n = pg->conf->conninfo.nelts;

    for (i = 0; i < n; i++) {
        host = (host + 1) % n;

        if (!pg->tries[host].tried && !corr_pg_passed_over(pg, host)) {
            pg->host = host;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


/*
 * A machine that vanished costs a whole deadline each time, so it is left
 * alone for a while, as long as another one answers, be it with a refusal.
 */

static ngx_uint_t
corr_pg_passed_over(corr_pg_t *pg, ngx_uint_t host)
{
    ngx_uint_t  i;

    if (!corr_pg_silent(&pg->tries[host])) {
        return 0;
    }

    for (i = 0; i < pg->conf->conninfo.nelts; i++) {
        if (!corr_pg_silent(&pg->tries[i])) {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
corr_pg_silent(const corr_pg_try_t *try)
{
    return try->silent && ngx_current_msec - try->at < CORR_PG_SILENCE;
}


static void
corr_pg_later(corr_pg_t *pg, ngx_msec_t delay)
{
    if (!pg->retry.timer_set) {
        ngx_add_timer(&pg->retry, delay);
    }
}


static ngx_msec_t
corr_pg_backoff(corr_pg_t *pg)
{
    return corr_retry_delay(&pg->again, pg->conf->connect_timeout);
}


static void
corr_pg_complain(corr_pg_t *pg, ngx_uint_t host, const char *what,
    const char *text)
{
    ngx_uint_t       level;
    ngx_msec_int_t   delay;
    corr_pg_host_t  *h;

    h = (corr_pg_host_t *) pg->conf->conninfo.elts + host;

    level = corr_complaint_level(&pg->tries[host].complaint, text);
    delay = pg->retry.timer_set ? pg->retry.timer.key - ngx_current_msec : 0;

    /* armed by another one, it may be due */

    ngx_log_error(level, pg->log, 0,
                  "postgres: %s %V: %s; next attempt in %M ms",
                  what, &h->name, text, (ngx_msec_t) ngx_max(delay, 0));
}


/* What waits for a connection of that kind waits no longer. */

static void
corr_pg_give_up(corr_pg_t *pg, corr_pg_kind_e kind)
{
    ngx_queue_t     *q;
    corr_pg_work_t  *work;

    pg->failing[kind] = 1;

    while (!ngx_queue_empty(&pg->queue[kind])) {
        q = ngx_queue_head(&pg->queue[kind]);
        work = ngx_queue_data(q, corr_pg_work_t, queue);

        corr_pg_wait_over(work);
        corr_pg_work_end(work, CORR_OP_UNAVAILABLE);
    }
}


static void
corr_pg_fail(corr_pg_t *pg)
{
    corr_pg_give_up(pg, CORR_PG_READS);
    corr_pg_give_up(pg, CORR_PG_WRITES);
}


static void
corr_pg_wait(corr_pg_work_t *work, ngx_uint_t first)
{
    corr_pg_t  *pg;

    pg = work->pg;
    pg->queued[work->kind]++;

    if (first) {
        ngx_queue_insert_head(&pg->queue[work->kind], &work->queue);

    } else {
        ngx_queue_insert_tail(&pg->queue[work->kind], &work->queue);
    }
}


static void
corr_pg_wait_over(corr_pg_work_t *work)
{
    ngx_queue_remove(&work->queue);
    work->pg->queued[work->kind]--;
}


corr_pg_op_t *
corr_pg_begin(corr_pg_t *pg, corr_owner_t *owner, const char *name)
{
    corr_op_t       *op;
    corr_pg_work_t  *work;

    op = corr_op_create(sizeof(corr_pg_work_t), owner, name, pg->log);
    if (op == NULL) {
        return NULL;
    }

    op->expire = corr_pg_expire;
    op->release = corr_pg_release;

    work = (corr_pg_work_t *) op;
    work->pg = pg;

    return &work->op;
}


ngx_int_t
corr_pg_add(corr_pg_op_t *op, ngx_uint_t statement, ngx_uint_t nparams,
    const corr_pg_param_t *params)
{
    ngx_pool_t      *pool;
    corr_pg_t       *pg;
    ngx_uint_t       i;
    corr_pg_call_t  *call;
    corr_pg_work_t  *work = (corr_pg_work_t *) op;

    pg = work->pg;
    pool = op->op.pool;

    /* until everything is in its place */

    if (work->broken) {
        return NGX_ERROR;
    }

    work->broken = 1;

    if (work->ncalls == CORR_PG_STATEMENTS_MAX
        || statement >= pg->conf->nstatements
        || pg->conf->statements[statement].nparams != nparams)
    {
        ngx_log_error(NGX_LOG_ALERT, pg->log, 0,
                      "postgres: operation \"%s\": statement %ui cannot be "
                      "added with %ui parameters", op->op.name, statement,
                      nparams);
        return NGX_ERROR;
    }

    if (pg->conf->statements[statement].writes && pg->conf->writers) {
        work->kind = CORR_PG_WRITES;
    }

    call = &work->calls[work->ncalls];
    call->statement = statement;
    call->nparams = nparams;
    call->values = ngx_pcalloc(pool, (nparams + 1) * sizeof(char *));
    call->lengths = ngx_pcalloc(pool, (nparams + 1) * 2 * sizeof(int));

    if (call->values == NULL || call->lengths == NULL) {
        return NGX_ERROR;
    }

    call->formats = call->lengths + nparams;

    for (i = 0; i < nparams; i++) {
        if (corr_pg_param(work, call, i, &params[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    work->ncalls++;
    work->broken = 0;

    return NGX_OK;
}


static ngx_int_t
corr_pg_param(corr_pg_work_t *work, corr_pg_call_t *call, ngx_uint_t i,
    const corr_pg_param_t *param)
{
    u_char      *p;
    ngx_pool_t  *pool;

    pool = work->op.op.pool;

    switch (param->kind) {

    case CORR_PG_NULL:
        return NGX_OK;

    case CORR_PG_BOOL:
        call->values[i] = param->n ? "t" : "f";
        return NGX_OK;

    case CORR_PG_INT:
        p = ngx_pnalloc(pool, NGX_INT64_LEN + 1);
        if (p == NULL) {
            return NGX_ERROR;
        }

        *ngx_sprintf(p, "%L", param->n) = '\0';
        call->values[i] = (char *) p;
        return NGX_OK;

    case CORR_PG_TEXT:

        /* libpq would cut it there, and something else would be stored */

        if (param->text.len
            && memchr(param->text.data, '\0', param->text.len) != NULL)
        {
            return NGX_ERROR;
        }

        break;

    case CORR_PG_BYTES:
        call->formats[i] = 1;
        break;
    }

    if (param->text.len > NGX_MAX_INT32_VALUE) {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(pool, param->text.len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    p[param->text.len] = '\0';

    if (param->text.len) {
        ngx_memcpy(p, param->text.data, param->text.len);
    }

    call->values[i] = (char *) p;
    call->lengths[i] = (int) param->text.len;

    return NGX_OK;
}


void
corr_pg_send(corr_pg_op_t *op, ngx_msec_t timeout)
{
    corr_pg_t       *pg;
    corr_pg_conn_t  *c;
    corr_pg_work_t  *work = (corr_pg_work_t *) op;

    pg = work->pg;
    pg->operations++;

    corr_op_start(&op->op, timeout ? timeout : pg->conf->timeout);

    if (work->broken || work->ncalls == 0) {
        corr_pg_work_end(work, CORR_OP_UNAVAILABLE);
        return;
    }

    /* nobody overtakes those who wait */

    c = ngx_queue_empty(&pg->queue[work->kind])
        ? corr_pg_choose(pg, work->kind) : NULL;

    if (c != NULL) {
        corr_pg_dispatch(work, c);
        return;
    }

    if (pg->failing[work->kind] || pg->stopping
        || pg->queued[work->kind] >= pg->conf->queue)
    {
        corr_pg_work_end(work, CORR_OP_UNAVAILABLE);
        return;
    }

    corr_pg_wait(work, 0);

    op->op.in_client = 1;

    /* a worker that quits connects for those who ask only */

    corr_pg_grow(pg);
}


/*
 * A writer waits for the disk once for each commit, or for another's lock, and
 * what stood behind it would wait as well: it has one operation at a time.
 * Where none for reads is left, one for writes will do that has nothing to do.
 */

static corr_pg_conn_t *
corr_pg_choose(corr_pg_t *pg, corr_pg_kind_e kind)
{
    corr_pg_conn_t  *c;

    c = corr_pg_least(pg, kind,
                      kind == CORR_PG_WRITES ? 1 : pg->conf->depth);

    if (c == NULL && kind == CORR_PG_READS) {
        c = corr_pg_least(pg, CORR_PG_WRITES, 1);
    }

    return c;
}


/*
 * The least loaded one.  What stands behind a late operation would share
 * its fate, so it waits instead, and may still be told it was never sent.
 */

static corr_pg_conn_t *
corr_pg_least(corr_pg_t *pg, corr_pg_kind_e kind, ngx_uint_t depth)
{
    ngx_uint_t       i;
    corr_pg_conn_t  *c, *best;

    best = NULL;

    for (i = 0; i < pg->conf->connections; i++) {
        c = &pg->conns[i];

        if (c->kind != kind || c->state != CORR_PG_UP || c->retire
            || c->stall.timer_set || c->in_flight >= depth)
        {
            continue;
        }

        if (best == NULL || c->in_flight < best->in_flight) {
            best = c;
        }
    }

    return best;
}


static void
corr_pg_dispatch(corr_pg_work_t *work, corr_pg_conn_t *c)
{
    if (corr_pg_conn_send(c, work) != NGX_OK) {
        corr_pg_work_end(work, CORR_OP_UNAVAILABLE);
    }
}


/*
 * Each kind is first in turns: where they share what there is, as when a server
 * lets few connections in, neither waits for ever.
 */

void
corr_pg_is_free(corr_pg_t *pg)
{
    ngx_uint_t  i;

    for (i = 0; i < CORR_PG_KINDS; i++) {
        corr_pg_serve(pg, (pg->turn + i) % CORR_PG_KINDS);
    }

    pg->turn++;
}


static void
corr_pg_serve(corr_pg_t *pg, corr_pg_kind_e kind)
{
    ngx_queue_t     *q;
    corr_pg_conn_t  *c;
    corr_pg_work_t  *work;

    while (!ngx_queue_empty(&pg->queue[kind])) {

        c = corr_pg_choose(pg, kind);
        if (c == NULL) {
            return;
        }

        q = ngx_queue_head(&pg->queue[kind]);
        work = ngx_queue_data(q, corr_pg_work_t, queue);

        corr_pg_wait_over(work);
        corr_pg_dispatch(work, c);
    }
}


/*
 * A server that became read-only says so to writes alone: others would go on
 * reading what it has, which grows old.
 */

void
corr_pg_is_demoted(corr_pg_conn_t *c)
{
    corr_pg_t       *pg;
    ngx_uint_t       i;
    corr_pg_conn_t  *other;

    pg = c->pg;

    for (i = 0; i < pg->conf->connections; i++) {
        other = &pg->conns[i];

        if (other->state != CORR_PG_UP || other->host != c->host) {
            continue;
        }

        other->retire = 1;

        if (other != c && other->in_flight == 0) {
            corr_pg_conn_close(other, NULL);
        }
    }
}


/*
 * A commit that waits, for the only synchronous standby perhaps, goes on
 * waiting in the server when its connection is closed; each one that took
 * its place would leave one more of max_connections there.  So a reader is
 * asked, again and again, whether it still waits; while it does the
 * connection is kept, and takes nothing new.
 */

void
corr_pg_is_late(corr_pg_conn_t *c)
{
    if (c->kind != CORR_PG_WRITES || c->question != NULL || ngx_exiting
        || corr_pg_ask(c) != NGX_OK)
    {
        corr_pg_conn_close(c, "no answer");
    }
}


/* Another server knows nothing of it, and may have one of that number. */

static ngx_int_t
corr_pg_ask(corr_pg_conn_t *c)
{
    corr_pg_conn_t   *reader;
    corr_pg_param_t   pid;

    reader = corr_pg_choose(c->pg, CORR_PG_READS);

    if (reader != NULL && reader->host != c->host) {
        return NGX_ERROR;
    }

    pid = corr_pg_int(corr_pg_conn_pid(c));

    c->question = corr_pg_begin(c->pg, &c->owner, "late write");

    if (c->question == NULL
        || corr_pg_add(c->question, c->pg->conf->at_it, 1, &pid) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* it stands behind what readers are at */

    ngx_add_timer(&c->stall, c->pg->conf->timeout + CORR_PG_GRACE);

    corr_pg_send(c->question, 0);

    return NGX_OK;
}


static void
corr_pg_told(corr_owner_t *owner)
{
    ngx_uint_t         waits;
    corr_rows_t       *rows;
    corr_pg_conn_t    *c;
    corr_op_status_e   status;

    c = ngx_queue_data(owner, corr_pg_conn_t, owner);

    status = c->question->op.status;
    rows = corr_pg_rows(c->question, 0);
    waits = (rows != NULL && rows->nrows == 1);

    corr_op_free(&c->question->op);
    c->question = NULL;

    /* nobody was asked, or died over it: that says nothing of the writer */

    if ((status == CORR_OP_UNAVAILABLE || status == CORR_OP_LOST)
        && c->asked < CORR_PG_QUESTIONS)
    {
        c->asked++;
        waits = 1;

    } else if (waits) {
        corr_pg_kept(c);
    }

    if (!waits) {
        corr_pg_conn_close(c, "no answer");
        return;
    }

    ngx_add_timer(&c->stall, CORR_PG_GRACE);
}


/* Once for each that is late: a standby that is away is somebody's to mend. */

static void
corr_pg_kept(corr_pg_conn_t *c)
{
    if (c->kept) {
        return;
    }

    c->kept = 1;
    c->asked = 0;

    ngx_log_error(NGX_LOG_WARN, c->pg->log, 0,
                  "postgres: a commit waits since %M ms, for a standby or "
                  "the disk; its connection is kept",
                  c->pg->conf->timeout + CORR_PG_GRACE);
}


/* Not without end: perhaps it is what was asked for, after all. */

void
corr_pg_work_again(corr_pg_work_t *work)
{
    work->conn = NULL;
    work->refused = 0;
    work->move = 0;
    work->moves++;

    corr_pg_wait(work, 1);
}


static void
corr_pg_expire(corr_op_t *op)
{
    corr_pg_conn_t  *c;
    corr_pg_work_t  *work = (corr_pg_work_t *) op;

    c = work->conn;

    if (c == NULL) {
        corr_pg_wait_over(work);
        corr_pg_work_end(work, CORR_OP_UNAVAILABLE);
        return;
    }

    /* its results will still come, and have to be taken */

    work->pg->failures++;
    work->pg->timeouts++;

    corr_op_complete(op, CORR_OP_TIMEOUT);
    corr_pg_conn_late(c);
}


void
corr_pg_work_end(corr_pg_work_t *work, corr_op_status_e status)
{
    corr_op_t  *op;

    op = &work->op.op;

    if (op->status == CORR_OP_PENDING
        && status != CORR_OP_OK && status != CORR_OP_FAILED)
    {
        work->pg->failures++;
    }

    work->conn = NULL;

    corr_op_end(op, status);
}


static void
corr_pg_release(corr_op_t *op)
{
    corr_pg_work_clear((corr_pg_work_t *) op);
}


void
corr_pg_status(corr_pg_t *pg, corr_pg_status_t *status)
{
    ngx_uint_t  i;

    status->connections = pg->up;
    status->wanted = pg->conf->connections;
    status->absent = 0;
    status->writers = 0;
    status->writes_refused = pg->failing[CORR_PG_WRITES];
    status->in_flight = 0;
    status->queued = pg->queued[CORR_PG_READS] + pg->queued[CORR_PG_WRITES];
    status->operations = pg->operations;
    status->failures = pg->failures;
    status->timeouts = pg->timeouts;

    for (i = 0; i < pg->conf->connections; i++) {
        status->in_flight += pg->conns[i].in_flight;

        if (pg->conns[i].state == CORR_PG_UP) {
            status->absent = ngx_max(status->absent, pg->conns[i].nabsent);
        }
        status->writers += (pg->conns[i].kind == CORR_PG_WRITES
                            && pg->conns[i].state == CORR_PG_UP);
    }
}
