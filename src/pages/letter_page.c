#include "letter_page.h"


static void corr_letter_page_files(corr_page_t *p, corr_rows_t *files);
static void corr_letter_page_correction(corr_page_t *p);


enum {
    CORR_LETTER_ROW = 0,
    CORR_LETTER_FILES,
    CORR_LETTER_EVENTS,
    CORR_LETTER_EVENT_FILES,
    CORR_LETTER_CORRECTION
};


void
corr_letter_page_find(corr_page_t *p)
{
    ngx_uint_t  i;

    static const ngx_uint_t  statements[] = {
        CORR_SQL_LETTERS_SHOW,
        CORR_SQL_LETTERS_FILES,
        CORR_SQL_LETTERS_EVENTS,
        CORR_SQL_LETTERS_EVENT_FILES,
        CORR_SQL_LETTERS_CORRECTION
    };

    for (i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
        corr_db_add(p, statements[i], corr_pg_int(p->session.id),
                    corr_pg_text(p->params[0]));
    }
}


ngx_int_t
corr_letter_page_show(corr_page_t *p)
{
    corr_rows_t  *events;

    if (corr_db_rows(p, CORR_LETTER_ROW)->nrows == 0) {
        return NGX_DECLINED;
    }

    events = corr_db_rows(p, CORR_LETTER_EVENTS);

    if (corr_rows_nest(&p->alloc, events, "event_id", "event_files",
                       corr_db_rows(p, CORR_LETTER_EVENT_FILES), "event_id")
        != CORR_OK)
    {
        return NGX_DECLINED;
    }

    corr_view_row(corr_view_object(p->view, "letter"),
                  corr_db_rows(p, CORR_LETTER_ROW), 0);
    corr_letter_page_files(p, corr_db_rows(p, CORR_LETTER_FILES));
    corr_view_rows(p->view, "events", events);

    corr_letter_page_correction(p);
    corr_form_key(p);

    return NGX_OK;
}


int64_t
corr_letter_page_last_event(corr_page_t *p)
{
    corr_rows_t  *events;

    events = corr_db_rows(p, CORR_LETTER_EVENTS);

    return events->nrows
           ? corr_rows_int(events, events->nrows - 1, "event_id") : 0;
}


static void
corr_letter_page_files(corr_page_t *p, corr_rows_t *files)
{
    unsigned      i;
    corr_str_t    chosen;
    corr_view_t  *row;

    chosen = corr_form_raw(p, "file_id");

    for (i = 0; i < files->nrows; i++) {
        row = corr_view_append(p->view, "files");
        corr_view_row(row, files, i);
        corr_view_flag(row, "is_selected",
                       corr_str_eq(corr_rows_text(files, i, "file_id"),
                                   chosen));
    }
}


/*
 * What is asked for, one thing at a time, the oldest first.  "One of your
 * files", when there is only one, is that one.
 */

static void
corr_letter_page_correction(corr_page_t *p)
{
    corr_rows_t  *asked, *files;
    corr_view_t  *correction;

    asked = corr_db_rows(p, CORR_LETTER_CORRECTION);
    files = corr_db_rows(p, CORR_LETTER_FILES);

    if (asked->nrows == 0) {
        return;
    }

    correction = corr_view_object(p->view, "correction");
    corr_view_row(correction, asked, 0);

    if (files->nrows == 1 && corr_rows_text(asked, 0, "file_id").len == 0) {
        corr_view_value(correction, "file_id",
                        corr_rows_get(files, 0, "file_id"));
        corr_view_value(correction, "file_name",
                        corr_rows_get(files, 0, "name"));
    }
}
