/*
 * What the pages of managers and administrators do the same way: lists to
 * choose from, dates of filters, tables as CSV.
 */

#ifndef CORR_PAGES_CLERK_ADMIN_H
#define CORR_PAGES_CLERK_ADMIN_H

#include "shared.h"

#include "../lib/digits.h"


/* A positive number of an address or a field; 0: it is none. */
int64_t corr_admin_id(corr_str_t text);

/* The id as a parameter; 0 is NULL. */
corr_pg_param_t corr_admin_id_param(int64_t id);

/*
 * Which row of a list is being changed: the form's hidden field `name`, or
 * ?edit=.  Sets `editing`.  0: none, the form makes a new one.
 */
int64_t corr_admin_editing(corr_page_t *p, const char *name);

/* The row whose column is id; -1: there is none. */
ngx_int_t corr_admin_row(corr_rows_t *rows, const char *column, int64_t id);

/*
 * The box `active`: as the row has it, ticked for a new one (row -1).  One
 * that was unticked is not sent: in a form that comes back it stays so.
 */
void corr_admin_active(corr_page_t *p, corr_rows_t *rows, ngx_int_t row);

/* units: rows of unit_id and name with is_selected. */
void corr_admin_units(corr_page_t *p, corr_rows_t *units, int64_t selected);

/*
 * A Jalali date of the query, kept in the view as it was typed.  NGX_OK;
 * NGX_DECLINED: not given; NGX_ABORT: refused, with an error at the field.
 */
ngx_int_t corr_admin_date(corr_page_t *p, const char *name,
    ngx_uint_t message, int64_t *days);

/* A column of integers or texts as form value. */
corr_str_t corr_admin_text(corr_page_t *p, corr_rows_t *rows, unsigned row,
    const char *column);


/*
 * Text that grows, for exports.  A piece for which there is no memory marks
 * it, and corr_lines_text() gives data NULL.
 */
typedef struct {
    ngx_pool_t              *pool;
    u_char                  *start;
    u_char                  *last;
    u_char                  *end;
    unsigned                 failed:1;
} corr_lines_t;

void corr_lines_init(corr_lines_t *lines, ngx_pool_t *pool);
void corr_lines_add(corr_lines_t *lines, corr_str_t text);
void corr_lines_escaped(corr_lines_t *lines, ngx_uint_t escape,
    corr_str_t text);
corr_str_t corr_lines_text(corr_lines_t *lines);

/* ,"name":"text", text escaped; the comma only behind another member. */
void corr_lines_member(corr_lines_t *lines, const char *name,
    corr_str_t text);


/*
 * CSV (RFC 4180, UTF-8 with a mark that spreadsheets need).  What a
 * spreadsheet would calculate is text (escape.h); dates are two columns, the
 * Jalali one and the machine's.
 */
typedef struct {
    const char              *column;
    ngx_uint_t               head;       /* CORR_MSG_… */
} corr_csv_column_t;

void corr_csv_table(corr_page_t *p, corr_lines_t *lines,
    const corr_csv_column_t *columns, corr_rows_t *rows);


#endif /* CORR_PAGES_CLERK_ADMIN_H */
