/*
 * Tickets: help with the portal itself, a thread with the clerks.
 */

#include "shared.h"
#include "uploads.h"

#include "../lib/digits.h"


#define CORR_TICKETS_ROWS    20
#define CORR_TICKETS_PAGES   10000


static ngx_int_t corr_tickets_find(corr_page_t *p);
static ngx_int_t corr_tickets_show(corr_page_t *p);
static ngx_int_t corr_ticket_new(corr_page_t *p);
static ngx_int_t corr_ticket_new_show(corr_page_t *p);
static ngx_int_t corr_ticket_create(corr_page_t *p);
static ngx_int_t corr_ticket_created(corr_page_t *p);
static ngx_int_t corr_ticket_number(corr_page_t *p, int64_t *number);
static ngx_int_t corr_ticket_find(corr_page_t *p);
static ngx_int_t corr_ticket_show(corr_page_t *p);
static ngx_int_t corr_ticket_post(corr_page_t *p);
static ngx_int_t corr_ticket_posted(corr_page_t *p);


static const corr_rule_t  corr_ticket_rules[] = {
    { "submission_key", CORR_RULE_KEY, CORR_REQUIRED, 0, 0,
      CORR_MSG_SUBMISSION_KEY_INVALID, CORR_MSG_SUBMISSION_KEY_INVALID,
      NULL },
    { "subject", CORR_RULE_LINE, CORR_REQUIRED, 0, 120,
      CORR_MSG_SUBJECT_REQUIRED, CORR_MSG_SUBJECT_WRONG, NULL },
    { "body", CORR_RULE_TEXT, CORR_REQUIRED, 0, 4000,
      CORR_MSG_BODY_REQUIRED, CORR_MSG_BODY_WRONG, NULL },
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};

static const corr_rule_t  corr_ticket_post_rules[] = {
    { "submission_key", CORR_RULE_KEY, CORR_REQUIRED, 0, 0,
      CORR_MSG_SUBMISSION_KEY_INVALID, CORR_MSG_SUBMISSION_KEY_INVALID,
      NULL },
    { "body", CORR_RULE_TEXT, CORR_REQUIRED, 0, 4000,
      CORR_MSG_BODY_REQUIRED, CORR_MSG_BODY_WRONG, NULL },
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};


const corr_step_pt  corr_tickets_steps[] = {
    corr_tickets_find, corr_tickets_show, NULL
};

const corr_step_pt  corr_ticket_new_steps[] = {
    corr_ticket_new, corr_ticket_new_show, NULL
};

const corr_step_pt  corr_ticket_create_steps[] = {
    corr_ticket_create, corr_ticket_created, NULL
};

const corr_step_pt  corr_ticket_steps[] = {
    corr_ticket_find, corr_ticket_show, NULL
};

const corr_step_pt  corr_ticket_post_steps[] = {
    corr_ticket_post, corr_ticket_posted, NULL
};


static ngx_int_t
corr_tickets_find(corr_page_t *p)
{
    int64_t  page;

    page = corr_query_int(p, "page", 1);

    if (page < 1 || page > CORR_TICKETS_PAGES) {
        return NGX_HTTP_NOT_FOUND;
    }

    corr_db_begin(p, CORR_READ);

    corr_db_add(p, CORR_SQL_TICKETS_LIST, corr_pg_int(p->session.id),
                corr_pg_int(CORR_TICKETS_ROWS),
                corr_pg_int((page - 1) * CORR_TICKETS_ROWS));
    corr_db_add(p, CORR_SQL_TICKETS_COUNT, corr_pg_int(p->session.id));

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_tickets_show(corr_page_t *p)
{
    corr_view_rows(p->view, "tickets", corr_db_rows(p, 0));

    corr_page_pager(p, "/desk/tickets?page=",
                    corr_query_int(p, "page", 1),
                    corr_rows_int(corr_db_rows(p, 1), 0, "tickets"),
                    CORR_TICKETS_ROWS);

    return corr_reply_page(p, CORR_TPL_TICKETS_LIST);
}


static ngx_int_t
corr_ticket_new(corr_page_t *p)
{
    corr_db_begin(p, CORR_READ);

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_ticket_new_show(corr_page_t *p)
{
    corr_form_view(p, corr_ticket_rules);
    corr_form_key(p);
    corr_uploads_show(p);

    return corr_reply_page(p, CORR_TPL_TICKETS_NEW);
}


static ngx_int_t
corr_ticket_create(corr_page_t *p)
{
    if (corr_form_check(p, corr_ticket_rules) != NGX_OK
        || corr_uploads_restore(p) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (p->failed_form) {
        return corr_flow_again(p, 422);
    }

    corr_db_begin(p, CORR_WRITE);

    corr_db_add(p, CORR_SQL_TICKET_CREATE,
                corr_pg_text(corr_form_value(p, "submission_key")),
                corr_pg_text(corr_form_value(p, "subject")),
                corr_pg_text(corr_form_value(p, "body")),
                corr_pg_text(corr_uploads_json(p)));

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_ticket_created(corr_page_t *p)
{
    return corr_reply_redirect(p, "/desk/tickets/%L?flash=ticket_sent",
                               corr_rows_int(corr_db_rows(p, 0), 0,
                                             "ticket_number"));
}


static ngx_int_t
corr_ticket_number(corr_page_t *p, int64_t *number)
{
    uint64_t  n;

    if (corr_digits_number(p->params[0], INT64_MAX, &n) != CORR_OK) {
        return NGX_HTTP_NOT_FOUND;
    }

    *number = (int64_t) n;

    return NGX_OK;
}


/*
 * Reading a thread marks its answers as seen, hence a write.  In front of what
 * is read: an answer that comes in between is shown, and stays a new one.
 */

static ngx_int_t
corr_ticket_find(corr_page_t *p)
{
    int64_t  number;

    if (corr_ticket_number(p, &number) != NGX_OK) {
        return NGX_HTTP_NOT_FOUND;
    }

    corr_db_begin(p, p->again ? CORR_READ : CORR_WRITE);

    if (!p->again) {
        corr_db_add(p, CORR_SQL_TICKET_SEEN, corr_pg_int(number));
    }

    corr_db_add(p, CORR_SQL_TICKETS_SHOW, corr_pg_int(p->session.id),
                corr_pg_int(number));
    corr_db_add(p, CORR_SQL_TICKETS_MESSAGES, corr_pg_int(p->session.id),
                corr_pg_int(number));
    corr_db_add(p, CORR_SQL_TICKETS_MESSAGE_FILES,
                corr_pg_int(p->session.id), corr_pg_int(number));

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_ticket_show(corr_page_t *p)
{
    corr_rows_t  *ticket, *posts;
    ngx_uint_t    first;

    first = p->again ? 0 : 1;
    ticket = corr_db_rows(p, first);
    posts = corr_db_rows(p, first + 1);

    if (ticket->nrows == 0) {
        return NGX_HTTP_NOT_FOUND;
    }

    if (corr_rows_nest(&p->alloc, posts, "message_id", "post_files",
                       corr_db_rows(p, first + 2), "message_id")
        != CORR_OK)
    {
        return NGX_ERROR;
    }

    corr_view_row(corr_view_object(p->view, "ticket"), ticket, 0);
    corr_view_rows(p->view, "posts", posts);

    corr_form_view(p, corr_ticket_post_rules);
    corr_form_key(p);
    corr_uploads_show(p);

    return corr_reply_page(p, CORR_TPL_TICKETS_SHOW);
}


static ngx_int_t
corr_ticket_post(corr_page_t *p)
{
    int64_t  number;

    if (corr_ticket_number(p, &number) != NGX_OK) {
        return NGX_HTTP_NOT_FOUND;
    }

    if (corr_form_check(p, corr_ticket_post_rules) != NGX_OK
        || corr_uploads_restore(p) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (p->failed_form) {
        return corr_flow_again(p, 422);
    }

    corr_db_begin(p, CORR_WRITE);

    corr_db_add(p, CORR_SQL_TICKET_MESSAGE,
                corr_pg_text(corr_form_value(p, "submission_key")),
                corr_pg_int(number),
                corr_pg_text(corr_form_value(p, "body")),
                corr_pg_text(corr_uploads_json(p)));

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_ticket_posted(corr_page_t *p)
{
    return corr_reply_redirect(p,
                               "/desk/tickets/%*s?flash=ticket_message_sent",
                               p->params[0].len, p->params[0].data);
}
