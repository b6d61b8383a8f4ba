/*
 * One referral: the letter beside what is asked of the unit.  The unit
 * answers or returns it; whom the letter is with calls it back.
 */

#include "clerk_actions.h"
#include "uploads.h"


static ngx_int_t corr_referral_find(corr_page_t *p);
static ngx_int_t corr_referral_gone(corr_page_t *p, const char *state,
    corr_str_t message, corr_str_t detail);
static ngx_int_t corr_referral_written(corr_page_t *p);
static ngx_int_t corr_referral_show(corr_page_t *p);
static ngx_int_t corr_referral_act(corr_page_t *p);
static ngx_int_t corr_referral_acted(corr_page_t *p);
static ngx_int_t corr_referral_answer(corr_page_t *p);
static ngx_int_t corr_referral_return(corr_page_t *p);
static ngx_int_t corr_referral_recall(corr_page_t *p);


static const corr_rule_t  corr_referral_answer_rules[] = {
    CORR_KEY_RULE,
    { "body", CORR_RULE_TEXT, CORR_REQUIRED, 0, 8000, CORR_MSG_BODY_REQUIRED,
      CORR_MSG_BODY_WRONG, NULL },
    CORR_NO_RULE
};

static const corr_rule_t  corr_referral_return_rules[] = {
    CORR_KEY_RULE,
    { "return_body", CORR_RULE_TEXT, CORR_REQUIRED, 0, 2000,
      CORR_MSG_RETURN_REASON_REQUIRED, CORR_MSG_BODY_WRONG, NULL },
    CORR_NO_RULE
};

static const corr_rule_t  corr_referral_recall_rules[] = {
    CORR_KEY_RULE,
    { "recall_body", CORR_RULE_TEXT, CORR_OPTIONAL, 0, 2000,
      CORR_MSG_BODY_REQUIRED, CORR_MSG_BODY_WRONG, NULL },
    CORR_NO_RULE
};


static const char *const  corr_referral_flags[] = {
    "can_answer", "can_return", "can_recall", NULL
};


static const corr_action_t  corr_referral_actions[] = {
    { "answer", "answer", "referral_answered", corr_referral_answer_rules,
      corr_referral_answer },
    { "return", "return", "referral_returned", corr_referral_return_rules,
      corr_referral_return },
    { "recall", "recall", "referral_recalled", corr_referral_recall_rules,
      corr_referral_recall },
    { NULL, NULL, NULL, NULL, NULL }
};


const corr_step_pt  corr_referral_steps[] = {
    corr_referral_find,
    corr_referral_show,
    NULL
};


const corr_step_pt  corr_referral_action_steps[] = {
    corr_referral_act,
    corr_referral_acted,
    NULL
};


/* Seeing it is a write, as with a letter: the unit has seen it now. */

static ngx_int_t
corr_referral_find(corr_page_t *p)
{
    corr_pg_param_t  id;

    id = corr_pg_int(corr_param_id(p));

    corr_db_begin(p, CORR_WRITE);

    corr_db_add(p, CORR_SQL_CLERK_REFERRAL_OPEN, id);
    corr_db_add(p, CORR_SQL_CLERK_REFERRAL_SHOW, id,
                corr_pg_int(p->session.id));
    corr_db_add(p, CORR_SQL_CLERK_REFERRAL_FILES, id);
    corr_db_on_refusal(p, corr_referral_gone);

    return corr_db_send(p, NULL);
}


/*
 * It was theirs while they wrote, and is not for them any more, as when it was
 * recalled: nothing of it, but what they wrote.
 */

static ngx_int_t
corr_referral_gone(corr_page_t *p, const char *state, corr_str_t message,
    corr_str_t detail)
{
    (void) message;
    (void) detail;

    if (p->status != NGX_HTTP_CONFLICT || ngx_strcmp(state, "CR404") != 0) {
        return NGX_DECLINED;
    }

    corr_db_begin(p, CORR_READ);

    return corr_db_send(p, corr_referral_written);
}


static ngx_int_t
corr_referral_written(corr_page_t *p)
{
    corr_action_view(p, corr_referral_actions);

    return corr_reply_page(p, CORR_TPL_CLERK_REFERRAL);
}


static ngx_int_t
corr_referral_show(corr_page_t *p)
{
    corr_rows_t        *referral;
    const char *const  *name;

    referral = corr_db_rows(p, 1);

    if (referral->nrows == 0) {
        return NGX_HTTP_NOT_FOUND;
    }

    corr_view_row(corr_view_object(p->view, "referral"), referral, 0);
    corr_view_rows(p->view, "files", corr_db_rows(p, 2));

    for (name = corr_referral_flags; *name; name++) {
        corr_view_value(p->view, *name, corr_rows_get(referral, 0, *name));
    }

    corr_action_view(p, corr_referral_actions);

    return corr_reply_page(p, CORR_TPL_CLERK_REFERRAL);
}


static ngx_int_t
corr_referral_act(corr_page_t *p)
{
    return corr_action_do(p, corr_referral_actions);
}


/* Back to the letter; what was returned is not for the unit any more. */

static ngx_int_t
corr_referral_acted(corr_page_t *p)
{
    corr_str_t            code;
    const corr_action_t  *action;

    action = corr_action_find(p, corr_referral_actions);

    if (action->send == corr_referral_return) {
        return corr_reply_redirect(p, "/?flash=%s", action->flash);
    }

    code = corr_rows_text(corr_db_rows(p, 0), 0, "tracking_code");

    return corr_reply_redirect(p, "/letters/%*s?flash=%s", code.len,
                               code.data, action->flash);
}


static ngx_int_t
corr_referral_answer(corr_page_t *p)
{
    corr_db_begin(p, CORR_WRITE);
    corr_db_add(p, CORR_SQL_REFERRAL_ANSWER, corr_action_key(p),
                corr_pg_int(corr_param_id(p)), corr_action_text(p, "body"),
                corr_pg_text(corr_uploads_json(p)));

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_referral_return(corr_page_t *p)
{
    corr_db_begin(p, CORR_WRITE);
    corr_db_add(p, CORR_SQL_REFERRAL_RETURN, corr_action_key(p),
                corr_pg_int(corr_param_id(p)),
                corr_action_text(p, "return_body"));

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_referral_recall(corr_page_t *p)
{
    corr_db_begin(p, CORR_WRITE);
    corr_db_add(p, CORR_SQL_REFERRAL_RECALL, corr_action_key(p),
                corr_pg_int(corr_param_id(p)),
                corr_action_text(p, "recall_body"));

    return corr_db_send(p, NULL);
}
