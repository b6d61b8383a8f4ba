/*
 * Redis on nginx's event loop.  Of hiredis 0.14 the parser of replies, which
 * this file alone calls: its connections call abort() when there is no memory
 * for them, in their beginning and in their end.
 *
 * Commands are written from where they were made, and stay there until their
 * answers come, in the same order.
 */

#include "redis.h"
#include "fd.h"
#include "retry.h"

#include <hiredis/hiredis.h>


/* An oldest command this late behind its deadline: the peer is dead. */
#define CORR_REDIS_GRACE       2000

#define CORR_REDIS_PING        5000
#define CORR_REDIS_SHORT_LIFE  1000
#define CORR_REDIS_READ        16384
#define CORR_REDIS_WRITE       64      /* commands in one writev() */


typedef enum {
    CORR_REDIS_DOWN = 0,
    CORR_REDIS_ASKING,                 /* a sentinel */
    CORR_REDIS_CONNECTING,             /* until ROLE is answered */
    CORR_REDIS_UP
} corr_redis_state_e;


/* One connection. */

typedef struct {
    corr_redis_t            *redis;
    redisReader             *reader;   /* NULL: there is none */
    corr_fd_t                fd;
    ngx_queue_t              out;      /* corr_redis_work_t, to be written */
    size_t                   written;  /* of the first of them */
    ngx_queue_t              fifo;     /* and behind it, unanswered */
    ngx_event_t              flush;    /* posted: write what was added */
    ngx_event_t              broken;   /* posted: it failed */
    char                     reason[160];
    unsigned                 connected:1;

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

    ngx_uint_t               in_flight;
    ngx_queue_t              queue;    /* corr_redis_work_t, never sent */
    ngx_uint_t               queued;

    ngx_uint_t               next;     /* address or sentinel to try */
    ngx_uint_t               tried;    /* in this round */
    corr_retry_t             again;
    corr_complaint_t        *complaints;    /* one per address */
    ngx_msec_t               since;    /* up since */

    ngx_sockaddr_t           addr;     /* of this moment */
    socklen_t                addr_len;

    uint64_t                 operations;
    uint64_t                 failures;
    uint64_t                 timeouts;
    uint64_t                 errors;
    corr_complaint_t         refused;  /* the last error reply */

    unsigned                 ping:1;   /* not answered yet */
    unsigned                 refuses:1;     /* it takes no writes */
    unsigned                 failing:1;     /* a whole round has failed */
    unsigned                 stopping:1;
};


typedef void (*corr_redis_told_pt)(corr_redis_t *redis, const redisReply *r);

typedef struct {
    corr_redis_op_t          op;       /* first */
    corr_redis_t            *redis;
    ngx_queue_t              queue;    /* in redis->queue or a link's */
    corr_str_t               command;  /* as it goes out */
    corr_redis_told_pt       told;     /* of our own: takes the answer */
    unsigned                 sent:1;
} corr_redis_work_t;


static void corr_redis_link_init(corr_redis_link_t *link,
    corr_redis_t *redis, ngx_int_t (*greet)(corr_redis_t *redis));
static ngx_array_t *corr_redis_candidates(corr_redis_t *redis);
static corr_redis_addr_t *corr_redis_candidate(corr_redis_t *redis);

static void corr_redis_timer(ngx_event_t *ev);
static void corr_redis_attempt(corr_redis_t *redis);
static void corr_redis_ask(corr_redis_t *redis);
static ngx_int_t corr_redis_ask_master(corr_redis_t *redis);
static void corr_redis_told(corr_redis_t *redis, const redisReply *r);
static ngx_int_t corr_redis_literal(corr_redis_t *redis,
    const redisReply *host, const redisReply *port);
static void corr_redis_found(ngx_event_t *ev);
static void corr_redis_connect(corr_redis_t *redis);
static ngx_int_t corr_redis_greet(corr_redis_t *redis);
static ngx_int_t corr_redis_say_role(corr_redis_t *redis,
    corr_redis_told_pt told);
static void corr_redis_accepted(corr_redis_t *redis, const redisReply *r);
static void corr_redis_role(corr_redis_t *redis, const redisReply *r);
static ngx_uint_t corr_redis_master(const redisReply *r);
static void corr_redis_is_up(corr_redis_t *redis);
static void corr_redis_send_ping(corr_redis_t *redis);
static void corr_redis_pong(corr_redis_t *redis, const redisReply *r);
static void corr_redis_try_write(corr_redis_t *redis);
static void corr_redis_wrote(corr_redis_t *redis, const redisReply *r);
static void corr_redis_refused(corr_redis_t *redis, const redisReply *r);
static size_t corr_redis_words(const redisReply *r);

static ngx_int_t corr_redis_link_open(corr_redis_link_t *link);
static ngx_int_t corr_redis_error(corr_redis_link_t *link, ngx_err_t err);
static void corr_redis_link_close(corr_redis_link_t *link);
static void corr_redis_lost(ngx_queue_t *queue);
static void corr_redis_break(corr_redis_link_t *link, const char *reason);
static void corr_redis_broken(ngx_event_t *ev);
static void corr_redis_event(void *data, ngx_uint_t events,
    ngx_uint_t closing);
static void corr_redis_connected(corr_redis_link_t *link);
static void corr_redis_read(corr_redis_link_t *link);
static void corr_redis_flush(ngx_event_t *ev);
static void corr_redis_write(corr_redis_link_t *link);
static int corr_redis_gather(corr_redis_link_t *link, struct iovec *iov);
static void corr_redis_written(corr_redis_link_t *link, size_t n);

static void corr_redis_fail(corr_redis_t *redis, const char *reason);
static void corr_redis_log(corr_redis_t *redis, ngx_uint_t level,
    const char *what, const char *reason);
static void corr_redis_give_up(corr_redis_t *redis);

static corr_redis_work_t *corr_redis_work(corr_redis_t *redis,
    corr_owner_t *owner, ngx_uint_t argc, const corr_str_t *argv);
static ngx_int_t corr_redis_format(corr_redis_work_t *work, ngx_uint_t argc,
    const corr_str_t *argv);
static void corr_redis_dispatch(corr_redis_t *redis);
static void corr_redis_send(corr_redis_link_t *link, corr_redis_work_t *work);
static ngx_int_t corr_redis_say(corr_redis_link_t *link,
    corr_redis_told_pt told, ngx_uint_t argc, const corr_str_t *argv);
static void corr_redis_answered(corr_redis_link_t *link,
    const redisReply *r);
static void corr_redis_reply(corr_redis_work_t *work, const redisReply *r);
static ngx_uint_t corr_redis_left(corr_redis_t *redis, const redisReply *r);
static corr_op_status_e corr_redis_answer(corr_redis_work_t *work,
    const redisReply *r);
static ngx_int_t corr_redis_copy(ngx_pool_t *pool, corr_redis_reply_t *to,
    const redisReply *from);
static corr_str_t corr_redis_dup(ngx_pool_t *pool, const redisReply *r);
static ngx_uint_t corr_redis_says(const redisReply *r, const char *word);
static void corr_redis_expire(corr_op_t *op);
static void corr_redis_late(corr_redis_t *redis);
static corr_redis_work_t *corr_redis_oldest(corr_redis_link_t *link);
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

    ngx_queue_init(&link->out);
    ngx_queue_init(&link->fifo);

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
    status->errors = redis->errors;
    status->writes = status->up && !redis->refuses;
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

    ngx_memcpy(&redis->addr, addr->sockaddr, addr->socklen);
    redis->addr_len = addr->socklen;

    if (redis->conf->sentinels.nelts) {
        corr_redis_ask(redis);
        return;
    }

    corr_redis_connect(redis);
}


static void
corr_redis_ask(corr_redis_t *redis)
{
    redis->state = CORR_REDIS_ASKING;

    if (corr_redis_link_open(&redis->scout) != NGX_OK) {
        corr_redis_fail(redis, redis->scout.reason);
    }
}


static ngx_int_t
corr_redis_ask_master(corr_redis_t *redis)
{
    corr_str_t  argv[3];

    argv[0] = CORR_STR("SENTINEL");
    argv[1] = CORR_STR("get-master-addr-by-name");
    argv[2] = corr_make_str(redis->conf->master.data,
                            redis->conf->master.len);

    return corr_redis_say(&redis->scout, corr_redis_told, 3, argv);
}


static void
corr_redis_told(corr_redis_t *redis, const redisReply *r)
{
    if (redis->state != CORR_REDIS_ASKING) {
        return;
    }

    if (r->type == REDIS_REPLY_ERROR) {
        corr_redis_break(&redis->scout, r->str);
        return;
    }

    if (r->type != REDIS_REPLY_ARRAY || r->elements != 2
        || r->element[0]->type != REDIS_REPLY_STRING
        || r->element[1]->type != REDIS_REPLY_STRING)
    {
        corr_redis_break(&redis->scout, "the sentinel knows no such master");
        return;
    }

    if (corr_redis_literal(redis, r->element[0], r->element[1]) != NGX_OK) {
        corr_redis_break(&redis->scout, "the sentinel gave no address");
        return;
    }

    ngx_post_event(&redis->found, &ngx_posted_events);
}


/* A name would be looked up, and block. */

static ngx_int_t
corr_redis_literal(corr_redis_t *redis, const redisReply *host,
    const redisReply *port)
{
    ngx_int_t            n;
    in_addr_t            in;
    struct in6_addr      in6;
    struct sockaddr_in   *sin;
    struct sockaddr_in6  *sin6;

    n = ngx_atoi((u_char *) port->str, port->len);
    in = ngx_inet_addr((u_char *) host->str, host->len);

    if (n < 1 || n > 65535
        || (in == INADDR_NONE
            && ngx_inet6_addr((u_char *) host->str, host->len, in6.s6_addr)
               != NGX_OK))
    {
        return NGX_ERROR;
    }

    ngx_memzero(&redis->addr, sizeof(ngx_sockaddr_t));

    if (in != INADDR_NONE) {
        sin = &redis->addr.sockaddr_in;
        sin->sin_family = AF_INET;
        sin->sin_addr.s_addr = in;
        sin->sin_port = htons((in_port_t) n);
        redis->addr_len = sizeof(struct sockaddr_in);
        return NGX_OK;
    }

    sin6 = &redis->addr.sockaddr_in6;
    sin6->sin6_family = AF_INET6;
    sin6->sin6_addr = in6;
    sin6->sin6_port = htons((in_port_t) n);
    redis->addr_len = sizeof(struct sockaddr_in6);

    return NGX_OK;
}


static void
corr_redis_found(ngx_event_t *ev)
{
    corr_redis_t  *redis = ev->data;

    if (redis->state != CORR_REDIS_ASKING) {
        return;
    }

    corr_redis_link_close(&redis->scout);

    corr_redis_connect(redis);
}


static void
corr_redis_connect(corr_redis_t *redis)
{
    redis->state = CORR_REDIS_CONNECTING;

    if (corr_redis_link_open(&redis->data) != NGX_OK) {
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
    ngx_uint_t                n;
    u_char                    number[NGX_INT_T_LEN];
    corr_str_t                argv[3];
    const corr_redis_conf_t  *conf;

    conf = redis->conf;

    if (conf->password.len) {
        n = 0;

        argv[n++] = CORR_STR("AUTH");

        if (conf->username.len) {
            argv[n++] = corr_make_str(conf->username.data,
                                      conf->username.len);
        }

        argv[n++] = corr_make_str(conf->password.data, conf->password.len);

        if (corr_redis_say(&redis->data, corr_redis_accepted, n, argv)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (conf->database > 0) {
        argv[0] = CORR_STR("SELECT");
        argv[1] = corr_make_str(number,
                                ngx_sprintf(number, "%i", conf->database)
                                - number);

        if (corr_redis_say(&redis->data, corr_redis_accepted, 2, argv)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return corr_redis_say_role(redis, corr_redis_role);
}


static ngx_int_t
corr_redis_say_role(corr_redis_t *redis, corr_redis_told_pt told)
{
    corr_str_t  role = CORR_STR("ROLE");

    return corr_redis_say(&redis->data, told, 1, &role);
}


static void
corr_redis_accepted(corr_redis_t *redis, const redisReply *r)
{
    if (r->type == REDIS_REPLY_ERROR) {
        corr_redis_break(&redis->data, r->str);
    }
}


static void
corr_redis_role(corr_redis_t *redis, const redisReply *r)
{
    /* posted: AUTH or SELECT was refused */

    if (redis->data.broken.posted || redis->state != CORR_REDIS_CONNECTING) {
        return;
    }

    if (r->type == REDIS_REPLY_ERROR) {

        /* a single Redis may forbid ROLE, or be something like Redis */

        if (redis->conf->sentinels.nelts == 0
            && (corr_redis_says(r, "NOPERM") || corr_redis_says(r, "ERR")))
        {
            corr_redis_is_up(redis);
            return;
        }

        corr_redis_break(&redis->data, r->str);
        return;
    }

    if (!corr_redis_master(r)) {
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
    redis->refuses = 0;

    for (i = 0; i < corr_redis_candidates(redis)->nelts; i++) {
        redis->complaints[i].hash = 0;
    }

    corr_redis_log(redis, NGX_LOG_NOTICE, "connected to", "");

    ngx_add_timer(&redis->timer, CORR_REDIS_PING);

    corr_redis_try_write(redis);
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

    if (corr_redis_say_role(redis, corr_redis_pong) == NGX_OK) {
        redis->ping = 1;
    }

    corr_redis_try_write(redis);
}


static void
corr_redis_pong(corr_redis_t *redis, const redisReply *r)
{
    redis->ping = 0;

    if (r->type == REDIS_REPLY_ARRAY && !corr_redis_master(r)) {
        corr_redis_break(&redis->data, "it is no longer the master");
    }
}


/*
 * One that answers may still refuse every write: it could not save, or has
 * no memory left.  No session begins then, and none is renewed.
 */

static void
corr_redis_try_write(corr_redis_t *redis)
{
    corr_str_t  argv[5];

    argv[0] = CORR_STR("SET");
    argv[1] = CORR_STR("alive");
    argv[2] = CORR_STR("1");
    argv[3] = CORR_STR("EX");
    argv[4] = CORR_STR("60");

    (void) corr_redis_say(&redis->data, corr_redis_wrote, 5, argv);
}


static void
corr_redis_wrote(corr_redis_t *redis, const redisReply *r)
{
    if (r->type == REDIS_REPLY_ERROR) {
        corr_redis_refused(redis, r);
        return;
    }

    if (redis->refuses) {
        redis->refuses = 0;
        redis->refused.hash = 0;
        corr_redis_log(redis, NGX_LOG_NOTICE, "writes again to", "");
    }
}


static void
corr_redis_refused(corr_redis_t *redis, const redisReply *r)
{
    char  words[256];

    redis->errors++;

    if (corr_redis_says(r, "MISCONF") || corr_redis_says(r, "OOM")
        || corr_redis_says(r, "READONLY") || corr_redis_says(r, "NOREPLICAS"))
    {
        redis->refuses = 1;
    }

    ngx_cpystrn((u_char *) words, (u_char *) r->str,
                ngx_min(sizeof(words), corr_redis_words(r) + 1));

    ngx_log_error(corr_complaint_level(&redis->refused, words), redis->log, 0,
                  "redis: an error: %s", words);
}


/* Of an error, those without the command's own words, which are secrets. */

static size_t
corr_redis_words(const redisReply *r)
{
    char  *args;

    args = strstr(r->str, ", with args");

    return args ? (size_t) (args - r->str) : (size_t) r->len;
}


/*
 * A link: a socket, what goes out and what comes in.
 */

static ngx_int_t
corr_redis_link_open(corr_redis_link_t *link)
{
    corr_redis_t  *redis = link->redis;

    link->reason[0] = '\0';
    link->connected = 0;
    link->written = 0;

    link->reader = redisReaderCreate();

    if (link->reader == NULL) {
        return corr_redis_error(link, NGX_ENOMEM);
    }

    /* it would take a new buffer for a large one, and assert that it could */

    link->reader->maxbuf = 0;

    if (corr_fd_connect(&link->fd, &redis->addr.sockaddr, redis->addr_len,
                        corr_redis_event, link, redis->log)
        != NGX_OK)
    {
        (void) corr_redis_error(link, ngx_socket_errno);

        redisReaderFree(link->reader);
        link->reader = NULL;
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
corr_redis_error(corr_redis_link_t *link, ngx_err_t err)
{
    *ngx_strerror(err, (u_char *) link->reason, sizeof(link->reason) - 1)
        = '\0';

    return NGX_ERROR;
}


/*
 * Never where a reply is being looked at, which would be gone.  What is
 * unanswered ends as LOST in here.
 */

static void
corr_redis_link_close(corr_redis_link_t *link)
{
    if (link->broken.posted) {
        ngx_delete_posted_event(&link->broken);
    }

    if (link->flush.posted) {
        ngx_delete_posted_event(&link->flush);
    }

    if (link->reader == NULL) {
        return;
    }

    corr_fd_close(&link->fd);

    redisReaderFree(link->reader);
    link->reader = NULL;

    corr_redis_lost(&link->fifo);
    corr_redis_lost(&link->out);
}


static void
corr_redis_lost(ngx_queue_t *queue)
{
    corr_redis_work_t  *work;

    while (!ngx_queue_empty(queue)) {
        work = ngx_queue_data(ngx_queue_head(queue), corr_redis_work_t,
                              queue);
        ngx_queue_remove(&work->queue);

        if (work->told == NULL) {
            work->redis->in_flight--;
        }

        corr_redis_end(work, CORR_OP_LOST);
    }
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

    /* once per event; the link may be closed behind it */

    if (events == CORR_FD_READ) {
        corr_redis_read(link);

    } else if (link->connected) {
        corr_redis_write(link);

    } else {
        corr_redis_connected(link);
    }
}


static void
corr_redis_connected(corr_redis_link_t *link)
{
    ngx_err_t  err;

    err = corr_fd_connected(&link->fd);

    if (err) {
        (void) corr_redis_error(link, err);
        corr_redis_fail(link->redis, link->reason);
        return;
    }

    link->connected = 1;

    if (link->greet(link->redis) != NGX_OK) {
        corr_redis_fail(link->redis, "no memory");
    }
}


static void
corr_redis_read(corr_redis_link_t *link)
{
    void         *r;
    ssize_t       n;
    ngx_err_t     err;
    redisReader  *reader;
    char          buf[CORR_REDIS_READ];

    n = recv(link->fd.fd, buf, sizeof(buf), 0);

    if (n <= 0) {
        err = ngx_socket_errno;

        if (n == -1 && (err == NGX_EAGAIN || err == NGX_EINTR)) {
            return;
        }

        if (n == -1) {
            (void) corr_redis_error(link, err);
        }

        corr_redis_fail(link->redis, n ? link->reason : "connection closed");
        return;
    }

    reader = link->reader;

    (void) redisReaderFeed(reader, buf, n);

    while (redisReaderGetReply(reader, &r) == REDIS_OK && r != NULL) {

        if (ngx_queue_empty(&link->fifo)) {
            freeReplyObject(r);
            corr_redis_fail(link->redis, "an answer that nobody asked for");
            return;
        }

        corr_redis_answered(link, r);
        freeReplyObject(r);
    }

    if (reader->err) {
        ngx_cpystrn((u_char *) link->reason, (u_char *) reader->errstr,
                    sizeof(link->reason));
        corr_redis_fail(link->redis, link->reason);
    }
}


/*
 * Commands of one turn of the loop go out together and without asking the
 * kernel for write readiness; only what did not fit waits for it.
 */

static void
corr_redis_flush(ngx_event_t *ev)
{
    corr_redis_write(ev->data);
}


static void
corr_redis_write(corr_redis_link_t *link)
{
    int           i;
    ssize_t       n;
    ngx_err_t     err;
    struct iovec  iov[CORR_REDIS_WRITE];

    i = corr_redis_gather(link, iov);
    n = i ? writev(link->fd.fd, iov, i) : 0;

    if (n == -1) {
        err = ngx_socket_errno;

        if (err != NGX_EAGAIN && err != NGX_EINTR) {
            (void) corr_redis_error(link, err);
            corr_redis_fail(link->redis, link->reason);
            return;
        }

        n = 0;
    }

    corr_redis_written(link, n);

    if (corr_fd_watch(&link->fd, ngx_queue_empty(&link->out)
                                 ? CORR_FD_READ : CORR_FD_READ|CORR_FD_WRITE)
        != NGX_OK)
    {
        corr_redis_fail(link->redis, "event loop failure");
    }
}


static int
corr_redis_gather(corr_redis_link_t *link, struct iovec *iov)
{
    int                 i;
    ngx_queue_t        *q;
    corr_redis_work_t  *work;

    i = 0;

    for (q = ngx_queue_head(&link->out);
         q != ngx_queue_sentinel(&link->out) && i < CORR_REDIS_WRITE;
         q = ngx_queue_next(q))
    {
        work = ngx_queue_data(q, corr_redis_work_t, queue);
        iov[i].iov_base = work->command.data;
        iov[i++].iov_len = work->command.len;
    }

    if (i) {
        iov[0].iov_base = (u_char *) iov[0].iov_base + link->written;
        iov[0].iov_len -= link->written;
    }

    return i;
}


static void
corr_redis_written(corr_redis_link_t *link, size_t n)
{
    corr_redis_work_t  *work;

    n += link->written;

    while (!ngx_queue_empty(&link->out)) {
        work = ngx_queue_data(ngx_queue_head(&link->out), corr_redis_work_t,
                              queue);

        if (n < work->command.len) {
            break;
        }

        n -= work->command.len;

        ngx_queue_remove(&work->queue);
        ngx_queue_insert_tail(&link->fifo, &work->queue);
    }

    link->written = n;
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
    ngx_str_t  addr;
    u_char     text[NGX_SOCKADDR_STRLEN];

    addr.data = text;
    addr.len = ngx_sock_ntop(&redis->addr.sockaddr, redis->addr_len, text,
                             sizeof(text), 1);

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
    corr_redis_work_t  *work;

    work = corr_redis_work(redis, owner, argc, argv);
    if (work == NULL) {
        return NULL;
    }

    redis->operations++;

    corr_op_start(&work->op.op, redis->conf->timeout);

    if (redis->failing || redis->stopping
        || redis->in_flight + redis->queued >= redis->conf->queue)
    {
        corr_redis_end(work, CORR_OP_UNAVAILABLE);
        return &work->op;
    }

    work->op.op.in_client = 1;

    ngx_queue_insert_tail(&redis->queue, &work->queue);
    redis->queued++;

    corr_redis_dispatch(redis);

    return &work->op;
}


static corr_redis_work_t *
corr_redis_work(corr_redis_t *redis, corr_owner_t *owner, ngx_uint_t argc,
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

    return work;
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
    ngx_queue_t        *q;
    corr_redis_work_t  *work;

    while (redis->state == CORR_REDIS_UP && !redis->data.broken.posted
           && !redis->stall.timer_set && !ngx_queue_empty(&redis->queue))
    {
        q = ngx_queue_head(&redis->queue);
        work = ngx_queue_data(q, corr_redis_work_t, queue);

        ngx_queue_remove(q);
        redis->queued--;

        work->sent = 1;
        redis->in_flight++;

        corr_redis_send(&redis->data, work);
    }
}


static void
corr_redis_send(corr_redis_link_t *link, corr_redis_work_t *work)
{
    ngx_queue_insert_tail(&link->out, &work->queue);
    ngx_post_event(&link->flush, &ngx_posted_events);
}


/* Nobody waits for it: its link has a deadline. */

static ngx_int_t
corr_redis_say(corr_redis_link_t *link, corr_redis_told_pt told,
    ngx_uint_t argc, const corr_str_t *argv)
{
    corr_redis_work_t  *work;

    work = corr_redis_work(link->redis, NULL, argc, argv);
    if (work == NULL) {
        return NGX_ERROR;
    }

    work->told = told;

    corr_redis_send(link, work);

    return NGX_OK;
}


static void
corr_redis_answered(corr_redis_link_t *link, const redisReply *r)
{
    corr_redis_work_t  *work;

    work = ngx_queue_data(ngx_queue_head(&link->fifo), corr_redis_work_t,
                          queue);
    ngx_queue_remove(&work->queue);

    if (work->told == NULL) {
        corr_redis_reply(work, r);
        return;
    }

    work->told(link->redis, r);
    corr_redis_end(work, CORR_OP_OK);
}


static void
corr_redis_reply(corr_redis_work_t *work, const redisReply *r)
{
    corr_redis_t      *redis;
    corr_op_status_e   status;

    redis = work->redis;
    redis->in_flight--;

    if (r->type == REDIS_REPLY_ERROR && corr_redis_left(redis, r)) {
        corr_redis_break(&redis->data, r->str);
    }

    if (r->type == REDIS_REPLY_ERROR) {
        corr_redis_refused(redis, r);
    }

    status = (work->op.op.status == CORR_OP_PENDING)
             ? corr_redis_answer(work, r) : CORR_OP_FAILED;

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
corr_redis_answer(corr_redis_work_t *work, const redisReply *r)
{
    ngx_pool_t  *pool;

    pool = work->op.op.pool;

    if (r->type == REDIS_REPLY_ERROR) {
        work->op.error = corr_redis_dup(pool, r);
        work->op.error.len = ngx_min(work->op.error.len, corr_redis_words(r));
        return CORR_OP_FAILED;
    }

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

    /* its reply will still come, and be dropped */

    redis->failures++;
    redis->timeouts++;

    corr_op_complete(op, CORR_OP_TIMEOUT);
    corr_redis_late(redis);
}


static void
corr_redis_late(corr_redis_t *redis)
{
    corr_redis_work_t  *work;

    work = corr_redis_oldest(&redis->data);

    if (work != NULL && work->op.op.status != CORR_OP_PENDING
        && !redis->stall.timer_set)
    {
        ngx_add_timer(&redis->stall, CORR_REDIS_GRACE);
    }
}


/* Of those that somebody waits for. */

static corr_redis_work_t *
corr_redis_oldest(corr_redis_link_t *link)
{
    ngx_uint_t          i;
    ngx_queue_t        *q, *queues[2] = { &link->fifo, &link->out };
    corr_redis_work_t  *work;

    for (i = 0; i < 2; i++) {

        for (q = ngx_queue_head(queues[i]);
             q != ngx_queue_sentinel(queues[i]);
             q = ngx_queue_next(q))
        {
            work = ngx_queue_data(q, corr_redis_work_t, queue);

            if (work->told == NULL) {
                return work;
            }
        }
    }

    return NULL;
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

    if (op->status == CORR_OP_PENDING && work->told == NULL
        && status != CORR_OP_OK)
    {
        work->redis->failures++;
    }

    corr_op_end(op, status);
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
