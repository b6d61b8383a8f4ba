/*
 * The body is a line of states; only START and DATA look for delimiters.
 *
 *   START --delimiter--> HEAD --empty line--> DATA --delimiter--> HEAD ...
 *     \_______________ close delimiter ________\____> CLOSED ---> TAIL
 *
 * A delimiter begins with the only CR it has before its end, so a failed
 * match never has to be tried again from its middle.
 */

#include "multipart.h"
#include "text.h"


#define CORR_MP_GO_ON   1       /* the state has changed; no event */


typedef enum {
    corr_mp_start = 0,
    corr_mp_head,
    corr_mp_data,
    corr_mp_closed,             /* END is to be told */
    corr_mp_tail
} corr_mp_state_e;


/* Where in CR LF -- boundary [ -- | blanks CR LF ] the match is. */

typedef enum {
    corr_mp_text = 0,           /* m->matched bytes of m->delimiter */
    corr_mp_after,
    corr_mp_dash,
    corr_mp_blank,              /* m->matched blanks */
    corr_mp_cr,
    corr_mp_done                /* in the tail: its CR LF was there */
} corr_mp_match_e;


typedef enum {
    corr_mp_more = 0,
    corr_mp_no,
    corr_mp_next_part,
    corr_mp_close
} corr_mp_step_e;


/* What the header lines of one part say. */

typedef struct {
    corr_str_t      name;
    corr_str_t      filename;
    corr_str_t      content_type;
    unsigned        disposition;
    unsigned        encoding;
    unsigned        foreign_charset;
} corr_mp_part_t;


typedef struct {
    corr_str_t      name;
    corr_str_t      value;          /* without its quotes, not decoded */
    unsigned        quoted;
} corr_mp_param_t;


static int corr_multipart_start(corr_multipart_t *m, corr_str_t *in);
static int corr_multipart_head(corr_multipart_t *m, corr_str_t *in,
    corr_multipart_event_t *event);
static int corr_multipart_data(corr_multipart_t *m, corr_str_t *in,
    corr_multipart_event_t *event);
static int corr_multipart_tail(corr_multipart_t *m, corr_str_t *in);
static int corr_mp_part(corr_multipart_t *m, corr_multipart_event_t *event);


static int
corr_mp_same(corr_str_t s, const char *lower)
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


static int
corr_mp_alnum(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')
           || (c >= 'A' && c <= 'Z');
}


/* A token of RFC 9110, 5.6.2. */

static int
corr_mp_token(corr_str_t s)
{
    size_t         i;
    unsigned char  c;

    for (i = 0; i < s.len; i++) {
        c = s.data[i];

        if (!corr_mp_alnum(c)
            && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL))
        {
            return 0;
        }
    }

    return s.len > 0;
}


/* bchars of RFC 2046, 5.1.1; plain: those that need no quotes in practice. */

static int
corr_mp_boundary_valid(corr_str_t s, int plain)
{
    size_t         i;
    unsigned char  c;

    if (s.len == 0 || s.len > CORR_BOUNDARY_MAX || s.data[s.len - 1] == ' ') {
        return 0;
    }

    for (i = 0; i < s.len; i++) {
        c = s.data[i];

        if (!corr_mp_alnum(c)
            && (c == '\0' || strchr("'()+_,-./:=? ", c) == NULL
                || (plain && (c == ',' || c == ' '))))
        {
            return 0;
        }
    }

    return 1;
}


static void
corr_mp_skip_blanks(corr_str_t *s)
{
    while (s->len && (s->data[0] == ' ' || s->data[0] == '\t')) {
        s->data++;
        s->len--;
    }
}


static corr_str_t
corr_mp_take(corr_str_t *s, size_t n)
{
    corr_str_t  taken = corr_make_str(s->data, n);

    s->data += n;
    s->len -= n;

    return taken;
}


/* Up to the first of the characters in stop. */

static corr_str_t
corr_mp_take_until(corr_str_t *s, const char *stop)
{
    size_t  n;

    for (n = 0; n < s->len; n++) {
        if (s->data[n] != '\0' && strchr(stop, s->data[n]) != NULL) {
            break;
        }
    }

    return corr_mp_take(s, n);
}


/*
 * The length of a quoted string at s, its quotes included; 0: it does not
 * end.  Browsers do not escape a backslash, so one only escapes a quote or
 * another backslash.
 */

static size_t
corr_mp_quoted_len(corr_str_t s)
{
    size_t  i;

    for (i = 1; i < s.len; i++) {
        if (s.data[i] == '"') {
            return i + 1;
        }

        if (s.data[i] == '\\' && i + 1 < s.len
            && (s.data[i + 1] == '"' || s.data[i + 1] == '\\'))
        {
            i++;
        }
    }

    return 0;
}


/*
 * One "; name=value" from s, which moves behind it.  CORR_OK, CORR_AGAIN at
 * the end, CORR_INVALID.
 */

static int
corr_mp_param(corr_str_t *s, corr_mp_param_t *param)
{
    size_t  n;

    corr_mp_skip_blanks(s);

    if (s->len == 0) {
        return CORR_AGAIN;
    }

    if (s->data[0] != ';') {
        return CORR_INVALID;
    }

    (void) corr_mp_take(s, 1);
    corr_mp_skip_blanks(s);

    param->name = corr_mp_take_until(s, "=;\" \t");

    if (s->len < 2 || s->data[0] != '=' || !corr_mp_token(param->name)) {
        return CORR_INVALID;
    }

    (void) corr_mp_take(s, 1);
    param->quoted = (s->data[0] == '"');

    if (!param->quoted) {
        param->value = corr_mp_take_until(s, ";\" \t");
        return param->value.len ? CORR_OK : CORR_INVALID;
    }

    n = corr_mp_quoted_len(*s);
    if (n == 0) {
        return CORR_INVALID;
    }

    param->value = corr_mp_take(s, n);
    param->value.data++;
    param->value.len -= 2;

    return CORR_OK;
}


/* "type/subtype" at the front of s, which moves behind it. */

static int
corr_mp_media_type(corr_str_t *s, corr_str_t *type)
{
    corr_str_t      part, rest;
    unsigned char  *slash;

    corr_mp_skip_blanks(s);
    *type = corr_mp_take_until(s, "; \t");

    slash = type->len ? memchr(type->data, '/', type->len) : NULL;
    if (slash == NULL) {
        return CORR_INVALID;
    }

    part = corr_make_str(type->data, (size_t) (slash - type->data));
    rest = corr_make_str(slash + 1, type->len - part.len - 1);

    return corr_mp_token(part) && corr_mp_token(rest) ? CORR_OK
                                                      : CORR_INVALID;
}


int
corr_multipart_boundary(corr_str_t content_type, corr_str_t *boundary)
{
    int              rc;
    corr_str_t       type;
    corr_mp_param_t  param;

    boundary->len = 0;
    boundary->data = NULL;

    if (corr_mp_media_type(&content_type, &type) != CORR_OK
        || !corr_mp_same(type, "multipart/form-data"))
    {
        return CORR_INVALID;
    }

    while ((rc = corr_mp_param(&content_type, &param)) == CORR_OK) {

        if (!corr_mp_same(param.name, "boundary")) {
            continue;
        }

        if (boundary->data != NULL
            || !corr_mp_boundary_valid(param.value, !param.quoted))
        {
            return CORR_INVALID;
        }

        *boundary = param.value;
    }

    return (rc == CORR_AGAIN && boundary->data) ? CORR_OK : CORR_INVALID;
}


int
corr_multipart_init(corr_multipart_t *m, corr_str_t boundary,
    const corr_multipart_limits_t *limits)
{
    static const corr_multipart_limits_t  usual = { 64, 8, 2048, 64, 1024 };

    memset(m, 0, offsetof(corr_multipart_t, delimiter));

    m->limits = limits ? *limits : usual;

    if (m->limits.header_bytes > CORR_MULTIPART_HEAD) {
        m->limits.header_bytes = CORR_MULTIPART_HEAD;
    }

    if (!corr_mp_boundary_valid(boundary, 0)) {
        m->failed = CORR_INVALID;
        return CORR_INVALID;
    }

    memcpy(m->delimiter, "\r\n--", 4);
    memcpy(m->delimiter + 4, boundary.data, boundary.len);
    m->delimiter_len = 4 + boundary.len;

    m->state = corr_mp_start;
    m->matched = 2;             /* the first needs no CR LF */

    return CORR_OK;
}


int
corr_multipart_next(corr_multipart_t *m, corr_str_t *in,
    corr_multipart_event_t *event)
{
    int  rc;

    if (m->failed != CORR_OK) {
        return m->failed;
    }

    memset(event, 0, sizeof(corr_multipart_event_t));

    do {
        switch (m->state) {

        case corr_mp_start:
            rc = corr_multipart_start(m, in);
            break;

        case corr_mp_head:
            rc = corr_multipart_head(m, in, event);
            break;

        case corr_mp_data:
            rc = corr_multipart_data(m, in, event);
            break;

        case corr_mp_closed:
            m->state = corr_mp_tail;
            m->match = corr_mp_blank;
            m->matched = 0;
            event->type = CORR_MULTIPART_END;
            return CORR_OK;

        default:
            rc = corr_multipart_tail(m, in);
            break;
        }

    } while (rc == CORR_MP_GO_ON);

    if (rc != CORR_OK && rc != CORR_AGAIN) {
        m->failed = rc;
    }

    return rc;
}


size_t
corr_multipart_held(const corr_multipart_t *m)
{
    return (m->state == corr_mp_data) ? m->held : 0;
}


int
corr_multipart_finish(corr_multipart_t *m)
{
    if (m->failed == CORR_OK
        && (m->state != corr_mp_tail || m->match == corr_mp_cr))
    {
        m->failed = CORR_INVALID;
    }

    return m->failed;
}


static void
corr_mp_reset_match(corr_multipart_t *m)
{
    m->match = corr_mp_text;
    m->matched = 0;
}


/* One more byte of what may be a delimiter. */

static corr_mp_step_e
corr_mp_step(corr_multipart_t *m, unsigned char c)
{
    switch (m->match) {

    case corr_mp_text:
        if (c != m->delimiter[m->matched]) {
            return corr_mp_no;
        }

        if (++m->matched == m->delimiter_len) {
            m->match = corr_mp_after;
            m->matched = 0;
        }

        return corr_mp_more;

    case corr_mp_after:
        if (c == '-') {
            m->match = corr_mp_dash;
            return corr_mp_more;
        }

        m->match = corr_mp_blank;

        /* fall through */

    case corr_mp_blank:
        if (c == '\r') {
            m->match = corr_mp_cr;
            return corr_mp_more;
        }

        if ((c == ' ' || c == '\t')
            && m->matched < CORR_MULTIPART_BLANKS)
        {
            m->matched++;
            return corr_mp_more;
        }

        return corr_mp_no;

    case corr_mp_dash:
        return (c == '-') ? corr_mp_close : corr_mp_no;

    default: /* corr_mp_cr */
        return (c == '\n') ? corr_mp_next_part : corr_mp_no;
    }
}


/* A delimiter was complete: what comes behind it. */

static int
corr_mp_delimited(corr_multipart_t *m, corr_mp_step_e step)
{
    corr_mp_reset_match(m);

    if (step == corr_mp_close) {
        m->state = corr_mp_closed;
        return CORR_OK;
    }

    if (m->nparts == m->limits.parts) {
        return CORR_LIMIT;
    }

    m->nparts++;
    m->nheaders = 0;
    m->line = 0;
    m->head_len = 0;
    m->state = corr_mp_head;

    return CORR_OK;
}


static int
corr_multipart_start(corr_multipart_t *m, corr_str_t *in)
{
    int             rc;
    unsigned char   c;
    corr_mp_step_e  step;

    while (in->len) {
        c = corr_mp_take(in, 1).data[0];

        /* held counts what was seen here: one CR LF may come first */

        if (m->held++ == 0 && c == '\r') {
            m->matched = 0;
        }

        step = corr_mp_step(m, c);

        if (step == corr_mp_no) {
            return CORR_INVALID;
        }

        if (step != corr_mp_more) {
            m->held = 0;
            rc = corr_mp_delimited(m, step);

            return (rc == CORR_OK) ? CORR_MP_GO_ON : rc;
        }
    }

    return CORR_AGAIN;
}


static int
corr_mp_data_event(corr_multipart_event_t *event, const unsigned char *p,
    const unsigned char *last)
{
    event->type = CORR_MULTIPART_DATA;
    event->data = corr_make_str(p, (size_t) (last - p));

    return CORR_OK;
}


static int
corr_mp_part_end(corr_multipart_t *m, corr_mp_step_e step,
    corr_multipart_event_t *event)
{
    event->type = CORR_MULTIPART_PART_END;

    return corr_mp_delimited(m, step);
}


/* A delimiter, or what looks like one, that began in an earlier input. */

static int
corr_mp_held(corr_multipart_t *m, corr_str_t *in,
    corr_multipart_event_t *event)
{
    size_t          held;
    corr_mp_step_e  step;

    while (in->len) {
        step = corr_mp_step(m, in->data[0]);

        if (step == corr_mp_no) {
            held = m->held;
            m->held = 0;

            return corr_mp_data_event(event, m->hold, m->hold + held);
        }

        if (step == corr_mp_more) {
            m->hold[m->held++] = corr_mp_take(in, 1).data[0];
            continue;
        }

        m->held = 0;
        (void) corr_mp_take(in, 1);

        return corr_mp_part_end(m, step, event);
    }

    return CORR_AGAIN;
}


/*
 * The match that begins with the CR at p: *end is behind its last byte, or
 * where it failed.
 */

static corr_mp_step_e
corr_mp_try(corr_multipart_t *m, const unsigned char *p,
    const unsigned char *last, const unsigned char **end)
{
    corr_mp_step_e  step;

    corr_mp_reset_match(m);
    step = corr_mp_more;

    while (p < last) {
        step = corr_mp_step(m, *p);

        if (step == corr_mp_no) {
            break;
        }

        p++;

        if (step != corr_mp_more) {
            break;
        }
    }

    *end = p;

    return step;
}


static int
corr_multipart_data(corr_multipart_t *m, corr_str_t *in,
    corr_multipart_event_t *event)
{
    corr_mp_step_e        step;
    const unsigned char  *start, *p, *last, *cr, *end;

    if (m->held) {
        return corr_mp_held(m, in, event);
    }

    if (in->len == 0) {
        return CORR_AGAIN;
    }

    start = in->data;
    last = start + in->len;

    for (p = start; /* void */ ; p = end) {
        cr = memchr(p, '\r', (size_t) (last - p));

        if (cr == NULL) {
            (void) corr_mp_take(in, in->len);
            return corr_mp_data_event(event, start, last);
        }

        /* most are followed by something else */

        if (cr + 1 < last && cr[1] != '\n') {
            end = cr + 1;
            continue;
        }

        step = corr_mp_try(m, cr, last, &end);

        if (step != corr_mp_no) {
            break;
        }
    }

    if (step == corr_mp_more) {
        m->held = (size_t) (last - cr);
        memcpy(m->hold, cr, m->held);
        end = last;

    } else if (cr > start) {
        end = cr;               /* the data first; then the same again */
    }

    (void) corr_mp_take(in, (size_t) (end - start));

    if (cr > start) {
        return corr_mp_data_event(event, start, cr);
    }

    return (step == corr_mp_more) ? CORR_AGAIN
                                  : corr_mp_part_end(m, step, event);
}


static int
corr_multipart_tail(corr_multipart_t *m, corr_str_t *in)
{
    unsigned char  c;

    while (in->len) {
        c = corr_mp_take(in, 1).data[0];

        if (m->match == corr_mp_blank) {
            if (c == '\r') {
                m->match = corr_mp_cr;
                continue;
            }

            if ((c == ' ' || c == '\t')
                && m->matched++ < CORR_MULTIPART_BLANKS)
            {
                continue;
            }

            return CORR_INVALID;
        }

        if (m->match != corr_mp_cr || c != '\n') {
            return CORR_INVALID;
        }

        m->match = corr_mp_done;
    }

    return CORR_AGAIN;
}


/* A header line is complete.  CORR_OK or CORR_LIMIT. */

static int
corr_mp_line(corr_multipart_t *m)
{
    if (++m->nheaders > m->limits.headers) {
        return CORR_LIMIT;
    }

    m->head[m->head_len++] = '\n';
    m->line = m->head_len;

    return CORR_OK;
}


static int
corr_multipart_head(corr_multipart_t *m, corr_str_t *in,
    corr_multipart_event_t *event)
{
    int            rc;
    unsigned char  c;

    while (in->len) {
        c = corr_mp_take(in, 1).data[0];

        if (m->match == corr_mp_cr) {
            if (c != '\n') {
                return CORR_INVALID;
            }

            corr_mp_reset_match(m);

            if (m->head_len == m->line) {
                return corr_mp_part(m, event);
            }

            rc = corr_mp_line(m);
            if (rc != CORR_OK) {
                return rc;
            }

            continue;
        }

        if (c == '\r') {
            m->match = corr_mp_cr;
            continue;
        }

        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return CORR_INVALID;
        }

        /* one byte stays free for the end of the line */

        if (m->head_len + 1 >= m->limits.header_bytes) {
            return CORR_LIMIT;
        }

        m->head[m->head_len++] = c;
    }

    return CORR_AGAIN;
}


/* Decodes what a client put between quotes, in place. */

static corr_str_t
corr_mp_unquote(corr_mp_param_t *param)
{
    size_t          i;
    corr_str_t      s = param->value;
    unsigned char  *dst = s.data;

    if (!param->quoted) {
        return s;
    }

    for (i = 0; i < s.len; i++) {

        if (s.len - i >= 2 && s.data[i] == '\\'
            && (s.data[i + 1] == '"' || s.data[i + 1] == '\\'))
        {
            *dst++ = s.data[++i];
            continue;
        }

        if (s.len - i >= 3 && s.data[i] == '%') {
            if (memcmp(s.data + i, "%22", 3) == 0) {
                *dst++ = '"';
                i += 2;
                continue;
            }

            if (memcmp(s.data + i, "%0D", 3) == 0
                || memcmp(s.data + i, "%0A", 3) == 0)
            {
                *dst++ = ' ';
                i += 2;
                continue;
            }
        }

        *dst++ = s.data[i];
    }

    return corr_make_str(s.data, (size_t) (dst - s.data));
}


static int
corr_mp_disposition(corr_str_t value, corr_mp_part_t *part)
{
    int              rc;
    corr_str_t       type, *target;
    corr_mp_param_t  param;

    if (part->disposition++) {
        return CORR_INVALID;
    }

    type = corr_mp_take_until(&value, "; \t");

    if (!corr_mp_same(type, "form-data")) {
        return CORR_INVALID;
    }

    while ((rc = corr_mp_param(&value, &param)) == CORR_OK) {

        if (memchr(param.name.data, '*', param.name.len) != NULL) {
            return CORR_INVALID;
        }

        if (corr_mp_same(param.name, "name")) {
            target = &part->name;

        } else if (corr_mp_same(param.name, "filename")) {
            target = &part->filename;

        } else {
            continue;
        }

        if (target->data != NULL
            || (!param.quoted && !corr_mp_token(param.value)))
        {
            return CORR_INVALID;
        }

        *target = corr_mp_unquote(&param);
    }

    return (rc == CORR_AGAIN && part->name.len) ? CORR_OK : CORR_INVALID;
}


static int
corr_mp_content_type(corr_str_t value, corr_mp_part_t *part)
{
    int              rc;
    corr_mp_param_t  param;

    if (part->content_type.data != NULL
        || corr_mp_media_type(&value, &part->content_type) != CORR_OK)
    {
        return CORR_INVALID;
    }

    if (part->content_type.len > 10
        && corr_mp_same(corr_make_str(part->content_type.data, 10),
                        "multipart/"))
    {
        return CORR_INVALID;
    }

    while ((rc = corr_mp_param(&value, &param)) == CORR_OK) {

        if (corr_mp_same(param.name, "charset")
            && !corr_mp_same(param.value, "utf-8")
            && !corr_mp_same(param.value, "us-ascii"))
        {
            part->foreign_charset = 1;
        }
    }

    return (rc == CORR_AGAIN) ? CORR_OK : CORR_INVALID;
}


/* Only encodings that leave the bytes as they are. */

static int
corr_mp_encoding(corr_str_t value, corr_mp_part_t *part)
{
    if (part->encoding++) {
        return CORR_INVALID;
    }

    return corr_mp_same(value, "binary") || corr_mp_same(value, "8bit")
           || corr_mp_same(value, "7bit") ? CORR_OK : CORR_INVALID;
}


static int
corr_mp_header(corr_str_t line, corr_mp_part_t *part)
{
    corr_str_t  name;

    name = corr_mp_take_until(&line, ":");

    /* a folded line ends here too: it begins with a blank */

    if (line.len == 0 || !corr_mp_token(name)) {
        return CORR_INVALID;
    }

    (void) corr_mp_take(&line, 1);
    corr_mp_skip_blanks(&line);

    while (line.len && (line.data[line.len - 1] == ' '
                        || line.data[line.len - 1] == '\t'))
    {
        line.len--;
    }

    if (corr_mp_same(name, "content-disposition")) {
        return corr_mp_disposition(line, part);
    }

    if (corr_mp_same(name, "content-type")) {
        return corr_mp_content_type(line, part);
    }

    if (corr_mp_same(name, "content-transfer-encoding")) {
        return corr_mp_encoding(line, part);
    }

    return CORR_OK;
}


static int
corr_mp_part_check(const corr_multipart_t *m, const corr_mp_part_t *part)
{
    if (part->disposition == 0
        || (part->foreign_charset && part->filename.data == NULL))
    {
        return CORR_INVALID;
    }

    if (part->name.len > m->limits.name
        || part->filename.len > m->limits.filename)
    {
        return CORR_LIMIT;
    }

    return CORR_OK;
}


/* The empty line was there: the part begins. */

static int
corr_mp_part(corr_multipart_t *m, corr_multipart_event_t *event)
{
    int              rc;
    corr_str_t       head, line;
    corr_mp_part_t   part;

    memset(&part, 0, sizeof(corr_mp_part_t));

    head = corr_make_str(m->head, m->head_len);

    if (!corr_utf8_valid(head)) {
        return CORR_INVALID;
    }

    while (head.len) {
        line = corr_mp_take_until(&head, "\n");
        (void) corr_mp_take(&head, 1);

        rc = corr_mp_header(line, &part);
        if (rc != CORR_OK) {
            return rc;
        }
    }

    rc = corr_mp_part_check(m, &part);
    if (rc != CORR_OK) {
        return rc;
    }

    m->state = corr_mp_data;

    event->type = CORR_MULTIPART_PART;
    event->name = part.name;
    event->filename = part.filename;
    event->content_type = part.content_type;

    return CORR_OK;
}
