/*
 * HTTP requests to gateways: libcurl's multi-socket interface on nginx's
 * event loop, names resolved by nginx's resolver.
 *
 * nginx's guide would use a subrequest; messages are sent and tokens are
 * renewed when no request exists, hence a client of our own.  Nothing of
 * libcurl is seen outside http.c.
 */

#ifndef CORR_HTTP_H
#define CORR_HTTP_H

#include "op.h"


typedef struct {
    ngx_resolver_t          *resolver;        /* NULL: only addresses */
    ngx_msec_t               resolver_timeout;
    ngx_uint_t               connections;     /* in all, kept alive included */
    ngx_uint_t               per_host;
} corr_http_conf_t;


typedef struct corr_http_s  corr_http_t;


/* What stays the same for all requests of one gateway. */

typedef struct {
    ngx_msec_t               connect_timeout;
    ngx_msec_t               timeout;         /* whole request, name lookup
                                                 included */
    size_t                   max_response;    /* bytes */
    ngx_str_t                ca_file;         /* NUL-terminated; empty:
                                                 the system's */
    ngx_str_t                certificate;     /* of the client; may be empty */
    ngx_str_t                certificate_key;
    ngx_str_t                proxy;           /* URL; empty: none */
    ngx_uint_t               insecure_http;   /* http:// is allowed */
    ngx_uint_t               verify;          /* TLS, on unless a test */
    ngx_resolver_t          *resolver;        /* NULL: everybody's */
    ngx_uint_t               once;            /* a connection for each
                                                 request: on a kept one an
                                                 answer too many would be
                                                 taken for the next one's */

    /* filled by corr_http_profile_load() from the files above */
    ngx_str_t                ca_pem;
    ngx_str_t                certificate_pem;
    ngx_str_t                key_pem;
} corr_http_profile_t;


typedef struct {
    corr_str_t               method;
    corr_str_t               url;             /* complete and escaped */
    ngx_array_t             *headers;         /* corr_str_t "Name: value" */
    corr_str_t               body;            /* may be empty */
    const corr_http_profile_t *profile;
} corr_http_request_t;


/*
 * "Left" means that a connection was there and the first byte was about to
 * be written: whoever sees one of the first four may send again without a
 * doubt, whoever sees one of the others does not know what the gateway did.
 */

typedef enum {
    CORR_HTTP_NONE = 0,
    CORR_HTTP_BAD_REQUEST,       /* URL, memory: never left */
    CORR_HTTP_RESOLVE,           /* name: never left */
    CORR_HTTP_CONNECT,           /* refused, unreachable, not connected in
                                    time, no free connection: never left */
    CORR_HTTP_TLS,               /* certificate, handshake: never left */
    CORR_HTTP_RECEIVE,           /* left; no whole answer: unknown */
    CORR_HTTP_TOO_LARGE,         /* left; answer cut: unknown */
    CORR_HTTP_DEADLINE           /* left; nothing in time: unknown */
} corr_http_error_e;


typedef struct {
    corr_op_t                op;
    corr_http_error_e        error;      /* status UNAVAILABLE: never left;
                                            LOST, TIMEOUT: unknown */
    ngx_uint_t               code;       /* HTTP status when OK; otherwise
                                            that of an answer that was cut,
                                            or 0 */
    corr_str_t               body;       /* in op.pool, wiped with it; when
                                            OK, whole */
    ngx_msec_t               elapsed;
} corr_http_op_t;


/*
 * While the configuration is read (as root): reads the files of a profile
 * into cf->pool, since a worker may not be allowed to, and checks that the
 * key fits the certificate and that the proxy is of a kind that resolves
 * names itself (http, https, socks4a, socks5h, with a port).  NGX_ERROR was
 * logged with file and line of the configuration.
 */
ngx_int_t corr_http_profile_load(ngx_conf_t *cf,
    corr_http_profile_t *profile);


/*
 * At the worker's start and stop; libcurl is not fork-safe.  NULL: no
 * memory, logged.
 */
corr_http_t *corr_http_create(ngx_cycle_t *cycle,
    const corr_http_conf_t *conf);
void corr_http_destroy(corr_http_t *http);

/*
 * Copies what it is given but the profile, which belongs to the
 * configuration.  NULL only without memory.  No redirect is followed, no
 * proxy or credentials come from the environment.  `name` is for the log,
 * where neither URL, nor header, nor body is ever written.
 *
 * A request with a body is never sent twice by the library itself.  One
 * without (GET) is, when a kept connection turns out to be dead before any
 * byte of an answer.
 */
corr_http_op_t *corr_http_send(corr_http_t *http, corr_owner_t *owner,
    const char *name, const corr_http_request_t *request);

typedef struct {
    ngx_uint_t               in_flight;
    uint64_t                 operations;
    uint64_t                 failures;   /* any corr_http_error_e */
    uint64_t                 timeouts;   /* DEADLINE alone */
} corr_http_status_t;

void corr_http_status(corr_http_t *http, corr_http_status_t *status);


#endif /* CORR_HTTP_H */
