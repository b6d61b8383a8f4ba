/*
 * One's own sessions: which browsers are logged in, and ending them.
 */

#include "shared.h"

#include "../lib/agent.h"


typedef struct {
    ngx_array_t             *list;         /* corr_session_info_t */
    corr_session_info_t     *other;        /* the one to end */
} corr_sessions_t;


static ngx_int_t corr_sessions_guard(corr_page_t *p);
static ngx_int_t corr_sessions_list(corr_page_t *p);
static ngx_int_t corr_sessions_show(corr_page_t *p);
static void corr_sessions_row(corr_page_t *p, corr_session_info_t *info);
static ngx_int_t corr_sessions_post(corr_page_t *p);
static ngx_int_t corr_sessions_find(corr_page_t *p);
static ngx_int_t corr_sessions_end_one(corr_page_t *p);
static ngx_int_t corr_sessions_one_noted(corr_page_t *p);
static ngx_int_t corr_sessions_one_ended(corr_page_t *p);
static ngx_int_t corr_sessions_ended(corr_page_t *p);
static ngx_int_t corr_sessions_end_all(corr_page_t *p);
static ngx_int_t corr_sessions_all_ended(corr_page_t *p);


const corr_step_pt  corr_sessions_steps[] = {
    corr_sessions_guard, corr_sessions_list, NULL
};

const corr_step_pt  corr_sessions_post_steps[] = {
    corr_page_change_rate, corr_sessions_post, NULL
};


static ngx_int_t
corr_sessions_guard(corr_page_t *p)
{
    corr_db_begin(p, CORR_READ);

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_sessions_list(corr_page_t *p)
{
    corr_sessions_t  *ctx;

    ctx = corr_page_data(p, sizeof(corr_sessions_t));
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    return corr_session_list(p, &ctx->list, corr_sessions_show);
}


static ngx_int_t
corr_sessions_show(corr_page_t *p)
{
    ngx_uint_t            i;
    corr_sessions_t      *ctx = p->data;
    corr_session_info_t  *info;

    info = ctx->list->elts;

    for (i = 0; i < ctx->list->nelts; i++) {
        if (info[i].current) {
            corr_sessions_row(p, &info[i]);
        }
    }

    for (i = 0; i < ctx->list->nelts; i++) {
        if (!info[i].current) {
            corr_sessions_row(p, &info[i]);
        }
    }

    corr_view_int(p->view, "others", ctx->list->nelts
                                     ? (int64_t) ctx->list->nelts - 1 : 0);

    return corr_reply_page(p, CORR_TPL_SESSIONS);
}


static void
corr_sessions_row(corr_page_t *p, corr_session_info_t *info)
{
    corr_view_t   *row;
    corr_agent_t   agent;

    row = corr_view_append(p->view, "sessions");

    corr_agent_read(info->agent, &agent);

    corr_view_text(row, "agent", info->agent);

    if (agent.browser) {
        corr_view_cstr(row, "browser", agent.browser);
    }

    if (agent.device) {
        corr_view_cstr(row, "device", agent.device);
    }

    corr_view_text(row, "session_id", info->id);
    corr_view_time(row, "created_at", info->created);
    corr_view_time(row, "seen_at", info->seen);
    corr_view_text(row, "address", info->address);
    corr_view_flag(row, "is_current", info->current);
}


static ngx_int_t
corr_sessions_post(corr_page_t *p)
{
    if (corr_form_raw(p, "all").len) {
        return corr_sessions_end_all(p);
    }

    corr_db_begin(p, CORR_READ);

    return corr_db_send(p, corr_sessions_find);
}


static ngx_int_t
corr_sessions_find(corr_page_t *p)
{
    corr_sessions_t  *ctx;

    ctx = corr_page_data(p, sizeof(corr_sessions_t));
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    return corr_session_list(p, &ctx->list, corr_sessions_end_one);
}


static ngx_int_t
corr_sessions_end_one(corr_page_t *p)
{
    corr_str_t            id;
    ngx_uint_t            i;
    corr_sessions_t      *ctx = p->data;
    corr_session_info_t  *info;

    id = corr_form_raw(p, "session_id");
    info = ctx->list->elts;

    for (i = 0; i < ctx->list->nelts; i++) {
        if (corr_str_eq(info[i].id, id) && !info[i].current) {
            ctx->other = &info[i];

            corr_db_begin(p, CORR_WRITE);
            corr_db_add(p, CORR_SQL_SESSION_ENDED);

            return corr_db_send(p, corr_sessions_one_noted);
        }
    }

    /* it has ended by itself */

    return corr_sessions_one_ended(p);
}


static ngx_int_t
corr_sessions_one_noted(corr_page_t *p)
{
    corr_sessions_t  *ctx = p->data;

    return corr_session_end_other(p, ctx->other, corr_sessions_one_ended);
}


static ngx_int_t
corr_sessions_one_ended(corr_page_t *p)
{
    return corr_reply_redirect(p, "/desk/sessions?flash=session_ended");
}


static ngx_int_t
corr_sessions_ended(corr_page_t *p)
{
    return corr_reply_redirect(p, "/desk/sessions?flash=sessions_ended");
}


/* The epoch goes up, so they end whatever Redis remembers of them. */

static ngx_int_t
corr_sessions_end_all(corr_page_t *p)
{
    corr_db_begin(p, CORR_WRITE_ONCE|CORR_REVOKES);
    corr_db_add(p, CORR_SQL_SESSIONS_END);

    return corr_db_send(p, corr_sessions_all_ended);
}


static ngx_int_t
corr_sessions_all_ended(corr_page_t *p)
{
    return corr_session_renew(p, corr_rows_int(corr_db_rows(p, 0), 0,
                                               "session_epoch"),
                              corr_sessions_ended);
}
