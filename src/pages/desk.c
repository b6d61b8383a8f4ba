/*
 * The desk's first page: how far identity is, the newest letters, what is
 * unread.
 */

#include "shared.h"


static ngx_int_t corr_desk_find(corr_page_t *p);
static ngx_int_t corr_desk_show(corr_page_t *p);


const corr_step_pt  corr_desk_steps[] = {
    corr_desk_find,
    NULL
};


static ngx_int_t
corr_desk_find(corr_page_t *p)
{
    corr_db_begin(p, CORR_READ);

    corr_db_add(p, CORR_SQL_DESK_LETTERS, corr_pg_int(p->session.id));
    corr_db_add(p, CORR_SQL_DESK_TICKETS, corr_pg_int(p->session.id));

    return corr_db_send(p, corr_desk_show);
}


static ngx_int_t
corr_desk_show(corr_page_t *p)
{
    corr_view_rows(p->view, "letters", corr_db_rows(p, 0));
    corr_view_int(p->view, "open_tickets",
                  corr_rows_int(corr_db_rows(p, 1), 0, "open_tickets"));

    return corr_reply_page(p, CORR_TPL_DESK);
}
