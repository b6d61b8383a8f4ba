/*
 * Views, lists, tables and their nesting.
 */

#include "tap.h"
#include "value.h"


/* A table of integers: cells[row * ncolumns + column]. */

static void
test_cell(const corr_rows_t *rows, unsigned row, unsigned column,
    corr_value_t *value)
{
    const int  *cells = rows->data;

    value->kind = rows->columns[column].kind;
    value->n = cells[row * rows->ncolumns + column];

    if (value->n == -1) {
        value->kind = CORR_NULL;
    }
}


static corr_rows_t
test_rows(const char **names, unsigned ncolumns, const int *cells,
    unsigned nrows)
{
    unsigned     i;
    corr_rows_t  rows;

    memset(&rows, 0, sizeof(corr_rows_t));
    rows.nrows = nrows;
    rows.ncolumns = ncolumns;
    rows.cell = test_cell;
    rows.data = (void *) cells;
    rows.columns = corr_alloc(tap_alloc(), ncolumns * sizeof(corr_column_t));

    for (i = 0; i < ncolumns; i++) {
        rows.columns[i].name = corr_cstr(names[i]);
        rows.columns[i].hash = corr_name_hash(rows.columns[i].name);
        rows.columns[i].kind = CORR_INT;
    }

    return rows;
}


static int
test_get(const corr_view_t *v, const char *name, corr_value_t *value)
{
    corr_str_t  key = corr_cstr(name);

    return corr_view_get(v, key, corr_name_hash(key), value);
}


static void
test_view(void)
{
    char           names[100][8];
    unsigned       i, position, right;
    corr_str_t     name;
    corr_view_t   *v, *child;
    corr_value_t   value;

    v = corr_view_create(tap_alloc());

    for (i = 0; i < 100; i++) {
        snprintf(names[i], sizeof(names[i]), "n%u", i);
        corr_view_int(v, names[i], i);
    }

    for (i = 0, right = 0; i < 100; i++) {
        right += test_get(v, names[i], &value) && value.n == (int64_t) i;
    }

    is_int(right, 100, "a hundred names are found");
    is_int(test_get(v, "n100", &value), 0, "one that was not set is not");
    is_int(test_get(v, "n", &value), 0, "nor is a part of a name");

    corr_view_text(v, "n5", CORR_STR("five"));
    test_get(v, "n5", &value);
    is_text(value.s, "five", "a name set again has the new value");

    position = 0;
    for (i = 0; corr_view_next(v, &position, &name, &value); i++) {
        /* void */
    }

    is_int(i, 100, "and stands there once");

    child = corr_view_object(v, "form");
    corr_view_flag(child, "on", 7);
    ok(corr_view_object(v, "form") == child, "an object is made once");
    test_get(child, "on", &value);
    is_int(value.n, 1, "a flag is 0 or 1");

    corr_view_int(corr_view_append(v, "list"), "i", 1);
    corr_view_int(corr_view_append(v, "list"), "i", 2);
    test_get(v, "list", &value);
    is_int(value.kind, CORR_LIST, "appending makes a list");
    is_int(corr_list_length(value.list), 2, "of two");
    value = corr_list_at(value.list, 1);
    test_get(value.object, "i", &value);
    is_int(value.n, 2, "in their order");

    corr_view_rows(v, "rows", NULL);
    test_get(v, "rows", &value);
    is_int(value.kind, CORR_NULL, "no table is null");
    is_int(corr_view_failed(v), 0, "nothing failed");
}


static void
test_table(void)
{
    static const char  *names[] = { "id", "n" };
    static const int    cells[] = { 1, 10, 2, -1 };

    corr_rows_t    rows;
    corr_view_t   *v;
    corr_value_t   value;

    rows = test_rows(names, 2, cells, 2);

    is_int(corr_rows_column(&rows, "n"), 1, "a column by name");
    is_int(corr_rows_column(&rows, "m"), -1, "no such column");
    is_int(corr_rows_column(NULL, "m"), -1, "no table");
    is_int(corr_rows_int(&rows, 0, "n"), 10, "a cell");
    is_int(corr_rows_int(&rows, 1, "n"), 0, "null is 0");
    is_int(corr_rows_int(&rows, 2, "n"), 0, "a row out of range is 0");
    is_int(corr_rows_get(&rows, 1, "n").kind, CORR_NULL, "null is null");
    is_int((long long) corr_rows_text(&rows, 0, "n").len, 0,
           "a number has no text");

    v = corr_view_create(tap_alloc());
    corr_view_row(v, &rows, 0);
    corr_view_row(v, &rows, 2);
    corr_view_row(v, NULL, 0);
    test_get(v, "n", &value);
    is_int(value.n, 10, "a row as values of a view");
}


/* Every hint must give the same answer. */

static int
test_range(const corr_rows_t *parent, unsigned row, unsigned first,
    unsigned n)
{
    unsigned  hint, got;

    for (hint = 0; hint <= parent->nested->rows->nrows + 1; hint++) {
        if (corr_nest_range(parent->nested, parent, row, hint, &got) != n
            || (n && got != first))
        {
            return 0;
        }
    }

    return 1;
}


static void
test_nested(void)
{
    static const char  *above[] = { "id" };
    static const char  *below[] = { "parent", "n" };
    static const int    parents[] = { 30, 20, 10, -1 };
    static const int    children[] = { 30, 1, 30, 2, 10, 3, 10, 4, 10, 5,
                                       -1, 6 };

    corr_rows_t  parent, child, empty;

    parent = test_rows(above, 1, parents, 4);
    child = test_rows(below, 2, children, 6);

    is_int(corr_rows_nest(tap_alloc(), &parent, "id", "kids", &child,
                          "none"),
           CORR_ERROR, "a column that is not there");
    is_int(corr_rows_nest(tap_alloc(), &parent, "id", "kids", &child,
                          "parent"),
           CORR_OK, "a nested table");

    ok(test_range(&parent, 0, 0, 2), "rows of the first parent");
    ok(test_range(&parent, 1, 0, 0), "a parent without rows");
    ok(test_range(&parent, 2, 2, 3), "rows of the third parent");
    ok(test_range(&parent, 3, 0, 0), "null is nobody's parent");

    empty = test_rows(below, 2, children, 0);
    parent.nested->rows = &empty;
    ok(test_range(&parent, 0, 0, 0), "an empty nested table");
}


/* Without memory at any moment: marked, and nothing falls over. */

static void
test_no_memory(void)
{
    size_t         limit;
    unsigned       failed;
    corr_view_t   *v, *child;
    corr_arena_t  *arena;

    failed = 0;

    for (limit = 1; limit < 4000; limit += 16) {
        arena = corr_arena_create(limit);
        v = corr_view_create(corr_arena_alloc(arena));

        corr_view_int(v, "a", 1);
        child = corr_view_object(v, "b");
        corr_view_int(child, "c", 2);
        child = corr_view_append(v, "d");
        corr_view_int(child, "e", 3);
        corr_view_int(corr_view_object(child, "f"), "g", 3);

        failed += corr_view_failed(v) != 0;
        corr_arena_destroy(arena);
    }

    ok(failed > 10 && failed < 250, "%u of 250 trees failed for want of "
       "memory", failed);
}


int
main(void)
{
    test_view();
    test_table();
    test_nested();
    test_no_memory();

    return tap_done();
}
