/*
 * The face to nginx: directives, their defaults, the start and the stop of
 * a worker.  Directives that are a number stand in numbers.h, the ones with
 * parts are read by conf.c; what they name is loaded by load.c.
 *
 * Nothing starts in the master and `nginx -t` touches no network.
 */

#include "conf.h"
#include "load.h"
#include "numbers.h"
#include "routes.h"

#include "http/counters.h"
#include "http/flow.h"
#include "http/veil.h"
#include "lib/tracking.h"
#include "pages/health.h"
#include "services/captcha.h"
#include "services/collector.h"
#include "services/gateway.h"
#include "services/jobs.h"
#include "services/passwords.h"

#include <malloc.h>


#define CORR_CPU_NICE        19


static void *corr_create_main_conf(ngx_conf_t *cf);
static char *corr_init_main_conf(ngx_conf_t *cf, void *conf);
static ngx_int_t corr_default_types(ngx_conf_t *cf, corr_settings_t *s);
static void corr_default_clients(corr_settings_t *s);
static void *corr_create_loc_conf(ngx_conf_t *cf);
static char *corr_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);
static ngx_int_t corr_postconfiguration(ngx_conf_t *cf);
static char *corr_conf_location(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *corr_conf_prefix(ngx_http_core_loc_conf_t *clcf,
    corr_loc_conf_t *lcf);
static ngx_int_t corr_init_process(ngx_cycle_t *cycle);
static void corr_init_memory(void);
static void corr_exit_process(ngx_cycle_t *cycle);


corr_worker_t  *corr_worker;


static ngx_conf_enum_t  corr_cookie_secure[] = {
    { ngx_string("off"), 0 },
    { ngx_string("on"), 1 },
    { ngx_string("auto"), 2 },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  corr_captcha[] = {
    { ngx_string("off"), 0 },
    { ngx_string("on"), 1 },
    { ngx_string("always"), 2 },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  corr_collect[] = {
    { ngx_string("off"), CORR_COLLECT_OFF },
    { ngx_string("on"), CORR_COLLECT_ON },
    { ngx_string("force"), CORR_COLLECT_FORCE },
    { ngx_null_string, 0 }
};


/* What a number may be is looked at where it stands, with file and line. */

#define corr_number_bounds(type, name, value, low, high)                      \
    static const ngx_conf_num_bounds_t  corr_##name##_bounds = {              \
        ngx_conf_check_num_bounds, low, high                                  \
    };

CORR_NUMBERS(corr_number_bounds)


#define corr_number(type, name, value, low, high)                             \
    { ngx_string("correspondence_" #name),                                    \
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,                                      \
      ngx_conf_set_##type##_slot,                                             \
      NGX_HTTP_MAIN_CONF_OFFSET,                                              \
      offsetof(corr_settings_t, name),                                        \
      (void *) &corr_##name##_bounds },

#define corr_number_unset(type, name, value, low, high)                       \
    s->name = (__typeof__(s->name)) NGX_CONF_UNSET;

#define corr_number_default(type, name, value, low, high)                     \
    if (s->name == (__typeof__(s->name)) NGX_CONF_UNSET) {                    \
        s->name = value;                                                      \
    }

#define corr_directive(name, type, set, field)                                \
    { ngx_string("correspondence_" name),                                     \
      NGX_HTTP_MAIN_CONF|type,                                                \
      set,                                                                    \
      NGX_HTTP_MAIN_CONF_OFFSET,                                              \
      offsetof(corr_settings_t, field),                                       \
      NULL }

#define corr_string(name, field)                                              \
    corr_directive(name, NGX_CONF_TAKE1, ngx_conf_set_str_slot, field)
#define corr_path(name, field)                                                \
    corr_directive(name, NGX_CONF_TAKE1, corr_conf_path, field)


static ngx_command_t  corr_commands[] = {

    { ngx_string("correspondence"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      corr_conf_location,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    CORR_NUMBERS(corr_number)

    /* parts */

    corr_directive("postgres", NGX_CONF_1MORE, corr_conf_postgres, pg),
    corr_directive("redis", NGX_CONF_1MORE, corr_conf_redis, redis),
    corr_directive("gateway", NGX_CONF_BLOCK|NGX_CONF_TAKE12,
                   corr_gateway_block, gateways),
    corr_path("html", html),
    corr_path("store", store_path),
    corr_path("voice", voice),
    corr_path("common_passwords", common_passwords),
    corr_path("audit_head", audit_head),
    corr_directive("key_file", NGX_CONF_1MORE, corr_conf_key_file, key_file),
    corr_directive("thread_pool", NGX_CONF_TAKE1, corr_conf_pool,
                   thread_pool),
    corr_directive("disk_thread_pool", NGX_CONF_TAKE1, corr_conf_pool,
                   disk_thread_pool),

    /* the body */

    corr_string("body_name", body_name),
    corr_string("contact", contact),
    corr_directive("url", NGX_CONF_TAKE1, corr_conf_url, url),

    { ngx_string("correspondence_cookie_secure"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(corr_settings_t, cookie_secure),
      &corr_cookie_secure },

    /* files */

    corr_directive("upload_types", NGX_CONF_1MORE,
                   ngx_conf_set_str_array_slot, upload_types),
    corr_directive("scan", NGX_CONF_1MORE, corr_conf_scan, clamd),

    { ngx_string("correspondence_captcha"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(corr_settings_t, captcha),
      &corr_captcha },

    { ngx_string("correspondence_collect"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(corr_settings_t, collect),
      &corr_collect },

    /* identity */

    corr_directive("identity_without", NGX_CONF_TAKE2,
                   corr_conf_missing_gateway, shahkar_missing_skips),

    ngx_null_command
};


static ngx_http_module_t  corr_module_ctx = {
    NULL,                                  /* preconfiguration */
    corr_postconfiguration,                /* postconfiguration */
    corr_create_main_conf,                 /* create main configuration */
    corr_init_main_conf,                   /* init main configuration */
    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */
    corr_create_loc_conf,                  /* create location configuration */
    corr_merge_loc_conf                    /* merge location configuration */
};


ngx_module_t  ngx_http_correspondence_module = {
    NGX_MODULE_V1,
    &corr_module_ctx,                      /* module context */
    corr_commands,                         /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    corr_init_process,                     /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    corr_exit_process,                     /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
corr_create_main_conf(ngx_conf_t *cf)
{
    corr_settings_t   *s;
    corr_main_conf_t  *mcf;

    mcf = ngx_pcalloc(cf->pool, sizeof(corr_main_conf_t));
    if (mcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc(): strings, pointers and what a block fills
     */

    s = &mcf->settings;

    CORR_NUMBERS(corr_number_unset)

    s->pg_writers = NGX_CONF_UNSET;
    s->upload_types = NGX_CONF_UNSET_PTR;
    s->cookie_secure = NGX_CONF_UNSET_UINT;
    s->captcha = NGX_CONF_UNSET_UINT;
    s->collect = NGX_CONF_UNSET_UINT;

    if (ngx_array_init(&mcf->locations, cf->pool, 4,
                       sizeof(corr_loc_conf_t *))
        != NGX_OK
        || ngx_array_init(&s->redis.addrs, cf->pool, 2,
                          sizeof(corr_redis_addr_t))
           != NGX_OK
        || ngx_array_init(&s->redis.sentinels, cf->pool, 2,
                          sizeof(corr_redis_addr_t))
           != NGX_OK
        || ngx_array_init(&s->pg.conninfo, cf->pool, 2,
                          sizeof(corr_pg_host_t))
           != NGX_OK)
    {
        return NULL;
    }

    return mcf;
}


static char *
corr_init_main_conf(ngx_conf_t *cf, void *conf)
{
    corr_main_conf_t *mcf = conf;

    corr_settings_t  *s = &mcf->settings;

    CORR_NUMBERS(corr_number_default)

    ngx_conf_init_uint_value(s->cookie_secure, 2);
    ngx_conf_init_uint_value(s->captcha, 1);
    ngx_conf_init_uint_value(s->collect, CORR_COLLECT_ON);

    if (s->thread_pool.len == 0) {
        ngx_str_set(&s->thread_pool, "correspondence");
    }

    if (s->url.len == 0) {
        ngx_str_set(&s->url, "http://localhost");
        ngx_str_set(&s->host, "localhost");
    }

    if (s->disk_thread_pool.len == 0) {
        s->disk_thread_pool = s->thread_pool;
    }

    corr_default_clients(s);

    return corr_default_types(cf, s) == NGX_OK ? NGX_CONF_OK
                                               : NGX_CONF_ERROR;
}


static ngx_int_t
corr_default_types(ngx_conf_t *cf, corr_settings_t *s)
{
    ngx_str_t  *type;

    static const ngx_str_t  types[] = {
        ngx_string("jpeg"), ngx_string("png"), ngx_string("pdf")
    };

    if (s->upload_types != NGX_CONF_UNSET_PTR) {
        return NGX_OK;
    }

    s->upload_types = ngx_array_create(cf->pool, 3, sizeof(ngx_str_t));
    if (s->upload_types == NULL) {
        return NGX_ERROR;
    }

    type = ngx_array_push_n(s->upload_types, 3);
    ngx_memcpy(type, types, sizeof(types));

    return NGX_OK;
}


static void
corr_default_clients(corr_settings_t *s)
{
    s->http.connections = s->gateway_connections;
    s->http.per_host = s->http.connections;
    s->http.resolver_timeout = 5000;

    ngx_str_set(&s->pg.search_path, "correspondence");

    if (s->pg.connections == 0) {
        s->pg.connections = 3;
    }

    if (s->pg_writers == NGX_CONF_UNSET) {
        s->pg_writers = 3;
    }

    s->pg.writers = s->pg_writers;
    s->pg.connections += s->pg.writers;

    if (s->pg.timeout == 0) {
        s->pg.timeout = 10000;
    }

    if (s->pg.connect_timeout == 0) {
        s->pg.connect_timeout = 3000;
    }

    if (s->pg.depth == 0) {
        s->pg.depth = 64;
    }

    if (s->pg.queue == 0) {
        s->pg.queue = 512;
    }

    s->pg.lifetime = 60 * 60 * 1000;

    if (s->redis.timeout == 0) {
        s->redis.timeout = 2000;
    }

    if (s->redis.connect_timeout == 0) {
        s->redis.connect_timeout = 1000;
    }

    s->redis.queue = 4096;
}


static void *
corr_create_loc_conf(ngx_conf_t *cf)
{
    /*
     * set by ngx_pcalloc(): kind = CORR_KIND_NONE, base, routes, common
     */

    return ngx_pcalloc(cf->pool, sizeof(corr_loc_conf_t));
}


/*
 * A location says for itself, but what has no name, an "if" or "limit_except"
 * in it, is still the same one.
 */

static char *
corr_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    corr_loc_conf_t *prev = parent;
    corr_loc_conf_t *conf = child;

    corr_main_conf_t          *mcf;
    corr_loc_conf_t          **place;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (prev->kind == CORR_KIND_NONE || !clcf->noname) {
        return NGX_CONF_OK;
    }

    *conf = *prev;
    clcf->handler = corr_flow_handler;

    mcf = ngx_http_conf_get_module_main_conf(cf,
                                             ngx_http_correspondence_module);

    place = ngx_array_push(&mcf->locations);
    if (place == NULL) {
        return NGX_CONF_ERROR;
    }

    *place = conf;

    return NGX_CONF_OK;
}


/* Loads everything once all directives were read. */

static ngx_int_t
corr_postconfiguration(ngx_conf_t *cf)
{
    corr_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf,
                                             ngx_http_correspondence_module);

    if (mcf->locations.nelts == 0) {
        return NGX_OK;
    }

    if (corr_veil_init(cf, &mcf->veils, &mcf->locations) != NGX_OK) {
        return NGX_ERROR;
    }

    return corr_load(cf, &mcf->settings, &mcf->locations);
}


static char *
corr_conf_location(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    corr_loc_conf_t *lcf = conf;

    char                      *rv;
    ngx_str_t                 *value;
    ngx_uint_t                 i;
    corr_main_conf_t          *mcf;
    corr_loc_conf_t          **place;
    ngx_http_core_loc_conf_t  *clcf;

    static const struct {
        const char            *name;
        ngx_uint_t             kind;
        const corr_route_t    *routes;
    } kinds[] = {
        { "citizen", CORR_KIND_CITIZEN, corr_citizen_routes },
        { "clerk", CORR_KIND_CLERK, corr_clerk_routes },
        { "health", CORR_KIND_HEALTH, corr_health_routes },
        { "live", CORR_KIND_LIVE, corr_live_routes },
        { "ready", CORR_KIND_READY, corr_ready_routes },
        { "metrics", CORR_KIND_METRICS, corr_metrics_routes }
    };

    value = cf->args->elts;

    mcf = ngx_http_conf_get_module_main_conf(cf,
                                             ngx_http_correspondence_module);
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (lcf->kind != CORR_KIND_NONE) {
        return "is duplicate";
    }

    for (i = 0; ngx_strcmp(value[1].data, kinds[i].name) != 0; i++) {
        if (i == sizeof(kinds) / sizeof(kinds[0]) - 1) {
            return "is none of citizen, clerk, health, live, ready, metrics";
        }
    }

    lcf->kind = kinds[i].kind;
    lcf->routes = kinds[i].routes;

    clcf->handler = corr_flow_handler;

    lcf->base = clcf->name;

    if (lcf->kind == CORR_KIND_CITIZEN || lcf->kind == CORR_KIND_CLERK) {
        rv = corr_conf_prefix(clcf, lcf);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    place = ngx_array_push(&mcf->locations);
    if (place == NULL) {
        return NGX_CONF_ERROR;
    }

    *place = lcf;

    return NGX_CONF_OK;
}


/* All addresses of a citizen or clerk location are below its prefix. */

static char *
corr_conf_prefix(ngx_http_core_loc_conf_t *clcf, corr_loc_conf_t *lcf)
{
#if (NGX_PCRE)
    if (clcf->regex) {
        return "stands in a location with a prefix, not with a regular "
               "expression";
    }
#endif

    if (clcf->exact_match || clcf->named || clcf->noname
        || clcf->name.len == 0
        || clcf->name.data[clcf->name.len - 1] != '/')
    {
        return "stands in a location with a prefix that ends with /";
    }

    lcf->base.len--;

    /* "/clerk" goes to "/clerk/", as it does for a proxied location */

    clcf->auto_redirect = 1;

    /* limits of our own, with pages that say so: http/body.c */

    clcf->client_max_body_size = 0;

    return NGX_CONF_OK;
}


static ngx_int_t
corr_init_process(ngx_cycle_t *cycle)
{
    corr_worker_t     *w;
    corr_settings_t   *s;
    corr_main_conf_t  *mcf;

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    mcf = ngx_http_cycle_get_module_main_conf(cycle,
                                             ngx_http_correspondence_module);

    if (mcf == NULL || mcf->locations.nelts == 0) {
        return NGX_OK;
    }

    s = &mcf->settings;

    corr_init_memory();

    w = ngx_pcalloc(cycle->pool, sizeof(corr_worker_t));
    if (w == NULL) {
        return NGX_ERROR;
    }

    w->cycle = cycle;
    w->settings = s;
    w->cpu = corr_threads_create(cycle, &s->thread_pool, CORR_CPU_NICE, 0);
    w->disk = corr_threads_create(cycle, &s->disk_thread_pool, 0, 0);
    w->pg = corr_pg_create(cycle, &s->pg);
    w->redis = corr_redis_create(cycle, &s->redis);
    w->http = corr_http_create(cycle, &s->http);

    if (s->clamd.naddrs && w->disk) {
        w->clamd = corr_clamd_create(cycle, &s->clamd, w->disk);

        if (w->clamd == NULL) {
            return NGX_ERROR;
        }
    }

    if (w->cpu == NULL || w->disk == NULL || w->pg == NULL
        || w->redis == NULL || w->http == NULL)
    {
        return NGX_ERROR;
    }

    corr_worker = w;

    if (corr_jobs_start(w) != NGX_OK) {
        return NGX_ERROR;
    }

    corr_counters_start(w);

    return NGX_OK;
}


/*
 * A thread that hashes has its megabytes mapped and filled by the kernel, at
 * nice 19 and with the lock of the address space; whoever asks the kernel
 * for memory meanwhile waits for it.  So the event loop asks seldom: blocks
 * of files come from the heap, which grows by megabytes and is kept.
 */

static void
corr_init_memory(void)
{
    (void) mallopt(M_MMAP_THRESHOLD, 1024 * 1024);
    (void) mallopt(M_TRIM_THRESHOLD, 16 * 1024 * 1024);
    (void) mallopt(M_TOP_PAD, 1024 * 1024);
}


/* Runs before nginx counts the sockets that are left. */

static void
corr_exit_process(ngx_cycle_t *cycle)
{
    corr_worker_t  *w = corr_worker;

    if (w == NULL) {
        return;
    }

    corr_counters_stop(w);
    corr_jobs_stop(w);

    corr_clamd_destroy(w->clamd);
    corr_http_destroy(w->http);
    corr_redis_destroy(w->redis);
    corr_pg_destroy(w->pg);
    corr_threads_destroy(w->disk);
    corr_threads_destroy(w->cpu);

    corr_worker = NULL;
}
