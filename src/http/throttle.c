/*
 * A counter of its own for each minute, which Redis forgets by itself.
 */

#include "throttle.h"
#include "flow.h"
#include "reply.h"


#define CORR_THROTTLE_WINDOW   60        /* seconds */


struct corr_throttle_work_s {
    corr_redis_op_t         *op;
    ngx_uint_t               rate;
    corr_step_pt             then;
};


static ngx_int_t corr_throttle_counted(corr_page_t *p);


ngx_int_t
corr_throttle(corr_page_t *p, const char *what, ngx_uint_t rate,
    corr_step_pt then)
{
    u_char                name[64];
    corr_str_t            argv[3];
    corr_throttle_work_t  *work;

    if (rate == 0) {
        return then(p);
    }

    work = ngx_palloc(p->pool, sizeof(corr_throttle_work_t));
    if (work == NULL) {
        return NGX_ERROR;
    }

    ngx_snprintf(name, sizeof(name), "rate:%s:%T%Z", what,
                 ngx_time() / CORR_THROTTLE_WINDOW);

    argv[0] = CORR_STR("INCR");
    argv[1] = corr_throttle_key(p, (char *) name);

    if (argv[1].data == NULL) {
        return NGX_ERROR;
    }

    work->rate = rate;
    work->then = then;
    work->op = corr_redis_command(p->worker->redis, &p->owner, 2, argv);
    p->throttle_work = work;

    if (work->op == NULL) {
        return NGX_ERROR;
    }

    argv[0] = CORR_STR("EXPIRE");
    argv[2] = CORR_STR("120");

    if (corr_redis_command(p->worker->redis, &p->owner, 3, argv) == NULL) {
        return NGX_ERROR;
    }

    return corr_flow_then(p, corr_throttle_counted);
}


static ngx_int_t
corr_throttle_counted(corr_page_t *p)
{
    corr_throttle_work_t  *work = p->throttle_work;

    if (work->op->op.status == CORR_OP_OK
        && work->op->reply.kind == CORR_REDIS_INTEGER
        && work->op->reply.n > (int64_t) work->rate)
    {
        return corr_reply_error(p, 429, CORR_MSG_TOO_OFTEN,
                                CORR_THROTTLE_WINDOW
                                - ngx_time() % CORR_THROTTLE_WINDOW, NULL);
    }

    return work->then(p);
}


corr_str_t
corr_throttle_key(corr_page_t *p, const char *what)
{
    u_char            *key, *last;
    ngx_str_t          text;
    corr_str_t         none = corr_null_str;
    ngx_connection_t  *c = p->request->connection;

#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    text = c->addr_text;

    key = ngx_pnalloc(p->pool, ngx_strlen(what) + text.len + 32);
    if (key == NULL) {
        return none;
    }

    last = ngx_sprintf(key, "%s:", what);

#if (NGX_HAVE_INET6)
    sin6 = (struct sockaddr_in6 *) c->sockaddr;

    if (sin6->sin6_family == AF_INET6) {

        if (!IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
            last = ngx_hex_dump(last, sin6->sin6_addr.s6_addr, 8);

            return corr_make_str(key, last - key);
        }

        /* an IPv4 address written as IPv6 is the same one */

        text.data += sizeof("::ffff:") - 1;
        text.len -= sizeof("::ffff:") - 1;
    }
#endif

    last = ngx_sprintf(last, "%V", &text);

    return corr_make_str(key, last - key);
}
