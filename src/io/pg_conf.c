/*
 * Connection strings, read while the configuration is: libpq's words, but
 * every choice that libpq would make by itself later, with its own defaults,
 * files, environment and blocking name lookups, is made here.
 */

#include "conf_secret.h"
#include "pg_private.h"


typedef struct {
    const char              *keyword;
    const char              *value;      /* allowed; NULL: none */
    const char              *why;
} corr_pg_ban_t;


/* One host of the list. */

typedef struct {
    ngx_str_t                host;       /* name, path or address */
    ngx_str_t                addr;       /* address; empty: a path */
    ngx_str_t                port;
} corr_pg_place_t;


typedef struct {
    ngx_conf_t              *cf;
    corr_pg_conf_t          *conf;
    ngx_array_t             *words;      /* corr_pg_keyword_t */
    const char              *password;   /* from its file */
} corr_pg_reader_t;


static ngx_int_t corr_pg_zone_init(ngx_shm_zone_t *zone, void *data);
static char *corr_pg_password_file(corr_pg_reader_t *r, ngx_str_t *conninfo,
    ngx_str_t *rest);
static ngx_uint_t corr_pg_take_word(ngx_str_t *conninfo, const char *keyword,
    ngx_str_t *value, ngx_str_t *rest);
static u_char *corr_pg_pair(u_char *p, u_char *end, ngx_str_t *key,
    ngx_str_t *value);
static u_char *corr_pg_blanks(u_char *p, u_char *end);
static char *corr_pg_check_words(corr_pg_reader_t *r);
static const char *corr_pg_word(corr_pg_reader_t *r, const char *keyword);
static ngx_int_t corr_pg_item(corr_pg_reader_t *r, const char *keyword,
    ngx_uint_t i, ngx_str_t *item);
static char *corr_pg_add_hosts(corr_pg_reader_t *r);
static char *corr_pg_add_place(corr_pg_reader_t *r, corr_pg_place_t *place);
static char *corr_pg_resolve(corr_pg_reader_t *r, corr_pg_place_t *place);
static char *corr_pg_add_address(corr_pg_reader_t *r,
    const corr_pg_place_t *place, ngx_uint_t local);
static ngx_int_t corr_pg_words(corr_pg_reader_t *r,
    const corr_pg_place_t *place, ngx_uint_t local, corr_pg_host_t *h);
static ngx_int_t corr_pg_name(ngx_pool_t *pool, const corr_pg_place_t *place,
    ngx_str_t *name);
static ngx_uint_t corr_pg_loopback(struct sockaddr *sa);
static void corr_pg_push(corr_pg_host_t *h, const char *keyword,
    const char *value);
static char *corr_pg_string(ngx_pool_t *pool, const ngx_str_t *s);


/* What libpq would do beside connecting to the one address it is given. */

static const corr_pg_ban_t  corr_pg_bans[] = {
    { "service", NULL, "is not supported: write the connection here" },
    { "passfile", NULL, "is not supported: use password_file" },
    { "replication", NULL, "is not supported" },
    { "connect_timeout", NULL, "has a directive of its own" },
    { "requiressl", NULL, "is out of date: use sslmode" },
    { "gssencmode", "disable", "must be \"disable\"" },
    { "target_session_attrs", "read-write", "must be \"read-write\"" },
    { "client_encoding", "UTF8", "must be \"UTF8\"" },
    { NULL, NULL, NULL }
};


/* How a server that vanished is noticed: one that is idle, one that is not. */

static const corr_pg_keyword_t  corr_pg_defaults[] = {
    { "keepalives_idle", "30" },
    { "keepalives_interval", "10" },
    { "keepalives_count", "3" },
    { "tcp_user_timeout", "5000" },
    { NULL, NULL }
};


/* Set for every connection, whatever is written. */

static const corr_pg_keyword_t  corr_pg_fixed[] = {
    { "gssencmode", "disable" },
    { "target_session_attrs", "any" },      /* asked by ourselves */
    { "client_encoding", "UTF8" },
    { "passfile", "/dev/null/none" },       /* cannot exist */
    { "fallback_application_name", "nginx" },
    { NULL, NULL }
};


char *
corr_pg_conf_add_host(ngx_conf_t *cf, corr_pg_conf_t *conf,
    ngx_str_t *conninfo)
{
    char              *rv;
    ngx_str_t          rest, error;
    corr_pg_reader_t   r;

    if (conf->conninfo.elts == NULL
        && ngx_array_init(&conf->conninfo, cf->pool, 2,
                          sizeof(corr_pg_host_t)) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&r, sizeof(corr_pg_reader_t));
    r.cf = cf;
    r.conf = conf;

    rv = corr_pg_password_file(&r, conninfo, &rest);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    ngx_str_null(&error);

    r.words = corr_pg_conninfo(cf->pool, (char *) rest.data, &error);
    if (r.words == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid PostgreSQL connection: %V", &error);
        return NGX_CONF_ERROR;
    }

    rv = corr_pg_check_words(&r);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return corr_pg_add_hosts(&r);
}


char *
corr_pg_conf_zone(ngx_conf_t *cf, corr_pg_conf_t *conf, void *tag)
{
    ngx_str_t  name = ngx_string("correspondence_postgres");

    conf->zone = ngx_shared_memory_add(cf, &name, 8 * ngx_pagesize, tag);
    if (conf->zone == NULL) {
        return NGX_CONF_ERROR;
    }

    conf->zone->init = corr_pg_zone_init;

    return NGX_CONF_OK;
}


static ngx_int_t
corr_pg_zone_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t  *pool;

    if (data) {
        zone->data = data;
        return NGX_OK;
    }

    pool = (ngx_slab_pool_t *) zone->shm.addr;

    if (!zone->shm.exists) {
        pool->data = ngx_slab_calloc(pool, sizeof(ngx_atomic_t));
    }

    zone->data = pool->data;

    return zone->data ? NGX_OK : NGX_ERROR;
}


static char *
corr_pg_add_hosts(corr_pg_reader_t *r)
{
    char            *rv;
    ngx_int_t        rc;
    ngx_uint_t       i;
    corr_pg_place_t  place;

    for (i = 0; /* void */ ; i++) {

        rc = corr_pg_item(r, "host", i, &place.host);

        if (corr_pg_item(r, "hostaddr", i, &place.addr) == NGX_OK) {
            rc = NGX_OK;
        }

        if (rc != NGX_OK) {
            return NGX_CONF_OK;
        }

        /* one port may serve all hosts */

        if (corr_pg_item(r, "port", i, &place.port) != NGX_OK) {
            (void) corr_pg_item(r, "port", 0, &place.port);
        }

        if (place.port.len == 0) {
            ngx_str_set(&place.port, "5432");
        }

        rv = corr_pg_add_place(r, &place);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }
}


/*
 * password_file is a word of ours: libpq must not see it.  rest ends with
 * a NUL.
 */

static char *
corr_pg_password_file(corr_pg_reader_t *r, ngx_str_t *conninfo,
    ngx_str_t *rest)
{
    char        *rv;
    ngx_str_t    name, password;
    ngx_pool_t  *pool;

    pool = r->cf->pool;

    rest->data = ngx_pnalloc(pool, conninfo->len + 1);
    name.data = ngx_pnalloc(pool, conninfo->len + 1);

    if (rest->data == NULL || name.data == NULL) {
        return NGX_CONF_ERROR;
    }

    if (!corr_pg_take_word(conninfo, "password_file", &name, rest)) {
        return NGX_CONF_OK;
    }

    rv = corr_conf_secret(r->cf, &name, CORR_READ_SECRET, &password);

    if (rv == NGX_CONF_OK) {
        r->password = (char *) password.data;
    }

    return rv;
}


/*
 * Copies a string of key = 'value' pairs without one of them; returns
 * whether it was there.  value and rest have room for the whole string.
 */

static ngx_uint_t
corr_pg_take_word(ngx_str_t *conninfo, const char *keyword, ngx_str_t *value,
    ngx_str_t *rest)
{
    u_char      *p, *end, *start, *out;
    ngx_str_t    key;
    ngx_uint_t   found;

    p = conninfo->data;
    end = p + conninfo->len;
    out = rest->data;
    found = 0;

    while (p < end && !found) {

        start = p;
        p = corr_pg_pair(p, end, &key, value);

        found = (key.len == ngx_strlen(keyword)
                 && ngx_strncmp(key.data, keyword, key.len) == 0);

        if (!found) {
            out = ngx_cpymem(out, start, p - start);
        }
    }

    /* what follows is copied as it is: one such word is enough */

    out = ngx_cpymem(out, p, end - p);

    *out = '\0';
    rest->len = out - rest->data;

    return found;
}


/* One pair, as libpq reads it; value->data has room.  Returns its end. */

static u_char *
corr_pg_pair(u_char *p, u_char *end, ngx_str_t *key, ngx_str_t *value)
{
    u_char      *v;
    ngx_uint_t   quoted;

    p = corr_pg_blanks(p, end);

    key->data = p;

    while (p < end && *p != '=' && !isspace(*p)) {
        p++;
    }

    key->len = p - key->data;

    p = corr_pg_blanks(p, end);

    if (p < end && *p == '=') {
        p = corr_pg_blanks(p + 1, end);
    }

    quoted = (p < end && *p == '\'');
    p += quoted;

    v = value->data;

    while (p < end && (quoted ? *p != '\'' : !isspace(*p))) {

        if (*p == '\\' && p + 1 < end) {
            p++;
        }

        *v++ = *p++;
    }

    *v = '\0';
    value->len = v - value->data;

    return (p < end && quoted) ? p + 1 : p;
}


static u_char *
corr_pg_blanks(u_char *p, u_char *end)
{
    while (p < end && isspace(*p)) {
        p++;
    }

    return p;
}


static char *
corr_pg_check_words(corr_pg_reader_t *r)
{
    const char           *value, *mode;
    ngx_conf_t           *cf;
    const corr_pg_ban_t  *ban;

    cf = r->cf;

    for (ban = corr_pg_bans; ban->keyword != NULL; ban++) {

        value = corr_pg_word(r, ban->keyword);

        if (value != NULL
            && (ban->value == NULL || strcmp(value, ban->value) != 0))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "PostgreSQL connection: \"%s\" %s",
                               ban->keyword, ban->why);
            return NGX_CONF_ERROR;
        }
    }

    mode = corr_pg_word(r, "sslmode");

    if (mode != NULL
        && (strcmp(mode, "allow") == 0 || strcmp(mode, "prefer") == 0))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PostgreSQL connection: \"sslmode\" must be "
                           "\"disable\", \"require\", \"verify-ca\" or "
                           "\"verify-full\"");
        return NGX_CONF_ERROR;
    }

    if (corr_pg_word(r, "user") == NULL
        || corr_pg_word(r, "dbname") == NULL
        || (corr_pg_word(r, "host") == NULL
            && corr_pg_word(r, "hostaddr") == NULL))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PostgreSQL connection: \"host\", \"dbname\" and "
                           "\"user\" must be given");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static const char *
corr_pg_word(corr_pg_reader_t *r, const char *keyword)
{
    ngx_uint_t          i;
    corr_pg_keyword_t  *words;

    words = r->words->elts;

    for (i = 0; i < r->words->nelts; i++) {
        if (strcmp(words[i].keyword, keyword) == 0) {
            return words[i].value;
        }
    }

    return NULL;
}


/* The i-th of a list separated by commas; NGX_DECLINED behind its end. */

static ngx_int_t
corr_pg_item(corr_pg_reader_t *r, const char *keyword, ngx_uint_t i,
    ngx_str_t *item)
{
    const char  *p;

    ngx_str_null(item);

    p = corr_pg_word(r, keyword);
    if (p == NULL) {
        return NGX_DECLINED;
    }

    while (i--) {
        p = strchr(p, ',');
        if (p == NULL) {
            return NGX_DECLINED;
        }

        p++;
    }

    item->data = (u_char *) p;
    item->len = strcspn(p, ",");

    return NGX_OK;
}


/* One entry, or one for each address of a name. */

static char *
corr_pg_add_place(corr_pg_reader_t *r, corr_pg_place_t *place)
{
    ngx_int_t    rc;
    ngx_str_t   *addr;
    ngx_addr_t   literal;

    addr = place->addr.len ? &place->addr : &place->host;

    if (addr->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, r->cf, 0,
                           "PostgreSQL connection: empty host");
        return NGX_CONF_ERROR;
    }

    if (place->addr.len == 0
        && (addr->data[0] == '/' || addr->data[0] == '@'))
    {
        return corr_pg_add_address(r, place, 1);
    }

    rc = ngx_parse_addr(r->cf->pool, &literal, addr->data, addr->len);

    if (rc == NGX_ERROR) {
        return NGX_CONF_ERROR;
    }

    if (rc == NGX_OK) {
        place->addr = *addr;
        return corr_pg_add_address(r, place,
                                   corr_pg_loopback(literal.sockaddr));
    }

    if (place->addr.len) {
        ngx_conf_log_error(NGX_LOG_EMERG, r->cf, 0,
                           "PostgreSQL connection: \"hostaddr\" must be an "
                           "address: \"%V\"", &place->addr);
        return NGX_CONF_ERROR;
    }

    return corr_pg_resolve(r, place);
}


static char *
corr_pg_resolve(corr_pg_reader_t *r, corr_pg_place_t *place)
{
    char        *rv;
    ngx_url_t    u;
    ngx_uint_t   i;
    u_char       text[NGX_SOCKADDR_STRLEN];

    ngx_memzero(&u, sizeof(ngx_url_t));
    u.host = place->host;
    u.url = place->host;

    if (ngx_inet_resolve_host(r->cf->pool, &u) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, r->cf, 0,
                           "PostgreSQL connection: %s \"%V\"",
                           u.err ? u.err : "cannot resolve", &u.host);
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < u.naddrs; i++) {

        place->addr.data = text;
        place->addr.len = ngx_sock_ntop(u.addrs[i].sockaddr,
                                        u.addrs[i].socklen, text,
                                        NGX_SOCKADDR_STRLEN, 0);

        /* nginx writes [::1], libpq reads ::1 */

        if (text[0] == '[') {
            place->addr.data++;
            place->addr.len -= 2;
        }

        rv = corr_pg_add_address(r, place,
                                 corr_pg_loopback(u.addrs[i].sockaddr));
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


static ngx_uint_t
corr_pg_loopback(struct sockaddr *sa)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;

    if (sa->sa_family == AF_INET6) {
        sin6 = (struct sockaddr_in6 *) sa;
        return IN6_IS_ADDR_LOOPBACK(&sin6->sin6_addr);
    }
#endif

    sin = (struct sockaddr_in *) sa;

    return (ntohl(sin->sin_addr.s_addr) >> 24) == 127;
}


/* local: TLS is not asked for unless it is written. */

static char *
corr_pg_add_address(corr_pg_reader_t *r, const corr_pg_place_t *place,
    ngx_uint_t local)
{
    corr_pg_host_t  *h;

    h = ngx_array_push(&r->conf->conninfo);
    if (h == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(h, sizeof(corr_pg_host_t));

    if (corr_pg_words(r, place, local, h) != NGX_OK
        || corr_pg_name(r->cf->pool, place, &h->name) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
corr_pg_words(corr_pg_reader_t *r, const corr_pg_place_t *place,
    ngx_uint_t local, corr_pg_host_t *h)
{
    ngx_uint_t                i;
    ngx_pool_t               *pool;
    corr_pg_keyword_t        *words;
    const corr_pg_keyword_t  *k;

    pool = r->cf->pool;
    words = r->words->elts;

    h->keywords = ngx_pcalloc(pool, CORR_PG_KEYWORDS * sizeof(char *));
    h->values = ngx_pcalloc(pool, CORR_PG_KEYWORDS * sizeof(char *));

    if (h->keywords == NULL || h->values == NULL) {
        return NGX_ERROR;
    }

    /* defaults first: of a word given twice libpq takes the last */

    corr_pg_push(h, "sslmode", local ? "disable" : "require");

    for (k = corr_pg_defaults; k->keyword != NULL; k++) {
        corr_pg_push(h, k->keyword, k->value);
    }

    for (i = 0; i < r->words->nelts; i++) {

        if (strcmp(words[i].keyword, "options") == 0) {
            h->options = words[i].value;
            continue;
        }

        corr_pg_push(h, words[i].keyword, words[i].value);
    }

    corr_pg_push(h, "host", corr_pg_string(pool, &place->host));
    corr_pg_push(h, "hostaddr", corr_pg_string(pool, &place->addr));
    corr_pg_push(h, "port", corr_pg_string(pool, &place->port));

    if (r->password != NULL) {
        corr_pg_push(h, "password", r->password);
    }

    for (k = corr_pg_fixed; k->keyword != NULL; k++) {
        corr_pg_push(h, k->keyword, k->value);
    }

    for (i = 0; i < h->n; i++) {
        if (h->values[i] == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* For the log: what was written, and the address it stands for. */

static ngx_int_t
corr_pg_name(ngx_pool_t *pool, const corr_pg_place_t *place, ngx_str_t *name)
{
    u_char  *p;

    name->data = ngx_pnalloc(pool, place->host.len + place->addr.len
                                   + place->port.len
                                   + sizeof("unix:/.s.PGSQL. ()"));
    if (name->data == NULL) {
        return NGX_ERROR;
    }

    if (place->addr.len == 0) {
        p = ngx_sprintf(name->data, "unix:%V/.s.PGSQL.%V", &place->host,
                        &place->port);

    } else {
        p = ngx_sprintf(name->data, "%V:%V", &place->addr, &place->port);

        if (place->host.len && place->host.data != place->addr.data) {
            p = ngx_sprintf(p, " (%V)", &place->host);
        }
    }

    name->len = p - name->data;

    return NGX_OK;
}


static void
corr_pg_push(corr_pg_host_t *h, const char *keyword, const char *value)
{
    if (h->n < CORR_PG_KEYWORDS) {
        h->keywords[h->n] = keyword;
        h->values[h->n] = value;
        h->n++;
    }
}


static char *
corr_pg_string(ngx_pool_t *pool, const ngx_str_t *s)
{
    u_char  *p;

    p = ngx_pnalloc(pool, s->len + 1);

    if (p != NULL) {
        p[s->len] = '\0';

        if (s->len) {
            ngx_memcpy(p, s->data, s->len);
        }
    }

    return (char *) p;
}
