#include "confirm.h"

#include "../services/passwords_work.h"


struct corr_confirm_s {
    corr_task_t             *task;
    corr_str_t               stored;
    corr_step_pt             then;
};


static ngx_int_t corr_confirm_tried(corr_page_t *p);
static ngx_int_t corr_confirm_verified(corr_page_t *p);
static ngx_int_t corr_confirm_wrong(corr_page_t *p);
static ngx_int_t corr_confirm_told(corr_page_t *p);
static ngx_int_t corr_confirm_right(corr_page_t *p);


ngx_uint_t
corr_confirm_due(corr_page_t *p)
{
    return ngx_time() - p->session.created >= p->settings->confirm_after;
}


void
corr_confirm_required(corr_page_t *p)
{
    if (corr_form_raw(p, "current_password").len == 0) {
        corr_form_error(p, "current_password",
                        CORR_MSG_CURRENT_PASSWORD_REQUIRED, NULL);
    }
}


ngx_int_t
corr_confirm(corr_page_t *p, corr_step_pt then)
{
    p->confirm = ngx_pcalloc(p->pool, sizeof(corr_confirm_t));
    if (p->confirm == NULL) {
        return NGX_ERROR;
    }

    p->confirm->then = then;

    corr_db_begin(p, CORR_WRITE_ONCE);

    if (p->session.who == CORR_A_STAFF) {
        corr_db_add(p, CORR_SQL_STAFF_PASSWORD_CURRENT);

    } else {
        corr_db_add(p, CORR_SQL_PASSWORD_CURRENT,
                    corr_pg_text(corr_session_browser(p)));
    }

    return corr_db_send(p, corr_confirm_tried);
}


static ngx_int_t
corr_confirm_tried(corr_page_t *p)
{
    int64_t          wait;
    corr_rows_t     *rows;
    corr_view_t     *values;
    corr_confirm_t  *confirm = p->confirm;

    rows = corr_db_rows(p, 0);
    wait = corr_rows_int(rows, 0, "wait");

    if (wait > 0) {
        values = corr_view_create(&p->alloc);
        if (values == NULL) {
            return NGX_ERROR;
        }

        corr_view_int(values, "seconds", wait);
        corr_form_error(p, "current_password", CORR_MSG_STAFF_LOGIN_WAIT,
                        values);

        return corr_flow_again(p, 429);
    }

    confirm->stored = corr_rows_text(rows, 0, "password_hash");

    if (confirm->stored.len == 0) {
        return p->session.who == CORR_A_PERSON ? confirm->then(p)
                                               : corr_confirm_wrong(p);
    }

    confirm->task = corr_password_verify(p->settings->passwords,
                                         p->worker->cpu, &p->owner,
                                         corr_form_raw(p, "current_password"),
                                         confirm->stored,
                                         p->settings->page_timeout);
    if (confirm->task == NULL) {
        return NGX_ERROR;
    }

    return corr_flow_then(p, corr_confirm_verified);
}


static ngx_int_t
corr_confirm_verified(corr_page_t *p)
{
    corr_confirm_t  *confirm = p->confirm;

    if (confirm->task->op.status != CORR_OP_OK) {
        return corr_reply_error(p, NGX_HTTP_SERVICE_UNAVAILABLE,
                                CORR_MSG_BUSY, 5, "no thread for a password");
    }

    if (!corr_password_result(confirm->task)->right) {
        return corr_confirm_wrong(p);
    }

    return p->session.who == CORR_A_STAFF ? corr_confirm_right(p)
                                          : confirm->then(p);
}


static ngx_int_t
corr_confirm_wrong(corr_page_t *p)
{
    corr_form_error(p, "current_password", CORR_MSG_CURRENT_PASSWORD_WRONG,
                    NULL);

    if (p->session.who != CORR_A_STAFF) {
        return corr_confirm_told(p);
    }

    corr_db_begin(p, CORR_WRITE);
    corr_db_add(p, CORR_SQL_STAFF_PASSWORD_WRONG);

    return corr_db_send(p, corr_confirm_told);
}


static ngx_int_t
corr_confirm_told(corr_page_t *p)
{
    return corr_flow_again(p, 422);
}


/*
 * Whoever invites ten colleagues is asked ten times: the tries are given
 * back.  Not a citizen's, whose every change of mobile costs an SMS.
 */

static ngx_int_t
corr_confirm_right(corr_page_t *p)
{
    corr_db_begin(p, CORR_WRITE);
    corr_db_add(p, CORR_SQL_STAFF_PASSWORD_RIGHT);

    return corr_db_send(p, p->confirm->then);
}


corr_str_t
corr_confirm_stored(corr_page_t *p)
{
    return p->confirm->stored;
}
