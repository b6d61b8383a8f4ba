/*
 * The way through a page that shows what was written before it is sent:
 * the form is checked whole and kept as a draft; the page's one button sends
 * the draft (letters.c), or it is thrown away.
 */

#include "letter_form.h"

#include "../lib/ids.h"


static ngx_int_t corr_draft_store(corr_page_t *p);
static ngx_int_t corr_draft_stored(corr_page_t *p);
static ngx_int_t corr_draft_find(corr_page_t *p);
static ngx_int_t corr_draft_show(corr_page_t *p);
static ngx_int_t corr_draft_discard(corr_page_t *p);
static ngx_int_t corr_draft_discarded(corr_page_t *p);


const corr_step_pt  corr_draft_check_steps[] = {
    corr_letter_receive,
    corr_letter_check,
    corr_letter_company,
    corr_draft_store,
    NULL
};


const corr_step_pt  corr_draft_steps[] = {
    corr_draft_find,
    NULL
};


const corr_step_pt  corr_draft_discard_steps[] = {
    corr_draft_discard,
    NULL
};


/* Once more, after a lost answer, is another draft, which harms nobody. */

static ngx_int_t
corr_draft_store(corr_page_t *p)
{
    corr_db_begin(p, CORR_WRITE);
    corr_letter_draft_save(p, 1);
    corr_db_on_refusal(p, corr_letter_refused);

    return corr_db_send(p, corr_draft_stored);
}


static ngx_int_t
corr_draft_stored(corr_page_t *p)
{
    corr_str_t  draft;

    draft = corr_rows_text(corr_db_rows(p, 0), 0, "draft");

    return corr_reply_redirect(p, "/desk/letters/drafts/%*s", draft.len,
                               draft.data);
}


static ngx_int_t
corr_draft_find(corr_page_t *p)
{
    corr_str_t  draft;

    if (corr_check_uuid(&p->alloc, p->params[0], &draft) != CORR_OK) {
        return NGX_HTTP_NOT_FOUND;
    }

    corr_db_begin(p, CORR_READ);

    corr_db_add(p, CORR_SQL_DRAFTS_SHOW, corr_pg_int(p->session.id),
                corr_pg_text(draft));
    corr_db_add(p, CORR_SQL_DRAFTS_FILES, corr_pg_int(p->session.id),
                corr_pg_text(draft));
    corr_db_add(p, CORR_SQL_PERSON_SHOW, corr_pg_int(p->session.id));

    return corr_db_send(p, corr_draft_show);
}


static ngx_int_t
corr_draft_show(corr_page_t *p)
{
    corr_str_t    id;
    corr_rows_t  *draft;

    draft = corr_db_rows(p, 0);

    if (draft->nrows == 0) {
        return NGX_HTTP_NOT_FOUND;
    }

    /* what a refused form left behind goes on in the form */

    if (!corr_rows_get(draft, 0, "checked").n) {
        id = corr_rows_text(draft, 0, "draft");

        return corr_reply_redirect(p, "/desk/letters/new?draft=%*s", id.len,
                                   id.data);
    }

    corr_view_row(corr_view_object(p->view, "letter"), draft, 0);
    corr_view_rows(p->view, "files", corr_db_rows(p, 1));
    corr_view_row(corr_view_object(p->view, "person"), corr_db_rows(p, 2),
                  0);
    corr_form_key(p);

    return corr_reply_page(p, CORR_TPL_LETTERS_CHECK);
}


static ngx_int_t
corr_draft_discard(corr_page_t *p)
{
    corr_str_t  draft;

    if (corr_check_uuid(&p->alloc, p->params[0], &draft) != CORR_OK) {
        return NGX_HTTP_NOT_FOUND;
    }

    corr_db_begin(p, CORR_WRITE);
    corr_db_add(p, CORR_SQL_DRAFT_REMOVE, corr_pg_text(draft));

    return corr_db_send(p, corr_draft_discarded);
}


static ngx_int_t
corr_draft_discarded(corr_page_t *p)
{
    return corr_reply_redirect(p, "/desk/letters?flash=draft_discarded");
}
