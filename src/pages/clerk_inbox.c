/*
 * The inbox: tabs with their counts, filters, search, pages.
 *
 * What was searched is posted and kept in Redis under an opaque id, so that
 * no national code stands in an address or a log.
 */

#include "clerk_actions.h"

#include "../http/throttle.h"
#include "../lib/escape.h"
#include "../lib/jalali.h"
#include "../lib/text.h"
#include "../services/secrets.h"


#define CORR_INBOX_ROWS       25
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
static ngx_int_t corr_inbox_show(corr_page_t *p);
static void corr_inbox_filters(corr_page_t *p, corr_rows_t *units);
static corr_str_t corr_inbox_url(corr_page_t *p, corr_inbox_t *ctx);
static corr_str_t corr_inbox_args(corr_page_t *p,
    const corr_fields_t *fields);
static ngx_int_t corr_inbox_search_limit(corr_page_t *p);
static ngx_int_t corr_inbox_search(corr_page_t *p);
static ngx_int_t corr_inbox_search_noted(corr_page_t *p);
static ngx_int_t corr_inbox_search_kept(corr_page_t *p);
static corr_str_t corr_inbox_search_key(corr_page_t *p, corr_str_t id);


static const corr_rule_t  corr_search_rules[] = {
    { "q", CORR_RULE_LINE, CORR_REQUIRED, 0, 120,
      CORR_MSG_SEARCH_EMPTY, CORR_MSG_FIELD_TOO_LONG, NULL },
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};


static const char  corr_tabs[] = "new mine unit referred late undelivered";

static const char *const  corr_filters[] = {
    "status", "unit", "from", "to", NULL
};

static const char *const  corr_statuses[] = {
    "registered", "secretariat", "review", "correction", "answered", NULL
};


const corr_step_pt  corr_inbox_steps[] = {
    corr_inbox_begin,
    corr_inbox_find,
    corr_inbox_show,
    NULL
};


const corr_step_pt  corr_inbox_search_steps[] = {
    corr_inbox_search_limit,
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

    /* which one a role begins with is known with the first rows */

    if (!corr_form_choice_is(corr_tabs, ctx->tab)) {
        ctx->tab = CORR_STR("");
    }

    corr_inbox_date(p, "from", &ctx->from, &ctx->has_from);
    corr_inbox_date(p, "to", &ctx->to, &ctx->has_to);

    if (ctx->has_from && ctx->has_to && ctx->from > ctx->to) {
        corr_form_error(p, "from", CORR_MSG_FROM_AFTER_TO, NULL);
    }

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
    int64_t           unit;
    corr_str_t        text;
    corr_inbox_t     *ctx = p->data;
    corr_pg_param_t   me, rows, after, status, in_unit, from, to;

    me = corr_pg_int(p->session.id);
    rows = corr_pg_int(CORR_INBOX_ROWS + 1);

    text = corr_query(p, "page");
    after = text.len ? corr_pg_text(text) : corr_pg_null();

    text = corr_query(p, "status");
    status = text.len ? corr_pg_text(text) : corr_pg_null();

    unit = corr_query_int(p, "unit", 0);
    in_unit = unit ? corr_pg_int(unit) : corr_pg_null();

    from = ctx->has_from ? corr_pg_text(corr_page_date(p, ctx->from))
                         : corr_pg_null();
    to = ctx->has_to ? corr_pg_text(corr_page_date(p, ctx->to))
                     : corr_pg_null();

    corr_db_begin(p, CORR_READ);

    corr_db_add(p, CORR_SQL_CLERK_TABS, me,
                corr_pg_int(p->settings->inbox_count_max));
    corr_db_add(p, CORR_SQL_CLERK_UNITS);

    if (ctx->search.len) {
        corr_db_add(p, CORR_SQL_CLERK_SEARCH, me, corr_pg_text(ctx->q),
                    after, rows, status, in_unit, from, to);

    } else {
        corr_db_add(p, CORR_SQL_CLERK_INBOX, me, corr_pg_text(ctx->tab),
                    status, in_unit, from, to, after, rows);
    }

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_inbox_show(corr_page_t *p)
{
    corr_rows_t   *letters;
    corr_inbox_t  *ctx = p->data;

    letters = corr_db_rows(p, 2);

    if (ctx->tab.len == 0) {
        ctx->tab = (p->session.roles & CORR_EXPERT) ? CORR_STR("unit")
                                                    : CORR_STR("new");
    }

    corr_clerk_tabs(p, "tabs", corr_db_rows(p, 0), "tab",
                    ctx->search.len ? CORR_STR("") : ctx->tab);
    corr_inbox_filters(p, corr_db_rows(p, 1));

    corr_view_text(p->view, "tab", ctx->tab);
    corr_view_flag(p->view, "searched", ctx->search.len != 0);

    if (ctx->search.len) {
        corr_view_text(p->view, "q", ctx->q);
        corr_view_text(p->view, "search_id", ctx->search);
    }

    corr_view_flag(p->view, "more", letters->nrows > CORR_INBOX_ROWS);
    corr_clerk_pager(p, letters, CORR_INBOX_ROWS, corr_inbox_url(p, ctx),
                     "cursor");
    corr_view_int(p->view, "shown", letters->nrows);
    corr_view_rows(p->view, "letters", letters);

    corr_form_view(p, corr_search_rules);

    return corr_reply_page(p, CORR_TPL_CLERK_INBOX);
}


static void
corr_inbox_filters(corr_page_t *p, corr_rows_t *units)
{
    int64_t             unit;
    unsigned            i;
    corr_str_t          status;
    corr_view_t        *row;
    const char *const  *name;

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


static corr_str_t
corr_inbox_url(corr_page_t *p, corr_inbox_t *ctx)
{
    corr_str_t  args;

    args = corr_inbox_args(p, &p->args);

    if (ctx->search.len) {
        return corr_clerk_text(p, "/?s=%*s%*s", ctx->search.len,
                               ctx->search.data, args.len, args.data);
    }

    return corr_clerk_text(p, "/?tab=%*s%*s", ctx->tab.len, ctx->tab.data,
                           args.len, args.data);
}


/* "&status=…&unit=…&from=…&to=…", those that are set. */

static corr_str_t
corr_inbox_args(corr_page_t *p, const corr_fields_t *fields)
{
    corr_str_t          args, value;
    const char *const  *name;

    args = CORR_STR("");

    for (name = corr_filters; *name; name++) {
        value = corr_escape(&p->alloc, CORR_ESCAPE_URL,
                            corr_fields_get(fields, *name));

        if (value.len) {
            args = corr_clerk_text(p, "%*s&%s=%*s", args.len, args.data,
                                   *name, value.len, value.data);
        }
    }

    return args;
}


/* Each search is a line of the audit, which keeps it for ever. */

static ngx_int_t
corr_inbox_search_limit(corr_page_t *p)
{
    return corr_throttle(p, "search", p->settings->search_rate,
                         corr_inbox_search);
}


/* The audit knows that somebody searched; what for may be a national code. */

static ngx_int_t
corr_inbox_search(corr_page_t *p)
{
    corr_str_t  details;

    if (corr_form_check(p, corr_search_rules) != NGX_OK) {
        return NGX_ERROR;
    }

    if (p->failed_form) {
        return corr_flow_again(p, 422);
    }

    details = corr_clerk_text(p, "{\"length\":%uz}",
                              corr_utf8_length(corr_form_value(p, "q")));

    corr_db_begin(p, CORR_WRITE|CORR_KEEPS);
    corr_db_add(p, CORR_SQL_STAFF_READ, corr_pg_text(CORR_STR("search")),
                corr_pg_text(details));

    return corr_db_send(p, corr_inbox_search_noted);
}


static ngx_int_t
corr_inbox_search_noted(corr_page_t *p)
{
    u_char        *id;
    corr_str_t     argv[5];
    corr_inbox_t  *ctx;

    ctx = corr_page_data(p, sizeof(corr_inbox_t));
    id = ngx_pnalloc(p->pool, CORR_SECRETS_TOKEN);

    if (ctx == NULL || id == NULL) {
        return NGX_ERROR;
    }

    corr_secrets_token(NULL, id);
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
    corr_str_t     filters;
    corr_inbox_t  *ctx = p->data;

    if (ctx->redis->op.status != CORR_OP_OK) {
        return corr_reply_error(p, NGX_HTTP_SERVICE_UNAVAILABLE,
                                CORR_MSG_UNAVAILABLE, 5, "no Redis");
    }

    filters = corr_inbox_args(p, &p->fields);

    return corr_reply_redirect(p, "/?s=%*s%*s", ctx->search.len,
                               ctx->search.data, filters.len, filters.data);
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
