/*
 * The figures in Prometheus' text format, of all workers.
 *
 * Those of the shared zone need nobody; the business facts are one round
 * trip, and are left out when PostgreSQL does not answer.
 */

#include "health.h"

#include "../http/counters.h"
#include "../http/db.h"
#include "../http/reply.h"
#include "../services/gateway.h"
#include "../services/store_watch.h"
#include "version.h"


#define CORR_METRICS_SIZE   (256 * 1024)


typedef struct {
    u_char                  *start;
    u_char                  *last;
    u_char                  *end;
} corr_metrics_t;


static ngx_int_t corr_metrics_ask(corr_page_t *p);
static ngx_int_t corr_metrics_refused(corr_page_t *p, const char *sqlstate,
    corr_str_t message, corr_str_t detail);
static ngx_int_t corr_metrics_show(corr_page_t *p);
static ngx_int_t corr_metrics_reply(corr_page_t *p, ngx_uint_t database);
static void corr_metrics_print(corr_metrics_t *m, const char *format, ...);
static void corr_metrics_head(corr_metrics_t *m, const char *name,
    const char *type, const char *help);
static void corr_metrics_requests(corr_metrics_t *m, corr_page_t *p,
    corr_counters_t *c);
static void corr_metrics_table(corr_metrics_t *m, corr_counters_t *c,
    const char *kind, const corr_route_t *routes, ngx_uint_t offset);
static void corr_metrics_latency(corr_metrics_t *m, corr_counters_t *c);
static void corr_metrics_clients(corr_metrics_t *m, corr_counters_t *c);
static void corr_metrics_gauge(corr_metrics_t *m, corr_counters_t *c,
    const char *name, const char *help, size_t offset);
static void corr_metrics_counts(corr_metrics_t *m, corr_counters_t *c);
static void corr_metrics_house(corr_metrics_t *m, corr_page_t *p);
static void corr_metrics_gateways(corr_metrics_t *m, corr_page_t *p);
static void corr_metrics_gateway(corr_metrics_t *m, const char *name,
    const corr_gateway_status_t *s);
static void corr_metrics_seen(corr_metrics_t *m, corr_page_t *p,
    const char *name, const char *help, ngx_uint_t latency);
static void corr_metrics_facts(corr_metrics_t *m, corr_page_t *p);
static void corr_metrics_messages(corr_metrics_t *m, corr_rows_t *rows,
    const char *name, const char *help, const char *column);


static const char  *corr_client_names[CORR_CLIENTS] = {
    "postgres", "redis", "http", "cpu", "disk", "relay", "clamd"
};


static const corr_step_pt  corr_metrics_steps[] = {
    corr_metrics_ask,
    corr_metrics_show,
    NULL
};


const corr_route_t  corr_metrics_routes[] = {
    { CORR_GET, ngx_string("/"), CORR_ANYONE, corr_metrics_steps, NULL },
    { 0, ngx_null_string, 0, NULL, NULL }
};


static ngx_int_t
corr_metrics_ask(corr_page_t *p)
{
    corr_pg_status_t  pg;

    corr_pg_status(p->worker->pg, &pg);

    if (pg.connections == 0) {
        return corr_metrics_reply(p, 0);
    }

    corr_db_begin(p, CORR_READ|CORR_UNGUARDED);
    corr_db_on_refusal(p, corr_metrics_refused);
    corr_db_add(p, CORR_SQL_HEALTH_FACTS);
    corr_db_add(p, CORR_SQL_HEALTH_MESSAGES);
    corr_db_add(p, CORR_SQL_HEALTH_READY);

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_metrics_refused(corr_page_t *p, const char *sqlstate,
    corr_str_t message, corr_str_t detail)
{
    (void) sqlstate;
    (void) message;
    (void) detail;

    return corr_metrics_reply(p, 0);
}


static ngx_int_t
corr_metrics_show(corr_page_t *p)
{
    return corr_metrics_reply(p, 1);
}


static ngx_int_t
corr_metrics_reply(corr_page_t *p, ngx_uint_t database)
{
    corr_metrics_t    m;
    corr_counters_t  *c = p->worker->counters;

    m.start = ngx_pnalloc(p->pool, CORR_METRICS_SIZE);
    if (m.start == NULL || c == NULL) {
        return NGX_ERROR;
    }

    m.last = m.start;
    m.end = m.start + CORR_METRICS_SIZE;

    corr_metrics_requests(&m, p, c);
    corr_metrics_latency(&m, c);
    corr_metrics_clients(&m, c);
    corr_metrics_counts(&m, c);
    corr_metrics_gateways(&m, p);
    corr_metrics_house(&m, p);

    corr_metrics_head(&m, "database_up", "gauge",
                      "Whether PostgreSQL answered this scrape");
    corr_metrics_print(&m, "correspondence_database_up %ui\n", database);

    if (database) {
        corr_metrics_facts(&m, p);
    }

    return corr_reply_bytes(p, "text/plain; version=0.0.4; charset=utf-8",
                            corr_make_str(m.start, m.last - m.start));
}


static void
corr_metrics_print(corr_metrics_t *m, const char *format, ...)
{
    va_list  args;

    va_start(args, format);
    m->last = ngx_vslprintf(m->last, m->end, format, args);
    va_end(args);
}


static void
corr_metrics_head(corr_metrics_t *m, const char *name, const char *type,
    const char *help)
{
    corr_metrics_print(m, "# HELP correspondence_%s %s.\n"
                       "# TYPE correspondence_%s %s\n",
                       name, help, name, type);
}


static void
corr_metrics_requests(corr_metrics_t *m, corr_page_t *p, corr_counters_t *c)
{
    corr_metrics_head(m, "requests_total", "counter",
                      "Pages by location, method, route and status");

    corr_metrics_table(m, c, "citizen", p->settings->citizen_routes, 0);
    corr_metrics_table(m, c, "clerk", p->settings->clerk_routes,
                       CORR_COUNTERS_ROUTES / 2);

    corr_metrics_print(m, "correspondence_requests_total{location=\"any\","
                       "method=\"any\",route=\"none\",status=\"404\"} %uA\n",
                       c->nowhere);
}


static void
corr_metrics_table(corr_metrics_t *m, corr_counters_t *c, const char *kind,
    const corr_route_t *routes, ngx_uint_t offset)
{
    ngx_uint_t          i, k;
    ngx_atomic_uint_t   n;

    for (i = 0; routes[i].path.len; i++) {

        for (k = 0; k < CORR_COUNTERS_STATUSES; k++) {

            n = c->requests[offset + i][k];

            if (n == 0) {
                continue;
            }

            corr_metrics_print(m, "correspondence_requests_total{"
                               "location=\"%s\",method=\"%s\",route=\"%V\",",
                               kind,
                               routes[i].method == CORR_POST ? "POST" : "GET",
                               &routes[i].path);

            if (corr_counter_statuses[k]) {
                corr_metrics_print(m, "status=\"%ui\"} %uA\n",
                                   corr_counter_statuses[k], n);

            } else {
                corr_metrics_print(m, "status=\"other\"} %uA\n", n);
            }
        }
    }
}


static void
corr_metrics_latency(corr_metrics_t *m, corr_counters_t *c)
{
    ngx_uint_t          i, kind;
    const char         *name;
    ngx_atomic_uint_t   n;

    corr_metrics_head(m, "request_duration_seconds", "histogram",
                      "From the first byte of a request to its reply");

    for (kind = 0; kind < 2; kind++) {

        name = kind ? "clerk" : "citizen";
        n = 0;

        for (i = 0; i < CORR_COUNTERS_BUCKETS; i++) {
            n += c->buckets[kind][i];

            corr_metrics_print(m, "correspondence_request_duration_seconds"
                               "_bucket{location=\"%s\",le=\"%M.%03M\"} "
                               "%uA\n",
                               name, corr_counter_bounds[i] / 1000,
                               corr_counter_bounds[i] % 1000, n);
        }

        n += c->buckets[kind][i];

        corr_metrics_print(m, "correspondence_request_duration_seconds"
                           "_bucket{location=\"%s\",le=\"+Inf\"} %uA\n"
                           "correspondence_request_duration_seconds"
                           "_sum{location=\"%s\"} %uA.%03uA\n"
                           "correspondence_request_duration_seconds"
                           "_count{location=\"%s\"} %uA\n",
                           name, n, name, c->msec[kind] / 1000,
                           c->msec[kind] % 1000, name, n);
    }
}


static void
corr_metrics_clients(corr_metrics_t *m, corr_counters_t *c)
{
    corr_client_figures_t  redis;

    corr_metrics_gauge(m, c, "operations_total",
                       "Operations ended, by dependency",
                       offsetof(corr_client_figures_t, operations));
    corr_metrics_gauge(m, c, "operation_failures_total",
                       "Operations that were refused, lost or timed out",
                       offsetof(corr_client_figures_t, failures));
    corr_metrics_gauge(m, c, "operation_timeouts_total",
                       "Those of the failures that took too long",
                       offsetof(corr_client_figures_t, timeouts));
    corr_counters_client(c, CORR_CLIENT_REDIS, &redis);
    corr_metrics_head(m, "redis_error_replies_total", "counter",
                      "Those that Redis answered with an error");
    corr_metrics_print(m, "correspondence_redis_error_replies_total %uA\n",
                       redis.errors);

    corr_metrics_gauge(m, c, "operations_in_flight",
                       "Operations under way",
                       offsetof(corr_client_figures_t, in_flight));
    corr_metrics_gauge(m, c, "operations_queued",
                       "Operations that wait for a place",
                       offsetof(corr_client_figures_t, queued));
    corr_metrics_gauge(m, c, "connections",
                       "Connections that are usable",
                       offsetof(corr_client_figures_t, connections));
    corr_metrics_gauge(m, c, "connections_wanted",
                       "Connections that there should be",
                       offsetof(corr_client_figures_t, wanted));
}


static void
corr_metrics_gauge(corr_metrics_t *m, corr_counters_t *c, const char *name,
    const char *help, size_t offset)
{
    size_t                  len;
    ngx_uint_t              i;
    corr_client_figures_t   sum;

    len = ngx_strlen(name);

    corr_metrics_head(m, name,
                      (len > 6 && ngx_strcmp(name + len - 6, "_total") == 0)
                      ? "counter" : "gauge",
                      help);

    for (i = 0; i < CORR_CLIENTS; i++) {
        corr_counters_client(c, i, &sum);

        corr_metrics_print(m, "correspondence_%s{dependency=\"%s\"} %uA\n",
                           name, corr_client_names[i],
                           *(ngx_atomic_uint_t *) ((u_char *) &sum
                                                   + offset));
    }
}


static void
corr_metrics_counts(corr_metrics_t *m, corr_counters_t *c)
{
    ngx_uint_t  i;

    static const struct {
        const char  *name;
        const char  *help;
    } names[CORR_COUNTS] = {
        { "signins_refused_total", "Wrong passwords and codes of citizens" },
        { "clerk_signins_refused_total", "Those of clerks" },
        { "csrf_refused_total", "Forms without a token of ours" },
        { "throttled_total", "Requests answered with 429" },
        { "uploaded_files_total", "Files taken into the store" },
        { "uploaded_bytes_total", "Their bytes" },
        { "sessions_started_total", "Sessions begun" },
        { "sessions_ended_total", "Sessions that their owner ended" },
        { "scanned_clean_total", "Files clamd found nothing in" },
        { "scanned_infected_total", "Files refused for a virus" },
        { "scanned_not_total", "Files clamd gave no verdict on" },
        { "store_files_trashed_total",
          "Files without a row put into the trash" },
        { "store_files_removed_total", "Such files removed for good" },
        { "store_files_held_total",
          "Such files left where they are: too many at once" }
    };

    for (i = 0; i < CORR_COUNTS; i++) {
        corr_metrics_head(m, names[i].name, "counter", names[i].help);
        corr_metrics_print(m, "correspondence_%s %uA\n", names[i].name,
                           c->counts[i]);
    }
}


/* The store as this worker has last seen it; the latest housekeeping. */

static void
corr_metrics_house(corr_metrics_t *m, corr_page_t *p)
{
    corr_store_state_t  state;

    corr_store_watch_state(p->worker->store_watch, &state);

    if (state.known) {
        corr_metrics_head(m, "store_writable", "gauge",
                          "Whether a worker can write into the store");
        corr_metrics_print(m, "correspondence_store_writable %ui\n",
                           state.writable);
        corr_metrics_head(m, "store_free_bytes", "gauge",
                          "Room left where the store is");
        corr_metrics_print(m, "correspondence_store_free_bytes %uL\n",
                           state.free);
    }

    corr_metrics_head(m, "housekeeping_timestamp_seconds", "gauge",
                      "When this node last kept house, 0 not yet");
    corr_metrics_print(m, "correspondence_housekeeping_timestamp_seconds "
                       "%uA\n", p->worker->counters->housekept);
}


static void
corr_metrics_gateways(corr_metrics_t *m, corr_page_t *p)
{
    ngx_uint_t              i, k;
    ngx_uint_t             *figure;
    corr_gateway_status_t   s;

    static const struct {
        const char  *name;
        const char  *type;
        const char  *help;
        size_t       offset;
    } figures[] = {
        { "gateway_requests_total", "counter", "HTTP requests to a gateway",
          offsetof(corr_gateway_status_t, requests) },
        { "gateway_yes_total", "counter", "Verdicts yes",
          offsetof(corr_gateway_status_t, yes) },
        { "gateway_no_total", "counter", "Verdicts no",
          offsetof(corr_gateway_status_t, no) },
        { "gateway_unknown_total", "counter", "Verdicts unknown",
          offsetof(corr_gateway_status_t, unknown) },
        { "gateway_errors_total", "counter", "Answers of no use, or none",
          offsetof(corr_gateway_status_t, errors) },
        { "gateway_retries_total", "counter", "Requests sent again",
          offsetof(corr_gateway_status_t, retries) },
        { "gateway_budget", "gauge", "Questions allowed a day, 0 unlimited",
          offsetof(corr_gateway_status_t, budget) },
        { "gateway_budget_used", "gauge", "Questions of today, of all nodes",
          offsetof(corr_gateway_status_t, used) },
        { "gateway_budget_alarm", "gauge",
          "The percentage last told of the budget: 0 50 75 90 100",
          offsetof(corr_gateway_status_t, alarm) },
        { NULL, NULL, NULL, 0 }
    };

    for (k = 0; figures[k].name; k++) {

        corr_metrics_head(m, figures[k].name, figures[k].type,
                          figures[k].help);

        for (i = 0; corr_gateway_status(p->worker->gateways, i, &s)
                    == NGX_OK; i++)
        {
            figure = (ngx_uint_t *) ((u_char *) &s + figures[k].offset);

            corr_metrics_gateway(m, figures[k].name, &s);
            corr_metrics_print(m, "} %ui\n", *figure);
        }
    }

    corr_metrics_head(m, "gateway_wait_seconds_total", "counter",
                      "Time spent waiting for a gateway");

    for (i = 0; corr_gateway_status(p->worker->gateways, i, &s) == NGX_OK;
         i++)
    {
        corr_metrics_gateway(m, "gateway_wait_seconds_total", &s);
        corr_metrics_print(m, "} %uL.%03uL\n", s.msec / 1000,
                           s.msec % 1000);
    }

    corr_metrics_seen(m, p, "gateway_error_ratio",
                      "Errors of late, as each worker has seen them", 0);
    corr_metrics_seen(m, p, "gateway_latency_seconds",
                      "How slow of late, as each worker has seen it", 1);
}


/* A provider may have several of one kind under its name. */

static void
corr_metrics_gateway(corr_metrics_t *m, const char *name,
    const corr_gateway_status_t *s)
{
    corr_metrics_print(m, "correspondence_%s{kind=\"%*s\",name=\"%*s\","
                       "position=\"%ui\"",
                       name, s->kind.len, s->kind.data, s->name.len,
                       s->name.data, s->position);
}


/* What decides the order of gateways, of each worker. */

static void
corr_metrics_seen(corr_metrics_t *m, corr_page_t *p, const char *name,
    const char *help, ngx_uint_t latency)
{
    ngx_uint_t              i, worker, figure;
    corr_gateway_seen_t     seen;
    corr_gateway_status_t   s;

    corr_metrics_head(m, name, "gauge", help);

    for (i = 0; corr_gateway_status(p->worker->gateways, i, &s) == NGX_OK;
         i++)
    {
        for (worker = 0; worker < CORR_GATEWAY_WORKERS; worker++) {

            if (corr_gateway_seen(p->worker->gateways, i, worker, &seen)
                != NGX_OK)
            {
                continue;
            }

            figure = latency ? seen.latency : seen.errors;

            corr_metrics_gateway(m, name, &s);
            corr_metrics_print(m, ",worker=\"%ui\"} %ui.%03ui\n", worker,
                               figure / 1000, figure % 1000);
        }
    }
}


/* Every column of the facts is a gauge of that name. */

static void
corr_metrics_facts(corr_metrics_t *m, corr_page_t *p)
{
    unsigned      i;
    corr_str_t    name, schema;
    corr_rows_t  *facts, *messages;
    corr_value_t  value;

    facts = corr_db_rows(p, 0);
    messages = corr_db_rows(p, 1);
    schema = corr_rows_text(corr_db_rows(p, 2), 0, "schema");

    corr_metrics_head(m, "info", "gauge",
                      "The module and the schema it works with");
    corr_metrics_print(m, "correspondence_info{version=\"" CORR_VERSION "\","
                       "schema=\"%*s\"} 1\n", schema.len, schema.data);

    for (i = 0; i < facts->ncolumns; i++) {

        name = facts->columns[i].name;
        facts->cell(facts, 0, i, &value);

        corr_metrics_print(m, "# HELP correspondence_%*s Fact of the "
                           "database.\n# TYPE correspondence_%*s gauge\n"
                           "correspondence_%*s %L\n",
                           name.len, name.data, name.len, name.data,
                           name.len, name.data,
                           value.kind == CORR_INT ? value.n : (int64_t) 0);
    }

    corr_metrics_messages(m, messages, "messages",
                          "Messages on their way and of the last day",
                          "messages");
    corr_metrics_messages(m, messages, "messages_oldest_seconds",
                          "Age of the oldest of them", "oldest");
}


static void
corr_metrics_messages(corr_metrics_t *m, corr_rows_t *rows, const char *name,
    const char *help, const char *column)
{
    unsigned    i;
    corr_str_t  state;

    corr_metrics_head(m, name, "gauge", help);

    for (i = 0; i < rows->nrows; i++) {
        state = corr_rows_text(rows, i, "state");

        corr_metrics_print(m, "correspondence_%s{state=\"%*s\"} %L\n",
                           name, state.len, state.data,
                           corr_rows_int(rows, i, column));
    }
}
