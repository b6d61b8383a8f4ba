/*
 * The few types that every pure part of the portal shares.
 *
 * A corr_str_t is a pointer and a length and never promises a final NUL.
 * It has the layout of ngx_str_t on purpose, but the library does not know
 * nginx: the border between the two is src/http/ngx.h.
 */

#ifndef CORR_BASE_H
#define CORR_BASE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>


typedef struct {
    size_t          len;
    unsigned char  *data;
} corr_str_t;


#define corr_str(text)   { sizeof(text) - 1, (unsigned char *) (text) }
#define corr_null_str    { 0, NULL }

#define CORR_STR(text)                                                        \
    ((corr_str_t) { sizeof(text) - 1, (unsigned char *) (text) })


/*
 * Where memory comes from: an nginx pool inside the module, an arena in
 * tests and tools.  Memory is never given back one piece at a time.
 * alloc returns NULL when there is none.
 */

typedef struct {
    void         *(*alloc)(void *pool, size_t size);
    void           *pool;
} corr_alloc_t;


/* Results of library functions. */

#define CORR_OK         0
#define CORR_ERROR     -1      /* out of memory, or a broken contract */
#define CORR_AGAIN     -2      /* more input is needed */
#define CORR_INVALID   -3      /* the input is not what it should be */
#define CORR_LIMIT     -4      /* the input is larger than allowed */


static inline void *
corr_alloc(const corr_alloc_t *a, size_t size)
{
    return a->alloc(a->pool, size);
}


static inline corr_str_t
corr_make_str(const void *data, size_t len)
{
    corr_str_t  s;

    s.len = len;
    s.data = (unsigned char *) data;

    return s;
}


static inline corr_str_t
corr_cstr(const char *text)
{
    return corr_make_str(text, strlen(text));
}


static inline int
corr_str_eq(corr_str_t a, corr_str_t b)
{
    return a.len == b.len
           && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}


static inline int
corr_str_is(corr_str_t a, const char *text)
{
    return corr_str_eq(a, corr_cstr(text));
}


/* Copies s with a NUL behind it (not counted in len). */

static inline corr_str_t
corr_str_dup(const corr_alloc_t *a, corr_str_t s)
{
    corr_str_t  d = corr_null_str;

    d.data = corr_alloc(a, s.len + 1);
    if (d.data == NULL) {
        return d;
    }

    if (s.len) {
        memcpy(d.data, s.data, s.len);
    }

    d.data[s.len] = '\0';
    d.len = s.len;

    return d;
}


/*
 * An arena for tests and command line tools: malloc'd blocks in a list.
 * corr_arena_create() returns NULL without memory; destroy frees it all.
 */

typedef struct corr_arena_s  corr_arena_t;

corr_arena_t *corr_arena_create(size_t limit);      /* bytes; 0: no limit */
corr_alloc_t *corr_arena_alloc(corr_arena_t *arena);
void corr_arena_destroy(corr_arena_t *arena);


#endif /* CORR_BASE_H */
