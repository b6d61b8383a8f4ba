/*
 * A view as JSON: what its template would have shown, in machine form.
 */

#include "encode.h"
#include "escape.h"
#include "template.h"
#include "text.h"
#include "value_text.h"


#define CORR_VIEW_JSON_DEPTH   32
#define CORR_VIEW_JSON_CHUNK   64       /* bytes turned to hex at a time */


typedef struct {
    const corr_sink_t   *sink;
    int                  utc_offset;
    size_t               left;
    unsigned             depth;
} corr_printer_t;


static int corr_print_value(corr_printer_t *p, const corr_value_t *value);
static int corr_print_rows(corr_printer_t *p, const corr_rows_t *rows,
    unsigned first, unsigned n);


static int
corr_print(void *data, const void *text, size_t n)
{
    corr_printer_t  *p = data;

    if (n == 0) {
        return CORR_OK;
    }

    if (n > p->left) {
        return CORR_LIMIT;
    }

    p->left -= n;

    return (p->sink->write(p->sink->data, text, n) == CORR_OK) ? CORR_OK
                                                               : CORR_ERROR;
}


static int
corr_print_cstr(corr_printer_t *p, const char *text)
{
    return corr_print(p, text, strlen(text));
}


/* Escaped; what is not UTF-8 becomes U+FFFD, byte by byte. */

static int
corr_print_utf8(corr_printer_t *p, corr_str_t s)
{
    int                   rc;
    const unsigned char  *start, *next, *at = s.data, *last = at + s.len;

    if (corr_utf8_valid(s)) {
        return corr_escape_write(CORR_ESCAPE_JSON, s, corr_print, p);
    }

    for (start = at; at < last; start = at) {
        for (next = at; at < last; at = next) {
            if (corr_utf8_next(&next, last) == CORR_UTF8_BAD) {
                break;
            }
        }

        rc = corr_escape_write(CORR_ESCAPE_JSON,
                               corr_make_str(start, (size_t) (at - start)),
                               corr_print, p);

        if (rc == CORR_OK && at < last) {
            rc = corr_print(p, "\xef\xbf\xbd", 3);
            at = next;
        }

        if (rc != CORR_OK) {
            return rc;
        }
    }

    return CORR_OK;
}


static int
corr_print_string(corr_printer_t *p, corr_str_t s)
{
    int  rc;

    rc = corr_print(p, "\"", 1);

    if (rc == CORR_OK && s.len) {
        rc = corr_print_utf8(p, s);
    }

    return (rc == CORR_OK) ? corr_print(p, "\"", 1) : rc;
}


static int
corr_print_hex(corr_printer_t *p, corr_str_t s)
{
    int            rc;
    size_t         i, n;
    unsigned char  hex[corr_hex_len(CORR_VIEW_JSON_CHUNK)];

    rc = corr_print(p, "\"", 1);

    for (i = 0; i < s.len && rc == CORR_OK; i += n) {
        n = s.len - i;
        n = (n < CORR_VIEW_JSON_CHUNK) ? n : CORR_VIEW_JSON_CHUNK;

        (void) corr_hex_encode(hex, corr_make_str(s.data + i, n));
        rc = corr_print(p, hex, corr_hex_len(n));
    }

    return (rc == CORR_OK) ? corr_print(p, "\"", 1) : rc;
}


/* A number, or a text that needs no escaping; null when there is none. */

static int
corr_print_machine(corr_printer_t *p, const unsigned char *text, size_t n,
    const char *quote)
{
    int  rc;

    if (n == 0) {
        return corr_print_cstr(p, "null");
    }

    rc = corr_print_cstr(p, quote);
    if (rc == CORR_OK) {
        rc = corr_print(p, text, n);
    }

    return (rc == CORR_OK) ? corr_print_cstr(p, quote) : rc;
}


/* "name": with a comma before it where one is due. */

static int
corr_print_name(corr_printer_t *p, corr_str_t name, int first)
{
    int  rc;

    rc = first ? CORR_OK : corr_print(p, ",", 1);
    if (rc == CORR_OK) {
        rc = corr_print_string(p, name);
    }

    return (rc == CORR_OK) ? corr_print(p, ":", 1) : rc;
}


static int
corr_print_object(corr_printer_t *p, const corr_view_t *v)
{
    int            rc;
    unsigned       position;
    corr_str_t     name;
    corr_value_t   value;

    rc = corr_print(p, "{", 1);
    position = 0;

    while (rc == CORR_OK && corr_view_next(v, &position, &name, &value)) {
        rc = corr_print_name(p, name, position == 1);
        if (rc == CORR_OK) {
            rc = corr_print_value(p, &value);
        }
    }

    return (rc == CORR_OK) ? corr_print(p, "}", 1) : rc;
}


static int
corr_print_list(corr_printer_t *p, const corr_list_t *list)
{
    int            rc;
    unsigned       i;
    corr_value_t   value;

    rc = corr_print(p, "[", 1);

    for (i = 0; i < corr_list_length(list) && rc == CORR_OK; i++) {
        rc = i ? corr_print(p, ",", 1) : CORR_OK;
        if (rc == CORR_OK) {
            value = corr_list_at(list, i);
            rc = corr_print_value(p, &value);
        }
    }

    return (rc == CORR_OK) ? corr_print(p, "]", 1) : rc;
}


static int
corr_print_row(corr_printer_t *p, const corr_rows_t *rows, unsigned row,
    unsigned *hint)
{
    int                 rc;
    unsigned            i, n, first;
    corr_value_t        value;
    const corr_nest_t  *nest;

    rc = corr_print(p, "{", 1);

    for (i = 0; i < rows->ncolumns && rc == CORR_OK; i++) {
        rows->cell(rows, row, i, &value);

        rc = corr_print_name(p, rows->columns[i].name, i == 0);
        if (rc == CORR_OK) {
            rc = corr_print_value(p, &value);
        }
    }

    for (nest = rows->nested; nest != NULL && rc == CORR_OK;
         nest = nest->next)
    {
        n = corr_nest_range(nest, rows, row, *hint, &first);
        *hint = n ? first + n : *hint;

        rc = corr_print_name(p, nest->name, rows->ncolumns == 0);
        if (rc == CORR_OK) {
            rc = corr_print_rows(p, nest->rows, first, n);
        }
    }

    return (rc == CORR_OK) ? corr_print(p, "}", 1) : rc;
}


static int
corr_print_rows(corr_printer_t *p, const corr_rows_t *rows, unsigned first,
    unsigned n)
{
    int       rc;
    unsigned  i, hint;

    if (p->depth == CORR_VIEW_JSON_DEPTH) {
        return CORR_LIMIT;
    }

    p->depth++;
    hint = 0;

    rc = corr_print(p, "[", 1);

    for (i = 0; i < n && rc == CORR_OK; i++) {
        rc = i ? corr_print(p, ",", 1) : CORR_OK;
        if (rc == CORR_OK) {
            rc = corr_print_row(p, rows, first + i, &hint);
        }
    }

    p->depth--;

    return (rc == CORR_OK) ? corr_print(p, "]", 1) : rc;
}


static int
corr_print_container(corr_printer_t *p, const corr_value_t *value)
{
    int  rc;

    if (p->depth == CORR_VIEW_JSON_DEPTH) {
        return CORR_LIMIT;
    }

    p->depth++;

    rc = (value->kind == CORR_OBJECT) ? corr_print_object(p, value->object)
                                      : corr_print_list(p, value->list);
    p->depth--;

    return rc;
}


static int
corr_print_value(corr_printer_t *p, const corr_value_t *value)
{
    size_t         n;
    unsigned char  text[CORR_VALUE_TEXT];

    switch (value->kind) {

    case CORR_BOOL:
        return corr_print_cstr(p, value->n ? "true" : "false");

    case CORR_INT:
        n = corr_int_text(text, value->n);
        return corr_print_machine(p, text, n, "");

    case CORR_FLOAT:
        n = corr_float_text(text, value->d);
        return corr_print_machine(p, text, n, "");

    case CORR_TIME:
        n = corr_iso_time(text, value->n, p->utc_offset);
        return corr_print_machine(p, text, n, "\"");

    case CORR_DATE:
        n = corr_iso_date(text, value->n);
        return corr_print_machine(p, text, n, "\"");

    case CORR_TEXT:
        return corr_print_string(p, value->s);

    case CORR_BYTES:
        return corr_print_hex(p, value->s);

    case CORR_OBJECT:
    case CORR_LIST:
        return corr_print_container(p, value);

    case CORR_ROWS:
        return corr_print_rows(p, value->rows, 0, value->rows->nrows);

    default:
        return corr_print_cstr(p, "null");
    }
}


int
corr_view_json(const corr_view_t *root, const corr_render_t *r,
    const corr_sink_t *sink)
{
    corr_printer_t  p;

    if (corr_view_failed(root)) {
        return CORR_ERROR;
    }

    p.sink = sink;
    p.utc_offset = r->utc_offset;
    p.left = r->limit ? r->limit : SIZE_MAX;
    p.depth = 1;

    return corr_print_object(&p, root);
}
