/*
 * A citizen's letters: the list, with the confirmation of what was just
 * sent on top; sending; one letter with its thread.  The form itself is in
 * letter_form.c.
 */

#include "letter_form.h"
#include "letter_page.h"
#include "uploads.h"


#define CORR_LETTERS_PER_PAGE   20
#define CORR_LETTERS_PAGES      10000


static ngx_int_t corr_letters_find(corr_page_t *p);
static ngx_int_t corr_letters_show(corr_page_t *p);
static void corr_letters_sent(corr_page_t *p, corr_rows_t *rows);
static ngx_int_t corr_letter_submit(corr_page_t *p);
static ngx_int_t corr_letter_submitted(corr_page_t *p);
static ngx_int_t corr_letter_open(corr_page_t *p);
static ngx_int_t corr_letter_opened(corr_page_t *p);
static ngx_int_t corr_letter_seen(corr_page_t *p);
static ngx_int_t corr_letter_show(corr_page_t *p);


const corr_step_pt  corr_letters_steps[] = {
    corr_letters_find,
    NULL
};


const corr_step_pt  corr_letter_submit_steps[] = {
    corr_letter_take,
    corr_letter_check,
    corr_letter_company,
    corr_letter_submit,
    NULL
};


const corr_step_pt  corr_letter_steps[] = {
    corr_letter_open,
    NULL
};


static ngx_int_t
corr_letters_find(corr_page_t *p)
{
    int64_t  page;

    page = corr_query_int(p, "page", 1);

    if (page < 1 || page > CORR_LETTERS_PAGES) {
        return NGX_HTTP_NOT_FOUND;
    }

    corr_db_begin(p, CORR_READ);

    corr_db_add(p, CORR_SQL_LETTERS_LIST, corr_pg_int(p->session.id),
                corr_pg_int(CORR_LETTERS_PER_PAGE),
                corr_pg_int((page - 1) * CORR_LETTERS_PER_PAGE));
    corr_db_add(p, CORR_SQL_LETTERS_COUNT, corr_pg_int(p->session.id));
    corr_db_add(p, CORR_SQL_DRAFTS_LIST, corr_pg_int(p->session.id));

    if (corr_query(p, "sent").len) {
        corr_db_add(p, CORR_SQL_LETTERS_SENT, corr_pg_int(p->session.id),
                    corr_pg_text(corr_query(p, "sent")));
    }

    return corr_db_send(p, corr_letters_show);
}


static ngx_int_t
corr_letters_show(corr_page_t *p)
{
    int64_t       page;
    corr_rows_t  *letters;

    page = corr_query_int(p, "page", 1);
    letters = corr_db_rows(p, 0);

    if (page > 1 && letters->nrows == 0) {
        return NGX_HTTP_NOT_FOUND;
    }

    corr_view_rows(p->view, "letters", letters);

    if (page == 1) {
        corr_view_rows(p->view, "drafts", corr_db_rows(p, 2));
    }

    corr_letters_sent(p, corr_db_rows(p, 3));

    corr_page_pager(p, "/desk/letters?page=", page,
                    corr_rows_int(corr_db_rows(p, 1), 0, "letters"),
                    CORR_LETTERS_PER_PAGE);

    return corr_reply_page(p, CORR_TPL_LETTERS_LIST);
}


/* ?sent= of somebody else's letter, or of none, says nothing. */

static void
corr_letters_sent(corr_page_t *p, corr_rows_t *rows)
{
    corr_view_t  *sent;

    if (rows->nrows == 0) {
        return;
    }

    sent = corr_view_object(p->view, "sent");

    corr_view_value(sent, "tracking_code",
                    corr_rows_get(rows, 0, "tracking_code"));
    corr_view_value(sent, "subject", corr_rows_get(rows, 0, "subject"));
    corr_view_value(sent, "created_at", corr_rows_get(rows, 0, "created_at"));
    corr_view_value(sent, "due_on", corr_rows_get(rows, 0, "due_on"));
    corr_view_text(sent, "mobile_masked",
                   corr_page_mask(p, corr_rows_text(rows, 0, "mobile")));
}


static ngx_int_t
corr_letter_submit(corr_page_t *p)
{
    corr_letter_form_t  *form = p->data;

#define corr_company(name)                                                    \
    (form->legal ? corr_pg_text(corr_form_value(p, name)) : corr_pg_null())

    corr_db_begin(p, CORR_WRITE);

    corr_db_add(p, CORR_SQL_LETTER_SUBMIT,
                corr_pg_text(form->key),
                form->draft.len ? corr_pg_text(form->draft) : corr_pg_null(),
                corr_pg_text(corr_form_value(p, "person_kind")),
                corr_pg_text(corr_form_value(p, "address")),
                corr_pg_text(corr_form_value(p, "subject")),
                corr_pg_text(corr_form_value(p, "body")),
                form->legal ? corr_pg_text(form->company) : corr_pg_null(),
                corr_company("company_national_id"),
                corr_company("registration_number"),
                corr_company("company_postal_code"),
                corr_company("company_phone"),
                corr_company("position"),
                form->company_silent ? corr_pg_null()
                                     : corr_pg_bool(form->company_checked),
                corr_pg_text(corr_uploads_json(p)),
                corr_page_limits(p),
                form->keep.data ? corr_pg_text(form->keep)
                                : corr_pg_null());

#undef corr_company

    corr_letter_evidence(p);
    corr_db_on_refusal(p, corr_letter_refused);

    return corr_db_send(p, corr_letter_submitted);
}


static ngx_int_t
corr_letter_submitted(corr_page_t *p)
{
    corr_str_t  code;

    corr_relay_wake(p->worker->relay);

    code = corr_rows_text(corr_db_rows(p, 0), 0, "tracking_code");

    return corr_reply_redirect(p, "/desk/letters?sent=%*s", code.len,
                               code.data);
}


static ngx_int_t
corr_letter_open(corr_page_t *p)
{
    corr_db_begin(p, CORR_READ);
    corr_letter_page_find(p);

    return corr_db_send(p, corr_letter_opened);
}


/*
 * Answers that are shown for the first time are noted as read, but not one
 * that came after the page had read its events.
 */

static ngx_int_t
corr_letter_opened(corr_page_t *p)
{
    int64_t     shown;
    ngx_uint_t  unread;

    unread = corr_rows_int(corr_db_rows(p, 0), 0, "new_answers") != 0;
    shown = corr_letter_page_last_event(p);

    if (corr_letter_page_show(p) != NGX_OK) {
        return NGX_HTTP_NOT_FOUND;
    }

    if (!unread || p->request->method != NGX_HTTP_GET) {
        return corr_letter_show(p);
    }

    corr_db_begin(p, CORR_WRITE);
    corr_db_add(p, CORR_SQL_LETTER_SEEN, corr_pg_text(p->params[0]),
                corr_pg_int(shown));

    return corr_db_send(p, corr_letter_seen);
}


/* The guard counted before; the menu says what is left. */

static ngx_int_t
corr_letter_seen(corr_page_t *p)
{
    corr_str_t    name;
    corr_view_t  *me;
    corr_value_t  value;

    if (!corr_rows_int(corr_db_rows(p, 0), 0, "ok")) {
        return corr_letter_show(p);
    }

    me = corr_view_object(p->view, "me");
    name = CORR_STR("unread");

    if (corr_view_get(me, name, corr_name_hash(name), &value) && value.n) {
        corr_view_int(me, "unread", value.n - 1);
    }

    return corr_letter_show(p);
}


static ngx_int_t
corr_letter_show(corr_page_t *p)
{
    return corr_reply_page(p, CORR_TPL_LETTERS_SHOW);
}
