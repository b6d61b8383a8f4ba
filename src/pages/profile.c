/*
 * The person's own data: address, phone, e-mail; and another mobile, which
 * needs a code to the new number and takes identity back to level 1.  Codes
 * to it open the account from then on, so a session that is not young any
 * more needs the password as well.
 */

#include "code_page.h"
#include "confirm.h"


static ngx_int_t corr_profile_find(corr_page_t *p);
static ngx_int_t corr_profile_show(corr_page_t *p);
static ngx_int_t corr_profile_save(corr_page_t *p);
static ngx_int_t corr_profile_saved(corr_page_t *p);
static ngx_int_t corr_mobile_find(corr_page_t *p);
static ngx_int_t corr_mobile_show(corr_page_t *p);
static ngx_uint_t corr_mobile_confirms(corr_page_t *p);
static ngx_int_t corr_mobile_post(corr_page_t *p);
static ngx_int_t corr_mobile_confirm(corr_page_t *p);
static ngx_int_t corr_mobile_confirmed(corr_page_t *p);
static ngx_int_t corr_mobile_request(corr_page_t *p);
static ngx_int_t corr_mobile_changed(corr_page_t *p);


static const corr_rule_t  corr_profile_rules[] = {
    { "address", CORR_RULE_TEXT, CORR_OPTIONAL, 0, 500,
      CORR_MSG_ADDRESS_REQUIRED, CORR_MSG_ADDRESS_WRONG, NULL },
    { "phone", CORR_RULE_PHONE, CORR_OPTIONAL, 0, 0,
      CORR_MSG_PHONE_WRONG, CORR_MSG_PHONE_WRONG, NULL },
    { "email", CORR_RULE_EMAIL, CORR_OPTIONAL, 0, 0,
      CORR_MSG_EMAIL_WRONG, CORR_MSG_EMAIL_WRONG, NULL },
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};

static const corr_rule_t  corr_mobile_rules[] = {
    { "mobile", CORR_RULE_MOBILE, CORR_REQUIRED, 0, 0,
      CORR_MSG_MOBILE_REQUIRED, CORR_MSG_MOBILE_WRONG, NULL },
    { "current_password", CORR_RULE_RAW, CORR_OPTIONAL, 0, 512,
      CORR_MSG_CURRENT_PASSWORD_REQUIRED, CORR_MSG_CURRENT_PASSWORD_WRONG,
      NULL },
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};


const corr_step_pt  corr_profile_steps[] = {
    corr_profile_find, corr_profile_show, NULL
};

const corr_step_pt  corr_profile_save_steps[] = {
    corr_page_change_rate, corr_profile_save, corr_profile_saved, NULL
};

const corr_step_pt  corr_profile_mobile_steps[] = {
    corr_page_captcha, corr_mobile_find, corr_mobile_show, NULL
};

const corr_step_pt  corr_profile_mobile_post_steps[] = {
    corr_page_captcha_due, corr_mobile_find, corr_mobile_post,
    corr_mobile_confirm, corr_page_captcha_check, corr_mobile_request, NULL
};


static ngx_int_t
corr_profile_find(corr_page_t *p)
{
    corr_db_begin(p, CORR_READ);
    corr_db_add(p, CORR_SQL_PERSON_SHOW, corr_pg_int(p->session.id));

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_profile_show(corr_page_t *p)
{
    corr_rows_t  *rows;

    rows = corr_db_rows(p, 0);

    corr_view_row(corr_view_object(p->view, "person"), rows, 0);

    if (!p->again) {
        corr_form_fill(p, "address", corr_rows_text(rows, 0, "address"));
        corr_form_fill(p, "phone", corr_rows_text(rows, 0, "phone"));
        corr_form_fill(p, "email", corr_rows_text(rows, 0, "email"));
    }

    corr_form_view(p, corr_profile_rules);

    return corr_reply_page(p, CORR_TPL_PROFILE);
}


static ngx_int_t
corr_profile_save(corr_page_t *p)
{
    if (corr_form_check(p, corr_profile_rules) != NGX_OK) {
        return NGX_ERROR;
    }

    if (p->failed_form) {
        return corr_flow_again(p, 422);
    }

    corr_db_begin(p, CORR_WRITE);

    corr_db_add(p, CORR_SQL_PROFILE_SAVE,
                corr_pg_text(corr_form_value(p, "address")),
                corr_pg_text(corr_form_value(p, "phone")),
                corr_pg_text(corr_form_value(p, "email")));

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_profile_saved(corr_page_t *p)
{
    return corr_reply_redirect(p, "/desk/profile?flash=profile_saved");
}


static ngx_int_t
corr_mobile_find(corr_page_t *p)
{
    corr_db_begin(p, CORR_READ);
    corr_db_add(p, CORR_SQL_PERSON_SHOW, corr_pg_int(p->session.id));
    corr_code_state(p);

    return corr_db_send(p, NULL);
}


/* The second step once a code is on its way and its number was not retyped. */

static ngx_int_t
corr_mobile_show(corr_page_t *p)
{
    ngx_uint_t    sent;
    corr_rows_t  *rows;

    rows = corr_db_rows(p, 0);

    sent = corr_query(p, "sent").len != 0
           || corr_form_raw(p, "code").data != NULL;

    corr_form_view(p, corr_mobile_rules);

    if (sent && corr_code_state_show(p, corr_db_rows(p, 1)) == NGX_OK) {
        corr_view_flag(p->view, "code_sent", 1);

    } else {
        corr_view_text(p->view, "mobile_masked",
                       corr_page_mask(p, corr_rows_text(rows, 0, "mobile")));
        corr_view_flag(p->view, "password_wanted", corr_mobile_confirms(p));
    }

    return corr_reply_page(p, CORR_TPL_PROFILE_MOBILE);
}


/* With the person's row: who has no password cannot be asked for it. */

static ngx_uint_t
corr_mobile_confirms(corr_page_t *p)
{
    return corr_confirm_due(p)
           && corr_rows_int(corr_db_rows(p, 0), 0, "has_password") != 0;
}


/* The code has tries of its own; the form that asks for one goes on. */

static ngx_int_t
corr_mobile_post(corr_page_t *p)
{
    if (corr_form_raw(p, "code").data) {
        return corr_code_verify(p);
    }

    if (p->captcha_due && corr_captcha_new_wanted(p)) {
        return NGX_OK;
    }

    if (corr_form_check(p, corr_mobile_rules) != NGX_OK) {
        return NGX_ERROR;
    }

    if (corr_mobile_confirms(p)) {
        corr_confirm_required(p);
    }

    return p->failed_form ? corr_flow_again(p, 422) : NGX_OK;
}


static ngx_int_t
corr_mobile_confirm(corr_page_t *p)
{
    if ((p->captcha_due && corr_captcha_new_wanted(p))
        || !corr_mobile_confirms(p))
    {
        return NGX_OK;
    }

    return corr_confirm(p, corr_mobile_confirmed);
}


static ngx_int_t
corr_mobile_confirmed(corr_page_t *p)
{
    return NGX_OK;
}


static ngx_int_t
corr_mobile_request(corr_page_t *p)
{
    return corr_code_ask(p, CORR_SQL_MOBILE_REQUEST,
                         corr_pg_text(corr_form_value(p, "mobile")));
}


ngx_int_t
corr_mobile_code_right(corr_page_t *p)
{
    corr_relay_wake(p->worker->relay);

    return corr_session_renew(p, corr_rows_int(corr_db_rows(p, 0), 0,
                                               "session_epoch"),
                              corr_mobile_changed);
}


static ngx_int_t
corr_mobile_changed(corr_page_t *p)
{
    return corr_reply_redirect(p, "/desk/identity?flash=mobile_changed");
}
