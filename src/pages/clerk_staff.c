/*
 * Staff: who there is, invitations by a one-time link, roles and units,
 * substitutes, and the end of an account, before which its open work goes to
 * a colleague.  Administrators only, and in a session that is not young any
 * more only with the password: a link, a role, an account that is open again
 * or a substitute is a way in that stays, and who is disabled cannot help.
 *
 * The link is in the answer to nobody but the administrator's browser: the
 * redirect carries it encrypted, the page shows it once, and the database has
 * its hash.
 */

#include "clerk_admin.h"
#include "confirm.h"

#include "../lib/jalali.h"
#include "../services/secrets.h"


#define CORR_INVITATION_HOURS   72
#define CORR_INVITATION_CARRY   "invitation-shown "


typedef struct {
    corr_str_t               token;
} corr_staff_t;


static ngx_int_t corr_staff_find(corr_page_t *p);
static ngx_int_t corr_staff_show(corr_page_t *p);
static ngx_int_t corr_staff_edited(corr_page_t *p, corr_rows_t *staff,
    int64_t *unit);
static void corr_staff_password(corr_page_t *p);
static void corr_staff_rows(corr_page_t *p, corr_rows_t *staff);
static void corr_staff_colleagues(corr_page_t *p, corr_rows_t *rows,
    int64_t except, ngx_uint_t experts, const char *field);
static void corr_staff_invitation(corr_page_t *p, corr_rows_t *staff);
static corr_str_t corr_staff_url(corr_page_t *p, corr_str_t token);
static ngx_int_t corr_staff_check(corr_page_t *p);
static ngx_int_t corr_staff_save(corr_page_t *p);
static ngx_int_t corr_staff_sure(corr_page_t *p, corr_step_pt then);
static void corr_staff_add_save(corr_page_t *p, int64_t id);
static ngx_int_t corr_staff_token(corr_page_t *p);
static ngx_int_t corr_staff_invited(corr_page_t *p);
static ngx_int_t corr_staff_saved(corr_page_t *p);
static ngx_int_t corr_staff_reinvite(corr_page_t *p);
static ngx_int_t corr_staff_renew(corr_page_t *p);
static ngx_int_t corr_staff_sessions_end(corr_page_t *p);
static ngx_int_t corr_staff_sessions_ended(corr_page_t *p);
static ngx_int_t corr_staff_one(corr_page_t *p);
static ngx_int_t corr_staff_confirm(corr_page_t *p);
static void corr_staff_ask(corr_page_t *p, corr_rows_t *rows,
    const char *act, ngx_uint_t question, ngx_uint_t consequence,
    ngx_uint_t button);
static corr_str_t corr_staff_path(corr_page_t *p, const char *act);
static ngx_int_t corr_staff_disable(corr_page_t *p);
static ngx_int_t corr_staff_disable_sure(corr_page_t *p);
static ngx_int_t corr_staff_disabled(corr_page_t *p);
static ngx_int_t corr_staff_enable(corr_page_t *p);
static ngx_int_t corr_staff_enable_sure(corr_page_t *p);
static ngx_int_t corr_staff_enabled(corr_page_t *p);
static ngx_int_t corr_handover_find(corr_page_t *p);
static ngx_int_t corr_handover_show(corr_page_t *p);
static ngx_int_t corr_handover_do(corr_page_t *p);
static ngx_int_t corr_handover_portion(corr_page_t *p);
static ngx_int_t corr_handover_done(corr_page_t *p);
static ngx_int_t corr_substitute_set(corr_page_t *p);
static ngx_int_t corr_substitute_sure(corr_page_t *p);
static ngx_int_t corr_substitute_end(corr_page_t *p);
static ngx_int_t corr_substitute_done(corr_page_t *p);
static void corr_staff_day(corr_page_t *p, const char *name, int64_t *days);


static const corr_rule_t  corr_staff_rules[] = {
    { "name", CORR_RULE_LINE, CORR_REQUIRED, 0, 80,
      CORR_MSG_NAME_REQUIRED, CORR_MSG_NAME_TOO_LONG, NULL },
    { "role", CORR_RULE_CHOICE, CORR_REQUIRED, 0, 0,
      CORR_MSG_ROLE_REQUIRED, CORR_MSG_ROLE_WRONG,
      "clerk expert manager admin" },
    { "unit", CORR_RULE_NUMBER, CORR_OPTIONAL, 1, NGX_MAX_INT32_VALUE,
      CORR_MSG_UNIT_WRONG, CORR_MSG_UNIT_WRONG, NULL },
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};

static const corr_rule_t  corr_username_rules[] = {
    { "username", CORR_RULE_LINE, CORR_REQUIRED, 0, 40,
      CORR_MSG_USERNAME_REQUIRED, CORR_MSG_USERNAME_WRONG, NULL },
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};

static const corr_rule_t  corr_password_rules[] = {
    { "current_password", CORR_RULE_RAW, CORR_OPTIONAL, 0, 512,
      0, 0, NULL },
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};

static const corr_rule_t  corr_substitute_rules[] = {
    { "substitute", CORR_RULE_NUMBER, CORR_REQUIRED, 1, NGX_MAX_INT32_VALUE,
      CORR_MSG_SUBSTITUTE_REQUIRED, CORR_MSG_STAFF_UNKNOWN, NULL },
    { "from", CORR_RULE_LINE, CORR_REQUIRED, 0, 20,
      CORR_MSG_DATE_REQUIRED, CORR_MSG_DATE_WRONG, NULL },
    { "to", CORR_RULE_LINE, CORR_REQUIRED, 0, 20,
      CORR_MSG_DATE_REQUIRED, CORR_MSG_DATE_WRONG, NULL },
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};

static const corr_rule_t  corr_handover_rules[] = {
    { "to", CORR_RULE_NUMBER, CORR_REQUIRED, 1, NGX_MAX_INT32_VALUE,
      CORR_MSG_HANDOVER_TO_REQUIRED, CORR_MSG_STAFF_UNKNOWN, NULL },
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};


const corr_step_pt  corr_staff_steps[] = {
    corr_staff_find, corr_staff_show, NULL
};

const corr_step_pt  corr_staff_save_steps[] = {
    corr_staff_check, NULL
};

const corr_step_pt  corr_staff_reinvite_steps[] = {
    corr_staff_reinvite, NULL
};

const corr_step_pt  corr_staff_sessions_end_steps[] = {
    corr_staff_sessions_end, NULL
};

const corr_step_pt  corr_staff_confirm_steps[] = {
    corr_staff_one, corr_staff_confirm, NULL
};

const corr_step_pt  corr_staff_disable_steps[] = {
    corr_staff_disable, NULL
};

const corr_step_pt  corr_staff_enable_steps[] = {
    corr_staff_enable, NULL
};

const corr_step_pt  corr_handover_steps[] = {
    corr_handover_find, corr_handover_show, NULL
};

const corr_step_pt  corr_handover_do_steps[] = {
    corr_handover_do, NULL
};

const corr_step_pt  corr_substitute_set_steps[] = {
    corr_substitute_set, NULL
};

const corr_step_pt  corr_substitute_end_steps[] = {
    corr_substitute_end, NULL
};


static ngx_int_t
corr_staff_find(corr_page_t *p)
{
    corr_db_begin(p, CORR_READ);

    corr_db_add(p, CORR_SQL_STAFF_LIST, corr_pg_int(p->session.id));
    corr_db_add(p, CORR_SQL_CLERK_UNITS);
    corr_db_add(p, CORR_SQL_STAFF_COLLEAGUES);

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_staff_show(corr_page_t *p)
{
    int64_t       unit;
    corr_rows_t  *staff;

    staff = corr_db_rows(p, 0);

    if (corr_staff_edited(p, staff, &unit) != NGX_OK) {
        return NGX_HTTP_NOT_FOUND;
    }

    corr_staff_invitation(p, staff);
    corr_staff_rows(p, staff);
    corr_admin_units(p, corr_db_rows(p, 1), unit);
    corr_form_key(p);
    corr_form_view(p, corr_staff_rules);
    corr_form_view(p, corr_username_rules);
    corr_form_view(p, corr_substitute_rules);
    corr_staff_password(p);

    corr_view_flag(p->view, "at_substitute",
                   corr_form_raw(p, "substitute").data != NULL);

    return corr_reply_page(p, CORR_TPL_CLERK_STAFF);
}


static void
corr_staff_password(corr_page_t *p)
{
    corr_form_view(p, corr_password_rules);
    corr_view_flag(p->view, "password_wanted", corr_confirm_due(p));
}


static void
corr_staff_rows(corr_page_t *p, corr_rows_t *staff)
{
    unsigned      i;
    corr_view_t  *row;

    for (i = 0; i < staff->nrows; i++) {
        row = corr_view_append(p->view, "staff");
        corr_view_row(row, staff, i);
        corr_view_flag(row, "is_disabled",
                       corr_str_is(corr_rows_text(staff, i, "staff_status"),
                                   "disabled"));
    }
}


/* The colleague being changed: by ?edit=, by the form, or by the path. */

static ngx_int_t
corr_staff_edited(corr_page_t *p, corr_rows_t *staff, int64_t *unit)
{
    int64_t      id;
    ngx_int_t    row;
    ngx_uint_t   expert;
    corr_str_t   role;

    *unit = corr_admin_id(corr_form_raw(p, "unit"));

    if (p->params[0].len) {
        id = corr_admin_id(p->params[0]);
        corr_view_text(p->view, "editing", p->params[0]);

    } else {
        id = corr_admin_editing(p, "staff_id");
    }

    if (id == 0) {
        return NGX_OK;
    }

    row = corr_admin_row(staff, "staff_id", id);
    if (row < 0) {
        return NGX_DECLINED;
    }

    role = corr_rows_text(staff, row, "role");
    expert = corr_str_is(role, "expert");

    corr_form_fill(p, "name", corr_rows_text(staff, row, "name"));
    corr_form_fill(p, "username", corr_rows_text(staff, row, "username"));
    corr_staff_colleagues(p, corr_db_rows(p, 2), id, expert, "substitute");
    corr_view_value(p->view, "substitute_name",
                    corr_rows_get(staff, row, "substitute_name"));

    if (corr_form_raw(p, "role").len == 0) {
        corr_form_fill(p, "role", role);
        *unit = corr_rows_int(staff, row, "unit_id");
    }

    return NGX_OK;
}


/*
 * Who can be chosen in a field, and who was.  An expert stands in for an
 * expert only: see substitute_set in sql/.
 */

static void
corr_staff_colleagues(corr_page_t *p, corr_rows_t *rows, int64_t except,
    ngx_uint_t experts, const char *field)
{
    unsigned      i;
    corr_view_t  *row;

    for (i = 0; i < rows->nrows; i++) {

        if (corr_rows_int(rows, i, "staff_id") == except
            || (!experts
                && corr_str_is(corr_rows_text(rows, i, "role"), "expert")))
        {
            continue;
        }

        row = corr_view_append(p->view, "colleagues");
        corr_view_row(row, rows, i);
        corr_view_flag(row, "is_selected",
                       corr_rows_int(rows, i, "staff_id")
                       == corr_admin_id(corr_form_raw(p, field)));
    }
}


/* What the redirect carried: "TOKEN STAFF EXPIRES". */

static void
corr_staff_invitation(corr_page_t *p, corr_rows_t *staff)
{
    size_t        len;
    u_char       *word, *space, *last;
    ngx_int_t     row;
    corr_str_t    text;
    corr_view_t  *at;

    text = corr_carry_get(p);
    len = sizeof(CORR_INVITATION_CARRY) - 1;

    if (p->again || text.len < len + CORR_SECRETS_TOKEN + 2
        || ngx_strncmp(text.data, CORR_INVITATION_CARRY, len) != 0)
    {
        return;
    }

    corr_carry_clear(p);

    text.data += len;
    text.len -= len;
    last = text.data + text.len;

    word = text.data + CORR_SECRETS_TOKEN + 1;
    space = ngx_strlchr(word, last, ' ');
    if (space == NULL) {
        return;
    }

    row = corr_admin_row(staff, "staff_id", ngx_atoof(word, space - word));
    word = space + 1;

    at = corr_view_object(p->view, "invitation");
    corr_view_text(at, "url",
                   corr_staff_url(p, corr_make_str(text.data,
                                                   CORR_SECRETS_TOKEN)));
    corr_view_time(at, "expires_at", ngx_atoof(word, last - word));
    corr_view_text(at, "name_of_staff",
                   corr_rows_text(staff, row < 0 ? staff->nrows
                                                 : (unsigned) row, "name"));
}


/*
 * The link as the colleague's browser will reach it: this very host, which
 * need not be the citizens', and https where the portal is known to have it.
 */

static corr_str_t
corr_staff_url(corr_page_t *p, corr_str_t token)
{
    u_char      *url, *last;
    ngx_str_t    host;
    corr_str_t   none = corr_null_str;
    ngx_uint_t   secure;

    host = corr_to_ngx(corr_request_header(p->request, "host"));

    secure = p->settings->url.len > 6
             && ngx_strncasecmp(p->settings->url.data, (u_char *) "https:", 6)
                == 0;

    url = ngx_pnalloc(p->pool, host.len + p->loc->base.len + token.len
                               + sizeof("https:///invitations/"));
    if (url == NULL) {
        return none;
    }

    last = ngx_sprintf(url, "%s://%V%V/invitations/%*s",
                       secure ? "https" : "http", &host, &p->loc->base,
                       token.len, token.data);

    return corr_make_str(url, last - url);
}


/* Invites somebody, or changes who is there already. */

static ngx_int_t
corr_staff_check(corr_page_t *p)
{
    if (corr_form_check(p, corr_staff_rules) != NGX_OK
        || (corr_admin_id(corr_form_raw(p, "staff_id")) == 0
            && corr_form_check(p, corr_username_rules) != NGX_OK))
    {
        return NGX_ERROR;
    }

    return corr_staff_sure(p, corr_staff_save);
}


/* The form is right, and so is the password if it is asked. */

static ngx_int_t
corr_staff_sure(corr_page_t *p, corr_step_pt then)
{
    ngx_uint_t  due = corr_confirm_due(p);

    if (due) {
        corr_confirm_required(p);
    }

    if (p->failed_form) {
        return corr_flow_again(p, 422);
    }

    return due ? corr_confirm(p, then) : then(p);
}


static ngx_int_t
corr_staff_save(corr_page_t *p)
{
    int64_t        id;
    corr_staff_t  *ctx;

    id = corr_admin_id(corr_form_raw(p, "staff_id"));

    if (id) {
        corr_db_begin(p, CORR_WRITE);
        corr_staff_add_save(p, id);

        return corr_db_send(p, corr_staff_saved);
    }

    if (corr_staff_token(p) != NGX_OK) {
        return NGX_ERROR;
    }

    ctx = p->data;

    corr_db_begin(p, CORR_WRITE_ONCE);
    corr_db_add(p, CORR_SQL_STAFF_INVITE,
                corr_pg_text(corr_form_value(p, "username")),
                corr_pg_text(corr_form_value(p, "name")),
                corr_pg_text(corr_form_value(p, "role")),
                corr_admin_id_param(corr_form_int(p, "unit")),
                corr_pg_bytes(ctx->token),
                corr_pg_int(CORR_INVITATION_HOURS));

    return corr_db_send(p, corr_staff_invited);
}


static void
corr_staff_add_save(corr_page_t *p, int64_t id)
{
    corr_db_add(p, CORR_SQL_STAFF_SAVE, corr_pg_int(id),
                corr_pg_text(corr_form_value(p, "name")),
                corr_pg_text(corr_form_value(p, "role")),
                corr_admin_id_param(corr_form_int(p, "unit")));
}


static ngx_int_t
corr_staff_token(corr_page_t *p)
{
    u_char        *token;
    corr_staff_t  *ctx;

    ctx = corr_page_data(p, sizeof(corr_staff_t));
    token = ngx_pnalloc(p->pool, CORR_SECRETS_TOKEN);

    if (ctx == NULL || token == NULL) {
        return NGX_ERROR;
    }

    corr_secrets_token(NULL, token);
    ctx->token = corr_make_str(token, CORR_SECRETS_TOKEN);

    return NGX_OK;
}


static ngx_int_t
corr_staff_invited(corr_page_t *p)
{
    u_char        *last;
    u_char         text[CORR_SECRETS_TOKEN + 2 * NGX_INT64_LEN
                        + sizeof(CORR_INVITATION_CARRY) + 2];
    corr_rows_t   *rows;
    corr_staff_t  *ctx = p->data;

    rows = corr_db_rows(p, 0);

    last = ngx_sprintf(text, CORR_INVITATION_CARRY "%*s %L %L",
                       ctx->token.len, ctx->token.data,
                       corr_rows_int(rows, 0, "staff_id"),
                       corr_rows_get(rows, 0, "expires_at").n);

    if (corr_carry_set(p, corr_make_str(text, last - text)) != NGX_OK) {
        return NGX_ERROR;
    }

    return corr_reply_redirect(p, "/staff");
}


static ngx_int_t
corr_staff_saved(corr_page_t *p)
{
    return corr_reply_redirect(p, "/staff?flash=saved");
}


/* What was changed in the same form is saved as well. */

static ngx_int_t
corr_staff_reinvite(corr_page_t *p)
{
    if (corr_form_raw(p, "name").data != NULL
        && corr_form_check(p, corr_staff_rules) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return corr_staff_sure(p, corr_staff_renew);
}


static ngx_int_t
corr_staff_renew(corr_page_t *p)
{
    corr_staff_t  *ctx;

    if (corr_staff_token(p) != NGX_OK) {
        return NGX_ERROR;
    }

    ctx = p->data;

    corr_db_begin(p, CORR_WRITE_ONCE);

    corr_db_add(p, CORR_SQL_STAFF_REINVITE,
                corr_pg_int(corr_admin_id(p->params[0])),
                corr_pg_bytes(ctx->token),
                corr_pg_int(CORR_INVITATION_HOURS));

    if (corr_form_raw(p, "name").data != NULL) {
        corr_staff_add_save(p, corr_admin_id(p->params[0]));
    }

    return corr_db_send(p, corr_staff_invited);
}


/* In a session of any age: it takes a way in, and gives none. */

static ngx_int_t
corr_staff_sessions_end(corr_page_t *p)
{
    corr_db_begin(p, CORR_WRITE);
    corr_db_add(p, CORR_SQL_STAFF_SESSIONS_END,
                corr_pg_int(corr_admin_id(p->params[0])));

    return corr_db_send(p, corr_staff_sessions_ended);
}


static ngx_int_t
corr_staff_sessions_ended(corr_page_t *p)
{
    return corr_reply_redirect(p, "/staff?edit=%L&flash=staff_sessions_ended",
                               corr_admin_id(p->params[0]));
}


/* Disabling and enabling: asked first, because it is hard to undo. */

static ngx_int_t
corr_staff_one(corr_page_t *p)
{
    corr_db_begin(p, CORR_READ);

    corr_db_add(p, CORR_SQL_STAFF_SHOW,
                corr_pg_int(corr_admin_id(p->params[0])));

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_staff_confirm(corr_page_t *p)
{
    corr_rows_t  *rows;

    rows = corr_db_rows(p, 0);

    if (rows->nrows == 0) {
        return NGX_HTTP_NOT_FOUND;
    }

    if (corr_str_is(corr_rows_text(rows, 0, "staff_status"), "disabled")) {
        corr_staff_ask(p, rows, "enable", CORR_MSG_CONFIRM_STAFF_ENABLE,
                       CORR_MSG_CONFIRM_STAFF_ENABLE_CONSEQUENCE,
                       CORR_MSG_CONFIRM_STAFF_ENABLE_BUTTON);

        return corr_reply_page(p, CORR_TPL_CLERK_CONFIRM);
    }

    if (!p->again && (corr_rows_int(rows, 0, "open_letters")
                      || corr_rows_int(rows, 0, "open_tickets")))
    {
        return corr_reply_redirect(p, "/staff/%L/handover",
                                   corr_admin_id(p->params[0]));
    }

    corr_staff_ask(p, rows, "disable", CORR_MSG_CONFIRM_STAFF_DISABLE,
                   CORR_MSG_CONFIRM_STAFF_DISABLE_CONSEQUENCE,
                   CORR_MSG_CONFIRM_STAFF_DISABLE_BUTTON);
    corr_view_flag(p->view, "danger", 1);

    return corr_reply_page(p, CORR_TPL_CLERK_CONFIRM);
}


static void
corr_staff_ask(corr_page_t *p, corr_rows_t *rows, const char *act,
    ngx_uint_t question, ngx_uint_t consequence, ngx_uint_t button)
{
    corr_view_t   *values;
    corr_texts_t  *texts = p->settings->texts;

    values = corr_view_create(&p->alloc);
    if (values == NULL) {
        return;
    }

    corr_view_row(values, rows, 0);

    corr_view_text(p->view, "question",
                   corr_texts_message(texts, question, values, p->pool));
    corr_view_text(p->view, "consequence",
                   corr_texts_message(texts, consequence, values, p->pool));
    corr_view_text(p->view, "button",
                   corr_texts_message(texts, button, values, p->pool));
    corr_view_text(p->view, "action", corr_staff_path(p, act));
    corr_view_cstr(p->view, "back", "/staff");
    corr_form_key(p);
    corr_staff_password(p);
}


static corr_str_t
corr_staff_path(corr_page_t *p, const char *act)
{
    u_char      *path, *last;
    corr_str_t   none = corr_null_str;

    path = ngx_pnalloc(p->pool, NGX_INT64_LEN + sizeof("/staff//disable"));
    if (path == NULL) {
        return none;
    }

    last = ngx_sprintf(path, "/staff/%L/%s", corr_admin_id(p->params[0]),
                       act);

    return corr_make_str(path, last - path);
}


static ngx_int_t
corr_staff_disable(corr_page_t *p)
{
    return corr_staff_sure(p, corr_staff_disable_sure);
}


static ngx_int_t
corr_staff_disable_sure(corr_page_t *p)
{
    corr_db_begin(p, CORR_WRITE);

    corr_db_add(p, CORR_SQL_STAFF_DISABLE,
                corr_pg_int(corr_admin_id(p->params[0])));

    return corr_db_send(p, corr_staff_disabled);
}


static ngx_int_t
corr_staff_disabled(corr_page_t *p)
{
    return corr_reply_redirect(p, "/staff?flash=staff_disabled");
}


static ngx_int_t
corr_staff_enable(corr_page_t *p)
{
    return corr_staff_sure(p, corr_staff_enable_sure);
}


static ngx_int_t
corr_staff_enable_sure(corr_page_t *p)
{
    corr_db_begin(p, CORR_WRITE);

    corr_db_add(p, CORR_SQL_STAFF_ENABLE,
                corr_pg_int(corr_admin_id(p->params[0])));

    return corr_db_send(p, corr_staff_enabled);
}


static ngx_int_t
corr_staff_enabled(corr_page_t *p)
{
    return corr_reply_redirect(p, "/staff?flash=staff_enabled");
}


static ngx_int_t
corr_handover_find(corr_page_t *p)
{
    corr_db_begin(p, CORR_READ);

    corr_db_add(p, CORR_SQL_STAFF_SHOW,
                corr_pg_int(corr_admin_id(p->params[0])));
    corr_db_add(p, CORR_SQL_STAFF_COLLEAGUES);

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_handover_show(corr_page_t *p)
{
    corr_rows_t  *rows;

    rows = corr_db_rows(p, 0);

    if (rows->nrows == 0) {
        return NGX_HTTP_NOT_FOUND;
    }

    corr_view_text(p->view, "name_of_staff",
                   corr_rows_text(rows, 0, "name"));
    corr_view_value(p->view, "staff_id",
                    corr_rows_get(rows, 0, "staff_id"));
    corr_view_value(p->view, "open_letters",
                    corr_rows_get(rows, 0, "open_letters"));
    corr_view_value(p->view, "open_tickets",
                    corr_rows_get(rows, 0, "open_tickets"));
    corr_staff_colleagues(p, corr_db_rows(p, 1),
                          corr_admin_id(p->params[0]), 0, "to");
    corr_form_key(p);
    corr_form_view(p, corr_handover_rules);
    corr_staff_password(p);

    return corr_reply_page(p, CORR_TPL_CLERK_HANDOVER);
}


static ngx_int_t
corr_handover_do(corr_page_t *p)
{
    if (corr_form_check(p, corr_handover_rules) != NGX_OK) {
        return NGX_ERROR;
    }

    return corr_staff_sure(p, corr_handover_portion);
}


/*
 * So many letters at once that nobody waits for long; when one of the portions
 * fails, the form again moves what is left.
 */

static ngx_int_t
corr_handover_portion(corr_page_t *p)
{
    corr_db_begin(p, CORR_WRITE);

    corr_db_add(p, CORR_SQL_STAFF_HANDOVER,
                corr_pg_int(corr_admin_id(p->params[0])),
                corr_pg_int(corr_form_int(p, "to")));

    return corr_db_send(p, corr_handover_done);
}


static ngx_int_t
corr_handover_done(corr_page_t *p)
{
    if (corr_rows_get(corr_db_rows(p, 0), 0, "more").n) {
        return corr_handover_portion(p);
    }

    return corr_reply_redirect(p, "/staff/%L/disable?flash=handed_over",
                               corr_admin_id(p->params[0]));
}


static ngx_int_t
corr_substitute_set(corr_page_t *p)
{
    int64_t  days;

    if (corr_form_check(p, corr_substitute_rules) != NGX_OK) {
        return NGX_ERROR;
    }

    corr_staff_day(p, "from", &days);
    corr_staff_day(p, "to", &days);

    return corr_staff_sure(p, corr_substitute_sure);
}


static ngx_int_t
corr_substitute_sure(corr_page_t *p)
{
    int64_t  from, to;

    corr_staff_day(p, "from", &from);
    corr_staff_day(p, "to", &to);

    corr_db_begin(p, CORR_WRITE);

    corr_db_add(p, CORR_SQL_SUBSTITUTE_SET,
                corr_pg_int(corr_admin_id(p->params[0])),
                corr_pg_int(corr_form_int(p, "substitute")),
                corr_pg_text(corr_page_date(p, from)),
                corr_pg_text(corr_page_date(p, to)));

    return corr_db_send(p, corr_substitute_done);
}


static void
corr_staff_day(corr_page_t *p, const char *name, int64_t *days)
{
    corr_str_t  typed;

    *days = 0;
    typed = corr_form_value(p, name);

    if (typed.len && corr_jalali_parse(typed, days) != CORR_OK) {
        corr_form_error(p, name, CORR_MSG_DATE_WRONG, NULL);
    }
}


static ngx_int_t
corr_substitute_end(corr_page_t *p)
{
    corr_db_begin(p, CORR_WRITE);

    corr_db_add(p, CORR_SQL_SUBSTITUTE_END,
                corr_pg_int(corr_admin_id(p->params[0])));

    return corr_db_send(p, corr_substitute_done);
}


static ngx_int_t
corr_substitute_done(corr_page_t *p)
{
    return corr_reply_redirect(p, "/staff?edit=%L&flash=%s",
                               corr_admin_id(p->params[0]),
                               corr_form_raw(p, "substitute").len
                               ? "saved" : "removed");
}
