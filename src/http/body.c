/*
 * nginx's own reader, unbuffered; its buffers are consumed by one of two
 * parsers.  Once there is a file it reads, over HTTP/1, into the block that
 * a thread will write: the bytes are where they belong.  While a block
 * of a file is written by a thread the reader is not called, so the client
 * waits (and nginx's own time-out does not run: the write has a deadline of
 * its own), and so while a file is scanned.
 */

#include "body.h"
#include "counters.h"
#include "db.h"
#include "flow.h"
#include "form.h"
#include "reply.h"
#include "session.h"

#include "../lib/multipart.h"
#include "../lib/text.h"
#include "../lib/urlencoded.h"
#include "../services/store_work.h"


#define CORR_BODY_SLACK      8192      /* headers and delimiters of parts */
#define CORR_BODY_PIECE      65536     /* of a body that lies in a file */


struct corr_body_s {
    corr_multipart_t         multipart;
    corr_urlencoded_t        urlencoded;
    unsigned                 is_multipart:1;
    unsigned                 complete:1;       /* nginx has it all */
    unsigned                 taken:1;          /* all that it had */
    unsigned                 in_field:1;
    unsigned                 in_file:1;
    unsigned                 checked:1;        /* its CSRF token */
    off_t                    received;
    off_t                    limit;

    corr_str_t               input;            /* of the current buffer */
    corr_str_t               data;             /* of a part; not used yet */
    ngx_chain_t             *chain;
    u_char                  *piece;            /* of a file in the chain, */
    off_t                    offset;           /* read so far */

    corr_spool_t            *spool;
    corr_task_t             *task;
    corr_clamd_op_t         *scan;
    u_char                  *block;            /* the spool's, if any */
    size_t                   filled;           /* of it: the file's */
    corr_upload_t            upload;
    ngx_uint_t               files;
};


static ngx_int_t corr_body_kind(corr_page_t *p);
static ngx_int_t corr_body_open(corr_page_t *p);
static void corr_body_started(ngx_http_request_t *r);
static void corr_body_event(ngx_http_request_t *r);
static ngx_int_t corr_body_pump(corr_page_t *p);
static ngx_int_t corr_body_hold(corr_page_t *p, corr_step_pt then);
static ngx_int_t corr_body_go_on(corr_page_t *p, ngx_int_t rc);
static ngx_int_t corr_body_lend(corr_page_t *p);
static ngx_int_t corr_body_more(corr_page_t *p);
static ngx_int_t corr_body_consume(corr_page_t *p);
static ngx_int_t corr_body_input(corr_page_t *p);
static ngx_int_t corr_body_from_file(corr_page_t *p, ngx_buf_t *b);
static ngx_int_t corr_body_multipart(corr_page_t *p);
static ngx_int_t corr_body_part(corr_page_t *p,
    corr_multipart_event_t *event);
static ngx_int_t corr_body_file(corr_page_t *p,
    corr_multipart_event_t *event);
static ngx_int_t corr_body_data(corr_page_t *p);
static ngx_int_t corr_body_flush(corr_page_t *p, corr_step_pt then);
static ngx_int_t corr_body_written(corr_page_t *p);
static ngx_int_t corr_body_part_end(corr_page_t *p);
static ngx_int_t corr_body_scan(corr_page_t *p);
static ngx_int_t corr_body_last_written(corr_page_t *p);
static ngx_int_t corr_body_scanned(corr_page_t *p);
static ngx_int_t corr_body_unscanned(corr_page_t *p);
static ngx_int_t corr_body_place(corr_page_t *p);
static ngx_int_t corr_body_placed(corr_page_t *p);
static ngx_int_t corr_body_task_ended(corr_page_t *p);
static void corr_body_file_end(corr_page_t *p);
static void corr_body_drop(corr_page_t *p);
static void corr_body_file_error(corr_page_t *p, ngx_uint_t message);
static ngx_int_t corr_body_finish(corr_page_t *p);
static ngx_int_t corr_body_refuse(corr_page_t *p, int rc);


off_t
corr_body_length(corr_page_t *p)
{
    off_t  length;

    length = p->request->headers_in.content_length_n;

    return length >= 0 ? length : p->body->limit;
}


ngx_int_t
corr_body_begin(corr_page_t *p)
{
    off_t      length;
    ngx_int_t  rc;

    rc = corr_body_kind(p);
    if (rc != NGX_OK) {
        return rc;
    }

    length = p->request->headers_in.content_length_n;

    if (length > p->body->limit) {
        return corr_reply_error(p, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                CORR_MSG_COUNT, 0,
                                "the body has %O bytes", length);
    }

    return NGX_OK;
}


static ngx_int_t
corr_body_kind(corr_page_t *p)
{
    corr_str_t               boundary, type;
    corr_body_t             *body;
    corr_multipart_limits_t  limits = { 0, 8, 2048, 64, 1024 };

    limits.parts = p->settings->form_max_fields
                   + p->settings->upload_max_files;

    body = ngx_pcalloc(p->pool, sizeof(corr_body_t));
    if (body == NULL) {
        return NGX_ERROR;
    }

    type = corr_request_header(p->request, "content-type");

    if (type.len >= 19
        && ngx_strncasecmp(type.data, (u_char *) "multipart/form-data", 19)
           == 0)
    {
        if (corr_multipart_boundary(type, &boundary) != CORR_OK
            || corr_multipart_init(&body->multipart, boundary, &limits)
               != CORR_OK)
        {
            return corr_reply_error(p, NGX_HTTP_BAD_REQUEST, CORR_MSG_COUNT,
                                    0, "the multipart boundary is refused");
        }

        body->is_multipart = 1;

    } else if (type.len >= 33
               && ngx_strncasecmp(type.data,
                      (u_char *) "application/x-www-form-urlencoded", 33)
                  == 0)
    {
        corr_urlencoded_init(&body->urlencoded, &p->fields);

    } else {
        return corr_reply_error(p, NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                CORR_MSG_COUNT, 0,
                                "the form is of an unknown type");
    }

    body->limit = p->settings->form_max_size + CORR_BODY_SLACK;

    if (body->is_multipart && (p->route->who & CORR_FILES)) {
        body->limit += (off_t) p->settings->upload_max_files
                       * (p->settings->upload_max_size + CORR_BODY_SLACK);
    }

    p->body = body;

    return NGX_OK;
}


ngx_int_t
corr_body_read(corr_page_t *p)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r = p->request;

    r->request_body_no_buffering = 1;

    p->waiting = 1;

    /* the reader takes a reference of its own, which started() gives back */

    rc = ngx_http_read_client_request_body(r, corr_body_started);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE || rc == NGX_ERROR) {
        p->waiting = 0;
        return rc == NGX_ERROR ? NGX_HTTP_BAD_REQUEST : rc;
    }

    return corr_flow_then(p, corr_body_pump);
}


/* nginx calls it once, maybe before the starting call has returned. */

static void
corr_body_started(ngx_http_request_t *r)
{
    corr_page_t  *p;

    p = ngx_http_get_module_ctx(r, ngx_http_correspondence_module);

    r->main->count--;

    r->read_event_handler = corr_body_event;

    corr_flow_wake(p);
}


static void
corr_body_event(ngx_http_request_t *r)
{
    corr_page_t  *p;

    p = ngx_http_get_module_ctx(r, ngx_http_correspondence_module);

    if (p->waiting) {
        corr_flow_wake(p);
    }
}


/* Reads and consumes until the body ends or something must be awaited. */

static ngx_int_t
corr_body_pump(corr_page_t *p)
{
    ngx_int_t     rc;
    corr_body_t  *body = p->body;

    for ( ;; ) {

        rc = corr_body_consume(p);

        if (rc != NGX_OK) {
            return rc;
        }

        if (body->complete) {
            return corr_body_finish(p);
        }

        rc = corr_body_lend(p);

        if (rc != NGX_OK) {
            return rc;
        }

        rc = corr_body_more(p);

        if (rc == NGX_AGAIN) {
            p->waiting = 1;
            p->request->read_event_handler = corr_body_event;

            return corr_flow_then(p, corr_body_pump);
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }
}


/*
 * Nothing is read until `then`, so the client's time does not run.  What
 * HTTP/2 takes in meanwhile sets it going again; go_on() forgets that it
 * has passed.
 */

static ngx_int_t
corr_body_hold(corr_page_t *p, corr_step_pt then)
{
    ngx_event_t  *rev;

    rev = p->request->connection->read;

    if (rev->timer_set) {
        ngx_del_timer(rev);
    }

    return corr_flow_then(p, then);
}


/* Behind what was held: with the rest of the body, if `rc` lets it. */

static ngx_int_t
corr_body_go_on(corr_page_t *p, ngx_int_t rc)
{
    if (rc != NGX_OK) {
        return rc;
    }

    p->request->connection->read->timedout = 0;

    return corr_body_pump(p);
}


/*
 * nginx's buffer becomes the rest of the block: all that it had is consumed.
 * What the parser keeps has its room before it, so that a byte never lies
 * before the place where it belongs, and what was read in front of it (a
 * delimiter, another part) is closed up.  Of a buffer of nginx's own the
 * block may be so full that there is no room for what the parser keeps.
 * The streams of HTTP/2 and 3 have buffers of their own.
 */

static ngx_int_t
corr_body_lend(corr_page_t *p)
{
    size_t               used;
    ngx_buf_t           *b;
    ngx_http_request_t  *r = p->request;
    corr_body_t         *body = p->body;

    if (body->block == NULL || !r->reading_body
        || r->http_version >= NGX_HTTP_VERSION_20)
    {
        return NGX_OK;
    }

    b = r->request_body->buf;

    if (b == NULL || b->pos != b->last) {
        return NGX_OK;
    }

    used = body->filled + corr_multipart_held(&body->multipart);

    if (used >= CORR_SPOOL_BLOCK) {
        return corr_body_flush(p, corr_body_written);
    }

    b->start = body->block + used;
    b->pos = b->start;
    b->last = b->start;
    b->end = body->block + CORR_SPOOL_BLOCK;

    return NGX_OK;
}


static ngx_int_t
corr_body_more(corr_page_t *p)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r = p->request;
    corr_body_t         *body = p->body;

    /* a subrequest has the body of none */

    if (r->request_body == NULL) {
        body->complete = 1;
        return NGX_OK;
    }

    if (!r->reading_body) {

        /* others may have it as well, who read it before (mirror) */

        body->chain = body->taken ? NULL : r->request_body->bufs;
        body->taken = 1;
        body->complete = (body->chain == NULL);

        return NGX_OK;
    }

    rc = ngx_http_read_unbuffered_request_body(r);

    /* taken in any case: a log's $request_body would outlive the block */

    body->chain = r->request_body->bufs;
    r->request_body->bufs = NULL;

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        body->chain = NULL;
        return corr_reply_error(p, rc, CORR_MSG_COUNT, 0,
                                "the body could not be read");
    }

    if (body->chain) {
        return NGX_OK;
    }

    if (!r->reading_body) {
        body->complete = 1;
        return NGX_OK;
    }

    return rc == NGX_OK ? NGX_OK : NGX_AGAIN;
}


static ngx_int_t
corr_body_consume(corr_page_t *p)
{
    int           rc;
    ngx_int_t     result;
    corr_body_t  *body = p->body;

    for ( ;; ) {

        if (body->data.len) {
            result = corr_body_data(p);

            if (result != NGX_OK) {
                return result;
            }

            continue;
        }

        if (body->input.len == 0) {

            if (body->chain == NULL) {
                return NGX_OK;
            }

            result = corr_body_input(p);

            if (result != NGX_OK) {
                return result;
            }

            if (body->received > body->limit) {
                return corr_reply_error(p,
                                        NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                        CORR_MSG_COUNT, 0,
                                        "the body is over %O bytes",
                                        body->limit);
            }

            continue;
        }

        if (!body->is_multipart) {
            rc = corr_urlencoded_feed(&body->urlencoded, body->input);
            body->input.len = 0;

            if (rc != CORR_OK) {
                return corr_body_refuse(p, rc);
            }

            continue;
        }

        result = corr_body_multipart(p);

        if (result != NGX_OK) {
            return result;
        }
    }
}


/* What it points to stays until nginx is asked for more. */

static ngx_int_t
corr_body_input(corr_page_t *p)
{
    ngx_buf_t    *b;
    corr_body_t  *body = p->body;

    b = body->chain->buf;

    if (!ngx_buf_in_memory(b) && b->in_file) {
        return corr_body_from_file(p, b);
    }

    body->chain = body->chain->next;
    body->input = corr_make_str(b->pos, b->last - b->pos);
    body->received += body->input.len;

    if (p->request->request_body_no_buffering) {
        b->pos = b->last;
    }

    return NGX_OK;
}


/* As nginx itself reads it for whoever it is passed on to. */

static ngx_int_t
corr_body_from_file(corr_page_t *p, ngx_buf_t *b)
{
    off_t         left;
    ssize_t       n;
    corr_body_t  *body = p->body;

    left = b->file_last - b->file_pos - body->offset;

    if (left == 0) {
        body->chain = body->chain->next;
        body->offset = 0;
        return NGX_OK;
    }

    if (body->piece == NULL) {
        body->piece = ngx_pnalloc(p->pool, CORR_BODY_PIECE);

        if (body->piece == NULL) {
            return NGX_ERROR;
        }
    }

    n = ngx_read_file(b->file, body->piece, ngx_min(left, CORR_BODY_PIECE),
                      b->file_pos + body->offset);
    if (n <= 0) {
        return NGX_ERROR;
    }

    body->offset += n;
    body->input = corr_make_str(body->piece, n);
    body->received += n;

    return NGX_OK;
}


static ngx_int_t
corr_body_multipart(corr_page_t *p)
{
    int                      rc;
    ngx_int_t                result;
    corr_body_t             *body = p->body;
    corr_multipart_event_t   event;

    rc = corr_multipart_next(&body->multipart, &body->input, &event);

    if (rc == CORR_AGAIN) {
        return NGX_OK;
    }

    if (rc != CORR_OK) {
        return corr_body_refuse(p, rc);
    }

    switch (event.type) {

    case CORR_MULTIPART_PART:
        result = corr_body_part(p, &event);
        break;

    case CORR_MULTIPART_DATA:
        body->data = event.data;
        result = NGX_OK;
        break;

    case CORR_MULTIPART_PART_END:
        result = corr_body_part_end(p);
        break;

    default:
        result = NGX_OK;
    }

    return result;
}


static ngx_int_t
corr_body_part(corr_page_t *p, corr_multipart_event_t *event)
{
    int           rc;
    corr_body_t  *body = p->body;

    body->in_field = 0;
    body->in_file = 0;

    if (event->filename.data) {
        return corr_body_file(p, event);
    }

    body->in_field = 1;

    rc = corr_fields_begin(&p->fields);

    if (rc == CORR_OK) {
        rc = corr_fields_append(&p->fields, event->name.data,
                                event->name.len);
    }

    if (rc != CORR_OK) {
        return corr_body_refuse(p, rc);
    }

    corr_fields_value(&p->fields);

    return NGX_OK;
}


static ngx_int_t
corr_body_file(corr_page_t *p, corr_multipart_event_t *event)
{
    corr_body_t  *body = p->body;

    if (!(p->route->who & CORR_FILES)) {
        return NGX_OK;
    }

    if (!body->checked) {
        if (corr_csrf_check(p) != NGX_OK) {
            return corr_reply_error(p, NGX_HTTP_FORBIDDEN,
                                    CORR_MSG_CSRF_FAILED, 0,
                                    "csrf before files");
        }

        body->checked = 1;
    }

    if (event->filename.len == 0) {
        return NGX_OK;                 /* a file input left empty */
    }

    ngx_memzero(&body->upload, sizeof(corr_upload_t));

    if (p->uploads_spent) {
        corr_body_file_error(p, CORR_MSG_FILE_TOO_OFTEN);
        return NGX_OK;
    }

    if (body->files == p->settings->upload_max_files) {
        corr_body_file_error(p, CORR_MSG_FILE_TOO_MANY);
        return NGX_OK;
    }

    body->files++;
    body->filled = 0;
    body->in_file = 1;

    body->upload.field = corr_str_dup(&p->alloc, event->name);

    if (corr_text_filename(&p->alloc, event->filename, 120,
                           &body->upload.name)
        != CORR_OK)
    {
        corr_body_file_error(p, CORR_MSG_FILE_NAME_WRONG);
        return NGX_OK;
    }

    return corr_body_open(p);
}


static ngx_int_t
corr_body_open(corr_page_t *p)
{
    corr_body_t  *body = p->body;

    body->spool = corr_spool_create(p->settings->store, p->worker->disk,
                                    p->settings->filetypes, &p->owner,
                                    p->settings->upload_max_size,
                                    body->block);
    if (body->spool == NULL) {
        return NGX_ERROR;
    }

    body->block = corr_spool_block(body->spool);

    return body->block ? NGX_OK : NGX_ERROR;
}


/*
 * The rest of a piece that the block has no room for stays in body->data:
 * it lives until the parser is asked again, which consume() does not do
 * before it is used up.
 */

static ngx_int_t
corr_body_data(corr_page_t *p)
{
    int           rc;
    size_t        n;
    corr_body_t  *body = p->body;

    if (body->in_field) {
        rc = corr_fields_append(&p->fields, body->data.data, body->data.len);
        body->data.len = 0;

        return rc == CORR_OK ? NGX_OK : corr_body_refuse(p, rc);
    }

    if (!body->in_file) {
        body->data.len = 0;
        return NGX_OK;
    }

    n = ngx_min(body->data.len, CORR_SPOOL_BLOCK - body->filled);

    if (body->data.data != body->block + body->filled) {
        ngx_memmove(body->block + body->filled, body->data.data, n);
    }

    body->filled += n;
    body->data.data += n;
    body->data.len -= n;

    if (body->filled < CORR_SPOOL_BLOCK) {
        return NGX_OK;
    }

    return corr_body_flush(p, corr_body_written);
}


/* Gives the block to a thread; it is filled again when that has ended. */

static ngx_int_t
corr_body_flush(corr_page_t *p, corr_step_pt then)
{
    corr_body_t  *body = p->body;

    body->task = corr_spool_write(body->spool, body->filled,
                                  p->settings->page_timeout);
    body->filled = 0;

    if (body->task == NULL) {
        return NGX_ERROR;
    }

    return corr_body_hold(p, then);
}


static ngx_int_t
corr_body_written(corr_page_t *p)
{
    return corr_body_go_on(p, corr_body_task_ended(p));
}


static ngx_int_t
corr_body_part_end(corr_page_t *p)
{
    int           rc;
    corr_body_t  *body = p->body;

    if (body->in_field) {
        body->in_field = 0;
        rc = corr_fields_end(&p->fields);

        return rc == CORR_OK ? NGX_OK : corr_body_refuse(p, rc);
    }

    return body->in_file ? corr_body_scan(p) : NGX_OK;
}


/*
 * Before the file takes its place: one with a virus never lies there.
 * NGX_OK: it was refused, and the form goes on.
 */

static ngx_int_t
corr_body_scan(corr_page_t *p)
{
    ngx_fd_t      fd;
    corr_body_t  *body = p->body;

    if (p->worker->clamd == NULL) {
        return corr_body_place(p);
    }

    if (body->filled) {
        return corr_body_flush(p, corr_body_last_written);
    }

    if (corr_spool_size(body->spool) == 0) {
        return corr_body_place(p);         /* which refuses it */
    }

    fd = corr_spool_reader(body->spool);

    if (fd == NGX_INVALID_FILE) {
        ngx_log_error(NGX_LOG_CRIT, p->log, ngx_errno,
                      "correspondence: a file cannot be read for its scan");
        return corr_body_unscanned(p);
    }

    body->scan = corr_clamd_scan(p->worker->clamd, &p->owner, fd);
    if (body->scan == NULL) {
        return NGX_ERROR;
    }

    return corr_body_hold(p, corr_body_scanned);
}


static ngx_int_t
corr_body_last_written(corr_page_t *p)
{
    ngx_int_t  rc;

    rc = corr_body_task_ended(p);

    /* its last bytes may have been those too many; the form says so */

    if (rc == NGX_OK && p->body->spool) {
        rc = corr_body_scan(p);
    }

    return corr_body_go_on(p, rc);
}


static ngx_int_t
corr_body_scanned(corr_page_t *p)
{
    ngx_uint_t        infected;
    corr_body_t      *body = p->body;
    corr_op_status_e  status;

    status = body->scan->op.status;
    infected = body->scan->infected;

    if (infected) {
        ngx_log_error(NGX_LOG_WARN, p->log, 0,
                      "correspondence: a file was refused, clamd found "
                      "\"%*s\"", body->scan->said.len,
                      body->scan->said.data);
    }

    corr_op_free(&body->scan->op);
    body->scan = NULL;

    if (status != CORR_OP_OK) {
        return corr_body_go_on(p, corr_body_unscanned(p));
    }

    if (infected) {
        corr_counters_add(p->worker, CORR_COUNT_SCANNED_INFECTED, 1);
        corr_body_file_error(p, CORR_MSG_FILE_INFECTED);

        return corr_body_go_on(p, NGX_OK);
    }

    corr_counters_add(p->worker, CORR_COUNT_SCANNED_CLEAN, 1);
    body->upload.scan = CORR_SCAN_CLEAN;

    return corr_body_place(p);
}


static ngx_int_t
corr_body_unscanned(corr_page_t *p)
{
    corr_body_t  *body = p->body;

    corr_counters_add(p->worker, CORR_COUNT_SCANNED_NOT, 1);

    if (p->settings->scan_down) {
        body->upload.scan = CORR_SCAN_UNCHECKED;
        return corr_body_place(p);
    }

    p->unscanned = 1;
    corr_body_file_error(p, CORR_MSG_FILE_UNSCANNED);

    return NGX_OK;
}


static ngx_int_t
corr_body_place(corr_page_t *p)
{
    corr_body_t  *body = p->body;

    body->task = corr_spool_finish(body->spool, body->filled,
                                   body->upload.name,
                                   p->settings->page_timeout);
    body->filled = 0;

    if (body->task == NULL) {
        return NGX_ERROR;
    }

    return corr_body_hold(p, corr_body_placed);
}


static ngx_int_t
corr_body_placed(corr_page_t *p)
{
    ngx_int_t              rc;
    corr_body_t           *body = p->body;
    corr_upload_t         *upload;
    const corr_stored_t   *stored;

    rc = corr_body_task_ended(p);

    if (rc != NGX_OK) {
        return rc;
    }

    if (body->spool == NULL) {
        return corr_body_go_on(p, NGX_OK);   /* refused; the form says why */
    }

    stored = corr_spool_stored(body->spool);

    upload = ngx_array_push(&p->uploads);
    if (upload == NULL) {
        return NGX_ERROR;
    }

    *upload = body->upload;
    upload->size = stored->size;
    upload->width = stored->type.width;
    upload->height = stored->type.height;
    upload->media_type = corr_cstr(stored->type.media_type);
    upload->hash = corr_str_dup(&p->alloc,
                                corr_make_str(stored->hash,
                                              CORR_STORE_HASH));
    if (upload->hash.data == NULL) {
        return NGX_ERROR;
    }

    corr_counters_add(p->worker, CORR_COUNT_UPLOADED_FILES, 1);
    corr_counters_add(p->worker, CORR_COUNT_UPLOADED_BYTES, stored->size);

    corr_body_file_end(p);

    return corr_body_go_on(p, NGX_OK);
}


/*
 * No task is under way.  The block stays: what comes behind the file may
 * lie in it already.
 */

static void
corr_body_file_end(corr_page_t *p)
{
    corr_body_t  *body = p->body;

    if (body->spool) {
        body->block = corr_spool_take_block(body->spool);
        corr_spool_release(body->spool);
        body->spool = NULL;
    }

    body->in_file = 0;
    body->filled = 0;
}


/*
 * NGX_OK: go on.  A file that is refused for what it is becomes an error of
 * the form, and the rest of the form is still read; a store that fails is
 * the portal's own fault and a 503.
 */

static ngx_int_t
corr_body_task_ended(corr_page_t *p)
{
    ngx_err_t             err;
    ngx_int_t             message;
    corr_body_t          *body = p->body;
    corr_op_status_e      status;
    corr_store_error_e    error;
    corr_file_verdict_e   verdict;

    status = body->task->op.status;
    error = CORR_STORE_OK;
    verdict = CORR_FILE_OK;
    err = 0;

    if (corr_task_ended(body->task)) {
        error = corr_spool_error(body->spool);
        verdict = corr_spool_verdict(body->spool);
        err = corr_spool_errno(body->spool);
    }

    corr_op_free(&body->task->op);
    body->task = NULL;

    if (status == CORR_OP_OK) {
        return NGX_OK;
    }

    message = -1;

    if (status == CORR_OP_FAILED && error == CORR_STORE_LARGE) {
        message = CORR_MSG_FILE_TOO_BIG;

    } else if (status == CORR_OP_FAILED && error == CORR_STORE_REFUSED) {
        message = corr_texts_message_find(p->settings->texts,
                                     corr_cstr(corr_file_message(verdict)));
    }

    if (message >= 0) {
        corr_body_file_error(p, message);
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_CRIT, p->log, err,
                  "correspondence: a file could not be stored: "
                  "status %d, error %d", status, error);

    return corr_reply_error(p, NGX_HTTP_SERVICE_UNAVAILABLE,
                            CORR_MSG_UNAVAILABLE, 5, "file store");
}


static void
corr_body_file_error(corr_page_t *p, ngx_uint_t message)
{
    corr_view_t  *values;
    corr_body_t  *body = p->body;

    values = corr_view_create(&p->alloc);

    if (values) {
        corr_view_text(values, "name", body->upload.name);
        corr_view_int(values, "max_files", p->settings->upload_max_files);
        corr_view_int(values, "max_mb",
                      p->settings->upload_max_size / (1024 * 1024));
    }

    corr_form_error(p, "file", message, values);

    corr_body_file_end(p);
}


static ngx_int_t
corr_body_finish(corr_page_t *p)
{
    int           rc;
    corr_body_t  *body = p->body;

    rc = body->is_multipart ? corr_multipart_finish(&body->multipart)
                            : corr_urlencoded_finish(&body->urlencoded);

    if (rc != CORR_OK) {
        return corr_body_refuse(p, rc);
    }

    if (!body->checked && corr_csrf_check(p) != NGX_OK) {
        return corr_reply_error(p, NGX_HTTP_FORBIDDEN, CORR_MSG_CSRF_FAILED,
                                0, "csrf");
    }

    p->request->read_event_handler = ngx_http_block_reading;

    corr_body_drop(p);

    return NGX_OK;
}


static ngx_int_t
corr_body_refuse(corr_page_t *p, int rc)
{
    switch (rc) {

    case CORR_INVALID:
        return corr_reply_error(p, NGX_HTTP_BAD_REQUEST, CORR_MSG_COUNT, 0,
                                "the form cannot be read");

    case CORR_LIMIT:
        return corr_reply_error(p, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                CORR_MSG_COUNT, 0,
                                "the form is over a limit");

    default:
        return NGX_ERROR;
    }
}


/*
 * nginx drops a body whose reading has not begun.  One that was left in the
 * middle ends the connection, as nginx's own error pages do, and the client
 * is told: its next request must go elsewhere.
 */

void
corr_body_leave(corr_page_t *p)
{
    ngx_http_request_t  *r = p->request;

    if (p->body && p->body->complete) {
        return;
    }

    if (r->request_body) {
        r->keepalive = 0;
        r->lingering_close = 1;
        return;
    }

    /* whoever waits for "100 Continue" is not asked for what nobody reads */

    if (r->headers_in.expect && !r->expect_tested) {
        r->expect_tested = 1;
        r->keepalive = 0;
    }

    /*
     * Of a body that is still coming nobody knows whether the client, with
     * our answer in its hands, will send the rest before its next request.
     */

    if (ngx_http_discard_request_body(r) != NGX_OK || r->discard_body) {
        r->keepalive = 0;
    }
}


void
corr_body_abandon(corr_page_t *p)
{
    if (p->body) {
        corr_body_drop(p);
    }
}


/* The spool, with its block, or the block; nginx has no buffer in it then. */

static void
corr_body_drop(corr_page_t *p)
{
    ngx_buf_t    *b;
    corr_body_t  *body = p->body;

    b = p->request->request_body ? p->request->request_body->buf : NULL;

    if (b && body->block && b->end == body->block + CORR_SPOOL_BLOCK) {
        b->start = b->pos = b->last = b->end;
    }

    if (body->spool) {
        corr_spool_release(body->spool);
        body->spool = NULL;

    } else {
        corr_spool_free_block(body->block);
    }

    body->block = NULL;
}
