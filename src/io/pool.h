/*
 * Pools that secrets are put together in: credentials of gateways, codes.
 */

#ifndef CORR_POOL_H
#define CORR_POOL_H

#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Instead of ngx_destroy_pool(), for one without cleanups: nothing that was
 * in it stays in the freed memory.
 */
void corr_pool_destroy(ngx_pool_t *pool);

/* For libraries that take it instead of free(): the memory is wiped. */
void corr_memory_free(void *p);


#endif /* CORR_POOL_H */
