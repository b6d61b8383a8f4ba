#include "accept.h"


typedef struct {
    int          specific;      /* 0 no range, 1 any, 2 type, 3 exact */
    int          quality;       /* 0..1000 */
} corr_accept_t;


static const unsigned char *corr_accept_until(const unsigned char *p,
    const unsigned char *last, unsigned char c);
static int corr_accept_range(corr_str_t range, corr_accept_t *json,
    corr_accept_t *html);
static int corr_accept_quality(corr_str_t parameters);


int
corr_accept_json(corr_str_t accept)
{
    corr_accept_t         json, html;
    const unsigned char  *p, *last, *end;

    memset(&json, 0, sizeof(corr_accept_t));
    memset(&html, 0, sizeof(corr_accept_t));

    p = accept.data;
    last = p + accept.len;

    while (p < last) {
        end = corr_accept_until(p, last, ',');

        if (corr_accept_range(corr_make_str(p, (size_t) (end - p)), &json,
                              &html)
            != CORR_OK)
        {
            return 0;
        }

        p = (end < last) ? end + 1 : last;
    }

    return json.quality > html.quality
           || (json.quality == html.quality && json.quality > 0
               && json.specific > html.specific);
}


/* The next c outside of quotes, or last. */

static const unsigned char *
corr_accept_until(const unsigned char *p, const unsigned char *last,
    unsigned char c)
{
    int  quoted = 0;

    for ( /* void */ ; p < last; p++) {
        if (*p == '"') {
            quoted = !quoted;

        } else if (quoted && *p == '\\' && p + 1 < last) {
            p++;

        } else if (!quoted && *p == c) {
            break;
        }
    }

    return p;
}


static corr_str_t
corr_accept_trim(const unsigned char *p, const unsigned char *last)
{
    while (p < last && (*p == ' ' || *p == '\t')) {
        p++;
    }

    while (p < last && (last[-1] == ' ' || last[-1] == '\t')) {
        last--;
    }

    return corr_make_str(p, (size_t) (last - p));
}


static int
corr_accept_same(corr_str_t s, const char *lower)
{
    size_t         i;
    unsigned char  c;

    if (s.len != strlen(lower)) {
        return 0;
    }

    for (i = 0; i < s.len; i++) {
        c = s.data[i];

        if (c >= 'A' && c <= 'Z') {
            c |= 0x20;
        }

        if (c != (unsigned char) lower[i]) {
            return 0;
        }
    }

    return 1;
}


static void
corr_accept_take(corr_accept_t *type, int specific, int quality)
{
    if (specific > type->specific
        || (specific == type->specific && quality > type->quality))
    {
        type->specific = specific;
        type->quality = quality;
    }
}


static int
corr_accept_range(corr_str_t range, corr_accept_t *json, corr_accept_t *html)
{
    int                   quality;
    corr_str_t            type;
    const unsigned char  *last, *semicolon;

    last = range.data + range.len;
    semicolon = corr_accept_until(range.data, last, ';');
    type = corr_accept_trim(range.data, semicolon);

    if (type.len == 0) {
        /* an empty list element is allowed */
        return (semicolon == last) ? CORR_OK : CORR_INVALID;
    }

    quality = corr_accept_quality(
                  corr_make_str(semicolon, (size_t) (last - semicolon)));

    if (quality < 0 || memchr(type.data, '/', type.len) == NULL) {
        return CORR_INVALID;
    }

    if (corr_accept_same(type, "application/json")) {
        corr_accept_take(json, 3, quality);

    } else if (corr_accept_same(type, "text/html")) {
        corr_accept_take(html, 3, quality);

    } else if (corr_accept_same(type, "application/*")) {
        corr_accept_take(json, 2, quality);

    } else if (corr_accept_same(type, "text/*")) {
        corr_accept_take(html, 2, quality);

    } else if (corr_accept_same(type, "*/*")) {
        corr_accept_take(json, 1, quality);
        corr_accept_take(html, 1, quality);
    }

    return CORR_OK;
}


/* 0, 1, or either with up to three decimals, as thousandths; -1: not so. */

static int
corr_accept_qvalue(corr_str_t s)
{
    int     value, weight;
    size_t  i;

    if (s.len == 0 || s.len > 5 || (s.data[0] != '0' && s.data[0] != '1')
        || (s.len > 1 && s.data[1] != '.'))
    {
        return -1;
    }

    value = (s.data[0] - '0') * 1000;
    weight = 100;

    for (i = 2; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') {
            return -1;
        }

        value += (s.data[i] - '0') * weight;
        weight /= 10;
    }

    return (value > 1000) ? -1 : value;
}


/* The q among ";name=value;..."; 1000 when there is none. */

static int
corr_accept_quality(corr_str_t parameters)
{
    corr_str_t            parameter;
    const unsigned char  *p, *last, *end;

    p = parameters.data;
    last = p + parameters.len;

    while (p < last) {
        p++;                            /* the semicolon */
        end = corr_accept_until(p, last, ';');
        parameter = corr_accept_trim(p, end);

        if (parameter.len >= 2 && (parameter.data[0] | 0x20) == 'q'
            && parameter.data[1] == '=')
        {
            return corr_accept_qvalue(corr_make_str(parameter.data + 2,
                                                    parameter.len - 2));
        }

        p = end;
    }

    return 1000;
}
