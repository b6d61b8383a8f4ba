/*
 * HTTP requests to gateways: libcurl's multi-socket interface driven by
 * nginx's event loop.
 *
 * The rules that libcurl makes, and where they are kept:
 *
 *   libcurl is never called from its own callbacks: these only note things,
 *   corr_http_settle() acts after curl_multi_socket_action() has returned;
 *
 *   its sockets come, are kept for later without us, and are closed without
 *   a word: a slot is given back on CURL_POLL_REMOVE and, at the latest,
 *   before close();
 *
 *   names are never looked up by libcurl (its resolver's thread would be
 *   joined on removal): every host is given by CURLOPT_RESOLVE.
 */

#include "http.h"
#include "conf_secret.h"
#include "fd.h"
#include "pool.h"

#include <curl/curl.h>
#include <malloc.h>
#include <openssl/pem.h>
#include <openssl/x509.h>


#define CORR_HTTP_HEADERS       65536    /* of an answer, bytes */
#define CORR_HTTP_BODY          4096     /* first piece of memory */
#define CORR_HTTP_IDLE          30L      /* seconds a connection is kept */
#define CORR_HTTP_LIFETIME      300L     /* seconds; follows DNS changes */
#define CORR_HTTP_HOST          256
#define CORR_HTTP_PEM           1048576  /* bytes of a certificate file */


struct corr_http_s {
    CURLM                   *multi;      /* NULL: could not be made anew */
    CURLSH                  *share;      /* TLS sessions */
    ngx_log_t               *log;
    ngx_socket_t             ident;      /* -1; see corr_op_t */
    ngx_event_t              timer;      /* the only one libcurl asks for */
    ngx_event_t              later;      /* what could not be done inside */
    corr_http_conf_t         conf;
    ngx_queue_t              sockets;    /* corr_http_socket_t */
    ngx_queue_t              transfers;  /* corr_http_transfer_t */
    ngx_uint_t               inside;     /* libcurl is on the stack */
    corr_http_status_t       status;
};


typedef struct {
    corr_fd_t                fd;
    corr_http_t             *http;
    ngx_queue_t              link;
} corr_http_socket_t;


typedef struct {
    corr_http_op_t           op;         /* first */
    corr_http_t             *http;
    ngx_queue_t              link;       /* in http->transfers */
    const corr_http_profile_t *profile;
    corr_str_t               method;
    corr_str_t               url;        /* with a NUL */
    corr_str_t               body;
    size_t                   read;       /* of body */
    size_t                   room;       /* of op.body */
    size_t                   headers_in; /* bytes */
    CURL                    *easy;
    struct curl_slist       *headers;
    struct curl_slist       *resolve;
    ngx_resolver_ctx_t      *lookup;
    ngx_str_t                host;       /* to be looked up */
    ngx_uint_t               port;
    unsigned                 added:1;    /* to the multi handle */
    unsigned                 waiting:1;  /* to be added */
    unsigned                 left:1;     /* see CORR_HTTP_… */
    unsigned                 starved:1;
    unsigned                 too_large:1;
    char                     reason[CURL_ERROR_SIZE];
} corr_http_transfer_t;


typedef struct {
    CURLU                   *url;
    char                    *scheme;
    char                    *host;
    char                    *port;
} corr_http_parts_t;


static void *corr_http_realloc(void *p, size_t size);
static ngx_int_t corr_http_open(corr_http_t *http);
static void corr_http_limits(corr_http_t *http);
static ngx_int_t corr_http_copy(corr_http_transfer_t *t,
    const corr_http_request_t *request);
static ngx_int_t corr_http_dup(ngx_pool_t *pool, const corr_str_t *from,
    corr_str_t *to);
static ngx_int_t corr_http_copy_headers(corr_http_transfer_t *t,
    ngx_array_t *headers);
static ngx_int_t corr_http_header_line(corr_str_t line, char *out);
static corr_http_error_e corr_http_target(corr_http_transfer_t *t);
static corr_http_error_e corr_http_host(corr_http_transfer_t *t,
    const char *url, ngx_uint_t proxy);
static ngx_int_t corr_http_split(const char *url, ngx_uint_t proxy,
    corr_http_parts_t *parts);
static void corr_http_parts_free(corr_http_parts_t *parts);
static ngx_uint_t corr_http_is_literal(const char *host);
static void corr_http_resolve(corr_http_transfer_t *t);
static void corr_http_resolved(ngx_resolver_ctx_t *lookup);
static ngx_int_t corr_http_addresses(corr_http_transfer_t *t,
    ngx_resolver_ctx_t *lookup);
static void corr_http_launch(corr_http_transfer_t *t);
static CURLcode corr_http_setup(corr_http_transfer_t *t);
static CURLcode corr_http_setup_request(corr_http_transfer_t *t);
static CURLcode corr_http_setup_tls(corr_http_transfer_t *t);
static CURLcode corr_http_setup_blob(CURL *easy, CURLoption option,
    const ngx_str_t *pem);
static size_t corr_http_on_read(char *out, size_t size, size_t n, void *data);
static size_t corr_http_on_write(char *in, size_t size, size_t n, void *data);
static size_t corr_http_on_header(char *in, size_t size, size_t n,
    void *data);
static int corr_http_on_start(void *data, char *remote, char *local,
    int remote_port, int local_port);
static int corr_http_on_socket(CURL *easy, curl_socket_t fd, int what,
    void *data, void *assigned);
static int corr_http_on_close(void *data, curl_socket_t fd);
static int corr_http_on_timer(CURLM *multi, long timeout, void *data);
static corr_http_socket_t *corr_http_socket_find(corr_http_t *http,
    curl_socket_t fd);
static corr_http_socket_t *corr_http_socket_create(corr_http_t *http,
    curl_socket_t fd);
static void corr_http_socket_free(corr_http_socket_t *socket);
static void corr_http_starve(corr_http_t *http, CURL *easy);
static void corr_http_ready(void *data, ngx_uint_t events,
    ngx_uint_t closing);
static void corr_http_timeout(ngx_event_t *ev);
static void corr_http_later(ngx_event_t *ev);
static void corr_http_action(corr_http_t *http, curl_socket_t fd, int mask);
static void corr_http_settle(corr_http_t *http);
static void corr_http_done(corr_http_transfer_t *t, CURLcode rc);
static corr_http_error_e corr_http_classify(corr_http_transfer_t *t,
    CURLcode rc);
static void corr_http_end(corr_http_transfer_t *t, corr_http_error_e error);
static void corr_http_reason(corr_http_transfer_t *t, const char *fmt, ...);
static void corr_http_log(corr_http_transfer_t *t, corr_http_error_e error);
static void corr_http_remove(corr_http_transfer_t *t);
static void corr_http_expire(corr_op_t *op);
static void corr_http_abandon(corr_http_t *http, const char *reason);
static void corr_http_close(corr_http_t *http);
static ngx_int_t corr_http_load_pem(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *pem);
static ngx_int_t corr_http_load_key(ngx_conf_t *cf,
    corr_http_profile_t *profile);
static ngx_int_t corr_http_check_pair(ngx_conf_t *cf,
    corr_http_profile_t *profile);
static int corr_http_no_password(char *buf, int size, int rwflag, void *data);


static const char  *corr_http_words[] = {
    "no error", "bad request", "name not resolved", "not connected",
    "TLS failed", "no whole answer", "answer too large", "timed out"
};


/* Start and stop. */

corr_http_t *
corr_http_create(ngx_cycle_t *cycle, const corr_http_conf_t *conf)
{
    corr_http_t  *http;

    http = ngx_pcalloc(cycle->pool, sizeof(corr_http_t));
    if (http == NULL) {
        return NULL;
    }

    http->log = cycle->log;
    http->conf = *conf;
    http->ident = (ngx_socket_t) -1;

    ngx_queue_init(&http->sockets);
    ngx_queue_init(&http->transfers);

    /*
     * Cancelable: what must keep a worker that quits are the deadlines of
     * operations, not the housekeeping of kept connections.
     */

    http->timer.handler = corr_http_timeout;
    http->timer.data = http;
    http->timer.log = http->log;
    http->timer.cancelable = 1;

    http->later.handler = corr_http_later;
    http->later.data = http;
    http->later.log = http->log;

    /* requests and answers are in its buffers, credentials among them */

    if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, corr_memory_free,
                             corr_http_realloc, strdup, calloc)
        != CURLE_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, http->log, 0,
                      "curl_global_init_mem() failed");
        return NULL;
    }

    http->share = curl_share_init();

    if (http->share == NULL
        || curl_share_setopt(http->share, CURLSHOPT_SHARE,
                             CURL_LOCK_DATA_SSL_SESSION) != CURLSHE_OK
        || corr_http_open(http) != NGX_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, http->log, 0,
                      "libcurl could not be started");
        corr_http_destroy(http);
        return NULL;
    }

    return http;
}


/* What has to move is wiped where it was. */

static void *
corr_http_realloc(void *p, size_t size)
{
    void    *grown;
    size_t   room;

    room = (p != NULL) ? malloc_usable_size(p) : 0;

    if (p != NULL && size != 0 && size <= room) {
        return p;
    }

    grown = malloc(size);

    if (grown != NULL && p != NULL) {
        ngx_memcpy(grown, p, ngx_min(room, size));
        corr_memory_free(p);
    }

    return grown;
}


static ngx_int_t
corr_http_open(corr_http_t *http)
{
    http->multi = curl_multi_init();
    if (http->multi == NULL) {
        return NGX_ERROR;
    }

    curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION,
                      corr_http_on_socket);
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION,
                      corr_http_on_timer);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_PIPELINING,
                      (long) CURLPIPE_MULTIPLEX);

    corr_http_limits(http);

    return NGX_OK;
}


static void
corr_http_limits(corr_http_t *http)
{
    if (http->conf.connections) {
        curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS,
                          (long) http->conf.connections);
        curl_multi_setopt(http->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS,
                          (long) http->conf.connections);
    }

    if (http->conf.per_host) {
        curl_multi_setopt(http->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
                          (long) http->conf.per_host);
    }
}


void
corr_http_destroy(corr_http_t *http)
{
    if (http == NULL) {
        return;
    }

    corr_http_abandon(http, "the worker ends");
    corr_http_close(http);

    if (http->later.posted) {
        ngx_delete_posted_event(&http->later);
    }

    if (http->share != NULL) {
        curl_share_cleanup(http->share);
        http->share = NULL;
    }

    curl_global_cleanup();
}


/* Ends all that is under way; libcurl is not on the stack. */

static void
corr_http_abandon(corr_http_t *http, const char *reason)
{
    ngx_queue_t           *q;
    corr_http_transfer_t  *t;

    while (!ngx_queue_empty(&http->transfers)) {
        q = ngx_queue_head(&http->transfers);
        t = ngx_queue_data(q, corr_http_transfer_t, link);

        corr_http_reason(t, "%s", reason);
        corr_http_end(t, t->left ? CORR_HTTP_RECEIVE : CORR_HTTP_CONNECT);
    }
}


/*
 * Closes kept connections too: libcurl calls corr_http_on_socket() and
 * corr_http_on_close() for them.
 */

static void
corr_http_close(corr_http_t *http)
{
    ngx_queue_t  *q;

    if (http->multi != NULL) {
        http->inside++;
        curl_multi_cleanup(http->multi);
        http->inside--;
        http->multi = NULL;
    }

    while (!ngx_queue_empty(&http->sockets)) {
        q = ngx_queue_head(&http->sockets);
        corr_http_socket_free(ngx_queue_data(q, corr_http_socket_t, link));
    }

    if (http->timer.timer_set) {
        ngx_del_timer(&http->timer);
    }
}


void
corr_http_status(corr_http_t *http, corr_http_status_t *status)
{
    *status = http->status;
}


/* A request. */

corr_http_op_t *
corr_http_send(corr_http_t *http, corr_owner_t *owner, const char *name,
    const corr_http_request_t *request)
{
    corr_op_t             *op;
    corr_http_error_e      error;
    corr_http_transfer_t  *t;

    op = corr_op_create(sizeof(corr_http_transfer_t), owner, name, http->log);
    if (op == NULL) {
        return NULL;
    }

    op->expire = corr_http_expire;

    /* bodies hold national codes, headers and URLs keys, answers tokens */

    op->secret = 1;

    t = (corr_http_transfer_t *) op;
    t->http = http;
    t->profile = request->profile;

    ngx_queue_insert_tail(&http->transfers, &t->link);
    http->status.in_flight++;
    http->status.operations++;

    corr_op_start(op, t->profile->timeout);

    if (corr_http_copy(t, request) != NGX_OK) {
        corr_http_end(t, CORR_HTTP_BAD_REQUEST);
        return &t->op;
    }

    error = corr_http_target(t);

    if (error != CORR_HTTP_NONE) {
        corr_http_end(t, error);

    } else if (t->host.len) {
        corr_http_resolve(t);

    } else {
        corr_http_launch(t);
    }

    return &t->op;
}


static ngx_int_t
corr_http_copy(corr_http_transfer_t *t, const corr_http_request_t *request)
{
    ngx_pool_t  *pool;

    pool = t->op.op.pool;

    if (corr_http_dup(pool, &request->method, &t->method) != NGX_OK
        || corr_http_dup(pool, &request->url, &t->url) != NGX_OK
        || corr_http_dup(pool, &request->body, &t->body) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_strlen(t->method.data) != t->method.len
        || ngx_strlen(t->url.data) != t->url.len)
    {
        corr_http_reason(t, "NUL in method or URL");
        return NGX_ERROR;
    }

    /* nothing is asked before the body is sent */

    t->headers = curl_slist_append(NULL, "Expect:");
    if (t->headers == NULL) {
        return NGX_ERROR;
    }

    return corr_http_copy_headers(t, request->headers);
}


static ngx_int_t
corr_http_dup(ngx_pool_t *pool, const corr_str_t *from, corr_str_t *to)
{
    to->data = ngx_pnalloc(pool, from->len + 1);
    if (to->data == NULL) {
        return NGX_ERROR;
    }

    if (from->len) {
        ngx_memcpy(to->data, from->data, from->len);
    }

    to->data[from->len] = '\0';
    to->len = from->len;

    return NGX_OK;
}


static ngx_int_t
corr_http_copy_headers(corr_http_transfer_t *t, ngx_array_t *headers)
{
    char               *line;
    ngx_uint_t          i;
    corr_str_t         *header;
    struct curl_slist  *list;

    header = headers ? headers->elts : NULL;

    for (i = 0; headers && i < headers->nelts; i++) {

        line = ngx_pnalloc(t->op.op.pool, header[i].len + 2);
        if (line == NULL) {
            return NGX_ERROR;
        }

        if (corr_http_header_line(header[i], line) != NGX_OK) {
            corr_http_reason(t, "header %ui is not one", i);
            return NGX_ERROR;
        }

        list = curl_slist_append(t->headers, line);
        if (list == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * libcurl sends what it gets, line ends and all, and takes "Name:" as a
 * wish to drop the header; "Name;" is its way to say that one is empty.
 */

static ngx_int_t
corr_http_header_line(corr_str_t line, char *out)
{
    size_t   i, colon;
    u_char  *p;

    p = ngx_strlchr(line.data, line.data + line.len, ':');
    if (p == NULL || p == line.data) {
        return NGX_ERROR;
    }

    for (i = 0; i < line.len; i++) {
        if (line.data[i] == '\r' || line.data[i] == '\n'
            || line.data[i] == '\0')
        {
            return NGX_ERROR;
        }
    }

    ngx_memcpy(out, line.data, line.len);
    out[line.len] = '\0';

    colon = p - line.data;

    for (i = colon + 1; i < line.len && line.data[i] == ' '; i++) {
        /* void */
    }

    if (i == line.len) {
        out[colon] = ';';
        out[colon + 1] = '\0';
    }

    return NGX_OK;
}


/* Where the connection goes: sets host when its name must be looked up. */

static corr_http_error_e
corr_http_target(corr_http_transfer_t *t)
{
    corr_http_error_e           error;
    const corr_http_profile_t  *profile;

    profile = t->profile;

    /* also looked at when a proxy resolves it: the URL must be right */

    error = corr_http_host(t, (char *) t->url.data, 0);

    if (error != CORR_HTTP_NONE || profile->proxy.len == 0) {
        return error;
    }

    ngx_str_null(&t->host);

    return corr_http_host(t, (char *) profile->proxy.data, 1);
}


static corr_http_error_e
corr_http_host(corr_http_transfer_t *t, const char *url, ngx_uint_t proxy)
{
    size_t             len;
    ngx_uint_t         good;
    corr_http_parts_t  parts;

    good = corr_http_split(url, proxy, &parts) == NGX_OK
           && (proxy || ngx_strcmp(parts.scheme, "https") == 0
               || (t->profile->insecure_http
                   && ngx_strcmp(parts.scheme, "http") == 0));

    len = good ? ngx_strlen(parts.host) : 0;

    if (len == 0 || len >= CORR_HTTP_HOST || parts.host[len - 1] == '.') {
        good = 0;

    } else if (!corr_http_is_literal(parts.host)) {
        t->host.len = len;
        t->host.data = ngx_pnalloc(t->op.op.pool, len);

        if (t->host.data != NULL) {
            ngx_strlow(t->host.data, (u_char *) parts.host, len);
        }

        good = t->host.data != NULL;
    }

    if (good) {
        t->port = ngx_atoi((u_char *) parts.port, ngx_strlen(parts.port));

    } else {
        corr_http_reason(t, "the %s is not acceptable",
                         proxy ? "proxy" : "URL");
    }

    corr_http_parts_free(&parts);

    return good ? CORR_HTTP_NONE : CORR_HTTP_BAD_REQUEST;
}


/*
 * A proxy has to name its port: libcurl's default for proxies is not that of
 * their scheme.
 */

static ngx_int_t
corr_http_split(const char *url, ngx_uint_t proxy, corr_http_parts_t *parts)
{
    ngx_memzero(parts, sizeof(corr_http_parts_t));

    parts->url = curl_url();

    if (parts->url == NULL
        || curl_url_set(parts->url, CURLUPART_URL, url,
                        proxy ? CURLU_NON_SUPPORT_SCHEME : 0)
        || curl_url_get(parts->url, CURLUPART_SCHEME, &parts->scheme, 0)
        || curl_url_get(parts->url, CURLUPART_HOST, &parts->host, 0)
        || curl_url_get(parts->url, CURLUPART_PORT, &parts->port,
                        proxy ? 0 : CURLU_DEFAULT_PORT))
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
corr_http_parts_free(corr_http_parts_t *parts)
{
    curl_free(parts->scheme);
    curl_free(parts->host);
    curl_free(parts->port);
    curl_url_cleanup(parts->url);
}


/* An address, or a name that libcurl knows without asking anyone. */

static ngx_uint_t
corr_http_is_literal(const char *host)
{
    size_t  len;
    u_char  address[16];

    if (host[0] == '[' || inet_pton(AF_INET, host, address) == 1) {
        return 1;
    }

    len = ngx_strlen(host);

    return ngx_strcasecmp((u_char *) host, (u_char *) "localhost") == 0
           || (len > 10 && ngx_strcasecmp((u_char *) host + len - 10,
                                          (u_char *) ".localhost") == 0);
}


static void
corr_http_resolve(corr_http_transfer_t *t)
{
    ngx_resolver_t      *resolver;
    ngx_resolver_ctx_t  *lookup;

    lookup = NULL;
    resolver = t->profile->resolver ? t->profile->resolver
                                    : t->http->conf.resolver;

    if (resolver != NULL) {
        lookup = ngx_resolve_start(resolver, NULL);
    }

    if (lookup == NULL || lookup == NGX_NO_RESOLVER) {
        corr_http_reason(t, "no resolver");
        corr_http_end(t, CORR_HTTP_RESOLVE);
        return;
    }

    lookup->name = t->host;
    lookup->handler = corr_http_resolved;
    lookup->data = t;
    lookup->timeout = t->http->conf.resolver_timeout;

    t->lookup = lookup;

    /* the handler may be called before it returns; lookup is gone then */

    if (ngx_resolve_name(lookup) != NGX_OK) {
        t->lookup = NULL;
        corr_http_reason(t, "no resolver");
        corr_http_end(t, CORR_HTTP_RESOLVE);
    }
}


static void
corr_http_resolved(ngx_resolver_ctx_t *lookup)
{
    ngx_int_t              rc;
    corr_http_transfer_t  *t = lookup->data;

    rc = lookup->state;

    if (rc) {
        corr_http_reason(t, "%V: %s", &t->host,
                    ngx_resolver_strerror(rc));

    } else {
        rc = corr_http_addresses(t, lookup);
    }

    t->lookup = NULL;
    ngx_resolve_name_done(lookup);

    if (rc) {
        corr_http_end(t, CORR_HTTP_RESOLVE);
        return;
    }

    corr_http_launch(t);
}


/*
 * "host:port:address,address…" for CURLOPT_RESOLVE.  nginx's resolver has
 * rotated them; libcurl tries them in turn, both families side by side.
 */

static ngx_int_t
corr_http_addresses(corr_http_transfer_t *t, ngx_resolver_ctx_t *lookup)
{
    u_char      *line, *p;
    size_t       size;
    ngx_uint_t   i;

    size = t->host.len + 1 + NGX_INT_T_LEN
           + lookup->naddrs * (1 + NGX_SOCKADDR_STRLEN) + 2;

    line = ngx_pnalloc(t->op.op.pool, size);
    if (line == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(line, "%V:%ui:", &t->host, t->port);

    for (i = 0; i < lookup->naddrs; i++) {
        if (i) {
            *p++ = ',';
        }

        p += ngx_sock_ntop(lookup->addrs[i].sockaddr,
                           lookup->addrs[i].socklen, p, NGX_SOCKADDR_STRLEN,
                           0);
    }

    *p = '\0';

    t->resolve = curl_slist_append(NULL, (char *) line);

    return t->resolve ? NGX_OK : NGX_ERROR;
}


static void
corr_http_launch(corr_http_transfer_t *t)
{
    CURLMcode     rc;
    corr_http_t  *http;

    http = t->http;

    if (http->inside) {

        /* a slot was searched for a socket, and somebody was woken */

        t->waiting = 1;
        ngx_post_event(&http->later, &ngx_posted_events);
        return;
    }

    t->waiting = 0;

    if (http->multi == NULL && corr_http_open(http) != NGX_OK) {
        corr_http_end(t, CORR_HTTP_BAD_REQUEST);
        return;
    }

    t->easy = curl_easy_init();

    if (t->easy == NULL || corr_http_setup(t) != CURLE_OK) {
        if (t->reason[0] == '\0') {
            corr_http_reason(t, "could not be set up");
        }

        corr_http_end(t, CORR_HTTP_BAD_REQUEST);
        return;
    }

    http->inside++;
    rc = curl_multi_add_handle(http->multi, t->easy);
    http->inside--;

    if (rc != CURLM_OK) {
        corr_http_end(t, CORR_HTTP_BAD_REQUEST);
        return;
    }

    /* it begins with the timer that libcurl has just asked for */

    t->added = 1;
}


/* Options. */

#define corr_http_set(easy, option, value)                                    \
                                                                              \
    rc = curl_easy_setopt(easy, option, value);                               \
    if (rc != CURLE_OK) {                                                     \
        return rc;                                                            \
    }


static CURLcode
corr_http_setup(corr_http_transfer_t *t)
{
    CURL                       *easy;
    CURLcode                    rc;
    const corr_http_profile_t  *profile;

    easy = t->easy;
    profile = t->profile;

    corr_http_set(easy, CURLOPT_PRIVATE, t);
    corr_http_set(easy, CURLOPT_ERRORBUFFER, t->reason);
    corr_http_set(easy, CURLOPT_SHARE, t->http->share);

    corr_http_set(easy, CURLOPT_NOSIGNAL, 1L);
    corr_http_set(easy, CURLOPT_QUICK_EXIT, 1L);
    corr_http_set(easy, CURLOPT_PROTOCOLS_STR,
                  profile->insecure_http ? "http,https" : "https");
    corr_http_set(easy, CURLOPT_FOLLOWLOCATION, 0L);
    corr_http_set(easy, CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);
    corr_http_set(easy, CURLOPT_RESOLVE, t->resolve);

    /* the empty string: whatever the environment says */

    corr_http_set(easy, CURLOPT_PROXY,
                  profile->proxy.len ? (char *) profile->proxy.data : "");
    corr_http_set(easy, CURLOPT_NOPROXY, "");

    corr_http_set(easy, CURLOPT_CONNECTTIMEOUT_MS,
                  (long) profile->connect_timeout);
    corr_http_set(easy, CURLOPT_MAXFILESIZE_LARGE,
                  (curl_off_t) profile->max_response);
    corr_http_set(easy, CURLOPT_MAXAGE_CONN, CORR_HTTP_IDLE);
    corr_http_set(easy, CURLOPT_MAXLIFETIME_CONN, CORR_HTTP_LIFETIME);

    corr_http_set(easy, CURLOPT_WRITEFUNCTION, corr_http_on_write);
    corr_http_set(easy, CURLOPT_WRITEDATA, t);
    corr_http_set(easy, CURLOPT_HEADERFUNCTION, corr_http_on_header);
    corr_http_set(easy, CURLOPT_HEADERDATA, t);
    corr_http_set(easy, CURLOPT_PREREQFUNCTION, corr_http_on_start);
    corr_http_set(easy, CURLOPT_PREREQDATA, t);

    /* called when the transfer is long gone: for its connection */

    corr_http_set(easy, CURLOPT_CLOSESOCKETFUNCTION, corr_http_on_close);
    corr_http_set(easy, CURLOPT_CLOSESOCKETDATA, t->http);

    rc = corr_http_setup_request(t);
    if (rc != CURLE_OK) {
        return rc;
    }

    return corr_http_setup_tls(t);
}


static CURLcode
corr_http_setup_request(corr_http_transfer_t *t)
{
    CURL      *easy;
    CURLcode   rc;

    easy = t->easy;

    corr_http_set(easy, CURLOPT_URL, (char *) t->url.data);
    corr_http_set(easy, CURLOPT_HTTPHEADER, t->headers);
    corr_http_set(easy, CURLOPT_USERAGENT, "correspondence");

    if (t->profile->once) {
        corr_http_set(easy, CURLOPT_FRESH_CONNECT, 1L);
        corr_http_set(easy, CURLOPT_FORBID_REUSE, 1L);
    }

    if (corr_str_is(t->method, "GET") && t->body.len == 0) {
        return CURLE_OK;
    }

    if (corr_str_is(t->method, "HEAD")) {
        return curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    }

    /*
     * A body that libcurl has to ask for and that cannot be wound back is a
     * body it will not send a second time when a kept connection dies: the
     * gateway might have acted on the first.
     */

    corr_http_set(easy, CURLOPT_POST, 1L);
    corr_http_set(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                  (curl_off_t) t->body.len);
    corr_http_set(easy, CURLOPT_READFUNCTION, corr_http_on_read);
    corr_http_set(easy, CURLOPT_READDATA, t);

    if (t->body.len == 0) {

        /* nothing to wind back, so nothing would stop it */

        corr_http_set(easy, CURLOPT_FRESH_CONNECT, 1L);
    }

    if (!corr_str_is(t->method, "POST")) {
        corr_http_set(easy, CURLOPT_CUSTOMREQUEST, (char *) t->method.data);
    }

    return CURLE_OK;
}


static CURLcode
corr_http_setup_tls(corr_http_transfer_t *t)
{
    CURL                       *easy;
    CURLcode                    rc;
    const corr_http_profile_t  *profile;

    easy = t->easy;
    profile = t->profile;

    corr_http_set(easy, CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
    corr_http_set(easy, CURLOPT_SSL_VERIFYPEER, profile->verify ? 1L : 0L);
    corr_http_set(easy, CURLOPT_SSL_VERIFYHOST, profile->verify ? 2L : 0L);

    /* never a question at a terminal */

    corr_http_set(easy, CURLOPT_KEYPASSWD, "");

    rc = corr_http_setup_blob(easy, CURLOPT_CAINFO_BLOB, &profile->ca_pem);
    if (rc != CURLE_OK) {
        return rc;
    }

    if (profile->ca_pem.len == 0 && profile->ca_file.len) {
        corr_http_set(easy, CURLOPT_CAINFO, (char *) profile->ca_file.data);
    }

    if (profile->certificate_pem.len) {
        rc = corr_http_setup_blob(easy, CURLOPT_SSLCERT_BLOB,
                                  &profile->certificate_pem);
        if (rc != CURLE_OK) {
            return rc;
        }

        return corr_http_setup_blob(easy, CURLOPT_SSLKEY_BLOB,
                                    &profile->key_pem);
    }

    if (profile->certificate.len) {
        corr_http_set(easy, CURLOPT_SSLCERT,
                      (char *) profile->certificate.data);
        corr_http_set(easy, CURLOPT_SSLKEY,
                      (char *) profile->certificate_key.data);
    }

    return CURLE_OK;
}


static CURLcode
corr_http_setup_blob(CURL *easy, CURLoption option, const ngx_str_t *pem)
{
    struct curl_blob  blob;

    if (pem->len == 0) {
        return CURLE_OK;
    }

    blob.data = pem->data;
    blob.len = pem->len;
    blob.flags = CURL_BLOB_NOCOPY;

    return curl_easy_setopt(easy, option, &blob);
}


/* What libcurl calls: nothing here may call it back. */

static size_t
corr_http_on_read(char *out, size_t size, size_t n, void *data)
{
    size_t                 len;
    corr_http_transfer_t  *t = data;

    len = ngx_min(size * n, t->body.len - t->read);

    ngx_memcpy(out, t->body.data + t->read, len);
    t->read += len;

    return len;
}


static size_t
corr_http_on_write(char *in, size_t size, size_t n, void *data)
{
    u_char                *p;
    size_t                 len, room;
    corr_str_t            *body;
    corr_http_transfer_t  *t = data;

    len = size * n;
    body = &t->op.body;

    if (len > t->profile->max_response - body->len) {
        t->too_large = 1;
        return 0;
    }

    if (body->len + len > t->room) {

        room = ngx_max(CORR_HTTP_BODY, t->room * 2);
        room = ngx_max(room, body->len + len);

        p = ngx_palloc(t->op.op.pool, room);
        if (p == NULL) {
            return 0;
        }

        if (body->len) {
            ngx_memcpy(p, body->data, body->len);
            ngx_explicit_memzero(body->data, body->len);
            (void) ngx_pfree(t->op.op.pool, body->data);
        }

        body->data = p;
        t->room = room;
    }

    ngx_memcpy(body->data + body->len, in, len);
    body->len += len;

    return len;
}


static size_t
corr_http_on_header(char *in, size_t size, size_t n, void *data)
{
    corr_http_transfer_t  *t = data;

    t->headers_in += size * n;

    if (t->headers_in > CORR_HTTP_HEADERS) {
        t->too_large = 1;
        return 0;
    }

    return size * n;
}


/* Connected, and about to write the first byte. */

static int
corr_http_on_start(void *data, char *remote, char *local, int remote_port,
    int local_port)
{
    corr_http_transfer_t  *t = data;

    t->left = 1;

    return CURL_PREREQFUNC_OK;
}


/*
 * Any other return value than 0 would end all transfers, so one that cannot
 * have its events is marked, and ended later.
 */

static int
corr_http_on_socket(CURL *easy, curl_socket_t fd, int what, void *data,
    void *assigned)
{
    ngx_uint_t           events;
    corr_http_t         *http = data;
    corr_http_socket_t  *socket;

    socket = corr_http_socket_find(http, fd);

    if (what == CURL_POLL_REMOVE) {
        if (socket != NULL) {
            corr_http_socket_free(socket);
        }

        return 0;
    }

    if (socket == NULL) {
        socket = corr_http_socket_create(http, fd);
    }

    events = 0;

    if (what & CURL_POLL_IN) {
        events |= CORR_FD_READ;
    }

    if (what & CURL_POLL_OUT) {
        events |= CORR_FD_WRITE;
    }

    if (socket == NULL || corr_fd_watch(&socket->fd, events) != NGX_OK) {
        corr_http_starve(http, easy);
    }

    return 0;
}


static int
corr_http_on_close(void *data, curl_socket_t fd)
{
    corr_http_t         *http = data;
    corr_http_socket_t  *socket;

    socket = corr_http_socket_find(http, fd);

    if (socket != NULL) {
        corr_http_socket_free(socket);
    }

    return close(fd);
}


static int
corr_http_on_timer(CURLM *multi, long timeout, void *data)
{
    corr_http_t  *http = data;

    /* nginx would keep a timer that is nearly right; libcurl counts on it */

    if (http->timer.timer_set) {
        ngx_del_timer(&http->timer);
    }

    if (timeout >= 0) {
        ngx_add_timer(&http->timer, (ngx_msec_t) timeout);
    }

    return 0;
}


static corr_http_socket_t *
corr_http_socket_find(corr_http_t *http, curl_socket_t fd)
{
    ngx_queue_t         *q;
    corr_http_socket_t  *socket;

    for (q = ngx_queue_head(&http->sockets);
         q != ngx_queue_sentinel(&http->sockets);
         q = ngx_queue_next(q))
    {
        socket = ngx_queue_data(q, corr_http_socket_t, link);

        if (socket->fd.fd == fd) {
            return socket;
        }
    }

    return NULL;
}


static corr_http_socket_t *
corr_http_socket_create(corr_http_t *http, curl_socket_t fd)
{
    corr_http_socket_t  *socket;

    socket = ngx_calloc(sizeof(corr_http_socket_t), http->log);
    if (socket == NULL) {
        return NULL;
    }

    if (corr_fd_open(&socket->fd, fd, corr_http_ready, socket, http->log)
        != NGX_OK)
    {
        ngx_free(socket);
        return NULL;
    }

    socket->http = http;
    ngx_queue_insert_tail(&http->sockets, &socket->link);

    return socket;
}


static void
corr_http_socket_free(corr_http_socket_t *socket)
{
    ngx_queue_remove(&socket->link);
    corr_fd_release(&socket->fd);
    ngx_free(socket);
}


/* easy may be one of libcurl's own, of which we know nothing. */

static void
corr_http_starve(corr_http_t *http, CURL *easy)
{
    char                  *known;
    corr_http_transfer_t  *t;

    known = NULL;

    if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, &known) != CURLE_OK
        || known == NULL)
    {
        return;
    }

    t = (corr_http_transfer_t *) known;

    corr_http_reason(t, "worker_connections are not enough");

    t->starved = 1;

    ngx_post_event(&http->later, &ngx_posted_events);
}


/* What nginx calls. */

static void
corr_http_ready(void *data, ngx_uint_t events, ngx_uint_t closing)
{
    int                  mask;
    corr_http_t         *http;
    corr_http_socket_t  *socket = data;

    http = socket->http;

    if (closing) {
        corr_http_abandon(http, "the worker shuts down");
        return;
    }

    mask = 0;

    if (events & CORR_FD_READ) {
        mask |= CURL_CSELECT_IN;
    }

    if (events & CORR_FD_WRITE) {
        mask |= CURL_CSELECT_OUT;
    }

    /* socket may be gone when it returns */

    corr_http_action(http, socket->fd.fd, mask);
}


static void
corr_http_timeout(ngx_event_t *ev)
{
    corr_http_action(ev->data, CURL_SOCKET_TIMEOUT, 0);
}


static void
corr_http_later(ngx_event_t *ev)
{
    corr_http_settle(ev->data);
}


static void
corr_http_action(corr_http_t *http, curl_socket_t fd, int mask)
{
    int        running;
    CURLMcode  rc;

    if (http->multi == NULL || http->inside) {
        return;
    }

    http->inside++;
    rc = curl_multi_socket_action(http->multi, fd, mask, &running);
    http->inside--;

    if (rc != CURLM_OK) {

        /* none of its transfers can be trusted any more */

        ngx_log_error(NGX_LOG_ALERT, http->log,
                      rc == CURLM_OUT_OF_MEMORY ? NGX_ENOMEM : 0,
                      "curl_multi_socket_action() failed: %s",
                      curl_multi_strerror(rc));

        corr_http_abandon(http, "libcurl failed");
        corr_http_close(http);

        return;
    }

    corr_http_settle(http);
}


/* What the callbacks noted. */

static void
corr_http_settle(corr_http_t *http)
{
    int                    left;
    char                  *known;
    CURL                  *easy;
    CURLMsg               *message;
    CURLcode               rc;
    ngx_queue_t           *q, *next;
    corr_http_transfer_t  *t;

    while (http->multi != NULL
           && (message = curl_multi_info_read(http->multi, &left)) != NULL)
    {
        if (message->msg != CURLMSG_DONE) {
            continue;
        }

        /* the message dies with the handle's removal */

        easy = message->easy_handle;
        rc = message->data.result;

        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &known);
        corr_http_done((corr_http_transfer_t *) known, rc);
    }

    for (q = ngx_queue_head(&http->transfers);
         q != ngx_queue_sentinel(&http->transfers);
         q = next)
    {
        next = ngx_queue_next(q);
        t = ngx_queue_data(q, corr_http_transfer_t, link);

        if (t->starved) {
            corr_http_end(t, t->left ? CORR_HTTP_RECEIVE : CORR_HTTP_CONNECT);

        } else if (t->waiting) {
            corr_http_launch(t);
        }
    }
}


static void
corr_http_done(corr_http_transfer_t *t, CURLcode rc)
{
    long               code;
    corr_http_error_e  error;

    code = 0;

    if (t->left) {
        (void) curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &code);
    }

    t->op.code = (ngx_uint_t) code;

    error = corr_http_classify(t, rc);

    if (error != CORR_HTTP_NONE && t->reason[0] == '\0') {
        corr_http_reason(t, "%s", curl_easy_strerror(rc));
    }

    corr_http_end(t, error);
}


/*
 * The code alone does not tell: an answer that is not HTTP, for example, is
 * an "unsupported protocol", and that request has left.
 */

static corr_http_error_e
corr_http_classify(corr_http_transfer_t *t, CURLcode rc)
{
    if (rc == CURLE_OK) {
        return CORR_HTTP_NONE;
    }

    if (t->too_large || rc == CURLE_FILESIZE_EXCEEDED) {
        return CORR_HTTP_TOO_LARGE;
    }

    if (t->left) {
        return rc == CURLE_OPERATION_TIMEDOUT ? CORR_HTTP_DEADLINE
                                              : CORR_HTTP_RECEIVE;
    }

    switch (rc) {

    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return CORR_HTTP_RESOLVE;

    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_CLIENTCERT:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_USE_SSL_FAILED:
        return CORR_HTTP_TLS;

    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_OUT_OF_MEMORY:
    case CURLE_BAD_FUNCTION_ARGUMENT:
    case CURLE_FAILED_INIT:
    case CURLE_NOT_BUILT_IN:
    case CURLE_UNKNOWN_OPTION:
    case CURLE_SETOPT_OPTION_SYNTAX:
        return CORR_HTTP_BAD_REQUEST;

    default:
        return CORR_HTTP_CONNECT;
    }
}


/* The one end of every request.  t may be freed when it returns. */

static void
corr_http_end(corr_http_transfer_t *t, corr_http_error_e error)
{
    corr_http_t       *http;
    corr_op_status_e   status;

    http = t->http;

    corr_http_remove(t);
    ngx_queue_remove(&t->link);

    http->status.in_flight--;

    t->op.error = error;
    t->op.elapsed = ngx_current_msec - t->op.op.started;

    switch (error) {

    case CORR_HTTP_NONE:
        status = CORR_OP_OK;
        break;

    case CORR_HTTP_RECEIVE:
    case CORR_HTTP_TOO_LARGE:
        status = CORR_OP_LOST;
        break;

    case CORR_HTTP_DEADLINE:
        status = CORR_OP_TIMEOUT;
        break;

    default:
        status = CORR_OP_UNAVAILABLE;
    }

    if (error != CORR_HTTP_NONE) {
        http->status.failures++;
        http->status.timeouts += (status == CORR_OP_TIMEOUT);
        corr_http_log(t, error);
    }

    corr_op_complete(&t->op.op, status);
}


static void
corr_http_reason(corr_http_transfer_t *t, const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    va_start(args, fmt);
    p = ngx_vslprintf((u_char *) t->reason,
                      (u_char *) t->reason + sizeof(t->reason) - 1, fmt,
                      args);
    va_end(args);

    *p = '\0';
}


/*
 * libcurl's words never hold the URL; they may hold a piece of what the
 * other side said.
 */

static void
corr_http_log(corr_http_transfer_t *t, corr_http_error_e error)
{
    char  *p;

    for (p = t->reason; *p; p++) {
        if (*p < ' ' || *p > '~') {
            *p = '?';
        }
    }

    ngx_log_error(NGX_LOG_ERR, t->http->log, 0, "%s: %s after %M ms: %s",
                  t->op.op.name, corr_http_words[error], t->op.elapsed,
                  t->reason[0] ? t->reason : "no memory");
}


static void
corr_http_remove(corr_http_transfer_t *t)
{
    corr_http_t  *http;

    http = t->http;

    if (t->lookup != NULL) {
        ngx_resolve_name_done(t->lookup);
        t->lookup = NULL;
    }

    if (t->easy != NULL) {

        /* what it does to sockets and timers comes through the callbacks */

        http->inside++;

        if (t->added) {
            curl_multi_remove_handle(http->multi, t->easy);
            t->added = 0;
        }

        curl_easy_cleanup(t->easy);
        t->easy = NULL;

        http->inside--;
    }

    curl_slist_free_all(t->headers);
    t->headers = NULL;

    curl_slist_free_all(t->resolve);
    t->resolve = NULL;
}


static void
corr_http_expire(corr_op_t *op)
{
    corr_http_error_e      error;
    corr_http_transfer_t  *t = (corr_http_transfer_t *) op;

    error = t->left ? CORR_HTTP_DEADLINE
                    : t->lookup ? CORR_HTTP_RESOLVE : CORR_HTTP_CONNECT;

    corr_http_reason(t, "deadline of %M ms",
                t->profile->timeout);

    /* a connection on which nothing came is not worth keeping */

    if (t->added) {
        (void) curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, 1L);
    }

    corr_http_end(t, error);
}


/* While the configuration is read. */

ngx_int_t
corr_http_profile_load(ngx_conf_t *cf, corr_http_profile_t *profile)
{
    ngx_uint_t         good;
    corr_http_parts_t  parts;

    if (corr_http_load_pem(cf, &profile->ca_file, &profile->ca_pem) != NGX_OK
        || corr_http_load_pem(cf, &profile->certificate,
                              &profile->certificate_pem) != NGX_OK
        || corr_http_load_key(cf, profile) != NGX_OK
        || corr_http_check_pair(cf, profile) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (profile->proxy.len == 0) {
        return NGX_OK;
    }

    good = corr_http_split((char *) profile->proxy.data, 1, &parts) == NGX_OK
           && (ngx_strcmp(parts.scheme, "http") == 0
               || ngx_strcmp(parts.scheme, "https") == 0
               || ngx_strcmp(parts.scheme, "socks4a") == 0
               || ngx_strcmp(parts.scheme, "socks5h") == 0);

    corr_http_parts_free(&parts);

    if (good) {
        return NGX_OK;
    }

    /* not the URL itself: it may hold a password */

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "a proxy must be an http, https, socks4a or socks5h "
                       "URL with a port");

    return NGX_ERROR;
}


static ngx_int_t
corr_http_load_pem(ngx_conf_t *cf, ngx_str_t *name, ngx_str_t *pem)
{
    ssize_t          n;
    ngx_file_t       file;
    ngx_file_info_t  info;

    if (name->len == 0) {
        return NGX_OK;
    }

    if (ngx_conf_full_name(cf->cycle, name, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_memzero(&file, sizeof(ngx_file_t));
    file.name = *name;
    file.log = cf->log;

    file.fd = ngx_open_file(name->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (file.fd == NGX_INVALID_FILE
        || ngx_fd_info(file.fd, &info) == NGX_FILE_ERROR)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "cannot open \"%V\"", name);
        goto failed;
    }

    if (!ngx_is_file(&info) || ngx_file_size(&info) > CORR_HTTP_PEM) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is not a certificate file", name);
        goto failed;
    }

    pem->len = (size_t) ngx_file_size(&info);
    pem->data = ngx_pnalloc(cf->pool, pem->len + 1);

    if (pem->data == NULL) {
        goto failed;
    }

    n = ngx_read_file(&file, pem->data, pem->len, 0);
    pem->data[pem->len] = '\0';

    if (n != (ssize_t) pem->len
        || ngx_strstr(pem->data, "-----BEGIN ") == NULL)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is not in PEM format", name);
        goto failed;
    }

    (void) ngx_close_file(file.fd);

    return NGX_OK;

failed:

    if (file.fd != NGX_INVALID_FILE) {
        (void) ngx_close_file(file.fd);
    }

    return NGX_ERROR;
}


static ngx_int_t
corr_http_load_key(ngx_conf_t *cf, corr_http_profile_t *profile)
{
    if (profile->certificate_key.len == 0) {
        return NGX_OK;
    }

    return corr_conf_secret(cf, &profile->certificate_key, CORR_READ_SECRET,
                            &profile->key_pem)
           == NGX_CONF_OK ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
corr_http_check_pair(ngx_conf_t *cf, corr_http_profile_t *profile)
{
    BIO        *bio;
    X509       *certificate;
    EVP_PKEY   *key;
    ngx_uint_t  good;

    if (profile->certificate_pem.len == 0 && profile->key_pem.len == 0) {
        return NGX_OK;
    }

    certificate = NULL;
    key = NULL;

    bio = BIO_new_mem_buf(profile->certificate_pem.data,
                          (int) profile->certificate_pem.len);

    if (bio != NULL) {
        certificate = PEM_read_bio_X509(bio, NULL, corr_http_no_password,
                                        NULL);
        BIO_free(bio);
    }

    bio = BIO_new_mem_buf(profile->key_pem.data, (int) profile->key_pem.len);

    if (bio != NULL) {
        key = PEM_read_bio_PrivateKey(bio, NULL, corr_http_no_password, NULL);
        BIO_free(bio);
    }

    good = certificate != NULL && key != NULL
           && X509_check_private_key(certificate, key) == 1;

    X509_free(certificate);
    EVP_PKEY_free(key);
    ERR_clear_error();

    if (!good) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the key \"%V\" (unencrypted) does not fit the "
                           "certificate \"%V\"", &profile->certificate_key,
                           &profile->certificate);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static int
corr_http_no_password(char *buf, int size, int rwflag, void *data)
{
    return -1;
}
