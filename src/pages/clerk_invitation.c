/*
 * A one-time link becomes an account: a password, then an authenticator,
 * then signed in.
 *
 * The link's token goes from the first page to the second encrypted in a
 * cookie of this browser, with the epoch that the password made: of two who
 * hold the link, the one whose password was replaced gets no further.  The
 * link is used up by the first right code only: who was interrupted opens it
 * again.
 */

#include "shared.h"

#include "../services/passwords_work.h"
#include "../services/qr.h"
#include "../services/totp.h"


#define CORR_INVITATION_CARRY   "invitation "


typedef struct {
    corr_task_t             *task;
    corr_str_t               token;
    ngx_int_t                epoch;
    corr_str_t               username;
} corr_invitation_t;


static ngx_int_t corr_invitation_find(corr_page_t *p);
static ngx_int_t corr_invitation_show(corr_page_t *p);
static ngx_int_t corr_invitation_gone(corr_page_t *p);
static ngx_int_t corr_invitation_try(corr_page_t *p);
static ngx_int_t corr_invitation_found(corr_page_t *p);
static ngx_int_t corr_invitation_hashed(corr_page_t *p);
static ngx_int_t corr_invitation_stored(corr_page_t *p);
static ngx_int_t corr_enrol_begin(corr_page_t *p);
static ngx_int_t corr_enrol_find(corr_page_t *p);
static ngx_int_t corr_enrol_show(corr_page_t *p);
static ngx_int_t corr_enrol_secret(corr_page_t *p, corr_rows_t *rows);
static corr_str_t corr_enrol_groups(corr_page_t *p, corr_str_t base32);
static ngx_int_t corr_enrol_try(corr_page_t *p);
static ngx_int_t corr_enrol_tried(corr_page_t *p);
static ngx_int_t corr_enrol_done(corr_page_t *p);
static ngx_int_t corr_enrol_go(corr_page_t *p);


static const corr_rule_t  corr_enrol_rules[] = {
    { "code", CORR_RULE_DIGITS, CORR_REQUIRED, CORR_TOTP_DIGITS,
      CORR_TOTP_DIGITS, CORR_MSG_TOTP_REQUIRED, CORR_MSG_TOTP_WRONG, NULL },
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};


const corr_step_pt  corr_invitation_steps[] = {
    corr_invitation_find, corr_invitation_show, NULL
};

const corr_step_pt  corr_invitation_try_steps[] = {
    corr_invitation_try, NULL
};

const corr_step_pt  corr_enrol_steps[] = {
    corr_enrol_begin, corr_enrol_find, corr_enrol_show, NULL
};

const corr_step_pt  corr_enrol_try_steps[] = {
    corr_enrol_begin, corr_enrol_try, NULL
};


static ngx_int_t
corr_invitation_find(corr_page_t *p)
{
    corr_db_begin(p, CORR_READ|CORR_UNGUARDED);
    corr_db_add(p, CORR_SQL_INVITATION_SHOW, corr_pg_bytes(p->params[0]));

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_invitation_show(corr_page_t *p)
{
    corr_rows_t  *rows;

    rows = corr_db_rows(p, 0);

    if (rows->nrows == 0) {
        return corr_invitation_gone(p);
    }

    corr_view_text(p->view, "token", p->params[0]);
    corr_view_text(p->view, "username",
                   corr_rows_text(rows, 0, "username"));
    corr_view_text(p->view, "name_of_staff",
                   corr_rows_text(rows, 0, "name"));
    corr_view_value(p->view, "expires_at",
                    corr_rows_get(rows, 0, "expires_at"));
    corr_form_view(p, corr_new_password_rules);

    return corr_reply_page(p, CORR_TPL_CLERK_INVITATION);
}


static ngx_int_t
corr_invitation_gone(corr_page_t *p)
{
    corr_carry_clear(p);

    return corr_reply_error(p, 410, CORR_MSG_INVITATION_GONE, 0, NULL);
}


/* Who it is for comes first: a password must not be the name. */

static ngx_int_t
corr_invitation_try(corr_page_t *p)
{
    if (corr_page_data(p, sizeof(corr_invitation_t)) == NULL) {
        return NGX_ERROR;
    }

    corr_db_begin(p, CORR_READ|CORR_UNGUARDED);
    corr_db_add(p, CORR_SQL_INVITATION_SHOW, corr_pg_bytes(p->params[0]));

    return corr_db_send(p, corr_invitation_found);
}


static ngx_int_t
corr_invitation_found(corr_page_t *p)
{
    corr_str_t          words[2];
    corr_rows_t        *rows;
    corr_invitation_t  *ctx = p->data;

    rows = corr_db_rows(p, 0);

    if (rows->nrows == 0) {
        return corr_invitation_gone(p);
    }

    ctx->username = corr_str_dup(&p->alloc,
                                 corr_rows_text(rows, 0, "username"));
    words[0] = ctx->username;
    words[1] = corr_rows_text(rows, 0, "name");

    if (corr_form_check(p, corr_new_password_rules) != NGX_OK) {
        return NGX_ERROR;
    }

    if (p->failed_form || corr_new_password_check(p, words, 2) != NGX_OK) {
        return corr_flow_again(p, 422);
    }

    ctx->task = corr_password_hash(p->settings->passwords, p->worker->cpu,
                                   &p->owner,
                                   corr_form_raw(p, "new_password"),
                                   p->settings->page_timeout);
    if (ctx->task == NULL) {
        return NGX_ERROR;
    }

    return corr_flow_then(p, corr_invitation_hashed);
}


static ngx_int_t
corr_invitation_hashed(corr_page_t *p)
{
    unsigned char       secret[CORR_TOTP_SECRET], sealed[CORR_TOTP_SEALED];
    corr_invitation_t  *ctx = p->data;

    if (ctx->task->op.status != CORR_OP_OK) {
        return corr_reply_error(p, NGX_HTTP_SERVICE_UNAVAILABLE,
                                CORR_MSG_BUSY, 5, "no thread for a password");
    }

    corr_totp_secret(secret);
    corr_totp_seal(p->settings->secrets, ctx->username, secret, sealed);
    corr_secrets_wipe(secret, sizeof(secret));

    corr_db_begin(p, CORR_WRITE_ONCE|CORR_UNGUARDED);

    corr_db_add(p, CORR_SQL_INVITATION_PASSWORD, corr_pg_bytes(p->params[0]),
                corr_pg_text(corr_password_result(ctx->task)->hash),
                corr_pg_bytes(corr_make_str(sealed, sizeof(sealed))),
                corr_pg_text(corr_page_address(p)));

    return corr_db_send(p, corr_invitation_stored);
}


static ngx_int_t
corr_invitation_stored(corr_page_t *p)
{
    u_char       *last;
    u_char        text[CORR_SECRETS_TOKEN + NGX_INT64_LEN
                       + sizeof(CORR_INVITATION_CARRY)];
    corr_rows_t  *rows;

    rows = corr_db_rows(p, 0);

    if (!corr_str_is(corr_rows_text(rows, 0, "verdict"), "ok")
        || p->params[0].len != CORR_SECRETS_TOKEN)
    {
        return corr_invitation_gone(p);
    }

    last = ngx_sprintf(text, CORR_INVITATION_CARRY "%*s%L",
                       p->params[0].len, p->params[0].data,
                       corr_rows_int(rows, 0, "epoch"));

    if (corr_carry_set(p, corr_make_str(text, last - text)) != NGX_OK) {
        return NGX_ERROR;
    }

    return corr_reply_redirect(p, "/totp");
}


/* The second page: whose link it is stands in the cookie. */

static ngx_int_t
corr_enrol_begin(corr_page_t *p)
{
    size_t              len;
    corr_str_t          text;
    corr_invitation_t  *ctx;

    ctx = corr_page_data(p, sizeof(corr_invitation_t));
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    text = corr_carry_get(p);
    len = sizeof(CORR_INVITATION_CARRY) - 1;

    if (text.len <= len + CORR_SECRETS_TOKEN
        || ngx_strncmp(text.data, CORR_INVITATION_CARRY, len) != 0)
    {
        return corr_invitation_gone(p);
    }

    ctx->token = corr_make_str(text.data + len, CORR_SECRETS_TOKEN);
    len += CORR_SECRETS_TOKEN;
    ctx->epoch = ngx_atoi(text.data + len, text.len - len);

    return NGX_OK;
}


static ngx_int_t
corr_enrol_find(corr_page_t *p)
{
    corr_invitation_t  *ctx = p->data;

    corr_db_begin(p, CORR_READ|CORR_UNGUARDED);

    corr_db_add(p, CORR_SQL_INVITATION_TOTP, corr_pg_bytes(ctx->token),
                corr_pg_int(ctx->epoch), corr_pg_bool(0));

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_enrol_show(corr_page_t *p)
{
    corr_rows_t  *rows;

    rows = corr_db_rows(p, 0);

    if (!corr_str_is(corr_rows_text(rows, 0, "verdict"), "try")) {
        return corr_invitation_gone(p);
    }

    if (corr_enrol_secret(p, rows) != NGX_OK) {
        return NGX_ERROR;
    }

    corr_form_view(p, corr_enrol_rules);
    corr_view_text(corr_view_object(corr_view_object(p->view, "form"),
                                    "code"),
                   "value", CORR_STR(""));

    return corr_reply_page(p, CORR_TPL_CLERK_TOTP_ENROL);
}


static ngx_int_t
corr_enrol_secret(corr_page_t *p, corr_rows_t *rows)
{
    size_t          len;
    u_char         *base32;
    corr_qr_t       qr;
    corr_str_t      username, uri, body;
    corr_view_t    *at;
    unsigned char   secret[CORR_TOTP_SECRET];

    username = corr_rows_text(rows, 0, "username");
    base32 = ngx_pnalloc(p->pool, CORR_TOTP_BASE32);

    if (base32 == NULL
        || corr_totp_open(p->settings->secrets, username,
                          corr_rows_get(rows, 0, "totp_secret").s, secret)
           != CORR_OK)
    {
        return NGX_ERROR;
    }

    len = corr_totp_base32(secret, sizeof(secret), base32);
    body = corr_from_ngx(p->settings->body_name);
    uri = corr_totp_uri(&p->alloc, body, username,
                        corr_make_str(secret, sizeof(secret)));

    corr_secrets_wipe(secret, sizeof(secret));

    corr_view_text(p->view, "totp_secret",
                   corr_enrol_groups(p, corr_make_str(base32, len)));

    /* a long name of the body must not cost the picture */

    if (corr_qr_path(&p->alloc, uri, &qr) == CORR_OK) {
        at = corr_view_object(p->view, "qr");
        corr_view_int(at, "size", qr.size);
        corr_view_text(at, "path", qr.path);
    }

    return NGX_OK;
}


/* ABCD EFGH …: what people copy by hand. */

static corr_str_t
corr_enrol_groups(corr_page_t *p, corr_str_t base32)
{
    size_t      i;
    u_char     *text, *last;
    corr_str_t  none = corr_null_str;

    text = ngx_pnalloc(p->pool, base32.len + base32.len / 4 + 1);
    if (text == NULL) {
        return none;
    }

    last = text;

    for (i = 0; i < base32.len; i++) {
        if (i && i % 4 == 0) {
            *last++ = ' ';
        }

        *last++ = base32.data[i];
    }

    return corr_make_str(text, last - text);
}


static ngx_int_t
corr_enrol_try(corr_page_t *p)
{
    corr_invitation_t  *ctx = p->data;

    if (corr_form_check(p, corr_enrol_rules) != NGX_OK) {
        return NGX_ERROR;
    }

    if (p->failed_form) {
        return corr_flow_again(p, 422);
    }

    corr_db_begin(p, CORR_WRITE_ONCE|CORR_UNGUARDED);

    corr_db_add(p, CORR_SQL_INVITATION_TOTP, corr_pg_bytes(ctx->token),
                corr_pg_int(ctx->epoch), corr_pg_bool(1));

    return corr_db_send(p, corr_enrol_tried);
}


static ngx_int_t
corr_enrol_tried(corr_page_t *p)
{
    int64_t             step;
    corr_str_t          verdict;
    corr_rows_t        *rows;
    corr_view_t        *values;
    corr_invitation_t  *ctx = p->data;

    rows = corr_db_rows(p, 0);
    verdict = corr_rows_text(rows, 0, "verdict");

    if (corr_str_is(verdict, "wait")) {
        values = corr_view_create(&p->alloc);
        if (values == NULL) {
            return NGX_ERROR;
        }

        corr_view_int(values, "seconds", corr_rows_int(rows, 0, "wait"));
        corr_form_error(p, "code", CORR_MSG_STAFF_LOGIN_WAIT, values);

        return corr_flow_again(p, 429);
    }

    if (!corr_str_is(verdict, "try")) {
        return corr_invitation_gone(p);
    }

    if (!corr_totp_typed(p, rows, &step)) {
        corr_form_error(p, "code", CORR_MSG_TOTP_WRONG, NULL);
        return corr_flow_again(p, 422);
    }

    corr_db_begin(p, CORR_WRITE_ONCE|CORR_UNGUARDED);

    corr_db_add(p, CORR_SQL_INVITATION_DONE, corr_pg_bytes(ctx->token),
                corr_pg_int(ctx->epoch), corr_pg_int(step),
                corr_pg_text(corr_session_browser(p)),
                corr_pg_text(corr_page_address(p)));

    return corr_db_send(p, corr_enrol_done);
}


static ngx_int_t
corr_enrol_done(corr_page_t *p)
{
    corr_rows_t  *rows;

    rows = corr_db_rows(p, 0);

    if (!corr_rows_int(rows, 0, "ok")) {
        return corr_invitation_gone(p);
    }

    corr_carry_clear(p);

    return corr_session_start(p, CORR_A_STAFF,
                              corr_rows_int(rows, 0, "staff_id"),
                              corr_rows_int(rows, 0, "epoch"),
                              corr_enrol_go);
}


static ngx_int_t
corr_enrol_go(corr_page_t *p)
{
    return corr_reply_redirect(p, "/?flash=totp_done");
}
