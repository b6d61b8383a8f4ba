/*
 * Set a password (the first time), or change it: the current one is asked
 * for, every other session ends, an SMS says so.
 */

#include "confirm.h"

#include "../services/passwords_work.h"


typedef struct {
    corr_task_t             *task;
} corr_password_page_t;


static ngx_int_t corr_password_find(corr_page_t *p);
static ngx_int_t corr_password_show(corr_page_t *p);
static ngx_int_t corr_password_typed(corr_page_t *p);
static ngx_int_t corr_password_try(corr_page_t *p);
static ngx_int_t corr_password_make_hash(corr_page_t *p);
static ngx_int_t corr_password_hashed(corr_page_t *p);
static ngx_int_t corr_password_stored(corr_page_t *p);
static ngx_int_t corr_password_desk(corr_page_t *p);


const corr_rule_t  corr_new_password_rules[] = {
    { "new_password", CORR_RULE_RAW, CORR_REQUIRED, 0, 0,
      CORR_MSG_NEW_PASSWORD_REQUIRED, CORR_MSG_NEW_PASSWORD_WRONG, NULL },
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};

static const corr_rule_t  corr_password_rules[] = {
    { "current_password", CORR_RULE_RAW, CORR_OPTIONAL, 0, 512,
      CORR_MSG_CURRENT_PASSWORD_REQUIRED, CORR_MSG_CURRENT_PASSWORD_WRONG,
      NULL },
    { "new_password", CORR_RULE_RAW, CORR_REQUIRED, 0, 0,
      CORR_MSG_NEW_PASSWORD_REQUIRED, CORR_MSG_NEW_PASSWORD_WRONG, NULL },
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};


const corr_step_pt  corr_password_steps[] = {
    corr_password_find, corr_password_show, NULL
};

const corr_step_pt  corr_password_change_steps[] = {
    corr_password_find, corr_password_typed, corr_password_try, NULL
};


static ngx_int_t
corr_password_find(corr_page_t *p)
{
    corr_db_begin(p, CORR_READ);
    corr_db_add(p, CORR_SQL_PERSON_SHOW, corr_pg_int(p->session.id));

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_password_show(corr_page_t *p)
{
    corr_rows_t  *rows;

    rows = corr_db_rows(p, 0);

    corr_view_text(p->view, "national_code",
                   corr_rows_text(rows, 0, "national_code"));
    corr_view_flag(p->view, "has_password",
                   corr_rows_int(rows, 0, "has_password") != 0);
    corr_form_view(p, corr_password_rules);

    return corr_reply_page(p, CORR_TPL_PASSWORD);
}


/* Before a try is taken: one for each mistyped new password slows nobody. */

static ngx_int_t
corr_password_typed(corr_page_t *p)
{
    corr_str_t    words[5];
    ngx_uint_t    has_password;
    corr_rows_t  *person;

    if (corr_page_data(p, sizeof(corr_password_page_t)) == NULL
        || corr_form_check(p, corr_password_rules) != NGX_OK)
    {
        return NGX_ERROR;
    }

    person = corr_db_rows(p, 0);
    has_password = corr_rows_int(person, 0, "has_password") != 0;

    words[0] = corr_rows_text(person, 0, "national_code");
    words[1] = corr_rows_text(person, 0, "mobile");
    words[2] = corr_rows_text(person, 0, "first_name");
    words[3] = corr_rows_text(person, 0, "last_name");
    words[4] = corr_rows_text(person, 0, "email");

    if (has_password) {
        corr_confirm_required(p);
    }

    if (p->failed_form || corr_new_password_check(p, words, 5) != NGX_OK) {
        return corr_flow_again(p, 422);
    }

    if (has_password && corr_str_eq(corr_form_raw(p, "current_password"),
                                    corr_form_raw(p, "new_password")))
    {
        corr_form_error(p, "new_password", CORR_MSG_NEW_PASSWORD_SAME, NULL);
        return corr_flow_again(p, 422);
    }

    return NGX_OK;
}


static ngx_int_t
corr_password_try(corr_page_t *p)
{
    return corr_confirm(p, corr_password_make_hash);
}


static ngx_int_t
corr_password_make_hash(corr_page_t *p)
{
    corr_password_page_t  *ctx = p->data;

    ctx->task = corr_password_hash(p->settings->passwords, p->worker->cpu,
                                   &p->owner,
                                   corr_form_raw(p, "new_password"),
                                   p->settings->page_timeout);
    if (ctx->task == NULL) {
        return NGX_ERROR;
    }

    return corr_flow_then(p, corr_password_hashed);
}


static ngx_int_t
corr_password_hashed(corr_page_t *p)
{
    corr_str_t             stored;
    corr_password_page_t  *ctx = p->data;

    if (ctx->task->op.status != CORR_OP_OK) {
        return corr_reply_error(p, NGX_HTTP_SERVICE_UNAVAILABLE,
                                CORR_MSG_BUSY, 5, "no thread for a password");
    }

    stored = corr_confirm_stored(p);

    corr_db_begin(p, CORR_WRITE_ONCE|CORR_REVOKES);

    corr_db_add(p, CORR_SQL_PASSWORD_SET,
                stored.len ? corr_pg_text(stored) : corr_pg_null(),
                corr_pg_text(corr_password_result(ctx->task)->hash));

    return corr_db_send(p, corr_password_stored);
}


/* The epoch went up: every session is over; this browser gets a new one. */

static ngx_int_t
corr_password_stored(corr_page_t *p)
{
    corr_relay_wake(p->worker->relay);

    return corr_session_renew(p, corr_rows_int(corr_db_rows(p, 0), 0,
                                               "session_epoch"),
                              corr_password_desk);
}


static ngx_int_t
corr_password_desk(corr_page_t *p)
{
    return corr_reply_redirect(p, "/desk?flash=%s",
                               corr_confirm_stored(p).len ? "password_changed"
                                               : "password_set");
}


ngx_int_t
corr_new_password_check(corr_page_t *p, const corr_str_t *words,
    size_t nwords)
{
    u_char                   *name;
    size_t                    len;
    const char               *why;
    ngx_int_t                 message;
    corr_view_t              *values;
    corr_password_verdict_e   verdict;

    verdict = corr_password_check(p->settings->passwords,
                                  corr_form_raw(p, "new_password"), words,
                                  nwords);

    if (verdict == CORR_PASSWORD_OK) {
        return NGX_OK;
    }

    if (verdict == CORR_PASSWORD_EMPTY) {
        if (!p->failed_form) {
            corr_form_error(p, "new_password",
                            CORR_MSG_NEW_PASSWORD_REQUIRED, NULL);
        }

        return NGX_DECLINED;
    }

    why = corr_password_message(verdict);
    values = corr_view_create(&p->alloc);
    name = ngx_pnalloc(p->pool, ngx_strlen(why) + sizeof("new_"));

    if (values == NULL || name == NULL) {
        return NGX_ERROR;
    }

    corr_view_int(values, "min", corr_passwords_min(p->settings->passwords));
    corr_view_int(values, "max", CORR_PASSWORD_CHARS);

    len = ngx_sprintf(name, "new_%s", why) - name;
    message = corr_texts_message_find(p->settings->texts,
                                      corr_make_str(name, len));

    corr_form_error(p, "new_password",
                    message < 0 ? CORR_MSG_NEW_PASSWORD_WRONG
                                : (ngx_uint_t) message,
                    values);

    return NGX_DECLINED;
}
