/*
 * Directives that are more than one word: where the engines are, and how
 * they are asked.
 */

#include "conf.h"

#include "io/conf_secret.h"
#include "services/secrets.h"


#define CORR_SCAN_QUEUE      256       /* files of a worker that wait */


static ngx_int_t corr_conf_option(ngx_conf_t *cf, ngx_str_t *word,
    const char *name, ngx_str_t *value);
static char *corr_conf_redis_whole(const corr_redis_conf_t *redis);
static ngx_int_t corr_conf_some(ngx_int_t n);


/*
 * correspondence_postgres "host=…" [connections=N] [writers=N]
 *                         [timeout=TIME] [connect_timeout=TIME] [depth=N]
 *                         [queue=N];
 */

char *
corr_conf_postgres(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    corr_settings_t *s = conf;

    ngx_str_t         *value, rest;
    ngx_uint_t         i;
    corr_pg_conf_t    *pg = &s->pg;

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {

        if (corr_conf_option(cf, &value[i], "connections=", &rest)
            == NGX_OK)
        {
            pg->connections = corr_conf_some(ngx_atoi(rest.data, rest.len));

        } else if (corr_conf_option(cf, &value[i], "writers=", &rest)
                   == NGX_OK)
        {
            s->pg_writers = ngx_atoi(rest.data, rest.len);
            rest.len = s->pg_writers == NGX_ERROR ? 0 : rest.len;

        } else if (corr_conf_option(cf, &value[i], "depth=", &rest)
                   == NGX_OK)
        {
            pg->depth = corr_conf_some(ngx_atoi(rest.data, rest.len));

        } else if (corr_conf_option(cf, &value[i], "queue=", &rest)
                   == NGX_OK)
        {
            pg->queue = corr_conf_some(ngx_atoi(rest.data, rest.len));

        } else if (corr_conf_option(cf, &value[i], "timeout=", &rest)
                   == NGX_OK)
        {
            pg->timeout = corr_conf_some(ngx_parse_time(&rest, 0));

        } else if (corr_conf_option(cf, &value[i], "connect_timeout=", &rest)
                   == NGX_OK)
        {
            pg->connect_timeout = corr_conf_some(ngx_parse_time(&rest, 0));

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

char *
corr_conf_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    corr_settings_t *s = conf;

    char               *rv;
    ngx_str_t          *value, rest;
    ngx_uint_t          i;
    corr_redis_conf_t  *redis = &s->redis;

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
            rv = corr_conf_secret(cf, &rest, CORR_READ_SECRET,
                                  &redis->password);

        } else if (corr_conf_option(cf, &value[i], "db=", &rest) == NGX_OK) {
            redis->database = ngx_atoi(rest.data, rest.len);

            if (redis->database == NGX_ERROR) {
                return "has a bad number of a database";
            }

        } else {
            rv = corr_redis_conf_add(cf, redis, &value[i]);
        }
    }

    return rv == NGX_CONF_OK ? corr_conf_redis_whole(redis) : rv;
}


static char *
corr_conf_redis_whole(const corr_redis_conf_t *redis)
{
    /* nobody would be told that it goes in as the one without a name */

    if (redis->username.len && redis->password.len == 0) {
        return "has \"user=\" without \"password_file=\"";
    }

    if (redis->sentinels.nelts && redis->master.len == 0) {
        return "has \"sentinel=\" without \"master=\"";
    }

    return NGX_CONF_OK;
}


/* correspondence_scan off|ADDRESS [timeout=TIME] [max=N] [down=refuse|take]; */

char *
corr_conf_scan(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    corr_settings_t *s = conf;

    ngx_int_t           n;
    ngx_str_t          *value, rest;
    ngx_uint_t          i;

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


/*
 * correspondence_url http://HOST[:PORT];  the host alone is what the last
 * line of an SMS names.
 */

char *
corr_conf_url(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    corr_settings_t *s = conf;

    char    *rv;
    u_char  *p, *last;

    rv = ngx_conf_set_str_slot(cf, cmd, conf);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (s->url.len && s->url.data[s->url.len - 1] == '/') {
        s->url.len--;
    }

    last = s->url.data + s->url.len;
    p = (u_char *) ngx_strstr(s->url.data, "://");

    if (p == NULL || p + 3 >= last) {
        return "is not http://… or https://…";
    }

    s->host.data = p + 3;

    for (p += 3; p < last && *p != ':' && *p != '/'; p++) { /* void */ }

    s->host.len = p - s->host.data;

    /* a receipt's address is this and the prefix of its location */

    return ngx_strlchr(p, last, '/') ? "has a path" : NGX_CONF_OK;
}


/*
 * A pool that is nowhere is told once all was read, with the file and line
 * of where it was first named.
 */

char *
corr_conf_pool(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char *p = conf;

    char  *rv;

    rv = ngx_conf_set_str_slot(cf, cmd, conf);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return corr_threads_declare(cf, (ngx_str_t *) (p + cmd->offset))
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* A path below the configuration's directory unless it is absolute. */

char *
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

char *
corr_conf_key_file(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    corr_settings_t *s = conf;

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

    s->old_key_files = ngx_array_create(cf->pool, 2,
                                                   sizeof(ngx_str_t));
    if (s->old_key_files == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {
        old = ngx_array_push(s->old_key_files);
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

char *
corr_conf_missing_gateway(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    corr_settings_t *s = conf;

    ngx_str_t   *value;
    ngx_uint_t  *skips;

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "shahkar") == 0) {
        skips = &s->shahkar_missing_skips;

    } else if (ngx_strcmp(value[1].data, "registry") == 0) {
        skips = &s->registry_missing_skips;

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


/* None is no number of anything: it would be taken for the default. */

static ngx_int_t
corr_conf_some(ngx_int_t n)
{
    return n > 0 ? n : NGX_ERROR;
}
