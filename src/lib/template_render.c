/*
 * Rendering: the operations of a template, run over a chain of contexts
 * that stands on the stack.  Nothing is allocated, and nothing is written
 * to the template, which all requests share.
 */

#include "template_private.h"


/*
 * A context.  Inside a section over rows it is one row of the table; the
 * hint tells where the last run of nested rows ended, so that the next
 * row's are found at once.
 */

typedef struct corr_frame_s {
    const struct corr_frame_s  *parent;
    corr_value_t                value;
    unsigned                    row;
    unsigned                   *hint;
} corr_frame_t;


/* What a name leads to; of a table, the rows first .. first + count - 1. */

typedef struct {
    corr_value_t                value;
    corr_form_e                 form;
    corr_str_t                  field;
    unsigned                    first;
    unsigned                    count;
} corr_found_t;


static int corr_render_ops(corr_rendering_t *w, const corr_op_t *ops,
    unsigned from, unsigned to, const corr_frame_t *frame);


int
corr_rendering_write(void *data, const void *p, size_t n)
{
    corr_rendering_t  *w = data;

    if (n == 0) {
        return CORR_OK;
    }

    if (n > w->left) {
        return CORR_LIMIT;
    }

    w->left -= n;

    return (w->sink->write(w->sink->data, p, n) == CORR_OK) ? CORR_OK
                                                            : CORR_ERROR;
}


static int
corr_render_text(corr_rendering_t *w, corr_str_t text)
{
    if (text.len < CORR_TEMPLATE_REFER) {
        return corr_rendering_write(w, text.data, text.len);
    }

    if (text.len > w->left) {
        return CORR_LIMIT;
    }

    w->left -= text.len;

    return (w->sink->refer(w->sink->data, text.data, text.len) == CORR_OK)
           ? CORR_OK : CORR_ERROR;
}


static void
corr_found_set(corr_found_t *found, corr_value_t value)
{
    found->value = value;
    found->first = 0;
    found->count = (value.kind == CORR_ROWS) ? value.rows->nrows : 0;
}


/* A name inside one row: a column, then a nested table. */

static int
corr_lookup_row(const corr_rows_t *rows, unsigned row,
    const corr_part_t *part, unsigned *hint, corr_found_t *found)
{
    int                 column;
    corr_value_t        value;
    const corr_nest_t  *nest;

    column = corr_rows_find(rows, part->name, part->hash);

    if (column >= 0) {
        rows->cell(rows, row, (unsigned) column, &value);
        corr_found_set(found, value);
        return 1;
    }

    for (nest = rows->nested; nest != NULL; nest = nest->next) {
        if (nest->hash != part->hash || !corr_str_eq(nest->name, part->name))
        {
            continue;
        }

        found->value = (corr_value_t) { .kind = CORR_ROWS,
                                        .rows = nest->rows };
        found->count = corr_nest_range(nest, rows, row, hint ? *hint : 0,
                                       &found->first);

        if (hint != NULL && found->count) {
            *hint = found->first + found->count;
        }

        return 1;
    }

    return 0;
}


/* The first part of a name, in the nearest context that knows it. */

static int
corr_lookup_first(const corr_frame_t *frame, const corr_part_t *part,
    corr_found_t *found)
{
    corr_value_t  value;

    for ( /* void */ ; frame != NULL; frame = frame->parent) {
        switch (frame->value.kind) {

        case CORR_OBJECT:
            if (corr_view_get(frame->value.object, part->name, part->hash,
                              &value))
            {
                corr_found_set(found, value);
                return 1;
            }

            break;

        case CORR_ROWS:
            if (corr_lookup_row(frame->value.rows, frame->row, part,
                                frame->hint, found))
            {
                return 1;
            }

            break;

        default:
            break;
        }
    }

    return 0;
}


/* The last part, behind a value that has no members. */

static int
corr_lookup_form(const corr_op_t *op, corr_found_t *found)
{
    unsigned  n;

    if (found->value.kind == CORR_LIST || found->value.kind == CORR_ROWS) {
        n = (found->value.kind == CORR_LIST)
            ? corr_list_length(found->value.list) : found->count;

        switch (op->form) {

        case CORR_FORM_COUNT:
            found->value = (corr_value_t) { .kind = CORR_INT, .n = n };
            return 1;

        case CORR_FORM_ANY:
            found->value = (corr_value_t) { .kind = CORR_BOOL, .n = n > 0 };
            return 1;

        default:
            return 0;
        }
    }

    found->form = op->form;
    found->field = op->parts[op->nparts - 2].name;

    return op->form != CORR_FORM_NONE && found->value.kind != CORR_NULL;
}


/*
 * The implicit iterator: the context itself.  Data that is no object (from
 * a JSON text) is rendered as the member "." of a root.
 */

static int
corr_lookup_this(const corr_frame_t *frame, corr_found_t *found)
{
    corr_value_t  value;

    switch (frame->value.kind) {

    case CORR_ROWS:
        return 0;

    case CORR_OBJECT:
        if (!corr_view_get(frame->value.object, CORR_STR("."),
                           corr_name_hash(CORR_STR(".")), &value))
        {
            return 0;
        }

        corr_found_set(found, value);
        return 1;

    default:
        corr_found_set(found, frame->value);
        return 1;
    }
}


/* What is not found is null. */

static void
corr_lookup(const corr_frame_t *frame, const corr_op_t *op,
    corr_found_t *found)
{
    int           known;
    unsigned      i;
    corr_value_t  value;

    found->form = CORR_FORM_NONE;

    known = (op->nparts == 0) ? corr_lookup_this(frame, found)
                              : corr_lookup_first(frame, op->parts, found);

    for (i = 1; known && i < op->nparts; i++) {
        if (found->value.kind == CORR_OBJECT) {
            known = corr_view_get(found->value.object, op->parts[i].name,
                                  op->parts[i].hash, &value);
            if (known) {
                corr_found_set(found, value);
            }

        } else {
            known = (i == op->nparts - 1u) && corr_lookup_form(op, found);
        }
    }

    if (!known) {
        found->value = (corr_value_t) { .kind = CORR_NULL };
    }
}


/* The specification leaves zero and the empty text open: both are false. */

static int
corr_is_true(const corr_found_t *found)
{
    const corr_value_t  *value = &found->value;

    switch (value->kind) {

    case CORR_NULL:
        return 0;

    case CORR_BOOL:
    case CORR_INT:
        return value->n != 0;

    case CORR_FLOAT:
        return value->d != 0;

    case CORR_TEXT:
    case CORR_BYTES:
        return value->s.len > 0;

    case CORR_LIST:
        return corr_list_length(value->list) > 0;

    case CORR_ROWS:
        return found->count > 0;

    default:
        return 1;
    }
}


/* One turn of a section. */

static int
corr_render_body(corr_rendering_t *w, const corr_op_t *ops, unsigned at,
    const corr_frame_t *frame)
{
    if (w->steps-- == 0) {
        w->steps = 0;
        return CORR_LIMIT;
    }

    return corr_render_ops(w, ops, at + 1, ops[at].end, frame);
}


static int
corr_render_turns(corr_rendering_t *w, const corr_op_t *ops, unsigned at,
    const corr_frame_t *parent, const corr_found_t *found)
{
    int            rc;
    unsigned       i, n, hint;
    corr_frame_t   frame;

    hint = 0;

    frame.parent = parent;
    frame.value = found->value;
    frame.row = 0;
    frame.hint = &hint;

    if (found->value.kind == CORR_LIST) {
        n = corr_list_length(found->value.list);

    } else if (found->value.kind == CORR_ROWS) {
        n = found->count;

    } else {
        return corr_render_body(w, ops, at, &frame);
    }

    for (i = 0; i < n; i++) {
        if (found->value.kind == CORR_LIST) {
            frame.value = corr_list_at(found->value.list, i);

        } else {
            frame.row = found->first + i;
        }

        rc = corr_render_body(w, ops, at, &frame);
        if (rc != CORR_OK) {
            return rc;
        }
    }

    return CORR_OK;
}


static int
corr_render_section(corr_rendering_t *w, const corr_op_t *ops, unsigned at,
    const corr_frame_t *frame)
{
    int           rc;
    corr_found_t  found;

    corr_lookup(frame, &ops[at], &found);

    if (ops[at].kind == CORR_OP_INVERTED) {
        return corr_is_true(&found)
               ? CORR_OK : corr_render_body(w, ops, at, frame);
    }

    if (!corr_is_true(&found)) {
        return CORR_OK;
    }

    if (w->depth == CORR_TEMPLATE_DEPTH) {
        return CORR_LIMIT;
    }

    w->depth++;
    rc = corr_render_turns(w, ops, at, frame, &found);
    w->depth--;

    return rc;
}


/*
 * A partial on a line of its own is indented as its tag is, within the
 * indents around it; one inside a line is not indented at all, for then the
 * specification's indents are those of the lines of its parent.
 */

static int
corr_render_partial(corr_rendering_t *w, const corr_include_t *include,
    const corr_frame_t *frame)
{
    int                rc;
    unsigned           from, n;
    const corr_ops_t  *ops;

    if (w->depth == CORR_TEMPLATE_DEPTH) {
        return CORR_LIMIT;
    }

    from = w->indents_from;
    n = w->nindents;

    if (!include->standalone) {
        w->indents_from = n;

    } else if (include->indent.len) {
        w->indents[w->nindents++] = include->indent;
    }

    ops = (w->indents_from == w->nindents) ? &include->template->whole
                                           : &include->template->lines;

    w->depth++;
    rc = corr_render_ops(w, ops->ops, 0, ops->n, frame);
    w->depth--;

    w->indents_from = from;
    w->nindents = n;

    return rc;
}


static int
corr_render_indent(corr_rendering_t *w)
{
    int       rc;
    unsigned  i;

    for (i = w->indents_from; i < w->nindents; i++) {
        rc = corr_rendering_write(w, w->indents[i].data, w->indents[i].len);
        if (rc != CORR_OK) {
            return rc;
        }
    }

    return CORR_OK;
}


static int
corr_render_value(corr_rendering_t *w, const corr_op_t *op,
    const corr_frame_t *frame)
{
    corr_found_t  found;

    corr_lookup(frame, op, &found);

    return corr_form_write(w, &found.value, found.form, found.field, op->raw);
}


static int
corr_render_ops(corr_rendering_t *w, const corr_op_t *ops, unsigned from,
    unsigned to, const corr_frame_t *frame)
{
    int               rc;
    unsigned          i;
    const corr_op_t  *op;

    rc = CORR_OK;

    for (i = from; i < to && rc == CORR_OK; i++) {
        op = &ops[i];

        switch (op->kind) {

        case CORR_OP_TEXT:
            rc = corr_render_text(w, op->text);
            break;

        case CORR_OP_VALUE:
            rc = corr_render_value(w, op, frame);
            break;

        case CORR_OP_SECTION:
        case CORR_OP_INVERTED:
            rc = corr_render_section(w, ops, i, frame);
            i = op->end - 1;
            break;

        case CORR_OP_PARTIAL:
            rc = corr_render_partial(w, op->include, frame);
            break;

        default:
            rc = corr_render_indent(w);
            break;
        }
    }

    return rc;
}


int
corr_template_render(const corr_template_t *t, const corr_render_t *r,
    const corr_view_t *root, const corr_view_t *common,
    const corr_sink_t *sink)
{
    corr_frame_t      shared, frame;
    corr_rendering_t  w;

    if (corr_view_failed(root)
        || (common != NULL && corr_view_failed(common)))
    {
        return CORR_ERROR;
    }

    memset(&w, 0, sizeof(corr_rendering_t));
    w.r = r;
    w.sink = sink;
    w.left = r->limit ? r->limit : SIZE_MAX;
    w.flags = t->flags;
    w.steps = CORR_TEMPLATE_STEPS;

    memset(&shared, 0, sizeof(corr_frame_t));
    shared.value = (corr_value_t) { .kind = CORR_OBJECT,
                                    .object = (corr_view_t *) common };

    frame = shared;
    frame.parent = &shared;
    frame.value.object = (corr_view_t *) root;

    return corr_render_ops(&w, t->whole.ops, 0, t->whole.n, &frame);
}
