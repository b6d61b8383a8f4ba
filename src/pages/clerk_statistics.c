/*
 * Statistics of a range of Jalali days: totals, days, ages of what is open,
 * units.  The plots are SVG whose numbers are computed here; the same
 * tables come as CSV with ?csv=.
 */

#include "clerk_admin.h"

#include "../lib/escape.h"
#include "../lib/jalali.h"


#define CORR_STATISTICS_DAYS     30      /* shown when nothing was asked */
#define CORR_STATISTICS_MAX      3660    /* days: ten years */

#define CORR_PLOT_WIDTH          1000    /* of the SVG's view box */
#define CORR_PLOT_HEIGHT         200
#define CORR_PLOT_BARS           180     /* that can be told apart */


enum {
    CORR_STATISTICS_TOTALS = 0,
    CORR_STATISTICS_BY_DAY,
    CORR_STATISTICS_BY_AGE,
    CORR_STATISTICS_BY_UNIT
};


typedef struct {
    int64_t                  from;       /* days, both included */
    int64_t                  to;
    ngx_int_t                csv;        /* CORR_STATISTICS_…; < 0: page */
} corr_statistics_t;


static ngx_int_t corr_statistics_begin(corr_page_t *p);
static void corr_statistics_range(corr_page_t *p, corr_statistics_t *ctx);
static ngx_int_t corr_statistics_find(corr_page_t *p);
static ngx_int_t corr_statistics_show(corr_page_t *p);
static void corr_statistics_totals(corr_page_t *p, corr_rows_t *rows);
static void corr_statistics_plot(corr_page_t *p, corr_rows_t *days);
static int64_t corr_statistics_sum(corr_rows_t *days, ngx_uint_t first,
    ngx_uint_t n, const char *column);
static void corr_statistics_bar(corr_page_t *p, ngx_uint_t i, ngx_uint_t n,
    int64_t received, int64_t answered, int64_t max);
static void corr_statistics_ages(corr_page_t *p, corr_rows_t *ages);
static ngx_int_t corr_statistics_csv(corr_page_t *p);
static corr_str_t corr_statistics_details(corr_page_t *p,
    corr_statistics_t *ctx);
static corr_str_t corr_statistics_name(corr_page_t *p,
    corr_statistics_t *ctx);


static const corr_csv_column_t  corr_csv_days[] = {
    { "day", CORR_MSG_CSV_DAY },
    { "received", CORR_MSG_CSV_RECEIVED },
    { "answered", CORR_MSG_CSV_ANSWERED },
    { NULL, 0 }
};

static const corr_csv_column_t  corr_csv_ages[] = {
    { "age", CORR_MSG_CSV_AGE },
    { "count", CORR_MSG_CSV_COUNT },
    { NULL, 0 }
};

static const corr_csv_column_t  corr_csv_units[] = {
    { "unit_name", CORR_MSG_CSV_UNIT },
    { "referred", CORR_MSG_CSV_REFERRED },
    { "open", CORR_MSG_CSV_OPEN },
    { "overdue", CORR_MSG_CSV_OVERDUE },
    { "answered", CORR_MSG_CSV_ANSWERED },
    { "returned", CORR_MSG_CSV_RETURNED },
    { "late", CORR_MSG_CSV_LATE },
    { "seen_days", CORR_MSG_CSV_SEEN_DAYS },
    { "first_answer_days", CORR_MSG_CSV_ANSWER_DAYS },
    { "close_days", CORR_MSG_CSV_ANSWER_DAYS_90 },
    { NULL, 0 }
};

static const corr_csv_column_t  corr_csv_totals[] = {
    { "received", CORR_MSG_CSV_RECEIVED },
    { "answered", CORR_MSG_CSV_ANSWERED },
    { "closed", CORR_MSG_CSV_CLOSED },
    { "open", CORR_MSG_CSV_OPEN },
    { "overdue", CORR_MSG_CSV_OVERDUE },
    { "in_time", CORR_MSG_CSV_IN_TIME },
    { "late", CORR_MSG_CSV_LATE },
    { "first_answer_days", CORR_MSG_CSV_ANSWER_DAYS },
    { "first_answer_days_90", CORR_MSG_CSV_ANSWER_DAYS_90 },
    { "close_days", CORR_MSG_CSV_CLOSE_DAYS },
    { "close_days_90", CORR_MSG_CSV_CLOSE_DAYS_90 },
    { NULL, 0 }
};

/* in the order of the statements */

static const struct {
    const char               *name;
    const corr_csv_column_t  *columns;
} corr_statistics_tables[] = {
    { "totals", corr_csv_totals },
    { "days", corr_csv_days },
    { "ages", corr_csv_ages },
    { "units", corr_csv_units },
    { NULL, NULL }
};

static const corr_rule_t  corr_statistics_rules[] = {
    { "from", CORR_RULE_LINE, CORR_OPTIONAL, 0, 20, 0, 0, NULL },
    { "to", CORR_RULE_LINE, CORR_OPTIONAL, 0, 20, 0, 0, NULL },
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};


const corr_step_pt  corr_statistics_steps[] = {
    corr_statistics_begin, corr_statistics_find, corr_statistics_show, NULL
};


static ngx_int_t
corr_statistics_begin(corr_page_t *p)
{
    ngx_int_t           i;
    corr_statistics_t  *ctx;

    ctx = corr_page_data(p, sizeof(corr_statistics_t));
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    corr_statistics_range(p, ctx);

    ctx->csv = -1;

    for (i = 0; corr_statistics_tables[i].name; i++) {
        if (corr_str_is(corr_query(p, "csv"),
                        corr_statistics_tables[i].name))
        {
            ctx->csv = i;
        }
    }

    if (corr_query(p, "csv").len && ctx->csv < 0) {
        return NGX_HTTP_NOT_FOUND;
    }

    return NGX_OK;
}


/* A range that cannot be shows the last thirty days, and why. */

static void
corr_statistics_range(corr_page_t *p, corr_statistics_t *ctx)
{
    int64_t    today;
    ngx_int_t  from, to;

    today = corr_local_day((int64_t) ngx_time() * CORR_USEC,
                           CORR_TEHRAN_OFFSET);

    from = corr_admin_date(p, "from", CORR_MSG_FROM_WRONG, &ctx->from);
    to = corr_admin_date(p, "to", CORR_MSG_TO_WRONG, &ctx->to);

    if (to == NGX_DECLINED) {
        ctx->to = (from == NGX_OK && ctx->from > today)
                  ? ctx->from : today;
    }

    if (from == NGX_DECLINED) {
        ctx->from = ctx->to - CORR_STATISTICS_DAYS + 1;
    }

    if (!p->failed_form && ctx->from > ctx->to) {
        corr_form_error(p, "from", CORR_MSG_FROM_AFTER_TO, NULL);
    }

    if (!p->failed_form && ctx->to - ctx->from >= CORR_STATISTICS_MAX) {
        corr_form_error(p, "from", CORR_MSG_RANGE_TOO_LONG, NULL);
    }

    if (p->failed_form) {
        p->status = 422;
        ctx->to = today;
        ctx->from = today - CORR_STATISTICS_DAYS + 1;
    }
}


/* Who took numbers away is written down; who looked at them is not. */

static ngx_int_t
corr_statistics_find(corr_page_t *p)
{
    corr_pg_param_t     from, to;
    corr_statistics_t  *ctx = p->data;

    from = corr_pg_text(corr_page_date(p, ctx->from));
    to = corr_pg_text(corr_page_date(p, ctx->to));

    corr_db_begin(p, ctx->csv < 0 ? CORR_READ : CORR_WRITE);

    corr_db_add(p, CORR_SQL_STATISTICS_TOTALS, from, to);
    corr_db_add(p, CORR_SQL_STATISTICS_DAYS, from, to);
    corr_db_add(p, CORR_SQL_STATISTICS_AGES);
    corr_db_add(p, CORR_SQL_STATISTICS_UNITS, from, to);

    if (ctx->csv >= 0) {
        corr_db_add(p, CORR_SQL_STAFF_READ,
                    corr_pg_text(CORR_STR("statistics")),
                    corr_pg_text(corr_statistics_details(p, ctx)));
    }

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_statistics_show(corr_page_t *p)
{
    corr_rows_t        *days;
    corr_statistics_t  *ctx = p->data;

    if (ctx->csv >= 0) {
        return corr_statistics_csv(p);
    }

    days = corr_db_rows(p, CORR_STATISTICS_BY_DAY);

    corr_statistics_totals(p, corr_db_rows(p, CORR_STATISTICS_TOTALS));
    corr_view_date(p->view, "from_day", ctx->from);
    corr_view_date(p->view, "to_day", ctx->to);
    corr_view_rows(p->view, "per_day", days);
    corr_statistics_plot(p, days);
    corr_statistics_ages(p, corr_db_rows(p, CORR_STATISTICS_BY_AGE));
    corr_view_rows(p->view, "by_unit",
                   corr_db_rows(p, CORR_STATISTICS_BY_UNIT));
    corr_form_view(p, corr_statistics_rules);

    return corr_reply_page(p, CORR_TPL_CLERK_STATISTICS);
}


/* A median of 0 days is a number as well, which a section cannot tell. */

static void
corr_statistics_totals(corr_page_t *p, corr_rows_t *rows)
{
    corr_view_t  *totals;

    totals = corr_view_object(p->view, "totals");

    corr_view_row(totals, rows, 0);
    corr_view_flag(totals, "has_answers",
                   corr_rows_get(rows, 0, "first_answer_days").kind
                   == CORR_FLOAT);
    corr_view_flag(totals, "has_closed",
                   corr_rows_get(rows, 0, "close_days").kind == CORR_FLOAT);
}


/* A bar stands for as many days as keep the bars apart. */

static void
corr_statistics_plot(corr_page_t *p, corr_rows_t *days)
{
    int64_t     max;
    ngx_uint_t  i, n, width;

    if (days->nrows == 0) {
        return;
    }

    width = (days->nrows + CORR_PLOT_BARS - 1) / CORR_PLOT_BARS;
    n = (days->nrows + width - 1) / width;
    max = 1;

    for (i = 0; i < n; i++) {
        max = ngx_max(max, corr_statistics_sum(days, i * width, width,
                                               "received"));
        max = ngx_max(max, corr_statistics_sum(days, i * width, width,
                                               "answered"));
    }

    for (i = 0; i < n; i++) {
        corr_statistics_bar(p, i, n,
                            corr_statistics_sum(days, i * width, width,
                                                "received"),
                            corr_statistics_sum(days, i * width, width,
                                                "answered"),
                            max);
    }

    corr_view_int(p->view, "plot_max", max);
    corr_view_int(p->view, "plot_days", width);
    corr_view_flag(p->view, "plot_by_day", width == 1);
}


static int64_t
corr_statistics_sum(corr_rows_t *days, ngx_uint_t first, ngx_uint_t n,
    const char *column)
{
    int64_t     sum;
    ngx_uint_t  i;

    sum = 0;

    for (i = first; i < first + n && i < days->nrows; i++) {
        sum += corr_rows_int(days, i, column);
    }

    return sum;
}


/* The oldest at the right, as Persian is read. */

static void
corr_statistics_bar(corr_page_t *p, ngx_uint_t i, ngx_uint_t n,
    int64_t received, int64_t answered, int64_t max)
{
    int64_t       h;
    corr_view_t  *bar;

    bar = corr_view_append(p->view, "bars");

    corr_view_int(bar, "x", (int64_t) (n - 1 - i) * CORR_PLOT_WIDTH / n);
    corr_view_int(bar, "w", ngx_max(CORR_PLOT_WIDTH / n * 2 / 5, 1));

    h = received * CORR_PLOT_HEIGHT / max;
    corr_view_int(bar, "received_y", CORR_PLOT_HEIGHT - h);
    corr_view_int(bar, "received_h", h);

    h = answered * CORR_PLOT_HEIGHT / max;
    corr_view_int(bar, "answered_y", CORR_PLOT_HEIGHT - h);
    corr_view_int(bar, "answered_h", h);
}


static void
corr_statistics_ages(corr_page_t *p, corr_rows_t *ages)
{
    int64_t       max;
    unsigned      i;
    corr_view_t  *row;

    max = 1;

    for (i = 0; i < ages->nrows; i++) {
        max = ngx_max(max, corr_rows_int(ages, i, "count"));
    }

    for (i = 0; i < ages->nrows; i++) {
        row = corr_view_append(p->view, "ages");
        corr_view_row(row, ages, i);
        corr_view_int(row, "w", corr_rows_int(ages, i, "count")
                                * CORR_PLOT_WIDTH / max);
    }
}


static ngx_int_t
corr_statistics_csv(corr_page_t *p)
{
    corr_str_t          text;
    corr_lines_t        lines;
    corr_statistics_t  *ctx = p->data;

    if (p->failed_form) {
        return corr_reply_error(p, 422, CORR_MSG_FROM_WRONG, 0, NULL);
    }

    corr_lines_init(&lines, p->pool);
    corr_csv_table(p, &lines, corr_statistics_tables[ctx->csv].columns,
                   corr_db_rows(p, ctx->csv));

    text = corr_lines_text(&lines);
    if (text.data == NULL) {
        return NGX_ERROR;
    }

    return corr_reply_download(p, "text/csv; charset=utf-8",
                               corr_statistics_name(p, ctx), text);
}


static corr_str_t
corr_statistics_details(corr_page_t *p, corr_statistics_t *ctx)
{
    corr_lines_t  lines;

    corr_lines_init(&lines, p->pool);
    corr_lines_add(&lines, CORR_STR("{"));
    corr_lines_member(&lines, "csv",
                      corr_cstr(corr_statistics_tables[ctx->csv].name));
    corr_lines_member(&lines, "from", corr_page_date(p, ctx->from));
    corr_lines_member(&lines, "to", corr_page_date(p, ctx->to));
    corr_lines_add(&lines, CORR_STR("}"));

    return corr_lines_text(&lines);
}


/* days-2026-10-24-2026-11-22.csv */

static corr_str_t
corr_statistics_name(corr_page_t *p, corr_statistics_t *ctx)
{
    corr_lines_t  lines;

    corr_lines_init(&lines, p->pool);
    corr_lines_add(&lines,
                   corr_cstr(corr_statistics_tables[ctx->csv].name));
    corr_lines_add(&lines, CORR_STR("-"));
    corr_lines_add(&lines, corr_page_date(p, ctx->from));
    corr_lines_add(&lines, CORR_STR("-"));
    corr_lines_add(&lines, corr_page_date(p, ctx->to));
    corr_lines_add(&lines, CORR_STR(".csv"));

    return corr_lines_text(&lines);
}
