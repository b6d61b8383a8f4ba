/*
 * Health: live (this answer), ready (PostgreSQL with the schema, and
 * Redis), and the facts of the business that say whether all is well: the
 * oldest message that was not sent, letters that wait.
 *
 * 200 when ready, 503 when not.  "degraded" is ready, but somebody should
 * look: a message older than some minutes, an audit that is not sealed, a
 * gateway whose budget for today is nearly used up.
 */

#include "health.h"

#include "../http/db.h"
#include "../http/flow.h"
#include "../http/reply.h"
#include "../services/gateway.h"


#define CORR_HEALTH_OLD_MESSAGE   300      /* seconds */
#define CORR_HEALTH_UNSEALED      5000     /* audit lines */
#define CORR_HEALTH_BUDGET        90       /* per cent, as it was told */


static ngx_int_t corr_health_ask(corr_page_t *p);
static ngx_int_t corr_health_refused(corr_page_t *p, const char *sqlstate,
    corr_str_t message, corr_str_t detail);
static ngx_int_t corr_health_show(corr_page_t *p);
static ngx_uint_t corr_health_budgets(corr_page_t *p);
static ngx_int_t corr_health_reply(corr_page_t *p, ngx_uint_t database);


static const corr_step_pt  corr_health_steps[] = {
    corr_health_ask,
    corr_health_show,
    NULL
};


const corr_route_t  corr_health_routes[] = {
    { CORR_GET, ngx_string("/"), CORR_ANYONE, corr_health_steps, NULL },
    { 0, ngx_null_string, 0, NULL, NULL }
};


static ngx_int_t
corr_health_ask(corr_page_t *p)
{
    corr_pg_status_t  pg;

    corr_pg_status(p->worker->pg, &pg);

    if (pg.connections == 0) {
        return corr_health_reply(p, 0);
    }

    corr_db_begin(p, CORR_READ|CORR_UNGUARDED);
    corr_db_on_refusal(p, corr_health_refused);
    corr_db_add(p, CORR_SQL_HEALTH_READY);
    corr_db_add(p, CORR_SQL_HEALTH_FACTS);

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_health_refused(corr_page_t *p, const char *sqlstate,
    corr_str_t message, corr_str_t detail)
{
    (void) sqlstate;
    (void) message;
    (void) detail;

    return corr_health_reply(p, 0);
}


static ngx_int_t
corr_health_show(corr_page_t *p)
{
    int64_t       oldest, unsealed;
    corr_rows_t  *facts;

    facts = corr_db_rows(p, 1);

    corr_view_row(corr_view_object(p->view, "facts"), facts, 0);
    corr_view_text(p->view, "schema",
                   corr_rows_text(corr_db_rows(p, 0), 0, "schema"));

    oldest = corr_rows_int(facts, 0, "oldest_unsent_seconds");
    unsealed = corr_rows_int(facts, 0, "audit_unsealed");

    corr_view_flag(p->view, "degraded",
                   corr_health_budgets(p) >= CORR_HEALTH_BUDGET
                   || oldest > CORR_HEALTH_OLD_MESSAGE
                   || unsealed > CORR_HEALTH_UNSEALED);

    return corr_health_reply(p, 1);
}


/* Those with a budget; the highest alarm of them is returned. */

static ngx_uint_t
corr_health_budgets(corr_page_t *p)
{
    ngx_uint_t              i, highest;
    corr_view_t            *view;
    corr_gateway_status_t   s;

    highest = 0;

    for (i = 0; corr_gateway_status(p->worker->gateways, i, &s) == NGX_OK;
         i++)
    {
        if (s.budget == 0) {
            continue;
        }

        view = corr_view_append(p->view, "budgets");
        corr_view_text(view, "kind", s.kind);
        corr_view_text(view, "name", s.name);
        corr_view_int(view, "budget", s.budget);
        corr_view_int(view, "used", s.used);
        corr_view_int(view, "alarm", s.alarm);

        highest = ngx_max(highest, s.alarm);
    }

    return highest;
}


static ngx_int_t
corr_health_reply(corr_page_t *p, ngx_uint_t database)
{
    ngx_uint_t           ready;
    corr_view_t         *view;
    corr_pg_status_t     pg;
    corr_redis_status_t  redis;

    corr_pg_status(p->worker->pg, &pg);
    corr_redis_status(p->worker->redis, &redis);

    ready = database && redis.up;

    corr_view_flag(p->view, "live", 1);
    corr_view_flag(p->view, "ready", ready);

    view = corr_view_object(p->view, "postgres");
    corr_view_flag(view, "up", database);
    corr_view_int(view, "connections", pg.connections);
    corr_view_int(view, "queued", pg.queued);

    view = corr_view_object(p->view, "redis");
    corr_view_flag(view, "up", redis.up);

    p->json = 1;
    p->status = ready ? NGX_HTTP_OK : NGX_HTTP_SERVICE_UNAVAILABLE;

    return corr_reply_page(p, CORR_TPL_ERROR);
}
