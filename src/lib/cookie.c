#include "cookie.h"


typedef struct {
    corr_str_t   name;
    corr_str_t   value;
    int          rc;
} corr_cookie_t;


static corr_str_t
corr_cookie_trim(const unsigned char *p, const unsigned char *last)
{
    while (p < last && (*p == ' ' || *p == '\t')) {
        p++;
    }

    while (p < last && (last[-1] == ' ' || last[-1] == '\t')) {
        last--;
    }

    return corr_make_str(p, (size_t) (last - p));
}


/* One name=value, without its semicolon. */

static void
corr_cookie_pair(corr_cookie_t *c, const unsigned char *p,
    const unsigned char *last)
{
    corr_str_t            value;
    const unsigned char  *eq;

    eq = memchr(p, '=', (size_t) (last - p));

    if (eq == NULL || !corr_str_eq(corr_cookie_trim(p, eq), c->name)) {
        return;
    }

    value = corr_cookie_trim(eq + 1, last);

    if (value.len >= 2 && value.data[0] == '"'
        && value.data[value.len - 1] == '"')
    {
        value.data++;
        value.len -= 2;
    }

    if (c->rc == CORR_OK && !corr_str_eq(value, c->value)) {
        c->rc = CORR_INVALID;
    }

    if (c->rc == CORR_AGAIN) {
        c->rc = CORR_OK;
        c->value = value;
    }
}


int
corr_cookie_find(const corr_str_t *headers, size_t n, corr_str_t name,
    corr_str_t *value)
{
    size_t                i;
    corr_cookie_t         c;
    const unsigned char  *p, *last, *end;

    c.name = name;
    c.value = corr_make_str(NULL, 0);
    c.rc = CORR_AGAIN;

    for (i = 0; i < n; i++) {
        p = headers[i].data;
        last = p + headers[i].len;

        while (p < last) {
            end = memchr(p, ';', (size_t) (last - p));

            if (end == NULL) {
                end = last;
            }

            corr_cookie_pair(&c, p, end);
            p = (end < last) ? end + 1 : last;
        }
    }

    *value = (c.rc == CORR_OK) ? c.value : corr_make_str(NULL, 0);

    return c.rc;
}
