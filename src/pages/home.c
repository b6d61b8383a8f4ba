/*
 * The home page: one clear way in.
 */

#include "pages.h"

#include "../http/reply.h"


static ngx_int_t corr_home_show(corr_page_t *p);


const corr_step_pt  corr_home_steps[] = {
    corr_home_show,
    NULL
};


static ngx_int_t
corr_home_show(corr_page_t *p)
{
    return corr_reply_page(p, CORR_TPL_HOME);
}
