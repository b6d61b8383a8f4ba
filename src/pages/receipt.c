/*
 * The receipt of a letter, and the address on it by which anyone can see
 * that it is genuine.
 *
 * The seal proves that this portal gave out that tracking code; it is looked
 * at before the database is asked, so nobody can try codes here.
 */

#include "shared.h"

#include "../lib/tracking.h"
#include "../services/qr.h"
#include "../services/secrets.h"


static ngx_int_t corr_receipt_find(corr_page_t *p);
static ngx_int_t corr_receipt_show(corr_page_t *p);
static corr_str_t corr_receipt_url(corr_page_t *p, corr_str_t code);
static ngx_int_t corr_verify_find(corr_page_t *p);
static ngx_int_t corr_verify_show(corr_page_t *p);
static ngx_int_t corr_verify_refuse(corr_page_t *p);


const corr_step_pt  corr_receipt_steps[] = {
    corr_receipt_find,
    NULL
};


const corr_step_pt  corr_verify_steps[] = {
    corr_verify_find,
    NULL
};


static ngx_int_t
corr_receipt_find(corr_page_t *p)
{
    corr_db_begin(p, CORR_READ);

    corr_db_add(p, CORR_SQL_LETTERS_RECEIPT, corr_pg_int(p->session.id),
                corr_pg_text(p->params[0]));
    corr_db_add(p, CORR_SQL_LETTERS_RECEIPT_FILES,
                corr_pg_int(p->session.id), corr_pg_text(p->params[0]));

    return corr_db_send(p, corr_receipt_show);
}


static ngx_int_t
corr_receipt_show(corr_page_t *p)
{
    corr_qr_t     code;
    corr_str_t    url;
    corr_rows_t  *letter;
    corr_view_t  *qr;

    letter = corr_db_rows(p, 0);

    if (letter->nrows == 0) {
        return NGX_HTTP_NOT_FOUND;
    }

    url = corr_receipt_url(p, corr_rows_text(letter, 0, "tracking_code"));

    if (url.data == NULL || corr_qr_path(&p->alloc, url, &code) != CORR_OK) {
        return NGX_ERROR;
    }

    corr_view_row(corr_view_object(p->view, "letter"), letter, 0);
    corr_view_rows(p->view, "files", corr_db_rows(p, 1));
    corr_view_text(p->view, "verify_url", url);

    qr = corr_view_object(p->view, "qr");
    corr_view_int(qr, "size", code.size);
    corr_view_text(qr, "path", code.path);

    return corr_reply_page(p, CORR_TPL_LETTERS_RECEIPT);
}


static corr_str_t
corr_receipt_url(corr_page_t *p, corr_str_t code)
{
    u_char       seal[CORR_SECRETS_SEAL], *url, *last;
    corr_str_t   none = corr_null_str;

    url = ngx_pnalloc(p->pool, p->settings->url.len + p->loc->base.len
                               + sizeof("/verify//") + code.len
                               + CORR_SECRETS_SEAL);
    if (url == NULL) {
        return none;
    }

    corr_secrets_seal(p->settings->secrets, &code, 1, seal);

    last = ngx_sprintf(url, "%V%V/verify/%*s/%*s", &p->settings->url,
                       &p->loc->base, code.len, code.data,
                       (size_t) CORR_SECRETS_SEAL, seal);

    return corr_make_str(url, last - url);
}


static ngx_int_t
corr_verify_find(corr_page_t *p)
{
    corr_str_t  code;

    if (corr_check_tracking(&p->alloc, p->params[0], &code) != CORR_OK
        || !corr_secrets_seal_check(p->settings->secrets, &code, 1,
                                    p->params[1]))
    {
        return corr_verify_refuse(p);
    }

    corr_db_begin(p, CORR_READ|CORR_UNGUARDED);

    corr_db_add(p, CORR_SQL_VERIFY_SHOW, corr_pg_text(code));
    corr_db_add(p, CORR_SQL_VERIFY_FILES, corr_pg_text(code));

    return corr_db_send(p, corr_verify_show);
}


static ngx_int_t
corr_verify_show(corr_page_t *p)
{
    corr_rows_t  *letter;

    letter = corr_db_rows(p, 0);

    if (letter->nrows == 0) {
        return corr_verify_refuse(p);
    }

    corr_view_flag(p->view, "genuine", 1);
    corr_view_row(p->view, letter, 0);
    corr_view_rows(p->view, "files", corr_db_rows(p, 1));

    return corr_reply_page(p, CORR_TPL_VERIFY);
}


static ngx_int_t
corr_verify_refuse(corr_page_t *p)
{
    p->status = NGX_HTTP_NOT_FOUND;

    corr_view_flag(p->view, "genuine", 0);

    return corr_reply_page(p, CORR_TPL_VERIFY);
}
