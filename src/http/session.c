/*
 * A session's record in Redis:
 *
 *     s:HASH   "KIND ID EPOCH CREATED"   idle time-out, renewed by GETEX
 *     p:ID     hash of a person's sessions, HASH → "CREATED ADDRESS AGENT";
 *              beyond a hundred the oldest end
 *     k:ID     the same of a clerk
 *
 * KIND is c (citizen), k (clerk) or h (clerk who owes the code).  HASH is a
 * keyed hash of the cookie's token: who reads Redis cannot log in.  With
 * several key files a session may stand under the hash of any of them; it
 * keeps its name until it ends.
 *
 * When Redis is away a page that needs a session answers 503; pages of
 * nobody work on.
 */

#include "session.h"
#include "counters.h"
#include "flow.h"
#include "reading.h"
#include "reply.h"

#include "../lib/cookie.h"
#include "../lib/encode.h"
#include "../lib/escape.h"
#include "../lib/text.h"
#include "../services/secrets.h"


#define CORR_SESSION_HASH     64
#define CORR_SESSION_HANDLE   16
#define CORR_CSRF_SHOWN       (4 * CORR_SECRETS_MAC)    /* hex, masked */
#define CORR_COOKIES_MAX      16
#define CORR_AGENT_MAX        256
#define CORR_BROWSER_LIFE     (365 * 24 * 3600)

/* KEYS: the list; ARGV: hash, record, seconds, how many at the most. */
#define CORR_SESSION_NOTE                                                     \
    "redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) "                          \
    "redis.call('EXPIRE', KEYS[1], ARGV[3]) "                                 \
    "local over = redis.call('HLEN', KEYS[1]) - ARGV[4] "                     \
    "if over <= 0 then return end "                                           \
    "local all, old = redis.call('HGETALL', KEYS[1]), {} "                    \
    "for i = 1, #all, 2 do "                                                  \
        "if all[i] ~= ARGV[1] then "                                          \
            "old[#old + 1] = { all[i], "                                      \
                "tonumber(string.match(all[i + 1], '^%d+')) or 0 } "          \
        "end "                                                                \
    "end "                                                                    \
    "table.sort(old, function(a, b) return a[2] < b[2] end) "                 \
    "for i = 1, over do "                                                     \
        "redis.call('HDEL', KEYS[1], old[i][1]) "                             \
        "redis.call('DEL', 's:' .. old[i][1]) "                               \
    "end"


struct corr_session_work_s {
    corr_redis_op_t         *find[CORR_SECRETS_FILES];
    corr_str_t               hash[CORR_SECRETS_FILES];   /* of find's */
    corr_redis_op_t         *get;
    corr_redis_op_t         *list;
    ngx_array_t            **sessions;
    corr_step_pt             then;
};


static ngx_int_t corr_session_ask(corr_page_t *p, size_t file,
    corr_str_t token);
static ngx_int_t corr_session_found(corr_page_t *p);
static ngx_int_t corr_session_parse(corr_page_t *p, corr_str_t record);
static ngx_int_t corr_session_forget(corr_page_t *p);
static ngx_int_t corr_session_open(corr_page_t *p, corr_who_e who,
    int64_t id, int64_t epoch, int64_t created, corr_step_pt then);
static ngx_int_t corr_session_note(corr_page_t *p, corr_who_e who,
    int64_t id, int64_t created, corr_str_t hash);
static ngx_int_t corr_session_unlist(corr_page_t *p, corr_str_t hash);
static ngx_int_t corr_session_send(corr_page_t *p, ngx_uint_t argc,
    const corr_str_t *argv);
static ngx_int_t corr_session_stored(corr_page_t *p);
static ngx_int_t corr_session_listed(corr_page_t *p);
static ngx_int_t corr_session_lives(corr_page_t *p);
static ngx_int_t corr_session_timed(corr_page_t *p);
static corr_str_t corr_session_handle(corr_page_t *p, corr_str_t hash);
static corr_str_t corr_session_members(corr_page_t *p, corr_who_e who,
    int64_t id);
static corr_str_t corr_session_where(corr_page_t *p);
static ngx_int_t corr_session_unavailable(corr_page_t *p,
    corr_redis_op_t *redis);
static corr_session_work_t *corr_session_work(corr_page_t *p);
static corr_str_t corr_session_text(corr_page_t *p, const char *format, ...);
static time_t corr_session_idle(corr_page_t *p);
static time_t corr_session_absolute(corr_page_t *p);
static const char *corr_session_cookie(corr_page_t *p);
static corr_str_t corr_session_token(corr_page_t *p, const char *cookie);
static corr_str_t corr_csrf_masked(corr_page_t *p, const u_char *token);
static corr_str_t corr_csrf_unmasked(corr_page_t *p, u_char *bytes);
static ngx_uint_t corr_csrf_of_session(corr_page_t *p, corr_str_t given);
static ngx_uint_t corr_csrf_is(corr_page_t *p, const corr_str_t parts[2],
    corr_str_t given);
static corr_str_t corr_session_hash(corr_page_t *p, size_t file,
    corr_str_t token);
static void corr_session_name(const char *use, corr_str_t of,
    u_char hex[CORR_SESSION_HASH]);


/* First step of every page: who is this? */

ngx_int_t
corr_session_find(corr_page_t *p)
{
    size_t      i;
    corr_str_t  token;

    token = corr_session_token(p, corr_session_cookie(p));

    /* whose cookie could not be read has one all the same */

    if (p->exhausted) {
        return NGX_ERROR;
    }

    if (token.len == 0) {
        return NGX_OK;
    }

    /* an open page asks nobody, but shows the way to the desk */

    if (corr_route_is_open(p->route)) {
        corr_view_flag(p->view, "has_session", 1);
        return NGX_OK;
    }

    /* all at once: an old name costs no second round trip */

    for (i = 0; i < corr_secrets_count(p->settings->secrets); i++) {
        if (corr_session_ask(p, i, token) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if ((p->route->who & CORR_READS)
        && corr_reading_ask(p, p->session_work->hash[0]) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return corr_flow_then(p, corr_session_found);
}


static ngx_int_t
corr_session_ask(corr_page_t *p, size_t file, corr_str_t token)
{
    corr_str_t            argv[4], hash;
    corr_session_work_t  *work;

    work = corr_session_work(p);
    if (work == NULL) {
        return NGX_ERROR;
    }

    hash = corr_session_hash(p, file, token);

    argv[0] = CORR_STR("GETEX");
    argv[1] = corr_session_text(p, "s:%*s", hash.len, hash.data);
    argv[2] = CORR_STR("EX");
    argv[3] = corr_session_text(p, "%T", corr_session_idle(p));

    if (p->exhausted) {
        return NGX_ERROR;
    }

    work->hash[file] = hash;
    work->find[file] = corr_redis_command(p->worker->redis, &p->owner, 4,
                                          argv);

    return work->find[file] ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
corr_session_found(corr_page_t *p)
{
    size_t                i;
    corr_redis_op_t      *find;
    corr_session_work_t  *work = corr_session_work(p);

    for (i = 0; i < corr_secrets_count(p->settings->secrets); i++) {
        find = work->find[i];

        if (find->op.status != CORR_OP_OK) {
            return corr_session_unavailable(p, find);
        }

        if (find->reply.kind != CORR_REDIS_STRING) {
            continue;
        }

        p->session.hash = work->hash[i];

        if (corr_session_parse(p, find->reply.text) != NGX_OK) {
            p->session.who = CORR_NOBODY;
        }

        break;
    }

    return NGX_OK;
}


static ngx_int_t
corr_session_parse(corr_page_t *p, corr_str_t record)
{
    int         n;
    char        text[128], kind;
    long long   id, epoch, created;

    if (record.len >= sizeof(text)) {
        return NGX_ERROR;
    }

    ngx_memcpy(text, record.data, record.len);
    text[record.len] = '\0';

    n = sscanf(text, "%c %lld %lld %lld", &kind, &id, &epoch, &created);

    if (n != 4 || ngx_time() - created > corr_session_absolute(p)) {
        return NGX_ERROR;
    }

    p->session.id = id;
    p->session.epoch = epoch;
    p->session.created = created;

    /* a citizen's session is worth nothing at the clerks' location */

    if (p->loc->kind == CORR_KIND_CITIZEN && kind == 'c') {
        p->session.who = CORR_A_PERSON;

    } else if (p->loc->kind == CORR_KIND_CLERK && kind == 'k') {
        p->session.who = CORR_A_STAFF;

    } else if (p->loc->kind == CORR_KIND_CLERK && kind == 'h') {
        p->session.who = CORR_A_HALF;
    }

    return NGX_OK;
}


ngx_int_t
corr_session_missing(corr_page_t *p)
{
    corr_str_t  none = corr_null_str;

    return corr_session_missing_for(p, p->route->method == CORR_GET
                                       ? corr_session_where(p) : none);
}


/*
 * The page with its query, to come back to; without it when it is endless,
 * and none at all when that is the page.
 */

static corr_str_t
corr_session_where(corr_page_t *p)
{
    u_char     *where, *last;
    ngx_str_t  *args;
    corr_str_t  none = corr_null_str;

    args = &p->request->args;

    if (p->path.len > CORR_NEXT_MAX) {
        return none;
    }

    if (args->len == 0 || p->path.len + args->len > CORR_NEXT_MAX) {
        return p->path;
    }

    where = ngx_pnalloc(p->pool, p->path.len + 1 + args->len);
    if (where == NULL) {
        return p->path;
    }

    last = ngx_sprintf(where, "%*s?%V", p->path.len, p->path.data, args);

    return corr_make_str(where, last - where);
}


/* Who had a session is told that it has ended; who had none, nothing. */

ngx_int_t
corr_session_missing_for(corr_page_t *p, corr_str_t next)
{
    corr_str_t   none = corr_null_str;
    const char  *ended;

    if (p->json) {
        return corr_reply_error(p, NGX_HTTP_UNAUTHORIZED,
                                CORR_MSG_SESSION_ENDED, 0, NULL);
    }

    ended = (p->route->method == CORR_GET) ? "" : "ended=1&";

    if (corr_session_was(p)) {
        ended = "ended=1&";
        corr_reply_cookie(p, corr_session_cookie(p), none, 0);
    }

    if (next.len == 0) {
        return corr_reply_redirect(p, "/login?ended=1");
    }

    next = corr_escape(&p->alloc, CORR_ESCAPE_URL, next);

    return corr_reply_redirect(p, "/login?%snext=%*s", ended, next.len,
                               next.data);
}


ngx_uint_t
corr_session_was(corr_page_t *p)
{
    return corr_session_token(p, corr_session_cookie(p)).len != 0;
}


ngx_int_t
corr_session_start(corr_page_t *p, corr_who_e who, int64_t id,
    int64_t epoch, corr_step_pt then)
{
    return corr_session_open(p, who, id, epoch, ngx_time(), then);
}


static ngx_int_t
corr_session_open(corr_page_t *p, corr_who_e who, int64_t id, int64_t epoch,
    int64_t created, corr_step_pt then)
{
    u_char               *token;
    corr_str_t            argv[5], hash;
    const char           *kind;
    corr_session_work_t  *work;

    token = ngx_pnalloc(p->pool, CORR_SECRETS_TOKEN);
    work = corr_session_work(p);

    if (token == NULL || work == NULL) {
        return NGX_ERROR;
    }

    kind = (who == CORR_A_PERSON) ? "c" : (who == CORR_A_STAFF) ? "k" : "h";

    corr_secrets_token(NULL, token);
    hash = corr_session_hash(p, 0, corr_make_str(token, CORR_SECRETS_TOKEN));

    argv[0] = CORR_STR("SET");
    argv[1] = corr_session_text(p, "s:%*s", hash.len, hash.data);
    argv[2] = corr_session_text(p, "%s %L %L %L", kind, id, epoch, created);
    argv[3] = CORR_STR("EX");
    argv[4] = corr_session_text(p, "%T", corr_session_idle(p));

    work->get = corr_redis_command(p->worker->redis, &p->owner, 5, argv);

    if (who != CORR_A_HALF) {
        corr_counters_add(p->worker, CORR_COUNT_SESSIONS_STARTED, 1);
    }

    if (work->get == NULL
        || corr_session_forget(p) != NGX_OK
        || (who != CORR_A_HALF
            && corr_session_note(p, who, id, created, hash) != NGX_OK)
        || corr_reply_cookie(p, corr_session_cookie(p),
                             corr_make_str(token, CORR_SECRETS_TOKEN), -1)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    work->then = then;

    return corr_flow_then(p, corr_session_stored);
}


/* Another token, but no longer life: whoever has the cookie could go on. */

ngx_int_t
corr_session_renew(corr_page_t *p, int64_t epoch, corr_step_pt then)
{
    corr_str_t  argv[2];

    argv[0] = CORR_STR("DEL");
    argv[1] = corr_session_members(p, p->session.who, p->session.id);

    if (corr_session_send(p, 2, argv) != NGX_OK) {
        return NGX_ERROR;
    }

    return corr_session_open(p, p->session.who, p->session.id, epoch,
                             p->session.created, then);
}


/* The session this browser had is over, whoever's it was. */

static ngx_int_t
corr_session_forget(corr_page_t *p)
{
    size_t      i, n;
    corr_str_t  argv[1 + CORR_SECRETS_FILES], token, hash;

    token = corr_session_token(p, corr_session_cookie(p));

    if (token.len == 0) {
        return NGX_OK;
    }

    n = corr_secrets_count(p->settings->secrets);

    argv[0] = CORR_STR("DEL");

    for (i = 0; i < n; i++) {
        hash = corr_session_hash(p, i, token);
        argv[1 + i] = corr_session_text(p, "s:%*s", hash.len, hash.data);
    }

    return corr_session_send(p, 1 + n, argv);
}


/* For the list of one's sessions. */

static ngx_int_t
corr_session_note(corr_page_t *p, corr_who_e who, int64_t id,
    int64_t created, corr_str_t hash)
{
    corr_str_t  argv[8], agent;

    /* any bytes may stand there, and a page shows them */

    agent = corr_request_header(p->request, "user-agent");

    if (corr_text_clean(&p->alloc, agent, 0, &agent) != CORR_OK) {
        agent.len = 0;
    }

    agent = corr_utf8_prefix(agent, CORR_AGENT_MAX);

    argv[0] = CORR_STR("EVAL");
    argv[1] = CORR_STR(CORR_SESSION_NOTE);
    argv[2] = CORR_STR("1");
    argv[3] = corr_session_members(p, who, id);
    argv[4] = hash;
    argv[5] = corr_session_text(p, "%L %V %*s", created,
                                &p->request->connection->addr_text,
                                agent.len, agent.data);
    argv[6] = corr_session_text(p, "%T", corr_session_absolute(p));
    argv[7] = corr_session_text(p, "%ui", p->settings->session_max);

    return corr_session_send(p, 8, argv);
}


static ngx_int_t
corr_session_unlist(corr_page_t *p, corr_str_t hash)
{
    corr_str_t  argv[3];

    argv[0] = CORR_STR("HDEL");
    argv[1] = corr_session_members(p, p->session.who, p->session.id);
    argv[2] = hash;

    return corr_session_send(p, 3, argv);
}


/* A command whose answer matters to nobody. */

static ngx_int_t
corr_session_send(corr_page_t *p, ngx_uint_t argc, const corr_str_t *argv)
{
    if (corr_redis_command(p->worker->redis, &p->owner, argc, argv) == NULL) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
corr_session_stored(corr_page_t *p)
{
    corr_session_work_t  *work = corr_session_work(p);

    if (work->get->op.status != CORR_OP_OK) {
        return corr_session_unavailable(p, work->get);
    }

    return work->then(p);
}


ngx_int_t
corr_session_end(corr_page_t *p, corr_step_pt then)
{
    corr_str_t            argv[2], none = corr_null_str;
    corr_session_work_t  *work = corr_session_work(p);

    if (work == NULL
        || (p->session.hash.len
            && corr_session_unlist(p, p->session.hash) != NGX_OK))
    {
        return NGX_ERROR;
    }

    corr_counters_add(p->worker, CORR_COUNT_SESSIONS_ENDED, 1);

    argv[0] = CORR_STR("DEL");
    argv[1] = corr_session_text(p, "s:%*s", p->session.hash.len,
                                p->session.hash.data);

    work->get = corr_redis_command(p->worker->redis, &p->owner, 2, argv);
    work->then = then;

    if (work->get == NULL
        || corr_reply_cookie(p, corr_session_cookie(p), none, 0) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return corr_flow_then(p, corr_session_stored);
}


ngx_int_t
corr_session_list(corr_page_t *p, ngx_array_t **list, corr_step_pt then)
{
    corr_str_t            argv[2];
    corr_session_work_t  *work = corr_session_work(p);

    if (work == NULL) {
        return NGX_ERROR;
    }

    argv[0] = CORR_STR("HGETALL");
    argv[1] = corr_session_members(p, p->session.who, p->session.id);

    work->list = corr_redis_command(p->worker->redis, &p->owner, 2, argv);
    work->sessions = list;
    work->then = then;

    if (work->list == NULL) {
        return NGX_ERROR;
    }

    return corr_flow_then(p, corr_session_listed);
}


/* "CREATED ADDRESS AGENT" */

static ngx_int_t
corr_session_listed(corr_page_t *p)
{
    u_char                *sp, *last;
    time_t                 created;
    corr_str_t             text;
    ngx_uint_t             i;
    corr_redis_reply_t    *reply;
    corr_session_info_t   *info;
    corr_session_work_t   *work = corr_session_work(p);

    if (work->list->op.status != CORR_OP_OK) {
        return corr_session_unavailable(p, work->list);
    }

    reply = &work->list->reply;

    *work->sessions = ngx_array_create(p->pool, 4,
                                       sizeof(corr_session_info_t));
    if (*work->sessions == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i + 1 < reply->nelements; i += 2) {

        text = reply->elements[i + 1].text;
        last = text.data + text.len;

        sp = ngx_strlchr(text.data, last, ' ');
        if (sp == NULL) {
            continue;
        }

        created = ngx_atotm(text.data, sp - text.data);

        if (created == (time_t) NGX_ERROR
            || ngx_time() - created > corr_session_absolute(p))
        {
            (void) corr_session_unlist(p, reply->elements[i].text);
            continue;
        }

        info = ngx_array_push(*work->sessions);
        if (info == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(info, sizeof(corr_session_info_t));

        info->id = corr_session_handle(p, reply->elements[i].text);
        info->hash = reply->elements[i].text;
        info->created = (int64_t) created * 1000000;
        info->current = corr_str_eq(info->hash, p->session.hash);

        text = corr_make_str(sp + 1, last - sp - 1);
        sp = ngx_strlchr(text.data, last, ' ');

        info->address = corr_make_str(text.data,
                                      (sp ? sp : last) - text.data);

        if (sp) {
            info->agent = corr_make_str(sp + 1, last - sp - 1);
        }
    }

    return corr_session_lives(p);
}


/*
 * The list outlives its sessions: each is asked for the time it has left,
 * which also tells when it was used last.
 */

static ngx_int_t
corr_session_lives(corr_page_t *p)
{
    corr_str_t            argv[2];
    ngx_uint_t            i;
    corr_session_info_t  *info;
    corr_session_work_t  *work = corr_session_work(p);

    info = (*work->sessions)->elts;

    for (i = 0; i < (*work->sessions)->nelts; i++) {

        argv[0] = CORR_STR("TTL");
        argv[1] = corr_session_text(p, "s:%*s", info[i].hash.len,
                                    info[i].hash.data);

        info[i].left = corr_redis_command(p->worker->redis, &p->owner, 2,
                                          argv);
        if (info[i].left == NULL) {
            return NGX_ERROR;
        }
    }

    return corr_flow_then(p, corr_session_timed);
}


static ngx_int_t
corr_session_timed(corr_page_t *p)
{
    int64_t               left;
    ngx_uint_t            i, n;
    ngx_array_t          *list;
    corr_session_info_t  *info;
    corr_session_work_t  *work = corr_session_work(p);

    list = *work->sessions;
    info = list->elts;

    for (i = 0, n = 0; i < list->nelts; i++) {

        if (info[i].left->op.status != CORR_OP_OK) {
            return corr_session_unavailable(p, info[i].left);
        }

        left = info[i].left->reply.n;

        if (left < 0) {
            (void) corr_session_unlist(p, info[i].hash);
            continue;
        }

        info[n] = info[i];
        info[n].seen = ((int64_t) ngx_time() - corr_session_idle(p) + left)
                       * 1000000;
        n++;
    }

    list->nelts = n;

    return work->then(p);
}


ngx_int_t
corr_session_end_other(corr_page_t *p, const corr_session_info_t *info,
    corr_step_pt then)
{
    corr_str_t            argv[2];
    corr_session_work_t  *work = corr_session_work(p);

    if (corr_session_unlist(p, info->hash) != NGX_OK) {
        return NGX_ERROR;
    }

    argv[0] = CORR_STR("DEL");
    argv[1] = corr_session_text(p, "s:%*s", info->hash.len, info->hash.data);

    work->get = corr_redis_command(p->worker->redis, &p->owner, 2, argv);
    work->then = then;

    if (work->get == NULL) {
        return NGX_ERROR;
    }

    return corr_flow_then(p, corr_session_stored);
}


/* What the page shows of a session: enough to find it, worth nothing. */

static corr_str_t
corr_session_handle(corr_page_t *p, corr_str_t hash)
{
    u_char      *hex;
    corr_str_t   none = corr_null_str;

    hex = corr_alloc(&p->alloc, CORR_SESSION_HASH);
    if (hex == NULL) {
        return none;
    }

    corr_session_name("session", hash, hex);

    return corr_make_str(hex, CORR_SESSION_HANDLE);
}


static corr_str_t
corr_session_members(corr_page_t *p, corr_who_e who, int64_t id)
{
    return corr_session_text(p, "%s:%L", who == CORR_A_PERSON ? "p" : "k",
                             id);
}


/* Why the store did not answer goes to the log, a sentence to the person. */

static ngx_int_t
corr_session_unavailable(corr_page_t *p, corr_redis_op_t *redis)
{
    corr_str_t  why;

    why = redis->op.status == CORR_OP_TIMEOUT ? CORR_STR("timed out")
          : redis->op.status == CORR_OP_FAILED ? redis->error
          : CORR_STR("no connection");

    return corr_reply_error(p, NGX_HTTP_SERVICE_UNAVAILABLE, CORR_MSG_COUNT,
                            5, "session store: %*s", why.len, why.data);
}


static corr_session_work_t *
corr_session_work(corr_page_t *p)
{
    if (p->session_work == NULL) {
        p->session_work = ngx_pcalloc(p->pool, sizeof(corr_session_work_t));
    }

    return p->session_work;
}


static corr_str_t
corr_session_text(corr_page_t *p, const char *format, ...)
{
    u_char      *text, *last;
    va_list      args;
    corr_str_t   none = corr_null_str;

    text = corr_alloc(&p->alloc, 1024);
    if (text == NULL) {
        return none;
    }

    va_start(args, format);
    last = ngx_vslprintf(text, text + 1024, format, args);
    va_end(args);

    return corr_make_str(text, last - text);
}


static time_t
corr_session_idle(corr_page_t *p)
{
    return p->loc->kind == CORR_KIND_CLERK
           ? p->settings->clerk_session_idle : p->settings->session_idle;
}


static time_t
corr_session_absolute(corr_page_t *p)
{
    return p->loc->kind == CORR_KIND_CLERK
           ? p->settings->clerk_session_absolute
           : p->settings->session_absolute;
}


static const char *
corr_session_cookie(corr_page_t *p)
{
    return p->loc->kind == CORR_KIND_CLERK ? "correspondence-clerk"
                                           : "correspondence";
}


/* The token of a cookie, if it has the form of one. */

static corr_str_t
corr_session_token(corr_page_t *p, const char *cookie)
{
    u_char       bytes[40];
    size_t       len;
    corr_str_t   token, none = corr_null_str;

    token = corr_session_cookie_value(p, cookie);

    if (token.len == 0
        || corr_base64url_decode(token, bytes, sizeof(bytes), &len)
           != CORR_OK
        || len != 32)
    {
        return none;
    }

    return token;
}


/*
 * Under TLS only the __Host- name counts: a neighbour host cannot have
 * planted that.
 */

corr_str_t
corr_session_cookie_value(corr_page_t *p, const char *cookie)
{
    ngx_uint_t         i, n;
    corr_str_t         headers[CORR_COOKIES_MAX], value;
    corr_str_t         none = corr_null_str;
    ngx_list_part_t   *part;
    ngx_table_elt_t   *header;

    n = 0;

    for (part = &p->request->headers_in.headers.part;
         part && n < CORR_COOKIES_MAX;
         part = part->next)
    {
        header = part->elts;

        for (i = 0; i < part->nelts && n < CORR_COOKIES_MAX; i++) {
            if (header[i].key.len == 6
                && ngx_strncasecmp(header[i].key.data, (u_char *) "cookie", 6)
                   == 0)
            {
                headers[n++] = corr_from_ngx(header[i].value);
            }
        }
    }

    if (corr_cookie_find(headers, n, corr_reply_cookie_name(p, cookie),
                         &value)
        != CORR_OK)
    {
        return none;
    }

    return value;
}


static corr_str_t
corr_session_hash(corr_page_t *p, size_t file, corr_str_t token)
{
    u_char      *hex, mac[CORR_SECRETS_MAC];
    corr_str_t   none = corr_null_str;

    hex = corr_alloc(&p->alloc, CORR_SESSION_HASH);
    if (hex == NULL) {
        return none;
    }

    corr_secrets_mac_of(p->settings->secrets, file, CORR_KEY_SESSION, &token,
                        1, mac);
    corr_secrets_hex(mac, sizeof(mac), hex);

    return corr_make_str(hex, CORR_SESSION_HASH);
}


static void
corr_session_name(const char *use, corr_str_t of, u_char hex[CORR_SESSION_HASH])
{
    u_char      name[CORR_SECRETS_MAC];
    corr_str_t  parts[2];

    parts[0] = corr_cstr(use);
    parts[1] = of;

    corr_secrets_name(parts, 2, name);
    corr_secrets_hex(name, sizeof(name), hex);
}


/*
 * Few pages ask for it: it is made for those.  Rows of the database name the
 * browser by it, some for a year: it outlives the key files.
 */

corr_str_t
corr_session_browser(corr_page_t *p)
{
    corr_str_t  none = corr_null_str;

    if (p->browser.len == 0) {
        return none;
    }

    if (p->browser_hash[0] == '\0') {
        corr_session_name("browser", p->browser, p->browser_hash);
    }

    return corr_make_str(p->browser_hash, sizeof(p->browser_hash));
}


/*
 * The token of forms follows from a cookie: the session's for who has one,
 * the browser's for everybody else.  It is bound to it and to the key file,
 * and costs no round trip.  Of what kind the cookie is, is in it: one cannot
 * pass for the other.
 */

ngx_int_t
corr_csrf_prepare(corr_page_t *p)
{
    u_char      *fresh, mac[CORR_SECRETS_MAC];
    corr_str_t   token, session, shown;

    token = corr_session_token(p, "correspondence-browser");

    if (token.len == 0) {

        fresh = ngx_pnalloc(p->pool, CORR_SECRETS_TOKEN);
        if (fresh == NULL) {
            return NGX_ERROR;
        }

        corr_secrets_token(&p->worker->drawn, fresh);
        token = corr_make_str(fresh, CORR_SECRETS_TOKEN);

        /* it outlives the browser's window: who comes back is known */

        if (corr_reply_cookie(p, "correspondence-browser", token,
                              CORR_BROWSER_LIFE)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    p->browser = token;

    session = corr_session_token(p, corr_session_cookie(p));

    /* a form that outlived its session has that one's token */

    if (session.len && (p->session.who != CORR_NOBODY
                        || (p->route->who & CORR_LEAVES)))
    {
        p->csrf[0] = CORR_STR("session");
        p->csrf[1] = session;

    } else {
        p->csrf[0] = CORR_STR("browser");
        p->csrf[1] = token;
    }

    corr_secrets_mac(p->settings->secrets, CORR_KEY_FORM, p->csrf, 2, mac);

    shown = corr_csrf_masked(p, mac);
    if (shown.data == NULL) {
        return NGX_ERROR;
    }

    corr_view_text(p->view, "csrf", shown);

    return NGX_OK;
}


/*
 * The token, and what browsers say of where the form came from: a browser
 * that names another site is not believed whatever token it has.  No memory
 * is asked for: whoever had none would be called a forger.
 */

ngx_int_t
corr_csrf_check(corr_page_t *p)
{
    u_char      bytes[CORR_CSRF_SHOWN / 2];
    corr_str_t  site, given;

    site = corr_request_header(p->request, "sec-fetch-site");

    if (site.len && !corr_str_is(site, "same-origin")
        && !corr_str_is(site, "none"))
    {
        return NGX_DECLINED;
    }

    given = corr_csrf_unmasked(p, bytes);

    if (!corr_csrf_is(p, p->csrf, given) && !corr_csrf_of_session(p, given))
    {
        corr_counters_add(p->worker, CORR_COUNT_CSRF_REFUSED, 1);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/*
 * A page of nobody (another captcha) that was asked for by a form of
 * somebody who is logged in: the token is the session's.
 */

static ngx_uint_t
corr_csrf_of_session(corr_page_t *p, corr_str_t given)
{
    corr_str_t  parts[2];

    parts[0] = CORR_STR("session");
    parts[1] = corr_session_token(p, corr_session_cookie(p));

    if (parts[1].len == 0 || !corr_route_is_open(p->route)) {
        return 0;
    }

    return corr_csrf_is(p, parts, given);
}


/* A form that was open when the key was changed has the old one's token. */

static ngx_uint_t
corr_csrf_is(corr_page_t *p, const corr_str_t parts[2], corr_str_t given)
{
    return corr_secrets_mac_check(p->settings->secrets, CORR_KEY_FORM, parts,
                                  2, given);
}


/*
 * A form shows the token behind a mask: a random one, then the token xored
 * with it, both in hex.  What is the same in every answer could be guessed
 * from the lengths of compressed ones (BREACH).
 */

static corr_str_t
corr_csrf_masked(corr_page_t *p, const u_char *token)
{
    u_char      *hex, mask[CORR_SECRETS_MAC];
    ngx_uint_t   i;
    corr_str_t   none = corr_null_str;

    hex = ngx_pnalloc(p->pool, CORR_CSRF_SHOWN);
    if (hex == NULL) {
        return none;
    }

    corr_secrets_draw(&p->worker->drawn, mask, sizeof(mask));
    corr_secrets_hex(mask, sizeof(mask), hex);

    for (i = 0; i < sizeof(mask); i++) {
        mask[i] ^= token[i];
    }

    corr_secrets_hex(mask, sizeof(mask), hex + CORR_CSRF_SHOWN / 2);

    return corr_make_str(hex, CORR_CSRF_SHOWN);
}


/*
 * The token that the form brought; empty: none, or not of that form.  bytes:
 * where it goes, CORR_CSRF_SHOWN / 2 of them.
 */

static corr_str_t
corr_csrf_unmasked(corr_page_t *p, u_char *bytes)
{
    size_t      len;
    ngx_uint_t  i;
    corr_str_t  field, none = corr_null_str;

    field = corr_fields_get(&p->fields, "csrf");

    if (field.len != CORR_CSRF_SHOWN
        || corr_hex_decode(field, bytes, CORR_CSRF_SHOWN / 2, &len) != CORR_OK)
    {
        return none;
    }

    for (i = 0; i < CORR_SECRETS_MAC; i++) {
        bytes[i] ^= bytes[CORR_SECRETS_MAC + i];
    }

    return corr_make_str(bytes, CORR_SECRETS_MAC);
}
