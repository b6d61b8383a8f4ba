/*
 * Mustache templates: compiled once, immutable afterwards, rendered into a
 * sink.  Escaped by default.
 *
 * Plain Mustache (the specification's core modules: comments, delimiters,
 * interpolation, inverted, partials, sections) plus typed forms: behind a
 * scalar, the rest of a dotted name chooses how it is written
 * ({{created_at.iso}}; see value forms in the README).
 */

#ifndef CORR_TEMPLATE_H
#define CORR_TEMPLATE_H

#include "value.h"


typedef struct corr_template_s      corr_template_t;
typedef struct corr_templates_s     corr_templates_t;


#define CORR_TEMPLATE_STRICT   1    /* refuse {{{raw}}}; a missing partial
                                       is an error */
#define CORR_TEMPLATE_PLAIN    2    /* text (SMS): no HTML escaping */
#define CORR_TEMPLATE_SPEC     4    /* numbers in ASCII digits, missing
                                       partials are empty: corr-render */


typedef struct {
    corr_str_t              name;       /* the template's, or partial's */
    unsigned                line;
    char                    text[160];  /* English, for the log */
} corr_template_error_t;


/*
 * A set of templates that share partials.  The loader callback is asked for
 * the text of a partial ("field_error") and returns CORR_OK, CORR_INVALID
 * when there is none, CORR_ERROR on failure; the text must live as long as
 * the set (static text is never copied).
 */

typedef int (*corr_partial_pt)(void *data, corr_str_t name,
    corr_str_t *text);

corr_templates_t *corr_templates_create(const corr_alloc_t *a,
    unsigned flags, corr_partial_pt loader, void *data);

/* NULL: see *error.  text must live as long as the set. */
corr_template_t *corr_template_compile(corr_templates_t *set,
    corr_str_t name, corr_str_t text, corr_template_error_t *error);


/*
 * Where output goes.  write() is given text that it must copy, refer()
 * text that lives as long as the template (it may copy it all the same).
 * Both return CORR_OK or CORR_ERROR.
 */

typedef struct {
    int                   (*write)(void *data, const void *p, size_t n);
    int                   (*refer)(void *data, const void *p, size_t n);
    void                   *data;
} corr_sink_t;


typedef struct {
    /* {{status.label}}: the text of message "status_answered", or empty */
    int                   (*label)(void *data, corr_str_t name,
                                   corr_str_t value, corr_str_t *text);
    void                   *label_data;

    int64_t                 now;        /* usec since 1970, for .ago */
    int                     utc_offset; /* seconds, 12600 for Tehran */
    size_t                  limit;      /* bytes of output; 0: none */
} corr_render_t;


/*
 * Names are looked up in root, then in common (shared values: base, assets;
 * may be NULL).  CORR_OK, CORR_LIMIT (output or nesting too large),
 * CORR_ERROR (sink, memory, or a view that failed).
 */

int corr_template_render(const corr_template_t *t, const corr_render_t *r,
    const corr_view_t *root, const corr_view_t *common,
    const corr_sink_t *sink);

/* The view as one JSON object (values in machine form: times ISO 8601). */
int corr_view_json(const corr_view_t *root, const corr_render_t *r,
    const corr_sink_t *sink);


#endif /* CORR_TEMPLATE_H */
