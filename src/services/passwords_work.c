/*
 * Passwords in a thread.
 */

#include "passwords_work.h"


typedef struct {
    corr_password_result_t   result;
    const corr_passwords_t  *passwords;
    unsigned                 make:1;
    size_t                   len;
    size_t                   stored_len;
    char                     stored[CORR_PASSWORD_HASH];
    char                     hash[CORR_PASSWORD_HASH];
    u_char                   text[CORR_PASSWORD_BYTES];
} corr_password_job_t;


static corr_task_t *corr_password_task(const corr_passwords_t *passwords,
    corr_threads_t *threads, corr_owner_t *owner, const char *name,
    corr_str_t text);
static int corr_password_run(void *data);
static void corr_password_wipe(void *data);


corr_task_t *
corr_password_hash(const corr_passwords_t *passwords, corr_threads_t *threads,
    corr_owner_t *owner, corr_str_t text, ngx_msec_t timeout)
{
    corr_task_t          *task;
    corr_password_job_t  *job;

    task = corr_password_task(passwords, threads, owner, "password hash",
                              text);
    if (task == NULL) {
        return NULL;
    }

    job = task->data;
    job->make = 1;

    corr_task_post(task, timeout);

    return task;
}


corr_task_t *
corr_password_verify(const corr_passwords_t *passwords,
    corr_threads_t *threads, corr_owner_t *owner, corr_str_t text,
    corr_str_t stored, ngx_msec_t timeout)
{
    corr_task_t          *task;
    corr_password_job_t  *job;

    task = corr_password_task(passwords, threads, owner, "password verify",
                              text);
    if (task == NULL) {
        return NULL;
    }

    job = task->data;

    if (stored.len && stored.len < sizeof(job->stored)) {
        ngx_memcpy(job->stored, stored.data, stored.len);
        job->stored_len = stored.len;
    }

    corr_task_post(task, timeout);

    return task;
}


const corr_password_result_t *
corr_password_result(const corr_task_t *task)
{
    corr_password_job_t  *job = task->data;

    return &job->result;
}


/*
 * A text longer than any password is cut to one byte more than none may
 * have: as wrong as before, and as slow as any other.
 */

static corr_task_t *
corr_password_task(const corr_passwords_t *passwords, corr_threads_t *threads,
    corr_owner_t *owner, const char *name, corr_str_t text)
{
    corr_task_t          *task;
    corr_password_job_t  *job;

    task = corr_task_create(threads, owner, name, sizeof(corr_password_job_t),
                            corr_password_run, corr_password_wipe);
    if (task == NULL) {
        return NULL;
    }

    job = task->data;
    job->passwords = passwords;
    job->len = ngx_min(text.len, sizeof(job->text));

    if (job->len) {
        ngx_memcpy(job->text, text.data, job->len);
    }

    return task;
}


static int
corr_password_run(void *data)
{
    int                   rc, rehash;
    corr_str_t            text;
    corr_password_job_t  *job = data;

    text = corr_make_str(job->text, job->len);

    if (job->make) {
        rc = corr_password_make(job->passwords, text, job->hash);

        if (rc == CORR_OK) {
            job->result.hash = corr_cstr(job->hash);
        }

    } else {
        rc = corr_password_test(job->passwords, text,
                                corr_make_str(job->stored, job->stored_len),
                                &rehash);

        job->result.right = rc == CORR_OK;

        /* without memory for it the old one serves for another time */

        if (rc == CORR_OK && rehash
            && corr_password_make(job->passwords, text, job->hash)
               == CORR_OK)
        {
            job->result.hash = corr_cstr(job->hash);
        }
    }

    /* it is not needed any more, and its request may live on for a while */

    ngx_explicit_memzero(job->text, sizeof(job->text));

    return rc == CORR_ERROR ? CORR_ERROR : CORR_OK;
}


static void
corr_password_wipe(void *data)
{
    ngx_explicit_memzero(data, sizeof(corr_password_job_t));
}
