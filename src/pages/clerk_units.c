/*
 * Units and the books letters are registered in: administrators make,
 * rename and put them aside.
 */

#include "clerk_admin.h"


static ngx_int_t corr_units_find(corr_page_t *p);
static ngx_int_t corr_units_show(corr_page_t *p);
static ngx_int_t corr_units_save(corr_page_t *p);
static ngx_int_t corr_units_saved(corr_page_t *p);
static ngx_int_t corr_books_find(corr_page_t *p);
static ngx_int_t corr_books_show(corr_page_t *p);
static ngx_int_t corr_books_save(corr_page_t *p);
static ngx_int_t corr_books_saved(corr_page_t *p);
static void corr_units_fill(corr_page_t *p, corr_rows_t *rows,
    ngx_int_t row, const char *code);


static const corr_rule_t  corr_units_rules[] = {
    { "submission_key", CORR_RULE_KEY, CORR_REQUIRED, 0, 0,
      CORR_MSG_SUBMISSION_KEY_INVALID, CORR_MSG_SUBMISSION_KEY_INVALID,
      NULL },
    { "name", CORR_RULE_LINE, CORR_REQUIRED, 0, 100,
      CORR_MSG_NAME_REQUIRED, CORR_MSG_NAME_TOO_LONG, NULL },
    { "code", CORR_RULE_LINE, CORR_REQUIRED, 0, 40,
      CORR_MSG_UNIT_CODE_WRONG, CORR_MSG_UNIT_CODE_WRONG, NULL },
    { "due_days", CORR_RULE_NUMBER, CORR_OPTIONAL, 1, 365,
      CORR_MSG_DUE_DAYS_WRONG, CORR_MSG_DUE_DAYS_WRONG, NULL },
    { "active", CORR_RULE_FLAG, CORR_OPTIONAL, 0, 0, 0, 0, NULL },
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};

static const corr_rule_t  corr_books_rules[] = {
    { "submission_key", CORR_RULE_KEY, CORR_REQUIRED, 0, 0,
      CORR_MSG_SUBMISSION_KEY_INVALID, CORR_MSG_SUBMISSION_KEY_INVALID,
      NULL },
    { "name", CORR_RULE_LINE, CORR_REQUIRED, 0, 100,
      CORR_MSG_NAME_REQUIRED, CORR_MSG_NAME_TOO_LONG, NULL },
    { "code", CORR_RULE_LINE, CORR_REQUIRED, 0, 40,
      CORR_MSG_UNIT_CODE_WRONG, CORR_MSG_UNIT_CODE_WRONG, NULL },
    { "active", CORR_RULE_FLAG, CORR_OPTIONAL, 0, 0, 0, 0, NULL },
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};


const corr_step_pt  corr_units_steps[] = {
    corr_units_find, corr_units_show, NULL
};

const corr_step_pt  corr_units_save_steps[] = {
    corr_units_save, NULL
};

const corr_step_pt  corr_books_steps[] = {
    corr_books_find, corr_books_show, NULL
};

const corr_step_pt  corr_books_save_steps[] = {
    corr_books_save, NULL
};


static ngx_int_t
corr_units_find(corr_page_t *p)
{
    corr_db_begin(p, CORR_READ);

    corr_db_add(p, CORR_SQL_UNITS_LIST);
    corr_db_add(p, CORR_SQL_BOOKS_LIST);

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_units_show(corr_page_t *p)
{
    int64_t       id;
    ngx_int_t     row;
    corr_rows_t  *units;

    row = -1;
    units = corr_db_rows(p, 0);
    id = corr_admin_editing(p, "unit_id");

    if (id) {
        row = corr_admin_row(units, "unit_id", id);
        if (row < 0) {
            return NGX_HTTP_NOT_FOUND;
        }

        corr_units_fill(p, units, row, "unit_code");
        corr_form_fill(p, "due_days",
                       corr_admin_text(p, units, row, "due_days"));
    }

    corr_admin_active(p, units, row);
    corr_view_rows(p->view, "units", units);
    corr_view_rows(p->view, "books", corr_db_rows(p, 1));
    corr_form_key(p);
    corr_form_view(p, corr_units_rules);

    return corr_reply_page(p, CORR_TPL_CLERK_UNITS);
}


static void
corr_units_fill(corr_page_t *p, corr_rows_t *rows, ngx_int_t row,
    const char *code)
{
    corr_form_fill(p, "name", corr_rows_text(rows, row, "name"));
    corr_form_fill(p, "code", corr_rows_text(rows, row, code));
}


static ngx_int_t
corr_units_save(corr_page_t *p)
{
    int64_t  id, days;

    if (corr_form_check(p, corr_units_rules) != NGX_OK) {
        return NGX_ERROR;
    }

    if (p->failed_form) {
        return corr_flow_again(p, 422);
    }

    id = corr_admin_id(corr_form_raw(p, "unit_id"));
    days = corr_form_int(p, "due_days");

    corr_db_begin(p, CORR_WRITE);

    corr_db_add(p, CORR_SQL_UNIT_SAVE,
                corr_pg_text(corr_form_value(p, "submission_key")),
                corr_admin_id_param(id),
                corr_pg_text(corr_form_value(p, "code")),
                corr_pg_text(corr_form_value(p, "name")),
                corr_admin_id_param(days),
                corr_pg_bool(corr_form_value(p, "active").len != 0));

    return corr_db_send(p, corr_units_saved);
}


static ngx_int_t
corr_units_saved(corr_page_t *p)
{
    return corr_reply_redirect(p, "/units?flash=saved");
}


static ngx_int_t
corr_books_find(corr_page_t *p)
{
    corr_db_begin(p, CORR_READ);
    corr_db_add(p, CORR_SQL_BOOKS_LIST);

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_books_show(corr_page_t *p)
{
    int64_t       id;
    ngx_int_t     row;
    corr_rows_t  *books;

    row = -1;
    books = corr_db_rows(p, 0);
    id = corr_admin_editing(p, "book_id");

    if (id) {
        row = corr_admin_row(books, "book_id", id);
        if (row < 0) {
            return NGX_HTTP_NOT_FOUND;
        }

        corr_units_fill(p, books, row, "book_code");
    }

    corr_admin_active(p, books, row);
    corr_view_rows(p->view, "books", books);
    corr_form_key(p);
    corr_form_view(p, corr_books_rules);

    return corr_reply_page(p, CORR_TPL_CLERK_BOOKS);
}


static ngx_int_t
corr_books_save(corr_page_t *p)
{
    int64_t  id;

    if (corr_form_check(p, corr_books_rules) != NGX_OK) {
        return NGX_ERROR;
    }

    if (p->failed_form) {
        return corr_flow_again(p, 422);
    }

    id = corr_admin_id(corr_form_raw(p, "book_id"));

    corr_db_begin(p, CORR_WRITE);

    corr_db_add(p, CORR_SQL_BOOK_SAVE,
                corr_pg_text(corr_form_value(p, "submission_key")),
                corr_admin_id_param(id),
                corr_pg_text(corr_form_value(p, "code")),
                corr_pg_text(corr_form_value(p, "name")),
                corr_pg_bool(corr_form_value(p, "active").len != 0));

    return corr_db_send(p, corr_books_saved);
}


static ngx_int_t
corr_books_saved(corr_page_t *p)
{
    return corr_reply_redirect(p, "/books?flash=saved");
}
