/*
 * The tree of named values that a page hands to its view, and access to
 * tables by column name.
 */

#include "value.h"


#define CORR_VIEW_FIRST   8      /* pairs allocated at first */
#define CORR_LIST_FIRST   8


typedef struct {
    corr_str_t         name;
    uint32_t           hash;
    corr_value_t       value;
} corr_pair_t;


struct corr_view_s {
    corr_alloc_t       alloc;
    int               *failed;       /* the root's flag, shared by the tree */
    int                own_failed;
    unsigned           n;
    unsigned           size;
    corr_pair_t       *pairs;
};


struct corr_list_s {
    corr_alloc_t       alloc;
    unsigned           n;
    unsigned           size;
    corr_value_t      *values;
};


static corr_view_t *corr_view_below(corr_view_t *v);
static corr_pair_t *corr_view_find(const corr_view_t *v, corr_str_t name,
    uint32_t hash);
static void *corr_grow(const corr_alloc_t *a, const void *old, unsigned n,
    size_t each, unsigned *size, unsigned first);


/* FNV-1a: names are short, and the quality is enough for a first filter. */

uint32_t
corr_name_hash(corr_str_t name)
{
    size_t    i;
    uint32_t  hash = 2166136261u;

    for (i = 0; i < name.len; i++) {
        hash = (hash ^ name.data[i]) * 16777619u;
    }

    return hash;
}


corr_view_t *
corr_view_create(const corr_alloc_t *a)
{
    corr_view_t  *v;

    v = corr_alloc(a, sizeof(corr_view_t));
    if (v == NULL) {
        return NULL;
    }

    memset(v, 0, sizeof(corr_view_t));
    v->alloc = *a;
    v->failed = &v->own_failed;

    return v;
}


static corr_view_t *
corr_view_below(corr_view_t *v)
{
    corr_view_t  *child;

    child = corr_view_create(&v->alloc);
    if (child == NULL) {
        *v->failed = 1;
        return NULL;
    }

    child->failed = v->failed;

    return child;
}


/* A copy of the n elements in an array of twice the size; NULL: no memory. */

static void *
corr_grow(const corr_alloc_t *a, const void *old, unsigned n, size_t each,
    unsigned *size, unsigned first)
{
    void      *new;
    unsigned   wanted;

    if (n > UINT32_MAX / 4) {
        return NULL;
    }

    wanted = (n == 0) ? first : n * 2;

    new = corr_alloc(a, wanted * each);
    if (new == NULL) {
        return NULL;
    }

    if (n) {
        memcpy(new, old, n * each);
    }

    *size = wanted;

    return new;
}


static corr_pair_t *
corr_view_find(const corr_view_t *v, corr_str_t name, uint32_t hash)
{
    unsigned  i;

    for (i = 0; i < v->n; i++) {
        if (v->pairs[i].hash == hash && corr_str_eq(v->pairs[i].name, name)) {
            return &v->pairs[i];
        }
    }

    return NULL;
}


void
corr_view_set(corr_view_t *v, corr_str_t name, corr_value_t value)
{
    uint32_t      hash;
    corr_pair_t  *pair, *pairs;

    if (v == NULL) {
        return;
    }

    hash = corr_name_hash(name);

    pair = corr_view_find(v, name, hash);
    if (pair != NULL) {
        pair->value = value;
        return;
    }

    if (v->n == v->size) {
        pairs = corr_grow(&v->alloc, v->pairs, v->n, sizeof(corr_pair_t),
                          &v->size, CORR_VIEW_FIRST);
        if (pairs == NULL) {
            *v->failed = 1;
            return;
        }

        v->pairs = pairs;
    }

    pair = &v->pairs[v->n++];
    pair->name = name;
    pair->hash = hash;
    pair->value = value;
}


void
corr_view_value(corr_view_t *v, const char *name, corr_value_t value)
{
    corr_view_set(v, corr_cstr(name), value);
}


void
corr_view_text(corr_view_t *v, const char *name, corr_str_t text)
{
    corr_view_value(v, name, (corr_value_t) { .kind = CORR_TEXT, .s = text });
}


void
corr_view_cstr(corr_view_t *v, const char *name, const char *text)
{
    corr_view_text(v, name, corr_cstr(text));
}


void
corr_view_int(corr_view_t *v, const char *name, int64_t n)
{
    corr_view_value(v, name, (corr_value_t) { .kind = CORR_INT, .n = n });
}


void
corr_view_flag(corr_view_t *v, const char *name, int on)
{
    corr_view_value(v, name,
                    (corr_value_t) { .kind = CORR_BOOL, .n = (on != 0) });
}


void
corr_view_time(corr_view_t *v, const char *name, int64_t usec)
{
    corr_view_value(v, name, (corr_value_t) { .kind = CORR_TIME, .n = usec });
}


void
corr_view_date(corr_view_t *v, const char *name, int64_t days)
{
    corr_view_value(v, name, (corr_value_t) { .kind = CORR_DATE, .n = days });
}


void
corr_view_rows(corr_view_t *v, const char *name, corr_rows_t *rows)
{
    corr_value_t  value = { .kind = CORR_ROWS, .rows = rows };

    if (rows == NULL) {
        value.kind = CORR_NULL;
        value.n = 0;
    }

    corr_view_value(v, name, value);
}


/*
 * Without memory both of the following return v itself: what the page sets
 * next goes astray, but nothing of it is shown, since the tree is marked.
 */

corr_view_t *
corr_view_object(corr_view_t *v, const char *name)
{
    corr_str_t     key;
    corr_pair_t   *pair;
    corr_view_t   *child;

    if (v == NULL) {
        return NULL;
    }

    key = corr_cstr(name);

    pair = corr_view_find(v, key, corr_name_hash(key));
    if (pair != NULL && pair->value.kind == CORR_OBJECT) {
        return pair->value.object;
    }

    child = corr_view_below(v);
    if (child == NULL) {
        return v;
    }

    corr_view_set(v, key,
                  (corr_value_t) { .kind = CORR_OBJECT, .object = child });

    return child;
}


corr_view_t *
corr_view_append(corr_view_t *v, const char *name)
{
    corr_str_t     key;
    corr_list_t   *list;
    corr_pair_t   *pair;
    corr_view_t   *child;
    corr_value_t   value;

    if (v == NULL) {
        return NULL;
    }

    key = corr_cstr(name);

    pair = corr_view_find(v, key, corr_name_hash(key));
    if (pair != NULL && pair->value.kind == CORR_LIST) {
        list = pair->value.list;

    } else {
        list = corr_list_create(&v->alloc);
        if (list == NULL) {
            goto failed;
        }

        value = (corr_value_t) { .kind = CORR_LIST, .list = list };
        corr_view_set(v, key, value);
    }

    child = corr_view_below(v);
    if (child == NULL) {
        goto failed;
    }

    value = (corr_value_t) { .kind = CORR_OBJECT, .object = child };
    if (corr_list_push(list, value) != CORR_OK) {
        goto failed;
    }

    return child;

failed:

    *v->failed = 1;

    return v;
}


void
corr_view_row(corr_view_t *v, const corr_rows_t *rows, unsigned row)
{
    unsigned      i;
    corr_value_t  value;

    if (rows == NULL || row >= rows->nrows) {
        return;
    }

    for (i = 0; i < rows->ncolumns; i++) {
        rows->cell(rows, row, i, &value);
        corr_view_set(v, rows->columns[i].name, value);
    }
}


int
corr_view_get(const corr_view_t *v, corr_str_t name, uint32_t hash,
    corr_value_t *value)
{
    corr_pair_t  *pair;

    if (v == NULL) {
        return 0;
    }

    pair = corr_view_find(v, name, hash);
    if (pair == NULL) {
        return 0;
    }

    *value = pair->value;

    return 1;
}


int
corr_view_failed(const corr_view_t *v)
{
    return v == NULL || *v->failed;
}


int
corr_view_next(const corr_view_t *v, unsigned *position, corr_str_t *name,
    corr_value_t *value)
{
    corr_pair_t  *pair;

    if (v == NULL || *position >= v->n) {
        return 0;
    }

    pair = &v->pairs[(*position)++];
    *name = pair->name;
    *value = pair->value;

    return 1;
}


corr_list_t *
corr_list_create(const corr_alloc_t *a)
{
    corr_list_t  *list;

    list = corr_alloc(a, sizeof(corr_list_t));
    if (list == NULL) {
        return NULL;
    }

    memset(list, 0, sizeof(corr_list_t));
    list->alloc = *a;

    return list;
}


int
corr_list_push(corr_list_t *list, corr_value_t value)
{
    corr_value_t  *values;

    if (list->n == list->size) {
        values = corr_grow(&list->alloc, list->values, list->n,
                           sizeof(corr_value_t), &list->size,
                           CORR_LIST_FIRST);
        if (values == NULL) {
            return CORR_ERROR;
        }

        list->values = values;
    }

    list->values[list->n++] = value;

    return CORR_OK;
}


unsigned
corr_list_length(const corr_list_t *list)
{
    return (list == NULL) ? 0 : list->n;
}


corr_value_t
corr_list_at(const corr_list_t *list, unsigned i)
{
    if (list == NULL || i >= list->n) {
        return (corr_value_t) { .kind = CORR_NULL };
    }

    return list->values[i];
}


int
corr_rows_find(const corr_rows_t *rows, corr_str_t name, uint32_t hash)
{
    unsigned              i;
    const corr_column_t  *column;

    for (i = 0; i < rows->ncolumns; i++) {
        column = &rows->columns[i];

        if (column->hash == hash && corr_str_eq(column->name, name)) {
            return (int) i;
        }
    }

    return -1;
}


int
corr_rows_column(const corr_rows_t *rows, const char *name)
{
    corr_str_t  key;

    if (rows == NULL) {
        return -1;
    }

    key = corr_cstr(name);

    return corr_rows_find(rows, key, corr_name_hash(key));
}


corr_value_t
corr_rows_get(const corr_rows_t *rows, unsigned row, const char *column)
{
    int           i;
    corr_value_t  value = { .kind = CORR_NULL };

    i = corr_rows_column(rows, column);

    if (i >= 0 && row < rows->nrows) {
        rows->cell(rows, row, (unsigned) i, &value);
    }

    return value;
}


int64_t
corr_rows_int(const corr_rows_t *rows, unsigned row, const char *column)
{
    corr_value_t  value;

    value = corr_rows_get(rows, row, column);

    switch (value.kind) {

    case CORR_BOOL:
    case CORR_INT:
    case CORR_TIME:
    case CORR_DATE:
        return value.n;

    default:
        return 0;
    }
}


corr_str_t
corr_rows_text(const corr_rows_t *rows, unsigned row, const char *column)
{
    corr_value_t  value;

    value = corr_rows_get(rows, row, column);

    if (value.kind == CORR_TEXT || value.kind == CORR_BYTES) {
        return value.s;
    }

    return (corr_str_t) corr_null_str;
}


int
corr_rows_nest(const corr_alloc_t *a, corr_rows_t *parent,
    const char *parent_column, const char *name, corr_rows_t *child,
    const char *child_column)
{
    int           above, below;
    corr_nest_t  *nest, **last;

    above = corr_rows_column(parent, parent_column);
    below = corr_rows_column(child, child_column);

    if (above < 0 || below < 0) {
        return CORR_ERROR;
    }

    nest = corr_alloc(a, sizeof(corr_nest_t));
    if (nest == NULL) {
        return CORR_ERROR;
    }

    nest->name = corr_cstr(name);
    nest->hash = corr_name_hash(nest->name);
    nest->rows = child;
    nest->parent_column = (unsigned) above;
    nest->child_column = (unsigned) below;
    nest->next = NULL;

    /* at the end: JSON shows them in the order they were given */

    for (last = &parent->nested; *last != NULL; last = &(*last)->next) {
        /* void */
    }

    *last = nest;

    return CORR_OK;
}


static int
corr_value_eq(const corr_value_t *a, const corr_value_t *b)
{
    if (a->kind != b->kind) {
        return 0;
    }

    switch (a->kind) {

    case CORR_BOOL:
    case CORR_INT:
    case CORR_TIME:
    case CORR_DATE:
        return a->n == b->n;

    case CORR_TEXT:
    case CORR_BYTES:
        return corr_str_eq(a->s, b->s);

    default:
        return 0;
    }
}


unsigned
corr_nest_range(const corr_nest_t *nest, const corr_rows_t *parent,
    unsigned row, unsigned hint, unsigned *first)
{
    unsigned            i, n, nrows;
    corr_value_t        key, cell;
    const corr_rows_t  *child = nest->rows;

    nrows = child->nrows;
    *first = 0;

    parent->cell(parent, row, nest->parent_column, &key);

    for (n = 0; n < nrows; n++) {
        i = (hint + n) % nrows;

        child->cell(child, i, nest->child_column, &cell);
        if (corr_value_eq(&key, &cell)) {
            break;
        }
    }

    if (n == nrows) {
        return 0;
    }

    /* a hint may point into the middle of the run */

    for (i = (hint + n) % nrows; n == 0 && i > 0; i--) {
        child->cell(child, i - 1, nest->child_column, &cell);
        if (!corr_value_eq(&key, &cell)) {
            break;
        }
    }

    *first = i;

    for (i++; i < nrows; i++) {
        child->cell(child, i, nest->child_column, &cell);
        if (!corr_value_eq(&key, &cell)) {
            break;
        }
    }

    return i - *first;
}
