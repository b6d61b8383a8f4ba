#include "pool.h"

#include <malloc.h>


/* Large pieces are listed within the others: they go first. */

void
corr_pool_destroy(ngx_pool_t *pool)
{
    u_char            *begin;
    ngx_pool_t        *p;
    ngx_pool_large_t  *large;

    for (large = pool->large; large != NULL; large = large->next) {
        corr_memory_free(large->alloc);
    }

    pool->large = NULL;

    begin = (u_char *) pool + sizeof(ngx_pool_t);

    for (p = pool; p != NULL; p = p->d.next) {

        if (p != pool) {
            begin = (u_char *) p + sizeof(ngx_pool_data_t);
        }

        ngx_explicit_memzero(begin, p->d.last - begin);
    }

    ngx_destroy_pool(pool);
}


void
corr_memory_free(void *p)
{
    if (p != NULL) {
        ngx_explicit_memzero(p, malloc_usable_size(p));
        free(p);
    }
}
