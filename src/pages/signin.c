#include "signin.h"

#include "../services/passwords_work.h"


typedef struct {
    const char              *name;     /* the field beside the password */
    const corr_rule_t       *rules;
    ngx_uint_t               template;
    ngx_uint_t               try;      /* statements; see sql/statements */
    ngx_uint_t               done;
    ngx_uint_t               renew;
    ngx_uint_t               wait;     /* messages */
    ngx_uint_t               wrong;
    corr_who_e               who;      /* the session behind it */
    corr_step_pt             then;
    unsigned                 blames:1; /* ends in captchas */
} corr_signin_door_t;


typedef struct {
    corr_task_t             *verify;
    int64_t                  id;       /* 0: nobody of that name */
    corr_str_t               hash;
} corr_signin_t;


static const corr_signin_door_t *corr_signin_door(corr_page_t *p);
static ngx_int_t corr_signin_tried(corr_page_t *p);
static ngx_int_t corr_signin_verified(corr_page_t *p);
static ngx_int_t corr_signin_done(corr_page_t *p);


static const corr_rule_t  corr_login_rules[] = {
    { "national_code", CORR_RULE_NATIONAL_CODE, CORR_REQUIRED, 0, 0,
      CORR_MSG_NATIONAL_CODE_REQUIRED, CORR_MSG_NATIONAL_CODE_FORMAT, NULL },
    { "password", CORR_RULE_RAW, CORR_REQUIRED, 0, 512,
      CORR_MSG_PASSWORD_REQUIRED, CORR_MSG_LOGIN_WRONG, NULL },
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};

static const corr_rule_t  corr_clerk_login_rules[] = {
    { "username", CORR_RULE_LINE, CORR_REQUIRED, 0, 60,
      CORR_MSG_USERNAME_REQUIRED, CORR_MSG_STAFF_LOGIN_WRONG, NULL },
    { "password", CORR_RULE_RAW, CORR_REQUIRED, 0, 512,
      CORR_MSG_PASSWORD_REQUIRED, CORR_MSG_STAFF_LOGIN_WRONG, NULL },
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};


static const corr_signin_door_t  corr_citizen_door = {
    "national_code", corr_login_rules, CORR_TPL_LOGIN,
    CORR_SQL_LOGIN_TRY, CORR_SQL_LOGIN_DONE, CORR_SQL_LOGIN_RENEW,
    CORR_MSG_LOGIN_WAIT, CORR_MSG_LOGIN_WRONG,
    CORR_A_PERSON, corr_login_desk, 1
};

static const corr_signin_door_t  corr_clerk_door = {
    "username", corr_clerk_login_rules, CORR_TPL_CLERK_LOGIN,
    CORR_SQL_STAFF_LOGIN_TRY, CORR_SQL_STAFF_LOGIN_DONE,
    CORR_SQL_STAFF_LOGIN_RENEW,
    CORR_MSG_STAFF_LOGIN_WAIT, CORR_MSG_STAFF_LOGIN_WRONG,
    CORR_A_HALF, corr_clerk_login_totp, 0
};


static const corr_signin_door_t *
corr_signin_door(corr_page_t *p)
{
    return p->loc->kind == CORR_KIND_CLERK ? &corr_clerk_door
                                           : &corr_citizen_door;
}


ngx_int_t
corr_signin_show(corr_page_t *p)
{
    corr_next_show(p);
    corr_form_view(p, corr_signin_door(p)->rules);

    return corr_reply_page(p, corr_signin_door(p)->template);
}


ngx_int_t
corr_signin_try(corr_page_t *p)
{
    const corr_signin_door_t  *door = corr_signin_door(p);

    if (corr_form_check(p, door->rules) != NGX_OK) {
        return NGX_ERROR;
    }

    if (p->failed_form) {
        return corr_flow_again(p, 422);
    }

    corr_db_begin(p, CORR_WRITE_ONCE|CORR_UNGUARDED|CORR_KEEPS);

    corr_db_add(p, door->try,
                corr_pg_text(corr_form_value(p, door->name)),
                corr_pg_text(corr_session_browser(p)),
                corr_pg_text(corr_page_address(p)));

    return corr_db_send(p, corr_signin_tried);
}


static ngx_int_t
corr_signin_tried(corr_page_t *p)
{
    corr_str_t      verdict;
    corr_rows_t    *rows;
    corr_signin_t  *ctx;

    ctx = corr_page_data(p, sizeof(corr_signin_t));
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    rows = corr_db_rows(p, 0);
    verdict = corr_rows_text(rows, 0, "verdict");

    if (!corr_str_is(verdict, "try")) {
        return corr_signin_wait(p, rows, "",
                                corr_str_is(verdict, "code_only")
                                ? CORR_MSG_LOGIN_CODE_ONLY
                                : corr_signin_door(p)->wait);
    }

    ctx->id = corr_rows_int(rows, 0, "id");
    ctx->hash = corr_rows_text(rows, 0, "password_hash");

    ctx->verify = corr_password_verify(p->settings->passwords,
                                       p->worker->cpu, &p->owner,
                                       corr_form_value(p, "password"),
                                       ctx->hash,
                                       p->settings->page_timeout);
    if (ctx->verify == NULL) {
        return NGX_ERROR;
    }

    return corr_flow_then(p, corr_signin_verified);
}


ngx_int_t
corr_signin_wait(corr_page_t *p, corr_rows_t *rows, const char *field,
    ngx_uint_t message)
{
    int64_t       wait;
    corr_view_t  *values;

    wait = corr_rows_int(rows, 0, "wait");

    values = corr_view_create(&p->alloc);
    if (values == NULL) {
        return NGX_ERROR;
    }

    corr_view_int(values, "seconds", wait);
    corr_form_error(p, field, message, values);

    return corr_flow_again(p, 429);
}


static ngx_int_t
corr_signin_verified(corr_page_t *p)
{
    corr_signin_t                 *ctx = p->data;
    const corr_signin_door_t      *door = corr_signin_door(p);
    const corr_password_result_t  *result;

    if (ctx->verify->op.status != CORR_OP_OK) {
        return corr_reply_error(p, NGX_HTTP_SERVICE_UNAVAILABLE,
                                CORR_MSG_BUSY, 5, "no thread for a password");
    }

    result = corr_password_result(ctx->verify);

    corr_db_begin(p, CORR_WRITE_ONCE|CORR_UNGUARDED|CORR_KEEPS);

    corr_db_add(p, door->done,
                corr_pg_text(corr_form_value(p, door->name)),
                ctx->id ? corr_pg_int(ctx->id) : corr_pg_null(),
                result->right ? corr_pg_text(ctx->hash) : corr_pg_null(),
                corr_pg_text(corr_session_browser(p)),
                corr_pg_text(corr_page_address(p)));

    /* made when settings were others: only now the password is at hand */

    if (result->hash.len) {
        corr_db_add(p, door->renew, corr_pg_int(ctx->id),
                    corr_pg_text(ctx->hash), corr_pg_text(result->hash));
    }

    return corr_db_send(p, corr_signin_done);
}


static ngx_int_t
corr_signin_done(corr_page_t *p)
{
    corr_rows_t               *rows;
    const corr_signin_door_t  *door = corr_signin_door(p);

    rows = corr_db_rows(p, 0);

    if (corr_rows_int(rows, 0, "ok")) {
        return corr_session_start(p, door->who,
                                  corr_rows_int(rows, 0, "id"),
                                  corr_rows_int(rows, 0, "epoch"),
                                  door->then);
    }

    if (door->blames) {
        corr_page_about(p);
        corr_captcha_blame(p);
    }

    corr_form_error(p, "", door->wrong, NULL);
    corr_counters_refused(p);

    return corr_flow_again(p, 422);
}


ngx_int_t
corr_signin_left(corr_page_t *p)
{
    if (corr_reply_header(p, "Clear-Site-Data",
                          CORR_STR("\"cache\", \"storage\""))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return corr_reply_redirect(p, "/login?flash=logged_out");
}
