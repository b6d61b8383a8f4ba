/*
 * Whether the store takes files, and how much room is left: a thread of the
 * disk writes a byte into it at a worker's start and every some seconds.
 * The master that looked at the directory is root; a worker may be refused,
 * and a disk becomes full or read-only by itself.
 */

#ifndef CORR_STORE_WATCH_H
#define CORR_STORE_WATCH_H

#include "../io/threads.h"
#include "settings.h"


typedef struct corr_store_watch_s  corr_store_watch_t;


typedef struct {
    ngx_uint_t               known;      /* 0: not looked at yet */
    ngx_uint_t               writable;
    ngx_uint_t               nearly_full;
    uint64_t                 free;       /* bytes, for who is not root */
    uint64_t                 total;
} corr_store_state_t;


/* NULL without memory. */
corr_store_watch_t *corr_store_watch_create(ngx_cycle_t *cycle,
    corr_settings_t *settings, corr_threads_t *disk);
void corr_store_watch_destroy(corr_store_watch_t *watch);

void corr_store_watch_state(corr_store_watch_t *watch,
    corr_store_state_t *state);


#endif /* CORR_STORE_WATCH_H */
