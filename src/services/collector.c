/*
 * One portion of the store at a time: the files whose hash begins with one
 * byte, those of them that are old, those of these that no row names.
 *
 *     SCAN    which files of this portion are old?       (disk)
 *     ASK     which of them does no row name?            (database)
 *     BEGIN   nobody may refer to this one from now on   (database)
 *     REMOVE  unlink it                                  (disk)
 *     END     it may come again                          (database)
 *
 * Of a large portion a run sees some, and the next one goes on behind them.
 * What a run could not do waits until all of the store has had its turn.
 */

#include "collector.h"
#include "job.h"
#include "store_work.h"

#include "statements.h"


#define CORR_COLLECT_PORTIONS    256
#define CORR_COLLECT_TIMEOUT     60000
#define CORR_COLLECT_HOUR        3600
#define CORR_COLLECT_DRAFTS      30      /* days a draft lives */


typedef enum {
    CORR_COLLECT_SCAN = 0,
    CORR_COLLECT_ASK,
    CORR_COLLECT_BEGIN,
    CORR_COLLECT_REMOVE,
    CORR_COLLECT_END,
    CORR_COLLECT_LEFT,          /* what a node that died had begun */
    CORR_COLLECT_HOUSE
} corr_collect_state_e;


struct corr_collector_s {
    corr_settings_t         *settings;
    corr_pg_t               *pg;
    corr_threads_t          *disk;
    ngx_log_t               *log;
    corr_job_t               job;
    ngx_uint_t               portion;
    unsigned char            after[CORR_STORE_HASH];   /* when `more` */
    time_t                   housekept;
    corr_collect_state_e     state;
    corr_task_t             *task;
    corr_pg_op_t            *pg_op;
    ngx_pool_t              *pool;       /* of this run */
    corr_str_t              *hashes;     /* to be removed */
    ngx_uint_t               n;
    ngx_uint_t               i;
    unsigned                 left:1;     /* those were asked for */
    unsigned                 more:1;     /* files of the portion */
};


static ngx_msec_t corr_collector_interval(corr_settings_t *settings);
static void corr_collector_run(corr_job_t *job);
static void corr_collector_resume(corr_job_t *job);
static void corr_collector_step(corr_collector_t *c);
static void corr_collector_scanned(corr_collector_t *c);
static void corr_collector_ask(corr_collector_t *c,
    const corr_store_list_t *list);
static void corr_collector_asked(corr_collector_t *c);
static void corr_collector_begin(corr_collector_t *c);
static void corr_collector_begun(corr_collector_t *c);
static void corr_collector_removed(corr_collector_t *c);
static void corr_collector_house(corr_collector_t *c);
static void corr_collector_query(corr_collector_t *c,
    corr_collect_state_e state, ngx_uint_t statement,
    const corr_pg_param_t *param);
static void corr_collector_fail(corr_collector_t *c);
static void corr_collector_finish(corr_collector_t *c);
static void *corr_collector_palloc(void *pool, size_t size);


corr_collector_t *
corr_collector_create(ngx_cycle_t *cycle, corr_settings_t *settings,
    corr_pg_t *pg, corr_threads_t *disk)
{
    corr_collector_t  *c;

    c = ngx_pcalloc(cycle->pool, sizeof(corr_collector_t));
    if (c == NULL) {
        return NULL;
    }

    c->settings = settings;
    c->pg = pg;
    c->disk = disk;
    c->log = cycle->log;

    /* several nodes share one store: let each begin somewhere else */

    c->portion = (ngx_uint_t) ngx_random() % CORR_COLLECT_PORTIONS;

    corr_job_init(&c->job, corr_collector_interval(settings),
                  corr_collector_run, corr_collector_resume, c, cycle->log);

    return c;
}


/* The whole store once in the time of grace, ten minutes apart at most. */

static ngx_msec_t
corr_collector_interval(corr_settings_t *settings)
{
    ngx_msec_t  interval;

    interval = (ngx_msec_t) settings->collect_grace * 1000
               / CORR_COLLECT_PORTIONS;

    return ngx_max(ngx_min(interval, 600000), 10);
}


void
corr_collector_destroy(corr_collector_t *c)
{
    if (c == NULL) {
        return;
    }

    corr_job_stop(&c->job);

    if (c->pool) {
        ngx_destroy_pool(c->pool);
        c->pool = NULL;
    }
}


static void
corr_collector_run(corr_job_t *job)
{
    corr_collector_t  *c = job->data;

    c->n = 0;
    c->i = 0;
    c->task = NULL;
    c->pg_op = NULL;

    c->pool = ngx_create_pool(4096, c->log);
    if (c->pool == NULL) {
        corr_job_done(job, 0);
        return;
    }

    c->state = CORR_COLLECT_SCAN;
    c->task = corr_store_scan_task(c->settings->store, c->disk, &job->owner,
                                   c->portion, c->more ? c->after : NULL,
                                   c->settings->collect_grace,
                                   CORR_COLLECT_TIMEOUT);
    if (c->task == NULL) {
        corr_collector_fail(c);
    }
}


static void
corr_collector_resume(corr_job_t *job)
{
    corr_collector_step(job->data);
}


static void
corr_collector_step(corr_collector_t *c)
{
    switch (c->state) {

    case CORR_COLLECT_SCAN:
        corr_collector_scanned(c);
        break;

    case CORR_COLLECT_ASK:
    case CORR_COLLECT_LEFT:
        corr_collector_asked(c);
        break;

    case CORR_COLLECT_BEGIN:
        corr_collector_begun(c);
        break;

    case CORR_COLLECT_REMOVE:
        corr_collector_removed(c);
        break;

    case CORR_COLLECT_END:
        c->i++;
        corr_collector_begin(c);
        break;

    case CORR_COLLECT_HOUSE:
        corr_collector_finish(c);
        break;
    }
}


static void
corr_collector_query(corr_collector_t *c, corr_collect_state_e state,
    ngx_uint_t statement, const corr_pg_param_t *param)
{
    if (c->pg_op) {
        corr_op_free(&c->pg_op->op);
    }

    c->state = state;
    c->pg_op = corr_pg_begin(c->pg, &c->job.owner, "collector");

    if (c->pg_op == NULL) {
        corr_collector_fail(c);
        return;
    }

    (void) corr_pg_add(c->pg_op, statement, param ? 1 : 0, param);
    corr_pg_send(c->pg_op, CORR_COLLECT_TIMEOUT);
}


static void
corr_collector_scanned(corr_collector_t *c)
{
    const corr_store_list_t  *list;

    list = corr_store_list(c->task);

    if (list == NULL || list->error != CORR_STORE_OK) {

        ngx_log_error(NGX_LOG_ERR, c->log, list ? list->err : 0,
                      "the store of files could not be searched");
        corr_collector_fail(c);
        return;
    }

    c->more = list->more;

    if (c->more) {
        ngx_memcpy(c->after, list->hashes[list->n - 1], CORR_STORE_HASH);
    }

    if (list->n) {
        corr_collector_ask(c, list);

    } else {
        corr_collector_house(c);
    }
}


/* ["ab…","ab…"] */

static void
corr_collector_ask(corr_collector_t *c, const corr_store_list_t *list)
{
    u_char           *p;
    size_t            i;
    corr_str_t        json;
    corr_pg_param_t   param;

    json.data = ngx_pnalloc(c->pool, list->n * (CORR_STORE_HASH + 3) + 2);
    if (json.data == NULL) {
        corr_collector_fail(c);
        return;
    }

    p = json.data;
    *p++ = '[';

    for (i = 0; i < list->n; i++) {
        if (i) {
            *p++ = ',';
        }

        *p++ = '"';
        p = ngx_cpymem(p, list->hashes[i], CORR_STORE_HASH);
        *p++ = '"';
    }

    *p++ = ']';
    json.len = p - json.data;

    param = corr_pg_text(json);

    corr_collector_query(c, CORR_COLLECT_ASK, CORR_SQL_FILES_UNREFERENCED,
                         &param);
}


static void
corr_collector_asked(corr_collector_t *c)
{
    unsigned       row;
    corr_str_t     hash;
    corr_alloc_t   alloc;
    corr_rows_t   *rows;

    rows = c->pg_op->op.status == CORR_OP_OK ? corr_pg_rows(c->pg_op, 0)
                                             : NULL;
    if (rows == NULL) {
        corr_collector_fail(c);
        return;
    }

    alloc.alloc = corr_collector_palloc;
    alloc.pool = c->pool;

    c->i = 0;
    c->n = 0;
    c->hashes = ngx_palloc(c->pool, (rows->nrows + 1) * sizeof(corr_str_t));

    for (row = 0; c->hashes && row < rows->nrows; row++) {
        hash = corr_str_dup(&alloc, corr_rows_text(rows, row, "sha256"));

        if (hash.len == CORR_STORE_HASH) {
            c->hashes[c->n++] = hash;
        }
    }

    corr_collector_begin(c);
}


static void
corr_collector_begin(corr_collector_t *c)
{
    corr_pg_param_t  param;

    if (c->i == c->n) {
        corr_collector_house(c);
        return;
    }

    param = corr_pg_text(c->hashes[c->i]);

    corr_collector_query(c, CORR_COLLECT_BEGIN, CORR_SQL_FILE_REMOVAL_BEGIN,
                         &param);
}


static void
corr_collector_begun(corr_collector_t *c)
{
    corr_rows_t   *rows;
    corr_value_t   ok;

    if (c->pg_op->op.status != CORR_OP_OK) {
        corr_collector_fail(c);
        return;
    }

    rows = corr_pg_rows(c->pg_op, 0);
    ok = corr_rows_get(rows, 0, "ok");

    if (ok.kind != CORR_BOOL || !ok.n) {

        /* somebody refers to it again */

        c->i++;
        corr_collector_begin(c);
        return;
    }

    c->state = CORR_COLLECT_REMOVE;
    c->task = corr_store_remove_task(c->settings->store, c->disk,
                                     &c->job.owner, &c->hashes[c->i], 1,
                                     c->settings->collect_grace,
                                     CORR_COLLECT_TIMEOUT);
    if (c->task == NULL) {
        corr_collector_fail(c);
    }
}


static void
corr_collector_removed(corr_collector_t *c)
{
    corr_pg_param_t  param;

    if (c->task->op.status != CORR_OP_OK) {

        /* the mark stays, and is taken up again after a while */

        ngx_log_error(NGX_LOG_ERR, c->log, 0,
                      "a stored file that no row names could not be "
                      "removed");
        c->i++;
        corr_collector_begin(c);
        return;
    }

    param = corr_pg_text(c->hashes[c->i]);

    corr_collector_query(c, CORR_COLLECT_END, CORR_SQL_FILE_REMOVAL_END,
                         &param);
}


/* Behind the last file: what was left behind, then the database's own. */

static void
corr_collector_house(corr_collector_t *c)
{
    corr_pg_param_t  param;

    if (ngx_time() - c->housekept < CORR_COLLECT_HOUR) {
        corr_collector_finish(c);
        return;
    }

    if (!c->left) {
        c->left = 1;
        corr_collector_query(c, CORR_COLLECT_LEFT, CORR_SQL_FILE_REMOVALS,
                             NULL);
        return;
    }

    c->housekept = ngx_time();
    param = corr_pg_int(CORR_COLLECT_DRAFTS);

    corr_collector_query(c, CORR_COLLECT_HOUSE, CORR_SQL_HOUSEKEEPING,
                         &param);
}


static void
corr_collector_fail(corr_collector_t *c)
{
    c->more = 0;
    corr_collector_finish(c);
}


static void
corr_collector_finish(corr_collector_t *c)
{
    if (!c->more) {
        c->portion = (c->portion + 1) % CORR_COLLECT_PORTIONS;
    }

    c->hashes = NULL;
    c->left = 0;

    ngx_destroy_pool(c->pool);
    c->pool = NULL;

    corr_job_done(&c->job, c->more);
}


static void *
corr_collector_palloc(void *pool, size_t size)
{
    return ngx_palloc(pool, size);
}
