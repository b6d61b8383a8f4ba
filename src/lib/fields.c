#include "fields.h"
#include "text.h"


#define CORR_FIELDS_COUNT   64
#define CORR_FIELDS_NAME    64
#define CORR_FIELDS_VALUE   (64 * 1024)
#define CORR_FIELDS_TOTAL   (256 * 1024)

#define CORR_FIELDS_SUBSTITUTE   0x1a


void
corr_fields_init(corr_fields_t *f, const corr_alloc_t *a,
    const corr_fields_limits_t *limits)
{
    memset(f, 0, sizeof(corr_fields_t));

    f->alloc = a;

    if (limits) {
        f->limits = *limits;
        return;
    }

    f->limits.count = CORR_FIELDS_COUNT;
    f->limits.name = CORR_FIELDS_NAME;
    f->limits.value = CORR_FIELDS_VALUE;
    f->limits.total = CORR_FIELDS_TOTAL;
}


int
corr_fields_begin(corr_fields_t *f)
{
    if (f->seen >= f->limits.count) {
        return CORR_LIMIT;
    }

    f->seen++;
    f->len = 0;
    f->name_len = 0;
    f->in_value = 0;

    return CORR_OK;
}


/* Room for n more bytes in the scratch buffer, which grows by doubling. */

static int
corr_fields_reserve(corr_fields_t *f, size_t n)
{
    size_t          size;
    unsigned char  *p;

    if (n <= f->size - f->len) {
        return CORR_OK;
    }

    size = f->size ? f->size : 256;

    while (size - f->len < n) {
        size *= 2;
    }

    p = corr_alloc(f->alloc, size);
    if (p == NULL) {
        return CORR_ERROR;
    }

    if (f->len) {
        memcpy(p, f->scratch, f->len);
    }

    f->scratch = p;
    f->size = size;

    return CORR_OK;
}


int
corr_fields_append(corr_fields_t *f, const void *p, size_t n)
{
    size_t  have, max;

    have = f->in_value ? f->len - f->name_len : f->len;
    max = f->in_value ? f->limits.value : f->limits.name;

    if (n > max || have > max - n || n > f->limits.total
        || f->total > f->limits.total - n)
    {
        return CORR_LIMIT;
    }

    if (n == 0) {
        return CORR_OK;
    }

    if (corr_fields_reserve(f, n) != CORR_OK) {
        return CORR_ERROR;
    }

    memcpy(f->scratch + f->len, p, n);
    f->len += n;
    f->total += n;

    return CORR_OK;
}


void
corr_fields_value(corr_fields_t *f)
{
    f->name_len = f->len;
    f->in_value = 1;
}


static int
corr_fields_name_valid(corr_str_t s)
{
    return (s.len == 0 || memchr(s.data, '\0', s.len) == NULL)
           && corr_utf8_valid(s);
}


/* In place; a byte that begins no character is one by itself. */

static size_t
corr_fields_substitute(unsigned char *p, const unsigned char *last)
{
    size_t                n;
    uint32_t              c;
    const unsigned char  *next;

    for (n = 0; p < last; p = (unsigned char *) next) {

        next = p;
        c = corr_utf8_next(&next, last);

        if (c == 0 || c == CORR_UTF8_BAD) {
            *p = CORR_FIELDS_SUBSTITUTE;
            n++;
        }
    }

    return n;
}


static corr_field_t *
corr_fields_push(corr_fields_t *f)
{
    unsigned       n;
    corr_field_t  *field;

    if (f->nfields == f->allocated) {
        n = f->allocated ? f->allocated * 2 : 8;

        field = corr_alloc(f->alloc, n * sizeof(corr_field_t));
        if (field == NULL) {
            return NULL;
        }

        if (f->nfields) {
            memcpy(field, f->field, f->nfields * sizeof(corr_field_t));
        }

        f->field = field;
        f->allocated = n;
    }

    return &f->field[f->nfields];
}


int
corr_fields_end(corr_fields_t *f)
{
    corr_str_t     name, value;
    corr_field_t  *field;

    if (!f->in_value) {
        corr_fields_value(f);
    }

    if (f->len == 0) {
        return CORR_OK;
    }

    name = corr_make_str(f->scratch, f->name_len);
    value = corr_make_str(f->scratch + f->name_len, f->len - f->name_len);

    if (!corr_fields_name_valid(name)) {
        return CORR_INVALID;
    }

    f->substituted += corr_fields_substitute(value.data,
                                             value.data + value.len);

    if (name.len == 0) {
        return CORR_OK;
    }

    field = corr_fields_push(f);
    if (field == NULL) {
        return CORR_ERROR;
    }

    field->name = corr_str_dup(f->alloc, name);
    field->value = corr_str_dup(f->alloc, value);

    if (field->name.data == NULL || field->value.data == NULL) {
        return CORR_ERROR;
    }

    f->nfields++;

    return CORR_OK;
}


int
corr_fields_add(corr_fields_t *f, corr_str_t name, corr_str_t value)
{
    int  rc;

    rc = corr_fields_begin(f);

    if (rc == CORR_OK) {
        rc = corr_fields_append(f, name.data, name.len);
    }

    if (rc == CORR_OK) {
        corr_fields_value(f);
        rc = corr_fields_append(f, value.data, value.len);
    }

    return (rc == CORR_OK) ? corr_fields_end(f) : rc;
}


corr_str_t
corr_fields_get(const corr_fields_t *f, const char *name)
{
    return corr_fields_nth(f, name, 0);
}


corr_str_t
corr_fields_nth(const corr_fields_t *f, const char *name, unsigned i)
{
    unsigned    n;
    corr_str_t  none = corr_null_str;

    for (n = 0; n < f->nfields; n++) {
        if (corr_str_is(f->field[n].name, name) && i-- == 0) {
            return f->field[n].value;
        }
    }

    return none;
}
