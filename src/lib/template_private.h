/*
 * What the compiler of templates, their rendering and the typed forms
 * share.  Nobody else includes this.
 */

#ifndef CORR_TEMPLATE_PRIVATE_H
#define CORR_TEMPLATE_PRIVATE_H

#include "template.h"


#define CORR_TEMPLATE_DEPTH   32    /* sections and partials in one another */
#define CORR_TEMPLATE_STEPS   1000000   /* turns of sections in a rendering */
#define CORR_TEMPLATE_PARTS   8     /* of a dotted name */

/*
 * Static text from this length on is referred to, shorter text is copied:
 * writev() of many tiny pieces costs more than the copy.
 */
#define CORR_TEMPLATE_REFER   256


typedef enum {
    CORR_OP_TEXT = 0,
    CORR_OP_VALUE,
    CORR_OP_SECTION,
    CORR_OP_INVERTED,
    CORR_OP_PARTIAL,
    CORR_OP_INDENT             /* a line of an indented partial begins */
} corr_op_e;


typedef enum {
    CORR_FORM_NONE = 0,
    CORR_FORM_ASCII,
    CORR_FORM_FA,
    CORR_FORM_GROUPED,
    CORR_FORM_SPAN,
    CORR_FORM_LABEL,
    CORR_FORM_URL,
    CORR_FORM_DATE,
    CORR_FORM_SHORT,
    CORR_FORM_TIME,
    CORR_FORM_SECONDS,
    CORR_FORM_ISO,
    CORR_FORM_AGO,
    CORR_FORM_COUNT,
    CORR_FORM_ANY
} corr_form_e;


typedef struct {
    corr_str_t               name;
    uint32_t                 hash;
} corr_part_t;


typedef struct {
    corr_template_t         *template;
    corr_str_t               indent;
    int                      standalone;
} corr_include_t;


typedef struct {
    uint8_t                  kind;      /* corr_op_e */
    uint8_t                  raw;
    uint8_t                  form;      /* that the last part spells */
    uint8_t                  nparts;    /* 0: the implicit iterator */
    uint32_t                 end;       /* of a section: behind its body */
    union {
        corr_str_t           text;
        corr_part_t         *parts;
        corr_include_t      *include;
    };
} corr_op_t;


typedef struct {
    corr_op_t               *ops;
    unsigned                 n;
    unsigned                 size;
} corr_ops_t;


struct corr_template_s {
    corr_str_t               name;
    unsigned                 flags;
    enum {
        CORR_TEMPLATE_DONE = 0,
        CORR_TEMPLATE_COMPILING,
        CORR_TEMPLATE_BROKEN
    }                        state;
    corr_ops_t               whole;
    corr_ops_t               lines;     /* partials: with CORR_OP_INDENT */
    corr_template_t         *next;      /* partial of the set */
};


/* A rendering under way. */

typedef struct {
    const corr_render_t     *r;
    const corr_sink_t       *sink;
    size_t                   left;      /* bytes that may still be written */
    unsigned                 flags;
    unsigned                 depth;
    unsigned                 steps;
    unsigned                 indents_from;
    unsigned                 nindents;
    corr_str_t               indents[CORR_TEMPLATE_DEPTH];
} corr_rendering_t;


/* Writes within the limit; data is a corr_rendering_t. */
int corr_rendering_write(void *data, const void *p, size_t n);

/* CORR_FORM_NONE for other names. */
corr_form_e corr_form_find(corr_str_t name);

/*
 * Writes a value in a form; field is the name it stood under.  A form that
 * the kind of value does not have writes nothing.
 */
int corr_form_write(corr_rendering_t *w, const corr_value_t *value,
    corr_form_e form, corr_str_t field, int raw);


#endif /* CORR_TEMPLATE_PRIVATE_H */
