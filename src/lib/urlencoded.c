#include "urlencoded.h"
#include "encode.h"


typedef enum {
    corr_ue_start = 0,          /* before a field */
    corr_ue_text,
    corr_ue_high,               /* behind % */
    corr_ue_low
} corr_ue_state_e;


static int corr_urlencoded_escape(corr_urlencoded_t *u, unsigned char c);
static int corr_urlencoded_byte(corr_urlencoded_t *u, unsigned char c);
static size_t corr_urlencoded_plain(const unsigned char *p,
    const unsigned char *last);


void
corr_urlencoded_init(corr_urlencoded_t *u, corr_fields_t *fields)
{
    u->fields = fields;
    u->state = corr_ue_start;
    u->high = 0;
    u->failed = CORR_OK;
}


int
corr_urlencoded_feed(corr_urlencoded_t *u, corr_str_t data)
{
    size_t                n;
    const unsigned char  *p, *last;

    p = data.data;
    last = p + data.len;

    while (p < last && u->failed == CORR_OK) {

        if (u->state >= corr_ue_high) {
            u->failed = corr_urlencoded_escape(u, *p++);
            continue;
        }

        if (u->state == corr_ue_start && *p != '&') {
            u->failed = corr_fields_begin(u->fields);
            u->state = corr_ue_text;
            continue;
        }

        n = corr_urlencoded_plain(p, last);

        if (n) {
            u->failed = corr_fields_append(u->fields, p, n);
            p += n;
            continue;
        }

        u->failed = corr_urlencoded_byte(u, *p++);
    }

    return u->failed;
}


static int
corr_urlencoded_escape(corr_urlencoded_t *u, unsigned char c)
{
    int            digit;
    unsigned char  byte;

    digit = corr_hex_digit(c);

    if (digit < 0) {
        return CORR_INVALID;
    }

    if (u->state == corr_ue_high) {
        u->high = (unsigned) digit;
        u->state = corr_ue_low;
        return CORR_OK;
    }

    u->state = corr_ue_text;
    byte = (unsigned char) (u->high << 4 | (unsigned) digit);

    return corr_fields_append(u->fields, &byte, 1);
}


/* One of the bytes that mean something. */

static int
corr_urlencoded_byte(corr_urlencoded_t *u, unsigned char c)
{
    switch (c) {

    case '&':
        if (u->state == corr_ue_start) {
            return CORR_OK;         /* "a=1&&b=2" */
        }

        u->state = corr_ue_start;

        return corr_fields_end(u->fields);

    case '%':
        u->state = corr_ue_high;
        return CORR_OK;

    case '+':
        return corr_fields_append(u->fields, " ", 1);
    }

    /* '=' */

    if (u->fields->in_value) {
        return corr_fields_append(u->fields, "=", 1);
    }

    corr_fields_value(u->fields);

    return CORR_OK;
}


static size_t
corr_urlencoded_plain(const unsigned char *p, const unsigned char *last)
{
    const unsigned char  *start = p;

    while (p < last && *p != '&' && *p != '=' && *p != '%' && *p != '+') {
        p++;
    }

    return (size_t) (p - start);
}


int
corr_urlencoded_finish(corr_urlencoded_t *u)
{
    if (u->failed != CORR_OK) {
        return u->failed;
    }

    if (u->state >= corr_ue_high) {
        u->failed = CORR_INVALID;

    } else if (u->state == corr_ue_text) {
        u->failed = corr_fields_end(u->fields);
    }

    u->state = corr_ue_start;

    return u->failed;
}


int
corr_query_parse(corr_fields_t *fields, corr_str_t query)
{
    int                rc;
    corr_urlencoded_t  u;

    corr_urlencoded_init(&u, fields);

    rc = corr_urlencoded_feed(&u, query);

    if (rc == CORR_OK) {
        rc = corr_urlencoded_finish(&u);
    }

    return (rc == CORR_OK && fields->substituted) ? CORR_INVALID : rc;
}
