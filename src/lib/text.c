#include "text.h"


#define CORR_ZWNJ       0x200c
#define CORR_DROP       0xfffffffe      /* classes, above any character */
#define CORR_BLANK      0xfffffffd
#define CORR_NEWLINE    0xfffffffc


/* What waits until it is known what follows. */

typedef enum {
    corr_gap_start = 0,         /* nothing was written yet */
    corr_gap_none,
    corr_gap_zwnj,
    corr_gap_space,
    corr_gap_lines
} corr_gap_e;


typedef struct {
    unsigned char              *dst;
    corr_gap_e                  gap;
    unsigned                    lines;
    uint32_t                    last;           /* what was written last */
} corr_cleaner_t;


#define CORR_TEXT_SEARCH   2    /* beside CORR_TEXT_LINES */


static uint32_t corr_text_class(uint32_t c, unsigned flags);
static int corr_text_blank(uint32_t c);
static uint32_t corr_text_compose(uint32_t base, uint32_t mark);
static uint32_t corr_text_fold(uint32_t c);
static void corr_text_put(corr_cleaner_t *t, uint32_t c);
static int corr_text_run(const corr_alloc_t *a, corr_str_t s, unsigned flags,
    corr_str_t *out);


uint32_t
corr_utf8_next(const unsigned char **p, const unsigned char *last)
{
    int                   i, n;
    uint32_t              c;
    const unsigned char  *s = *p;

    static const uint32_t  least[] = { 0, 0x80, 0x800, 0x10000 };

    c = *s++;
    *p = s;

    if (c < 0x80) {
        return c;
    }

    if (c >= 0xc2 && c <= 0xdf) {
        n = 1;
        c &= 0x1f;

    } else if ((c & 0xf0) == 0xe0) {
        n = 2;
        c &= 0x0f;

    } else if (c >= 0xf0 && c <= 0xf4) {
        n = 3;
        c &= 0x07;

    } else {
        return CORR_UTF8_BAD;
    }

    if (last - s < n) {
        return CORR_UTF8_BAD;
    }

    for (i = 0; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return CORR_UTF8_BAD;
        }

        c = (c << 6) | (s[i] & 0x3f);
    }

    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
        return CORR_UTF8_BAD;
    }

    *p = s + n;

    return c;
}


unsigned char *
corr_utf8_put(unsigned char *dst, uint32_t c)
{
    if (c < 0x80) {
        *dst++ = (unsigned char) c;
        return dst;
    }

    if (c < 0x800) {
        *dst++ = (unsigned char) (0xc0 | c >> 6);

    } else {
        if (c < 0x10000) {
            *dst++ = (unsigned char) (0xe0 | c >> 12);

        } else {
            *dst++ = (unsigned char) (0xf0 | c >> 18);
            *dst++ = (unsigned char) (0x80 | (c >> 12 & 0x3f));
        }

        *dst++ = (unsigned char) (0x80 | (c >> 6 & 0x3f));
    }

    *dst++ = (unsigned char) (0x80 | (c & 0x3f));

    return dst;
}


int
corr_utf8_valid(corr_str_t s)
{
    const unsigned char  *p, *last;

    p = s.data;
    last = p + s.len;

    while (p < last) {
        if (corr_utf8_next(&p, last) == CORR_UTF8_BAD) {
            return 0;
        }
    }

    return 1;
}


size_t
corr_utf8_length(corr_str_t s)
{
    size_t                n;
    const unsigned char  *p, *last;

    p = s.data;
    last = p + s.len;

    for (n = 0; p < last; n++) {
        (void) corr_utf8_next(&p, last);
    }

    return n;
}


corr_str_t
corr_utf8_prefix(corr_str_t s, size_t n)
{
    const unsigned char  *p, *last;

    p = s.data;
    last = p + s.len;

    while (n && p < last) {
        (void) corr_utf8_next(&p, last);
        n--;
    }

    return corr_make_str(s.data, (size_t) (p - s.data));
}


int
corr_text_clean(const corr_alloc_t *a, corr_str_t s, unsigned flags,
    corr_str_t *out)
{
    return corr_text_run(a, s, flags & CORR_TEXT_LINES, out);
}


int
corr_text_search(const corr_alloc_t *a, corr_str_t s, corr_str_t *out)
{
    return corr_text_run(a, s, CORR_TEXT_SEARCH, out);
}


static int
corr_text_run(const corr_alloc_t *a, corr_str_t s, unsigned flags,
    corr_str_t *out)
{
    uint32_t              c;
    corr_cleaner_t        t;
    const unsigned char  *p, *last;

    out->len = 0;
    out->data = corr_alloc(a, s.len + 1);
    if (out->data == NULL) {
        return CORR_ERROR;
    }

    t.dst = out->data;
    t.gap = corr_gap_start;
    t.lines = 0;
    t.last = 0;

    p = s.data;
    last = p + s.len;

    while (p < last) {
        c = corr_utf8_next(&p, last);

        if (c == '\r' && p < last && *p == '\n') {
            p++;
        }

        c = corr_text_class(c, flags);

        if (c == CORR_UTF8_BAD) {
            return CORR_INVALID;
        }

        if (c == CORR_DROP) {
            continue;
        }

        if (flags & CORR_TEXT_SEARCH) {
            c = corr_text_fold(c);
        }

        if (c != CORR_DROP) {
            corr_text_put(&t, c);
        }
    }

    *t.dst = '\0';
    out->len = (size_t) (t.dst - out->data);

    return CORR_OK;
}


/* The character as it is kept, or its class; CORR_UTF8_BAD: refused. */

static uint32_t
corr_text_class(uint32_t c, unsigned flags)
{
    if (corr_text_blank(c)) {
        return CORR_BLANK;
    }

    if (c == '\n' || c == '\r' || c == 0x2028 || c == 0x2029) {
        return (flags & CORR_TEXT_LINES) ? CORR_NEWLINE : CORR_BLANK;
    }

    if (c < 0x20 || (c >= 0x7f && c < 0xa0)
        || (c & 0xfffe) == 0xfffe || (c >= 0xfdd0 && c <= 0xfdef))
    {
        return CORR_UTF8_BAD;
    }

    switch (c) {

    case 0x0640:        /* tatweel */
    case 0x00ad:        /* soft hyphen */
    case 0x200b:        /* zero width space */
    case 0xfeff:        /* byte order mark */
        return CORR_DROP;

    case 0x064a:        /* Arabic yeh */
    case 0x0649:        /* alef maksura */
        return 0x06cc;

    case 0x0643:        /* Arabic kaf */
        return 0x06a9;

    case 0x200e:
    case 0x200f:
    case 0x061c:
        return (flags & CORR_TEXT_LINES) ? c : CORR_DROP;
    }

    if ((c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069)) {
        return CORR_DROP;
    }

    return c;
}


/* Spaces of Unicode (Zs) and the tab. */

static int
corr_text_blank(uint32_t c)
{
    return c == ' ' || c == '\t' || c == 0xa0 || c == 0x1680
           || (c >= 0x2000 && c <= 0x200a)
           || c == 0x202f || c == 0x205f || c == 0x3000;
}


/* A letter with a madda or hamza of its own is one character; 0: it is not. */

static uint32_t
corr_text_compose(uint32_t base, uint32_t mark)
{
    if (base == 0x0627 && mark >= 0x0653 && mark <= 0x0655) {
        return (mark == 0x0655) ? 0x0625 : 0x0622 + (mark - 0x0653);
    }

    if (mark == 0x0654 && base == 0x0648) {
        return 0x0624;
    }

    if (mark == 0x0654 && base == 0x06cc) {
        return 0x0626;
    }

    return 0;
}


static uint32_t
corr_text_fold(uint32_t c)
{
    if (c >= 'A' && c <= 'Z') {
        return c + ('a' - 'A');
    }

    if (c >= 0x06f0 && c <= 0x06f9) {
        return c - 0x06f0 + '0';
    }

    if (c >= 0x0660 && c <= 0x0669) {
        return c - 0x0660 + '0';
    }

    if (c >= 0x064b && c <= 0x065f) {
        return CORR_DROP;
    }

    switch (c) {

    case CORR_ZWNJ:
        return CORR_BLANK;

    case 0x0622:
    case 0x0623:
    case 0x0625:
    case 0x0671:
        return 0x0627;

    case 0x0624:
        return 0x0648;

    case 0x0626:
        return 0x06cc;

    case 0x0629:
    case 0x06c0:
    case 0x06c2:
        return 0x0647;

    case 0x0621:
    case 0x0670:
    case 0x200d:
        return CORR_DROP;
    }

    return c;
}


/* Writes what the gap comes to, now that a character follows it. */

static void
corr_text_fill(corr_cleaner_t *t)
{
    switch (t->gap) {

    case corr_gap_start:
    case corr_gap_none:
        break;

    case corr_gap_zwnj:
        t->dst = corr_utf8_put(t->dst, CORR_ZWNJ);
        break;

    case corr_gap_space:
        *t->dst++ = ' ';
        break;

    case corr_gap_lines:
        *t->dst++ = '\n';

        if (t->lines > 1) {
            *t->dst++ = '\n';
        }

        break;
    }

    t->gap = corr_gap_none;
    t->lines = 0;
}


static void
corr_text_put(corr_cleaner_t *t, uint32_t c)
{
    uint32_t  whole;

    switch (c) {

    case CORR_NEWLINE:
        if (t->gap != corr_gap_start) {
            t->lines++;
            t->gap = corr_gap_lines;
        }

        return;

    case CORR_BLANK:
        if (t->gap == corr_gap_none || t->gap == corr_gap_zwnj) {
            t->gap = corr_gap_space;
        }

        return;

    case CORR_ZWNJ:
        if (t->gap == corr_gap_none) {
            t->gap = corr_gap_zwnj;
        }

        return;
    }

    whole = (t->gap == corr_gap_none) ? corr_text_compose(t->last, c) : 0;

    if (whole) {
        t->dst -= 2;            /* both are two bytes long */
        c = whole;
    }

    corr_text_fill(t);
    t->dst = corr_utf8_put(t->dst, c);
    t->last = c;
}


/* Not allowed in a file name somewhere, or able to deceive its reader. */

static int
corr_filename_unsafe(unsigned char c)
{
    return c == ':' || c == '*' || c == '?' || c == '"' || c == '<'
           || c == '>' || c == '|';
}


/* Where the extension begins: ".jpeg"; the end when there is none. */

static size_t
corr_filename_extension(corr_str_t s)
{
    size_t  i;

    for (i = s.len; i > 1 && s.len - i < 8; i--) {
        if (s.data[i - 1] == '.') {
            return i - 1;
        }
    }

    return s.len;
}


static void
corr_filename_shorten(corr_str_t *s, size_t max)
{
    size_t      at, kept;
    corr_str_t  extension, stem;

    if (corr_utf8_length(*s) <= max) {
        return;
    }

    at = corr_filename_extension(*s);
    extension = corr_make_str(s->data + at, s->len - at);
    kept = corr_utf8_length(extension);

    stem = corr_utf8_prefix(corr_make_str(s->data, at), max - kept);

    memmove(s->data + stem.len, extension.data, extension.len);
    s->len = stem.len + extension.len;
    s->data[s->len] = '\0';
}


int
corr_text_filename(const corr_alloc_t *a, corr_str_t s, size_t max,
    corr_str_t *out)
{
    int          rc;
    size_t       i;
    corr_str_t   name;

    for (i = s.len; i > 0; i--) {
        if (s.data[i - 1] == '/' || s.data[i - 1] == '\\') {
            break;
        }
    }

    name = corr_str_dup(a, corr_make_str(s.data + i, s.len - i));
    if (name.data == NULL) {
        return CORR_ERROR;
    }

    for (i = 0; i < name.len; i++) {
        if (name.data[i] < 0x20 || name.data[i] == 0x7f) {
            name.data[i] = ' ';

        } else if (corr_filename_unsafe(name.data[i])) {
            name.data[i] = '_';
        }
    }

    rc = corr_text_clean(a, name, 0, out);
    if (rc != CORR_OK) {
        return rc;
    }

    while (out->len && (out->data[0] == '.' || out->data[0] == ' ')) {
        out->data++;
        out->len--;
    }

    corr_filename_shorten(out, max);

    /* Windows leaves them out: "a.hta." would be "a.hta" there */

    while (out->len && (out->data[out->len - 1] == '.'
                        || out->data[out->len - 1] == ' '))
    {
        out->data[--out->len] = '\0';
    }

    return CORR_OK;
}
