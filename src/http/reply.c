/*
 * One way out for everything: headers first, all of them here.
 */

#include "reply.h"
#include "body.h"
#include "form.h"

#include "../lib/escape.h"
#include "../services/secrets.h"


#define CORR_REPLY_BLOCK   16384


/* Where a template writes: buffers of one size, long texts by reference. */

typedef struct {
    ngx_pool_t              *pool;
    ngx_chain_t             *first;
    ngx_chain_t            **next;
    ngx_buf_t               *block;
    off_t                    length;
} corr_chain_sink_t;


static ngx_int_t corr_reply_view(corr_page_t *p, ngx_uint_t tpl,
    corr_chain_sink_t *out);
static ngx_int_t corr_reply_common(corr_page_t *p, ngx_uint_t tpl);
static int corr_reply_write(void *data, const void *bytes, size_t n);
static int corr_reply_refer(void *data, const void *bytes, size_t n);
static void corr_reply_prune(corr_chain_sink_t *out);
static ngx_buf_t *corr_reply_buf(corr_chain_sink_t *out, size_t size);
static ngx_int_t corr_reply_policy(corr_page_t *p, const char *policy);
static ngx_int_t corr_reply_send(corr_page_t *p, const char *type,
    ngx_chain_t *chain, off_t length);
static void corr_reply_type(corr_page_t *p, const char *type);
static ngx_int_t corr_reply_wait(corr_page_t *p, time_t seconds);
static ngx_int_t corr_reply_kept(corr_page_t *p, ngx_uint_t status);
static ngx_uint_t corr_reply_secure(corr_page_t *p);
static void corr_reply_log(corr_page_t *p, ngx_uint_t status,
    const char *why, va_list args);
static ngx_int_t corr_reply_disposition(corr_page_t *p, corr_str_t name,
    ngx_uint_t inline_);


static const char  corr_policy_page[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; font-src 'self'; connect-src 'self'; "
    "media-src 'self'; frame-src 'self'; manifest-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/* Files: nothing in them may run, and only our own pages may frame them. */

static const char  corr_policy_file[] =
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; "
    "object-src 'self'; sandbox; base-uri 'none'; frame-ancestors 'self'";

/* A PDF in a sandbox is not shown by browsers' own viewers. */

static const char  corr_policy_pdf[] =
    "default-src 'none'; object-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'";


ngx_int_t
corr_reply_page(corr_page_t *p, ngx_uint_t tpl)
{
    corr_chain_sink_t  out;

    if (corr_reply_view(p, tpl, &out) != NGX_OK) {
        return NGX_ERROR;
    }

    if (corr_reply_policy(p, corr_policy_page) != NGX_OK) {
        return NGX_ERROR;
    }

    return corr_reply_send(p, p->json ? "application/json; charset=utf-8"
                                      : "text/html; charset=utf-8",
                           out.first, out.length);
}


static ngx_int_t
corr_reply_view(corr_page_t *p, ngx_uint_t tpl, corr_chain_sink_t *out)
{
    int             rc;
    corr_sink_t     sink;
    corr_render_t   render;

    if (corr_reply_common(p, tpl) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_memzero(out, sizeof(corr_chain_sink_t));

    out->pool = p->pool;
    out->next = &out->first;

    sink.write = corr_reply_write;
    sink.refer = corr_reply_refer;
    sink.data = out;

    corr_texts_render(p->settings->texts, &render);

    if (p->json) {
        rc = corr_view_json(p->view, &render, &sink);

    } else {
        rc = corr_template_render(corr_texts_page(p->settings->texts, tpl),
                                  &render, p->view, p->loc->common, &sink);
    }

    if (rc != CORR_OK) {
        ngx_log_error(NGX_LOG_ERR, p->log, 0,
                      "correspondence: page %*s could not be rendered: %d",
                      corr_tpl_files[tpl].len, corr_tpl_files[tpl].data, rc);
        return NGX_ERROR;
    }

    corr_reply_prune(out);

    return NGX_OK;
}


/*
 * at.NAME of the page for the menu, and what a redirect said in ?flash=NAME:
 * only the portal's own sentences can be named, filled from the page.
 */

static ngx_int_t
corr_reply_common(corr_page_t *p, ngx_uint_t tpl)
{
    u_char      *name;
    size_t       i, len;
    ngx_int_t    message;
    corr_str_t   file, flash;

    file = corr_tpl_files[tpl];
    len = file.len - sizeof("pages/.html") + 1;

    name = ngx_pnalloc(p->pool, len + 1);
    if (name == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < len; i++) {
        name[i] = file.data[sizeof("pages/") - 1 + i];

        if (name[i] == '/' || name[i] == '-') {
            name[i] = '_';
        }
    }

    name[len] = '\0';

    if (!p->json) {
        corr_view_flag(corr_view_object(p->view, "at"), (char *) name, 1);
    }

    flash = corr_fields_get(&p->args, "flash");

    if (flash.len == 0 || flash.len > 64 || p->again) {
        return NGX_OK;
    }

    name = ngx_pnalloc(p->pool, flash.len + sizeof("flash_"));
    if (name == NULL) {
        return NGX_ERROR;
    }

    len = ngx_sprintf(name, "flash_%*s", flash.len, flash.data) - name;

    message = corr_texts_message_find(p->settings->texts,
                                      corr_make_str(name, len));

    if (message >= 0) {
        corr_reply_flash(p, message);
    }

    return NGX_OK;
}


/* Neither an ended session nor a step without a yes is a success: what says so
   must not look like one. */

void
corr_reply_flash(corr_page_t *p, ngx_uint_t message)
{
    corr_view_text(p->view, "flash",
                   corr_texts_message(p->settings->texts, message, p->view,
                                      p->pool));

    corr_view_flag(p->view, "flash_note",
                   message == CORR_MSG_SESSION_ENDED
                   || message == CORR_MSG_FLASH_MOBILE_STEP_NO
                   || message == CORR_MSG_FLASH_REGISTRY_STEP_NO
                   || message == CORR_MSG_MOBILE_STEP_UNKNOWN
                   || message == CORR_MSG_REGISTRY_STEP_UNKNOWN
                   || message == CORR_MSG_FLASH_DRAFT_LEFT
                   || message == CORR_MSG_FLASH_REPLY_LEFT);
}


static int
corr_reply_write(void *data, const void *bytes, size_t n)
{
    corr_chain_sink_t  *out = data;

    size_t      room;
    ngx_buf_t  *b;

    out->length += n;

    while (n) {
        b = out->block;

        if (b == NULL || b->last == b->end) {
            b = corr_reply_buf(out, CORR_REPLY_BLOCK);
            if (b == NULL) {
                return CORR_ERROR;
            }
        }

        room = ngx_min(n, (size_t) (b->end - b->last));

        b->last = ngx_cpymem(b->last, bytes, room);
        bytes = (const u_char *) bytes + room;
        n -= room;
    }

    return CORR_OK;
}


/*
 * A long static text is sent from where the template has it; the block that
 * was being filled goes on behind it.
 */

static int
corr_reply_refer(void *data, const void *bytes, size_t n)
{
    corr_chain_sink_t  *out = data;

    ngx_buf_t  *b, *block;

    block = out->block;

    b = corr_reply_buf(out, 0);
    if (b == NULL) {
        return CORR_ERROR;
    }

    b->pos = (u_char *) bytes;
    b->last = b->pos + n;
    b->memory = 1;

    out->length += n;
    out->block = NULL;

    if (block && block->last < block->end) {

        b = corr_reply_buf(out, 0);
        if (b == NULL) {
            return CORR_ERROR;
        }

        b->start = block->last;
        b->pos = block->last;
        b->last = block->last;
        b->end = block->end;
        b->temporary = 1;

        block->end = block->last;
        out->block = b;
    }

    return CORR_OK;
}


/*
 * Between two long texts the block that was to go on may have stayed empty,
 * and nginx does not send empty buffers.
 */

static void
corr_reply_prune(corr_chain_sink_t *out)
{
    ngx_chain_t  **cl;

    for (cl = &out->first; *cl; /* void */) {

        if ((*cl)->buf->pos == (*cl)->buf->last) {
            *cl = (*cl)->next;

        } else {
            cl = &(*cl)->next;
        }
    }

    out->next = cl;
}


static ngx_buf_t *
corr_reply_buf(corr_chain_sink_t *out, size_t size)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    b = size ? ngx_create_temp_buf(out->pool, size)
             : ngx_calloc_buf(out->pool);

    cl = ngx_alloc_chain_link(out->pool);

    if (b == NULL || cl == NULL) {
        return NULL;
    }

    cl->buf = b;
    cl->next = NULL;

    *out->next = cl;
    out->next = &cl->next;

    if (size) {
        out->block = b;
    }

    return b;
}


static ngx_int_t
corr_reply_policy(corr_page_t *p, const char *policy)
{
    ngx_uint_t           i;
    ngx_http_request_t  *r = p->request;

    static const struct {
        const char  *name;
        const char  *value;
    } headers[] = {
        { "X-Content-Type-Options", "nosniff" },
        { "Referrer-Policy", "no-referrer" },
        { "Cross-Origin-Opener-Policy", "same-origin" },
        { "Cross-Origin-Resource-Policy", "same-origin" },
        { "Permissions-Policy", "camera=(), microphone=(), geolocation=()" },
        { "Cache-Control", "no-store" },
        { NULL, NULL }
    };

    for (i = 0; headers[i].name; i++) {
        if (corr_reply_header(p, headers[i].name,
                              corr_cstr(headers[i].value))
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

#if (NGX_HTTP_SSL)
    if (r->connection->ssl
        && corr_reply_header(p, "Strict-Transport-Security",
                          CORR_STR("max-age=63072000; includeSubDomains"))
           != NGX_OK)
    {
        return NGX_ERROR;
    }
#endif

    return corr_reply_header(p, "Content-Security-Policy",
                             corr_cstr(policy));
}


static ngx_int_t
corr_reply_send(corr_page_t *p, const char *type, ngx_chain_t *chain,
    off_t length)
{
    ngx_int_t            rc;
    ngx_buf_t           *b;
    ngx_chain_t         *cl;
    ngx_http_request_t  *r = p->request;

    r->headers_out.status = p->status ? p->status : NGX_HTTP_OK;
    r->headers_out.content_length_n = length;

    corr_reply_type(p, type);

    /* a body that was not read must not be taken for the next request */

    corr_body_leave(p);

    if (chain == NULL) {
        r->header_only = 1;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        p->rc = rc;
        return NGX_DONE;
    }

    for (cl = chain; cl->next; cl = cl->next) { /* void */ }

    b = cl->buf;
    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    p->rc = ngx_http_output_filter(r, chain);

    return NGX_DONE;
}


static void
corr_reply_type(corr_page_t *p, const char *type)
{
    ngx_http_request_t  *r = p->request;

    size_t       len;
    const char  *semicolon;

    len = ngx_strlen(type);
    semicolon = ngx_strchr(type, ';');

    r->headers_out.content_type.data = (u_char *) type;
    r->headers_out.content_type.len = len;
    r->headers_out.content_type_len = semicolon ? (size_t) (semicolon - type)
                                                : len;
    r->headers_out.content_type_lowcase = NULL;
}


ngx_int_t
corr_reply_redirect(corr_page_t *p, const char *format, ...)
{
    u_char              *start, *last;
    va_list              args;
    ngx_table_elt_t     *location;
    ngx_http_request_t  *r = p->request;

    start = ngx_pnalloc(p->pool, 2048);
    if (start == NULL) {
        return NGX_ERROR;
    }

    last = ngx_sprintf(start, "%V", &p->loc->base);

    va_start(args, format);
    last = ngx_vslprintf(last, start + 2048, format, args);
    va_end(args);

    ngx_http_clear_location(r);

    location = ngx_list_push(&r->headers_out.headers);
    if (location == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(location, sizeof(ngx_table_elt_t));

    location->hash = 1;
    ngx_str_set(&location->key, "Location");
    location->value.data = start;
    location->value.len = last - start;

    r->headers_out.location = location;

    p->status = NGX_HTTP_SEE_OTHER;

    if (corr_reply_policy(p, corr_policy_page) != NGX_OK) {
        return NGX_ERROR;
    }

    return corr_reply_send(p, "text/html; charset=utf-8", NULL, 0);
}


ngx_int_t
corr_reply_error(corr_page_t *p, ngx_uint_t status, ngx_uint_t message,
    time_t seconds, const char *why, ...)
{
    u_char      *flag;
    va_list      args;
    ngx_uint_t   msg;

    /* what could not be read is neither wrong nor absent */

    if (p->exhausted && status < 500) {
        status = NGX_HTTP_SERVICE_UNAVAILABLE;
        message = CORR_MSG_COUNT;
        seconds = 5;
    }

    va_start(args, why);
    corr_reply_log(p, status, why, args);
    va_end(args);

    msg = message;

    if (msg == CORR_MSG_COUNT) {
        switch (status) {
        case 400: /* fall through */
        case 408: /* fall through */
        case 422: msg = CORR_MSG_BAD_REQUEST; break;
        case 401: msg = CORR_MSG_SESSION_ENDED; break;
        case 403: msg = CORR_MSG_FORBIDDEN; break;
        case 404: msg = CORR_MSG_NOT_FOUND; break;
        case 405: msg = CORR_MSG_METHOD_REFUSED; break;
        case 409: msg = CORR_MSG_CONFLICT; break;
        case 413: msg = CORR_MSG_TOO_LARGE; break;
        case 415: msg = CORR_MSG_FORM_UNREADABLE; break;
        case 429: msg = CORR_MSG_TOO_OFTEN_PLAIN; break;
        case 503: msg = CORR_MSG_UNAVAILABLE; break;
        default:  msg = CORR_MSG_INTERNAL; break;
        }
    }

    p->status = status;

    corr_view_int(p->view, "status", status);
    corr_view_int(p->view, "seconds", seconds);
    corr_view_text(p->view, "text",
                   corr_texts_message(p->settings->texts, msg, p->view,
                                      p->pool));

    flag = ngx_pnalloc(p->pool, 16);
    if (flag == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(flag, "is_%ui%Z", status);
    corr_view_flag(p->view, (char *) flag, 1);

    /* only of what is in the error log */

    if (p->reference[0] != '\0') {
        corr_view_text(p->view, "reference", corr_reply_reference(p));
    }

    if (seconds && corr_reply_wait(p, seconds) != NGX_OK) {
        return NGX_ERROR;
    }

    if (corr_reply_kept(p, status) != NGX_OK) {
        return NGX_ERROR;
    }

    /* of a commit whose answer was lost nobody knows */

    if (p->written.len && !p->committed) {
        corr_view_text(corr_view_object(p->view, "written"), "value",
                       p->written);
    }

    return corr_reply_page(p, CORR_TPL_ERROR);
}


/* Retry-After of 429 and 503. */

static ngx_int_t
corr_reply_wait(corr_page_t *p, time_t seconds)
{
    u_char  *text, *last;

    text = ngx_pnalloc(p->pool, NGX_TIME_T_LEN);
    if (text == NULL) {
        return NGX_ERROR;
    }

    last = ngx_sprintf(text, "%T", seconds);

    return corr_reply_header(p, "Retry-After",
                             corr_make_str(text, last - text));
}


/*
 * Whoever sent something is told what became of it.  What is refused as it
 * stands is not worth sending again.
 */

static ngx_int_t
corr_reply_kept(corr_page_t *p, ngx_uint_t status)
{
    ngx_uint_t  message;

    if (p->request->method != NGX_HTTP_POST
        || status == 403 || status == 404 || status == 405)
    {
        return NGX_OK;
    }

    /* of the same form sent before nobody knows: its commit may wait */

    message = (status < 500) ? CORR_MSG_KEPT_NOT_TAKEN
              : p->committed ? CORR_MSG_KEPT_UNKNOWN
              : corr_form_value(p, "submission_key").len
                ? CORR_MSG_KEPT_NOT_NOW
              : CORR_MSG_KEPT_NOT_TAKEN;

    corr_view_text(p->view, "kept",
                   corr_texts_message(p->settings->texts, message, NULL,
                                      p->pool));
    return NGX_OK;
}


static void
corr_reply_log(corr_page_t *p, ngx_uint_t status, const char *why,
    va_list args)
{
    u_char      text[NGX_MAX_ERROR_STR], *last;
    corr_str_t  reference, safe;
    ngx_uint_t  level;

    if (status == 404 || status == 405 || (why == NULL && status < 500)) {
        return;
    }

    reference = corr_reply_reference(p);
    last = text;

    if (why) {
        last = ngx_vslprintf(text, text + sizeof(text), why, args);
    }

    safe = corr_escape(&p->alloc, CORR_ESCAPE_LOG,
                       corr_make_str(text, last - text));

    level = (status >= 500) ? NGX_LOG_ERR : NGX_LOG_NOTICE;

    ngx_log_error(level, p->log, 0,
                  "correspondence: %*s: status %ui: %*s",
                  reference.len, reference.data, status, safe.len,
                  safe.data);
}


corr_str_t
corr_reply_reference(corr_page_t *p)
{
    static const u_char  letters[] = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

    u_char       random[8];
    ngx_uint_t   i;

    if (p->reference[0] == '\0') {
        corr_secrets_draw(&p->worker->drawn, random, sizeof(random));

        for (i = 0; i < sizeof(random); i++) {
            p->reference[i] = letters[random[i] & 31];
        }
    }

    return corr_make_str(p->reference, sizeof(random));
}


ngx_uint_t
corr_reply_message(corr_page_t *p, corr_str_t name, ngx_uint_t otherwise)
{
    ngx_int_t  message;

    message = corr_texts_message_find(p->settings->texts, name);

    return message < 0 ? otherwise : (ngx_uint_t) message;
}


ngx_int_t
corr_reply_bytes(corr_page_t *p, const char *type, corr_str_t bytes)
{
    ngx_buf_t          *b;
    corr_chain_sink_t   out;

    ngx_memzero(&out, sizeof(out));
    out.pool = p->pool;
    out.next = &out.first;

    b = corr_reply_buf(&out, 0);

    if (b == NULL || corr_reply_policy(p, corr_policy_file) != NGX_OK) {
        return NGX_ERROR;
    }

    b->pos = bytes.data;
    b->last = bytes.data + bytes.len;
    b->memory = bytes.len ? 1 : 0;

    return corr_reply_send(p, type, out.first, bytes.len);
}


ngx_int_t
corr_reply_download(corr_page_t *p, const char *type, corr_str_t name,
    corr_str_t bytes)
{
    if (corr_reply_disposition(p, name, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    return corr_reply_bytes(p, type, bytes);
}


ngx_int_t
corr_reply_asset(corr_page_t *p, const corr_asset_t *asset)
{
    ngx_buf_t          *b;
    corr_chain_sink_t   out;

    ngx_memzero(&out, sizeof(out));
    out.pool = p->pool;
    out.next = &out.first;

    b = corr_reply_buf(&out, 0);

    if (b == NULL
        || corr_reply_header(p, "X-Content-Type-Options",
                             CORR_STR("nosniff"))
           != NGX_OK
        || corr_reply_header(p, "Cross-Origin-Resource-Policy",
                             CORR_STR("same-origin"))
           != NGX_OK
        || corr_reply_header(p, "Cache-Control",
                       CORR_STR("public, max-age=31536000, immutable"))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    b->pos = asset->bytes.data;
    b->last = asset->bytes.data + asset->bytes.len;
    b->memory = 1;

    return corr_reply_send(p, (char *) asset->type.data, out.first,
                           asset->bytes.len);
}


ngx_int_t
corr_reply_file(corr_page_t *p, ngx_str_t *path, corr_str_t type,
    corr_str_t name, ngx_uint_t inline_)
{
    ngx_int_t                  rc;
    ngx_buf_t                 *b;
    ngx_uint_t                 busy;
    ngx_open_file_info_t       of;
    corr_chain_sink_t          out;
    ngx_http_request_t        *r = p->request;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    ngx_memzero(&of, sizeof(ngx_open_file_info_t));
    of.read_ahead = clcf->read_ahead;
    of.directio = clcf->directio;
    of.valid = clcf->open_file_cache_valid;
    of.min_uses = clcf->open_file_cache_min_uses;
    of.errors = clcf->open_file_cache_errors;
    of.events = clcf->open_file_cache_events;

    if (ngx_open_cached_file(clcf->open_file_cache, path, &of, p->pool)
        != NGX_OK
        || !of.is_file)
    {
        busy = (of.err == NGX_EMFILE || of.err == NGX_ENFILE);

        return corr_reply_error(p, busy ? NGX_HTTP_SERVICE_UNAVAILABLE
                                        : NGX_HTTP_INTERNAL_SERVER_ERROR,
                                CORR_MSG_COUNT, busy ? 5 : 0,
                                "stored file \"%V\" cannot be opened (%d)",
                                path, (int) of.err);
    }

    ngx_memzero(&out, sizeof(out));
    out.pool = p->pool;
    out.next = &out.first;

    b = corr_reply_buf(&out, 0);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->file = ngx_pcalloc(p->pool, sizeof(ngx_file_t));
    if (b->file == NULL) {
        return NGX_ERROR;
    }

    b->file_pos = 0;
    b->file_last = of.size;
    b->in_file = b->file_last ? 1 : 0;
    b->file->fd = of.fd;
    b->file->name = *path;
    b->file->log = p->log;
    b->file->directio = of.is_directio;

    /* no Last-Modified: it is when anybody last sent the same bytes */

    r->allow_ranges = 1;

    rc = corr_reply_policy(p, corr_str_is(type, "application/pdf")
                              ? corr_policy_pdf : corr_policy_file);

    if (rc != NGX_OK || corr_reply_disposition(p, name, inline_) != NGX_OK) {
        return NGX_ERROR;
    }

    type = corr_str_dup(&p->alloc, type);
    if (type.data == NULL) {
        return NGX_ERROR;
    }

    return corr_reply_send(p, (char *) type.data, out.first, of.size);
}


/* RFC 6266: a plain name for old programs, the real one in UTF-8. */

static ngx_int_t
corr_reply_disposition(corr_page_t *p, corr_str_t name, ngx_uint_t inline_)
{
    u_char      *text, *last;
    size_t       i, dot;
    corr_str_t   escaped;

    escaped = corr_escape(&p->alloc, CORR_ESCAPE_URL, name);

    text = ngx_pnalloc(p->pool, escaped.len + 128);
    if (text == NULL || escaped.data == NULL) {
        return NGX_ERROR;
    }

    for (dot = name.len; dot > 0 && name.data[dot - 1] != '.'; dot--) {
        /* void */
    }

    last = ngx_sprintf(text, "%s; filename=\"file",
                       inline_ ? "inline" : "attachment");

    if (dot && name.len - dot < 8) {
        *last++ = '.';

        for (i = dot; i < name.len; i++) {
            if ((name.data[i] | 0x20) >= 'a' && (name.data[i] | 0x20) <= 'z')
            {
                *last++ = name.data[i];
            }
        }
    }

    last = ngx_sprintf(last, "\"; filename*=UTF-8''%*s", escaped.len,
                       escaped.data);

    return corr_reply_header(p, "Content-Disposition",
                             corr_make_str(text, last - text));
}


ngx_int_t
corr_reply_header(corr_page_t *p, const char *name, corr_str_t value)
{
    ngx_table_elt_t  *header;

    header = ngx_list_push(&p->request->headers_out.headers);
    if (header == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(header, sizeof(ngx_table_elt_t));

    header->hash = 1;
    header->key.data = (u_char *) name;
    header->key.len = ngx_strlen(name);
    header->value = corr_to_ngx(value);

    return NGX_OK;
}


static ngx_uint_t
corr_reply_secure(corr_page_t *p)
{
    switch (p->settings->cookie_secure) {

    case 0:
        return 0;

    case 1:
        return 1;

    default:
#if (NGX_HTTP_SSL)
        return p->request->connection->ssl != NULL;
#else
        return 0;
#endif
    }
}


corr_str_t
corr_reply_cookie_name(corr_page_t *p, const char *name)
{
    u_char      *text, *last;
    corr_str_t   none = corr_null_str;

    if (!corr_reply_secure(p)) {
        return corr_cstr(name);
    }

    text = corr_alloc(&p->alloc, sizeof("__Host-") + ngx_strlen(name));
    if (text == NULL) {
        return none;
    }

    last = ngx_sprintf(text, "__Host-%s", name);

    return corr_make_str(text, last - text);
}


/* An empty value with max_age 0 takes the cookie back. */

ngx_int_t
corr_reply_cookie(corr_page_t *p, const char *name, corr_str_t value,
    time_t max_age)
{
    u_char      *text, *last;
    corr_str_t   full;

    full = corr_reply_cookie_name(p, name);

    text = ngx_pnalloc(p->pool, full.len + value.len + 128);
    if (text == NULL || full.data == NULL) {
        return NGX_ERROR;
    }

    last = ngx_sprintf(text, "%*s=%*s; Path=/; HttpOnly; SameSite=Lax%s",
                       full.len, full.data, value.len, value.data,
                       corr_reply_secure(p) ? "; Secure" : "");

    if (max_age >= 0) {
        last = ngx_sprintf(last, "; Max-Age=%T", max_age);
    }

    return corr_reply_header(p, "Set-Cookie",
                             corr_make_str(text, last - text));
}
