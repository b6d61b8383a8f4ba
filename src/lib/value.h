/*
 * What a page hands to its view: a tree of named, typed values, and rows
 * of query results that stay where the database client put them.
 *
 * A template renders it, JSON prints it; neither knows which page it was.
 * Setters never fail in the caller's face: a failed allocation marks the
 * root and the rendering reports it, so that pages read as a list of facts.
 */

#ifndef CORR_VALUE_H
#define CORR_VALUE_H

#include "base.h"


typedef enum {
    CORR_NULL = 0,
    CORR_BOOL,             /* n: 0 or 1 */
    CORR_INT,              /* n */
    CORR_FLOAT,            /* d */
    CORR_TEXT,             /* s: UTF-8, not escaped */
    CORR_TIME,             /* n: microseconds since 1970-01-01 UTC */
    CORR_DATE,             /* n: days since 1970-01-01 */
    CORR_BYTES,            /* s: raw bytes; shown as lower case hex */
    CORR_OBJECT,           /* object */
    CORR_LIST,             /* list */
    CORR_ROWS              /* rows */
} corr_kind_e;


typedef struct corr_view_s  corr_view_t;      /* an object: name -> value */
typedef struct corr_list_s  corr_list_t;
typedef struct corr_rows_s  corr_rows_t;


typedef struct {
    corr_kind_e              kind;
    union {
        int64_t              n;
        double               d;
        corr_str_t           s;
        corr_view_t         *object;
        corr_list_t         *list;
        corr_rows_t         *rows;
    };
} corr_value_t;


/*
 * A table of results.  Cells are read on demand through cell(); the text
 * they hand out lives as long as the table.  A nested table shows, inside
 * each row of its parent, the rows whose key column equals the parent's
 * (rows of the nested table come sorted by that column, as the parent's).
 */

typedef struct {
    corr_str_t               name;
    uint32_t                 hash;          /* corr_name_hash(name) */
    corr_kind_e              kind;
} corr_column_t;


typedef struct corr_nest_s {
    corr_str_t               name;
    uint32_t                 hash;
    corr_rows_t             *rows;
    unsigned                 parent_column;
    unsigned                 child_column;
    struct corr_nest_s      *next;
} corr_nest_t;


struct corr_rows_s {
    unsigned                 nrows;
    unsigned                 ncolumns;
    corr_column_t           *columns;
    void                   (*cell)(const corr_rows_t *rows, unsigned row,
                                   unsigned column, corr_value_t *value);
    void                    *data;
    corr_nest_t             *nested;
};


uint32_t corr_name_hash(corr_str_t name);

/* The index of a column, or -1. */
int corr_rows_column(const corr_rows_t *rows, const char *name);
int corr_rows_find(const corr_rows_t *rows, corr_str_t name, uint32_t hash);

/*
 * Cells by column name, for pages that decide by them.  A missing column,
 * a row out of range or an SQL NULL gives CORR_NULL, 0 or an empty string.
 */
corr_value_t corr_rows_get(const corr_rows_t *rows, unsigned row,
    const char *column);
int64_t corr_rows_int(const corr_rows_t *rows, unsigned row,
    const char *column);
corr_str_t corr_rows_text(const corr_rows_t *rows, unsigned row,
    const char *column);

/* CORR_OK, or CORR_ERROR: no such column, or no memory. */
int corr_rows_nest(const corr_alloc_t *a, corr_rows_t *parent,
    const char *parent_column, const char *name, corr_rows_t *child,
    const char *child_column);

/*
 * The run of nested rows that belong to a row of the parent: their number
 * is returned, the first one stored.  Rows of one parent must be
 * neighbours; the order of the groups does not matter, but where it is the
 * parent's, hint (a row to look at first: the last run's end, or 0) saves
 * the search.
 */
unsigned corr_nest_range(const corr_nest_t *nest, const corr_rows_t *parent,
    unsigned row, unsigned hint, unsigned *first);


/*
 * The tree.  Names are C literals and are not copied; neither are texts:
 * they must live as long as the view (the request's pool does).  Setting a
 * name again replaces its value.
 */

corr_view_t *corr_view_create(const corr_alloc_t *a);

void corr_view_text(corr_view_t *v, const char *name, corr_str_t text);
void corr_view_cstr(corr_view_t *v, const char *name, const char *text);
void corr_view_int(corr_view_t *v, const char *name, int64_t n);
void corr_view_flag(corr_view_t *v, const char *name, int on);
void corr_view_time(corr_view_t *v, const char *name, int64_t usec);
void corr_view_date(corr_view_t *v, const char *name, int64_t days);
void corr_view_rows(corr_view_t *v, const char *name, corr_rows_t *rows);
void corr_view_value(corr_view_t *v, const char *name, corr_value_t value);
void corr_view_set(corr_view_t *v, corr_str_t name, corr_value_t value);

/* The object of that name below v, made when it is not there yet. */
corr_view_t *corr_view_object(corr_view_t *v, const char *name);

/* A new object at the end of the list of that name (made when missing). */
corr_view_t *corr_view_append(corr_view_t *v, const char *name);

/*
 * All columns of one row as values of v (a single letter, the person); a
 * row that is not there sets nothing.  Nested tables are not taken along.
 */
void corr_view_row(corr_view_t *v, const corr_rows_t *rows, unsigned row);

/* Looks a name up in v alone.  0 when it is not there. */
int corr_view_get(const corr_view_t *v, corr_str_t name, uint32_t hash,
    corr_value_t *value);

/* Non-zero when an allocation failed anywhere in the tree. */
int corr_view_failed(const corr_view_t *v);

/*
 * Iteration, for JSON: the pair at *position (start with 0) is stored and
 * *position moves on; returns 0 behind the last pair.
 */
int corr_view_next(const corr_view_t *v, unsigned *position,
    corr_str_t *name, corr_value_t *value);

unsigned corr_list_length(const corr_list_t *list);
corr_value_t corr_list_at(const corr_list_t *list, unsigned i);

/* For data that comes as values (JSON in tools and tests). */
corr_list_t *corr_list_create(const corr_alloc_t *a);
int corr_list_push(corr_list_t *list, corr_value_t value);


#endif /* CORR_VALUE_H */
