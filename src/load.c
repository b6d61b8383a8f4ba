/*
 * Loads what the directives name, once all of them were read: statements,
 * keys, services, templates, and the values that every page of a location
 * shares.  All of it are files; nothing here touches a network.
 */

#include "load.h"
#include "routes.h"

#include "http/counters.h"
#include "services/captcha.h"
#include "services/filetype.h"
#include "services/gateway.h"
#include "services/passwords.h"
#include "services/secrets.h"
#include "services/store.h"
#include "services/texts.h"


#define CORR_LIFETIME  " -c correspondence.message_lifetime="


static ngx_int_t corr_load_required(ngx_conf_t *cf,
    const corr_settings_t *s);
static ngx_int_t corr_load_statements(ngx_conf_t *cf, corr_settings_t *s);
static ngx_int_t corr_load_limits(ngx_conf_t *cf, corr_settings_t *s);
static ngx_int_t corr_load_secrets(ngx_conf_t *cf, corr_settings_t *s);
static ngx_int_t corr_load_services(ngx_conf_t *cf, corr_settings_t *s);
static unsigned corr_load_types(ngx_conf_t *cf, corr_settings_t *s);
static void corr_free_services(void *data);
static ngx_int_t corr_load_common(ngx_conf_t *cf, corr_settings_t *s,
    corr_loc_conf_t *lcf);
static ngx_int_t corr_load_upload(ngx_conf_t *cf, corr_settings_t *s,
    corr_view_t *common);
static void *corr_conf_palloc(void *pool, size_t size);


ngx_int_t
corr_load(ngx_conf_t *cf, corr_settings_t *s, ngx_array_t *locations)
{
    ngx_uint_t                 i, signs_up;
    corr_loc_conf_t          **lcf;
    ngx_http_core_loc_conf_t  *clcf;

    if (corr_load_required(cf, s) != NGX_OK) {
        return NGX_ERROR;
    }

    /* those of directives were declared where they stand */

    if (corr_threads_declare(cf, &s->thread_pool) == NULL
        || corr_threads_declare(cf, &s->disk_thread_pool) == NULL)
    {
        return NGX_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    s->http.resolver = clcf->resolver;

    lcf = locations->elts;

    for (i = 0, signs_up = 0; i < locations->nelts; i++) {
        signs_up |= (lcf[i]->kind == CORR_KIND_CITIZEN);
    }

    if (corr_gateways_check(cf, s, clcf->resolver, signs_up) != NGX_OK) {
        return NGX_ERROR;
    }

    s->citizen_routes = corr_citizen_routes;
    s->clerk_routes = corr_clerk_routes;
    s->counters_zone = corr_counters_zone(cf);

    if (s->counters_zone == NULL
        || corr_pg_conf_zone(cf, &s->pg, &ngx_http_correspondence_module)
           != NGX_CONF_OK)
    {
        return NGX_ERROR;
    }

    if (corr_load_statements(cf, s) != NGX_OK
        || corr_load_limits(cf, s) != NGX_OK
        || corr_load_secrets(cf, s) != NGX_OK
        || corr_load_services(cf, s) != NGX_OK)
    {
        return NGX_ERROR;
    }

    s->texts = corr_texts_load(cf, &s->html);
    if (s->texts == NULL
        || corr_texts_check_sms(cf, s->texts, corr_from_ngx(s->host),
                                corr_from_ngx(s->body_name),
                                s->tracking_digits, s->sms_parts)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < locations->nelts; i++) {
        if (corr_load_common(cf, s, lcf[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
corr_load_required(ngx_conf_t *cf, const corr_settings_t *s)
{
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
        statement[i].writes = corr_sql_statements[i].writes;
    }

    s->pg.statements = statement;
    s->pg.nstatements = CORR_SQL_COUNT;
    s->pg.history = CORR_SQL_SERVER_HISTORY;
    s->pg.at_it = CORR_SQL_SERVER_AT_IT;

    return NGX_OK;
}


/* The limits that PostgreSQL sees to, as its functions take them: JSON. */

static ngx_int_t
corr_load_limits(ngx_conf_t *cf, corr_settings_t *s)
{
    u_char      *p;
    ngx_uint_t   i;

    const struct {
        const char  *name;
        int64_t      value;
    } limits[] = {
        { "life", s->code_lifetime },
        { "tries", s->code_tries },
        { "person_tries", s->code_person_tries },
        { "interval", s->code_interval },
        { "mobile_hour", s->codes_per_mobile_hour },
        { "mobile_day", s->codes_per_mobile_day },
        { "person_day", s->codes_per_person_day },
        { "address_hour", s->codes_per_address_hour },
        { "address_day", s->codes_per_address_day },
        { "total_day", s->codes_per_day },
        { "tracking_digits", s->tracking_digits },
        { "letters_day", s->letters_per_day },
    };

    p = ngx_pnalloc(cf->pool, sizeof(limits) / sizeof(limits[0])
                              * (32 + NGX_INT64_LEN));
    if (p == NULL) {
        return NGX_ERROR;
    }

    s->limits.data = p;

    for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        p = ngx_sprintf(p, "%c\"%s\":%L", i ? ',' : '{', limits[i].name,
                        limits[i].value);
    }

    *p++ = '}';
    s->limits.len = p - s->limits.data;

    /* messages are made by many functions: each connection tells it them */

    p = ngx_pnalloc(cf->pool, sizeof(CORR_LIFETIME) + NGX_TIME_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    s->pg.settings.data = p;
    s->pg.settings.len = ngx_sprintf(p, CORR_LIFETIME "%T",
                                     s->message_lifetime) - p;

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
    unsigned                kinds;
    ngx_pool_cleanup_t     *cln;
    corr_passwords_conf_t   pconf;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = corr_free_services;
    cln->data = s;

    kinds = corr_load_types(cf, s);

    if (kinds == 0) {
        return NGX_ERROR;
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


/* The kinds of files that may be sent; 0: one of them is unknown. */

static unsigned
corr_load_types(ngx_conf_t *cf, corr_settings_t *s)
{
    unsigned     kinds, kind;
    ngx_str_t   *type;
    ngx_uint_t   i;

    kinds = 0;
    type = s->upload_types->elts;

    for (i = 0; i < s->upload_types->nelts; i++) {
        kind = corr_filetype_by_name(corr_from_ngx(type[i]));

        if (kind == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"correspondence_upload_types\": unknown "
                               "type \"%V\"", &type[i]);
            return 0;
        }

        kinds |= kind;
    }

    return kinds;
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

    if (s->contact.len) {
        corr_view_text(lcf->common, "contact", corr_from_ngx(s->contact));
    }

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
