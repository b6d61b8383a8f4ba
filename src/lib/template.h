/*
 * Mustache templates: compiled once, immutable afterwards, rendered into a
 * sink.  Escaped by default.
 *
 * Plain Mustache (the specification's core modules: comments, delimiters,
 * interpolation, inverted, partials, sections).  False in a section are:
 * what is not there, null, false, zero, the empty text, the empty list or
 * table.  A section over a table runs once for each row; names are columns
 * first, then nested tables, then names further out.
 *
 * Typed forms: behind a value that has no members, the last part of a
 * dotted name chooses how it is written.  A form that the value does not
 * have is empty (which value a name leads to is not known before).
 *
 *     integer   Persian digits; .ascii  .grouped  .fa (always Persian)
 *               .span (of seconds: 90 seconds, 15 minutes, 3 hours)
 *     float     the same
 *     text      as it is; .fa (digits shown as Persian)  .ascii (as ASCII)
 *     time      day, month and hour; .seconds (the same with seconds)
 *               .date  .short 1405/09/01  .time 16:35  .ago
 *               .iso 2026-11-22T16:35:00+03:30
 *     date      day and month; .short  .iso
 *     bytes     lower case hex
 *     flag      true, false
 *     list, table   .count, and .any: a flag for what stands around a list
 *
 *     .label    of text, numbers and flags: the message FIELD_VALUE
 *     .url      of the same: percent-encoded, for queries in addresses
 *
 * Words are messages too, got through corr_render_t's label: month_1 ..
 * month_12 (without them dates are written .short), time_at (between date
 * and clock), ago_now, ago_minutes, ago_hours, ago_days, after_minutes,
 * after_hours, after_days (behind their number; without them, and from 30
 * days on, .ago is .date), span_seconds, span_minutes, span_hours.
 */

#ifndef CORR_TEMPLATE_H
#define CORR_TEMPLATE_H

#include "value.h"


typedef struct corr_template_s      corr_template_t;
typedef struct corr_templates_s     corr_templates_t;


#define CORR_TEMPLATE_STRICT   1    /* refuse {{{raw}}} and {{&raw}}; a
                                       missing partial, or one that includes
                                       itself, is an error */
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

/*
 * NULL: see *error.  text must live as long as the set.  After an error the
 * set is of no more use.
 */
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
 * may be NULL).  CORR_OK, CORR_LIMIT (output too large, more than 32
 * sections and partials in one another, a million turns of sections),
 * CORR_ERROR (sink, or memory missing for a view).
 */

int corr_template_render(const corr_template_t *t, const corr_render_t *r,
    const corr_view_t *root, const corr_view_t *common,
    const corr_sink_t *sink);

/*
 * The view as one JSON object, in machine form: times
 * "2026-11-22T16:35:00+03:30", dates "2026-11-22" (Gregorian), bytes hex,
 * tables as arrays of objects, nested ones within them.  It may stand in a
 * <script>; what is not UTF-8 is U+FFFD.  Results as above.
 */
int corr_view_json(const corr_view_t *root, const corr_render_t *r,
    const corr_sink_t *sink);


#endif /* CORR_TEMPLATE_H */
