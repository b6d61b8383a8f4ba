/*
 * The arena: memory for tests and command line tools.
 */

#include "base.h"

#include <stdlib.h>


#define CORR_ARENA_BLOCK   16384
#define CORR_ARENA_ALIGN   16


typedef struct corr_block_s {
    struct corr_block_s  *next;
    size_t                size;
    size_t                used;
    _Alignas(CORR_ARENA_ALIGN) unsigned char  data[];
} corr_block_t;


struct corr_arena_s {
    corr_alloc_t          alloc;
    size_t                limit;
    size_t                total;
    corr_block_t         *blocks;
};


static void *corr_arena_get(void *pool, size_t size);
static corr_block_t *corr_arena_grow(corr_arena_t *arena, size_t size);


corr_arena_t *
corr_arena_create(size_t limit)
{
    corr_arena_t  *arena;

    arena = calloc(1, sizeof(corr_arena_t));
    if (arena == NULL) {
        return NULL;
    }

    arena->alloc.alloc = corr_arena_get;
    arena->alloc.pool = arena;
    arena->limit = limit;

    return arena;
}


corr_alloc_t *
corr_arena_alloc(corr_arena_t *arena)
{
    return &arena->alloc;
}


static void *
corr_arena_get(void *pool, size_t size)
{
    unsigned char  *p;
    corr_arena_t   *arena = pool;
    corr_block_t   *block;

    if (size > SIZE_MAX - CORR_ARENA_ALIGN) {
        return NULL;
    }

    if (size == 0) {
        size = 1;
    }

    size = (size + CORR_ARENA_ALIGN - 1) & ~(size_t) (CORR_ARENA_ALIGN - 1);

    if (arena->limit
        && (size > arena->limit || arena->total > arena->limit - size))
    {
        return NULL;
    }

    block = arena->blocks;

    if (block == NULL || size > block->size - block->used) {
        block = corr_arena_grow(arena, size);
        if (block == NULL) {
            return NULL;
        }
    }

    p = block->data + block->used;
    block->used += size;
    arena->total += size;

    return p;
}


/*
 * Under AddressSanitizer every piece is a block of its own: reading one byte
 * too far must not end in the neighbour.
 */

static corr_block_t *
corr_arena_grow(corr_arena_t *arena, size_t size)
{
    size_t         room;
    corr_block_t  *block;

#ifdef __SANITIZE_ADDRESS__
    room = size;
#else
    room = (size > CORR_ARENA_BLOCK) ? size : CORR_ARENA_BLOCK;
#endif

    if (room > SIZE_MAX - sizeof(corr_block_t)) {
        return NULL;
    }

    block = malloc(sizeof(corr_block_t) + room);
    if (block == NULL) {
        return NULL;
    }

    block->size = room;
    block->used = 0;
    block->next = arena->blocks;
    arena->blocks = block;

    return block;
}


void
corr_arena_destroy(corr_arena_t *arena)
{
    corr_block_t  *block, *next;

    if (arena == NULL) {
        return;
    }

    for (block = arena->blocks; block; block = next) {
        next = block->next;
        free(block);
    }

    free(arena);
}
