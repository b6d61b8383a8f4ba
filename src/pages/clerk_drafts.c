#include "clerk_drafts.h"
#include "left.h"


static ngx_int_t corr_reply_left_stored(corr_page_t *p);
static ngx_int_t corr_reply_left_saved(corr_page_t *p);


const corr_rule_t  corr_reply_draft_rules[] = {
    { "body", CORR_RULE_TEXT, CORR_OPTIONAL, 0, 8000, CORR_MSG_BODY_REQUIRED,
      CORR_MSG_BODY_WRONG, NULL },
    CORR_NO_RULE
};


/* The same again keeps the same: no submission key. */

ngx_int_t
corr_reply_draft_save(corr_page_t *p)
{
    corr_db_begin(p, CORR_WRITE|CORR_KEEPS);
    corr_db_add(p, CORR_SQL_REPLY_DRAFT_SAVE, corr_pg_text(p->params[0]),
                corr_action_text(p, "body"));

    return corr_db_send(p, NULL);
}


ngx_int_t
corr_reply_leave(corr_page_t *p)
{
    u_char      *end;
    corr_str_t   parts[CORR_LEFT_PARTS];

    if (corr_form_check(p, corr_reply_draft_rules) != NGX_OK) {
        return NGX_ERROR;
    }

    if (corr_form_value(p, "body").len == 0) {
        return corr_session_missing(p);
    }

    /* the page's key; behind it stands which of its forms it was */

    parts[0] = corr_form_raw(p, "submission_key");
    end = ngx_strlchr(parts[0].data, parts[0].data + parts[0].len, '_');

    if (end) {
        parts[0].len = end - parts[0].data;
    }

    parts[1] = p->params[0];
    parts[2] = corr_form_value(p, "body");

    return corr_left_keep(p, "reply", parts, corr_reply_left_stored);
}


static ngx_int_t
corr_reply_left_stored(corr_page_t *p)
{
    return corr_session_missing_for(p, corr_clerk_text(p, "/letters/%*s",
                                                       p->params[0].len,
                                                       p->params[0].data));
}


corr_redis_op_t *
corr_reply_left_find(corr_page_t *p)
{
    return p->again ? NULL : corr_left_find(p, "reply");
}


ngx_int_t
corr_reply_left_take(corr_page_t *p, corr_redis_op_t *left)
{
    corr_str_t  parts[CORR_LEFT_PARTS];

    if (corr_left_open(p, left, parts) != CORR_OK
        || !corr_str_eq(parts[1], p->params[0]))
    {
        return NGX_DECLINED;
    }

    corr_db_begin(p, CORR_WRITE|CORR_KEEPS);
    corr_db_add(p, CORR_SQL_REPLY_DRAFT_SAVE, corr_pg_text(p->params[0]),
                corr_pg_text(parts[2]));

    return corr_db_send(p, corr_reply_left_saved);
}


static ngx_int_t
corr_reply_left_saved(corr_page_t *p)
{
    corr_left_forget(p, "reply");

    return corr_reply_redirect(p, "/letters/%*s?flash=reply_left",
                               p->params[0].len, p->params[0].data);
}
