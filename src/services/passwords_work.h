/*
 * passwords.h in a thread of the CPU pool, whose length bounds the memory:
 * threads of the pool × conf.memory.  A full queue is UNAVAILABLE → 503.
 *
 *     task = corr_password_verify(passwords, threads, owner, typed, stored,
 *                                 timeout);
 *     …resume…
 *     if (task->op.status == CORR_OP_OK
 *         && corr_password_result(task)->right) …
 */

#ifndef CORR_PASSWORDS_WORK_H
#define CORR_PASSWORDS_WORK_H

#include "../io/threads.h"
#include "passwords.h"


typedef struct {
    unsigned         right:1;        /* of verify */
    corr_str_t       hash;           /* of hash; of verify, when it is right
                                        and the stored one was made with other
                                        settings.  Lives as long as the task */
} corr_password_result_t;


/*
 * Both copy the text, and wipe the copy when the task ends.  NULL without
 * memory.  Status OK: see the result; FAILED: the thread had no memory.
 * timeout in milliseconds.
 */
corr_task_t *corr_password_hash(const corr_passwords_t *passwords,
    corr_threads_t *threads, corr_owner_t *owner, corr_str_t text,
    ngx_msec_t timeout);

/* stored empty: nobody of that name; takes as long, is never right. */
corr_task_t *corr_password_verify(const corr_passwords_t *passwords,
    corr_threads_t *threads, corr_owner_t *owner, corr_str_t text,
    corr_str_t stored, ngx_msec_t timeout);

const corr_password_result_t *corr_password_result(const corr_task_t *task);


#endif /* CORR_PASSWORDS_WORK_H */
