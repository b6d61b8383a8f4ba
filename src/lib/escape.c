#include "escape.h"
#include "encode.h"


#define CORR_ESCAPE_MAX   8     /* the longest replacement */


/*
 * What stands at p: the length of its replacement in buf, with the bytes it
 * replaces in *used; *used == 0: the byte may stay as it is.
 */

typedef size_t (*corr_unit_pt)(const unsigned char *p,
    const unsigned char *last, unsigned char *buf, size_t *used);


static size_t corr_html_unit(const unsigned char *p,
    const unsigned char *last, unsigned char *buf, size_t *used);
static size_t corr_url_unit(const unsigned char *p,
    const unsigned char *last, unsigned char *buf, size_t *used);
static size_t corr_json_unit(const unsigned char *p,
    const unsigned char *last, unsigned char *buf, size_t *used);
static size_t corr_csv_unit(const unsigned char *p,
    const unsigned char *last, unsigned char *buf, size_t *used);
static size_t corr_log_unit(const unsigned char *p,
    const unsigned char *last, unsigned char *buf, size_t *used);


static size_t
corr_replace(unsigned char *buf, const char *text, size_t *used)
{
    size_t  n = strlen(text);

    memcpy(buf, text, n);
    *used = 1;

    return n;
}


/* prefix and two hex digits */

static size_t
corr_replace_hex(unsigned char *buf, const char *prefix, unsigned char c,
    const char *digits, size_t *used)
{
    size_t  n;

    n = corr_replace(buf, prefix, used);
    buf[n] = (unsigned char) digits[c >> 4];
    buf[n + 1] = (unsigned char) digits[c & 15];

    return n + 2;
}


static size_t
corr_html_unit(const unsigned char *p, const unsigned char *last,
    unsigned char *buf, size_t *used)
{
    (void) last;

    switch (*p) {

    case '&':
        return corr_replace(buf, "&amp;", used);

    case '<':
        return corr_replace(buf, "&lt;", used);

    case '>':
        return corr_replace(buf, "&gt;", used);

    case '"':
        return corr_replace(buf, "&quot;", used);

    case '\'':
        return corr_replace(buf, "&#39;", used);
    }

    *used = 0;

    return 0;
}


static size_t
corr_url_unit(const unsigned char *p, const unsigned char *last,
    unsigned char *buf, size_t *used)
{
    unsigned char  c = *p;

    (void) last;

    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')
        || (c >= 'A' && c <= 'Z')
        || c == '-' || c == '.' || c == '_' || c == '~')
    {
        *used = 0;
        return 0;
    }

    return corr_replace_hex(buf, "%", c, "0123456789ABCDEF", used);
}


static size_t
corr_json_unit(const unsigned char *p, const unsigned char *last,
    unsigned char *buf, size_t *used)
{
    size_t  n;

    switch (*p) {

    case '"':
        return corr_replace(buf, "\\\"", used);

    case '\\':
        return corr_replace(buf, "\\\\", used);

    case '\n':
        return corr_replace(buf, "\\n", used);

    case '\r':
        return corr_replace(buf, "\\r", used);

    case '\t':
        return corr_replace(buf, "\\t", used);

    case 0xe2:
        /* U+2028 and U+2029 end a line in older JavaScript */

        if (last - p >= 3 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9)) {
            n = corr_replace(buf, p[2] == 0xa8 ? "\\u2028" : "\\u2029", used);
            *used = 3;
            return n;
        }

        break;

    case '<':
    case '>':
    case '&':
    case 0x7f:
        return corr_replace_hex(buf, "\\u00", *p, "0123456789abcdef", used);
    }

    if (*p < 0x20) {
        return corr_replace_hex(buf, "\\u00", *p, "0123456789abcdef", used);
    }

    *used = 0;

    return 0;
}


static int
corr_csv_sign(const unsigned char *p, const unsigned char *last)
{
    if (p == last) {
        return 0;
    }

    if (*p == '=' || *p == '+' || *p == '-' || *p == '@') {
        return 1;
    }

    /* U+FF1D, U+FF0B, U+FF0D, U+FF20 */

    return last - p >= 3 && p[0] == 0xef && p[1] == 0xbc
           && (p[2] == 0x9d || p[2] == 0x8b || p[2] == 0x8d || p[2] == 0xa0);
}


/*
 * Where lists are separated by semicolons a program of tables cuts at those of
 * a text, whatever quotes stand around it: what would begin a cell there must
 * be no formula either.
 */

static size_t
corr_csv_unit(const unsigned char *p, const unsigned char *last,
    unsigned char *buf, size_t *used)
{
    size_t  n;

    if (*p == '"') {
        return corr_replace(buf, "\"\"", used);
    }

    *used = 0;

    /* U+061B is the Persian one */

    n = (*p == ';' || *p == '\t' || *p == '\n' || *p == '\r') ? 1
        : (last - p >= 2 && p[0] == 0xd8 && p[1] == 0x9b) ? 2 : 0;

    if (n == 0 || p + n == last
        || (p[n] != '"' && !corr_csv_sign(p + n, last)))
    {
        return 0;
    }

    memcpy(buf, p, n);
    buf[n] = '\'';
    *used = n;

    return n + 1;
}


static size_t
corr_log_unit(const unsigned char *p, const unsigned char *last,
    unsigned char *buf, size_t *used)
{
    (void) last;

    if (*p < 0x20 || *p == 0x7f || *p == '\\') {
        return corr_replace_hex(buf, "\\x", *p, "0123456789abcdef", used);
    }

    /* U+0080..9F: some terminals take them for controls as well */

    if (last - p >= 2 && p[0] == 0xc2 && p[1] < 0xa0) {
        size_t  n;

        n = corr_replace_hex(buf, "\\x", p[1], "0123456789abcdef", used);
        *used = 2;

        return n;
    }

    *used = 0;

    return 0;
}


/*
 * The bytes at which the two writers that pages call all the time may have
 * something to do: a call for each byte costs a third of a page's time.
 */

static const unsigned char  corr_html_bytes[256] = {
    ['&'] = 1, ['<'] = 1, ['>'] = 1, ['"'] = 1, ['\''] = 1
};

static const unsigned char  corr_json_bytes[256] = {
    [0x00 ... 0x1f] = 1, ['"'] = 1, ['\\'] = 1, ['<'] = 1, ['>'] = 1,
    ['&'] = 1, [0x7f] = 1, [0xe2] = 1
};


/* bytes may be NULL: unit is asked about every one. */

static int
corr_escape_units(corr_unit_pt unit, const unsigned char *bytes,
    corr_str_t s, corr_write_pt write, void *data)
{
    int                   rc;
    size_t                n, used;
    unsigned char         buf[CORR_ESCAPE_MAX];
    const unsigned char  *p, *start, *last;

    start = s.data;
    last = start + s.len;
    p = start;

    while (p < last) {
        if (bytes != NULL && !bytes[*p]) {
            p++;
            continue;
        }

        n = unit(p, last, buf, &used);

        if (used == 0) {
            p++;
            continue;
        }

        rc = (p > start) ? write(data, start, (size_t) (p - start)) : CORR_OK;

        if (rc == CORR_OK) {
            rc = write(data, buf, n);
        }

        if (rc != CORR_OK) {
            return rc;
        }

        p += used;
        start = p;
    }

    return (p > start) ? write(data, start, (size_t) (p - start)) : CORR_OK;
}


static int
corr_csv_formula(corr_str_t s)
{
    if (s.len == 0) {
        return 0;
    }

    switch (s.data[0]) {

    case '\t':
    case '\r':
    case '\n':
    case '\0':
        return 1;
    }

    return corr_csv_sign(s.data, s.data + s.len);
}


static int
corr_csv_quoted(corr_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (s.data[i] == ',' || s.data[i] == '"' || s.data[i] == '\n'
            || s.data[i] == '\r' || s.data[i] == ';' || s.data[i] == '\t')
        {
            return 1;
        }
    }

    return s.len > 0 && (s.data[0] == ' ' || s.data[s.len - 1] == ' ');
}


static int
corr_escape_csv(corr_str_t s, corr_write_pt write, void *data)
{
    int  rc, quoted;

    quoted = corr_csv_quoted(s);
    rc = quoted ? write(data, "\"", 1) : CORR_OK;

    if (rc == CORR_OK && corr_csv_formula(s)) {
        rc = write(data, "'", 1);
    }

    if (rc == CORR_OK) {
        rc = corr_escape_units(corr_csv_unit, NULL, s, write, data);
    }

    return (rc == CORR_OK && quoted) ? write(data, "\"", 1) : rc;
}


int
corr_escape_write(corr_escape_e kind, corr_str_t s, corr_write_pt write,
    void *data)
{
    switch (kind) {

    case CORR_ESCAPE_HTML:
        return corr_escape_units(corr_html_unit, corr_html_bytes, s, write,
                                 data);

    case CORR_ESCAPE_URL:
        return corr_escape_units(corr_url_unit, NULL, s, write, data);

    case CORR_ESCAPE_JSON:
        return corr_escape_units(corr_json_unit, corr_json_bytes, s, write,
                                 data);

    case CORR_ESCAPE_CSV:
        return corr_escape_csv(s, write, data);

    case CORR_ESCAPE_LOG:
        return corr_escape_units(corr_log_unit, NULL, s, write, data);
    }

    return CORR_ERROR;
}


static int
corr_escape_count(void *data, const void *p, size_t n)
{
    size_t  *len = data;

    (void) p;
    *len += n;

    return CORR_OK;
}


static int
corr_escape_copy(void *data, const void *p, size_t n)
{
    unsigned char  **dst = data;

    memcpy(*dst, p, n);
    *dst += n;

    return CORR_OK;
}


size_t
corr_escape_len(corr_escape_e kind, corr_str_t s)
{
    size_t  len = 0;

    (void) corr_escape_write(kind, s, corr_escape_count, &len);

    return len;
}


unsigned char *
corr_escape_put(corr_escape_e kind, unsigned char *dst, corr_str_t s)
{
    (void) corr_escape_write(kind, s, corr_escape_copy, &dst);

    return dst;
}


corr_str_t
corr_escape(const corr_alloc_t *a, corr_escape_e kind, corr_str_t s)
{
    size_t      len;
    corr_str_t  out;

    if (s.len == 0) {
        return CORR_STR("");
    }

    /* nothing is ever replaced by something of the same length */

    len = corr_escape_len(kind, s);

    if (len == s.len) {
        return s;
    }

    out.len = 0;
    out.data = corr_alloc(a, len + 1);
    if (out.data == NULL) {
        return out;
    }

    *corr_escape_put(kind, out.data, s) = '\0';
    out.len = len;

    return out;
}


int
corr_header_value_valid(corr_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if ((s.data[i] < 0x20 && s.data[i] != '\t') || s.data[i] == 0x7f) {
            return 0;
        }
    }

    return s.len == 0
           || (s.data[0] != ' ' && s.data[0] != '\t'
               && s.data[s.len - 1] != ' ' && s.data[s.len - 1] != '\t');
}


/* The byte at i, decoded when it is %XX; *size bytes of s; -1: none. */

static int
corr_path_byte(corr_str_t s, size_t i, size_t *size)
{
    int  high, low;

    *size = 1;

    if (s.data[i] != '%') {
        return (s.data[i] > 0x20 && s.data[i] < 0x7f) ? s.data[i] : -1;
    }

    if (s.len - i < 3) {
        return -1;
    }

    high = corr_hex_digit(s.data[i + 1]);
    low = corr_hex_digit(s.data[i + 2]);

    if (high < 0 || low < 0) {
        return -1;
    }

    *size = 3;

    return high << 4 | low;
}


int
corr_path_local(corr_str_t s)
{
    int     c;
    size_t  i, n, size;

    for (i = 0, n = 0; i < s.len; i += size, n++) {
        c = corr_path_byte(s, i, &size);

        if (c < 0x20 || c == 0x7f || c == '\\') {
            return 0;
        }

        if ((n == 0 && (c != '/' || size != 1)) || (n == 1 && c == '/')) {
            return 0;
        }
    }

    return s.len > 0;
}
