/*
 * JSON through yajl, which parses without recursion but knows no limits and
 * does not check what its allocator returns.  Both are taken care of here:
 * depth and members are counted in the callbacks, and an allocation that
 * fails leaves the parser by longjmp().  Nothing leaks, for all memory is
 * the allocator's, yajl's own included; yajl_free() is never needed.
 */

#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <yajl/yajl_parse.h>

#include "json.h"
#include "text.h"
#include "value_text.h"


#define CORR_JSON_NUMBER    400     /* digits of a number at most */


typedef struct {
    corr_value_t         value;     /* the object or list being filled */
    corr_str_t           key;       /* of the member to come */
    unsigned             members;
} corr_json_level_t;


typedef struct {
    const corr_alloc_t  *alloc;
    jmp_buf              no_memory;
    int                  rc;
    const char          *reason;
    unsigned             depth;
    corr_value_t         root;
    corr_json_level_t    levels[CORR_JSON_DEPTH];
} corr_json_t;


/* One piece of a path. */

typedef struct {
    enum {
        CORR_JSON_MEMBER,           /* name; on a list, an index */
        CORR_JSON_ELEMENT,          /* [name] */
        CORR_JSON_INSIDE            /* |json */
    }                    kind;
    corr_str_t           name;
} corr_json_piece_t;


static int corr_json_null(void *data);
static int corr_json_boolean(void *data, int on);
static int corr_json_number(void *data, const char *p, size_t n);
static int corr_json_string(void *data, const unsigned char *p, size_t n);
static int corr_json_start_map(void *data);
static int corr_json_map_key(void *data, const unsigned char *p, size_t n);
static int corr_json_end(void *data);
static int corr_json_start_array(void *data);
static int corr_json_put(corr_json_t *j, corr_value_t value);
static int corr_json_push(corr_json_t *j, corr_value_t value);
static int corr_json_cancel(corr_json_t *j, int rc, const char *reason);
static int corr_json_integer(const char *p, size_t n, int64_t *value);


static const yajl_callbacks  corr_json_callbacks = {
    .yajl_null = corr_json_null,
    .yajl_boolean = corr_json_boolean,
    .yajl_number = corr_json_number,
    .yajl_string = corr_json_string,
    .yajl_start_map = corr_json_start_map,
    .yajl_map_key = corr_json_map_key,
    .yajl_end_map = corr_json_end,
    .yajl_start_array = corr_json_start_array,
    .yajl_end_array = corr_json_end
};


/* The size stands before each block: yajl's realloc does not tell it. */

static void *
corr_json_malloc(void *data, size_t size)
{
    size_t       *block;
    corr_json_t  *j = data;

    block = corr_alloc(j->alloc, size + 16);
    if (block == NULL) {
        longjmp(j->no_memory, 1);
    }

    *block = size;

    return (char *) block + 16;
}


static void *
corr_json_realloc(void *data, void *old, size_t size)
{
    void    *new;
    size_t   had;

    had = (old == NULL) ? 0 : *(size_t *) ((char *) old - 16);
    if (had >= size && old != NULL) {
        return old;
    }

    new = corr_json_malloc(data, size);
    if (had) {
        memcpy(new, old, had);
    }

    return new;
}


static void
corr_json_free(void *data, void *p)
{
    (void) data;
    (void) p;
}


static void
corr_json_report(corr_json_error_t *error, size_t offset, const char *text)
{
    if (error == NULL) {
        return;
    }

    error->offset = offset;
    (void) snprintf(error->text, sizeof(error->text), "%s", text);
    error->text[strcspn(error->text, "\n")] = '\0';
}


/* Separate from its caller, whose setjmp() makes locals uncertain. */

static int
corr_json_run(corr_json_t *j, yajl_alloc_funcs *funcs, corr_str_t text,
    corr_json_error_t *error)
{
    size_t        offset;
    yajl_handle   h;
    yajl_status   status;

    h = yajl_alloc(&corr_json_callbacks, funcs, j);
    if (h == NULL) {
        return CORR_ERROR;
    }

    status = yajl_parse(h, text.data, text.len);
    offset = yajl_get_bytes_consumed(h);

    if (status == yajl_status_ok) {
        /* without this a text that was cut short would pass */
        status = yajl_complete_parse(h);
        offset = text.len;
    }

    if (status == yajl_status_ok) {
        return CORR_OK;
    }

    if (status == yajl_status_client_canceled) {
        corr_json_report(error, offset, j->reason);
        return j->rc;
    }

    corr_json_report(error, offset, (char *) yajl_get_error(h, 0, NULL, 0));

    return CORR_INVALID;
}


int
corr_json_parse(const corr_alloc_t *a, corr_str_t text, size_t limit,
    corr_value_t *value, corr_json_error_t *error)
{
    int                rc;
    corr_json_t        j;
    yajl_alloc_funcs   funcs = { corr_json_malloc, corr_json_realloc,
                                 corr_json_free, &j };

    if (limit && text.len > limit) {
        corr_json_report(error, limit, "the text is too long");
        return CORR_LIMIT;
    }

    /* yajl's own check lets overlong forms and U+110000 and up pass */

    if (!corr_utf8_valid(text)) {
        corr_json_report(error, 0, "not UTF-8");
        return CORR_INVALID;
    }

    j.alloc = a;
    j.rc = CORR_INVALID;
    j.reason = "";
    j.depth = 0;
    j.root.kind = CORR_NULL;

    if (setjmp(j.no_memory) != 0) {
        corr_json_report(error, 0, "out of memory");
        return CORR_ERROR;
    }

    rc = corr_json_run(&j, &funcs, text, error);

    if (rc == CORR_OK) {
        *value = j.root;
    }

    return rc;
}


static int
corr_json_cancel(corr_json_t *j, int rc, const char *reason)
{
    j->rc = rc;
    j->reason = reason;

    return 0;
}


/* A finished scalar, or a container just opened, goes where it belongs. */

static int
corr_json_put(corr_json_t *j, corr_value_t value)
{
    corr_json_level_t  *level;

    if (j->depth == 0) {
        j->root = value;
        return 1;
    }

    level = &j->levels[j->depth - 1];

    if (level->value.kind == CORR_LIST) {
        if (corr_list_push(level->value.list, value) != CORR_OK) {
            longjmp(j->no_memory, 1);
        }

        return 1;
    }

    corr_view_set(level->value.object, level->key, value);

    if (corr_view_failed(level->value.object)) {
        longjmp(j->no_memory, 1);
    }

    return 1;
}


static int
corr_json_push(corr_json_t *j, corr_value_t value)
{
    if (j->depth == CORR_JSON_DEPTH) {
        return corr_json_cancel(j, CORR_LIMIT, "nested too deeply");
    }

    if (corr_json_put(j, value) == 0) {
        return 0;
    }

    j->levels[j->depth].value = value;
    j->levels[j->depth].members = 0;
    j->depth++;

    return 1;
}


static corr_str_t
corr_json_copy(corr_json_t *j, const void *p, size_t n)
{
    corr_str_t  s;

    s = corr_str_dup(j->alloc, corr_make_str(p, n));
    if (s.data == NULL) {
        longjmp(j->no_memory, 1);
    }

    return s;
}


static int
corr_json_null(void *data)
{
    return corr_json_put(data, (corr_value_t) { .kind = CORR_NULL });
}


static int
corr_json_boolean(void *data, int on)
{
    return corr_json_put(data, (corr_value_t) { .kind = CORR_BOOL,
                                                .n = (on != 0) });
}


static int
corr_json_string(void *data, const unsigned char *p, size_t n)
{
    return corr_json_put(data,
                         (corr_value_t) { .kind = CORR_TEXT,
                                          .s = corr_json_copy(data, p, n) });
}


static int
corr_json_integer(const char *p, size_t n, int64_t *value)
{
    int       negative;
    size_t    i;
    uint64_t  u, max;

    negative = (n > 0 && *p == '-');
    max = (uint64_t) INT64_MAX + (negative ? 1 : 0);
    u = 0;

    for (i = negative ? 1 : 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9' || u > max / 10) {
            return CORR_INVALID;
        }

        u = u * 10 + (uint64_t) (p[i] - '0');
        if (u > max) {
            return CORR_INVALID;
        }
    }

    *value = negative ? (int64_t) (0 - u) : (int64_t) u;

    return CORR_OK;
}


static int
corr_json_number(void *data, const char *p, size_t n)
{
    char           text[CORR_JSON_NUMBER + 1];
    corr_json_t   *j = data;
    corr_value_t   value = { .kind = CORR_INT };

    if (n > CORR_JSON_NUMBER) {
        return corr_json_cancel(j, CORR_LIMIT, "a number is too long");
    }

    if (corr_json_integer(p, n, &value.n) == CORR_OK) {
        return corr_json_put(j, value);
    }

    memcpy(text, p, n);
    text[n] = '\0';

    if (strpbrk(text, ".eE") != NULL) {
        value.kind = CORR_FLOAT;
        value.d = strtod(text, NULL);

        if (isfinite(value.d)) {
            return corr_json_put(j, value);
        }
    }

    value.kind = CORR_TEXT;
    value.s = corr_json_copy(j, p, n);

    return corr_json_put(j, value);
}


static int
corr_json_start_map(void *data)
{
    corr_json_t   *j = data;
    corr_value_t   value = { .kind = CORR_OBJECT };

    value.object = corr_view_create(j->alloc);
    if (value.object == NULL) {
        longjmp(j->no_memory, 1);
    }

    return corr_json_push(j, value);
}


static int
corr_json_map_key(void *data, const unsigned char *p, size_t n)
{
    corr_json_t        *j = data;
    corr_json_level_t  *level = &j->levels[j->depth - 1];

    /* each one is compared with those before it */

    if (++level->members > CORR_JSON_MEMBERS) {
        return corr_json_cancel(j, CORR_LIMIT, "an object is too large");
    }

    level->key = corr_json_copy(j, p, n);

    return 1;
}


static int
corr_json_start_array(void *data)
{
    corr_json_t   *j = data;
    corr_value_t   value = { .kind = CORR_LIST };

    value.list = corr_list_create(j->alloc);
    if (value.list == NULL) {
        longjmp(j->no_memory, 1);
    }

    return corr_json_push(j, value);
}


static int
corr_json_end(void *data)
{
    corr_json_t  *j = data;

    j->depth--;

    return 1;
}


/*
 * The next piece of a path, which is cut off.  first tells the beginning,
 * where a name has no dot before it.  CORR_OK or CORR_INVALID.
 */

static int
corr_json_next_piece(corr_str_t *path, int first, corr_json_piece_t *piece)
{
    size_t          n, skip;
    int64_t         index;
    unsigned char   c = path->data[0];

    if (c == '|') {
        piece->kind = CORR_JSON_INSIDE;
        n = 5;

        if (path->len < n || memcmp(path->data, "|json", n) != 0
            || (path->len > n && path->data[n] != '.'
                && path->data[n] != '[' && path->data[n] != '|'))
        {
            return CORR_INVALID;
        }

        *path = corr_make_str(path->data + n, path->len - n);

        return CORR_OK;
    }

    piece->kind = (c == '[') ? CORR_JSON_ELEMENT : CORR_JSON_MEMBER;
    skip = (c == '[' || (c == '.' && !first)) ? 1 : 0;

    if (skip == 0 && !first) {
        return CORR_INVALID;
    }

    for (n = skip; n < path->len; n++) {
        if (memchr(".[]|", path->data[n], 4) != NULL) {
            break;
        }
    }

    piece->name = corr_make_str(path->data + skip, n - skip);

    if (piece->kind == CORR_JSON_ELEMENT) {
        if (n == path->len || path->data[n++] != ']'
            || piece->name.data[0] == '-'
            || corr_json_integer((char *) piece->name.data, piece->name.len,
                                 &index)
               != CORR_OK)
        {
            return CORR_INVALID;
        }
    }

    *path = corr_make_str(path->data + n, path->len - n);

    return (piece->name.len > 0) ? CORR_OK : CORR_INVALID;
}


int
corr_json_path_check(corr_str_t path)
{
    int                first;
    corr_json_piece_t  piece;

    first = 1;

    do {
        if (path.len == 0
            || corr_json_next_piece(&path, first, &piece) != CORR_OK)
        {
            return CORR_INVALID;
        }

        first = 0;

    } while (path.len);

    return CORR_OK;
}


static int
corr_json_step(const corr_alloc_t *a, const corr_json_piece_t *piece,
    size_t limit, corr_value_t *value)
{
    int64_t  i;

    if (piece->kind == CORR_JSON_INSIDE) {
        return (value->kind == CORR_TEXT)
               ? corr_json_parse(a, value->s, limit, value, NULL)
               : CORR_INVALID;
    }

    if (value->kind == CORR_LIST) {
        if (corr_json_integer((char *) piece->name.data, piece->name.len, &i)
            != CORR_OK
            || i < 0 || i >= (int64_t) corr_list_length(value->list))
        {
            return CORR_INVALID;
        }

        *value = corr_list_at(value->list, (unsigned) i);

        return CORR_OK;
    }

    if (value->kind == CORR_OBJECT && piece->kind == CORR_JSON_MEMBER
        && corr_view_get(value->object, piece->name,
                         corr_name_hash(piece->name), value))
    {
        return CORR_OK;
    }

    return CORR_INVALID;
}


int
corr_json_path(const corr_alloc_t *a, corr_value_t root, corr_str_t path,
    size_t limit, corr_value_t *value)
{
    int                rc;
    corr_value_t       here;
    corr_json_piece_t  piece;

    if (corr_json_path_check(path) != CORR_OK) {
        return CORR_INVALID;
    }

    here = root;

    for (rc = 1; path.len; rc = 0) {
        (void) corr_json_next_piece(&path, rc, &piece);

        rc = corr_json_step(a, &piece, limit, &here);
        if (rc != CORR_OK) {
            return rc;
        }
    }

    *value = here;

    return CORR_OK;
}


int
corr_json_scalar(const corr_alloc_t *a, corr_value_t value, corr_str_t *text)
{
    size_t         n;
    unsigned char  number[CORR_VALUE_TEXT];

    switch (value.kind) {

    case CORR_NULL:
        *text = (corr_str_t) corr_null_str;
        return CORR_OK;

    case CORR_BOOL:
        *text = value.n ? CORR_STR("true") : CORR_STR("false");
        return CORR_OK;

    case CORR_TEXT:
        *text = value.s;
        return CORR_OK;

    case CORR_INT:
        n = corr_int_text(number, value.n);
        break;

    case CORR_FLOAT:
        n = corr_float_text(number, value.d);
        break;

    default:
        return CORR_INVALID;
    }

    *text = corr_str_dup(a, corr_make_str(number, n));

    return (text->data == NULL) ? CORR_ERROR : CORR_OK;
}
