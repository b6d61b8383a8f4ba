/*
 * captcha.h in a thread of the CPU pool.
 */

#ifndef CORR_CAPTCHA_WORK_H
#define CORR_CAPTCHA_WORK_H

#include "../io/threads.h"
#include "captcha.h"


/*
 * NULL without memory.  id has the form of an id.  When the status is OK the
 * file is corr_captcha_file(), which lives as long as the task: copy it, or
 * send it before the owner detaches.  image/png or audio/wav.
 */
corr_task_t *corr_captcha_draw(const corr_captcha_t *captcha,
    corr_threads_t *threads, corr_owner_t *owner, corr_captcha_form_e form,
    corr_str_t id, ngx_msec_t timeout);

corr_str_t corr_captcha_file(const corr_task_t *task);


#endif /* CORR_CAPTCHA_WORK_H */
