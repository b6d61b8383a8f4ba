/*
 * What all pages share: the portal's settings, the worker's clients, the
 * route and the page.
 *
 * A request becomes a page: it has a route, and the route has steps.  See
 * routes.c for all of them and flow.c for what runs them.
 */

#ifndef CORR_PORTAL_H
#define CORR_PORTAL_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "../lib/base.h"
#include "../lib/value.h"
#include "../lib/template.h"
#include "../lib/fields.h"
#include "../io/op.h"
#include "../io/postgres.h"
#include "../io/redis.h"
#include "../io/http.h"
#include "../io/threads.h"
#include "../services/settings.h"
#include "../services/worker.h"

#include "statements.h"
#include "messages.h"
#include "templates.h"


typedef struct corr_page_s       corr_page_t;
typedef struct corr_route_s      corr_route_t;
typedef struct corr_db_s         corr_db_t;
typedef struct corr_body_s       corr_body_t;
typedef struct corr_session_work_s  corr_session_work_t;
typedef struct corr_captcha_work_s  corr_captcha_work_t;
typedef struct corr_throttle_work_s  corr_throttle_work_t;
typedef struct corr_reading_work_s   corr_reading_work_t;
typedef struct corr_confirm_s        corr_confirm_t;


/*
 * A step returns
 *   NGX_OK      go on with the next step
 *   NGX_AGAIN   something was started; the next step runs when it ended
 *   NGX_DONE    a reply was produced
 *   >= 300      this status, as an error page
 *   NGX_ERROR   500
 */

typedef ngx_int_t (*corr_step_pt)(corr_page_t *p);


/* Who may: the driver sees to it before the first step. */

#define CORR_ANYONE         0x0000
#define CORR_PERSON         0x0001      /* a citizen's session */
#define CORR_CLERK          0x0002      /* staff, by role */
#define CORR_EXPERT         0x0004
#define CORR_MANAGER        0x0008
#define CORR_ADMIN          0x0010
#define CORR_STAFF          (CORR_CLERK|CORR_EXPERT|CORR_MANAGER|CORR_ADMIN)
#define CORR_LEVEL2         0x0100      /* a person of this level at least */
#define CORR_LEVEL3         0x0200
#define CORR_FILES          0x1000      /* the form may bring files */
#define CORR_LEAVES         0x4000      /* of a person or staff; takes the
                                           form of one whose session just
                                           ended as well, to leave it for
                                           later: its first step looks at
                                           who it is */
#define CORR_HALF           0x2000      /* a clerk between password and
                                           TOTP code; nobody else */
#define CORR_VEILED         0x8000      /* who has its address has what is
                                           behind it: logs name the route
                                           in its place */

#define CORR_READS         0x10000      /* sends the file {id}; that it may is
                                           remembered: http/reading.h */

/* Does a route let anyone in?  (To a route.) */

#define corr_route_is_open(route)                                             \
    (((route)->who & ~CORR_VEILED) == CORR_ANYONE)

#define CORR_GET            NGX_HTTP_GET        /* HEAD as well */
#define CORR_POST           NGX_HTTP_POST


struct corr_route_s {
    ngx_uint_t               method;
    ngx_str_t                path;       /* "/desk/letters/{code}" */
    ngx_uint_t               who;
    const corr_step_pt      *steps;

    /*
     * The steps that show the form again, with its errors and what was
     * typed, when the input is refused (422, or 409 by the database).
     */
    const corr_step_pt      *again;
};


#define CORR_PARAMS_MAX     3


typedef enum {
    CORR_KIND_NONE = 0,
    CORR_KIND_CITIZEN,
    CORR_KIND_CLERK,
    CORR_KIND_HEALTH,            /* from here on for machines */
    CORR_KIND_LIVE,
    CORR_KIND_READY,
    CORR_KIND_METRICS
} corr_kind_of_location_e;


typedef struct {
    ngx_uint_t               kind;       /* corr_kind_of_location_e */
    ngx_str_t                base;       /* the prefix without its last / */
    const corr_route_t      *routes;
    corr_view_t             *common;     /* base, assets, body_name */
} corr_loc_conf_t;


/* http/veil.h */

typedef struct {
    ngx_array_t              routes;
    ngx_int_t                variable;   /* $request_uri */
} corr_veils_t;


typedef struct {
    corr_settings_t          settings;   /* first: directives' offsets */
    ngx_array_t              locations;  /* corr_loc_conf_t * */
    corr_veils_t             veils;
} corr_main_conf_t;


extern ngx_module_t    ngx_http_correspondence_module;


typedef enum {
    CORR_NOBODY = 0,
    CORR_A_PERSON,
    CORR_A_STAFF,
    CORR_A_HALF               /* clerk before the TOTP code */
} corr_who_e;


typedef struct {
    corr_who_e               who;
    int64_t                  id;          /* person or staff */
    int64_t                  epoch;       /* must equal the account's */
    ngx_uint_t               roles;       /* CORR_CLERK…; from the guard */
    ngx_uint_t               level;       /* 1..3; from the guard */
    time_t                   created;
    corr_str_t               hash;        /* hex of the token's hash: its
                                             name in Redis */
} corr_session_t;


/* What clamd said of a file; the words are those of the database. */

typedef enum {
    CORR_SCAN_NONE = 0,       /* not asked: there is none */
    CORR_SCAN_CLEAN,
    CORR_SCAN_UNCHECKED,      /* taken without its verdict */
    CORR_SCANS
} corr_scan_e;


/* A file that came with a form and lies in the store already. */

typedef struct {
    corr_str_t               field;
    corr_str_t               name;        /* presentable, not trusted */
    corr_str_t               hash;        /* SHA-256, hex */
    corr_str_t               media_type;
    uint64_t                 size;
    uint32_t                 width;       /* pixels; 0: no picture */
    uint32_t                 height;
    corr_scan_e              scan;
} corr_upload_t;


struct corr_page_s {
    corr_owner_t             owner;       /* of all its operations */
    ngx_http_request_t      *request;
    ngx_pool_t              *pool;
    corr_alloc_t             alloc;       /* the same pool, for lib; tells
                                             when it is exhausted */
    ngx_log_t               *log;
    corr_worker_t           *worker;
    corr_settings_t         *settings;
    corr_loc_conf_t         *loc;
    const corr_route_t      *route;

    const corr_step_pt      *step;        /* the next one */
    corr_step_pt             then;        /* before it, when set */
    ngx_int_t                status;      /* of the reply */
    ngx_int_t                rc;          /* for ngx_http_finalize_request */

    corr_str_t               path;        /* behind the prefix */
    corr_str_t               params[CORR_PARAMS_MAX];   /* {code} … */
    corr_fields_t            args;        /* of the query */
    corr_fields_t            fields;      /* of the form */
    corr_view_t             *checked;     /* fields after checking */
    corr_str_t               written;     /* the longest text among them */
    ngx_array_t              uploads;     /* corr_upload_t */

    corr_str_t               browser;     /* the token it has in a cookie, or
                                             gets with this answer */
    u_char                   browser_hash[2 * CORR_SECRETS_MAC];
    corr_str_t               csrf[2];     /* what the token of its forms is
                                             made of */
    corr_session_t           session;
    corr_session_work_t     *session_work;
    corr_captcha_work_t     *captcha_work;
    corr_str_t               captcha_about;  /* a number; http/captcha.h */
    corr_throttle_work_t    *throttle_work;
    corr_reading_work_t     *reading_work;
    corr_confirm_t          *confirm;     /* pages/confirm.h */
    corr_view_t             *view;
    corr_db_t               *db;
    corr_body_t             *body;
    void                    *data;        /* the page's own */
    u_char                   reference[12];  /* shown with an error */

    unsigned                 waiting:1;   /* for the body, or a timer */
    unsigned                 replied:1;
    unsigned                 json:1;      /* asked for JSON */
    unsigned                 committed:1; /* a write was sent: finish it
                                             whoever is still there */
    unsigned                 failed_form:1;
    unsigned                 again:1;     /* shows the form again */
    unsigned                 unscanned:1; /* a file was refused because
                                             clamd is not there: 503 */
    unsigned                 uploads_spent:1; /* no more files from it in
                                                 this hour */
    unsigned                 captcha_due:1;  /* see http/captcha.h */
    unsigned                 exhausted:1; /* there was no memory: what is
                                             missing is nobody's fault, and
                                             nothing is written */
};


/* The page's own typed context: zeroed at the first call.  NULL: memory. */
void *corr_page_data(corr_page_t *p, size_t size);

/* The value of a request header by its lower case name, or empty. */
corr_str_t corr_request_header(ngx_http_request_t *r, const char *name);

static ngx_inline corr_str_t
corr_from_ngx(ngx_str_t s)
{
    return corr_make_str(s.data, s.len);
}


static ngx_inline ngx_str_t
corr_to_ngx(corr_str_t s)
{
    ngx_str_t  n;

    n.len = s.len;
    n.data = s.data;

    return n;
}


#endif /* CORR_PORTAL_H */
