#include "tap.h"


static void
test_strings(void)
{
    corr_str_t  s, d, none = corr_null_str;

    s = CORR_STR("abc");
    d = corr_str_dup(tap_alloc(), s);

    ok(corr_str_eq(s, d) && d.data != s.data && d.data[3] == '\0',
       "a copy is equal, elsewhere, and ends with a NUL");

    d = corr_str_dup(tap_alloc(), none);
    ok(d.data != NULL && d.len == 0 && d.data[0] == '\0', "a copy of nothing");

    ok(corr_str_eq(none, CORR_STR("")), "nothing is equal to empty");
    ok(!corr_str_is(s, "ab") && !corr_str_is(s, "abd")
       && corr_str_is(s, "abc"), "compared with a literal");
}


static void
test_arena(void)
{
    size_t          i, size;
    corr_arena_t   *arena;
    corr_alloc_t   *a;
    unsigned char  *p[64], *last;

    arena = corr_arena_create(0);
    a = corr_arena_alloc(arena);

    for (i = 0; i < 64; i++) {
        size = i * i * 37 % 40000;
        p[i] = corr_alloc(a, size);
        memset(p[i], (int) i, size);
    }

    for (i = 0; i < 64; i++) {
        size = i * i * 37 % 40000;
        last = p[i] + size;

        if ((uintptr_t) p[i] % 16 != 0
            || (size && (p[i][0] != i || last[-1] != i)))
        {
            break;
        }
    }

    is_int((long long) i, 64, "pieces are aligned and apart");
    ok(corr_alloc(a, SIZE_MAX) == NULL && corr_alloc(a, SIZE_MAX - 20) == NULL,
       "sizes near the end of size_t are refused");

    corr_arena_destroy(arena);
}


static void
test_limit(void)
{
    corr_arena_t  *arena;
    corr_alloc_t  *a;

    arena = corr_arena_create(64);
    a = corr_arena_alloc(arena);

    ok(corr_alloc(a, 65) == NULL, "more than the limit at once");
    ok(corr_alloc(a, 32) != NULL && corr_alloc(a, 32) != NULL,
       "up to the limit");
    ok(corr_alloc(a, 1) == NULL, "nothing above it");

    corr_arena_destroy(arena);
    corr_arena_destroy(NULL);
}


int
main(void)
{
    test_strings();
    test_arena();
    test_limit();

    return tap_done();
}
