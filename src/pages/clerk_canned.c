/*
 * Canned replies: everybody reads them, managers write them.  Placeholders
 * are checked when one is saved (canned_save in sql/).
 */

#include "clerk_admin.h"


static ngx_int_t corr_canned_find(corr_page_t *p);
static ngx_int_t corr_canned_show(corr_page_t *p);
static ngx_int_t corr_canned_save(corr_page_t *p);
static ngx_int_t corr_canned_saved(corr_page_t *p);


static const corr_rule_t  corr_canned_rules[] = {
    { "submission_key", CORR_RULE_KEY, CORR_REQUIRED, 0, 0,
      CORR_MSG_SUBMISSION_KEY_INVALID, CORR_MSG_SUBMISSION_KEY_INVALID,
      NULL },
    { "title", CORR_RULE_LINE, CORR_REQUIRED, 0, 120,
      CORR_MSG_TITLE_REQUIRED, CORR_MSG_TITLE_TOO_LONG, NULL },
    { "body", CORR_RULE_TEXT, CORR_REQUIRED, 0, 4000,
      CORR_MSG_BODY_REQUIRED, CORR_MSG_BODY_TOO_LONG, NULL },
    { "unit", CORR_RULE_NUMBER, CORR_OPTIONAL, 1, NGX_MAX_INT32_VALUE,
      CORR_MSG_UNIT_WRONG, CORR_MSG_UNIT_WRONG, NULL },
    { "active", CORR_RULE_FLAG, CORR_OPTIONAL, 0, 0, 0, 0, NULL },
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};


const corr_step_pt  corr_canned_steps[] = {
    corr_canned_find, corr_canned_show, NULL
};

const corr_step_pt  corr_canned_save_steps[] = {
    corr_canned_save, NULL
};


static ngx_int_t
corr_canned_find(corr_page_t *p)
{
    corr_db_begin(p, CORR_READ);

    corr_db_add(p, CORR_SQL_CANNED_LIST);
    corr_db_add(p, CORR_SQL_CLERK_UNITS);

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_canned_show(corr_page_t *p)
{
    int64_t       id, unit;
    ngx_int_t     row;
    ngx_uint_t    can_edit;
    corr_rows_t  *canned;

    row = -1;
    canned = corr_db_rows(p, 0);
    can_edit = (p->session.roles & (CORR_MANAGER|CORR_ADMIN)) != 0;
    unit = corr_admin_id(corr_form_raw(p, "unit"));
    id = can_edit ? corr_admin_editing(p, "canned_id") : 0;

    if (id) {
        row = corr_admin_row(canned, "canned_id", id);
        if (row < 0) {
            return NGX_HTTP_NOT_FOUND;
        }

        corr_form_fill(p, "title", corr_rows_text(canned, row, "title"));
        corr_form_fill(p, "body", corr_rows_text(canned, row, "body"));

        if (!p->again) {
            unit = corr_rows_int(canned, row, "unit_id");
        }
    }

    corr_admin_active(p, canned, row);

    corr_view_rows(p->view, "canned", canned);
    corr_view_flag(p->view, "can_edit", can_edit);
    corr_admin_units(p, corr_db_rows(p, 1), unit);
    corr_form_key(p);
    corr_form_view(p, corr_canned_rules);

    return corr_reply_page(p, CORR_TPL_CLERK_CANNED);
}


static ngx_int_t
corr_canned_save(corr_page_t *p)
{
    if (corr_form_check(p, corr_canned_rules) != NGX_OK) {
        return NGX_ERROR;
    }

    if (p->failed_form) {
        return corr_flow_again(p, 422);
    }

    corr_db_begin(p, CORR_WRITE);

    corr_db_add(p, CORR_SQL_CANNED_SAVE,
                corr_pg_text(corr_form_value(p, "submission_key")),
                corr_admin_id_param(corr_admin_id(
                                          corr_form_raw(p, "canned_id"))),
                corr_pg_text(corr_form_value(p, "title")),
                corr_pg_text(corr_form_value(p, "body")),
                corr_admin_id_param(corr_form_int(p, "unit")),
                corr_pg_bool(corr_form_value(p, "active").len != 0));

    return corr_db_send(p, corr_canned_saved);
}


static ngx_int_t
corr_canned_saved(corr_page_t *p)
{
    return corr_reply_redirect(p, "/canned?flash=saved");
}
