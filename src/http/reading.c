/*
 * Keys in Redis:
 *
 *     f:TOKEN:FILE   "STAMP ADDRESS SHA256 TYPE NAME", for reading_memory
 *     rights:DESK    the stamp: random, and gone when a right ended; the next
 *                    one who reads makes another
 *
 * A reading is noted under the stamp that was there before PostgreSQL was
 * asked: a right that ended between the two makes it worthless.  Where there
 * was none it is not noted; without one nothing noted counts, so that what
 * Redis forgot is asked about.
 */

#include "reading.h"
#include "flow.h"

#include "../lib/ids.h"
#include "../services/secrets.h"


#define CORR_READING_SPACES   4
#define CORR_READING_STAMP    "3600"      /* seconds, then there is a new one */


struct corr_reading_work_s {
    corr_str_t               key;
    corr_redis_op_t         *stamp;
    corr_redis_op_t         *reading;
    corr_redis_op_t         *revoke;
    corr_step_pt             then;
};


static void corr_reading_stamp(corr_page_t *p);
static ngx_int_t corr_reading_revoked(corr_page_t *p);
static ngx_int_t corr_reading_untold(corr_page_t *p, corr_step_pt then);
static corr_reading_work_t *corr_reading_work(corr_page_t *p);
static corr_redis_op_t *corr_reading_get(corr_page_t *p, corr_str_t key);
static corr_str_t corr_reading_rights(corr_page_t *p);
static corr_str_t corr_reading_part(corr_str_t *text);


ngx_int_t
corr_reading_ask(corr_page_t *p, corr_str_t token)
{
    u_char               *key;
    corr_str_t            id;
    corr_reading_work_t  *work;

    if (p->settings->reading_memory == 0
        || p->request->method == NGX_HTTP_HEAD
        || corr_check_uuid(&p->alloc, p->params[0], &id) != CORR_OK)
    {
        return NGX_OK;
    }

    work = corr_reading_work(p);
    key = ngx_pnalloc(p->pool, sizeof("f::") + token.len + id.len);

    if (work == NULL || key == NULL) {
        return NGX_ERROR;
    }

    work->key.data = key;
    work->key.len = ngx_sprintf(key, "f:%*s:%*s", token.len, token.data,
                                id.len, id.data)
                    - key;

    work->stamp = corr_reading_get(p, corr_reading_rights(p));
    work->reading = corr_reading_get(p, work->key);

    return work->stamp && work->reading ? NGX_OK : NGX_ERROR;
}


ngx_int_t
corr_reading_find(corr_page_t *p, corr_reading_t *reading)
{
    corr_str_t            text, stamp, address;
    corr_reading_work_t  *work = p->reading_work;

    if (work == NULL
        || work->stamp->op.status != CORR_OP_OK
        || work->stamp->reply.kind != CORR_REDIS_STRING
        || work->reading->op.status != CORR_OP_OK
        || work->reading->reply.kind != CORR_REDIS_STRING)
    {
        return NGX_DECLINED;
    }

    text = work->reading->reply.text;

    stamp = corr_reading_part(&text);
    address = corr_reading_part(&text);
    reading->sha256 = corr_reading_part(&text);
    reading->media_type = corr_reading_part(&text);
    reading->name = text;

    if (!corr_str_eq(stamp, work->stamp->reply.text)
        || !corr_str_eq(address, corr_from_ngx(
                                     p->request->connection->addr_text))
        || reading->sha256.len == 0 || reading->media_type.len == 0)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* Up to the next space, which goes. */

static corr_str_t
corr_reading_part(corr_str_t *text)
{
    u_char      *space;
    corr_str_t   part;

    space = ngx_strlchr(text->data, text->data + text->len, ' ');

    if (space == NULL) {
        space = text->data + text->len;
        part = *text;
        *text = corr_make_str(space, 0);
        return part;
    }

    part = corr_make_str(text->data, space - text->data);
    *text = corr_make_str(space + 1, text->len - part.len - 1);

    return part;
}


void
corr_reading_note(corr_page_t *p, const corr_reading_t *reading)
{
    u_char                seconds[NGX_TIME_T_LEN];
    size_t                len;
    ngx_str_t            *address = &p->request->connection->addr_text;
    corr_str_t            argv[5], stamp;
    corr_reading_work_t  *work = p->reading_work;

    if (work == NULL || work->stamp->op.status != CORR_OP_OK) {
        return;
    }

    if (work->stamp->reply.kind != CORR_REDIS_STRING) {
        corr_reading_stamp(p);
        return;
    }

    stamp = work->stamp->reply.text;

    len = stamp.len + address->len + reading->sha256.len
          + reading->media_type.len + reading->name.len + CORR_READING_SPACES;

    argv[2].data = ngx_pnalloc(p->pool, len);
    if (argv[2].data == NULL) {
        return;
    }

    argv[0] = CORR_STR("SET");
    argv[1] = work->key;
    argv[2].len = ngx_sprintf(argv[2].data, "%*s %V %*s %*s %*s",
                              stamp.len, stamp.data, address,
                              reading->sha256.len, reading->sha256.data,
                              reading->media_type.len,
                              reading->media_type.data,
                              reading->name.len, reading->name.data)
                  - argv[2].data;
    argv[3] = CORR_STR("EX");
    argv[4] = corr_make_str(seconds,
                            ngx_sprintf(seconds, "%T",
                                        p->settings->reading_memory)
                            - seconds);

    (void) corr_redis_command(p->worker->redis, &p->owner, 5, argv);
}


/*
 * For those who read from now on.  Not for this one: a right may have ended
 * since PostgreSQL was asked.
 */

static void
corr_reading_stamp(corr_page_t *p)
{
    u_char      stamp[CORR_SECRETS_TOKEN];
    corr_str_t  argv[6];

    corr_secrets_token(&p->worker->drawn, stamp);

    argv[0] = CORR_STR("SET");
    argv[1] = corr_reading_rights(p);
    argv[2] = corr_make_str(stamp, sizeof(stamp));
    argv[3] = CORR_STR("NX");
    argv[4] = CORR_STR("EX");
    argv[5] = CORR_STR(CORR_READING_STAMP);

    (void) corr_redis_command(p->worker->redis, &p->owner, 6, argv);
}


/* Also with no memory of this node's own: another's may have one. */

ngx_int_t
corr_reading_revoke(corr_page_t *p, corr_step_pt then)
{
    corr_str_t            argv[2];
    corr_reading_work_t  *work;

    work = corr_reading_work(p);
    if (work == NULL) {
        return corr_reading_untold(p, then);
    }

    argv[0] = CORR_STR("DEL");
    argv[1] = corr_reading_rights(p);

    work->revoke = corr_redis_command(p->worker->redis, &p->owner, 2, argv);
    work->then = then;

    if (work->revoke == NULL) {
        return corr_reading_untold(p, then);
    }

    return corr_flow_then(p, corr_reading_revoked);
}


static ngx_int_t
corr_reading_revoked(corr_page_t *p)
{
    corr_reading_work_t  *work = p->reading_work;

    return work->revoke->op.status == CORR_OP_OK
           ? work->then(p) : corr_reading_untold(p, work->then);
}


/* PostgreSQL has it all the same: what was written is answered. */

static ngx_int_t
corr_reading_untold(corr_page_t *p, corr_step_pt then)
{
    ngx_log_error(NGX_LOG_WARN, p->log, 0,
                  "correspondence: Redis was not told that a right may have "
                  "ended: a file that is being read may be read on, for "
                  "correspondence_reading_memory");

    return then(p);
}


static corr_reading_work_t *
corr_reading_work(corr_page_t *p)
{
    if (p->reading_work == NULL) {
        p->reading_work = ngx_pcalloc(p->pool, sizeof(corr_reading_work_t));
    }

    return p->reading_work;
}


static corr_redis_op_t *
corr_reading_get(corr_page_t *p, corr_str_t key)
{
    corr_str_t  argv[2];

    argv[0] = CORR_STR("GET");
    argv[1] = key;

    return corr_redis_command(p->worker->redis, &p->owner, 2, argv);
}


static corr_str_t
corr_reading_rights(corr_page_t *p)
{
    return p->loc->kind == CORR_KIND_CLERK ? CORR_STR("rights:clerk")
                                           : CORR_STR("rights:citizen");
}
