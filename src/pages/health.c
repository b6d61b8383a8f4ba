/*
 * Health, for machines:
 *
 *     live      the worker answers; nothing else is asked
 *     ready     PostgreSQL with the schema, and Redis that takes writes; 200
 *               or 503, and no figures: for balancers
 *     health    ready, with the facts of the business and what of them is
 *               not well: "degraded" is ready, but somebody should look, and
 *               "problems" says at what
 *
 * What gateways, clamd and the store did is as this worker has met it.
 */

#include "health.h"

#include "../http/db.h"
#include "../http/flow.h"
#include "../http/reply.h"
#include "../services/gateway.h"
#include "../services/store_watch.h"


#define CORR_HEALTH_BUDGET        90       /* per cent, as it was told */
#define CORR_HEALTH_FACTS         1000     /* msec that they are kept */
#define CORR_FACTS                48
#define CORR_FACT_NAME            40


/* What the database said, kept by a worker: asked often it costs nothing. */

typedef struct {
    char                     name[CORR_FACT_NAME];
    int64_t                  value;
} corr_fact_t;


struct corr_facts_s {
    ngx_msec_t               at;
    ngx_uint_t               n;
    corr_fact_t              facts[CORR_FACTS];
};


static ngx_int_t corr_live_show(corr_page_t *p);
static ngx_int_t corr_ready_ask(corr_page_t *p);
static ngx_int_t corr_ready_show(corr_page_t *p);
static ngx_int_t corr_health_ask(corr_page_t *p);
static ngx_uint_t corr_health_asks(corr_page_t *p);
static ngx_int_t corr_health_refused(corr_page_t *p, const char *sqlstate,
    corr_str_t message, corr_str_t detail);
static ngx_int_t corr_health_show(corr_page_t *p);
static ngx_int_t corr_facts_keep(corr_page_t *p, corr_rows_t *rows);
static ngx_uint_t corr_facts_known(corr_page_t *p);
static void corr_facts_show(corr_page_t *p);
static void corr_health_budgets(corr_page_t *p);
static void corr_health_gateways(corr_page_t *p);
static void corr_health_clients(corr_page_t *p, ngx_uint_t database);
static void corr_health_files(corr_page_t *p);
static void corr_health_problem(corr_page_t *p, const char *name,
    ngx_uint_t is);
static ngx_int_t corr_health_reply(corr_page_t *p, ngx_uint_t database);


static const corr_step_pt  corr_live_steps[] = {
    corr_live_show,
    NULL
};


static const corr_step_pt  corr_ready_steps[] = {
    corr_ready_ask,
    corr_ready_show,
    NULL
};


static const corr_step_pt  corr_health_steps[] = {
    corr_health_ask,
    corr_health_show,
    NULL
};


const corr_route_t  corr_live_routes[] = {
    { CORR_GET, ngx_string("/"), CORR_ANYONE, corr_live_steps, NULL },
    { 0, ngx_null_string, 0, NULL, NULL }
};


const corr_route_t  corr_ready_routes[] = {
    { CORR_GET, ngx_string("/"), CORR_ANYONE, corr_ready_steps, NULL },
    { 0, ngx_null_string, 0, NULL, NULL }
};


const corr_route_t  corr_health_routes[] = {
    { CORR_GET, ngx_string("/"), CORR_ANYONE, corr_health_steps, NULL },
    { 0, ngx_null_string, 0, NULL, NULL }
};


static ngx_int_t
corr_live_show(corr_page_t *p)
{
    corr_view_flag(p->view, "live", 1);

    p->json = 1;

    return corr_reply_page(p, CORR_TPL_ERROR);
}


static ngx_int_t
corr_ready_ask(corr_page_t *p)
{
    if (!corr_health_asks(p)) {
        return corr_health_reply(p, 0);
    }

    corr_db_add(p, CORR_SQL_HEALTH_READY);

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_ready_show(corr_page_t *p)
{
    return corr_health_reply(p, 1);
}


static ngx_int_t
corr_health_ask(corr_page_t *p)
{
    corr_view_flag(p->view, "degraded", 0);

    if (!corr_health_asks(p)) {
        return corr_health_reply(p, 0);
    }

    corr_db_add(p, CORR_SQL_HEALTH_READY);

    if (!corr_facts_known(p)) {
        corr_db_add(p, CORR_SQL_HEALTH_FACTS);
    }

    return corr_db_send(p, NULL);
}


/* 0: there is nobody to ask. */

static ngx_uint_t
corr_health_asks(corr_page_t *p)
{
    corr_pg_status_t  pg;

    corr_pg_status(p->worker->pg, &pg);

    if (pg.connections == 0) {
        return 0;
    }

    corr_db_begin(p, CORR_READ|CORR_UNGUARDED);
    corr_db_on_refusal(p, corr_health_refused);

    return 1;
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
    corr_rows_t  *facts;

    facts = corr_db_rows(p, 1);

    if (facts->nrows && corr_facts_keep(p, facts) != NGX_OK) {
        return NGX_ERROR;
    }

    corr_view_text(p->view, "schema",
                   corr_rows_text(corr_db_rows(p, 0), 0, "schema"));

    corr_facts_show(p);

    return corr_health_reply(p, 1);
}


static ngx_int_t
corr_facts_keep(corr_page_t *p, corr_rows_t *rows)
{
    ngx_uint_t            i;
    corr_str_t            name;
    corr_fact_t          *fact;
    corr_value_t          value;
    struct corr_facts_s  *facts = p->worker->facts;

    if (facts == NULL) {
        facts = ngx_palloc(p->worker->cycle->pool,
                           sizeof(struct corr_facts_s));
        if (facts == NULL) {
            return NGX_ERROR;
        }

        p->worker->facts = facts;
    }

    facts->at = ngx_current_msec;
    facts->n = ngx_min(rows->ncolumns, CORR_FACTS);

    for (i = 0; i < facts->n; i++) {
        fact = &facts->facts[i];
        name = rows->columns[i].name;
        rows->cell(rows, 0, i, &value);

        ngx_cpystrn((u_char *) fact->name, name.data,
                    ngx_min(name.len + 1, CORR_FACT_NAME));
        fact->value = value.kind == CORR_INT ? value.n : 0;
    }

    return NGX_OK;
}


static ngx_uint_t
corr_facts_known(corr_page_t *p)
{
    return p->worker->facts
           && ngx_current_msec - p->worker->facts->at < CORR_HEALTH_FACTS;
}


static void
corr_facts_show(corr_page_t *p)
{
    ngx_uint_t    i, k;
    corr_fact_t  *fact;
    corr_view_t  *view;

    static const struct {
        const char  *problem;
        const char  *fact;
        int64_t      most;
    } limits[] = {
        { "messages_unsent", "oldest_unsent_seconds", 300 },
        { "messages_unknown", "oldest_unknown_seconds", 1800 },
        { "audit_unsealed", "audit_unsealed", 5000 },
        { "audit_late", "audit_unsealed_seconds", 300 },
        { "audit_broken", "audit_broken_seq", 0 },
        { "identity_pending", "identity_pending_seconds", 3600 },
        { "companies_pending", "companies_put_off", 0 }
    };

    view = corr_view_object(p->view, "facts");

    for (i = 0; i < p->worker->facts->n; i++) {
        fact = &p->worker->facts->facts[i];
        corr_view_int(view, fact->name, fact->value);

        for (k = 0; k < sizeof(limits) / sizeof(limits[0]); k++) {
            if (ngx_strcmp(fact->name, limits[k].fact) == 0) {
                corr_health_problem(p, limits[k].problem,
                                    fact->value > limits[k].most);
            }
        }
    }
}


/* Those with a budget. */

static void
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

    corr_health_problem(p, "budget", highest >= CORR_HEALTH_BUDGET);
}


static void
corr_health_gateways(corr_page_t *p)
{
    ngx_uint_t    i, down;
    corr_view_t  *view;

    static const struct {
        const char           *kind;
        const char           *problem;
        corr_gateway_kind_e   number;
    } kinds[] = {
        { "shahkar", "gateway_shahkar", CORR_GATEWAY_SHAHKAR },
        { "registry", "gateway_registry", CORR_GATEWAY_REGISTRY },
        { "company", "gateway_company", CORR_GATEWAY_COMPANY },
        { "sms", "gateway_sms", CORR_GATEWAY_SMS }
    };

    view = corr_view_object(p->view, "gateways");

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {

        if (corr_gateway_count(p->worker->gateways, kinds[i].number) == 0) {
            continue;
        }

        down = corr_gateway_down(p->worker->gateways, kinds[i].number);

        corr_view_flag(view, kinds[i].kind, !down);
        corr_health_problem(p, kinds[i].problem, down);
    }
}


static void
corr_health_clients(corr_page_t *p, ngx_uint_t database)
{
    corr_view_t          *view;
    corr_pg_status_t      pg;
    corr_clamd_status_t   clamd;
    corr_redis_status_t   redis;

    corr_pg_status(p->worker->pg, &pg);
    corr_redis_status(p->worker->redis, &redis);

    view = corr_view_object(p->view, "postgres");
    corr_view_flag(view, "up", database);
    corr_view_int(view, "connections", pg.connections);
    corr_view_int(view, "writers", pg.writers);
    corr_view_int(view, "queued", pg.queued);
    corr_health_problem(p, "postgres_schema", pg.absent > 0);
    corr_health_problem(p, "postgres_writers",
                        pg.connections && pg.writes_refused);

    view = corr_view_object(p->view, "redis");
    corr_view_flag(view, "up", redis.up);
    corr_view_flag(view, "writes", redis.writes);
    corr_health_problem(p, "redis_writes", redis.up && !redis.writes);

    if (p->worker->clamd) {
        corr_clamd_status(p->worker->clamd, &clamd);
        corr_view_flag(corr_view_object(p->view, "clamd"), "up", !clamd.down);
        corr_health_problem(p, "clamd", clamd.down);
    }
}


static void
corr_health_files(corr_page_t *p)
{
    corr_view_t         *view;
    corr_store_state_t   state;

    corr_store_watch_state(p->worker->store_watch, &state);

    if (!state.known) {
        return;
    }

    view = corr_view_object(p->view, "store");
    corr_view_flag(view, "writes", state.writable);
    corr_view_int(view, "free_bytes", (int64_t) state.free);
    corr_view_int(view, "total_bytes", (int64_t) state.total);

    corr_health_problem(p, "store_writes", !state.writable);
    corr_health_problem(p, "store_full", state.nearly_full);
}


static void
corr_health_problem(corr_page_t *p, const char *name, ngx_uint_t is)
{
    if (is) {
        corr_view_cstr(corr_view_append(p->view, "problems"), "name", name);
        corr_view_flag(p->view, "degraded", 1);
    }
}


static ngx_int_t
corr_health_reply(corr_page_t *p, ngx_uint_t database)
{
    ngx_uint_t           ready;
    corr_redis_status_t  redis;

    corr_redis_status(p->worker->redis, &redis);

    ready = database && redis.up && redis.writes;

    corr_view_flag(p->view, "live", 1);
    corr_view_flag(p->view, "ready", ready);

    if (p->loc->kind == CORR_KIND_HEALTH) {
        corr_health_clients(p, database);
        corr_health_files(p);
        corr_health_gateways(p);
        corr_health_budgets(p);
    }

    p->json = 1;
    p->status = ready ? NGX_HTTP_OK : NGX_HTTP_SERVICE_UNAVAILABLE;

    return corr_reply_page(p, CORR_TPL_ERROR);
}
