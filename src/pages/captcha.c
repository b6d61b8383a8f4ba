/*
 * The security code: another one, its picture, its sound.
 *
 * Drawing costs a thread some milliseconds, so an address may ask for so
 * many in a minute.
 */

#include "shared.h"

#include "../http/captcha.h"
#include "../http/throttle.h"
#include "../services/captcha_work.h"


typedef struct {
    corr_redis_op_t         *known;
    corr_task_t             *task;
    corr_captcha_form_e      form;
} corr_captcha_page_t;


static ngx_int_t corr_captcha_ask(corr_page_t *p);
static ngx_int_t corr_captcha_make_new(corr_page_t *p);
static ngx_int_t corr_captcha_picture(corr_page_t *p);
static ngx_int_t corr_captcha_sound(corr_page_t *p);
static ngx_int_t corr_captcha_find(corr_page_t *p, corr_captcha_form_e form);
static ngx_int_t corr_captcha_look(corr_page_t *p);
static ngx_int_t corr_captcha_found(corr_page_t *p);
static ngx_int_t corr_captcha_drawn(corr_page_t *p);


const corr_step_pt  corr_captcha_steps[] = {
    corr_captcha_ask,
    NULL
};


const corr_step_pt  corr_captcha_png_steps[] = {
    corr_captcha_picture,
    NULL
};


const corr_step_pt  corr_captcha_wav_steps[] = {
    corr_captcha_sound,
    NULL
};


static ngx_int_t
corr_captcha_ask(corr_page_t *p)
{
    if (p->settings->captchas == NULL) {
        return NGX_HTTP_NOT_FOUND;
    }

    return corr_throttle(p, "captcha", p->settings->captcha_rate,
                         corr_captcha_make_new);
}


/* JSON clients get its id, browsers the picture. */

static ngx_int_t
corr_captcha_make_new(corr_page_t *p)
{
    corr_str_t    id, name;
    corr_value_t  value;

    corr_captcha_issue(p);

    name = CORR_STR("id");

    if (!corr_view_get(corr_view_object(p->view, "captcha"), name,
                       corr_name_hash(name), &value))
    {
        return NGX_ERROR;
    }

    if (p->json) {
        return corr_reply_page(p, CORR_TPL_HOME);
    }

    id = value.s;

    return corr_reply_redirect(p, "/captcha/%*s.png", id.len, id.data);
}


static ngx_int_t
corr_captcha_picture(corr_page_t *p)
{
    return corr_captcha_find(p, CORR_CAPTCHA_PNG);
}


static ngx_int_t
corr_captcha_sound(corr_page_t *p)
{
    return corr_captcha_find(p, CORR_CAPTCHA_WAV);
}


static ngx_int_t
corr_captcha_find(corr_page_t *p, corr_captcha_form_e form)
{
    corr_captcha_page_t  *ctx;

    if (p->settings->captchas == NULL || !corr_captcha_is_id(p->params[0])) {
        return NGX_HTTP_NOT_FOUND;
    }

    ctx = corr_page_data(p, sizeof(corr_captcha_page_t));
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ctx->form = form;

    /* a page shows one, and may be asked for the picture and the sound */

    return corr_throttle(p, "captcha-file",
                         CORR_CAPTCHA_FILES * p->settings->captcha_rate,
                         corr_captcha_look);
}


static ngx_int_t
corr_captcha_look(corr_page_t *p)
{
    u_char                key[CORR_CAPTCHA_KEY];
    corr_str_t            argv[2];
    corr_captcha_page_t  *ctx = p->data;

    corr_captcha_key(p->params[0], key);

    argv[0] = CORR_STR("EXISTS");
    argv[1] = corr_make_str(key, CORR_CAPTCHA_KEY);

    ctx->known = corr_redis_command(p->worker->redis, &p->owner, 2, argv);
    if (ctx->known == NULL) {
        return NGX_ERROR;
    }

    return corr_flow_then(p, corr_captcha_found);
}


static ngx_int_t
corr_captcha_found(corr_page_t *p)
{
    corr_captcha_page_t  *ctx = p->data;

    if (ctx->known->op.status != CORR_OP_OK) {
        return corr_reply_error(p, NGX_HTTP_SERVICE_UNAVAILABLE,
                                CORR_MSG_UNAVAILABLE, 5,
                                "no answer from Redis about a captcha");
    }

    if (ctx->known->reply.n != 1) {
        return NGX_HTTP_NOT_FOUND;
    }

    ctx->task = corr_captcha_draw(p->settings->captchas, p->worker->cpu,
                                  &p->owner, ctx->form, p->params[0],
                                  p->settings->page_timeout);
    if (ctx->task == NULL) {
        return NGX_ERROR;
    }

    return corr_flow_then(p, corr_captcha_drawn);
}


static ngx_int_t
corr_captcha_drawn(corr_page_t *p)
{
    corr_str_t            file;
    corr_captcha_page_t  *ctx = p->data;

    if (ctx->task->op.status != CORR_OP_OK) {
        return corr_reply_error(p, NGX_HTTP_SERVICE_UNAVAILABLE,
                                CORR_MSG_BUSY, 5,
                                "a captcha could not be drawn");
    }

    /* the client may read it when the task is gone */

    file = corr_str_dup(&p->alloc, corr_captcha_file(ctx->task));
    if (file.data == NULL) {
        return NGX_ERROR;
    }

    return corr_reply_bytes(p, ctx->form == CORR_CAPTCHA_PNG ? "image/png"
                                                             : "audio/wav",
                            file);
}
