/*
 * Messages: what was queued, sent, delivered, failed, to whom and for which
 * letter; sending one again, or all of a period that did not arrive.
 */

#include "clerk_actions.h"
#include "clerk_admin.h"

#include "../lib/digits.h"
#include "../lib/jalali.h"


#define CORR_MESSAGES_ROWS   50
#define CORR_MESSAGES_MOST   5000     /* sent again at once */


static ngx_int_t corr_messages_find(corr_page_t *p);
static ngx_int_t corr_messages_list(corr_page_t *p, corr_step_pt then);
static ngx_int_t corr_messages_show(corr_page_t *p);
static corr_str_t corr_messages_state(corr_page_t *p);
static ngx_int_t corr_message_resend(corr_page_t *p);
static ngx_int_t corr_message_resent(corr_page_t *p);
static ngx_int_t corr_messages_again(corr_page_t *p);
static corr_pg_param_t corr_messages_day(corr_page_t *p, corr_str_t typed);
static ngx_int_t corr_messages_again_ask(corr_page_t *p);
static void corr_messages_field(corr_page_t *p, const char *name);
static ngx_int_t corr_messages_resend(corr_page_t *p);
static ngx_int_t corr_messages_resent(corr_page_t *p);


static const corr_rule_t  corr_message_rules[] = {
    CORR_KEY_RULE,
    { "back", CORR_RULE_DIGITS, CORR_OPTIONAL, 6, 18, CORR_MSG_FIELD_WRONG,
      CORR_MSG_FIELD_WRONG, NULL },
    CORR_NO_RULE
};


static const corr_rule_t  corr_messages_rules[] = {
    CORR_KEY_RULE,
    { "state", CORR_RULE_CHOICE, CORR_REQUIRED, 0, 0, CORR_MSG_FIELD_WRONG,
      CORR_MSG_FIELD_WRONG, "failed expired" },
    { "from", CORR_RULE_LINE, CORR_OPTIONAL, 0, 20, CORR_MSG_FROM_WRONG,
      CORR_MSG_FROM_WRONG, NULL },
    { "to", CORR_RULE_LINE, CORR_OPTIONAL, 0, 20, CORR_MSG_TO_WRONG,
      CORR_MSG_TO_WRONG, NULL },
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


const corr_step_pt  corr_messages_again_steps[] = {
    corr_messages_again,
    corr_messages_again_ask,
    NULL
};


const corr_step_pt  corr_messages_resend_steps[] = {
    corr_messages_resend,
    corr_messages_resent,
    NULL
};


static ngx_int_t
corr_messages_find(corr_page_t *p)
{
    return corr_messages_list(p, NULL);
}


static ngx_int_t
corr_messages_list(corr_page_t *p, corr_step_pt then)
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

    return corr_db_send(p, then);
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
    corr_view_text(p->view, "state", state);
    corr_view_flag(p->view, "can_resend_all",
                   corr_form_choice_is("failed expired", state));
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


/* How many of the period are there; nothing is sent yet. */

static ngx_int_t
corr_messages_again(corr_page_t *p)
{
    int64_t    from, to;
    ngx_int_t  from_rc, to_rc;

    from_rc = corr_admin_date(p, "from", CORR_MSG_FROM_WRONG, &from);
    to_rc = corr_admin_date(p, "to", CORR_MSG_TO_WRONG, &to);

    if (from_rc == NGX_OK && to_rc == NGX_OK && from > to) {
        corr_form_error(p, "from", CORR_MSG_FROM_AFTER_TO, NULL);
    }

    if (p->failed_form) {
        p->status = 422;
        return corr_messages_list(p, corr_messages_show);
    }

    corr_db_begin(p, CORR_READ);
    corr_db_add(p, CORR_SQL_MESSAGES_RESENDABLE,
                corr_pg_text(corr_messages_state(p)),
                corr_messages_day(p, corr_query(p, "from")),
                corr_messages_day(p, corr_query(p, "to")),
                corr_pg_int(CORR_MESSAGES_MOST));

    return corr_db_send(p, NULL);
}


static corr_pg_param_t
corr_messages_day(corr_page_t *p, corr_str_t typed)
{
    int64_t  days;

    return corr_jalali_parse(typed, &days) == CORR_OK
           ? corr_pg_text(corr_page_date(p, days)) : corr_pg_null();
}


static ngx_int_t
corr_messages_again_ask(corr_page_t *p)
{
    corr_view_t   *values;
    corr_rows_t   *rows;
    corr_texts_t  *texts = p->settings->texts;

    rows = corr_db_rows(p, 0);

    if (corr_rows_int(rows, 0, "count") == 0) {
        corr_form_error(p, "from", CORR_MSG_MESSAGES_NONE, NULL);
        p->status = 422;
        return corr_messages_list(p, corr_messages_show);
    }

    values = corr_view_create(&p->alloc);
    if (values == NULL) {
        return NGX_ERROR;
    }

    corr_view_row(values, rows, 0);

    corr_view_text(p->view, "question",
                   corr_texts_message(texts, CORR_MSG_CONFIRM_MESSAGES_RESEND,
                                      values, p->pool));
    corr_view_text(p->view, "consequence",
                   corr_texts_message(texts,
                              CORR_MSG_CONFIRM_MESSAGES_RESEND_CONSEQUENCE,
                              values, p->pool));
    corr_view_text(p->view, "button",
                   corr_texts_message(texts,
                                   CORR_MSG_CONFIRM_MESSAGES_RESEND_BUTTON,
                                   values, p->pool));
    corr_view_cstr(p->view, "action", "/messages/again");
    corr_view_cstr(p->view, "back", "/messages");

    corr_messages_field(p, "state");
    corr_messages_field(p, "from");
    corr_messages_field(p, "to");
    corr_form_key(p);

    return corr_reply_page(p, CORR_TPL_CLERK_CONFIRM);
}


static void
corr_messages_field(corr_page_t *p, const char *name)
{
    corr_view_t  *field;

    field = corr_view_append(p->view, "fields");

    corr_view_cstr(field, "field_name", name);
    corr_view_text(field, "field_value", ngx_strcmp(name, "state") == 0
                                         ? corr_messages_state(p)
                                         : corr_query(p, name));
}


static ngx_int_t
corr_messages_resend(corr_page_t *p)
{
    int64_t      days;
    corr_str_t   from, to;

    if (corr_form_check(p, corr_messages_rules) != NGX_OK) {
        return NGX_ERROR;
    }

    from = corr_form_value(p, "from");
    to = corr_form_value(p, "to");

    /* a day that is none would be no bound at all */

    if (from.len && corr_jalali_parse(from, &days) != CORR_OK) {
        corr_form_error(p, "from", CORR_MSG_FROM_WRONG, NULL);
    }

    if (to.len && corr_jalali_parse(to, &days) != CORR_OK) {
        corr_form_error(p, "to", CORR_MSG_TO_WRONG, NULL);
    }

    if (p->failed_form) {
        return corr_flow_again(p, 422);
    }

    corr_db_begin(p, CORR_WRITE);
    corr_db_add(p, CORR_SQL_MESSAGES_RESEND, corr_action_key(p),
                corr_action_text(p, "state"), corr_messages_day(p, from),
                corr_messages_day(p, to), corr_pg_int(CORR_MESSAGES_MOST));

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_messages_resent(corr_page_t *p)
{
    corr_relay_wake(p->worker->relay);

    return corr_reply_redirect(p, "/messages?state=queued"
                                  "&flash=messages_resent");
}
