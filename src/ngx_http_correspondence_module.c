/*
 * The face to nginx: directives, their defaults, the start and the stop of
 * a worker.
 *
 * Nothing starts in the master and `nginx -t` touches no network: all that
 * is loaded here are files.
 */

#include "http/portal.h"
#include "http/counters.h"
#include "http/flow.h"
#include "routes.h"

#include "lib/tracking.h"
#include "pages/health.h"
#include "services/captcha.h"
#include "services/filetype.h"
#include "services/gateway.h"
#include "services/jobs.h"
#include "services/passwords.h"
#include "services/secrets.h"
#include "services/store.h"
#include "services/texts.h"


#define CORR_CPU_NICE        19
#define CORR_SCAN_QUEUE      256       /* files of a worker that wait */


typedef struct {
    corr_settings_t          settings;     /* first: directives' offsets */
    ngx_array_t              locations;    /* corr_loc_conf_t * */
} corr_main_conf_t;


static void *corr_create_main_conf(ngx_conf_t *cf);
static char *corr_init_main_conf(ngx_conf_t *cf, void *conf);
static void corr_default_sessions(corr_settings_t *s);
static void corr_default_limits(corr_settings_t *s);
static void corr_default_work(corr_settings_t *s);
static void *corr_create_loc_conf(ngx_conf_t *cf);
static ngx_int_t corr_postconfiguration(ngx_conf_t *cf);
static ngx_int_t corr_load(ngx_conf_t *cf, corr_main_conf_t *mcf);
static ngx_int_t corr_load_check(ngx_conf_t *cf, const corr_settings_t *s);
static ngx_int_t corr_load_statements(ngx_conf_t *cf, corr_settings_t *s);
static ngx_int_t corr_load_secrets(ngx_conf_t *cf, corr_settings_t *s);
static ngx_int_t corr_load_services(ngx_conf_t *cf, corr_settings_t *s);
static ngx_int_t corr_load_host(ngx_conf_t *cf, corr_settings_t *s);
static ngx_int_t corr_load_common(ngx_conf_t *cf, corr_settings_t *s,
    corr_loc_conf_t *lcf);
static ngx_int_t corr_load_upload(ngx_conf_t *cf, corr_settings_t *s,
    corr_view_t *common);
static void corr_free_services(void *data);
static void *corr_conf_palloc(void *pool, size_t size);
static char *corr_conf_location(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *corr_conf_postgres(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *corr_conf_redis(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *corr_conf_scan(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *corr_conf_path(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *corr_conf_key_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *corr_conf_missing_gateway(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t corr_conf_option(ngx_conf_t *cf, ngx_str_t *word,
    const char *name, ngx_str_t *value);
static char *corr_conf_read_secret(ngx_conf_t *cf, ngx_str_t *path,
    ngx_str_t *secret);
static ngx_int_t corr_init_process(ngx_cycle_t *cycle);
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


#define corr_directive(name, type, set, field)                                \
    { ngx_string("correspondence_" name),                                     \
      NGX_HTTP_MAIN_CONF|type,                                                \
      set,                                                                    \
      NGX_HTTP_MAIN_CONF_OFFSET,                                              \
      offsetof(corr_settings_t, field),                                       \
      NULL }

#define corr_number(name, field)                                              \
    corr_directive(name, NGX_CONF_TAKE1, ngx_conf_set_num_slot, field)
#define corr_seconds(name, field)                                             \
    corr_directive(name, NGX_CONF_TAKE1, ngx_conf_set_sec_slot, field)
#define corr_msec(name, field)                                                \
    corr_directive(name, NGX_CONF_TAKE1, ngx_conf_set_msec_slot, field)
#define corr_size(name, field)                                                \
    corr_directive(name, NGX_CONF_TAKE1, ngx_conf_set_size_slot, field)
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
    corr_string("thread_pool", thread_pool),
    corr_string("disk_thread_pool", disk_thread_pool),

    /* the body */

    corr_string("body_name", body_name),
    corr_string("url", url),

    /* sessions */

    corr_seconds("session_idle", session_idle),
    corr_seconds("session_absolute", session_absolute),
    corr_seconds("clerk_session_idle", clerk_session_idle),
    corr_seconds("clerk_session_absolute", clerk_session_absolute),

    { ngx_string("correspondence_cookie_secure"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(corr_settings_t, cookie_secure),
      &corr_cookie_secure },

    /* forms and files */

    corr_size("form_max_size", form_max_size),
    corr_number("form_max_fields", form_max_fields),
    corr_size("upload_max_size", upload_max_size),
    corr_number("upload_max_files", upload_max_files),
    corr_number("upload_max_pixels", upload_max_pixels),
    corr_directive("upload_types", NGX_CONF_1MORE,
                   ngx_conf_set_str_array_slot, upload_types),
    corr_directive("scan", NGX_CONF_1MORE, corr_conf_scan, clamd),
    corr_number("subject_max", subject_max),
    corr_number("text_max", text_max),

    /* codes, passwords, throttles */

    corr_seconds("code_lifetime", code_lifetime),
    corr_number("code_tries", code_tries),
    corr_number("codes_per_mobile_hour", codes_per_mobile_hour),
    corr_number("codes_per_mobile_day", codes_per_mobile_day),
    corr_number("codes_per_address_hour", codes_per_address_hour),
    corr_number("codes_per_day", codes_per_day),
    corr_number("password_min", password_min),
    corr_size("password_memory", password_memory),
    corr_number("password_passes", password_passes),
    corr_number("login_rate", login_rate),
    corr_number("track_rate", track_rate),
    corr_number("search_rate", search_rate),
    corr_number("captcha_rate", captcha_rate),
    corr_number("misbehaviour", misbehaviour),

    { ngx_string("correspondence_captcha"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(corr_settings_t, captcha),
      &corr_captcha },

    corr_number("captcha_digits", captcha_digits),
    corr_seconds("captcha_lifetime", captcha_lifetime),

    /* identity and letters */

    corr_directive("identity_without", NGX_CONF_TAKE2,
                   corr_conf_missing_gateway, shahkar_missing_skips),
    corr_number("tracking_digits", tracking_digits),

    /* work behind the pages */

    corr_msec("relay_interval", relay_interval),
    corr_number("relay_batch", relay_batch),
    corr_seconds("relay_lease", relay_lease),
    corr_msec("seal_interval", seal_interval),
    corr_seconds("collect_grace", collect_grace),
    corr_msec("page_timeout", page_timeout),
    corr_number("gateway_connections", http.connections),

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
    NULL                                   /* merge location configuration:
                                              a location says for itself */
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

    s->upload_types = NGX_CONF_UNSET_PTR;

    s->session_idle = NGX_CONF_UNSET;
    s->session_absolute = NGX_CONF_UNSET;
    s->clerk_session_idle = NGX_CONF_UNSET;
    s->clerk_session_absolute = NGX_CONF_UNSET;
    s->cookie_secure = NGX_CONF_UNSET_UINT;

    s->form_max_size = NGX_CONF_UNSET_SIZE;
    s->form_max_fields = NGX_CONF_UNSET_UINT;
    s->upload_max_size = NGX_CONF_UNSET_SIZE;
    s->upload_max_files = NGX_CONF_UNSET_UINT;
    s->upload_max_pixels = NGX_CONF_UNSET_UINT;
    s->subject_max = NGX_CONF_UNSET_SIZE;
    s->text_max = NGX_CONF_UNSET_SIZE;

    s->code_lifetime = NGX_CONF_UNSET;
    s->code_tries = NGX_CONF_UNSET_UINT;
    s->codes_per_mobile_hour = NGX_CONF_UNSET_UINT;
    s->codes_per_mobile_day = NGX_CONF_UNSET_UINT;
    s->codes_per_address_hour = NGX_CONF_UNSET_UINT;
    s->codes_per_day = NGX_CONF_UNSET_UINT;
    s->password_min = NGX_CONF_UNSET_UINT;
    s->password_memory = NGX_CONF_UNSET_SIZE;
    s->password_passes = NGX_CONF_UNSET_UINT;
    s->login_rate = NGX_CONF_UNSET_UINT;
    s->track_rate = NGX_CONF_UNSET_UINT;
    s->search_rate = NGX_CONF_UNSET_UINT;
    s->captcha_rate = NGX_CONF_UNSET_UINT;
    s->misbehaviour = NGX_CONF_UNSET_UINT;
    s->captcha = NGX_CONF_UNSET_UINT;
    s->captcha_digits = NGX_CONF_UNSET_UINT;
    s->captcha_lifetime = NGX_CONF_UNSET;
    s->tracking_digits = NGX_CONF_UNSET_UINT;

    s->relay_interval = NGX_CONF_UNSET_MSEC;
    s->relay_batch = NGX_CONF_UNSET_UINT;
    s->relay_lease = NGX_CONF_UNSET;
    s->seal_interval = NGX_CONF_UNSET_MSEC;
    s->collect_grace = NGX_CONF_UNSET;
    s->page_timeout = NGX_CONF_UNSET_MSEC;
    s->http.connections = NGX_CONF_UNSET_UINT;

    s->redis.database = 0;

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

    ngx_str_t         *type;
    corr_settings_t   *s = &mcf->settings;

    static const ngx_str_t  types[] = {
        ngx_string("jpeg"), ngx_string("png"), ngx_string("pdf")
    };

    corr_default_sessions(s);
    corr_default_limits(s);
    corr_default_work(s);

    if (s->upload_types == NGX_CONF_UNSET_PTR) {

        s->upload_types = ngx_array_create(cf->pool, 3, sizeof(ngx_str_t));
        if (s->upload_types == NULL) {
            return NGX_CONF_ERROR;
        }

        type = ngx_array_push_n(s->upload_types, 3);
        ngx_memcpy(type, types, sizeof(types));
    }

    return NGX_CONF_OK;
}


static void
corr_default_sessions(corr_settings_t *s)
{
    ngx_conf_init_value(s->session_idle, 30 * 60);
    ngx_conf_init_value(s->session_absolute, 12 * 60 * 60);
    ngx_conf_init_value(s->clerk_session_idle, 30 * 60);
    ngx_conf_init_value(s->clerk_session_absolute, 10 * 60 * 60);
    ngx_conf_init_uint_value(s->cookie_secure, 2);

    if (s->thread_pool.len == 0) {
        ngx_str_set(&s->thread_pool, "correspondence");
    }

    if (s->disk_thread_pool.len == 0) {
        s->disk_thread_pool = s->thread_pool;
    }
}


static void
corr_default_limits(corr_settings_t *s)
{
    ngx_conf_init_size_value(s->form_max_size, 64 * 1024);
    ngx_conf_init_uint_value(s->form_max_fields, 64);
    ngx_conf_init_size_value(s->upload_max_size, 10 * 1024 * 1024);
    ngx_conf_init_uint_value(s->upload_max_files, 5);
    ngx_conf_init_uint_value(s->upload_max_pixels, 100 * 1000 * 1000);
    ngx_conf_init_size_value(s->subject_max, 120);
    ngx_conf_init_size_value(s->text_max, 4000);

    ngx_conf_init_value(s->code_lifetime, 2 * 60);
    ngx_conf_init_uint_value(s->code_tries, 5);
    ngx_conf_init_uint_value(s->codes_per_mobile_hour, 6);
    ngx_conf_init_uint_value(s->codes_per_mobile_day, 15);
    ngx_conf_init_uint_value(s->codes_per_address_hour, 60);
    ngx_conf_init_uint_value(s->codes_per_day, 100000);
    ngx_conf_init_uint_value(s->password_min, 8);
    ngx_conf_init_size_value(s->password_memory, 19 * 1024 * 1024);
    ngx_conf_init_uint_value(s->password_passes, 2);
    ngx_conf_init_uint_value(s->login_rate, 30);
    ngx_conf_init_uint_value(s->track_rate, 20);
    ngx_conf_init_uint_value(s->search_rate, 120);
    ngx_conf_init_uint_value(s->captcha_rate, 30);
    ngx_conf_init_uint_value(s->misbehaviour, 10);
    ngx_conf_init_uint_value(s->captcha, 1);
    ngx_conf_init_uint_value(s->captcha_digits, 5);
    ngx_conf_init_value(s->captcha_lifetime, 10 * 60);
    ngx_conf_init_uint_value(s->tracking_digits, 8);
}


static void
corr_default_work(corr_settings_t *s)
{
    ngx_conf_init_msec_value(s->relay_interval, 1000);
    ngx_conf_init_uint_value(s->relay_batch, 20);
    ngx_conf_init_value(s->relay_lease, 60);
    ngx_conf_init_msec_value(s->seal_interval, 5000);
    ngx_conf_init_value(s->collect_grace, 24 * 60 * 60);
    ngx_conf_init_msec_value(s->page_timeout, 30000);
    ngx_conf_init_uint_value(s->http.connections, 256);

    s->http.per_host = s->http.connections;
    s->http.resolver_timeout = 5000;

    ngx_str_set(&s->pg.search_path, "correspondence");

    if (s->pg.connections == 0) {
        s->pg.connections = 3;
    }

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

    return corr_load(cf, mcf);
}


static ngx_int_t
corr_load(ngx_conf_t *cf, corr_main_conf_t *mcf)
{
    ngx_uint_t                 i;
    corr_settings_t           *s = &mcf->settings;
    corr_loc_conf_t          **lcf;
    ngx_http_core_loc_conf_t  *clcf;

    if (s->pg.conninfo.nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"correspondence\" needs "
                           "\"correspondence_postgres\"");
        return NGX_ERROR;
    }

    if (s->redis.addrs.nelts == 0 && s->redis.sentinels.nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"correspondence\" needs "
                           "\"correspondence_redis\"");
        return NGX_ERROR;
    }

    if (s->html.len == 0 || s->store_path.len == 0 || s->key_file.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"correspondence\" needs \"correspondence_html\""
                           ", \"correspondence_store\" and "
                           "\"correspondence_key_file\"");
        return NGX_ERROR;
    }

    if (corr_load_check(cf, s) != NGX_OK) {
        return NGX_ERROR;
    }

    if (corr_threads_declare(cf, &s->thread_pool) == NULL
        || corr_threads_declare(cf, &s->disk_thread_pool) == NULL)
    {
        return NGX_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    s->http.resolver = clcf->resolver;

    s->citizen_routes = corr_citizen_routes;
    s->clerk_routes = corr_clerk_routes;
    s->counters_zone = corr_counters_zone(cf);

    if (s->counters_zone == NULL) {
        return NGX_ERROR;
    }

    if (corr_load_statements(cf, s) != NGX_OK
        || corr_load_host(cf, s) != NGX_OK
        || corr_load_secrets(cf, s) != NGX_OK
        || corr_load_services(cf, s) != NGX_OK)
    {
        return NGX_ERROR;
    }

    s->texts = corr_texts_load(cf, &s->html);
    if (s->texts == NULL) {
        return NGX_ERROR;
    }

    lcf = mcf->locations.elts;

    for (i = 0; i < mcf->locations.nelts; i++) {
        if (corr_load_common(cf, s, lcf[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* Numbers with which nothing would work, told before a worker finds out. */

static ngx_int_t
corr_load_check(ngx_conf_t *cf, const corr_settings_t *s)
{
    ngx_uint_t  i;

    const struct {
        const char  *name;
        int64_t      value;
        int64_t      min;
        int64_t      max;
    } limits[] = {
        { "session_idle", s->session_idle, 1, INT32_MAX },
        { "session_absolute", s->session_absolute, 1, INT32_MAX },
        { "clerk_session_idle", s->clerk_session_idle, 1, INT32_MAX },
        { "clerk_session_absolute", s->clerk_session_absolute, 1, INT32_MAX },
        { "form_max_size", s->form_max_size, 4096, INT32_MAX },
        { "form_max_fields", s->form_max_fields, 32, 10000 },
        { "upload_max_size", s->upload_max_size, 1024, INT32_MAX },
        { "upload_max_files", s->upload_max_files, 1, 100 },
        { "subject_max", s->subject_max, 1, INT32_MAX },
        { "text_max", s->text_max, 1, INT32_MAX },
        { "code_lifetime", s->code_lifetime, 1, 600 },
        { "code_tries", s->code_tries, 1, 100 },
        { "captcha_lifetime", s->captcha_lifetime, 1, INT32_MAX },
        { "tracking_digits", s->tracking_digits, CORR_TRACKING_MIN,
          CORR_TRACKING_MAX },
        { "relay_interval", s->relay_interval, 10, INT32_MAX },
        { "relay_batch", s->relay_batch, 1, 1000 },
        { "relay_lease", s->relay_lease, 1, INT32_MAX },
        { "seal_interval", s->seal_interval, 10, INT32_MAX },
        { "collect_grace", s->collect_grace, 1, INT32_MAX },
        { "page_timeout", s->page_timeout, 100, INT32_MAX },
        { "gateway_connections", s->http.connections, 1, 65535 },
    };

    for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {

        if (limits[i].value >= limits[i].min
            && limits[i].value <= limits[i].max)
        {
            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"correspondence_%s\" is %L, not between %L "
                           "and %L", limits[i].name, limits[i].value,
                           limits[i].min, limits[i].max);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
corr_load_statements(ngx_conf_t *cf, corr_settings_t *s)
{
    ngx_uint_t            i;
    corr_pg_statement_t  *statement;

    statement = ngx_palloc(cf->pool,
                           (CORR_SQL_COUNT + 1)
                           * sizeof(corr_pg_statement_t));
    if (statement == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < CORR_SQL_COUNT; i++) {
        statement[i].name = corr_to_ngx(corr_sql_statements[i].name);
        statement[i].text = corr_to_ngx(corr_sql_statements[i].text);
        statement[i].nparams = corr_sql_statements[i].nparams;
    }

    s->pg.statements = statement;
    s->pg.nstatements = CORR_SQL_COUNT;

    return NGX_OK;
}


/* host: what the last line of an SMS names, without the port's default. */

static ngx_int_t
corr_load_host(ngx_conf_t *cf, corr_settings_t *s)
{
    u_char  *p, *last;

    if (s->url.len == 0) {
        ngx_str_set(&s->url, "http://localhost");
    }

    if (s->url.len && s->url.data[s->url.len - 1] == '/') {
        s->url.len--;
    }

    p = (u_char *) ngx_strstr(s->url.data, "://");

    if (p == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"correspondence_url\" \"%V\" is not "
                           "http://… or https://…", &s->url);
        return NGX_ERROR;
    }

    p += 3;
    last = s->url.data + s->url.len;

    s->host.data = p;

    while (p < last && *p != ':' && *p != '/') {
        p++;
    }

    s->host.len = p - s->host.data;

    return NGX_OK;
}


static ngx_int_t
corr_load_secrets(ngx_conf_t *cf, corr_settings_t *s)
{
    char          error[CORR_SERVICE_ERROR];
    size_t        n;
    ngx_str_t    *old;
    ngx_uint_t    i;
    const char   *paths[CORR_SECRETS_FILES];

    paths[0] = (char *) s->key_file.data;
    n = 1;

    if (s->old_key_files) {
        old = s->old_key_files->elts;

        for (i = 0; i < s->old_key_files->nelts; i++) {
            paths[n++] = (char *) old[i].data;
        }
    }

    s->secrets = corr_secrets_load(paths, n, error);

    if (s->secrets == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"correspondence_key_file\": %s", error);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
corr_load_services(ngx_conf_t *cf, corr_settings_t *s)
{
    char                    error[CORR_SERVICE_ERROR];
    unsigned                kinds, kind;
    ngx_str_t              *type;
    ngx_uint_t              i;
    ngx_pool_cleanup_t     *cln;
    corr_passwords_conf_t   pconf;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = corr_free_services;
    cln->data = s;

    kinds = 0;
    type = s->upload_types->elts;

    for (i = 0; i < s->upload_types->nelts; i++) {
        kind = corr_filetype_by_name(corr_from_ngx(type[i]));

        if (kind == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"correspondence_upload_types\": unknown "
                               "type \"%V\"", &type[i]);
            return NGX_ERROR;
        }

        kinds |= kind;
    }

    ngx_memzero(&pconf, sizeof(pconf));

    pconf.min = s->password_min;
    pconf.memory = s->password_memory;
    pconf.passes = s->password_passes;
    pconf.common = s->common_passwords.len
                   ? (char *) s->common_passwords.data : NULL;

    s->filetypes = corr_filetypes_load(kinds, s->upload_max_pixels, error);

    if (s->filetypes) {
        s->passwords = corr_passwords_load(&pconf, error);
    }

    if (s->passwords) {
        s->store = corr_store_open((char *) s->store_path.data, error);
    }

    if (s->store && s->captcha && s->voice.len) {
        s->captchas = corr_captcha_load(s->secrets,
                                        (char *) s->voice.data,
                                        s->captcha_digits, error);
    }

    if (s->store == NULL
        || (s->captcha && s->voice.len && s->captchas == NULL))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "correspondence: %s",
                           error);
        return NGX_ERROR;
    }

    if (s->captcha && s->captchas == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"correspondence_captcha\" needs "
                           "\"correspondence_voice\"");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
corr_free_services(void *data)
{
    corr_settings_t  *s = data;

    corr_captcha_free(s->captchas);
    corr_store_close(s->store);
    corr_passwords_free(s->passwords);
    corr_filetypes_free(s->filetypes);
    corr_secrets_free(s->secrets);
}


/* Values every page of a location shares. */

static ngx_int_t
corr_load_common(ngx_conf_t *cf, corr_settings_t *s, corr_loc_conf_t *lcf)
{
    u_char         *address, *p;
    ngx_uint_t      i;
    ngx_array_t    *list;
    corr_view_t    *assets;
    corr_alloc_t    alloc;
    corr_asset_t   *asset;

    alloc.alloc = corr_conf_palloc;
    alloc.pool = cf->pool;

    lcf->common = corr_view_create(&alloc);
    if (lcf->common == NULL) {
        return NGX_ERROR;
    }

    corr_view_text(lcf->common, "base", corr_from_ngx(lcf->base));
    corr_view_text(lcf->common, "body_name", corr_from_ngx(s->body_name));
    corr_view_text(lcf->common, "host", corr_from_ngx(s->host));
    corr_view_flag(lcf->common, "clerk", lcf->kind == CORR_KIND_CLERK);

    assets = corr_view_object(lcf->common, "assets");
    list = corr_texts_assets(s->texts);
    asset = list->elts;

    for (i = 0; i < list->nelts; i++) {

        address = ngx_pnalloc(cf->pool, lcf->base.len + asset[i].name.len
                                        + sizeof("/assets/"));
        if (address == NULL) {
            return NGX_ERROR;
        }

        p = ngx_sprintf(address, "%V/assets/%V", &lcf->base, &asset[i].name);

        corr_view_text(assets, (char *) asset[i].key.data,
                       corr_make_str(address, p - address));
    }

    if (corr_load_upload(cf, s, lcf->common) != NGX_OK) {
        return NGX_ERROR;
    }

    return corr_view_failed(lcf->common) ? NGX_ERROR : NGX_OK;
}


/* What may be sent: for hints, and for the accept attribute. */

static ngx_int_t
corr_load_upload(ngx_conf_t *cf, corr_settings_t *s, corr_view_t *common)
{
    u_char       *accept, *types, *a, *t;
    ngx_str_t    *type;
    ngx_uint_t    i, j;
    corr_view_t  *upload;

    accept = ngx_pnalloc(cf->pool, 32 * (s->upload_types->nelts + 1));
    types = ngx_pnalloc(cf->pool, 16 * (s->upload_types->nelts + 1));

    if (accept == NULL || types == NULL) {
        return NGX_ERROR;
    }

    a = accept;
    t = types;
    type = s->upload_types->elts;

    for (i = 0; i < s->upload_types->nelts; i++) {

        a = ngx_sprintf(a, "%s%s/%V", i ? "," : "",
                        ngx_strcmp(type[i].data, "pdf") == 0 ? "application"
                                                             : "image",
                        &type[i]);

        t = ngx_sprintf(t, "%s", i ? ", " : "");

        for (j = 0; j < type[i].len; j++) {
            *t++ = ngx_toupper(type[i].data[j]);
        }
    }

    upload = corr_view_object(common, "upload");
    corr_view_int(upload, "max_files", s->upload_max_files);
    corr_view_int(upload, "max_mb", s->upload_max_size / (1024 * 1024));
    corr_view_text(upload, "accept", corr_make_str(accept, a - accept));
    corr_view_text(upload, "types", corr_make_str(types, t - types));

    return NGX_OK;
}


static void *
corr_conf_palloc(void *pool, size_t size)
{
    return ngx_palloc(pool, size);
}


static char *
corr_conf_location(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    corr_loc_conf_t *lcf = conf;

    ngx_str_t                 *value;
    corr_main_conf_t          *mcf;
    corr_loc_conf_t          **place;
    ngx_http_core_loc_conf_t  *clcf;

    value = cf->args->elts;

    mcf = ngx_http_conf_get_module_main_conf(cf,
                                             ngx_http_correspondence_module);
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (lcf->kind != CORR_KIND_NONE) {
        return "is duplicate";
    }

    if (ngx_strcmp(value[1].data, "health") == 0) {
        lcf->kind = CORR_KIND_HEALTH;
        lcf->routes = corr_health_routes;

    } else if (ngx_strcmp(value[1].data, "metrics") == 0) {
        lcf->kind = CORR_KIND_METRICS;
        lcf->routes = corr_metrics_routes;

    } else if (ngx_strcmp(value[1].data, "citizen") == 0) {
        lcf->kind = CORR_KIND_CITIZEN;
        lcf->routes = corr_citizen_routes;

    } else if (ngx_strcmp(value[1].data, "clerk") == 0) {
        lcf->kind = CORR_KIND_CLERK;
        lcf->routes = corr_clerk_routes;

    } else {
        return "is none of citizen, clerk, health, metrics";
    }

    clcf->handler = corr_flow_handler;

    lcf->base = clcf->name;

    if (lcf->kind == CORR_KIND_CITIZEN || lcf->kind == CORR_KIND_CLERK) {

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
    }

    place = ngx_array_push(&mcf->locations);
    if (place == NULL) {
        return NGX_CONF_ERROR;
    }

    *place = lcf;

    return NGX_CONF_OK;
}


/*
 * correspondence_postgres "host=…" [connections=N] [timeout=TIME]
 *                         [connect_timeout=TIME] [depth=N] [queue=N];
 */

static char *
corr_conf_postgres(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    corr_main_conf_t *mcf = conf;

    ngx_str_t         *value, rest;
    ngx_uint_t         i;
    corr_pg_conf_t    *pg = &mcf->settings.pg;

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {

        if (corr_conf_option(cf, &value[i], "connections=", &rest)
            == NGX_OK)
        {
            pg->connections = ngx_atoi(rest.data, rest.len);

        } else if (corr_conf_option(cf, &value[i], "depth=", &rest)
                   == NGX_OK)
        {
            pg->depth = ngx_atoi(rest.data, rest.len);

        } else if (corr_conf_option(cf, &value[i], "queue=", &rest)
                   == NGX_OK)
        {
            pg->queue = ngx_atoi(rest.data, rest.len);

        } else if (corr_conf_option(cf, &value[i], "timeout=", &rest)
                   == NGX_OK)
        {
            pg->timeout = ngx_parse_time(&rest, 0);

        } else if (corr_conf_option(cf, &value[i], "connect_timeout=", &rest)
                   == NGX_OK)
        {
            pg->connect_timeout = ngx_parse_time(&rest, 0);

        } else {
            rest.len = 0;
        }

        if (rest.len == 0
            || pg->connections == (ngx_uint_t) NGX_ERROR
            || pg->depth == (ngx_uint_t) NGX_ERROR
            || pg->queue == (ngx_uint_t) NGX_ERROR
            || pg->timeout == (ngx_msec_t) NGX_ERROR
            || pg->connect_timeout == (ngx_msec_t) NGX_ERROR)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    return corr_pg_conf_add_host(cf, pg, &value[1]);
}


/*
 * correspondence_redis ADDRESS… [sentinel=ADDRESS…] [master=NAME]
 *                      [user=NAME] [password_file=PATH] [db=N];
 */

static char *
corr_conf_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    corr_main_conf_t *mcf = conf;

    char               *rv;
    ngx_str_t          *value, rest;
    ngx_uint_t          i;
    corr_redis_conf_t  *redis = &mcf->settings.redis;

    value = cf->args->elts;
    rv = NGX_CONF_OK;

    for (i = 1; i < cf->args->nelts && rv == NGX_CONF_OK; i++) {

        if (corr_conf_option(cf, &value[i], "sentinel=", &rest) == NGX_OK) {
            rv = corr_redis_conf_add_sentinel(cf, redis, &rest);

        } else if (corr_conf_option(cf, &value[i], "master=", &rest)
                   == NGX_OK)
        {
            redis->master = rest;

        } else if (corr_conf_option(cf, &value[i], "user=", &rest)
                   == NGX_OK)
        {
            redis->username = rest;

        } else if (corr_conf_option(cf, &value[i], "password_file=", &rest)
                   == NGX_OK)
        {
            rv = corr_conf_read_secret(cf, &rest, &redis->password);

        } else if (corr_conf_option(cf, &value[i], "db=", &rest) == NGX_OK) {
            redis->database = ngx_atoi(rest.data, rest.len);

            if (redis->database == NGX_ERROR) {
                return "has a bad number of a database";
            }

        } else {
            rv = corr_redis_conf_add(cf, redis, &value[i]);
        }
    }

    return rv;
}


/* correspondence_scan off|ADDRESS [timeout=TIME] [max=N] [down=refuse|take]; */

static char *
corr_conf_scan(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    corr_main_conf_t *mcf = conf;

    ngx_int_t           n;
    ngx_str_t          *value, rest;
    ngx_uint_t          i;
    corr_settings_t    *s = &mcf->settings;

    value = cf->args->elts;

    if (s->clamd.max) {
        return "is duplicate";
    }

    s->clamd.max = 4;
    s->clamd.timeout = 15000;

    for (i = 2; i < cf->args->nelts; i++) {

        n = NGX_ERROR;

        if (corr_conf_option(cf, &value[i], "timeout=", &rest) == NGX_OK) {
            n = ngx_parse_time(&rest, 0);
            s->clamd.timeout = n;

        } else if (corr_conf_option(cf, &value[i], "max=", &rest) == NGX_OK) {
            n = ngx_atoi(rest.data, rest.len);
            s->clamd.max = n;

        } else if (ngx_strcmp(value[i].data, "down=refuse") == 0
                   || ngx_strcmp(value[i].data, "down=take") == 0)
        {
            s->scan_down = (value[i].len == sizeof("down=take") - 1);
            n = 1;
        }

        if (n <= 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    s->clamd.queue = CORR_SCAN_QUEUE;

    return ngx_strcmp(value[1].data, "off") == 0
           ? NGX_CONF_OK : corr_clamd_conf_add(cf, &s->clamd, &value[1]);
}


/* "name=value": *value points behind the =, with the final NUL kept. */

static ngx_int_t
corr_conf_option(ngx_conf_t *cf, ngx_str_t *word, const char *name,
    ngx_str_t *value)
{
    size_t  len;

    len = ngx_strlen(name);

    if (word->len < len || ngx_strncmp(word->data, name, len) != 0) {
        return NGX_DECLINED;
    }

    value->data = word->data + len;
    value->len = word->len - len;

    return NGX_OK;
}


static char *
corr_conf_read_secret(ngx_conf_t *cf, ngx_str_t *path, ngx_str_t *secret)
{
    ssize_t     n;
    ngx_fd_t    fd;
    ngx_str_t   full;

    full = *path;

    if (ngx_conf_full_name(cf->cycle, &full, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    secret->data = ngx_pnalloc(cf->pool, 1024);
    if (secret->data == NULL) {
        return NGX_CONF_ERROR;
    }

    fd = ngx_open_file(full.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    n = (fd == NGX_INVALID_FILE) ? -1 : ngx_read_fd(fd, secret->data, 1024);

    if (fd != NGX_INVALID_FILE) {
        ngx_close_file(fd);
    }

    if (n < 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "secret file \"%V\" cannot be read", &full);
        return NGX_CONF_ERROR;
    }

    while (n && (secret->data[n - 1] == '\n' || secret->data[n - 1] == '\r'))
    {
        n--;
    }

    secret->len = n;

    return NGX_CONF_OK;
}


/* A path below the configuration's directory unless it is absolute. */

static char *
corr_conf_path(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char *p = conf;

    ngx_str_t  *value, *path;

    value = cf->args->elts;
    path = (ngx_str_t *) (p + cmd->offset);

    if (path->data) {
        return "is duplicate";
    }

    *path = value[1];

    if (ngx_conf_full_name(cf->cycle, path, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* correspondence_key_file CURRENT [OLD…]; */

static char *
corr_conf_key_file(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    corr_main_conf_t *mcf = conf;

    char        *rv;
    ngx_str_t   *value, *old;
    ngx_uint_t   i;

    rv = corr_conf_path(cf, cmd, conf);

    if (rv != NGX_CONF_OK || cf->args->nelts == 2) {
        return rv;
    }

    if (cf->args->nelts > 1 + CORR_SECRETS_FILES) {
        return "has too many files";
    }

    value = cf->args->elts;

    mcf->settings.old_key_files = ngx_array_create(cf->pool, 2,
                                                   sizeof(ngx_str_t));
    if (mcf->settings.old_key_files == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {
        old = ngx_array_push(mcf->settings.old_key_files);
        if (old == NULL) {
            return NGX_CONF_ERROR;
        }

        *old = value[i];

        if (ngx_conf_full_name(cf->cycle, old, 1) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* correspondence_identity_without shahkar|registry skip|shut; */

static char *
corr_conf_missing_gateway(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    corr_main_conf_t *mcf = conf;

    ngx_str_t   *value;
    ngx_uint_t  *skips;

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "shahkar") == 0) {
        skips = &mcf->settings.shahkar_missing_skips;

    } else if (ngx_strcmp(value[1].data, "registry") == 0) {
        skips = &mcf->settings.registry_missing_skips;

    } else {
        return "knows shahkar and registry";
    }

    if (ngx_strcmp(value[2].data, "skip") == 0) {
        *skips = 1;

    } else if (ngx_strcmp(value[2].data, "shut") == 0) {
        *skips = 0;

    } else {
        return "is skip or shut";
    }

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
