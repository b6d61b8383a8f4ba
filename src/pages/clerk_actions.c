#include "clerk_actions.h"

#include "../lib/digits.h"
#include "uploads.h"


#define CORR_CLERK_TEXT  1024


static void corr_action_body(corr_page_t *p, const corr_rule_t *rules);
static corr_str_t corr_clerk_cursor(corr_page_t *p, corr_rows_t *rows,
    unsigned row, const char *column);


const corr_action_t *
corr_action_find(corr_page_t *p, const corr_action_t *actions)
{
    corr_str_t            name;
    const corr_action_t  *action;

    if (p->route->method != CORR_POST) {
        return NULL;
    }

    name = corr_make_str(p->path.data + p->path.len, 0);

    while (name.len < p->path.len && name.data[-1] != '/') {
        name.data--;
        name.len++;
    }

    for (action = actions; action->name; action++) {
        if (corr_str_is(name, action->name)) {
            return action;
        }
    }

    return NULL;
}


ngx_int_t
corr_action_do(corr_page_t *p, const corr_action_t *actions)
{
    const corr_action_t  *action;

    action = corr_action_find(p, actions);

    if (action == NULL) {
        return NGX_HTTP_NOT_FOUND;
    }

    corr_action_body(p, action->rules);

    if (corr_uploads_restore(p) != NGX_OK
        || corr_form_check(p, action->rules) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (p->failed_form) {
        return corr_flow_again(p, 422);
    }

    return action->send(p);
}


/*
 * The forms of one page tell their texts apart as FORM_body; for programs each
 * of them is body.
 */

static void
corr_action_body(corr_page_t *p, const corr_rule_t *rules)
{
    size_t         len;
    unsigned       i;
    corr_field_t  *field;

    for ( /* void */ ; rules->name; rules++) {

        len = ngx_strlen(rules->name);

        if (len > sizeof("_body") - 1
            && ngx_strcmp(rules->name + len - (sizeof("_body") - 1), "_body")
               == 0
            && corr_form_raw(p, rules->name).data == NULL)
        {
            break;
        }
    }

    if (rules->name == NULL) {
        return;
    }

    for (i = 0; i < p->fields.nfields; i++) {

        field = &p->fields.field[i];

        if (corr_str_is(field->name, "body")) {
            field->name = corr_cstr(rules->name);
            return;
        }
    }
}


void
corr_action_view(corr_page_t *p, const corr_action_t *actions)
{
    const corr_action_t  *action;

    action = corr_action_find(p, actions);

    if (action) {
        corr_view_flag(corr_view_object(p->view, "at_form"), action->form, 1);
        corr_form_view(p, action->rules);
        corr_uploads_show(p);
    }

    corr_form_key(p);
}


corr_pg_param_t
corr_action_key(corr_page_t *p)
{
    return corr_action_text(p, "submission_key");
}


corr_pg_param_t
corr_action_text(corr_page_t *p, const char *name)
{
    return corr_pg_text(corr_form_value(p, name));
}


int64_t
corr_param_id(corr_page_t *p)
{
    uint64_t  id;

    if (corr_digits_number(p->params[0], INT64_MAX, &id) != CORR_OK) {
        return 0;
    }

    return (int64_t) id;
}


corr_str_t
corr_clerk_text(corr_page_t *p, const char *format, ...)
{
    u_char      *text, *last;
    va_list      args;
    corr_str_t   none = corr_null_str;

    text = ngx_pnalloc(p->pool, CORR_CLERK_TEXT);
    if (text == NULL) {
        return none;
    }

    va_start(args, format);
    last = ngx_vslprintf(text, text + CORR_CLERK_TEXT, format, args);
    va_end(args);

    return corr_make_str(text, last - text);
}


void
corr_clerk_tabs(corr_page_t *p, const char *name, corr_rows_t *rows,
    const char *column, corr_str_t current)
{
    unsigned      i;
    corr_view_t  *row;

    for (i = 0; i < rows->nrows; i++) {
        row = corr_view_append(p->view, name);
        corr_view_row(row, rows, i);
        corr_view_flag(row, "is_current",
                       corr_str_eq(corr_rows_text(rows, i, column),
                                   current));
    }
}


void
corr_clerk_pager(corr_page_t *p, corr_rows_t *rows, unsigned shown,
    corr_str_t url, const char *column)
{
    corr_str_t    cursor;
    corr_view_t  *pager;

    if (rows->nrows <= shown && corr_query(p, "page").len == 0) {
        return;
    }

    pager = corr_view_object(p->view, "pager");

    /* backwards is the beginning: what is newer has moved on anyway */

    if (corr_query(p, "page").len) {
        corr_view_text(pager, "previous_url", url);
    }

    if (rows->nrows <= shown) {
        return;
    }

    cursor = corr_clerk_cursor(p, rows, shown - 1, column);
    rows->nrows = shown;

    corr_view_text(pager, "next_url",
                   corr_clerk_text(p, "%*s&page=%*s", url.len, url.data,
                                   cursor.len, cursor.data));
}


static corr_str_t
corr_clerk_cursor(corr_page_t *p, corr_rows_t *rows, unsigned row,
    const char *column)
{
    corr_value_t  value;

    value = corr_rows_get(rows, row, column);

    return value.kind == CORR_TEXT ? value.s
                                   : corr_clerk_text(p, "%L", value.n);
}
