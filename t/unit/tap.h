/*
 * Test Anything Protocol, as little as is needed: each program includes this
 * once, calls ok() and its kin, and returns tap_done().
 */

#ifndef CORR_TAP_H
#define CORR_TAP_H

#include "base.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>


static unsigned       tap_count;
static unsigned       tap_failures;
static corr_arena_t  *tap_memory;


/* Memory that lives until tap_done(). */

static inline const corr_alloc_t *
tap_alloc(void)
{
    if (tap_memory == NULL) {
        tap_memory = corr_arena_create(0);

        if (tap_memory == NULL) {
            printf("Bail out! no memory\n");
            exit(1);
        }
    }

    return corr_arena_alloc(tap_memory);
}


static inline int __attribute__((format(printf, 2, 3)))
ok(int passed, const char *fmt, ...)
{
    va_list  args;

    tap_count++;
    tap_failures += !passed;

    printf("%sok %u - ", passed ? "" : "not ", tap_count);

    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);

    putchar('\n');
    fflush(stdout);

    return passed;
}


static inline void
tap_show(const char *what, corr_str_t s)
{
    size_t  i;

    printf("#   %s: %zu bytes: ", what, s.len);

    for (i = 0; i < s.len && i < 400; i++) {
        if (s.data[i] >= 0x20 && s.data[i] < 0x7f && s.data[i] != '\\') {
            putchar(s.data[i]);

        } else {
            printf("\\x%02x", s.data[i]);
        }
    }

    putchar('\n');
}


static inline int
is_str(corr_str_t got, corr_str_t expected, const char *name)
{
    if (ok(corr_str_eq(got, expected), "%s", name)) {
        return 1;
    }

    tap_show("got", got);
    tap_show("expected", expected);

    return 0;
}


static inline int
is_text(corr_str_t got, const char *expected, const char *name)
{
    return is_str(got, corr_cstr(expected), name);
}


static inline int
is_int(long long got, long long expected, const char *name)
{
    if (ok(got == expected, "%s", name)) {
        return 1;
    }

    printf("#   got: %lld\n#   expected: %lld\n", got, expected);

    return 0;
}


static inline int
tap_done(void)
{
    corr_arena_destroy(tap_memory);
    printf("1..%u\n", tap_count);

    return tap_failures != 0;
}


/*
 * A copy that ends exactly where its memory does: AddressSanitizer sees any
 * byte read too far.  It lives until the next exact() with the same slot.
 */

static inline corr_str_t
exact(unsigned slot, corr_str_t s)
{
    static unsigned char  *copies[4];

    free(copies[slot]);
    copies[slot] = malloc(s.len ? s.len : 1);

    if (copies[slot] == NULL) {
        printf("Bail out! no memory\n");
        exit(1);
    }

    if (s.len) {
        memcpy(copies[slot], s.data, s.len);
    }

    return corr_make_str(copies[slot], s.len);
}


#endif /* CORR_TAP_H */
