/*
 * A counter of its own for each minute, which Redis forgets by itself.
 */

#include "throttle.h"
#include "flow.h"
#include "reply.h"


#define CORR_THROTTLE_WINDOW   60        /* seconds */


struct corr_throttle_work_s {
    corr_redis_op_t         *op;
    int64_t                  limit;
    corr_step_pt             then;
};


static ngx_int_t corr_throttle_count(corr_page_t *p, corr_str_t key,
    off_t amount, time_t window, int64_t limit, corr_step_pt then,
    corr_step_pt counted);
static ngx_int_t corr_throttle_counted(corr_page_t *p);
static corr_str_t corr_throttle_user(corr_page_t *p, const char *what);


ngx_int_t
corr_throttle(corr_page_t *p, const char *what, ngx_uint_t rate,
    corr_step_pt then)
{
    u_char  name[64];

    if (rate == 0) {
        return then(p);
    }

    ngx_snprintf(name, sizeof(name), "rate:%s:%T%Z", what,
                 ngx_time() / CORR_THROTTLE_WINDOW);

    return corr_throttle_count(p, corr_throttle_key(p, (char *) name), 1,
                               CORR_THROTTLE_WINDOW, rate, then,
                               corr_throttle_counted);
}


/* key: of this window; it is forgotten after a second one. */

static ngx_int_t
corr_throttle_count(corr_page_t *p, corr_str_t key, off_t amount,
    time_t window, int64_t limit, corr_step_pt then, corr_step_pt counted)
{
    u_char                 number[NGX_OFF_T_LEN];
    corr_str_t             argv[3];
    corr_throttle_work_t  *work;

    work = ngx_palloc(p->pool, sizeof(corr_throttle_work_t));

    if (work == NULL || key.data == NULL) {
        return NGX_ERROR;
    }

    argv[0] = CORR_STR("INCR");

    /* what an older ACL does not know yet only where it must be */

    if (amount != 1) {
        argv[0] = CORR_STR("INCRBY");
    }

    argv[1] = key;
    argv[2] = corr_make_str(number, ngx_sprintf(number, "%O", amount)
                                    - number);

    work->limit = limit;
    work->then = then;
    work->op = corr_redis_command(p->worker->redis, &p->owner,
                                  amount == 1 ? 2 : 3, argv);
    p->throttle_work = work;

    if (work->op == NULL) {
        return NGX_ERROR;
    }

    argv[0] = CORR_STR("EXPIRE");
    argv[2] = corr_make_str(number, ngx_sprintf(number, "%T", 2 * window)
                                    - number);

    if (corr_redis_command(p->worker->redis, &p->owner, 3, argv) == NULL) {
        return NGX_ERROR;
    }

    return corr_flow_then(p, counted);
}


ngx_uint_t
corr_throttle_over(corr_page_t *p)
{
    corr_throttle_work_t  *work = p->throttle_work;

    return work != NULL
           && work->op->op.status == CORR_OP_OK
           && work->op->reply.kind == CORR_REDIS_INTEGER
           && work->op->reply.n > work->limit;
}


static ngx_int_t
corr_throttle_counted(corr_page_t *p)
{
    corr_throttle_work_t  *work = p->throttle_work;

    if (corr_throttle_over(p)) {
        return corr_reply_error(p, 429, CORR_MSG_TOO_OFTEN,
                                CORR_THROTTLE_WINDOW
                                - ngx_time() % CORR_THROTTLE_WINDOW, NULL);
    }

    return work->then(p);
}


ngx_int_t
corr_throttle_amount(corr_page_t *p, const char *what, off_t amount,
    time_t window, int64_t limit, corr_step_pt then)
{
    u_char  name[64];

    p->throttle_work = NULL;

    if (limit == 0) {
        return then(p);
    }

    ngx_snprintf(name, sizeof(name), "rate:%s:%T%Z", what,
                 ngx_time() / window);

    return corr_throttle_count(p, corr_throttle_user(p, (char *) name),
                               amount, window, limit, then, then);
}


static corr_str_t
corr_throttle_user(corr_page_t *p, const char *what)
{
    u_char      *key, *last;
    corr_str_t   none = corr_null_str;

    if (p->session.who != CORR_A_PERSON) {
        return corr_throttle_key(p, what);
    }

    key = ngx_pnalloc(p->pool, ngx_strlen(what) + sizeof(":person:")
                               + NGX_INT64_LEN);
    if (key == NULL) {
        return none;
    }

    last = ngx_sprintf(key, "%s:person:%L", what, p->session.id);

    return corr_make_str(key, last - key);
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
