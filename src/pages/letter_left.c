#include "letter_left.h"
#include "left.h"
#include "uploads.h"


static ngx_int_t corr_letter_left_stored(corr_page_t *p);
static ngx_int_t corr_letter_left_saved(corr_page_t *p);


ngx_int_t
corr_letter_leave(corr_page_t *p)
{
    corr_str_t           parts[CORR_LEFT_PARTS];
    corr_letter_form_t  *form = p->data;

    form->key = corr_form_raw(p, "submission_key");

    if (form->key.len == 0 || form->key.len > 64) {
        return corr_session_missing(p);
    }

    parts[0] = form->key;
    parts[1] = corr_uploads_json(p);
    parts[2] = corr_letter_json(p, 0);

    return corr_left_keep(p, "letter", parts, corr_letter_left_stored);
}


static ngx_int_t
corr_letter_left_stored(corr_page_t *p)
{
    return corr_session_missing_for(p, CORR_STR("/desk/letters/new"));
}


void
corr_letter_left_find(corr_page_t *p)
{
    corr_letter_form_t  *form = p->data;

    form->left = corr_left_find(p, "letter");
}


ngx_int_t
corr_letter_left_take(corr_page_t *p)
{
    corr_str_t           parts[CORR_LEFT_PARTS];
    corr_letter_form_t  *form = p->data;

    if (corr_left_open(p, form->left, parts) != CORR_OK) {
        return NGX_DECLINED;
    }

    corr_db_begin(p, CORR_WRITE);

    corr_db_add(p, CORR_SQL_DRAFT_SAVE, corr_pg_null(),
                corr_pg_text(parts[2]), corr_pg_text(parts[1]),
                corr_pg_null());

    return corr_db_send(p, corr_letter_left_saved);
}


/* Only now it goes: a database that was away must not cost what was written. */

static ngx_int_t
corr_letter_left_saved(corr_page_t *p)
{
    corr_str_t  draft;

    corr_left_forget(p, "letter");

    draft = corr_rows_text(corr_db_rows(p, 0), 0, "draft");

    return corr_reply_redirect(p,
                               "/desk/letters/new?draft=%*s&flash=draft_left",
                               draft.len, draft.data);
}
