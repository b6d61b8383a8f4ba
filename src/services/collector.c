/*
 * One portion of the store at a time: the files whose hash begins with one
 * byte, those of them that are old, those of these that no row names.
 *
 *     KNOW    who are we?                                (database)
 *     SCAN    whose is the store, and which files of
 *             this portion are old?                      (disk)
 *     ASK     which of them does no row name?            (database)
 *     BEGIN   nobody may refer to this one from now on   (database)
 *     REMOVE  put it into the trash                      (disk)
 *     END     it may come again                          (database)
 *
 * Of a large portion a run sees some, and the next one goes on behind them.
 * What a run could not do waits until all of the store has had its turn.  The
 * last portion is the trash: what has lain there long is unlinked, unless a
 * row names it by now, as after a restore; then it goes back to its place.
 *
 * A database that is not the store's, or an older one, names none of what
 * came later.  So a store is marked with the id of its database, and nothing
 * is touched in one that has another's mark, or has lost its own.  The mark
 * is set once, when the store is empty, or most of what is seen of it has a
 * row.  And of a portion of which too much has none, nothing is touched.
 */

#include "collector.h"
#include "job.h"
#include "store_work.h"

#include "statements.h"


#define CORR_COLLECT_PORTIONS    (CORR_STORE_PREFIXES + 1)
#define CORR_COLLECT_TIMEOUT     60000
#define CORR_COLLECT_HOUR        3600
#define CORR_COLLECT_DRAFTS      30      /* days a draft lives */
#define CORR_COLLECT_FEW         64      /* of a portion: no alarm */
#define CORR_COLLECT_SHARE       10      /* one in so many: none, either */
#define CORR_COLLECT_SEEN        64      /* before a store is marked */


typedef enum {
    CORR_COLLECT_KNOW = 0,
    CORR_COLLECT_SCAN,
    CORR_COLLECT_ASK,
    CORR_COLLECT_BEGIN,
    CORR_COLLECT_REMOVE,
    CORR_COLLECT_END,
    CORR_COLLECT_BACK,          /* out of the trash */
    CORR_COLLECT_LEFT,          /* what a node that died had begun */
    CORR_COLLECT_MARK,
    CORR_COLLECT_MARKED,
    CORR_COLLECT_HOUSE
} corr_collect_state_e;


typedef enum {
    CORR_COLLECT_WELL = 0,
    CORR_COLLECT_OTHERS,
    CORR_COLLECT_LOST,
    CORR_COLLECT_EMPTY,
    CORR_COLLECT_STRANGE,
    CORR_COLLECT_BRAKE
} corr_collect_alarm_e;


struct corr_collector_s {
    corr_settings_t         *settings;
    corr_pg_t               *pg;
    corr_threads_t          *disk;
    ngx_log_t               *log;
    corr_job_t               job;
    ngx_uint_t               portion;
    unsigned char            after[CORR_STORE_HASH];   /* when `more` */
    time_t                   housekept;  /* begun */
    time_t                   housekept_well;
    corr_collect_state_e     state;
    corr_task_t             *task;
    corr_pg_op_t            *pg_op;
    ngx_pool_t              *pool;       /* of this run */
    corr_str_t              *hashes;     /* to be removed */
    ngx_uint_t               n;
    ngx_uint_t               i;
    ngx_uint_t               asked;      /* about so many */
    ngx_uint_t               trashed;    /* in this run */
    ngx_uint_t               removed;
    ngx_uint_t               back;
    corr_collector_counts_t  counts;     /* not fetched yet */
    char                     id[CORR_STORE_ID + 1];    /* the database's */
    ngx_uint_t               seen;       /* of a store without a mark */
    ngx_uint_t               strange;
    ngx_uint_t               turns;
    corr_collect_alarm_e     alarm;      /* the last one */
    ngx_uint_t               quiet;      /* for so many portions more */
    unsigned                 rows:1;     /* there are some, of files */
    unsigned                 marked:1;   /* some store was, once */
    unsigned                 unmarked:1; /* this one is not */
    unsigned                 idle:1;     /* this run touches nothing */
    unsigned                 left:1;     /* those were asked for */
    unsigned                 more:1;     /* files of the portion */
};


static ngx_msec_t corr_collector_interval(corr_settings_t *settings);
static void corr_collector_run(corr_job_t *job);
static void corr_collector_resume(corr_job_t *job);
static void corr_collector_step(corr_collector_t *c);
static void corr_collector_known(corr_collector_t *c);
static void corr_collector_scanned(corr_collector_t *c);
static void corr_collector_unmarked(corr_collector_t *c,
    const corr_store_list_t *list);
static void corr_collector_judge(corr_collector_t *c);
static void corr_collector_mark(corr_collector_t *c);
static void corr_collector_mark_set(corr_collector_t *c);
static void corr_collector_trash(corr_collector_t *c,
    const corr_store_list_t *list);
static void corr_collector_ask(corr_collector_t *c,
    const corr_store_list_t *list);
static void corr_collector_asked(corr_collector_t *c);
static ngx_uint_t corr_collector_brake(corr_collector_t *c);
static void corr_collector_begin(corr_collector_t *c);
static void corr_collector_begun(corr_collector_t *c);
static void corr_collector_fate(corr_collector_t *c,
    corr_collect_state_e state, corr_store_fate_pt fate, time_t age);
static void corr_collector_removed(corr_collector_t *c);
static void corr_collector_count(corr_collector_t *c);
static void corr_collector_taken_back(corr_collector_t *c);
static void corr_collector_house(corr_collector_t *c);
static void corr_collector_query(corr_collector_t *c,
    corr_collect_state_e state, ngx_uint_t statement,
    const corr_pg_param_t *param);
static void corr_collector_pass(corr_collector_t *c);
static void corr_collector_fail(corr_collector_t *c);
static void corr_collector_finish(corr_collector_t *c);
static void corr_collector_sum(corr_collector_t *c);
static ngx_uint_t corr_collector_alarm(corr_collector_t *c,
    corr_collect_alarm_e alarm);
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


time_t
corr_collector_housekept(corr_collector_t *c)
{
    return c->housekept_well;
}


static void
corr_collector_run(corr_job_t *job)
{
    corr_collector_t  *c = job->data;

    c->n = 0;
    c->i = 0;
    c->trashed = 0;
    c->removed = 0;
    c->back = 0;
    c->idle = 0;
    c->task = NULL;
    c->pg_op = NULL;

    c->pool = ngx_create_pool(4096, c->log);
    if (c->pool == NULL) {
        corr_job_done(job, 0);
        return;
    }

    if (c->settings->collect == CORR_COLLECT_OFF) {
        corr_collector_pass(c);
        return;
    }

    corr_collector_query(c, CORR_COLLECT_KNOW, CORR_SQL_STORE_KNOWN, NULL);
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

    case CORR_COLLECT_KNOW:
        corr_collector_known(c);
        break;

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

    case CORR_COLLECT_BACK:
        corr_collector_taken_back(c);
        break;

    case CORR_COLLECT_MARK:
        corr_collector_mark_set(c);
        break;

    case CORR_COLLECT_MARKED:
        corr_collector_pass(c);
        break;

    case CORR_COLLECT_HOUSE:
        if (c->pg_op->op.status == CORR_OP_OK) {
            c->housekept_well = ngx_time();
        }

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
corr_collector_known(corr_collector_t *c)
{
    time_t         age;
    corr_str_t     id;
    corr_rows_t   *rows;

    rows = c->pg_op->op.status == CORR_OP_OK ? corr_pg_rows(c->pg_op, 0)
                                             : NULL;
    id = corr_rows_text(rows, 0, "id");

    if (id.len != CORR_STORE_ID) {
        corr_collector_fail(c);
        return;
    }

    ngx_memcpy(c->id, id.data, CORR_STORE_ID);
    c->rows = corr_rows_get(rows, 0, "files").n ? 1 : 0;
    c->marked = corr_rows_get(rows, 0, "marked").n ? 1 : 0;

    age = c->portion == CORR_STORE_TRASH ? c->settings->collect_keep
                                         : c->settings->collect_grace;

    c->state = CORR_COLLECT_SCAN;
    c->task = corr_store_scan_task(c->settings->store, c->disk, &c->job.owner,
                                   c->id, c->portion,
                                   c->more ? c->after : NULL, age,
                                   CORR_COLLECT_TIMEOUT);
    if (c->task == NULL) {
        corr_collector_fail(c);
    }
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

    c->unmarked = (list->whose != CORR_STORE_OURS);

    if (c->unmarked && (c->marked || list->whose != CORR_STORE_UNMARKED)) {
        corr_collector_unmarked(c, list);
        return;
    }

    if (!c->unmarked && c->alarm != CORR_COLLECT_BRAKE) {
        c->alarm = CORR_COLLECT_WELL;
    }

    if (!c->unmarked && !c->marked) {
        corr_collector_query(c, CORR_COLLECT_MARKED, CORR_SQL_STORE_MARKED,
                             NULL);
        return;
    }

    c->more = list->more;

    if (c->more) {
        ngx_memcpy(c->after, list->hashes[list->n - 1], CORR_STORE_HASH);
    }

    if (c->unmarked && (list->n == 0 || c->portion == CORR_STORE_TRASH)) {
        c->asked = 0;
        corr_collector_judge(c);

    } else if (list->n == 0) {
        corr_collector_house(c);

    } else if (c->portion == CORR_STORE_TRASH) {
        corr_collector_trash(c, list);

    } else {
        corr_collector_ask(c, list);
    }
}


/* Another's, or none's where there should be ours. */

static void
corr_collector_unmarked(corr_collector_t *c, const corr_store_list_t *list)
{
    ngx_str_t  *path = &c->settings->store_path;

    if (list->whose == CORR_STORE_OTHERS) {

        if (corr_collector_alarm(c, CORR_COLLECT_OTHERS)) {
            ngx_log_error(NGX_LOG_CRIT, c->log, 0,
                          "the store \"%V\" belongs to the database %s, and "
                          "this one is %s: nothing of it is collected; if it "
                          "has to be this one's, write that into its "
                          CORR_STORE_MARK, path, list->id, c->id);
        }

    } else if (c->marked) {

        if (corr_collector_alarm(c, CORR_COLLECT_LOST)) {
            ngx_log_error(NGX_LOG_CRIT, c->log, 0,
                          "the store \"%V\" has no " CORR_STORE_MARK ", and "
                          "had one: is it mounted? Nothing of it is "
                          "collected; if it is the right one, write %s into "
                          "that file", path, c->id);
        }

    } else if (c->rows) {

        if (corr_collector_alarm(c, CORR_COLLECT_EMPTY)) {
            ngx_log_error(NGX_LOG_CRIT, c->log, 0,
                          "the store \"%V\" is empty, the database is not: "
                          "is it mounted? If it has to be empty, write %s "
                          "into a file " CORR_STORE_MARK " there", path,
                          c->id);
        }

    } else {
        corr_collector_mark(c);
        return;
    }

    corr_collector_pass(c);
}


/* No store was marked yet, and this one holds files: are they ours? */

static void
corr_collector_judge(corr_collector_t *c)
{
    c->seen += c->asked;
    c->strange += c->n;
    c->n = 0;

    if (c->seen < CORR_COLLECT_SEEN && ++c->turns < CORR_COLLECT_PORTIONS) {
        corr_collector_pass(c);
        return;
    }

    if (c->seen && 2 * c->strange <= c->seen) {
        corr_collector_mark(c);
        return;
    }

    if (c->seen && corr_collector_alarm(c, CORR_COLLECT_STRANGE)) {
        ngx_log_error(NGX_LOG_CRIT, c->log, 0,
                      "%ui of %ui files looked at in the store \"%V\" are "
                      "in no row: is this the database of this store? "
                      "Nothing of it is collected; if it is, write %s into a "
                      "file " CORR_STORE_MARK " there", c->strange, c->seen,
                      &c->settings->store_path, c->id);
    }

    c->seen = 0;
    c->strange = 0;
    c->turns = 0;

    corr_collector_pass(c);
}


static void
corr_collector_mark(corr_collector_t *c)
{
    c->state = CORR_COLLECT_MARK;
    c->task = corr_store_mark_task(c->settings->store, c->disk,
                                   &c->job.owner, c->id,
                                   CORR_COLLECT_TIMEOUT);
    if (c->task == NULL) {
        corr_collector_fail(c);
    }
}


/* The file first: it is what the row says was there. */

static void
corr_collector_mark_set(corr_collector_t *c)
{
    const corr_store_list_t  *list;

    list = corr_store_list(c->task);

    if (list != NULL && list->error == CORR_STORE_OK) {
        ngx_log_error(NGX_LOG_NOTICE, c->log, 0,
                      "the store \"%V\" belongs to the database %s from now "
                      "on", &c->settings->store_path, c->id);

        corr_collector_query(c, CORR_COLLECT_MARKED, CORR_SQL_STORE_MARKED,
                             NULL);
        return;
    }

    if (list == NULL || list->error != CORR_STORE_REFUSED) {
        ngx_log_error(NGX_LOG_ERR, c->log, list ? list->err : 0,
                      "the store of files could not be marked");
    }

    corr_collector_fail(c);
}


/* Each of what lay there long enough is asked about when its turn comes. */

static void
corr_collector_trash(corr_collector_t *c, const corr_store_list_t *list)
{
    size_t   i;
    u_char  *p;

    c->hashes = ngx_palloc(c->pool, list->n * sizeof(corr_str_t));
    p = ngx_pnalloc(c->pool, list->n * CORR_STORE_HASH);

    if (c->hashes == NULL || p == NULL) {
        corr_collector_fail(c);
        return;
    }

    ngx_memcpy(p, list->hashes, list->n * CORR_STORE_HASH);

    for (i = 0; i < list->n; i++) {
        c->hashes[i] = corr_make_str(p + i * CORR_STORE_HASH,
                                     CORR_STORE_HASH);
    }

    c->n = list->n;

    corr_collector_begin(c);
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
    c->asked = list->n;

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

    if (c->unmarked) {
        corr_collector_judge(c);
        return;
    }

    if (!c->left && corr_collector_brake(c)) {
        c->counts.held += c->n;
        c->n = 0;
    }

    corr_collector_begin(c);
}


/* So many at once are rather rows that went than files that nobody wanted. */

static ngx_uint_t
corr_collector_brake(corr_collector_t *c)
{
    if (c->n <= CORR_COLLECT_FEW || c->n <= c->asked / CORR_COLLECT_SHARE
        || c->settings->collect == CORR_COLLECT_FORCE)
    {
        return 0;
    }

    if (corr_collector_alarm(c, CORR_COLLECT_BRAKE)) {
        ngx_log_error(NGX_LOG_CRIT, c->log, 0,
                      "%ui files of %ui looked at in the store \"%V\" are in "
                      "no row: is this the database of this store, and the "
                      "newest? They are left where they are; if they have to "
                      "go, \"correspondence_collect force\"", c->n, c->asked,
                      &c->settings->store_path);
    }

    return 1;
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
    corr_rows_t      *rows;
    corr_value_t      ok;
    corr_settings_t  *s = c->settings;

    if (c->pg_op->op.status != CORR_OP_OK) {
        corr_collector_fail(c);
        return;
    }

    rows = corr_pg_rows(c->pg_op, 0);
    ok = corr_rows_get(rows, 0, "ok");

    if (c->portion == CORR_STORE_TRASH && !c->left) {

        if (ok.kind == CORR_BOOL && ok.n) {
            corr_collector_fate(c, CORR_COLLECT_REMOVE, corr_store_empty,
                                s->collect_keep);
        } else {
            corr_collector_fate(c, CORR_COLLECT_BACK, corr_store_take_back,
                                s->collect_keep);
        }

        return;
    }

    if (ok.kind != CORR_BOOL || !ok.n) {

        /* somebody refers to it again */

        c->i++;
        corr_collector_begin(c);
        return;
    }

    corr_collector_fate(c, CORR_COLLECT_REMOVE,
                        s->collect_keep ? corr_store_discard
                                        : corr_store_remove,
                        s->collect_grace);
}


static void
corr_collector_fate(corr_collector_t *c, corr_collect_state_e state,
    corr_store_fate_pt fate, time_t age)
{
    c->state = state;
    c->task = corr_store_fate_task(c->settings->store, c->disk,
                                   &c->job.owner, fate, c->hashes[c->i], age,
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

    corr_collector_count(c);

    param = corr_pg_text(c->hashes[c->i]);

    corr_collector_query(c, CORR_COLLECT_END, CORR_SQL_FILE_REMOVAL_END,
                         &param);
}


static void
corr_collector_count(corr_collector_t *c)
{
    ngx_uint_t  n;

    n = corr_store_list(c->task)->n;

    if (c->settings->collect_keep == 0
        || (c->portion == CORR_STORE_TRASH && !c->left))
    {
        c->removed += n;
        c->counts.removed += n;

    } else {
        c->trashed += n;
        c->counts.trashed += n;
    }
}


/* A row was gone and is there again. */

static void
corr_collector_taken_back(corr_collector_t *c)
{
    const corr_store_list_t  *list;

    list = corr_store_list(c->task);

    if (list == NULL || list->error != CORR_STORE_OK) {
        ngx_log_error(NGX_LOG_ERR, c->log, list ? list->err : 0,
                      "a file in the trash that a row names could not be "
                      "taken back");
    } else {
        c->back += list->n;
    }

    c->i++;
    corr_collector_begin(c);
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

    if (!c->left && !c->idle && !c->unmarked) {
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


/* Nothing of this portion, but the database's own. */

static void
corr_collector_pass(corr_collector_t *c)
{
    c->idle = 1;
    c->more = 0;
    corr_collector_house(c);
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
        c->quiet -= c->quiet ? 1 : 0;
    }

    corr_collector_sum(c);

    c->hashes = NULL;
    c->left = 0;

    ngx_destroy_pool(c->pool);
    c->pool = NULL;

    corr_job_done(&c->job, c->more);
}


static void
corr_collector_sum(corr_collector_t *c)
{
    if (c->trashed) {
        ngx_log_error(NGX_LOG_NOTICE, c->log, 0,
                      "%ui files that no row names were put into the trash",
                      c->trashed);
    }

    if (c->removed) {
        ngx_log_error(NGX_LOG_NOTICE, c->log, 0,
                      "%ui files that no row names were removed for good",
                      c->removed);
    }

    if (c->back) {
        ngx_log_error(NGX_LOG_NOTICE, c->log, 0,
                      "%ui files that rows name lay in the trash, and are at "
                      "their places", c->back);
    }
}


/* Once while all of the store has its turn: shall it be told? */

static ngx_uint_t
corr_collector_alarm(corr_collector_t *c, corr_collect_alarm_e alarm)
{
    if (c->alarm == alarm && c->quiet) {
        return 0;
    }

    c->alarm = alarm;
    c->quiet = CORR_COLLECT_PORTIONS;

    return 1;
}


void
corr_collector_counts(corr_collector_t *c, corr_collector_counts_t *counts)
{
    *counts = c->counts;
    ngx_memzero(&c->counts, sizeof(corr_collector_counts_t));
}


static void *
corr_collector_palloc(void *pool, size_t size)
{
    return ngx_palloc(pool, size);
}
