/*
 * The driver: finds the route, sees who may, reads the form, runs the
 * steps.  One resume, one finalize.
 *
 * The references nginx counts: the content handler takes one for the flow
 * and returns NGX_DONE; finish() gives it back.  Everything that can outlive
 * the request hangs on p->owner, which one cleanup detaches.
 */

#include "flow.h"
#include "body.h"
#include "counters.h"
#include "db.h"
#include "form.h"
#include "reply.h"
#include "router.h"
#include "session.h"
#include "throttle.h"

#include "../lib/accept.h"
#include "../lib/urlencoded.h"
#include "../services/texts.h"


#define CORR_FLOW_HOPS   64      /* steps of one page: more is a loop */
#define CORR_FLOW_FORM   262144  /* bytes that a form with files counts for at
                                    least: a store ends with its inodes, too */


static corr_page_t *corr_flow_create(ngx_http_request_t *r);
static ngx_int_t corr_flow_prepare(corr_page_t *p);
static void corr_flow_detach(void *data);
static void corr_flow_resume(corr_owner_t *owner);
static void corr_flow_run(corr_page_t *p);
static ngx_int_t corr_flow_next(corr_page_t *p);
static void corr_flow_wait(corr_page_t *p);
static void corr_flow_finish(corr_page_t *p, ngx_int_t rc);
static ngx_int_t corr_flow_start(corr_page_t *p);
static ngx_int_t corr_flow_allow(corr_page_t *p);
static ngx_int_t corr_flow_form(corr_page_t *p);
static ngx_int_t corr_flow_body(corr_page_t *p);
static ngx_int_t corr_flow_counted(corr_page_t *p);
static void *corr_flow_palloc(void *page, size_t size);


/* What every request goes through before its route's own steps. */

static const corr_step_pt  corr_flow_prelude[] = {
    corr_session_find,
    corr_flow_allow,
    corr_flow_form,
    corr_flow_start,
    NULL
};


ngx_int_t
corr_flow_handler(ngx_http_request_t *r)
{
    corr_page_t  *p;

    p = corr_flow_create(r);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->main->count++;

    if (p->loc->kind >= CORR_KIND_HEALTH) {

        /* for machines: no session, no cookie, no form */

        p->route = p->loc->routes;
        p->step = p->route->steps;

    } else if (corr_router_find(p) == NGX_OK) {
        p->step = corr_flow_prelude;

    } else {
        p->step = corr_router_nowhere;
    }

    corr_flow_run(p);

    return NGX_DONE;
}


static corr_page_t *
corr_flow_create(ngx_http_request_t *r)
{
    corr_page_t         *p;
    ngx_http_cleanup_t  *cln;

    p = ngx_pcalloc(r->pool, sizeof(corr_page_t));
    if (p == NULL) {
        return NULL;
    }

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NULL;
    }

    p->request = r;
    p->pool = r->pool;
    p->log = r->connection->log;
    p->worker = corr_worker;
    p->settings = corr_worker->settings;
    p->loc = ngx_http_get_module_loc_conf(r, ngx_http_correspondence_module);

    corr_owner_init(&p->owner, corr_flow_resume, p->log);

    cln->handler = corr_flow_detach;
    cln->data = p;

    if (corr_flow_prepare(p) != NGX_OK) {
        return NULL;
    }

    ngx_http_set_ctx(r, p, ngx_http_correspondence_module);

    return p;
}


static ngx_int_t
corr_flow_prepare(corr_page_t *p)
{
    ngx_http_request_t    *r = p->request;
    corr_fields_limits_t   limits;

    p->alloc.alloc = corr_flow_palloc;
    p->alloc.pool = p;

    p->view = corr_view_create(&p->alloc);
    p->checked = corr_view_create(&p->alloc);

    if (p->view == NULL
        || p->checked == NULL
        || ngx_array_init(&p->uploads, r->pool, 2, sizeof(corr_upload_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    limits.count = p->settings->form_max_fields;
    limits.name = 64;
    limits.value = p->settings->form_max_size;
    limits.total = p->settings->form_max_size;

    corr_fields_init(&p->fields, &p->alloc, &limits);
    corr_fields_init(&p->args, &p->alloc, NULL);

    p->json = corr_accept_json(corr_request_header(r, "accept"));

    return NGX_OK;
}


static void *
corr_flow_palloc(void *page, size_t size)
{
    void         *data;
    corr_page_t  *p = page;

    data = ngx_palloc(p->pool, size);

    if (data == NULL) {
        p->exhausted = 1;
    }

    return data;
}


static void
corr_flow_detach(void *data)
{
    corr_page_t  *p = data;

    corr_body_abandon(p);
    corr_db_abandon(p);
    corr_owner_detach(&p->owner);
}


corr_str_t
corr_request_header(ngx_http_request_t *r, const char *name)
{
    size_t            len;
    corr_str_t        none = corr_null_str;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *header;

    len = ngx_strlen(name);

    for (part = &r->headers_in.headers.part; part; part = part->next) {

        header = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (header[i].key.len == len
                && ngx_strncasecmp(header[i].lowcase_key
                                   ? header[i].lowcase_key
                                   : header[i].key.data,
                                   (u_char *) name, len)
                   == 0)
            {
                return corr_from_ngx(header[i].value);
            }
        }
    }

    return none;
}


void *
corr_page_data(corr_page_t *p, size_t size)
{
    if (p->data == NULL) {
        p->data = ngx_pcalloc(p->pool, size);
    }

    return p->data;
}


/* The one place where a request that waited goes on. */

static void
corr_flow_resume(corr_owner_t *owner)
{
    corr_page_t  *p;

    ngx_connection_t  *c;

    p = ngx_queue_data(owner, corr_page_t, owner);
    c = p->request->connection;

    ngx_http_set_log_request(c->log, p->request);

    corr_flow_run(p);

    /* neither p nor its request may be touched any more */

    ngx_http_run_posted_requests(c);
}


void
corr_flow_wake(corr_page_t *p)
{
    p->waiting = 0;

    ngx_post_event(&p->owner.wake, &ngx_posted_events);
}


static void
corr_flow_run(corr_page_t *p)
{
    ngx_int_t   rc;
    ngx_uint_t  hops;

    if (p->waiting || p->replied || corr_owner_waits(&p->owner)) {
        return;
    }

    for (hops = 0; hops < CORR_FLOW_HOPS; hops++) {

        rc = corr_flow_next(p);

        if (rc == NGX_OK) {
            continue;
        }

        if (rc == NGX_AGAIN) {

            if (!p->waiting && !corr_owner_waits(&p->owner)) {
                /* what was started could not be, or is done */
                continue;
            }

            corr_flow_wait(p);
            return;
        }

        if (rc != NGX_DONE) {
            rc = corr_reply_error(p, rc < 300 ? 500 : (ngx_uint_t) rc,
                                  CORR_MSG_COUNT, 0, NULL);
        }

        if (rc == NGX_DONE) {
            rc = p->rc;

        } else {
            /* not even the error page: nginx's own */
            rc = p->request->header_sent ? NGX_ERROR
                                         : NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        corr_flow_finish(p, rc);
        return;
    }

    ngx_log_error(NGX_LOG_ALERT, p->log, 0,
                  "correspondence: the steps of \"%V\" do not end",
                  &p->request->uri);

    corr_flow_finish(p, NGX_HTTP_INTERNAL_SERVER_ERROR);
}


static ngx_int_t
corr_flow_next(corr_page_t *p)
{
    corr_step_pt  step;

    if (p->then) {
        step = p->then;
        p->then = NULL;

        return step(p);
    }

    step = *p->step;

    if (step == NULL) {
        ngx_log_error(NGX_LOG_ALERT, p->log, 0,
                      "correspondence: no step of \"%V\" replied",
                      &p->request->uri);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p->step++;

    return step(p);
}


/*
 * While operations are under way: has the client gone?  Nobody asks once a
 * write was sent (it is finished first), or while the body is coming in
 * (its reader notices).
 */

static void
corr_flow_wait(corr_page_t *p)
{
    ngx_event_t         *rev;
    ngx_http_request_t  *r = p->request;

    r->write_event_handler = ngx_http_request_empty_handler;

    if (p->waiting) {
        return;
    }

    if (p->committed || p->route == NULL || r->method == NGX_HTTP_POST) {
        r->read_event_handler = ngx_http_block_reading;
        return;
    }

    r->read_event_handler = ngx_http_test_reading;

#if (NGX_HTTP_V2)
    if (r->stream) {
        return;
    }
#endif

    rev = r->connection->read;

    if (rev->ready) {
        ngx_post_event(rev, &ngx_posted_events);

    } else if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        corr_flow_finish(p, NGX_ERROR);
    }
}


/* The one place where a request is finalized. */

static void
corr_flow_finish(corr_page_t *p, ngx_int_t rc)
{
    if (p->replied) {
        return;
    }

    p->replied = 1;

    corr_counters_page(p);

    ngx_http_finalize_request(p->request, rc);
}


ngx_int_t
corr_flow_then(corr_page_t *p, corr_step_pt then)
{
    p->then = then;

    return NGX_AGAIN;
}


ngx_int_t
corr_flow_steps(corr_page_t *p, const corr_step_pt *steps)
{
    p->step = steps;
    p->then = NULL;

    return NGX_OK;
}


ngx_int_t
corr_flow_again(corr_page_t *p, ngx_uint_t status)
{
    /* a field that could not be read is not a wrong one */

    if (p->exhausted) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    if (p->unscanned) {
        status = NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    if (p->route->again == NULL || p->again) {
        return status;
    }

    p->again = 1;
    p->status = status;

    corr_form_errors_sort(p);

    return corr_flow_steps(p, p->route->again);
}


static ngx_int_t
corr_flow_start(corr_page_t *p)
{
    return corr_flow_steps(p, p->route->steps);
}


/*
 * Default deny: a route says who may, and nothing else gets past here.
 * Roles and levels are the guard statement's business (db.c).
 */

static ngx_int_t
corr_flow_allow(corr_page_t *p)
{
    ngx_uint_t  who;

    who = p->route->who;

    if (who & CORR_HALF) {
        if (p->session.who == CORR_A_HALF) {
            return NGX_OK;
        }

        return p->json
               ? corr_reply_error(p, NGX_HTTP_UNAUTHORIZED,
                                  CORR_MSG_SESSION_ENDED, 0, NULL)
               : corr_reply_redirect(p, "/login");
    }

    if (who & (CORR_STAFF|CORR_PERSON)) {
        if (p->session.who == CORR_NOBODY
            && (who & CORR_LEAVES)
            && !p->json
            && corr_session_was(p))
        {
            return NGX_OK;
        }

        return p->session.who == (who & CORR_STAFF ? CORR_A_STAFF
                                                   : CORR_A_PERSON)
               ? NGX_OK : corr_session_missing(p);
    }

    return NGX_OK;
}


static ngx_int_t
corr_flow_form(corr_page_t *p)
{
    corr_str_t  query;

    query = corr_from_ngx(p->request->args);

    if (corr_query_parse(&p->args, query) != CORR_OK) {
        return corr_reply_error(p, NGX_HTTP_BAD_REQUEST, CORR_MSG_COUNT, 0,
                                "the query string cannot be read");
    }

    if (corr_csrf_prepare(p) != NGX_OK) {
        return NGX_ERROR;
    }

    if (p->route->method != CORR_POST) {
        return NGX_OK;
    }

    /* what somebody without a session leaves: anybody may call himself one */

    if (p->session.who == CORR_NOBODY && (p->route->who & CORR_LEAVES)) {
        return corr_throttle(p, "left", p->settings->left_rate,
                             corr_flow_body);
    }

    return corr_flow_body(p);
}


static ngx_int_t
corr_flow_body(corr_page_t *p)
{
    off_t      bytes, least;
    size_t     limit;
    ngx_int_t  rc;

    /* first: what is not read at all takes nothing of anybody's hour */

    rc = corr_body_begin(p);

    if (rc != NGX_OK) {
        return rc;
    }

    if (!(p->route->who & CORR_FILES) || p->session.who == CORR_A_STAFF) {
        return corr_body_read(p);
    }

    limit = p->settings->uploads_per_hour;
    least = ngx_min(CORR_FLOW_FORM, limit / 64);
    bytes = corr_body_length(p);

    return corr_throttle_amount(p, "uploads", ngx_max(bytes, least), 3600,
                                limit, corr_flow_counted);
}


/* What was written is read all the same; only the files are refused. */

static ngx_int_t
corr_flow_counted(corr_page_t *p)
{
    if (corr_throttle_over(p)) {
        p->uploads_spent = 1;
        ngx_log_error(NGX_LOG_WARN, p->log, 0,
                      "correspondence: %s sent more than %uz bytes in an "
                      "hour, its files are refused",
                      p->session.who == CORR_A_PERSON ? "a person"
                                                      : "an address",
                      p->settings->uploads_per_hour);
    }

    return corr_body_read(p);
}
