/*
 * Tickets as clerks see them: the list by state, one with its thread, the
 * answer, and its end.
 */

#include "clerk_actions.h"
#include "uploads.h"


#define CORR_TICKETS_ROWS    25


static ngx_int_t corr_clerk_tickets_find(corr_page_t *p);
static ngx_int_t corr_clerk_tickets_show(corr_page_t *p);
static corr_str_t corr_clerk_tickets_state(corr_page_t *p);
static ngx_int_t corr_clerk_ticket_find(corr_page_t *p);
static ngx_int_t corr_clerk_ticket_show(corr_page_t *p);
static ngx_int_t corr_clerk_ticket_act(corr_page_t *p);
static ngx_int_t corr_clerk_ticket_acted(corr_page_t *p);
static ngx_int_t corr_clerk_ticket_reply(corr_page_t *p);
static ngx_int_t corr_clerk_ticket_close(corr_page_t *p);


static const corr_rule_t  corr_clerk_ticket_rules[] = {
    CORR_KEY_RULE,
    { "body", CORR_RULE_TEXT, CORR_REQUIRED, 0, 4000, CORR_MSG_BODY_REQUIRED,
      CORR_MSG_BODY_WRONG, NULL },
    CORR_NO_RULE
};

static const corr_rule_t  corr_clerk_ticket_close_rules[] = {
    CORR_NO_RULE
};


static const corr_action_t  corr_clerk_ticket_actions[] = {
    { "messages", "messages", "replied", corr_clerk_ticket_rules,
      corr_clerk_ticket_reply },
    { "close", "close", "ticket_closed", corr_clerk_ticket_close_rules,
      corr_clerk_ticket_close },
    { NULL, NULL, NULL, NULL, NULL }
};


static const char  corr_ticket_states[] = "open answered closed";


const corr_step_pt  corr_clerk_tickets_steps[] = {
    corr_clerk_tickets_find,
    corr_clerk_tickets_show,
    NULL
};


const corr_step_pt  corr_clerk_ticket_steps[] = {
    corr_clerk_ticket_find,
    corr_clerk_ticket_show,
    NULL
};


const corr_step_pt  corr_clerk_ticket_action_steps[] = {
    corr_clerk_ticket_act,
    corr_clerk_ticket_acted,
    NULL
};


static ngx_int_t
corr_clerk_tickets_find(corr_page_t *p)
{
    corr_str_t  cursor;

    cursor = corr_query(p, "page");

    corr_db_begin(p, CORR_READ);

    corr_db_add(p, CORR_SQL_CLERK_TICKETS_TABS);
    corr_db_add(p, CORR_SQL_CLERK_TICKETS,
                corr_pg_text(corr_clerk_tickets_state(p)),
                cursor.len ? corr_pg_text(cursor) : corr_pg_null(),
                corr_pg_int(CORR_TICKETS_ROWS + 1));

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_clerk_tickets_show(corr_page_t *p)
{
    corr_str_t    state;
    corr_rows_t  *tickets;

    state = corr_clerk_tickets_state(p);
    tickets = corr_db_rows(p, 1);

    corr_clerk_tabs(p, "statuses", corr_db_rows(p, 0), "ticket_status",
                    state);
    corr_clerk_pager(p, tickets, CORR_TICKETS_ROWS,
                     corr_clerk_text(p, "/tickets?status=%*s", state.len,
                                    state.data),
                     "cursor");
    corr_view_rows(p->view, "tickets", tickets);

    return corr_reply_page(p, CORR_TPL_CLERK_TICKETS);
}


static corr_str_t
corr_clerk_tickets_state(corr_page_t *p)
{
    corr_str_t  state;

    state = corr_query(p, "status");

    return corr_form_choice_is(corr_ticket_states, state) ? state
                                                          : CORR_STR("open");
}


static ngx_int_t
corr_clerk_ticket_find(corr_page_t *p)
{
    corr_pg_param_t  number;

    number = corr_pg_int(corr_param_id(p));

    corr_db_begin(p, CORR_WRITE);

    corr_db_add(p, CORR_SQL_CLERK_TICKET_OPEN, number);
    corr_db_add(p, CORR_SQL_CLERK_TICKET_SHOW, number);
    corr_db_add(p, CORR_SQL_CLERK_TICKET_MESSAGES, number);
    corr_db_add(p, CORR_SQL_CLERK_TICKET_MESSAGE_FILES, number);

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_clerk_ticket_show(corr_page_t *p)
{
    corr_rows_t  *posts;

    posts = corr_db_rows(p, 2);

    if (posts->ncolumns
        && corr_rows_nest(&p->alloc, posts, "message_id", "post_files",
                          corr_db_rows(p, 3), "message_id")
           != CORR_OK)
    {
        return NGX_ERROR;
    }

    corr_view_row(corr_view_object(p->view, "ticket"), corr_db_rows(p, 1), 0);
    corr_view_rows(p->view, "posts", posts);

    corr_action_view(p, corr_clerk_ticket_actions);

    return corr_reply_page(p, CORR_TPL_CLERK_TICKET);
}


static ngx_int_t
corr_clerk_ticket_act(corr_page_t *p)
{
    return corr_action_do(p, corr_clerk_ticket_actions);
}


static ngx_int_t
corr_clerk_ticket_acted(corr_page_t *p)
{
    corr_relay_wake(p->worker->relay);

    return corr_reply_redirect(p, "/tickets/%L?flash=%s", corr_param_id(p),
                               corr_action_find(p, corr_clerk_ticket_actions)
                                   ->flash);
}


static ngx_int_t
corr_clerk_ticket_reply(corr_page_t *p)
{
    corr_db_begin(p, CORR_WRITE);
    corr_db_add(p, CORR_SQL_TICKET_REPLY, corr_action_key(p),
                corr_pg_int(corr_param_id(p)), corr_action_text(p, "body"),
                corr_pg_text(corr_uploads_json(p)));

    return corr_db_send(p, NULL);
}


/* Closing twice is closing once: no key. */

static ngx_int_t
corr_clerk_ticket_close(corr_page_t *p)
{
    corr_db_begin(p, CORR_WRITE);
    corr_db_add(p, CORR_SQL_TICKET_CLOSE, corr_pg_int(corr_param_id(p)));

    return corr_db_send(p, NULL);
}
