#include "clerk_admin.h"

#include "../lib/escape.h"
#include "../lib/jalali.h"
#include "../lib/value_text.h"


#define CORR_LINES_FIRST    4096     /* bytes; doubled when they are full */


static int corr_lines_write(void *data, const void *bytes, size_t n);
static void corr_csv_head(corr_page_t *p, corr_lines_t *lines,
    const corr_csv_column_t *column, corr_rows_t *rows);
static void corr_csv_cell(corr_lines_t *lines, corr_value_t value);
static void corr_csv_date(corr_lines_t *lines, int64_t days);


int64_t
corr_admin_id(corr_str_t text)
{
    uint64_t  n;

    if (corr_digits_number(text, INT64_MAX, &n) != CORR_OK) {
        return 0;
    }

    return (int64_t) n;
}


corr_pg_param_t
corr_admin_id_param(int64_t id)
{
    return id ? corr_pg_int(id) : corr_pg_null();
}


int64_t
corr_admin_editing(corr_page_t *p, const char *name)
{
    int64_t     id;
    corr_str_t  text;

    text = (p->route->method == CORR_POST) ? corr_form_raw(p, name)
                                           : corr_query(p, "edit");
    id = corr_admin_id(text);

    if (id) {
        corr_view_text(p->view, "editing",
                       corr_digits_ascii(&p->alloc, text));
    }

    return id;
}


void
corr_admin_active(corr_page_t *p, corr_rows_t *rows, ngx_int_t row)
{
    if (!p->again && (row < 0 || corr_rows_int(rows, row, "active"))) {
        corr_form_fill(p, "active", CORR_STR("1"));
    }
}


ngx_int_t
corr_admin_row(corr_rows_t *rows, const char *column, int64_t id)
{
    unsigned  i;

    for (i = 0; i < rows->nrows; i++) {
        if (corr_rows_int(rows, i, column) == id) {
            return i;
        }
    }

    return -1;
}


void
corr_admin_units(corr_page_t *p, corr_rows_t *units, int64_t selected)
{
    unsigned      i;
    corr_view_t  *row;

    for (i = 0; i < units->nrows; i++) {
        row = corr_view_append(p->view, "units");
        corr_view_value(row, "unit_id", corr_rows_get(units, i, "unit_id"));
        corr_view_value(row, "name", corr_rows_get(units, i, "name"));
        corr_view_flag(row, "is_selected",
                       selected
                       && corr_rows_int(units, i, "unit_id") == selected);
    }
}


ngx_int_t
corr_admin_date(corr_page_t *p, const char *name, ngx_uint_t message,
    int64_t *days)
{
    corr_str_t  typed;

    typed = corr_query(p, name);

    if (typed.len == 0) {
        return NGX_DECLINED;
    }

    corr_view_text(p->view, name, typed);

    if (corr_jalali_parse(typed, days) == CORR_OK) {
        return NGX_OK;
    }

    corr_form_error(p, name, message, NULL);

    return NGX_ABORT;
}


corr_str_t
corr_admin_text(corr_page_t *p, corr_rows_t *rows, unsigned row,
    const char *column)
{
    u_char        *text;
    corr_str_t     none = corr_null_str;
    corr_value_t   value;

    value = corr_rows_get(rows, row, column);

    if (value.kind == CORR_TEXT) {
        return value.s;
    }

    text = ngx_pnalloc(p->pool, CORR_VALUE_TEXT);

    if (text == NULL || (value.kind != CORR_INT && value.kind != CORR_BOOL)) {
        return none;
    }

    return corr_make_str(text, corr_int_text(text, value.n));
}


void
corr_lines_init(corr_lines_t *lines, ngx_pool_t *pool)
{
    ngx_memzero(lines, sizeof(corr_lines_t));

    lines->pool = pool;
}


void
corr_lines_add(corr_lines_t *lines, corr_str_t text)
{
    (void) corr_lines_write(lines, text.data, text.len);
}


void
corr_lines_escaped(corr_lines_t *lines, ngx_uint_t escape, corr_str_t text)
{
    (void) corr_escape_write(escape, text, corr_lines_write, lines);
}


corr_str_t
corr_lines_text(corr_lines_t *lines)
{
    corr_str_t  none = corr_null_str;

    return lines->failed ? none
                         : corr_make_str(lines->start,
                                         lines->last - lines->start);
}


void
corr_lines_member(corr_lines_t *lines, const char *name, corr_str_t text)
{
    if (lines->last > lines->start && lines->last[-1] != '{') {
        corr_lines_add(lines, CORR_STR(","));
    }

    corr_lines_add(lines, CORR_STR("\""));
    corr_lines_add(lines, corr_cstr(name));
    corr_lines_add(lines, CORR_STR("\":\""));
    corr_lines_escaped(lines, CORR_ESCAPE_JSON, text);
    corr_lines_add(lines, CORR_STR("\""));
}


static int
corr_lines_write(void *data, const void *bytes, size_t n)
{
    corr_lines_t  *lines = data;

    size_t   used, size;
    u_char  *start;

    if (lines->failed) {
        return CORR_ERROR;
    }

    if (n > (size_t) (lines->end - lines->last)) {

        used = lines->last - lines->start;
        size = ngx_max(2 * (used + n), CORR_LINES_FIRST);

        start = ngx_pnalloc(lines->pool, size);
        if (start == NULL) {
            lines->failed = 1;
            return CORR_ERROR;
        }

        if (used) {
            ngx_memcpy(start, lines->start, used);
            (void) ngx_pfree(lines->pool, lines->start);
        }

        lines->start = start;
        lines->last = start + used;
        lines->end = start + size;
    }

    if (n) {
        lines->last = ngx_cpymem(lines->last, bytes, n);
    }

    return CORR_OK;
}


void
corr_csv_table(corr_page_t *p, corr_lines_t *lines,
    const corr_csv_column_t *columns, corr_rows_t *rows)
{
    unsigned                   i;
    const corr_csv_column_t   *column;

    corr_lines_add(lines, CORR_STR("\xef\xbb\xbf"));

    for (column = columns; column->column; column++) {
        if (column > columns) {
            corr_lines_add(lines, CORR_STR(","));
        }

        corr_csv_head(p, lines, column, rows);
    }

    corr_lines_add(lines, CORR_STR("\r\n"));

    for (i = 0; i < rows->nrows; i++) {
        for (column = columns; column->column; column++) {
            if (column > columns) {
                corr_lines_add(lines, CORR_STR(","));
            }

            corr_csv_cell(lines, corr_rows_get(rows, i, column->column));
        }

        corr_lines_add(lines, CORR_STR("\r\n"));
    }
}


static void
corr_csv_head(corr_page_t *p, corr_lines_t *lines,
    const corr_csv_column_t *column, corr_rows_t *rows)
{
    int  i;

    corr_lines_escaped(lines, CORR_ESCAPE_CSV,
                       corr_texts_message(p->settings->texts, column->head,
                                          NULL, p->pool));

    i = corr_rows_column(rows, column->column);

    if (i >= 0 && rows->columns[i].kind == CORR_DATE) {
        corr_lines_add(lines, CORR_STR(","));
        corr_lines_escaped(lines, CORR_ESCAPE_CSV,
                           corr_texts_message(p->settings->texts,
                                              CORR_MSG_CSV_GREGORIAN, NULL,
                                              p->pool));
    }
}


static void
corr_csv_cell(corr_lines_t *lines, corr_value_t value)
{
    size_t  len;
    u_char  text[CORR_VALUE_TEXT];

    switch (value.kind) {

    case CORR_INT:
    case CORR_BOOL:
        len = corr_int_text(text, value.n);
        break;

    case CORR_FLOAT:
        len = corr_float_text(text, value.d);
        break;

    case CORR_TIME:
        len = corr_iso_time(text, value.n, CORR_TEHRAN_OFFSET);
        break;

    case CORR_DATE:
        corr_csv_date(lines, value.n);
        return;

    case CORR_TEXT:
        corr_lines_escaped(lines, CORR_ESCAPE_CSV, value.s);
        return;

    default:
        return;
    }

    corr_lines_add(lines, corr_make_str(text, len));
}


static void
corr_csv_date(corr_lines_t *lines, int64_t days)
{
    u_char       *last;
    u_char        text[2 * CORR_VALUE_TEXT];
    corr_date_t   date;

    if (corr_jalali_from_days(days, &date) != CORR_OK) {
        corr_lines_add(lines, CORR_STR(","));
        return;
    }

    last = ngx_sprintf(text, "%04d/%02d/%02d,", date.year, date.month,
                       date.day);
    last += corr_iso_date(last, days);

    corr_lines_add(lines, corr_make_str(text, last - text));
}
