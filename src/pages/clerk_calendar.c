/*
 * The working calendar, a Jalali year at a time: holidays, and Thursdays
 * and Fridays that are worked.  The due dates of open letters move with it
 * (calendar_set in sql/).
 */

#include "clerk_admin.h"

#include "../lib/jalali.h"
#include "../services/deadlines_job.h"


static ngx_int_t corr_calendar_find(corr_page_t *p);
static ngx_int_t corr_calendar_show(corr_page_t *p);
static ngx_int_t corr_calendar_set(corr_page_t *p);
static ngx_int_t corr_calendar_saved(corr_page_t *p);
static int64_t corr_calendar_year(corr_page_t *p);


static const corr_rule_t  corr_calendar_rules[] = {
    { "day", CORR_RULE_LINE, CORR_REQUIRED, 0, 20,
      CORR_MSG_DAY_REQUIRED, CORR_MSG_DAY_WRONG, NULL },
    { "day_kind", CORR_RULE_CHOICE, CORR_REQUIRED, 0, 0,
      CORR_MSG_DAY_KIND_WRONG, CORR_MSG_DAY_KIND_WRONG,
      "holiday workday none" },
    { "title", CORR_RULE_LINE, CORR_OPTIONAL, 0, 120,
      CORR_MSG_TITLE_REQUIRED, CORR_MSG_TITLE_TOO_LONG, NULL },
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};


const corr_step_pt  corr_calendar_steps[] = {
    corr_calendar_find, corr_calendar_show, NULL
};

const corr_step_pt  corr_calendar_set_steps[] = {
    corr_calendar_set, NULL
};


static ngx_int_t
corr_calendar_find(corr_page_t *p)
{
    corr_db_begin(p, CORR_READ);

    corr_db_add(p, CORR_SQL_CALENDAR_LIST,
                corr_pg_int(corr_calendar_year(p)));

    return corr_db_send(p, NULL);
}


/* The year asked for, that of a refused day, or this one. */

static int64_t
corr_calendar_year(corr_page_t *p)
{
    int64_t      days, year;
    corr_date_t  date;

    if (corr_jalali_parse(corr_form_raw(p, "day"), &days) != CORR_OK) {
        days = corr_local_day((int64_t) ngx_time() * CORR_USEC,
                              CORR_TEHRAN_OFFSET);
    }

    if (corr_jalali_from_days(days, &date) != CORR_OK) {
        return CORR_JALALI_FIRST + 1;
    }

    year = corr_query_int(p, "year", date.year);

    return ngx_min(ngx_max(year, CORR_JALALI_FIRST + 1),
                   CORR_JALALI_LAST - 1);
}


static ngx_int_t
corr_calendar_show(corr_page_t *p)
{
    int64_t  year;

    year = corr_calendar_year(p);

    corr_view_int(p->view, "year", year);
    corr_view_int(p->view, "previous_year", year - 1);
    corr_view_int(p->view, "next_year", year + 1);
    corr_view_rows(p->view, "days", corr_db_rows(p, 0));
    corr_form_key(p);
    corr_form_view(p, corr_calendar_rules);

    return corr_reply_page(p, CORR_TPL_CLERK_CALENDAR);
}


static ngx_int_t
corr_calendar_set(corr_page_t *p)
{
    int64_t  days;

    if (corr_form_check(p, corr_calendar_rules) != NGX_OK) {
        return NGX_ERROR;
    }

    if (corr_form_value(p, "day").len
        && corr_jalali_parse(corr_form_value(p, "day"), &days) != CORR_OK)
    {
        corr_form_error(p, "day", CORR_MSG_DAY_WRONG, NULL);
    }

    if (p->failed_form) {
        return corr_flow_again(p, 422);
    }

    /* again with the same values moves no due date twice */

    corr_db_begin(p, CORR_WRITE);

    corr_db_add(p, CORR_SQL_CALENDAR_SET,
                corr_pg_text(corr_page_date(p, days)),
                corr_pg_text(corr_form_value(p, "day_kind")),
                corr_pg_text(corr_form_value(p, "title")));

    return corr_db_send(p, corr_calendar_saved);
}


static ngx_int_t
corr_calendar_saved(corr_page_t *p)
{
    corr_deadlines_wake(p->worker->deadlines);

    return corr_reply_redirect(p, "/calendar?year=%L&flash=%s",
                               corr_calendar_year(p),
                               corr_str_is(corr_form_value(p, "day_kind"),
                                           "none")
                               ? "removed" : "saved");
}
