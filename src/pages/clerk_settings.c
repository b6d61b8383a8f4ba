/*
 * The administrator's numbers: the deadline of an answer, and what one person
 * may send in a day.
 */

#include "clerk_admin.h"


#define CORR_SETTING(name)                                                    \
    { name, CORR_RULE_NUMBER, CORR_REQUIRED, 1, 365, CORR_MSG_SETTING_WRONG,  \
      CORR_MSG_SETTING_WRONG, NULL }


static ngx_int_t corr_settings_find(corr_page_t *p);
static ngx_int_t corr_settings_show(corr_page_t *p);
static ngx_int_t corr_settings_save(corr_page_t *p);
static ngx_int_t corr_settings_saved(corr_page_t *p);


static const corr_rule_t  corr_settings_rules[] = {
    CORR_SETTING("due_days"),
    CORR_SETTING("followups_day"),
    CORR_SETTING("tickets_day"),
    CORR_SETTING("ticket_messages_day"),
    CORR_SETTING("message_tries"),
    CORR_SETTING("message_blind_tries"),
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};


const corr_step_pt  corr_settings_steps[] = {
    corr_settings_find, corr_settings_show, NULL
};

const corr_step_pt  corr_settings_save_steps[] = {
    corr_settings_save, NULL
};


static ngx_int_t
corr_settings_find(corr_page_t *p)
{
    corr_db_begin(p, CORR_READ);
    corr_db_add(p, CORR_SQL_SETTINGS_LIST);

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_settings_show(corr_page_t *p)
{
    ngx_uint_t          i;
    corr_rows_t        *rows;
    const corr_rule_t  *rule;

    rows = corr_db_rows(p, 0);

    for (i = 0; i < rows->nrows && !p->again; i++) {
        for (rule = corr_settings_rules; rule->name; rule++) {
            if (corr_str_is(corr_rows_text(rows, i, "name"), rule->name)) {
                corr_form_fill(p, rule->name,
                               corr_admin_text(p, rows, i, "value"));
            }
        }
    }

    corr_form_view(p, corr_settings_rules);

    return corr_reply_page(p, CORR_TPL_CLERK_SETTINGS);
}


/* All of them, in one transaction; what did not change is no change. */

static ngx_int_t
corr_settings_save(corr_page_t *p)
{
    const corr_rule_t  *rule;

    if (corr_form_check(p, corr_settings_rules) != NGX_OK) {
        return NGX_ERROR;
    }

    if (p->failed_form) {
        return corr_flow_again(p, 422);
    }

    corr_db_begin(p, CORR_WRITE);

    for (rule = corr_settings_rules; rule->name; rule++) {
        corr_db_add(p, CORR_SQL_SETTING_SET,
                    corr_pg_text(corr_cstr(rule->name)),
                    corr_pg_int(corr_form_int(p, rule->name)));
    }

    return corr_db_send(p, corr_settings_saved);
}


static ngx_int_t
corr_settings_saved(corr_page_t *p)
{
    return corr_reply_redirect(p, "/settings?flash=saved");
}
