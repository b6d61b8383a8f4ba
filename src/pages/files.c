/*
 * A stored file: its sender's own, or a clerk's to read.  Who may follows
 * from what it belongs to; every reading is in the audit.
 */

#include "shared.h"

#include "../http/reading.h"
#include "../lib/ids.h"
#include "../services/filetype.h"
#include "../services/store.h"


static ngx_int_t corr_file_find(corr_page_t *p);
static ngx_int_t corr_file_allowed(corr_page_t *p);
static ngx_int_t corr_file_send(corr_page_t *p,
    const corr_reading_t *reading);


const corr_step_pt  corr_file_steps[] = {
    corr_file_find,
    NULL
};


/* The header is asked for without being a reading; every piece is one. */

static ngx_int_t
corr_file_find(corr_page_t *p)
{
    corr_str_t       id;
    ngx_uint_t       statement, staff;
    corr_reading_t   reading;

    if (corr_reading_find(p, &reading) == NGX_OK) {
        return corr_file_send(p, &reading);
    }

    if (corr_check_uuid(&p->alloc, p->params[0], &id) != CORR_OK) {
        return NGX_HTTP_NOT_FOUND;
    }

    staff = p->session.who == CORR_A_STAFF;

    if (p->request->method == NGX_HTTP_HEAD) {
        corr_db_begin(p, CORR_READ);
        statement = staff ? CORR_SQL_CLERK_FILES_SHOW : CORR_SQL_FILES_SHOW;

    } else {
        corr_db_begin(p, CORR_WRITE|CORR_NOTE);
        statement = staff ? CORR_SQL_CLERK_FILE_READ : CORR_SQL_FILE_READ;
    }

    corr_db_add(p, statement, corr_pg_int(p->session.id), corr_pg_text(id));

    return corr_db_send(p, corr_file_allowed);
}


static ngx_int_t
corr_file_allowed(corr_page_t *p)
{
    corr_rows_t     *file;
    corr_reading_t   reading;

    file = corr_db_rows(p, 0);

    if (file->nrows == 0) {
        return NGX_HTTP_NOT_FOUND;
    }

    reading.sha256 = corr_rows_text(file, 0, "sha256");
    reading.media_type = corr_rows_text(file, 0, "media_type");
    reading.name = corr_rows_text(file, 0, "name");

    /* a draft's files come and go with it: those are asked for each time */

    if (!corr_rows_int(file, 0, "is_draft")) {
        corr_reading_note(p, &reading);
    }

    return corr_file_send(p, &reading);
}


static ngx_int_t
corr_file_send(corr_page_t *p, const corr_reading_t *reading)
{
    char                    path[CORR_STORE_PATH];
    ngx_str_t               name;
    const corr_filetype_t  *known;

    if (corr_store_path(p->settings->store, reading->sha256, path)
        != CORR_STORE_OK)
    {
        return NGX_ERROR;
    }

    name = corr_to_ngx(corr_str_dup(&p->alloc, corr_cstr(path)));
    if (name.data == NULL) {
        return NGX_ERROR;
    }

    /* the type that was found in it; what a browser does not show is saved */

    known = corr_filetype_by_media_type(reading->media_type);

    return corr_reply_file(p, &name,
                           known ? corr_cstr(known->media_type)
                                 : CORR_STR("application/octet-stream"),
                           reading->name, known != NULL);
}
