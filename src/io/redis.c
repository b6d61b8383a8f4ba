/*
 * Redis: hiredis 0.14 on nginx's event loop.  The only file that calls it.
 *
 * hiredis has no timers, forgets no command, and frees its context when it
 * likes: in a failed connect, a read, a write.  Each of these runs the
 * callbacks of what is unanswered with a NULL reply and then the cleanup
 * hook, and that hook is the only place where we learn it.  The other way
 * round, nothing here frees a context from inside one of its callbacks:
 * they post an event that does.
 */

#include "redis.h"
#include "fd.h"
#include "retry.h"

#include <hiredis/hiredis.h>
#include <hiredis/async.h>
#include <hiredis/sds.h>


/* An oldest command this late behind its deadline: the peer is dead. */
#define CORR_REDIS_GRACE       2000

#define CORR_REDIS_PING        5000
#define CORR_REDIS_SHORT_LIFE  1000
#define CORR_REDIS_HOST_LEN    256     /* a Unix path is 108 at the most */


typedef enum {
    CORR_REDIS_DOWN = 0,
    CORR_REDIS_ASKING,                 /* a sentinel */
    CORR_REDIS_CONNECTING,             /* until ROLE is answered */
    CORR_REDIS_UP
} corr_redis_state_e;


/* One hiredis connection. */

typedef struct {
    corr_redis_t            *redis;
    redisAsyncContext       *ac;       /* NULL: none, or no longer ours */
    corr_fd_t                fd;
    ngx_uint_t               watched;  /* CORR_FD_* */
    ngx_event_t              flush;    /* posted: write what was added */
    ngx_event_t              broken;   /* posted: it failed */
    char                     reason[160];

    /* says the first words when it is connected; NGX_ERROR: no memory */
    ngx_int_t              (*greet)(corr_redis_t *redis);
} corr_redis_link_t;


struct corr_redis_s {
    corr_timer_data_t        timers;   /* first */

    const corr_redis_conf_t *conf;
    ngx_pool_t              *pool;
    ngx_log_t               *log;

    corr_redis_state_e       state;
    corr_redis_link_t        data;     /* to the master */
    corr_redis_link_t        scout;    /* to a sentinel */

    ngx_event_t              timer;    /* down: the next attempt; up: ping;
                                          else: the attempt's deadline */
    ngx_event_t              stall;    /* the oldest command is late */
    ngx_event_t              found;    /* posted: a sentinel answered */

    ngx_queue_t              fifo;     /* corr_redis_work_t, as sent */
    ngx_uint_t               in_flight;
    ngx_queue_t              queue;    /* never sent */
    ngx_uint_t               queued;

    ngx_uint_t               next;     /* address or sentinel to try */
    ngx_uint_t               tried;    /* in this round */
    corr_retry_t             again;
    corr_complaint_t        *complaints;    /* one per address */
    ngx_msec_t               since;    /* up since */

    char                     host[CORR_REDIS_HOST_LEN];   /* the master */
    int                      port;     /* 0: host is a path */

    uint64_t                 operations;
    uint64_t                 failures;
    uint64_t                 timeouts;

    unsigned                 ping:1;   /* not answered yet */
    unsigned                 failing:1;     /* a whole round has failed */
    unsigned                 stopping:1;
};


typedef struct {
    corr_redis_op_t          op;       /* first */
    corr_redis_t            *redis;
    ngx_queue_t              queue;    /* in redis->queue or redis->fifo */
    corr_str_t               command;  /* as it goes out */
    unsigned                 sent:1;
} corr_redis_work_t;


static void corr_redis_link_init(corr_redis_link_t *link,
    corr_redis_t *redis, ngx_int_t (*greet)(corr_redis_t *redis));
static ngx_array_t *corr_redis_candidates(corr_redis_t *redis);
static corr_redis_addr_t *corr_redis_candidate(corr_redis_t *redis);

static void corr_redis_timer(ngx_event_t *ev);
static void corr_redis_attempt(corr_redis_t *redis);
static ngx_int_t corr_redis_text(struct sockaddr *sa, char *host, int *port);
static void corr_redis_ask(corr_redis_t *redis);
static ngx_int_t corr_redis_ask_master(corr_redis_t *redis);
static void corr_redis_told(redisAsyncContext *ac, void *r, void *data);
static ngx_uint_t corr_redis_literal(u_char *p, size_t len);
static void corr_redis_found(ngx_event_t *ev);
static void corr_redis_connect(corr_redis_t *redis);
static ngx_int_t corr_redis_greet(corr_redis_t *redis);
static ngx_int_t corr_redis_say_role(corr_redis_t *redis,
    redisCallbackFn *fn);
static void corr_redis_accepted(redisAsyncContext *ac, void *r, void *data);
static void corr_redis_role(redisAsyncContext *ac, void *r, void *data);
static ngx_uint_t corr_redis_master(const redisReply *r);
static void corr_redis_is_up(corr_redis_t *redis);
static void corr_redis_send_ping(corr_redis_t *redis);
static void corr_redis_pong(redisAsyncContext *ac, void *r, void *data);

static ngx_int_t corr_redis_link_open(corr_redis_link_t *link,
    const char *host, int port);
static void corr_redis_link_close(corr_redis_link_t *link);
static void corr_redis_break(corr_redis_link_t *link, const char *reason);
static void corr_redis_broken(ngx_event_t *ev);
static void corr_redis_event(void *data, ngx_uint_t events,
    ngx_uint_t closing);
static void corr_redis_flush(ngx_event_t *ev);
static void corr_redis_connected(corr_redis_link_t *link);
static void corr_redis_write(corr_redis_link_t *link);
static void corr_redis_watch(corr_redis_link_t *link, ngx_uint_t set,
    ngx_uint_t clear);
static void corr_redis_add_read(void *data);
static void corr_redis_del_read(void *data);
static void corr_redis_add_write(void *data);
static void corr_redis_del_write(void *data);
static void corr_redis_cleanup(void *data);

static void corr_redis_fail(corr_redis_t *redis, const char *reason);
static void corr_redis_log(corr_redis_t *redis, ngx_uint_t level,
    const char *what, const char *reason);
static void corr_redis_give_up(corr_redis_t *redis);

static ngx_int_t corr_redis_format(corr_redis_work_t *work, ngx_uint_t argc,
    const corr_str_t *argv);
static void corr_redis_dispatch(corr_redis_t *redis);
static void corr_redis_send(corr_redis_work_t *work);
static ngx_int_t corr_redis_say(corr_redis_link_t *link,
    redisCallbackFn *fn, int argc, const char **argv, const size_t *lengths);
static ngx_int_t corr_redis_noted(redisAsyncContext *ac,
    redisCallback *last);
static void corr_redis_reply(redisAsyncContext *ac, void *r, void *data);
static ngx_uint_t corr_redis_left(corr_redis_t *redis, const redisReply *r);
static corr_op_status_e corr_redis_answer(corr_redis_work_t *work,
    redisReply *r);
static ngx_int_t corr_redis_copy(ngx_pool_t *pool, corr_redis_reply_t *to,
    const redisReply *from);
static corr_str_t corr_redis_dup(ngx_pool_t *pool, const redisReply *r);
static ngx_uint_t corr_redis_says(const redisReply *r, const char *word);
static void corr_redis_expire(corr_op_t *op);
static void corr_redis_late(corr_redis_t *redis);
static void corr_redis_stalled(ngx_event_t *ev);
static void corr_redis_end(corr_redis_work_t *work, corr_op_status_e status);


corr_redis_t *
corr_redis_create(ngx_cycle_t *cycle, const corr_redis_conf_t *conf)
{
    ngx_pool_t    *pool;
    corr_redis_t  *redis;

    pool = ngx_create_pool(1024, cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    redis = ngx_pcalloc(pool, sizeof(corr_redis_t));
    if (redis == NULL) {
        goto failed;
    }

    redis->timers.ident = (ngx_socket_t) -1;
    redis->conf = conf;
    redis->pool = pool;
    redis->log = cycle->log;

    redis->complaints = ngx_pcalloc(pool, corr_redis_candidates(redis)->nelts
                                          * sizeof(corr_complaint_t));
    if (redis->complaints == NULL) {
        goto failed;
    }

    ngx_queue_init(&redis->fifo);
    ngx_queue_init(&redis->queue);

    corr_redis_link_init(&redis->data, redis, corr_redis_greet);
    corr_redis_link_init(&redis->scout, redis, corr_redis_ask_master);

    /* housekeeping: none of these may keep a worker that quits */

    redis->timer.handler = corr_redis_timer;
    redis->timer.data = redis;
    redis->timer.log = cycle->log;
    redis->timer.cancelable = 1;

    redis->stall.handler = corr_redis_stalled;
    redis->stall.data = redis;
    redis->stall.log = cycle->log;
    redis->stall.cancelable = 1;

    redis->found.handler = corr_redis_found;
    redis->found.data = redis;
    redis->found.log = cycle->log;

    corr_redis_attempt(redis);

    return redis;

failed:

    ngx_destroy_pool(pool);

    return NULL;
}


static void
corr_redis_link_init(corr_redis_link_t *link, corr_redis_t *redis,
    ngx_int_t (*greet)(corr_redis_t *redis))
{
    link->redis = redis;
    link->greet = greet;

    link->flush.handler = corr_redis_flush;
    link->flush.data = link;
    link->flush.log = redis->log;

    link->broken.handler = corr_redis_broken;
    link->broken.data = link;
    link->broken.log = redis->log;
}


void
corr_redis_destroy(corr_redis_t *redis)
{
    redis->stopping = 1;

    corr_redis_give_up(redis);

    corr_redis_link_close(&redis->scout);
    corr_redis_link_close(&redis->data);

    if (redis->timer.timer_set) {
        ngx_del_timer(&redis->timer);
    }

    if (redis->stall.timer_set) {
        ngx_del_timer(&redis->stall);
    }

    if (redis->found.posted) {
        ngx_delete_posted_event(&redis->found);
    }

    ngx_destroy_pool(redis->pool);
}


ngx_uint_t
corr_redis_up(corr_redis_t *redis)
{
    return redis->state == CORR_REDIS_UP;
}


void
corr_redis_status(corr_redis_t *redis, corr_redis_status_t *status)
{
    status->up = corr_redis_up(redis);
    status->in_flight = redis->in_flight;
    status->queued = redis->queued;
    status->operations = redis->operations;
    status->failures = redis->failures;
    status->timeouts = redis->timeouts;
}


/*
 * An attempt: perhaps a sentinel, then the master, AUTH, SELECT, ROLE.
 */

static ngx_array_t *
corr_redis_candidates(corr_redis_t *redis)
{
    const corr_redis_conf_t  *conf;

    conf = redis->conf;

    return (ngx_array_t *) (conf->sentinels.nelts ? &conf->sentinels
                                                  : &conf->addrs);
}


static corr_redis_addr_t *
corr_redis_candidate(corr_redis_t *redis)
{
    corr_redis_addr_t  *addrs;

    addrs = corr_redis_candidates(redis)->elts;

    return &addrs[redis->next];
}


static void
corr_redis_timer(ngx_event_t *ev)
{
    corr_redis_t  *redis = ev->data;

    switch (redis->state) {

    case CORR_REDIS_DOWN:
        corr_redis_attempt(redis);
        return;

    case CORR_REDIS_ASKING:
        corr_redis_fail(redis, "the sentinel took too long");
        return;

    case CORR_REDIS_CONNECTING:
        corr_redis_fail(redis, "connecting took too long");
        return;

    case CORR_REDIS_UP:

        if (redis->ping) {
            corr_redis_fail(redis, "no sign of life");
            return;
        }

        corr_redis_send_ping(redis);
    }
}


static void
corr_redis_attempt(corr_redis_t *redis)
{
    corr_redis_addr_t  *addr;

    addr = corr_redis_candidate(redis);

    ngx_add_timer(&redis->timer, redis->conf->connect_timeout);

    if (corr_redis_text(addr->sockaddr, redis->host, &redis->port) != NGX_OK)
    {
        corr_redis_fail(redis, "unsupported address");
        return;
    }

    if (redis->conf->sentinels.nelts) {
        corr_redis_ask(redis);
        return;
    }

    corr_redis_connect(redis);
}


/* hiredis wants text; a literal address needs no look-up. */

static ngx_int_t
corr_redis_text(struct sockaddr *sa, char *host, int *port)
{
    const char           *path;
    struct sockaddr_in   *sin;
    struct sockaddr_in6  *sin6;

    switch (sa->sa_family) {

    case AF_UNIX:
        path = ((struct sockaddr_un *) sa)->sun_path;
        ngx_cpystrn((u_char *) host, (u_char *) path, CORR_REDIS_HOST_LEN);
        *port = 0;
        return NGX_OK;

    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;
        *port = ntohs(sin6->sin6_port);
        return inet_ntop(AF_INET6, &sin6->sin6_addr, host,
                         CORR_REDIS_HOST_LEN) ? NGX_OK : NGX_ERROR;

    case AF_INET:
        sin = (struct sockaddr_in *) sa;
        *port = ntohs(sin->sin_port);
        return inet_ntop(AF_INET, &sin->sin_addr, host,
                         CORR_REDIS_HOST_LEN) ? NGX_OK : NGX_ERROR;

    default:
        return NGX_ERROR;
    }
}


static void
corr_redis_ask(corr_redis_t *redis)
{
    redis->state = CORR_REDIS_ASKING;

    if (corr_redis_link_open(&redis->scout, redis->host, redis->port)
        != NGX_OK)
    {
        corr_redis_fail(redis, redis->scout.reason);
    }
}


static ngx_int_t
corr_redis_ask_master(corr_redis_t *redis)
{
    const char  *argv[3];
    size_t       lengths[3];
    ngx_str_t    name;

    name = redis->conf->master;

    argv[0] = "SENTINEL";
    argv[1] = "get-master-addr-by-name";
    argv[2] = (char *) name.data;

    lengths[0] = sizeof("SENTINEL") - 1;
    lengths[1] = sizeof("get-master-addr-by-name") - 1;
    lengths[2] = name.len;

    return corr_redis_say(&redis->scout, corr_redis_told, 3, argv, lengths);
}


static void
corr_redis_told(redisAsyncContext *ac, void *r, void *data)
{
    redisReply    *reply = r, *host, *port;
    corr_redis_t  *redis = data;

    if (reply == NULL || redis->state != CORR_REDIS_ASKING) {
        return;
    }

    if (reply->type == REDIS_REPLY_ERROR) {
        corr_redis_break(&redis->scout, reply->str);
        return;
    }

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2
        || reply->element[0]->type != REDIS_REPLY_STRING
        || reply->element[1]->type != REDIS_REPLY_STRING)
    {
        corr_redis_break(&redis->scout, "the sentinel knows no such master");
        return;
    }

    host = reply->element[0];
    port = reply->element[1];

    /* a name would be looked up, and block */

    if (!corr_redis_literal((u_char *) host->str, host->len)) {
        corr_redis_break(&redis->scout, "the sentinel gave no address");
        return;
    }

    ngx_memcpy(redis->host, host->str, host->len + 1);
    redis->port = ngx_atoi((u_char *) port->str, port->len);

    ngx_post_event(&redis->found, &ngx_posted_events);
}


static ngx_uint_t
corr_redis_literal(u_char *p, size_t len)
{
    u_char  addr[16];

    if (len >= NGX_SOCKADDR_STRLEN) {
        return 0;
    }

    return ngx_inet_addr(p, len) != INADDR_NONE
           || ngx_inet6_addr(p, len, addr) == NGX_OK;
}


static void
corr_redis_found(ngx_event_t *ev)
{
    corr_redis_t  *redis = ev->data;

    if (redis->state != CORR_REDIS_ASKING) {
        return;
    }

    corr_redis_link_close(&redis->scout);

    if (redis->port < 1 || redis->port > 65535) {
        corr_redis_fail(redis, "the sentinel gave no address");
        return;
    }

    corr_redis_connect(redis);
}


static void
corr_redis_connect(corr_redis_t *redis)
{
    redis->state = CORR_REDIS_CONNECTING;

    if (corr_redis_link_open(&redis->data, redis->host, redis->port)
        != NGX_OK)
    {
        corr_redis_fail(redis, redis->data.reason);
    }
}


/*
 * First in the pipeline, before anything of anyone: a connection that was
 * refused here is never used.
 */

static ngx_int_t
corr_redis_greet(corr_redis_t *redis)
{
    int                       n;
    u_char                    number[NGX_INT_T_LEN];
    const char               *argv[3];
    size_t                    lengths[3];
    const corr_redis_conf_t  *conf;

    conf = redis->conf;

    if (conf->password.len) {
        n = 0;

        argv[n] = "AUTH";
        lengths[n++] = sizeof("AUTH") - 1;

        if (conf->username.len) {
            argv[n] = (char *) conf->username.data;
            lengths[n++] = conf->username.len;
        }

        argv[n] = (char *) conf->password.data;
        lengths[n++] = conf->password.len;

        if (corr_redis_say(&redis->data, corr_redis_accepted, n, argv,
                           lengths)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (conf->database > 0) {
        argv[0] = "SELECT";
        lengths[0] = sizeof("SELECT") - 1;

        argv[1] = (char *) number;
        lengths[1] = ngx_sprintf(number, "%i", conf->database) - number;

        if (corr_redis_say(&redis->data, corr_redis_accepted, 2, argv,
                           lengths)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return corr_redis_say_role(redis, corr_redis_role);
}


static ngx_int_t
corr_redis_say_role(corr_redis_t *redis, redisCallbackFn *fn)
{
    size_t       length = sizeof("ROLE") - 1;
    const char  *role = "ROLE";

    return corr_redis_say(&redis->data, fn, 1, &role, &length);
}


static void
corr_redis_accepted(redisAsyncContext *ac, void *r, void *data)
{
    redisReply    *reply = r;
    corr_redis_t  *redis = data;

    if (reply != NULL && reply->type == REDIS_REPLY_ERROR) {
        corr_redis_break(&redis->data, reply->str);
    }
}


static void
corr_redis_role(redisAsyncContext *ac, void *r, void *data)
{
    redisReply    *reply = r;
    corr_redis_t  *redis = data;

    /* posted: AUTH or SELECT was refused */

    if (reply == NULL || redis->data.broken.posted
        || redis->state != CORR_REDIS_CONNECTING)
    {
        return;
    }

    if (reply->type == REDIS_REPLY_ERROR) {

        /* a single Redis may forbid ROLE, or be something like Redis */

        if (redis->conf->sentinels.nelts == 0
            && (corr_redis_says(reply, "NOPERM")
                || corr_redis_says(reply, "ERR")))
        {
            corr_redis_is_up(redis);
            return;
        }

        corr_redis_break(&redis->data, reply->str);
        return;
    }

    if (!corr_redis_master(reply)) {
        corr_redis_break(&redis->data, "it is not a master");
        return;
    }

    corr_redis_is_up(redis);
}


/* ROLE begins with "master", "slave" or "sentinel". */

static ngx_uint_t
corr_redis_master(const redisReply *r)
{
    return r->type == REDIS_REPLY_ARRAY && r->elements
           && r->element[0]->type == REDIS_REPLY_STRING
           && strcmp(r->element[0]->str, "master") == 0;
}


static void
corr_redis_is_up(corr_redis_t *redis)
{
    ngx_uint_t  i;

    redis->state = CORR_REDIS_UP;
    redis->since = ngx_current_msec;
    redis->tried = 0;
    redis->failing = 0;
    redis->ping = 0;

    for (i = 0; i < corr_redis_candidates(redis)->nelts; i++) {
        redis->complaints[i].hash = 0;
    }

    corr_redis_log(redis, NGX_LOG_NOTICE, "connected to", "");

    ngx_add_timer(&redis->timer, CORR_REDIS_PING);

    corr_redis_dispatch(redis);
}


/*
 * Is it there, and still the master?  A former one answers reads, with
 * sessions that have ended since.
 */

static void
corr_redis_send_ping(corr_redis_t *redis)
{
    ngx_add_timer(&redis->timer, CORR_REDIS_PING);

    if (redis->data.ac != NULL
        && corr_redis_say_role(redis, corr_redis_pong) == NGX_OK)
    {
        redis->ping = 1;
    }
}


static void
corr_redis_pong(redisAsyncContext *ac, void *r, void *data)
{
    redisReply    *reply = r;
    corr_redis_t  *redis = data;

    redis->ping = 0;

    if (reply != NULL && reply->type == REDIS_REPLY_ARRAY
        && !corr_redis_master(reply))
    {
        corr_redis_break(&redis->data, "it is no longer the master");
    }
}


/*
 * A link: hiredis's hooks on one socket.
 */

static ngx_int_t
corr_redis_link_open(corr_redis_link_t *link, const char *host, int port)
{
    redisAsyncContext  *ac;

    link->reason[0] = '\0';
    link->watched = 0;

    ac = port ? redisAsyncConnect(host, port) : redisAsyncConnectUnix(host);

    if (ac == NULL) {
        ngx_cpystrn((u_char *) link->reason, (u_char *) "no memory",
                    sizeof(link->reason));
        return NGX_ERROR;
    }

    if (ac->err) {
        ngx_cpystrn((u_char *) link->reason, (u_char *) ac->errstr,
                    sizeof(link->reason));
        redisAsyncFree(ac);
        return NGX_ERROR;
    }

    if (corr_fd_open(&link->fd, ac->c.fd, corr_redis_event, link,
                     link->redis->log)
        != NGX_OK)
    {
        ngx_cpystrn((u_char *) link->reason, (u_char *) "no connection slot",
                    sizeof(link->reason));
        redisAsyncFree(ac);
        return NGX_ERROR;
    }

    ac->ev.data = link;
    ac->ev.addRead = corr_redis_add_read;
    ac->ev.delRead = corr_redis_del_read;
    ac->ev.addWrite = corr_redis_add_write;
    ac->ev.delWrite = corr_redis_del_write;
    ac->ev.cleanup = corr_redis_cleanup;

    link->ac = ac;

    /* writable: connected, or not */

    corr_redis_watch(link, CORR_FD_WRITE, 0);

    return NGX_OK;
}


/*
 * Never from inside a callback of hiredis, where the context would live on
 * behind our back.  What is unanswered ends as LOST in here.
 */

static void
corr_redis_link_close(corr_redis_link_t *link)
{
    redisAsyncContext  *ac;

    if (link->broken.posted) {
        ngx_delete_posted_event(&link->broken);
    }

    ac = link->ac;
    if (ac == NULL) {
        return;
    }

    link->ac = NULL;

    redisAsyncFree(ac);
}


static void
corr_redis_break(corr_redis_link_t *link, const char *reason)
{
    if (link->broken.posted) {
        return;
    }

    ngx_cpystrn((u_char *) link->reason, (u_char *) reason,
                sizeof(link->reason));

    ngx_post_event(&link->broken, &ngx_posted_events);
}


static void
corr_redis_broken(ngx_event_t *ev)
{
    corr_redis_link_t  *link = ev->data;

    corr_redis_fail(link->redis, link->reason);
}


static void
corr_redis_event(void *data, ngx_uint_t events, ngx_uint_t closing)
{
    corr_redis_link_t  *link = data;

    if (closing) {
        corr_redis_fail(link->redis, "worker shutdown time-out");
        return;
    }

    /* once per event; ac may be gone behind it */

    if (events == CORR_FD_READ) {
        redisAsyncHandleRead(link->ac);

    } else if (link->ac->c.flags & REDIS_CONNECTED) {
        corr_redis_write(link);

    } else {
        corr_redis_connected(link);
    }
}


static void
corr_redis_connected(corr_redis_link_t *link)
{
    redisAsyncHandleWrite(link->ac);

    if (link->ac == NULL || !(link->ac->c.flags & REDIS_CONNECTED)) {
        return;
    }

    if (link->greet(link->redis) != NGX_OK) {
        corr_redis_fail(link->redis, "no memory");
    }
}


/*
 * Commands of one turn of the loop go out together and without asking the
 * kernel for write readiness; only what did not fit waits for it.
 */

static void
corr_redis_flush(ngx_event_t *ev)
{
    corr_redis_link_t  *link = ev->data;

    if (link->ac != NULL) {
        corr_redis_write(link);
    }
}


/*
 * hiredis 0.14 takes a new buffer when the old one is written, does not look
 * whether there was memory for it, and reads its length.  So it never has
 * anything to write: what we write is taken out of its buffer in place.
 */

static void
corr_redis_write(corr_redis_link_t *link)
{
    ssize_t        n;
    ngx_err_t      err;
    redisContext  *c;

    c = &link->ac->c;

    n = c->err ? 0 : write(c->fd, c->obuf, sdslen(c->obuf));

    if (n == -1) {
        err = ngx_socket_errno;
        n = 0;

        if (err != NGX_EAGAIN && err != NGX_EINTR) {
            c->err = REDIS_ERR_IO;
            *ngx_strerror(err, (u_char *) c->errstr, sizeof(c->errstr) - 1)
                = '\0';
        }
    }

    if (c->err) {
        /* ends the connection, and writes nothing */
        redisAsyncHandleWrite(link->ac);
        return;
    }

    sdsrange(c->obuf, (int) n, -1);

    if (sdslen(c->obuf)) {
        corr_redis_watch(link, CORR_FD_WRITE, 0);

    } else {
        corr_redis_watch(link, 0, CORR_FD_WRITE);
    }
}


static ngx_int_t
corr_redis_say(corr_redis_link_t *link, redisCallbackFn *fn, int argc,
    const char **argv, const size_t *lengths)
{
    redisCallback  *last;

    last = link->ac->replies.tail;

    if (redisAsyncCommandArgv(link->ac, fn, link->redis, argc, argv, lengths)
        != REDIS_OK)
    {
        return NGX_ERROR;
    }

    return corr_redis_noted(link->ac, last);
}


/*
 * Nor does it look whether there was memory for the callback of a command:
 * the reply would meet an assertion.  The command was not written yet, and
 * never is behind an error; so hiredis treats one that did not fit itself.
 */

static ngx_int_t
corr_redis_noted(redisAsyncContext *ac, redisCallback *last)
{
    if (ac->replies.tail != last) {
        return NGX_OK;
    }

    ac->c.err = REDIS_ERR_OOM;
    ngx_cpystrn((u_char *) ac->c.errstr, (u_char *) "Out of memory",
                sizeof(ac->c.errstr));

    return NGX_ERROR;
}


static void
corr_redis_watch(corr_redis_link_t *link, ngx_uint_t set, ngx_uint_t clear)
{
    ngx_uint_t  events;

    events = (link->watched | set) & ~clear;

    if (events == link->watched) {
        return;
    }

    link->watched = events;

    if (corr_fd_watch(&link->fd, events) != NGX_OK) {
        corr_redis_break(link, "event loop failure");
    }
}


static void
corr_redis_add_read(void *data)
{
    corr_redis_watch(data, CORR_FD_READ, 0);
}


static void
corr_redis_del_read(void *data)
{
    corr_redis_watch(data, 0, CORR_FD_READ);
}


static void
corr_redis_add_write(void *data)
{
    corr_redis_link_t  *link = data;

    ngx_post_event(&link->flush, &ngx_posted_events);
}


static void
corr_redis_del_write(void *data)
{
    corr_redis_watch(data, 0, CORR_FD_WRITE);
}


static void
corr_redis_cleanup(void *data)
{
    corr_redis_link_t  *link = data;

    /* out of the kernel's set before hiredis closes it */

    corr_fd_release(&link->fd);

    if (link->flush.posted) {
        ngx_delete_posted_event(&link->flush);
    }

    if (link->ac == NULL) {
        return;
    }

    /* not by us: the peer closed, or the connect failed */

    corr_redis_break(link, link->ac->c.err ? link->ac->c.errstr
                                           : "connection closed");
    link->ac = NULL;
}


/* Both links go, and the next attempt is settled. */

static void
corr_redis_fail(corr_redis_t *redis, const char *reason)
{
    ngx_uint_t           n, failed;
    ngx_msec_t           delay;
    corr_redis_state_e   was;

    was = redis->state;
    redis->state = CORR_REDIS_DOWN;

    corr_redis_link_close(&redis->scout);
    corr_redis_link_close(&redis->data);

    if (redis->stall.timer_set) {
        ngx_del_timer(&redis->stall);
    }

    if (redis->stopping) {
        return;
    }

    n = corr_redis_candidates(redis)->nelts;
    failed = redis->next;

    if (was != CORR_REDIS_UP) {
        redis->next = (redis->next + 1) % n;
    }

    /* the other addresses first, without waiting */

    delay = 1;

    if (was == CORR_REDIS_UP) {

        if (ngx_current_msec - redis->since >= CORR_REDIS_SHORT_LIFE) {
            corr_retry_reset(&redis->again);

        } else {
            delay = corr_retry_delay(&redis->again,
                                     redis->conf->connect_timeout);
            redis->failing = (delay > CORR_RETRY_PATIENCE);
        }

    } else if (++redis->tried >= n) {
        redis->tried = 0;
        redis->failing = 1;
        delay = corr_retry_delay(&redis->again, redis->conf->connect_timeout);
    }

    if (redis->timer.timer_set) {
        ngx_del_timer(&redis->timer);
    }

    ngx_add_timer(&redis->timer, delay);

    corr_redis_log(redis,
                   corr_complaint_level(&redis->complaints[failed], reason),
                   was == CORR_REDIS_UP ? "lost" : "cannot connect to",
                   reason);

    if (redis->failing) {
        corr_redis_give_up(redis);
    }
}


/* The address of this moment: a sentinel's, or what one of them told. */

static void
corr_redis_log(corr_redis_t *redis, ngx_uint_t level, const char *what,
    const char *reason)
{
    u_char     *p;
    ngx_str_t   addr;
    u_char      text[CORR_REDIS_HOST_LEN + sizeof("[]:65535")];

    if (redis->port == 0) {
        p = ngx_sprintf(text, "unix:%s", redis->host);

    } else if (strchr(redis->host, ':') != NULL) {
        p = ngx_sprintf(text, "[%s]:%d", redis->host, redis->port);

    } else {
        p = ngx_sprintf(text, "%s:%d", redis->host, redis->port);
    }

    addr.len = p - text;
    addr.data = text;

    if (*reason == '\0') {
        ngx_log_error(level, redis->log, 0, "redis: %s %V", what, &addr);
        return;
    }

    ngx_log_error(level, redis->log, 0,
                  "redis: %s %V: %s; next attempt in %M ms", what, &addr,
                  reason, redis->timer.timer.key - ngx_current_msec);
}


/* What waits for a connection waits no longer. */

static void
corr_redis_give_up(corr_redis_t *redis)
{
    ngx_queue_t        *q;
    corr_redis_work_t  *work;

    while (!ngx_queue_empty(&redis->queue)) {
        q = ngx_queue_head(&redis->queue);
        ngx_queue_remove(q);
        redis->queued--;

        work = ngx_queue_data(q, corr_redis_work_t, queue);
        corr_redis_end(work, CORR_OP_UNAVAILABLE);
    }
}


/*
 * Commands.
 */

corr_redis_op_t *
corr_redis_command(corr_redis_t *redis, corr_owner_t *owner, ngx_uint_t argc,
    const corr_str_t *argv)
{
    corr_op_t          *op;
    corr_redis_work_t  *work;

    op = corr_op_create(sizeof(corr_redis_work_t), owner, "redis",
                        redis->log);
    if (op == NULL) {
        return NULL;
    }

    op->expire = corr_redis_expire;

    work = (corr_redis_work_t *) op;
    work->redis = redis;

    if (corr_redis_format(work, argc, argv) != NGX_OK) {
        corr_op_free(op);
        return NULL;
    }

    redis->operations++;

    corr_op_start(op, redis->conf->timeout);

    if (redis->failing || redis->stopping
        || redis->in_flight + redis->queued >= redis->conf->queue)
    {
        corr_redis_end(work, CORR_OP_UNAVAILABLE);
        return &work->op;
    }

    op->in_client = 1;

    ngx_queue_insert_tail(&redis->queue, &work->queue);
    redis->queued++;

    corr_redis_dispatch(redis);

    return &work->op;
}


static ngx_int_t
corr_redis_format(corr_redis_work_t *work, ngx_uint_t argc,
    const corr_str_t *argv)
{
    size_t       len;
    u_char      *p;
    ngx_uint_t   i;

    len = sizeof("*\r\n") - 1 + NGX_INT_T_LEN;

    for (i = 0; i < argc; i++) {
        len += sizeof("$\r\n\r\n") - 1 + NGX_SIZE_T_LEN + argv[i].len;
    }

    p = ngx_pnalloc(work->op.op.pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    work->command.data = p;

    p = ngx_sprintf(p, "*%ui\r\n", argc);

    for (i = 0; i < argc; i++) {
        p = ngx_sprintf(p, "$%uz\r\n", argv[i].len);

        if (argv[i].len) {
            p = ngx_cpymem(p, argv[i].data, argv[i].len);
        }

        *p++ = '\r';
        *p++ = '\n';
    }

    work->command.len = p - work->command.data;

    return NGX_OK;
}


/*
 * Sends what waits, in its order.  Behind a late command everything waits:
 * it may still be told that it was never sent.
 */

static void
corr_redis_dispatch(corr_redis_t *redis)
{
    ngx_queue_t  *q;

    while (redis->state == CORR_REDIS_UP && redis->data.ac != NULL
           && !redis->stall.timer_set && !ngx_queue_empty(&redis->queue))
    {
        q = ngx_queue_head(&redis->queue);
        ngx_queue_remove(q);
        redis->queued--;

        corr_redis_send(ngx_queue_data(q, corr_redis_work_t, queue));
    }
}


static void
corr_redis_send(corr_redis_work_t *work)
{
    corr_redis_t       *redis;
    redisCallback      *last;
    redisAsyncContext  *ac;

    redis = work->redis;
    ac = redis->data.ac;
    last = ac->replies.tail;

    if (redisAsyncFormattedCommand(ac, corr_redis_reply, work,
                                   (char *) work->command.data,
                                   work->command.len)
        != REDIS_OK
        || corr_redis_noted(ac, last) != NGX_OK)
    {
        corr_redis_end(work, CORR_OP_UNAVAILABLE);
        return;
    }

    work->sent = 1;

    ngx_queue_insert_tail(&redis->fifo, &work->queue);
    redis->in_flight++;
}


static void
corr_redis_reply(redisAsyncContext *ac, void *r, void *data)
{
    redisReply         *reply = r;
    corr_redis_t       *redis;
    corr_op_status_e    status;
    corr_redis_work_t  *work = data;

    redis = work->redis;

    ngx_queue_remove(&work->queue);
    redis->in_flight--;

    /* NULL: the connection ends */

    if (reply == NULL) {
        corr_redis_end(work, CORR_OP_LOST);
        return;
    }

    if (reply->type == REDIS_REPLY_ERROR && corr_redis_left(redis, reply)) {
        corr_redis_break(&redis->data, reply->str);
    }

    status = (work->op.op.status == CORR_OP_PENDING)
             ? corr_redis_answer(work, reply) : CORR_OP_FAILED;

    corr_redis_end(work, status);

    /* the next one has its own grace */

    if (redis->stall.timer_set) {
        ngx_del_timer(&redis->stall);
    }

    corr_redis_late(redis);
    corr_redis_dispatch(redis);
}


/*
 * Was another master chosen?  This one says that it became a replica, or
 * that its replicas left it (min-replicas-to-write), which is all that a
 * master notices of being cut off.
 */

static ngx_uint_t
corr_redis_left(corr_redis_t *redis, const redisReply *r)
{
    return corr_redis_says(r, "READONLY")
           || (redis->conf->sentinels.nelts
               && corr_redis_says(r, "NOREPLICAS"));
}


static corr_op_status_e
corr_redis_answer(corr_redis_work_t *work, redisReply *r)
{
    ngx_pool_t  *pool;

    pool = work->op.op.pool;

    if (r->type == REDIS_REPLY_ERROR) {
        work->op.error = corr_redis_dup(pool, r);
        return CORR_OP_FAILED;
    }

    /* hiredis frees its reply behind the callback */

    if (corr_redis_copy(pool, &work->op.reply, r) != NGX_OK) {
        work->op.error = CORR_STR("no memory");
        return CORR_OP_FAILED;
    }

    return CORR_OP_OK;
}


/* hiredis refuses replies nested deeper than seven. */

static ngx_int_t
corr_redis_copy(ngx_pool_t *pool, corr_redis_reply_t *to,
    const redisReply *from)
{
    size_t  i;

    switch (from->type) {

    case REDIS_REPLY_STRING:
        to->kind = CORR_REDIS_STRING;
        break;

    case REDIS_REPLY_STATUS:
        to->kind = CORR_REDIS_STATUS;
        break;

    case REDIS_REPLY_ERROR:
        to->kind = CORR_REDIS_ERROR;
        break;

    case REDIS_REPLY_INTEGER:
        to->kind = CORR_REDIS_INTEGER;
        to->n = from->integer;
        return NGX_OK;

    case REDIS_REPLY_ARRAY:
        to->kind = CORR_REDIS_ARRAY;
        to->nelements = from->elements;
        to->elements = ngx_pcalloc(pool, (from->elements + 1)
                                         * sizeof(corr_redis_reply_t));
        if (to->elements == NULL) {
            return NGX_ERROR;
        }

        for (i = 0; i < from->elements; i++) {
            if (corr_redis_copy(pool, &to->elements[i], from->element[i])
                != NGX_OK)
            {
                return NGX_ERROR;
            }
        }

        return NGX_OK;

    default:
        to->kind = CORR_REDIS_NIL;
        return NGX_OK;
    }

    to->text = corr_redis_dup(pool, from);

    return to->text.data ? NGX_OK : NGX_ERROR;
}


static corr_str_t
corr_redis_dup(ngx_pool_t *pool, const redisReply *r)
{
    corr_str_t  s = corr_null_str;

    s.data = ngx_pnalloc(pool, r->len + 1);

    if (s.data != NULL) {
        s.len = r->len;
        ngx_memcpy(s.data, r->str, r->len);
        s.data[r->len] = '\0';
    }

    return s;
}


static ngx_uint_t
corr_redis_says(const redisReply *r, const char *word)
{
    return ngx_strncmp(r->str, word, ngx_strlen(word)) == 0;
}


static void
corr_redis_expire(corr_op_t *op)
{
    corr_redis_t       *redis;
    corr_redis_work_t  *work = (corr_redis_work_t *) op;

    redis = work->redis;

    if (!work->sent) {
        ngx_queue_remove(&work->queue);
        redis->queued--;
        corr_redis_end(work, CORR_OP_UNAVAILABLE);
        return;
    }

    /* hiredis still holds it, and its reply will be dropped */

    redis->failures++;
    redis->timeouts++;

    corr_op_complete(op, CORR_OP_TIMEOUT);
    corr_redis_late(redis);
}


static void
corr_redis_late(corr_redis_t *redis)
{
    ngx_queue_t        *q;
    corr_redis_work_t  *work;

    if (ngx_queue_empty(&redis->fifo) || redis->stall.timer_set) {
        return;
    }

    q = ngx_queue_head(&redis->fifo);
    work = ngx_queue_data(q, corr_redis_work_t, queue);

    if (work->op.op.status != CORR_OP_PENDING) {
        ngx_add_timer(&redis->stall, CORR_REDIS_GRACE);
    }
}


static void
corr_redis_stalled(ngx_event_t *ev)
{
    corr_redis_fail(ev->data, "no answer");
}


static void
corr_redis_end(corr_redis_work_t *work, corr_op_status_e status)
{
    corr_op_t  *op;

    op = &work->op.op;

    if (op->status == CORR_OP_PENDING
        && status != CORR_OP_OK && status != CORR_OP_FAILED)
    {
        work->redis->failures++;
    }

    /* held until here, so that an orphan is freed once and at the end */

    op->in_client = 1;

    corr_op_complete(op, status);
    corr_op_forget(op);
}


/*
 * Addresses, while the configuration is read.
 */

static char *
corr_redis_add(ngx_conf_t *cf, ngx_array_t *addrs, ngx_str_t *addr,
    in_port_t port)
{
    ngx_url_t           u;
    ngx_uint_t          i;
    corr_redis_addr_t  *a;

    if (addrs->elts == NULL
        && ngx_array_init(addrs, cf->pool, 2, sizeof(corr_redis_addr_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&u, sizeof(ngx_url_t));
    u.url = *addr;
    u.default_port = port;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s in Redis address \"%V\"",
                           u.err ? u.err : "no memory", addr);
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < u.naddrs; i++) {
        a = ngx_array_push(addrs);
        if (a == NULL) {
            return NGX_CONF_ERROR;
        }

        a->sockaddr = u.addrs[i].sockaddr;
        a->socklen = u.addrs[i].socklen;
        a->name = u.addrs[i].name;
    }

    return NGX_CONF_OK;
}


char *
corr_redis_conf_add(ngx_conf_t *cf, corr_redis_conf_t *conf, ngx_str_t *addr)
{
    return corr_redis_add(cf, &conf->addrs, addr, 6379);
}


char *
corr_redis_conf_add_sentinel(ngx_conf_t *cf, corr_redis_conf_t *conf,
    ngx_str_t *addr)
{
    return corr_redis_add(cf, &conf->sentinels, addr, 26379);
}
