/*
 * The audit: who did what, when, from where; filters, keyset pages, the head
 * of the chain, and export.  Reading it is itself written down.
 */

#include "clerk_admin.h"

#include "../lib/escape.h"
#include "../lib/value_text.h"
#include "../lib/jalali.h"


#define CORR_AUDIT_ROWS       50
#define CORR_AUDIT_EXPORT     10000    /* lines; ?page= goes on behind them */


typedef enum {
    CORR_AUDIT_PAGE = 0,
    CORR_AUDIT_JSONL,
    CORR_AUDIT_CSV
} corr_audit_form_e;


typedef struct {
    corr_audit_form_e        form;
    ngx_int_t                from_rc;
    ngx_int_t                to_rc;
    int64_t                  from;
    int64_t                  to;
} corr_audit_t;


static ngx_int_t corr_audit_begin(corr_page_t *p);
static ngx_int_t corr_audit_find(corr_page_t *p);
static corr_pg_param_t corr_audit_filter(corr_page_t *p, const char *name);
static corr_str_t corr_audit_details(corr_page_t *p);
static ngx_int_t corr_audit_show(corr_page_t *p);
static void corr_audit_filters(corr_page_t *p);
static void corr_audit_actions(corr_page_t *p);
static corr_str_t corr_audit_url(corr_page_t *p, const char *name,
    corr_str_t value);
static void corr_audit_pager(corr_page_t *p, corr_rows_t *lines);
static ngx_int_t corr_audit_export(corr_page_t *p, corr_rows_t *lines);
static void corr_audit_json(corr_lines_t *out, corr_rows_t *lines,
    unsigned row);
static corr_str_t corr_audit_moment(corr_value_t value, u_char *text);


static const char *const  corr_audit_actors[] = {
    "person", "staff", "system", "owner", "nobody", NULL
};

static const char *const  corr_audit_names[] = {
    "actor", "who", "action", "object", "object_id", "from", "to", NULL
};

static const corr_rule_t  corr_audit_rules[] = {
    { "from", CORR_RULE_LINE, CORR_OPTIONAL, 0, 20, 0, 0, NULL },
    { "to", CORR_RULE_LINE, CORR_OPTIONAL, 0, 20, 0, 0, NULL },
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};

static const corr_csv_column_t  corr_csv_audit[] = {
    { "seq", CORR_MSG_CSV_SEQ },
    { "at", CORR_MSG_CSV_AT },
    { "actor", CORR_MSG_CSV_ACTOR },
    { "actor_name", CORR_MSG_CSV_ACTOR_NAME },
    { "for_name", CORR_MSG_CSV_FOR_NAME },
    { "action", CORR_MSG_CSV_ACTION },
    { "object", CORR_MSG_CSV_OBJECT },
    { "object_id", CORR_MSG_CSV_OBJECT_ID },
    { "address", CORR_MSG_CSV_ADDRESS },
    { "details", CORR_MSG_CSV_DETAILS },
    { "hash", CORR_MSG_CSV_HASH },
    { NULL, 0 }
};


const corr_step_pt  corr_audit_steps[] = {
    corr_audit_begin, corr_audit_find, corr_audit_show, NULL
};


static ngx_int_t
corr_audit_begin(corr_page_t *p)
{
    corr_str_t     export;
    corr_audit_t  *ctx;

    ctx = corr_page_data(p, sizeof(corr_audit_t));
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ctx->from_rc = corr_admin_date(p, "from", CORR_MSG_FROM_WRONG,
                                   &ctx->from);
    ctx->to_rc = corr_admin_date(p, "to", CORR_MSG_TO_WRONG, &ctx->to);

    if (ctx->from_rc == NGX_OK && ctx->to_rc == NGX_OK
        && ctx->from > ctx->to)
    {
        corr_form_error(p, "from", CORR_MSG_FROM_AFTER_TO, NULL);
    }

    if (p->failed_form) {
        p->status = 422;
    }

    export = corr_query(p, "export");

    if (export.len == 0) {
        return NGX_OK;
    }

    if (p->failed_form) {
        return corr_reply_error(p, 422, CORR_MSG_FROM_WRONG, 0, NULL);
    }

    ctx->form = corr_str_is(export, "csv") ? CORR_AUDIT_CSV
                : corr_str_is(export, "jsonl") ? CORR_AUDIT_JSONL
                : CORR_AUDIT_PAGE;

    return ctx->form ? NGX_OK : NGX_HTTP_NOT_FOUND;
}


static ngx_int_t
corr_audit_find(corr_page_t *p)
{
    int64_t          page, count;
    corr_audit_t    *ctx = p->data;
    corr_pg_param_t  none;

    none = corr_pg_null();
    page = corr_admin_id(corr_query(p, "page"));
    count = ctx->form ? CORR_AUDIT_EXPORT : CORR_AUDIT_ROWS;

    corr_db_begin(p, CORR_WRITE);

    corr_db_add(p, CORR_SQL_STAFF_READ, corr_pg_text(CORR_STR("audit")),
                corr_pg_text(corr_audit_details(p)));
    corr_db_add(p, CORR_SQL_AUDIT_HEAD);
    corr_db_add(p, CORR_SQL_AUDIT_LIST, corr_admin_id_param(page),
                corr_audit_filter(p, "actor"), corr_audit_filter(p, "who"),
                corr_audit_filter(p, "action"),
                corr_audit_filter(p, "object"),
                corr_audit_filter(p, "object_id"),
                ctx->from_rc == NGX_OK
                ? corr_pg_text(corr_page_date(p, ctx->from)) : none,
                ctx->to_rc == NGX_OK
                ? corr_pg_text(corr_page_date(p, ctx->to)) : none,
                corr_pg_int(count + 1));

    return corr_db_send(p, NULL);
}


static corr_pg_param_t
corr_audit_filter(corr_page_t *p, const char *name)
{
    corr_str_t  value;

    value = corr_query(p, name);

    if (corr_str_is(corr_cstr(name), "object_id")) {
        value = corr_digits_ascii(&p->alloc, value);
    }

    return value.len ? corr_pg_text(value) : corr_pg_null();
}


/* What was looked for, for the line that says so. */

static corr_str_t
corr_audit_details(corr_page_t *p)
{
    corr_str_t     value;
    const char *const  *name;
    corr_lines_t   lines;

    corr_lines_init(&lines, p->pool);
    corr_lines_add(&lines, CORR_STR("{"));

    for (name = corr_audit_names; *name; name++) {
        value = corr_query(p, *name);

        if (value.len && value.len < 256) {
            corr_lines_member(&lines, *name, value);
        }
    }

    value = corr_query(p, "export");

    if (value.len) {
        corr_lines_member(&lines, "export", value);
    }

    corr_lines_add(&lines, CORR_STR("}"));

    return corr_lines_text(&lines);
}


static ngx_int_t
corr_audit_show(corr_page_t *p)
{
    corr_rows_t   *lines;
    corr_view_t   *chain;
    corr_audit_t  *ctx = p->data;

    lines = corr_db_rows(p, 2);

    if (ctx->form != CORR_AUDIT_PAGE) {
        return corr_audit_export(p, lines);
    }

    chain = corr_view_object(p->view, "chain");
    corr_view_int(chain, "sealed", 0);
    corr_view_row(chain, corr_db_rows(p, 1), 0);

    corr_audit_filters(p);
    corr_audit_pager(p, lines);

    /* the one row too many only told that there are more */

    lines->nrows = ngx_min(lines->nrows, CORR_AUDIT_ROWS);
    corr_view_rows(p->view, "lines", lines);
    corr_form_view(p, corr_audit_rules);

    return corr_reply_page(p, CORR_TPL_CLERK_AUDIT);
}


static void
corr_audit_filters(corr_page_t *p)
{
    ngx_uint_t     any;
    corr_view_t   *row;
    const char *const  *name;

    any = 0;

    for (name = corr_audit_names; *name; name++) {
        corr_view_text(p->view, *name, corr_query(p, *name));
        any |= corr_query(p, *name).len != 0;
    }

    for (name = corr_audit_actors; *name; name++) {
        row = corr_view_append(p->view, "actors");
        corr_view_cstr(row, "actor", *name);
        corr_view_flag(row, "is_selected",
                       corr_str_is(corr_query(p, "actor"), *name));
    }

    corr_audit_actions(p);

    corr_view_flag(p->view, "has_filters", any);
    corr_view_text(p->view, "export_url",
                   corr_audit_url(p, "export", CORR_STR("jsonl")));
    corr_view_text(p->view, "csv_url",
                   corr_audit_url(p, "export", CORR_STR("csv")));
}


/* One that has no words, of an address that was kept, stands as it is. */

static void
corr_audit_actions(corr_page_t *p)
{
    ngx_uint_t    i, is, found;
    corr_str_t    action, wanted;
    corr_view_t  *row;

    wanted = corr_query(p, "action");
    i = 0;
    found = 0;

    while (corr_texts_labelled("action", &i, &action)) {
        is = corr_str_eq(action, wanted);
        found |= is;

        row = corr_view_append(p->view, "actions");
        corr_view_text(row, "action", action);
        corr_view_flag(row, "is_selected", is);
    }

    if (wanted.len && !found) {
        corr_view_text(p->view, "action_other", wanted);
    }
}


/* This page's filters and one value more; an empty one leaves it out. */

static corr_str_t
corr_audit_url(corr_page_t *p, const char *name, corr_str_t value)
{
    corr_lines_t   lines;
    const char *const  *filter;

    corr_lines_init(&lines, p->pool);
    corr_lines_add(&lines, CORR_STR("/audit"));

    for (filter = corr_audit_names; *filter; filter++) {
        if (corr_query(p, *filter).len) {
            corr_lines_add(&lines, memchr(lines.start, '?',
                                          lines.last - lines.start)
                                   ? CORR_STR("&") : CORR_STR("?"));
            corr_lines_add(&lines, corr_cstr(*filter));
            corr_lines_add(&lines, CORR_STR("="));
            corr_lines_escaped(&lines, CORR_ESCAPE_URL,
                               corr_query(p, *filter));
        }

        if (lines.failed) {
            break;
        }
    }

    if (value.len && !lines.failed) {
        corr_lines_add(&lines, memchr(lines.start, '?',
                                      lines.last - lines.start)
                               ? CORR_STR("&") : CORR_STR("?"));
        corr_lines_add(&lines, corr_cstr(name));
        corr_lines_add(&lines, CORR_STR("="));
        corr_lines_add(&lines, value);
    }

    return corr_lines_text(&lines);
}


/* Behind the last line shown; back goes to the newest. */

static void
corr_audit_pager(corr_page_t *p, corr_rows_t *lines)
{
    corr_str_t    none = corr_null_str;
    corr_view_t  *pager;

    if (lines->nrows <= CORR_AUDIT_ROWS && corr_query(p, "page").len == 0) {
        return;
    }

    pager = corr_view_object(p->view, "pager");

    if (corr_query(p, "page").len) {
        corr_view_text(pager, "previous_url",
                       corr_audit_url(p, "page", none));
    }

    if (lines->nrows > CORR_AUDIT_ROWS) {
        corr_view_text(pager, "next_url",
                       corr_audit_url(p, "page",
                                      corr_admin_text(p, lines,
                                                      CORR_AUDIT_ROWS - 1,
                                                      "line_id")));
    }
}


/*
 * One answer is bounded; where there is more, a Link header says where it
 * goes on (RFC 8288), for scripts.
 */

static ngx_int_t
corr_audit_export(corr_page_t *p, corr_rows_t *lines)
{
    unsigned       i;
    corr_str_t     text;
    corr_audit_t  *ctx = p->data;
    corr_lines_t   out, link;

    if (lines->nrows > CORR_AUDIT_EXPORT) {
        lines->nrows = CORR_AUDIT_EXPORT;

        corr_lines_init(&link, p->pool);
        corr_lines_add(&link, CORR_STR("<"));
        corr_lines_add(&link, corr_from_ngx(p->loc->base));
        corr_lines_add(&link,
                       corr_audit_url(p, "page",
                                      corr_admin_text(p, lines,
                                                      CORR_AUDIT_EXPORT - 1,
                                                      "line_id")));
        corr_lines_add(&link, CORR_STR("&export="));
        corr_lines_add(&link, corr_query(p, "export"));
        corr_lines_add(&link, CORR_STR(">; rel=\"next\""));

        text = corr_lines_text(&link);

        if (text.data == NULL || corr_reply_header(p, "Link", text) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    corr_lines_init(&out, p->pool);

    if (ctx->form == CORR_AUDIT_CSV) {
        corr_csv_table(p, &out, corr_csv_audit, lines);

    } else {
        for (i = 0; i < lines->nrows; i++) {
            corr_audit_json(&out, lines, i);
        }
    }

    text = corr_lines_text(&out);

    if (out.failed) {
        return NGX_ERROR;
    }

    return ctx->form == CORR_AUDIT_CSV
           ? corr_reply_download(p, "text/csv; charset=utf-8",
                                 CORR_STR("audit.csv"), text)
           : corr_reply_download(p, "application/jsonl; charset=utf-8",
                                 CORR_STR("audit.jsonl"), text);
}


/* One object a line; details are JSON already. */

static void
corr_audit_json(corr_lines_t *out, corr_rows_t *lines, unsigned row)
{
    size_t         len;
    u_char         text[CORR_VALUE_TEXT];
    const char *const  *name;
    corr_value_t   value;

    static const char *const  texts[] = {
        "actor", "actor_name", "for_name", "action", "object", "object_id",
        "address", "hash", NULL
    };

    corr_lines_add(out, CORR_STR("{\"id\":"));
    len = corr_int_text(text, corr_rows_int(lines, row, "line_id"));
    corr_lines_add(out, corr_make_str(text, len));

    value = corr_rows_get(lines, row, "seq");

    if (value.kind == CORR_INT) {
        corr_lines_add(out, CORR_STR(",\"seq\":"));
        len = corr_int_text(text, value.n);
        corr_lines_add(out, corr_make_str(text, len));
    }

    corr_lines_member(out, "at",
                      corr_audit_moment(corr_rows_get(lines, row, "at"),
                                        text));

    for (name = texts; *name; name++) {
        value = corr_rows_get(lines, row, *name);

        if (value.kind == CORR_TEXT) {
            corr_lines_member(out, *name, value.s);
        }
    }

    corr_lines_add(out, CORR_STR(",\"details\":"));
    value = corr_rows_get(lines, row, "details");
    corr_lines_add(out, value.kind == CORR_TEXT ? value.s : CORR_STR("{}"));
    corr_lines_add(out, CORR_STR("}\n"));
}


static corr_str_t
corr_audit_moment(corr_value_t value, u_char *text)
{
    size_t  len;

    len = (value.kind == CORR_TIME)
          ? corr_iso_time(text, value.n, CORR_TEHRAN_OFFSET) : 0;

    return corr_make_str(text, len);
}
