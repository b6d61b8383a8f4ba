/*
 * All that people read: the templates, messages, SMS texts and assets of
 * html/, loaded and compiled when nginx reads its configuration.  A text
 * that is missing or does not compile refuses the configuration.
 */

#ifndef CORR_TEXTS_H
#define CORR_TEXTS_H

#include <ngx_config.h>
#include <ngx_core.h>

#include "../lib/template.h"


typedef struct corr_texts_s  corr_texts_t;


typedef struct {
    ngx_str_t                file;       /* portal.css */
    ngx_str_t                name;       /* portal.3f2a9c41.css */
    ngx_str_t                type;
    ngx_str_t                bytes;
    ngx_str_t                key;        /* portal_css */
    ngx_str_t                etag;
} corr_asset_t;


/* NULL: the reason was logged with file and line. */
corr_texts_t *corr_texts_load(ngx_conf_t *cf, ngx_str_t *dir);

corr_template_t *corr_texts_page(corr_texts_t *texts, ngx_uint_t tpl);
corr_template_t *corr_texts_sms(corr_texts_t *texts, ngx_uint_t sms);

/* CORR_SMS_… by its name ("letter_sent"), as the database keeps it; -1. */
ngx_int_t corr_texts_sms_find(corr_texts_t *texts, corr_str_t name);

/* CORR_MSG_… by name; -1 when there is none. */
ngx_int_t corr_texts_message_find(corr_texts_t *texts, corr_str_t name);

/* A message filled from values (may be NULL); from the pool. */
corr_str_t corr_texts_message(corr_texts_t *texts, ngx_uint_t msg,
    const corr_view_t *values, ngx_pool_t *pool);

/* An SMS filled from values; from the pool.  len 0: it failed. */
corr_str_t corr_texts_render_sms(corr_texts_t *texts, ngx_uint_t sms,
    const corr_view_t *values, ngx_pool_t *pool);

/*
 * While the configuration is read: with the longest values each SMS takes no
 * more than `most` parts, and no code is cut between two.  NGX_OK, or
 * NGX_ERROR with the file in the log.
 */
ngx_int_t corr_texts_check_sms(ngx_conf_t *cf, corr_texts_t *texts,
    corr_str_t host, corr_str_t body_name, ngx_uint_t tracking_digits,
    ngx_uint_t most);

/*
 * The values that a field has labels for ("action": that of action_login is
 * login), in the order of their names; *i begins with 0.  0: no more.
 */
ngx_uint_t corr_texts_labelled(const char *field, ngx_uint_t *i,
    corr_str_t *value);

/* How to render now: labels, the clock, Tehran's offset. */
void corr_texts_render(corr_texts_t *texts, corr_render_t *render);

const corr_asset_t *corr_texts_asset(corr_texts_t *texts, ngx_str_t *name);
ngx_array_t *corr_texts_assets(corr_texts_t *texts);  /* corr_asset_t */


#endif /* CORR_TEXTS_H */
