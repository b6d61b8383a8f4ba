/*
 * store.h in threads of the disk pool: files that come in with requests,
 * and the collector's portions.
 *
 *     spool = corr_spool_create(store, threads, types, owner, limit, NULL);
 *     memcpy(corr_spool_block(spool), …, len);
 *     task = corr_spool_write(spool, len, timeout);     …resume…
 *     memcpy(corr_spool_block(spool), …, len);
 *     task = corr_spool_write(spool, len, timeout);     …resume…
 *     task = corr_spool_finish(spool, len, name, timeout);   …resume…
 *     if (task->op.status == CORR_OP_OK) stored = corr_spool_stored(spool);
 *
 * One task at a time: the next block is filled when the last one is written,
 * which is the back pressure.  A block that was not taken (UNAVAILABLE,
 * TIMEOUT) spoils the file: what follows fails.
 */

#ifndef CORR_STORE_WORK_H
#define CORR_STORE_WORK_H

#include "../io/threads.h"
#include "store.h"


/* Each is a thread's turn; with nginx's buffer, what an upload holds. */
#define CORR_SPOOL_BLOCK    196608


typedef struct corr_spool_s  corr_spool_t;


/*
 * NULL without memory.  Touches no disk yet: the first write does.  Must
 * end in corr_spool_release(), also after finish.  block: what
 * corr_spool_take_block() gave, now this one's, or NULL.
 */
corr_spool_t *corr_spool_create(corr_store_t *store,
    corr_threads_t *threads, corr_filetypes_t *types, corr_owner_t *owner,
    uint64_t limit, unsigned char *block);

/*
 * CORR_SPOOL_BLOCK bytes to be filled while no task is under way.  They are
 * the spool's, so that a thread may still read them when the request is
 * gone.  NULL without memory.
 */
unsigned char *corr_spool_block(corr_spool_t *spool);

/*
 * The block outlives the spool, and is given to the next one or to
 * corr_spool_free_block().  Only while no task is under way.
 */
unsigned char *corr_spool_take_block(corr_spool_t *spool);
void corr_spool_free_block(unsigned char *block);    /* NULL is allowed */

/*
 * Writes the first `len` bytes of the block.  NULL without memory, or when
 * the last task has not ended.  FAILED: corr_spool_error() says why, the
 * file is given up.
 */
corr_task_t *corr_spool_write(corr_spool_t *spool, size_t len,
    ngx_msec_t timeout);

/*
 * Writes the last block, of `len` bytes or none, checks the content and
 * places the file; `name` is the browser's.
 */
corr_task_t *corr_spool_finish(corr_spool_t *spool, size_t len,
    corr_str_t name, ngx_msec_t timeout);

/*
 * A descriptor to read what was written, while no task runs; the caller
 * closes it.  -1 with errno set.
 */
ngx_fd_t corr_spool_reader(const corr_spool_t *spool);

/* Of the last task, if corr_task_ended(). */
corr_store_error_e corr_spool_error(const corr_spool_t *spool);
corr_file_verdict_e corr_spool_verdict(const corr_spool_t *spool);
const corr_stored_t *corr_spool_stored(const corr_spool_t *spool);
uint64_t corr_spool_size(const corr_spool_t *spool);   /* given so far */

/* errno of the last failure, for the error log. */
ngx_err_t corr_spool_errno(const corr_spool_t *spool);

/*
 * The request is done with it or gone: a file that was not finished is
 * removed, now or when the running task ends.
 */
void corr_spool_release(corr_spool_t *spool);


/*
 * The collector's portion: old files of one prefix in the order of their
 * hashes, 4096 of them at the most: if there are more, the next ones come
 * behind the last.
 */

typedef enum {
    CORR_STORE_OURS = 0,
    CORR_STORE_OTHERS,           /* id says whose */
    CORR_STORE_UNMARKED,
    CORR_STORE_BARE              /* and nothing was ever placed in it */
} corr_store_whose_e;

typedef struct {
    corr_store_error_e   error;
    ngx_err_t            err;
    corr_store_whose_e   whose;
    char                 id[CORR_STORE_ID + 1];
    size_t               n;
    unsigned char      (*hashes)[CORR_STORE_HASH];   /* live with the task */
    unsigned             more:1;
} corr_store_list_t;

/*
 * id: of the database; of a store that is another's, or bare, nothing is
 * listed.  after: a hash, copied, or NULL.
 */
corr_task_t *corr_store_scan_task(corr_store_t *store,
    corr_threads_t *threads, corr_owner_t *owner, const char *id,
    ngx_uint_t prefix, const unsigned char *after, time_t age,
    ngx_msec_t timeout);

/* NULL if it did not run to its end. */
const corr_store_list_t *corr_store_list(const corr_task_t *task);

/*
 * One file (its hash is copied) meets its fate; n of the list is 0 if it is
 * no longer there, or not older than `age` seconds.
 */
corr_task_t *corr_store_fate_task(corr_store_t *store,
    corr_threads_t *threads, corr_owner_t *owner, corr_store_fate_pt fate,
    corr_str_t hash, time_t age, ngx_msec_t timeout);

/* FAILED with REFUSED in the list: another one came first. */
corr_task_t *corr_store_mark_task(corr_store_t *store,
    corr_threads_t *threads, corr_owner_t *owner, const char *id,
    ngx_msec_t timeout);


#endif /* CORR_STORE_WORK_H */
