/*
 * A kept file's box: "EXPIRES SIZE WIDTH HEIGHT SCAN HASH TYPE NAME",
 * encrypted with the key of what forms carry, bound to the account.  It ends
 * well before the collector would take the file for an orphan.
 */

#include "uploads.h"

#include "../http/form.h"
#include "../lib/digits.h"
#include "../lib/encode.h"
#include "../lib/escape.h"
#include "../services/secrets.h"
#include "../services/store.h"


#define CORR_KEPT_FIXED    (6 * NGX_INT64_LEN + CORR_STORE_HASH + 16)
#define CORR_KEPT_NUMBERS  5


static u_char *corr_uploads_put(u_char *last, const corr_upload_t *upload);
static corr_str_t corr_uploads_box(corr_page_t *p,
    const corr_upload_t *upload);
static ngx_int_t corr_uploads_open(corr_page_t *p, corr_str_t box,
    corr_upload_t *upload);
static ngx_int_t corr_uploads_read(corr_page_t *p, corr_str_t text,
    corr_upload_t *upload);
static corr_str_t corr_uploads_word(corr_str_t *text);
static corr_str_t corr_uploads_bound(corr_page_t *p, u_char *buf);


corr_str_t
corr_uploads_json(corr_page_t *p)
{
    u_char          *json, *last;
    size_t           len;
    ngx_uint_t       i;
    corr_str_t       none = corr_null_str;
    corr_upload_t   *upload;

    upload = p->uploads.elts;
    len = sizeof("[]");

    for (i = 0; i < p->uploads.nelts; i++) {
        len += sizeof(",{\"sha256\":\"\",\"size\":,\"media_type\":\"\","
                      "\"scan\":\"unchecked\",\"name\":\"\","
                      "\"width\":,\"height\":}")
               + CORR_STORE_HASH + 3 * NGX_INT64_LEN
               + upload[i].media_type.len
               + corr_escape_len(CORR_ESCAPE_JSON, upload[i].name);
    }

    json = ngx_pnalloc(p->pool, len);
    if (json == NULL) {
        return none;
    }

    last = json;
    *last++ = '[';

    for (i = 0; i < p->uploads.nelts; i++) {

        if (i) {
            *last++ = ',';
        }

        last = corr_uploads_put(last, &upload[i]);
    }

    *last++ = ']';

    return corr_make_str(json, last - json);
}


static u_char *
corr_uploads_put(u_char *last, const corr_upload_t *upload)
{
    last = ngx_sprintf(last, "{\"sha256\":\"%*s\",\"size\":%uL,"
                       "\"media_type\":\"%*s\",",
                       upload->hash.len, upload->hash.data, upload->size,
                       upload->media_type.len, upload->media_type.data);

    if (upload->width) {
        last = ngx_sprintf(last, "\"width\":%uD,\"height\":%uD,",
                           upload->width, upload->height);
    }

    if (upload->scan != CORR_SCAN_NONE) {
        last = ngx_sprintf(last, "\"scan\":\"%s\",",
                           upload->scan == CORR_SCAN_CLEAN ? "clean"
                                                           : "unchecked");
    }

    last = ngx_cpymem(last, "\"name\":\"", sizeof("\"name\":\"") - 1);
    last = corr_escape_put(CORR_ESCAPE_JSON, last, upload->name);

    return ngx_cpymem(last, "\"}", 2);
}


ngx_int_t
corr_uploads_restore(corr_page_t *p)
{
    ngx_uint_t      i, n, nkept;
    corr_str_t      box;
    corr_upload_t  *uploads, kept;

    nkept = 0;

    for (i = 0; /* void */ ; i++) {

        box = corr_form_nth(p, "kept_file", i);

        if (box.data == NULL || i == p->settings->upload_max_files) {
            break;
        }

        if (corr_uploads_open(p, box, &kept) != NGX_OK) {
            continue;               /* too old, or not ours */
        }

        if (ngx_array_push(&p->uploads) == NULL) {
            return NGX_ERROR;
        }

        uploads = p->uploads.elts;

        for (n = p->uploads.nelts - 1; n > nkept; n--) {
            uploads[n] = uploads[n - 1];
        }

        uploads[n] = kept;
        nkept++;
    }

    if (p->uploads.nelts > p->settings->upload_max_files) {
        p->uploads.nelts = p->settings->upload_max_files;
        corr_uploads_too_many(p, p->settings->upload_max_files);
    }

    return NGX_OK;
}


void
corr_uploads_show(corr_page_t *p)
{
    ngx_uint_t      i;
    corr_str_t      box;
    corr_view_t    *row;
    corr_upload_t  *upload;

    upload = p->uploads.elts;

    for (i = 0; i < p->uploads.nelts; i++) {

        box = corr_uploads_box(p, &upload[i]);
        if (box.data == NULL) {
            return;
        }

        row = corr_view_append(p->view, "kept_files");
        corr_view_text(row, "file_id", box);
        corr_view_text(row, "name", upload[i].name);
        corr_view_int(row, "size_kb", (upload[i].size + 1023) / 1024);
    }
}


void
corr_uploads_too_many(corr_page_t *p, ngx_uint_t max)
{
    corr_view_t  *values;

    values = corr_view_create(&p->alloc);

    if (values) {
        corr_view_int(values, "max_files", max);
    }

    corr_form_error(p, "file", CORR_MSG_FILE_TOO_MANY, values);
}


static corr_str_t
corr_uploads_box(corr_page_t *p, const corr_upload_t *upload)
{
    u_char      *plain, *sealed, *box, *last, bound[NGX_INT64_LEN + 8];
    size_t       len;
    corr_str_t   none = corr_null_str;

    len = CORR_KEPT_FIXED + upload->media_type.len + upload->name.len;

    plain = ngx_pnalloc(p->pool, len);
    sealed = ngx_pnalloc(p->pool, len + CORR_SECRETS_OVERHEAD);
    box = ngx_pnalloc(p->pool,
                      corr_base64url_len(len + CORR_SECRETS_OVERHEAD));

    if (plain == NULL || sealed == NULL || box == NULL) {
        return none;
    }

    last = ngx_sprintf(plain, "%T %uL %uD %uD %ui %*s %*s %*s",
                       ngx_time() + p->settings->collect_grace / 2,
                       upload->size, upload->width, upload->height,
                       (ngx_uint_t) upload->scan,
                       upload->hash.len, upload->hash.data,
                       upload->media_type.len, upload->media_type.data,
                       upload->name.len, upload->name.data);

    len = corr_secrets_encrypt(p->settings->secrets, CORR_KEY_FLOW,
                               corr_uploads_bound(p, bound),
                               corr_make_str(plain, last - plain), sealed);

    last = corr_base64url_encode(box, corr_make_str(sealed, len));

    return corr_make_str(box, last - box);
}


static ngx_int_t
corr_uploads_open(corr_page_t *p, corr_str_t box, corr_upload_t *upload)
{
    u_char  *sealed, *plain, bound[NGX_INT64_LEN + 8];
    size_t   len;

    sealed = ngx_pnalloc(p->pool, box.len + 1);
    plain = ngx_pnalloc(p->pool, box.len + 1);

    if (sealed == NULL || plain == NULL
        || corr_base64url_decode(box, sealed, box.len, &len) != CORR_OK
        || corr_secrets_decrypt(p->settings->secrets, CORR_KEY_FLOW,
                                corr_uploads_bound(p, bound),
                                corr_make_str(sealed, len), plain, &len)
           != CORR_OK)
    {
        return NGX_DECLINED;
    }

    return corr_uploads_read(p, corr_make_str(plain, len), upload);
}


static ngx_int_t
corr_uploads_read(corr_page_t *p, corr_str_t text, corr_upload_t *upload)
{
    uint64_t    n[CORR_KEPT_NUMBERS];
    ngx_uint_t  i;

    for (i = 0; i < CORR_KEPT_NUMBERS; i++) {
        if (corr_digits_number(corr_uploads_word(&text), INT64_MAX, &n[i])
            != CORR_OK)
        {
            return NGX_DECLINED;
        }
    }

    if (n[0] < (uint64_t) ngx_time() || n[4] >= CORR_SCANS) {
        return NGX_DECLINED;
    }

    ngx_memzero(upload, sizeof(corr_upload_t));

    upload->field = CORR_STR("file");
    upload->size = n[1];
    upload->width = (uint32_t) n[2];
    upload->height = (uint32_t) n[3];
    upload->scan = (corr_scan_e) n[4];
    upload->hash = corr_uploads_word(&text);
    upload->media_type = corr_uploads_word(&text);
    upload->name = text;

    return (upload->hash.len == CORR_STORE_HASH) ? NGX_OK : NGX_DECLINED;
}


/* Up to the next space, which is dropped. */

static corr_str_t
corr_uploads_word(corr_str_t *text)
{
    size_t      n;
    corr_str_t  word;

    for (n = 0; n < text->len && text->data[n] != ' '; n++) { /* void */ }

    word = corr_make_str(text->data, n);

    n += (n < text->len);
    text->data += n;
    text->len -= n;

    return word;
}


static corr_str_t
corr_uploads_bound(corr_page_t *p, u_char *buf)
{
    u_char  *last;

    last = ngx_sprintf(buf, "kept%s%L",
                       p->session.who == CORR_A_STAFF ? "k" : "c",
                       p->session.id);

    return corr_make_str(buf, last - buf);
}
