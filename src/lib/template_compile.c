/*
 * The compiler of templates: text into a flat list of operations.  Names
 * are split and hashed here, lines of standalone tags cut out, partials
 * found and compiled.  Static text stays where it is.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE                     /* memmem() */
#endif

#include <stdarg.h>
#include <stdio.h>

#include "template_private.h"


#define CORR_DELIMITER   16             /* bytes of a delimiter at most */


struct corr_templates_s {
    corr_alloc_t              alloc;
    unsigned                  flags;
    corr_partial_pt           loader;
    void                     *data;
    unsigned                  depth;    /* partials being compiled */
    corr_template_t          *partials;
};


typedef struct {
    unsigned                  op;
    unsigned                  line;
    corr_str_t                name;
} corr_open_section_t;


typedef struct {
    corr_templates_t         *set;
    corr_template_t          *template;
    corr_template_error_t    *error;
    corr_ops_t               *ops;
    int                       by_lines; /* the variant with indents */
    int                       fresh;    /* a line begins, indent is due */

    const unsigned char      *text;     /* static text not yet emitted */
    const unsigned char      *line_start;
    const unsigned char      *last;
    unsigned                  line;

    corr_str_t                open;     /* delimiters */
    corr_str_t                close;

    unsigned                  depth;
    corr_open_section_t       sections[CORR_TEMPLATE_DEPTH];
} corr_compiler_t;


typedef struct {
    unsigned char             sigil;    /* '\0': a plain name */
    const unsigned char      *start;
    const unsigned char      *end;      /* behind the closing delimiter */
    corr_str_t                body;     /* trimmed */
    int                       standalone;
} corr_tag_t;


static int corr_compile_text(corr_compiler_t *c, corr_str_t text);
static int corr_compile_error(corr_compiler_t *c, unsigned line,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
static int corr_compile_no_memory(corr_compiler_t *c);


corr_templates_t *
corr_templates_create(const corr_alloc_t *a, unsigned flags,
    corr_partial_pt loader, void *data)
{
    corr_templates_t  *set;

    set = corr_alloc(a, sizeof(corr_templates_t));
    if (set == NULL) {
        return NULL;
    }

    memset(set, 0, sizeof(corr_templates_t));
    set->alloc = *a;
    set->flags = flags;
    set->loader = loader;
    set->data = data;

    return set;
}


/* Compiles t from text; by_lines: its second variant. */

static int
corr_template_fill(corr_templates_t *set, corr_template_t *t,
    corr_str_t text, int by_lines, corr_template_error_t *error)
{
    int              rc;
    corr_compiler_t  c;

    memset(&c, 0, sizeof(corr_compiler_t));
    c.set = set;
    c.template = t;
    c.error = error;
    c.ops = by_lines ? &t->lines : &t->whole;
    c.by_lines = by_lines;

    t->state = CORR_TEMPLATE_COMPILING;
    rc = corr_compile_text(&c, text);
    t->state = (rc == CORR_OK) ? CORR_TEMPLATE_DONE : CORR_TEMPLATE_BROKEN;

    return rc;
}


static corr_template_t *
corr_template_new(corr_templates_t *set, corr_str_t name)
{
    corr_template_t  *t;

    t = corr_alloc(&set->alloc, sizeof(corr_template_t));
    if (t == NULL) {
        return NULL;
    }

    memset(t, 0, sizeof(corr_template_t));
    t->flags = set->flags;

    t->name = corr_str_dup(&set->alloc, name);
    if (t->name.data == NULL) {
        return NULL;
    }

    return t;
}


corr_template_t *
corr_template_compile(corr_templates_t *set, corr_str_t name,
    corr_str_t text, corr_template_error_t *error)
{
    corr_template_t  *t;

    memset(error, 0, sizeof(corr_template_error_t));
    error->name = name;

    t = corr_template_new(set, name);
    if (t == NULL) {
        (void) snprintf(error->text, sizeof(error->text), "out of memory");
        return NULL;
    }

    if (corr_template_fill(set, t, text, 0, error) != CORR_OK) {
        return NULL;
    }

    return t;
}


/* The first error is kept: those of including templates follow from it. */

static int
corr_compile_error(corr_compiler_t *c, unsigned line, const char *format,
    ...)
{
    va_list  args;

    c->error->name = c->template->name;
    c->error->line = line;

    va_start(args, format);
    (void) vsnprintf(c->error->text, sizeof(c->error->text), format, args);
    va_end(args);

    return CORR_INVALID;
}


static int
corr_compile_no_memory(corr_compiler_t *c)
{
    (void) corr_compile_error(c, c->line, "out of memory");

    return CORR_ERROR;
}


static corr_op_t *
corr_compile_op(corr_compiler_t *c, corr_op_e kind)
{
    unsigned     size;
    corr_op_t   *op;
    corr_ops_t  *ops = c->ops;

    if (ops->n == ops->size) {
        size = ops->size ? ops->size * 2 : 8;

        op = corr_alloc(&c->set->alloc, size * sizeof(corr_op_t));
        if (op == NULL) {
            (void) corr_compile_no_memory(c);
            return NULL;
        }

        if (ops->n) {
            memcpy(op, ops->ops, ops->n * sizeof(corr_op_t));
        }

        ops->ops = op;
        ops->size = size;
    }

    op = &ops->ops[ops->n++];
    memset(op, 0, sizeof(corr_op_t));
    op->kind = (uint8_t) kind;

    return op;
}


/* An indent, where a line begins in the variant by lines. */

static int
corr_compile_indent(corr_compiler_t *c)
{
    if (!c->by_lines || !c->fresh) {
        return CORR_OK;
    }

    c->fresh = 0;

    return (corr_compile_op(c, CORR_OP_INDENT) == NULL) ? CORR_ERROR
                                                        : CORR_OK;
}


static int
corr_compile_static(corr_compiler_t *c, const unsigned char *p,
    const unsigned char *last)
{
    corr_op_t            *op;
    const unsigned char  *next;

    for ( /* void */ ; p < last; p = next) {
        next = last;

        if (c->by_lines) {
            next = memchr(p, '\n', (size_t) (last - p));
            next = (next == NULL) ? last : next + 1;

            if (*p != '\n' && *p != '\r'
                && corr_compile_indent(c) != CORR_OK)
            {
                return CORR_ERROR;
            }

            c->fresh = (next[-1] == '\n');
        }

        op = corr_compile_op(c, CORR_OP_TEXT);
        if (op == NULL) {
            return CORR_ERROR;
        }

        op->text = corr_make_str(p, (size_t) (next - p));
    }

    return CORR_OK;
}


static void
corr_compile_count_lines(corr_compiler_t *c, const unsigned char *p,
    const unsigned char *last)
{
    while (p < last) {
        p = memchr(p, '\n', (size_t) (last - p));
        if (p == NULL) {
            return;
        }

        c->line_start = ++p;
        c->line++;
    }
}


static int
corr_is_blank(unsigned char ch)
{
    return ch == ' ' || ch == '\t';
}


static int
corr_is_space(unsigned char ch)
{
    return corr_is_blank(ch) || ch == '\r' || ch == '\n';
}


static corr_str_t
corr_trim(const unsigned char *p, const unsigned char *last)
{
    while (p < last && corr_is_space(*p)) {
        p++;
    }

    while (p < last && corr_is_space(last[-1])) {
        last--;
    }

    return corr_make_str(p, (size_t) (last - p));
}


/* The closing delimiter from p on, with the given character before it. */

static const unsigned char *
corr_compile_find_close(corr_compiler_t *c, const unsigned char *p,
    unsigned char before)
{
    const unsigned char  *start = p;

    while (p < c->last) {
        p = memmem(p, (size_t) (c->last - p), c->close.data, c->close.len);
        if (p == NULL) {
            return NULL;
        }

        if (before == '\0' || (p > start && p[-1] == before)) {
            return p;
        }

        p++;
    }

    return NULL;
}


/*
 * Does the tag have its lines to itself?  Then they go with it: end moves
 * behind the line break.  A tag earlier on the line is no blank, so the
 * source itself tells.
 */

static void
corr_compile_standalone(corr_compiler_t *c, corr_tag_t *tag)
{
    const unsigned char  *p;

    if (tag->sigil == '\0' || strchr("#^/>!=", tag->sigil) == NULL) {
        return;
    }

    for (p = c->line_start; p < tag->start; p++) {
        if (!corr_is_blank(*p)) {
            return;
        }
    }

    for (p = tag->end; p < c->last && corr_is_blank(*p); p++) {
        /* void */
    }

    if (p < c->last && *p == '\r' && p + 1 < c->last && p[1] == '\n') {
        p++;
    }

    if (p < c->last && *p != '\n') {
        return;
    }

    tag->end = (p < c->last) ? p + 1 : p;
    tag->standalone = 1;
}


static int
corr_compile_scan_tag(corr_compiler_t *c, const unsigned char *start,
    corr_tag_t *tag)
{
    unsigned char         before;
    const unsigned char  *p, *close;

    p = start + c->open.len;

    memset(tag, 0, sizeof(corr_tag_t));
    tag->start = start;

    if (p < c->last && strchr("#^/>!=&{", *p) != NULL && *p != '\0') {
        tag->sigil = *p++;
    }

    before = (tag->sigil == '=') ? '=' : (tag->sigil == '{') ? '}' : '\0';

    close = corr_compile_find_close(c, p, before);
    if (close == NULL) {
        return corr_compile_error(c, c->line, "a tag is not closed");
    }

    tag->end = close + c->close.len;
    tag->body = corr_trim(p, before ? close - 1 : close);

    corr_compile_standalone(c, tag);

    return CORR_OK;
}


static int
corr_compile_delimiters(corr_compiler_t *c, const corr_tag_t *tag)
{
    size_t                n;
    corr_str_t            open, close;
    const unsigned char  *p = tag->body.data, *last = p + tag->body.len;

    for (n = 0; p + n < last && !corr_is_space(p[n]); n++) {
        /* void */
    }

    open = corr_make_str(p, n);
    close = corr_trim(p + n, last);

    for (n = 0; n < close.len && !corr_is_space(close.data[n]); n++) {
        /* void */
    }

    if (open.len == 0 || close.len == 0 || n != close.len
        || open.len > CORR_DELIMITER || close.len > CORR_DELIMITER
        || memchr(open.data, '=', open.len) != NULL
        || memchr(close.data, '=', close.len) != NULL)
    {
        return corr_compile_error(c, c->line, "bad delimiters");
    }

    c->open = open;
    c->close = close;

    return CORR_OK;
}


static int
corr_is_name(unsigned char ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
           || (ch >= '0' && ch <= '9') || ch == '_' || ch == '-'
           || ch >= 0x80;
}


/* The number of parts of a dotted name, or 0 when it is no name. */

static unsigned
corr_compile_count_parts(corr_str_t name)
{
    size_t    i, length;
    unsigned  n;

    for (i = 0, n = 1, length = 0; i < name.len; i++) {
        if (name.data[i] == '.' && length > 0) {
            n++;
            length = 0;

        } else if (corr_is_name(name.data[i])) {
            length++;

        } else {
            return 0;
        }
    }

    return (length > 0) ? n : 0;
}


static int
corr_compile_name(corr_compiler_t *c, corr_op_t *op, corr_str_t name)
{
    unsigned        i, n;
    corr_part_t    *part;
    unsigned char  *p, *last, *dot;

    if (corr_str_is(name, ".")) {
        return CORR_OK;
    }

    n = corr_compile_count_parts(name);
    if (n == 0 || n > CORR_TEMPLATE_PARTS) {
        return corr_compile_error(c, c->line, "bad name \"%.*s\"",
                                  (int) (name.len < 60 ? name.len : 60),
                                  name.data);
    }

    part = corr_alloc(&c->set->alloc, n * sizeof(corr_part_t));
    if (part == NULL) {
        return corr_compile_no_memory(c);
    }

    op->parts = part;
    op->nparts = (uint8_t) n;

    p = name.data;
    last = name.data + name.len;

    for (i = 0; i < n; i++, part++) {
        dot = memchr(p, '.', (size_t) (last - p));
        dot = (dot == NULL) ? last : dot;

        part->name = corr_make_str(p, (size_t) (dot - p));
        part->hash = corr_name_hash(part->name);
        p = dot + 1;
    }

    if (n > 1) {
        op->form = (uint8_t) corr_form_find(part[-1].name);
    }

    return CORR_OK;
}


static int
corr_compile_value(corr_compiler_t *c, const corr_tag_t *tag)
{
    corr_op_t  *op;

    if (tag->sigil != '\0' && (c->set->flags & CORR_TEMPLATE_STRICT)) {
        return corr_compile_error(c, c->line, "an unescaped value "
                                  "({{{ }}} or {{& }}) is not allowed");
    }

    op = corr_compile_op(c, CORR_OP_VALUE);
    if (op == NULL) {
        return CORR_ERROR;
    }

    op->raw = (tag->sigil != '\0')
              || (c->set->flags & CORR_TEMPLATE_PLAIN) != 0;

    return corr_compile_name(c, op, tag->body);
}


static int
corr_compile_section(corr_compiler_t *c, const corr_tag_t *tag)
{
    corr_op_t            *op;
    corr_open_section_t  *section;

    if (c->depth == CORR_TEMPLATE_DEPTH) {
        return corr_compile_error(c, c->line,
                                  "sections are nested too deeply");
    }

    op = corr_compile_op(c, (tag->sigil == '#') ? CORR_OP_SECTION
                                                : CORR_OP_INVERTED);
    if (op == NULL) {
        return CORR_ERROR;
    }

    section = &c->sections[c->depth++];
    section->op = c->ops->n - 1;
    section->line = c->line;
    section->name = tag->body;

    return corr_compile_name(c, op, tag->body);
}


static int
corr_compile_end(corr_compiler_t *c, const corr_tag_t *tag)
{
    int                         n;
    const corr_open_section_t  *section;

    n = (int) (tag->body.len < 60 ? tag->body.len : 60);

    if (c->depth == 0) {
        return corr_compile_error(c, c->line, "no section \"%.*s\" is open",
                                  n, tag->body.data);
    }

    section = &c->sections[--c->depth];

    if (!corr_str_eq(section->name, tag->body)) {
        return corr_compile_error(c, c->line, "section \"%.*s\" of line %u "
                                  "is closed as \"%.*s\"",
                                  (int) (section->name.len < 40
                                         ? section->name.len : 40),
                                  section->name.data, section->line,
                                  (n < 40) ? n : 40, tag->body.data);
    }

    c->ops->ops[section->op].end = c->ops->n;

    return CORR_OK;
}


static int
corr_compile_partial_name(corr_str_t name)
{
    size_t  i;

    for (i = 0; i < name.len; i++) {
        if (corr_is_name(name.data[i])) {
            continue;
        }

        /* in a folder: no //, not at an end; a dot is never allowed */

        if (name.data[i] != '/' || i == 0 || i == name.len - 1
            || name.data[i - 1] == '/')
        {
            return CORR_INVALID;
        }
    }

    return (name.len > 0) ? CORR_OK : CORR_INVALID;
}


static int
corr_compile_load(corr_compiler_t *c, corr_template_t *t)
{
    int                rc;
    corr_str_t         text = corr_null_str;
    corr_templates_t  *set = c->set;

    if (set->depth == CORR_TEMPLATE_DEPTH) {
        return corr_compile_error(c, c->line,
                                  "partials are nested too deeply");
    }

    rc = (set->loader == NULL) ? CORR_INVALID
                               : set->loader(set->data, t->name, &text);

    if (rc == CORR_INVALID && !(set->flags & CORR_TEMPLATE_STRICT)) {
        return CORR_OK;
    }

    if (rc != CORR_OK) {
        return corr_compile_error(c, c->line, "partial \"%.*s\" %s",
                                  (int) (t->name.len < 80 ? t->name.len : 80),
                                  t->name.data,
                                  (rc == CORR_INVALID) ? "is missing"
                                                       : "cannot be read");
    }

    set->depth++;

    rc = corr_template_fill(set, t, text, 0, c->error);
    if (rc == CORR_OK) {
        rc = corr_template_fill(set, t, text, 1, c->error);
    }

    set->depth--;

    return rc;
}


static corr_template_t *
corr_compile_find_partial(corr_compiler_t *c, corr_str_t name)
{
    corr_template_t   *t;
    corr_templates_t  *set = c->set;

    for (t = set->partials; t != NULL; t = t->next) {
        if (!corr_str_eq(t->name, name)) {
            continue;
        }

        if (t->state == CORR_TEMPLATE_DONE
            || (t->state == CORR_TEMPLATE_COMPILING
                && !(set->flags & CORR_TEMPLATE_STRICT)))
        {
            return t;
        }

        (void) corr_compile_error(c, c->line, "partial \"%.*s\" %s",
                                  (int) (name.len < 80 ? name.len : 80),
                                  name.data,
                                  (t->state == CORR_TEMPLATE_BROKEN)
                                  ? "has errors" : "includes itself");
        return NULL;
    }

    t = corr_template_new(set, name);
    if (t == NULL) {
        (void) corr_compile_no_memory(c);
        return NULL;
    }

    t->next = set->partials;
    set->partials = t;

    if (corr_compile_load(c, t) != CORR_OK) {
        t->state = CORR_TEMPLATE_BROKEN;
        return NULL;
    }

    return t;
}


static int
corr_compile_partial(corr_compiler_t *c, const corr_tag_t *tag)
{
    corr_op_t        *op;
    corr_include_t   *include;
    corr_template_t  *t;

    if (corr_compile_partial_name(tag->body) != CORR_OK) {
        return corr_compile_error(c, c->line, "bad partial name \"%.*s\"",
                                  (int) (tag->body.len < 60 ? tag->body.len
                                                            : 60),
                                  tag->body.data);
    }

    t = corr_compile_find_partial(c, tag->body);
    if (t == NULL) {
        return CORR_INVALID;
    }

    include = corr_alloc(&c->set->alloc, sizeof(corr_include_t));
    op = corr_compile_op(c, CORR_OP_PARTIAL);

    if (include == NULL || op == NULL) {
        return corr_compile_no_memory(c);
    }

    include->template = t;
    include->standalone = tag->standalone;
    include->indent = corr_make_str(c->line_start, 0);

    if (tag->standalone) {
        include->indent.len = (size_t) (tag->start - c->line_start);
    }

    op->include = include;

    return CORR_OK;
}


static int
corr_compile_tag(corr_compiler_t *c, const corr_tag_t *tag)
{
    switch (tag->sigil) {

    case '#':
    case '^':
        return corr_compile_section(c, tag);

    case '/':
        return corr_compile_end(c, tag);

    case '>':
        return corr_compile_partial(c, tag);

    case '=':
        return corr_compile_delimiters(c, tag);

    case '!':
        return CORR_OK;

    default:
        return corr_compile_value(c, tag);
    }
}


/* The static text before a tag, the tag, and what moves on behind it. */

static int
corr_compile_step(corr_compiler_t *c, const unsigned char *start)
{
    int         rc;
    corr_tag_t  tag;

    corr_compile_count_lines(c, c->text, start);

    rc = corr_compile_scan_tag(c, start, &tag);
    if (rc != CORR_OK) {
        return rc;
    }

    rc = corr_compile_static(c, c->text,
                             tag.standalone ? c->line_start : start);
    if (rc == CORR_OK && !tag.standalone) {
        rc = corr_compile_indent(c);
    }

    if (rc == CORR_OK) {
        rc = corr_compile_tag(c, &tag);
    }

    if (rc != CORR_OK) {
        return rc;
    }

    if (tag.standalone) {
        c->fresh = 1;
    }

    corr_compile_count_lines(c, start, tag.end);
    c->text = tag.end;

    return CORR_OK;
}


static int
corr_compile_text(corr_compiler_t *c, corr_str_t text)
{
    int                         rc;
    const unsigned char        *start;
    const corr_open_section_t  *section;

    c->text = text.data;
    c->line_start = text.data;
    c->last = text.data + text.len;
    c->line = 1;
    c->fresh = 1;
    c->open = CORR_STR("{{");
    c->close = CORR_STR("}}");

    while (c->text < c->last) {
        start = memmem(c->text, (size_t) (c->last - c->text), c->open.data,
                       c->open.len);
        if (start == NULL) {
            break;
        }

        rc = corr_compile_step(c, start);
        if (rc != CORR_OK) {
            return rc;
        }
    }

    if (c->depth) {
        section = &c->sections[c->depth - 1];

        return corr_compile_error(c, section->line,
                                  "section \"%.*s\" is not closed",
                                  (int) (section->name.len < 60
                                         ? section->name.len : 60),
                                  section->name.data);
    }

    return corr_compile_static(c, c->text, c->last);
}
