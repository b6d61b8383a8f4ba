/*
 * The inbox (کارتابل): tabs with their counts, filters, search, pages.
 *
 * What was searched is posted and kept in Redis under an opaque id, so that
 * no national code stands in an address or a log.
 */

#include "shared.h"

#include "../lib/escape.h"
#include "../lib/jalali.h"
#include "../services/secrets.h"


#define CORR_INBOX_ROWS       25
#define CORR_INBOX_BOUND      999       /* counts are exact up to here */
#define CORR_SEARCH_LIFE      "3600"    /* seconds, EX of Redis */


typedef struct {
    corr_redis_op_t         *redis;
    corr_str_t               search;       /* id */
    corr_str_t               q;            /* what was searched */
    corr_str_t               tab;
    int64_t                  from;
    int64_t                  to;
    unsigned                 has_from;
    unsigned                 has_to;
} corr_inbox_t;


static ngx_int_t corr_inbox_begin(corr_page_t *p);
static ngx_int_t corr_inbox_search_found(corr_page_t *p);
static void corr_inbox_date(corr_page_t *p, const char *name, int64_t *days,
    unsigned *has);
static ngx_int_t corr_inbox_find(corr_page_t *p);
static void corr_inbox_list(corr_page_t *p, corr_inbox_t *ctx,
    corr_pg_param_t cursor);
static ngx_int_t corr_inbox_show(corr_page_t *p);
static void corr_inbox_tabs(corr_page_t *p, corr_inbox_t *ctx,
    corr_rows_t *rows);
static void corr_inbox_filters(corr_page_t *p, corr_rows_t *units);
static void corr_inbox_pager(corr_page_t *p, corr_inbox_t *ctx,
    corr_rows_t *letters);
static u_char *corr_inbox_arg(corr_page_t *p, u_char *last, u_char *end,
    const char *name);
static ngx_int_t corr_inbox_search(corr_page_t *p);
static ngx_int_t corr_inbox_search_guarded(corr_page_t *p);
static ngx_int_t corr_inbox_search_kept(corr_page_t *p);
static corr_str_t corr_inbox_search_key(corr_page_t *p, corr_str_t id);


static const corr_rule_t  corr_search_rules[] = {
    { "q", CORR_RULE_LINE, CORR_REQUIRED, 0, 120,
      CORR_MSG_SEARCH_EMPTY, CORR_MSG_FIELD_TOO_LONG, NULL },
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};


static const char  corr_tabs[] = "new mine unit referred late undelivered";

static const char  *corr_statuses[] = {
    "registered", "secretariat", "review", "correction", "answered", NULL
};


const corr_step_pt  corr_inbox_steps[] = {
    corr_inbox_begin,
    corr_inbox_find,
    corr_inbox_show,
    NULL
};


const corr_step_pt  corr_inbox_search_steps[] = {
    corr_inbox_search,
    NULL
};


static ngx_int_t
corr_inbox_begin(corr_page_t *p)
{
    corr_str_t     argv[2];
    corr_inbox_t  *ctx;

    ctx = corr_page_data(p, sizeof(corr_inbox_t));
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ctx->tab = corr_query(p, "tab");

    if (!corr_form_choice_is(corr_tabs, ctx->tab)) {
        ctx->tab = CORR_STR("new");
    }

    corr_inbox_date(p, "from", &ctx->from, &ctx->has_from);
    corr_inbox_date(p, "to", &ctx->to, &ctx->has_to);

    ctx->search = corr_query(p, "s");

    if (ctx->search.len == 0 || ctx->search.len > 64) {
        ctx->search.len = 0;
        return NGX_OK;
    }

    argv[0] = CORR_STR("GET");
    argv[1] = corr_inbox_search_key(p, ctx->search);

    ctx->redis = corr_redis_command(p->worker->redis, &p->owner, 2, argv);
    if (ctx->redis == NULL) {
        return NGX_ERROR;
    }

    return corr_flow_then(p, corr_inbox_search_found);
}


static ngx_int_t
corr_inbox_search_found(corr_page_t *p)
{
    corr_inbox_t  *ctx = p->data;

    if (ctx->redis->op.status == CORR_OP_OK
        && ctx->redis->reply.kind == CORR_REDIS_STRING)
    {
        ctx->q = ctx->redis->reply.text;
        return NGX_OK;
    }

    ctx->search.len = 0;
    corr_form_error(p, "q", CORR_MSG_SEARCH_GONE, NULL);

    return NGX_OK;
}


static void
corr_inbox_date(corr_page_t *p, const char *name, int64_t *days,
    unsigned *has)
{
    corr_str_t  typed;

    typed = corr_query(p, name);

    if (typed.len == 0) {
        return;
    }

    corr_view_text(p->view, name, typed);

    if (corr_jalali_parse(typed, days) == CORR_OK) {
        *has = 1;
        return;
    }

    corr_form_error(p, name, *name == 'f' ? CORR_MSG_FROM_WRONG
                                          : CORR_MSG_TO_WRONG, NULL);
}


static ngx_int_t
corr_inbox_find(corr_page_t *p)
{
    corr_str_t        cursor;
    corr_inbox_t     *ctx = p->data;
    corr_pg_param_t   after;

    cursor = corr_query(p, "page");
    after = cursor.len ? corr_pg_text(cursor) : corr_pg_null();

    corr_db_begin(p, CORR_READ);

    corr_db_add(p, CORR_SQL_CLERK_TABS, corr_pg_int(p->session.id),
                corr_pg_int(CORR_INBOX_BOUND));
    corr_db_add(p, CORR_SQL_CLERK_UNITS);

    if (ctx->search.len) {
        corr_db_add(p, CORR_SQL_CLERK_SEARCH, corr_pg_int(p->session.id),
                    corr_pg_text(ctx->q), after,
                    corr_pg_int(CORR_INBOX_ROWS + 1));

    } else {
        corr_inbox_list(p, ctx, after);
    }

    return corr_db_send(p, NULL);
}


static void
corr_inbox_list(corr_page_t *p, corr_inbox_t *ctx, corr_pg_param_t cursor)
{
    int64_t           unit;
    corr_str_t        status;
    corr_pg_param_t   none;

    none = corr_pg_null();
    status = corr_query(p, "status");
    unit = corr_query_int(p, "unit", 0);

    corr_db_add(p, CORR_SQL_CLERK_INBOX, corr_pg_int(p->session.id),
                corr_pg_text(ctx->tab),
                status.len ? corr_pg_text(status) : none,
                unit ? corr_pg_int(unit) : none,
                ctx->has_from ? corr_pg_text(corr_page_date(p, ctx->from))
                              : none,
                ctx->has_to ? corr_pg_text(corr_page_date(p, ctx->to))
                            : none,
                cursor, corr_pg_int(CORR_INBOX_ROWS + 1));
}


static ngx_int_t
corr_inbox_show(corr_page_t *p)
{
    corr_rows_t   *letters;
    corr_inbox_t  *ctx = p->data;

    letters = corr_db_rows(p, 2);

    corr_inbox_tabs(p, ctx, corr_db_rows(p, 0));
    corr_inbox_filters(p, corr_db_rows(p, 1));
    corr_inbox_pager(p, ctx, letters);

    corr_view_text(p->view, "tab", ctx->tab);
    corr_view_flag(p->view, "searched", ctx->search.len != 0);

    if (ctx->search.len) {
        corr_view_text(p->view, "q", ctx->q);
        corr_view_text(p->view, "search_id", ctx->search);
    }

    corr_view_flag(p->view, "more", letters->nrows > CORR_INBOX_ROWS);

    /* the one row too many only told that there are more */

    letters->nrows = ngx_min(letters->nrows, CORR_INBOX_ROWS);

    corr_view_int(p->view, "shown", letters->nrows);
    corr_view_rows(p->view, "letters", letters);

    corr_form_view(p, corr_search_rules);

    return corr_reply_page(p, CORR_TPL_CLERK_INBOX);
}


static void
corr_inbox_tabs(corr_page_t *p, corr_inbox_t *ctx, corr_rows_t *rows)
{
    unsigned      i;
    corr_str_t    tab;
    corr_view_t  *row;

    for (i = 0; i < rows->nrows; i++) {
        tab = corr_rows_text(rows, i, "tab");

        row = corr_view_append(p->view, "tabs");
        corr_view_row(row, rows, i);
        corr_view_flag(row, "is_current",
                       ctx->search.len == 0 && corr_str_eq(tab, ctx->tab));
    }
}


static void
corr_inbox_filters(corr_page_t *p, corr_rows_t *units)
{
    int64_t        unit;
    unsigned       i;
    corr_str_t     status;
    corr_view_t   *row;
    const char   **name;

    status = corr_query(p, "status");
    unit = corr_query_int(p, "unit", 0);

    for (name = corr_statuses; *name; name++) {
        row = corr_view_append(p->view, "statuses");
        corr_view_cstr(row, "status", *name);
        corr_view_flag(row, "is_selected", corr_str_is(status, *name));
    }

    for (i = 0; i < units->nrows; i++) {
        row = corr_view_append(p->view, "units");
        corr_view_row(row, units, i);
        corr_view_flag(row, "is_selected",
                       corr_rows_int(units, i, "unit_id") == unit);
    }

    corr_view_flag(p->view, "has_filters",
                   status.len || unit || corr_query(p, "from").len
                   || corr_query(p, "to").len);
}


/* The next page begins behind the last row shown. */

static void
corr_inbox_pager(corr_page_t *p, corr_inbox_t *ctx, corr_rows_t *letters)
{
    u_char       *url, *last, *end;
    corr_str_t    cursor;
    corr_view_t  *pager;

    if (letters->nrows <= CORR_INBOX_ROWS && corr_query(p, "page").len == 0)
    {
        return;
    }

    pager = corr_view_object(p->view, "pager");

    url = ngx_pnalloc(p->pool, 1024);
    if (url == NULL) {
        return;
    }

    end = url + 1024;

    if (ctx->search.len) {
        last = ngx_snprintf(url, 1024, "/?s=%*s", ctx->search.len,
                            ctx->search.data);

    } else {
        last = ngx_snprintf(url, 1024, "/?tab=%*s", ctx->tab.len,
                            ctx->tab.data);
        last = corr_inbox_arg(p, last, end, "status");
        last = corr_inbox_arg(p, last, end, "unit");
        last = corr_inbox_arg(p, last, end, "from");
        last = corr_inbox_arg(p, last, end, "to");
    }

    if (corr_query(p, "page").len) {
        corr_view_text(pager, "previous_url",
                       corr_str_dup(&p->alloc,
                                    corr_make_str(url, last - url)));
    }

    if (letters->nrows > CORR_INBOX_ROWS) {
        cursor = corr_rows_text(letters, CORR_INBOX_ROWS - 1, "cursor");
        last = ngx_snprintf(last, end - last, "&page=%*s", cursor.len,
                            cursor.data);
        corr_view_text(pager, "next_url", corr_make_str(url, last - url));
    }
}


static u_char *
corr_inbox_arg(corr_page_t *p, u_char *last, u_char *end, const char *name)
{
    corr_str_t  value;

    value = corr_escape(&p->alloc, CORR_ESCAPE_URL, corr_query(p, name));

    if (value.len == 0) {
        return last;
    }

    return ngx_snprintf(last, end - last, "&%s=%*s", name, value.len,
                        value.data);
}


static ngx_int_t
corr_inbox_search(corr_page_t *p)
{
    if (corr_form_check(p, corr_search_rules) != NGX_OK) {
        return NGX_ERROR;
    }

    if (p->failed_form) {
        return corr_flow_again(p, 422);
    }

    corr_db_begin(p, CORR_READ);

    return corr_db_send(p, corr_inbox_search_guarded);
}


static ngx_int_t
corr_inbox_search_guarded(corr_page_t *p)
{
    u_char        *id;
    corr_str_t     argv[5];
    corr_inbox_t  *ctx;

    ctx = corr_page_data(p, sizeof(corr_inbox_t));
    id = ngx_pnalloc(p->pool, CORR_SECRETS_TOKEN);

    if (ctx == NULL || id == NULL) {
        return NGX_ERROR;
    }

    corr_secrets_token(id);
    ctx->search = corr_make_str(id, 22);

    argv[0] = CORR_STR("SET");
    argv[1] = corr_inbox_search_key(p, ctx->search);
    argv[2] = corr_form_value(p, "q");
    argv[3] = CORR_STR("EX");
    argv[4] = CORR_STR(CORR_SEARCH_LIFE);

    ctx->redis = corr_redis_command(p->worker->redis, &p->owner, 5, argv);
    if (ctx->redis == NULL) {
        return NGX_ERROR;
    }

    return corr_flow_then(p, corr_inbox_search_kept);
}


static ngx_int_t
corr_inbox_search_kept(corr_page_t *p)
{
    corr_inbox_t  *ctx = p->data;

    if (ctx->redis->op.status != CORR_OP_OK) {
        return corr_reply_error(p, NGX_HTTP_SERVICE_UNAVAILABLE,
                                CORR_MSG_UNAVAILABLE, 5, "no Redis");
    }

    return corr_reply_redirect(p, "/?s=%*s", ctx->search.len,
                               ctx->search.data);
}


/* Only who searched finds it again. */

static corr_str_t
corr_inbox_search_key(corr_page_t *p, corr_str_t id)
{
    u_char      *key, *last;
    corr_str_t   none = corr_null_str;

    key = ngx_pnalloc(p->pool, id.len + NGX_INT64_LEN + 4);
    if (key == NULL) {
        return none;
    }

    last = ngx_sprintf(key, "q:%L:%*s", p->session.id, id.len, id.data);

    return corr_make_str(key, last - key);
}
