/*
 * Captchas in a thread.
 */

#include "captcha_work.h"


typedef struct {
    const corr_captcha_t  *captcha;
    corr_captcha_form_e    form;
    corr_str_t             file;
    u_char                 id[CORR_CAPTCHA_ID];
} corr_captcha_job_t;


static int corr_captcha_run(void *data);
static void corr_captcha_wipe(void *data);


corr_task_t *
corr_captcha_draw(const corr_captcha_t *captcha, corr_threads_t *threads,
    corr_owner_t *owner, corr_captcha_form_e form, corr_str_t id,
    ngx_msec_t timeout)
{
    corr_task_t         *task;
    corr_captcha_job_t  *job;

    task = corr_task_create(threads, owner, "captcha",
                            sizeof(corr_captcha_job_t), corr_captcha_run,
                            corr_captcha_wipe);
    if (task == NULL) {
        return NULL;
    }

    job = task->data;
    job->captcha = captcha;
    job->form = form;

    ngx_memcpy(job->id, id.data, ngx_min(id.len, CORR_CAPTCHA_ID));

    corr_task_post(task, timeout);

    return task;
}


corr_str_t
corr_captcha_file(const corr_task_t *task)
{
    corr_captcha_job_t  *job = task->data;

    return job->file;
}


static int
corr_captcha_run(void *data)
{
    corr_captcha_job_t  *job = data;

    return corr_captcha_make(job->captcha, job->form,
                             corr_make_str(job->id, CORR_CAPTCHA_ID),
                             &job->file);
}


static void
corr_captcha_wipe(void *data)
{
    corr_captcha_job_t  *job = data;

    free(job->file.data);
}
