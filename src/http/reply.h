/*
 * Replies: a page (or the same as JSON), a redirect, a file, an error.
 * All of them carry the portal's security headers.  Each returns what its
 * step returns: NGX_DONE, or an error.
 */

#ifndef CORR_REPLY_H
#define CORR_REPLY_H

#include "portal.h"
#include "../services/texts.h"


/* p->view through a template; p->status, or 200. */
ngx_int_t corr_reply_page(corr_page_t *p, ngx_uint_t tpl);

/*
 * 303 to a path behind the prefix: "/desk/letters?sent=%V".  JSON clients
 * get {"location": …} with 303 as well.
 */
ngx_int_t corr_reply_redirect(corr_page_t *p, const char *format, ...);

/*
 * An error page with a reference.  `why` goes to the log with it (English,
 * may be NULL).  seconds: Retry-After of 429 and 503.
 */
ngx_int_t corr_reply_error(corr_page_t *p, ngx_uint_t status,
    ngx_uint_t message, time_t seconds, const char *why, ...);

/* Bytes that live as long as the request's pool. */
ngx_int_t corr_reply_bytes(corr_page_t *p, const char *type,
    corr_str_t bytes);

/* One of html/assets, to be kept for ever. */
ngx_int_t corr_reply_asset(corr_page_t *p, const corr_asset_t *asset);

/* Text made of pieces (CSV, SVG, export): as bytes, with a file name. */
ngx_int_t corr_reply_download(corr_page_t *p, const char *type,
    corr_str_t name, corr_str_t bytes);

/*
 * A stored file by sendfile: ranges allowed, nosniff, its own policy.
 * inline_: shown in the browser's viewer, else a download.
 */
ngx_int_t corr_reply_file(corr_page_t *p, ngx_str_t *path, corr_str_t type,
    corr_str_t name, ngx_uint_t inline_);

/* Said once above the page, in the portal's own words: CORR_MSG_… */
void corr_reply_flash(corr_page_t *p, ngx_uint_t message);

/* A header of the reply; both strings must live as long as the request. */
ngx_int_t corr_reply_header(corr_page_t *p, const char *name,
    corr_str_t value);

/* A cookie with the right flags; max_age < 0: for the session. */
ngx_int_t corr_reply_cookie(corr_page_t *p, const char *name,
    corr_str_t value, time_t max_age);

/* Its name on this connection: with __Host- where it must be Secure. */
corr_str_t corr_reply_cookie_name(corr_page_t *p, const char *name);

/* CORR_MSG_… by the name the database gave, or another. */
ngx_uint_t corr_reply_message(corr_page_t *p, corr_str_t name,
    ngx_uint_t otherwise);

/* The reference of this page's errors (made at the first call). */
corr_str_t corr_reply_reference(corr_page_t *p);


#endif /* CORR_REPLY_H */
