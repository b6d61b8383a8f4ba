/*
 * Messages: what was queued, sent, delivered, failed, to whom and for which
 * letter; and sending one again.
 */

#include "clerk_actions.h"

#include "../lib/digits.h"


#define CORR_MESSAGES_ROWS   50


static ngx_int_t corr_messages_find(corr_page_t *p);
static ngx_int_t corr_messages_show(corr_page_t *p);
static corr_str_t corr_messages_state(corr_page_t *p);
static ngx_int_t corr_message_resend(corr_page_t *p);
static ngx_int_t corr_message_resent(corr_page_t *p);


static const corr_rule_t  corr_message_rules[] = {
    CORR_KEY_RULE,
    { "back", CORR_RULE_DIGITS, CORR_OPTIONAL, 6, 18, CORR_MSG_FIELD_WRONG,
      CORR_MSG_FIELD_WRONG, NULL },
    CORR_NO_RULE
};


static const char  corr_message_states[] =
    "failed expired unknown queued sending sent delivered";


const corr_step_pt  corr_messages_steps[] = {
    corr_messages_find,
    corr_messages_show,
    NULL
};


const corr_step_pt  corr_message_resend_steps[] = {
    corr_message_resend,
    corr_message_resent,
    NULL
};


static ngx_int_t
corr_messages_find(corr_page_t *p)
{
    uint64_t         id;
    corr_str_t       state, details;
    corr_pg_param_t  before;

    before = corr_pg_null();

    if (corr_digits_number(corr_query(p, "page"), INT64_MAX, &id) == CORR_OK)
    {
        before = corr_pg_int((int64_t) id);
    }

    state = corr_messages_state(p);
    details = corr_clerk_text(p, "{\"state\":\"%*s\"}", state.len, state.data);

    corr_db_begin(p, CORR_WRITE);

    corr_db_add(p, CORR_SQL_STAFF_READ, corr_pg_text(CORR_STR("messages")),
                corr_pg_text(details));
    corr_db_add(p, CORR_SQL_CLERK_MESSAGES_TABS);
    corr_db_add(p, CORR_SQL_CLERK_MESSAGES, corr_pg_text(state), before,
                corr_pg_int(CORR_MESSAGES_ROWS + 1));

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_messages_show(corr_page_t *p)
{
    corr_str_t    state;
    corr_rows_t  *messages;

    state = corr_messages_state(p);
    messages = corr_db_rows(p, 2);

    corr_clerk_tabs(p, "states", corr_db_rows(p, 1), "state", state);
    corr_clerk_pager(p, messages, CORR_MESSAGES_ROWS,
                     corr_clerk_text(p, "/messages?state=%*s", state.len,
                                    state.data),
                     "message_id");
    corr_view_rows(p->view, "outbox", messages);
    corr_form_key(p);

    return corr_reply_page(p, CORR_TPL_CLERK_MESSAGES);
}


/* What failed comes first: it is why people come here. */

static corr_str_t
corr_messages_state(corr_page_t *p)
{
    corr_str_t  state;

    state = corr_query(p, "state");

    return corr_form_choice_is(corr_message_states, state)
           ? state : CORR_STR("failed");
}


static ngx_int_t
corr_message_resend(corr_page_t *p)
{
    if (corr_form_check(p, corr_message_rules) != NGX_OK) {
        return NGX_ERROR;
    }

    if (p->failed_form) {
        return corr_flow_again(p, 422);
    }

    corr_db_begin(p, CORR_WRITE);
    corr_db_add(p, CORR_SQL_MESSAGE_RESEND, corr_action_key(p),
                corr_pg_int(corr_param_id(p)));

    return corr_db_send(p, NULL);
}


/* Back to the letter whose timeline had the button, or to the list. */

static ngx_int_t
corr_message_resent(corr_page_t *p)
{
    corr_str_t  back;

    corr_relay_wake(p->worker->relay);

    back = corr_form_value(p, "back");

    if (back.len) {
        return corr_reply_redirect(p, "/letters/%*s?flash=message_resent",
                                   back.len, back.data);
    }

    return corr_reply_redirect(p, "/messages?flash=message_resent");
}
