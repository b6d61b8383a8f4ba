/*
 * What a citizen adds to a letter: the file that a correction asked for, and
 * follow-ups to an answer.  Both are forms on the letter's page.
 */

#include "letter_page.h"
#include "uploads.h"

#include "../lib/ids.h"


static ngx_int_t corr_correct(corr_page_t *p);
static ngx_int_t corr_corrected(corr_page_t *p);
static ngx_int_t corr_follow_up(corr_page_t *p);
static ngx_int_t corr_followed_up(corr_page_t *p);
static ngx_int_t corr_thread_find(corr_page_t *p);
static ngx_int_t corr_thread_show(corr_page_t *p);


static const corr_rule_t  corr_correct_rules[] = {
    { "submission_key", CORR_RULE_KEY, CORR_REQUIRED, 0, 0,
      CORR_MSG_SUBMISSION_KEY_INVALID, CORR_MSG_SUBMISSION_KEY_INVALID,
      NULL },
    { "file_id", CORR_RULE_LINE, CORR_REQUIRED, 0, 64,
      CORR_MSG_FILE_ID_REQUIRED, CORR_MSG_FILE_ID_WRONG, NULL },
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};


static const corr_rule_t  corr_follow_up_rules[] = {
    { "submission_key", CORR_RULE_KEY, CORR_REQUIRED, 0, 0,
      CORR_MSG_SUBMISSION_KEY_INVALID, CORR_MSG_SUBMISSION_KEY_INVALID,
      NULL },
    { "body", CORR_RULE_TEXT, CORR_REQUIRED, 0, 20000,
      CORR_MSG_BODY_REQUIRED, CORR_MSG_BODY_WRONG, NULL },
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};


const corr_step_pt  corr_correct_steps[] = {
    corr_correct,
    NULL
};


const corr_step_pt  corr_follow_up_steps[] = {
    corr_follow_up,
    NULL
};


const corr_step_pt  corr_thread_again_steps[] = {
    corr_thread_find,
    NULL
};


static ngx_int_t
corr_correct(corr_page_t *p)
{
    corr_str_t  file;

    if (corr_form_check(p, corr_correct_rules) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!p->failed_form
        && corr_check_uuid(&p->alloc, corr_form_value(p, "file_id"), &file)
           != CORR_OK)
    {
        corr_form_error(p, "file_id", CORR_MSG_FILE_ID_WRONG, NULL);
    }

    /* a file chosen now stands in for the one that was kept */

    if (p->uploads.nelts == 0 && corr_uploads_restore(p) != NGX_OK) {
        return NGX_ERROR;
    }

    if (p->uploads.nelts > 1) {
        corr_uploads_too_many(p, 1);
    }

    if (p->failed_form) {
        return corr_flow_again(p, 422);
    }

    /* whether there is one is asked behind the key, by the function */

    corr_db_begin(p, CORR_WRITE);

    corr_db_add(p, CORR_SQL_LETTER_CORRECT,
                corr_pg_text(corr_form_value(p, "submission_key")),
                corr_pg_text(p->params[0]), corr_pg_text(file),
                corr_pg_text(corr_uploads_json(p)));

    return corr_db_send(p, corr_corrected);
}


static ngx_int_t
corr_corrected(corr_page_t *p)
{
    corr_relay_wake(p->worker->relay);

    return corr_reply_redirect(p, "/desk/letters/%*s?flash=correction_sent",
                               p->params[0].len, p->params[0].data);
}


static ngx_int_t
corr_follow_up(corr_page_t *p)
{
    if (corr_form_check(p, corr_follow_up_rules) != NGX_OK
        || corr_uploads_restore(p) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (p->failed_form) {
        return corr_flow_again(p, 422);
    }

    corr_db_begin(p, CORR_WRITE);

    corr_db_add(p, CORR_SQL_LETTER_FOLLOWUP,
                corr_pg_text(corr_form_value(p, "submission_key")),
                corr_pg_text(p->params[0]),
                corr_pg_text(corr_form_value(p, "body")),
                corr_pg_text(corr_uploads_json(p)));

    return corr_db_send(p, corr_followed_up);
}


static ngx_int_t
corr_followed_up(corr_page_t *p)
{
    corr_relay_wake(p->worker->relay);

    return corr_reply_redirect(p, "/desk/letters/%*s?flash=followup_sent",
                               p->params[0].len, p->params[0].data);
}


static ngx_int_t
corr_thread_find(corr_page_t *p)
{
    corr_db_begin(p, CORR_READ);
    corr_letter_page_find(p);

    return corr_db_send(p, corr_thread_show);
}


static ngx_int_t
corr_thread_show(corr_page_t *p)
{
    if (corr_letter_page_show(p) != NGX_OK) {
        return NGX_HTTP_NOT_FOUND;
    }

    corr_form_view(p, corr_follow_up_rules);
    corr_uploads_show(p);

    return corr_reply_page(p, CORR_TPL_LETTERS_SHOW);
}
