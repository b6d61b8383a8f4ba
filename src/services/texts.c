/*
 * html/ in memory: loaded once per configuration, immutable afterwards.
 */

#include "texts.h"
#include "messages.h"
#include "templates.h"

#include "../lib/jalali.h"


#define CORR_TEXT_FILE_MAX     (512 * 1024)
#define CORR_TEXT_OUTPUT_MAX   (4 * 1024 * 1024)
#define CORR_SMS_OUTPUT_MAX    4096


struct corr_texts_s {
    ngx_str_t                dir;        /* with a / behind it */
    ngx_pool_t              *pool;
    corr_alloc_t             alloc;
    ngx_array_t              partials;   /* corr_partial_t */
    ngx_array_t              assets;     /* corr_asset_t */
    corr_templates_t        *html;
    corr_templates_t        *plain;
    corr_template_t         *pages[CORR_TPL_COUNT + 1];
    corr_template_t         *sms[CORR_SMS_COUNT + 1];
    corr_template_t         *messages[CORR_MSG_COUNT + 1];
    corr_str_t               labels[CORR_MSG_COUNT + 1];
};


typedef struct {
    corr_str_t               name;
    corr_str_t               text;
} corr_partial_t;


/* Text that grows in one buffer of a pool: SMS and messages. */

typedef struct {
    ngx_pool_t              *pool;
    u_char                  *data;
    size_t                   len;
    size_t                   size;
} corr_text_buffer_t;


static void *corr_texts_palloc(void *pool, size_t size);
static ngx_int_t corr_texts_read(ngx_conf_t *cf, corr_texts_t *texts,
    corr_str_t file, ngx_str_t *text);
static ngx_int_t corr_texts_load_messages(ngx_conf_t *cf,
    corr_texts_t *texts);
static ngx_int_t corr_texts_message_line(ngx_conf_t *cf, corr_texts_t *texts,
    u_char *p, u_char *last, ngx_uint_t line);
static ngx_int_t corr_texts_load_templates(ngx_conf_t *cf,
    corr_texts_t *texts);
static corr_template_t *corr_texts_compile(ngx_conf_t *cf,
    corr_texts_t *texts, corr_templates_t *set, corr_str_t file);
static int corr_texts_partial(void *data, corr_str_t name, corr_str_t *text);
static ngx_int_t corr_texts_load_assets(ngx_conf_t *cf, corr_texts_t *texts);
static ngx_int_t corr_texts_load_asset(ngx_conf_t *cf, corr_texts_t *texts,
    ngx_str_t *name);
static ngx_int_t corr_texts_link_assets(corr_texts_t *texts);
static ngx_int_t corr_texts_replace(corr_texts_t *texts, ngx_str_t *text,
    ngx_str_t *what, ngx_str_t *with);
static ngx_int_t corr_texts_name_asset(corr_texts_t *texts,
    corr_asset_t *asset);
static int corr_texts_label(void *data, corr_str_t name, corr_str_t value,
    corr_str_t *text);
static corr_str_t corr_texts_fill(corr_texts_t *texts, corr_template_t *t,
    const corr_view_t *values, ngx_pool_t *pool);
static ngx_int_t corr_texts_find(const corr_str_t *names, ngx_uint_t n,
    corr_str_t name);
static int corr_texts_write(void *data, const void *p, size_t n);


static const struct {
    ngx_str_t  suffix;
    ngx_str_t  type;
} corr_asset_types[] = {
    { ngx_string(".css"), ngx_string("text/css; charset=utf-8") },
    { ngx_string(".js"), ngx_string("text/javascript; charset=utf-8") },
    { ngx_string(".woff2"), ngx_string("font/woff2") },
    { ngx_string(".svg"), ngx_string("image/svg+xml") },
    { ngx_string(".png"), ngx_string("image/png") },
    { ngx_string(".ico"), ngx_string("image/x-icon") },
    { ngx_string(".webmanifest"), ngx_string("application/manifest+json") },
    { ngx_null_string, ngx_null_string }
};


static void *
corr_texts_palloc(void *pool, size_t size)
{
    return ngx_palloc(pool, size);
}


corr_texts_t *
corr_texts_load(ngx_conf_t *cf, ngx_str_t *dir)
{
    corr_texts_t  *texts;

    texts = ngx_pcalloc(cf->pool, sizeof(corr_texts_t));
    if (texts == NULL) {
        return NULL;
    }

    texts->pool = cf->pool;
    texts->alloc.alloc = corr_texts_palloc;
    texts->alloc.pool = cf->pool;

    texts->dir.data = ngx_pnalloc(cf->pool, dir->len + 1);
    if (texts->dir.data == NULL) {
        return NULL;
    }

    ngx_memcpy(texts->dir.data, dir->data, dir->len);
    texts->dir.data[dir->len] = '/';
    texts->dir.len = dir->len + 1;

    texts->html = corr_templates_create(&texts->alloc, CORR_TEMPLATE_STRICT,
                                        corr_texts_partial, texts);
    texts->plain = corr_templates_create(&texts->alloc,
                                      CORR_TEMPLATE_STRICT
                                      |CORR_TEMPLATE_PLAIN,
                                      corr_texts_partial, texts);

    if (texts->html == NULL
        || texts->plain == NULL
        || ngx_array_init(&texts->partials, cf->pool, 32,
                          sizeof(corr_partial_t))
           != NGX_OK
        || ngx_array_init(&texts->assets, cf->pool, 8, sizeof(corr_asset_t))
           != NGX_OK
        || corr_texts_load_messages(cf, texts) != NGX_OK
        || corr_texts_load_templates(cf, texts) != NGX_OK
        || corr_texts_load_assets(cf, texts) != NGX_OK)
    {
        return NULL;
    }

    return texts;
}


static ngx_int_t
corr_texts_read(ngx_conf_t *cf, corr_texts_t *texts, corr_str_t name,
    ngx_str_t *text)
{
    u_char      *path;
    size_t       size;
    ssize_t      n;
    ngx_int_t    rc;
    ngx_file_t   file;

    path = ngx_pnalloc(cf->pool, texts->dir.len + name.len + 1);
    if (path == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(path, "%V%*s%Z", &texts->dir, name.len, name.data);

    ngx_memzero(&file, sizeof(ngx_file_t));
    file.name.data = path;
    file.name.len = texts->dir.len + name.len;
    file.log = cf->log;

    file.fd = ngx_open_file(path, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    if (file.fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "text file \"%s\" cannot be opened", path);
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    if (ngx_fd_info(file.fd, &file.info) == NGX_FILE_ERROR
        || ngx_file_size(&file.info) > CORR_TEXT_FILE_MAX)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "text file \"%s\" is too large", path);
        goto done;
    }

    size = (size_t) ngx_file_size(&file.info);

    text->data = ngx_pnalloc(cf->pool, size + 1);
    if (text->data == NULL) {
        goto done;
    }

    n = size ? ngx_read_file(&file, text->data, size, 0) : 0;

    if (n != (ssize_t) size) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "text file \"%s\" cannot be read", path);
        goto done;
    }

    text->data[size] = '\0';
    text->len = size;
    rc = NGX_OK;

done:

    ngx_close_file(file.fd);

    return rc;
}


/* messages.txt: "name: text" lines; # begins a comment line. */

static ngx_int_t
corr_texts_load_messages(ngx_conf_t *cf, corr_texts_t *texts)
{
    u_char      *p, *end, *last;
    ngx_str_t    text;
    ngx_uint_t   line, i;

    if (corr_texts_read(cf, texts, CORR_STR("messages.txt"), &text)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    end = text.data + text.len;
    line = 0;

    for (p = text.data; p < end; p = last + 1) {

        last = ngx_strlchr(p, end, '\n');
        if (last == NULL) {
            last = end;
        }

        line++;

        if (corr_texts_message_line(cf, texts, p, last, line) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < CORR_MSG_COUNT; i++) {
        if (texts->messages[i] == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "message \"%*s\" is missing in "
                               "\"%Vmessages.txt\"",
                               corr_msg_names[i].len, corr_msg_names[i].data,
                               &texts->dir);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
corr_texts_message_line(ngx_conf_t *cf, corr_texts_t *texts, u_char *p,
    u_char *last, ngx_uint_t line)
{
    u_char                 *colon;
    corr_str_t              name, text;
    ngx_int_t               i;
    corr_template_error_t   error;

    while (p < last && (*p == ' ' || *p == '\t')) {
        p++;
    }

    if (p == last || *p == '#' || *p == '\r') {
        return NGX_OK;
    }

    colon = ngx_strlchr(p, last, ':');
    if (colon == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%Vmessages.txt\":%ui: not \"name: text\"",
                           &texts->dir, line);
        return NGX_ERROR;
    }

    name = corr_make_str(p, colon - p);

    do {
        colon++;
    } while (colon < last && (*colon == ' ' || *colon == '\t'));

    while (last > colon && (last[-1] == ' ' || last[-1] == '\r')) {
        last--;
    }

    text = corr_make_str(colon, last - colon);

    i = corr_texts_find(corr_msg_names, CORR_MSG_COUNT, name);
    if (i < 0) {
        /* newer than the module: nobody asks for it */
        return NGX_OK;
    }

    texts->labels[i] = text;
    texts->messages[i] = corr_template_compile(texts->plain, name, text,
                                               &error);

    if (texts->messages[i] == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%Vmessages.txt\":%ui: %s",
                           &texts->dir, line, error.text);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
corr_texts_load_templates(ngx_conf_t *cf, corr_texts_t *texts)
{
    ngx_uint_t  i;

    for (i = 0; i < CORR_TPL_COUNT; i++) {
        texts->pages[i] = corr_texts_compile(cf, texts, texts->html,
                                             corr_tpl_files[i]);
        if (texts->pages[i] == NULL) {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < CORR_SMS_COUNT; i++) {
        texts->sms[i] = corr_texts_compile(cf, texts, texts->plain,
                                           corr_sms_files[i]);
        if (texts->sms[i] == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static corr_template_t *
corr_texts_compile(ngx_conf_t *cf, corr_texts_t *texts,
    corr_templates_t *set, corr_str_t file)
{
    ngx_str_t               text;
    corr_template_t        *t;
    corr_template_error_t   error;

    if (corr_texts_read(cf, texts, file, &text) != NGX_OK) {
        return NULL;
    }

    /* the newline that editors leave behind an SMS is not sent */

    while (set == texts->plain && text.len
           && text.data[text.len - 1] == '\n')
    {
        text.len--;
    }

    ngx_memzero(&error, sizeof(error));

    t = corr_template_compile(set, file,
                              corr_make_str(text.data, text.len), &error);

    if (t == NULL) {
        if (corr_str_eq(error.name, file)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V%*s\":%ui: %s",
                               &texts->dir, file.len, file.data,
                               (ngx_uint_t) error.line, error.text);

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "partial \"%*s\" line %ui, wanted by "
                               "\"%V%*s\": %s",
                               error.name.len, error.name.data,
                               (ngx_uint_t) error.line, &texts->dir,
                               file.len, file.data, error.text);
        }
    }

    return t;
}


/* The loader of partials/NAME.html, asked while templates compile. */

static int
corr_texts_partial(void *data, corr_str_t name, corr_str_t *text)
{
    corr_texts_t  *texts = data;

    u_char          *p;
    ngx_str_t        read;
    ngx_uint_t       i;
    ngx_conf_t       cf;
    corr_str_t       file;
    corr_partial_t  *partial;

    partial = texts->partials.elts;

    for (i = 0; i < texts->partials.nelts; i++) {
        if (corr_str_eq(partial[i].name, name)) {
            *text = partial[i].text;
            return CORR_OK;
        }
    }

    file.data = ngx_pnalloc(texts->pool, sizeof("partials/.html") + name.len);
    if (file.data == NULL) {
        return CORR_ERROR;
    }

    p = ngx_sprintf(file.data, "partials/%*s.html", name.len, name.data);
    file.len = p - file.data;

    ngx_memzero(&cf, sizeof(ngx_conf_t));
    cf.pool = texts->pool;
    cf.log = texts->pool->log;

    if (corr_texts_read(&cf, texts, file, &read) != NGX_OK) {
        return CORR_INVALID;
    }

    partial = ngx_array_push(&texts->partials);
    if (partial == NULL) {
        return CORR_ERROR;
    }

    partial->name = corr_str_dup(&texts->alloc, name);
    partial->text = corr_make_str(read.data, read.len);
    *text = partial->text;

    return CORR_OK;
}


static ngx_int_t
corr_texts_load_assets(ngx_conf_t *cf, corr_texts_t *texts)
{
    u_char      *path;
    ngx_int_t    rc;
    ngx_dir_t    dir;
    ngx_str_t    name;

    path = ngx_pnalloc(cf->pool, texts->dir.len + sizeof("assets"));
    if (path == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(path, "%Vassets%Z", &texts->dir);

    name.data = path;
    name.len = texts->dir.len + sizeof("assets") - 1;

    if (ngx_open_dir(&name, &dir) == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "directory \"%V\" cannot be opened", &name);
        return NGX_ERROR;
    }

    rc = NGX_OK;

    while (rc == NGX_OK) {

        ngx_set_errno(0);

        if (ngx_read_dir(&dir) == NGX_ERROR) {
            break;
        }

        name.len = ngx_de_namelen(&dir);
        name.data = ngx_de_name(&dir);

        rc = corr_texts_load_asset(cf, texts, &name);
    }

    ngx_close_dir(&dir);

    if (rc != NGX_OK) {
        return rc;
    }

    return corr_texts_link_assets(texts);
}


/*
 * What a style sheet names (url("font.woff2")) gets its hashed name too, and
 * only then is the sheet's own name known.
 */

static ngx_int_t
corr_texts_link_assets(corr_texts_t *texts)
{
    ngx_uint_t     i, j;
    corr_asset_t  *asset;

    asset = texts->assets.elts;

    for (i = 0; i < texts->assets.nelts; i++) {

        if (ngx_strncmp(asset[i].type.data, "text/css", 8) != 0) {
            continue;
        }

        for (j = 0; j < texts->assets.nelts; j++) {
            if (j != i
                && corr_texts_replace(texts, &asset[i].bytes,
                                      &asset[j].file, &asset[j].name)
                   != NGX_OK)
            {
                return NGX_ERROR;
            }
        }

        if (corr_texts_name_asset(texts, &asset[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* The first place only: a sheet names a font once. */

static ngx_int_t
corr_texts_replace(corr_texts_t *texts, ngx_str_t *text, ngx_str_t *what,
    ngx_str_t *with)
{
    u_char  *at, *new, *last;

    at = memmem(text->data, text->len, what->data, what->len);
    if (at == NULL) {
        return NGX_OK;
    }

    new = ngx_pnalloc(texts->pool, text->len + with->len);
    if (new == NULL) {
        return NGX_ERROR;
    }

    last = ngx_cpymem(new, text->data, at - text->data);
    last = ngx_cpymem(last, with->data, with->len);
    last = ngx_cpymem(last, at + what->len,
                      text->data + text->len - at - what->len);

    text->data = new;
    text->len = last - new;

    return NGX_OK;
}


static ngx_int_t
corr_texts_load_asset(ngx_conf_t *cf, corr_texts_t *texts, ngx_str_t *name)
{
    size_t         len;
    ngx_str_t      type, file;
    ngx_uint_t     i;
    corr_asset_t  *asset;

    ngx_str_null(&type);

    for (i = 0; corr_asset_types[i].suffix.len; i++) {
        len = corr_asset_types[i].suffix.len;

        if (name->len > len
            && ngx_strncmp(name->data + name->len - len,
                           corr_asset_types[i].suffix.data, len)
               == 0)
        {
            type = corr_asset_types[i].type;
            break;
        }
    }

    if (type.len == 0 || name->data[0] == '.') {
        return NGX_OK;       /* a licence, an editor's leftover */
    }

    file.data = ngx_pnalloc(cf->pool, sizeof("assets/") + name->len);
    if (file.data == NULL) {
        return NGX_ERROR;
    }

    file.len = ngx_sprintf(file.data, "assets/%V", name) - file.data;

    asset = ngx_array_push(&texts->assets);
    if (asset == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(asset, sizeof(corr_asset_t));

    asset->type = type;
    asset->file.len = name->len;
    asset->file.data = ngx_pstrdup(texts->pool, name);

    if (asset->file.data == NULL) {
        return NGX_ERROR;
    }

    if (corr_texts_read(cf, texts, corr_make_str(file.data, file.len),
                        &asset->bytes)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return corr_texts_name_asset(texts, asset);
}


/* portal.css becomes portal.3f2a9c41.css: it may be kept for ever. */

static ngx_int_t
corr_texts_name_asset(corr_texts_t *texts, corr_asset_t *asset)
{
    u_char     *p, *dot;
    size_t      i;
    uint32_t    crc;
    ngx_str_t  *name = &asset->file;

    crc = ngx_crc32_long(asset->bytes.data, asset->bytes.len);

    dot = name->data + name->len - 1;
    while (*dot != '.') {
        dot--;
    }

    p = ngx_pnalloc(texts->pool, 2 * name->len + 64);
    if (p == NULL) {
        return NGX_ERROR;
    }

    asset->name.data = p;
    p = ngx_sprintf(p, "%*s.%08xD%*s", (size_t) (dot - name->data),
                    name->data, crc,
                    (size_t) (name->data + name->len - dot), dot);
    asset->name.len = p - asset->name.data;

    asset->etag.data = p;
    p = ngx_sprintf(p, "\"%08xD-%uz\"", crc, asset->bytes.len);
    asset->etag.len = p - asset->etag.data;

    asset->key.data = p;
    asset->key.len = name->len;

    for (i = 0; i < name->len; i++) {
        p[i] = (name->data[i] == '.' || name->data[i] == '-')
               ? '_' : name->data[i];
    }

    p[i] = '\0';

    return NGX_OK;
}


corr_template_t *
corr_texts_page(corr_texts_t *texts, ngx_uint_t tpl)
{
    return texts->pages[tpl];
}


corr_template_t *
corr_texts_sms(corr_texts_t *texts, ngx_uint_t sms)
{
    return texts->sms[sms];
}


ngx_int_t
corr_texts_sms_find(corr_texts_t *texts, corr_str_t name)
{
    return corr_texts_find(corr_sms_names, CORR_SMS_COUNT, name);
}


ngx_int_t
corr_texts_message_find(corr_texts_t *texts, corr_str_t name)
{
    return corr_texts_find(corr_msg_names, CORR_MSG_COUNT, name);
}


/* The generated tables are in byte order. */

static ngx_int_t
corr_texts_find(const corr_str_t *names, ngx_uint_t n, corr_str_t name)
{
    ngx_int_t  low, high, middle, rc;

    low = 0;
    high = (ngx_int_t) n - 1;

    while (low <= high) {
        middle = (low + high) / 2;

        rc = ngx_memn2cmp(name.data, names[middle].data, name.len,
                          names[middle].len);

        if (rc == 0) {
            return middle;
        }

        if (rc < 0) {
            high = middle - 1;

        } else {
            low = middle + 1;
        }
    }

    return -1;
}


corr_str_t
corr_texts_message(corr_texts_t *texts, ngx_uint_t msg,
    const corr_view_t *values, ngx_pool_t *pool)
{
    if (values == NULL
        && memmem(texts->labels[msg].data, texts->labels[msg].len, "{{", 2)
           == NULL)
    {
        return texts->labels[msg];
    }

    return corr_texts_fill(texts, texts->messages[msg], values, pool);
}


corr_str_t
corr_texts_render_sms(corr_texts_t *texts, ngx_uint_t sms,
    const corr_view_t *values, ngx_pool_t *pool)
{
    return corr_texts_fill(texts, texts->sms[sms], values, pool);
}


static corr_str_t
corr_texts_fill(corr_texts_t *texts, corr_template_t *t,
    const corr_view_t *values, ngx_pool_t *pool)
{
    corr_str_t           none = corr_null_str;
    corr_sink_t          sink;
    corr_alloc_t         alloc;
    corr_render_t        render;
    corr_text_buffer_t   buffer;

    if (values == NULL) {
        alloc.alloc = corr_texts_palloc;
        alloc.pool = pool;
        values = corr_view_create(&alloc);

        if (values == NULL) {
            return none;
        }
    }

    corr_texts_render(texts, &render);
    render.limit = CORR_SMS_OUTPUT_MAX;

    ngx_memzero(&buffer, sizeof(buffer));
    buffer.pool = pool;

    sink.write = corr_texts_write;
    sink.refer = corr_texts_write;
    sink.data = &buffer;

    if (corr_template_render(t, &render, values, NULL, &sink) != CORR_OK) {
        return none;
    }

    return corr_make_str(buffer.data, buffer.len);
}


static int
corr_texts_write(void *data, const void *p, size_t n)
{
    corr_text_buffer_t  *b = data;

    u_char  *grown;

    if (b->len + n > b->size) {
        grown = ngx_pnalloc(b->pool, 2 * (b->len + n) + 128);
        if (grown == NULL) {
            return CORR_ERROR;
        }

        if (b->len) {
            ngx_memcpy(grown, b->data, b->len);
        }

        b->data = grown;
        b->size = 2 * (b->len + n) + 128;
    }

    ngx_memcpy(b->data + b->len, p, n);
    b->len += n;

    return CORR_OK;
}


void
corr_texts_render(corr_texts_t *texts, corr_render_t *render)
{
    ngx_time_t  *now;

    now = ngx_timeofday();

    render->label = corr_texts_label;
    render->label_data = texts;
    render->now = (int64_t) now->sec * 1000000 + (int64_t) now->msec * 1000;
    render->utc_offset = CORR_TEHRAN_OFFSET;
    render->limit = CORR_TEXT_OUTPUT_MAX;
}


/* {{status.label}} with "answered" is the message "status_answered". */

static int
corr_texts_label(void *data, corr_str_t name, corr_str_t value,
    corr_str_t *text)
{
    corr_texts_t  *texts = data;

    u_char     key[128];
    u_char    *last;
    ngx_int_t  i;

    if (name.len + value.len + 1 > sizeof(key)) {
        return CORR_INVALID;
    }

    last = ngx_sprintf(key, "%*s_%*s", name.len, name.data, value.len,
                       value.data);

    i = corr_texts_find(corr_msg_names, CORR_MSG_COUNT,
                        corr_make_str(key, last - key));

    if (i < 0) {
        return CORR_INVALID;
    }

    *text = texts->labels[i];

    return CORR_OK;
}


ngx_uint_t
corr_texts_labelled(const char *field, ngx_uint_t *i, corr_str_t *value)
{
    size_t             len;
    const corr_str_t  *name;

    len = ngx_strlen(field);

    while (*i < CORR_MSG_COUNT) {
        name = &corr_msg_names[(*i)++];

        if (name->len > len + 1 && name->data[len] == '_'
            && ngx_memcmp(name->data, field, len) == 0)
        {
            *value = corr_make_str(name->data + len + 1, name->len - len - 1);
            return 1;
        }
    }

    return 0;
}


const corr_asset_t *
corr_texts_asset(corr_texts_t *texts, ngx_str_t *name)
{
    ngx_uint_t     i;
    corr_asset_t  *asset;

    asset = texts->assets.elts;

    for (i = 0; i < texts->assets.nelts; i++) {
        if (asset[i].name.len == name->len
            && ngx_memcmp(asset[i].name.data, name->data, name->len) == 0)
        {
            return &asset[i];
        }
    }

    return NULL;
}


ngx_array_t *
corr_texts_assets(corr_texts_t *texts)
{
    return &texts->assets;
}
