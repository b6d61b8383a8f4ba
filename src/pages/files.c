/*
 * A stored file: its sender's own, or a clerk's to read.  Who may follows
 * from what it belongs to; every reading is in the audit.
 */

#include "shared.h"

#include "../lib/ids.h"
#include "../services/filetype.h"
#include "../services/store.h"


static ngx_int_t corr_file_find(corr_page_t *p);
static ngx_int_t corr_file_piece(corr_page_t *p);
static ngx_int_t corr_file_ask(corr_page_t *p);
static ngx_int_t corr_file_send(corr_page_t *p);


const corr_step_pt  corr_file_steps[] = {
    corr_file_find,
    NULL
};


static ngx_int_t
corr_file_find(corr_page_t *p)
{
    corr_str_t  *id;

    id = corr_page_data(p, sizeof(corr_str_t));
    if (id == NULL) {
        return NGX_ERROR;
    }

    if (corr_check_uuid(&p->alloc, p->params[0], id) != CORR_OK) {
        return NGX_HTTP_NOT_FOUND;
    }

    if (p->request->method == NGX_HTTP_HEAD) {
        return corr_file_ask(p);
    }

    /*
     * Of a reading that began a moment ago, as nearly all that viewers ask
     * for.  The statement is its own guard: what a route of files asks for
     * beyond an account it would have to learn.
     */

    corr_db_begin(p, CORR_READ|CORR_UNGUARDED);

    corr_db_add(p, p->session.who == CORR_A_STAFF ? CORR_SQL_CLERK_FILE_PIECE
                                                  : CORR_SQL_FILE_PIECE,
                corr_pg_int(p->session.id), corr_pg_text(*id),
                corr_pg_int(p->session.epoch),
                corr_pg_text(corr_from_ngx(
                    p->request->connection->addr_text)));

    return corr_db_send(p, corr_file_piece);
}


static ngx_int_t
corr_file_piece(corr_page_t *p)
{
    return corr_db_rows(p, 0)->nrows ? corr_file_send(p) : corr_file_ask(p);
}


static ngx_int_t
corr_file_ask(corr_page_t *p)
{
    corr_str_t  *id = p->data;
    ngx_uint_t   staff, statement;

    staff = p->session.who == CORR_A_STAFF;

    /* the header is asked for without being a reading; every piece is one */

    if (p->request->method == NGX_HTTP_HEAD) {
        corr_db_begin(p, CORR_READ);
        statement = staff ? CORR_SQL_CLERK_FILES_SHOW : CORR_SQL_FILES_SHOW;

    } else {
        corr_db_begin(p, CORR_WRITE|CORR_NOTE);
        statement = staff ? CORR_SQL_CLERK_FILE_READ : CORR_SQL_FILE_READ;
    }

    corr_db_add(p, statement, corr_pg_int(p->session.id), corr_pg_text(*id));

    return corr_db_send(p, corr_file_send);
}


static ngx_int_t
corr_file_send(corr_page_t *p)
{
    char                   path[CORR_STORE_PATH];
    ngx_str_t              name;
    corr_str_t             type;
    corr_rows_t           *file;
    const corr_filetype_t *known;

    file = corr_db_rows(p, 0);

    if (file->nrows == 0) {
        return NGX_HTTP_NOT_FOUND;
    }

    if (corr_store_path(p->settings->store,
                        corr_rows_text(file, 0, "sha256"), path)
        != CORR_STORE_OK)
    {
        return NGX_ERROR;
    }

    name = corr_to_ngx(corr_str_dup(&p->alloc, corr_cstr(path)));
    if (name.data == NULL) {
        return NGX_ERROR;
    }

    /* the type that was found in it; what a browser does not show is saved */

    type = corr_rows_text(file, 0, "media_type");
    known = corr_filetype_by_media_type(type);

    return corr_reply_file(p, &name,
                           known ? corr_cstr(known->media_type)
                                 : CORR_STR("application/octet-stream"),
                           corr_rows_text(file, 0, "name"),
                           known != NULL);
}
