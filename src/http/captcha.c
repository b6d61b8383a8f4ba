/*
 * In Redis: "captcha:ID" while an id may be answered, "faults:ADDRESS" and
 * "faults:n:HASH" the faults of an address and about a number since an hour
 * before the last one.  Whose number it is cannot be read there; what was
 * counted under an old key file's hash counts, too.
 */

#include "captcha.h"
#include "flow.h"
#include "form.h"
#include "reply.h"
#include "throttle.h"

#include "../lib/digits.h"
#include "../services/captcha.h"
#include "../services/secrets.h"


#define CORR_CAPTCHA_FAULTS   "3600"     /* seconds they are remembered */
#define CORR_CAPTCHA_ABOUT    24         /* hex digits of a number's hash */

#define CORR_CAPTCHA_KEYS     (1 + CORR_SECRETS_FILES)

/*
 * Pages have one whenever they are asked for, and each takes room: no more of
 * them are good than pictures may be seen.  KEYS: the id's, the address's of
 * this minute; ARGV: how many, seconds.
 */
#define CORR_CAPTCHA_ISSUE                                                    \
    "local n = redis.call('INCR', KEYS[2]) "                                  \
    "redis.call('EXPIRE', KEYS[2], 120) "                                     \
    "if n <= tonumber(ARGV[1]) then "                                         \
        "redis.call('SET', KEYS[1], 1, 'EX', ARGV[2], 'NX') "                 \
    "end"

/* What was forgotten meanwhile is not forgiven: there is no credit. */
#define CORR_CAPTCHA_FORGIVE                                                  \
    "for i = 1, #KEYS do "                                                    \
        "if tonumber(redis.call('GET', KEYS[i]) or 0) > 0 then "              \
            "return redis.call('DECR', KEYS[i]) "                             \
        "end "                                                                \
    "end"


struct corr_captcha_work_s {
    corr_redis_op_t         *op;
    corr_str_t               id;
    corr_step_pt             then;
};


static ngx_int_t corr_captcha_answered(corr_page_t *p);
static ngx_int_t corr_captcha_counted(corr_page_t *p);
static ngx_int_t corr_captcha_refuse(corr_page_t *p, ngx_uint_t message,
    corr_step_pt then);
static uint64_t corr_captcha_number(const corr_redis_reply_t *reply);
static void corr_captcha_forgive_one(corr_page_t *p, const corr_str_t *keys,
    ngx_uint_t n);
static ngx_uint_t corr_captcha_faults(corr_page_t *p,
    corr_str_t keys[CORR_CAPTCHA_KEYS]);
static corr_str_t corr_captcha_faults_about(corr_page_t *p, size_t file);
static corr_captcha_work_t *corr_captcha_work(corr_page_t *p);
static corr_str_t corr_captcha_name(corr_page_t *p, corr_str_t id);


ngx_uint_t
corr_captcha_new_wanted(corr_page_t *p)
{
    return corr_form_raw(p, "captcha_new").len != 0;
}


void
corr_captcha_issue(corr_page_t *p)
{
    u_char      *id, *seconds, *most, *last, name[64];
    uint64_t     n;
    corr_str_t   argv[7];

    if (p->settings->captchas == NULL) {
        return;
    }

    id = ngx_pnalloc(p->pool, CORR_CAPTCHA_ID);
    seconds = ngx_pnalloc(p->pool, NGX_TIME_T_LEN);
    most = ngx_pnalloc(p->pool, NGX_INT64_LEN);

    if (id == NULL || seconds == NULL || most == NULL) {
        return;
    }

    corr_captcha_new(id);

    /* 0: no limit */

    n = p->settings->captcha_rate ? p->settings->captcha_rate
                                  : NGX_MAX_INT32_VALUE;

    ngx_snprintf(name, sizeof(name), "rate:captcha-issue:%T%Z",
                 ngx_time() / 60);

    argv[0] = CORR_STR("EVAL");
    argv[1] = CORR_STR(CORR_CAPTCHA_ISSUE);
    argv[2] = CORR_STR("2");
    argv[3] = corr_captcha_name(p, corr_make_str(id, CORR_CAPTCHA_ID));
    argv[4] = corr_throttle_key(p, (char *) name);

    last = ngx_sprintf(most, "%uL", n * CORR_CAPTCHA_FILES);
    argv[5] = corr_make_str(most, last - most);
    last = ngx_sprintf(seconds, "%T", p->settings->captcha_lifetime);
    argv[6] = corr_make_str(seconds, last - seconds);

    if (argv[3].data == NULL || argv[4].data == NULL
        || corr_redis_command(p->worker->redis, &p->owner, 7, argv) == NULL)
    {
        return;
    }

    corr_view_text(corr_view_object(p->view, "captcha"), "id",
                   corr_make_str(id, CORR_CAPTCHA_ID));
}


ngx_int_t
corr_captcha_check(corr_page_t *p, corr_step_pt then)
{
    corr_str_t            argv[2];
    corr_captcha_work_t  *work;

    work = corr_captcha_work(p);
    if (work == NULL) {
        return NGX_ERROR;
    }

    work->id = corr_form_raw(p, "captcha_id");
    work->then = then;

    if (corr_form_raw(p, "captcha").len == 0) {
        return corr_captcha_refuse(p, CORR_MSG_CAPTCHA_REQUIRED, then);
    }

    if (!corr_captcha_is_id(work->id)) {
        return corr_captcha_refuse(p, CORR_MSG_CAPTCHA_EXPIRED, then);
    }

    argv[0] = CORR_STR("GETDEL");
    argv[1] = corr_captcha_name(p, work->id);

    if (argv[1].data == NULL) {
        return NGX_ERROR;
    }

    work->op = corr_redis_command(p->worker->redis, &p->owner, 2, argv);
    if (work->op == NULL) {
        return NGX_ERROR;
    }

    return corr_flow_then(p, corr_captcha_answered);
}


static ngx_int_t
corr_captcha_answered(corr_page_t *p)
{
    corr_captcha_work_t  *work = p->captcha_work;

    if (work->op->op.status != CORR_OP_OK) {
        return corr_reply_error(p, NGX_HTTP_SERVICE_UNAVAILABLE,
                                CORR_MSG_UNAVAILABLE, 5,
                                "no answer from Redis about a captcha");
    }

    if (work->op->reply.kind == CORR_REDIS_NIL) {
        return corr_captcha_refuse(p, CORR_MSG_CAPTCHA_EXPIRED, work->then);
    }

    if (!corr_captcha_right(p->settings->captchas, work->id,
                            corr_form_raw(p, "captcha")))
    {
        corr_captcha_blame(p);

        return corr_captcha_refuse(p, CORR_MSG_CAPTCHA_WRONG, work->then);
    }

    return work->then(p);
}


static ngx_int_t
corr_captcha_refuse(corr_page_t *p, ngx_uint_t message, corr_step_pt then)
{
    corr_form_error(p, "captcha", message, NULL);

    return then(p);
}


ngx_int_t
corr_captcha_due(corr_page_t *p, corr_step_pt then)
{
    corr_str_t            argv[1 + CORR_CAPTCHA_KEYS];
    ngx_uint_t            n;
    corr_captcha_work_t  *work;

    p->captcha_due = (p->settings->captcha > 1);

    if (p->captcha_due || p->settings->captcha == 0) {
        return then(p);
    }

    work = corr_captcha_work(p);
    if (work == NULL) {
        return NGX_ERROR;
    }

    argv[0] = CORR_STR("MGET");
    n = corr_captcha_faults(p, &argv[1]);

    if (n == 0) {
        return NGX_ERROR;
    }

    work->then = then;
    work->op = corr_redis_command(p->worker->redis, &p->owner, 1 + n, argv);

    if (work->op == NULL) {
        return NGX_ERROR;
    }

    return corr_flow_then(p, corr_captcha_counted);
}


static ngx_int_t
corr_captcha_counted(corr_page_t *p)
{
    uint64_t              address, about;
    ngx_uint_t            i;
    corr_redis_reply_t   *reply;
    corr_captcha_work_t  *work = p->captcha_work;

    reply = &work->op->reply;

    if (work->op->op.status == CORR_OP_OK && reply->nelements) {

        address = corr_captcha_number(&reply->elements[0]);
        about = 0;

        for (i = 1; i < reply->nelements; i++) {
            about += corr_captcha_number(&reply->elements[i]);
        }

        p->captcha_due = address >= p->settings->misbehaviour
                         || about >= p->settings->misbehaviour;
    }

    return work->then(p);
}


static uint64_t
corr_captcha_number(const corr_redis_reply_t *reply)
{
    uint64_t  n;

    if (reply->kind != CORR_REDIS_STRING
        || corr_digits_number(reply->text, NGX_MAX_INT32_VALUE, &n)
           != CORR_OK)
    {
        return 0;
    }

    return n;
}


void
corr_captcha_blame(corr_page_t *p)
{
    corr_str_t  argv[3], keys[CORR_CAPTCHA_KEYS];
    ngx_uint_t  n;

    /* the address, and the number by the current key file */

    for (n = ngx_min(corr_captcha_faults(p, keys), 2); n; n--) {

        argv[0] = CORR_STR("INCR");
        argv[1] = keys[n - 1];

        if (corr_redis_command(p->worker->redis, &p->owner, 2, argv)
            == NULL)
        {
            return;
        }

        argv[0] = CORR_STR("EXPIRE");
        argv[2] = CORR_STR(CORR_CAPTCHA_FAULTS);

        (void) corr_redis_command(p->worker->redis, &p->owner, 3, argv);
    }
}


void
corr_captcha_forgive(corr_page_t *p)
{
    corr_str_t  keys[CORR_CAPTCHA_KEYS];
    ngx_uint_t  n;

    n = corr_captcha_faults(p, keys);

    if (n > 0) {
        corr_captcha_forgive_one(p, keys, 1);
    }

    if (n > 1) {
        corr_captcha_forgive_one(p, keys + 1, n - 1);
    }
}


static void
corr_captcha_forgive_one(corr_page_t *p, const corr_str_t *keys, ngx_uint_t n)
{
    u_char      count[NGX_INT_T_LEN];
    corr_str_t  argv[3 + CORR_CAPTCHA_KEYS];

    argv[0] = CORR_STR("EVAL");
    argv[1] = CORR_STR(CORR_CAPTCHA_FORGIVE);
    argv[2] = corr_make_str(count, ngx_sprintf(count, "%ui", n) - count);

    ngx_memcpy(&argv[3], keys, n * sizeof(corr_str_t));

    (void) corr_redis_command(p->worker->redis, &p->owner, 3 + n, argv);
}


/*
 * Where the faults are counted: the address's key, then the number's, by the
 * current key file first.  How many; 0: nowhere, or no memory.
 */

static ngx_uint_t
corr_captcha_faults(corr_page_t *p, corr_str_t keys[CORR_CAPTCHA_KEYS])
{
    size_t  i, n;

    if (p->settings->captcha == 0) {
        return 0;
    }

    keys[0] = corr_throttle_key(p, "faults");

    if (keys[0].data == NULL) {
        return 0;
    }

    if (p->captcha_about.len == 0) {
        return 1;
    }

    n = corr_secrets_count(p->settings->secrets);

    for (i = 0; i < n; i++) {
        keys[1 + i] = corr_captcha_faults_about(p, i);

        if (keys[1 + i].data == NULL) {
            return 0;
        }
    }

    return 1 + n;
}


static corr_str_t
corr_captcha_faults_about(corr_page_t *p, size_t file)
{
    u_char      *key, mac[CORR_SECRETS_MAC];
    corr_str_t   parts[2], none = corr_null_str;

    key = ngx_pnalloc(p->pool, sizeof("faults:n:") + CORR_CAPTCHA_ABOUT);
    if (key == NULL) {
        return none;
    }

    parts[0] = CORR_STR("faults");
    parts[1] = p->captcha_about;

    corr_secrets_mac_of(p->settings->secrets, file, CORR_KEY_FLOW, parts, 2,
                        mac);

    ngx_memcpy(key, "faults:n:", 9);
    corr_secrets_hex(mac, CORR_CAPTCHA_ABOUT / 2, key + 9);

    return corr_make_str(key, 9 + CORR_CAPTCHA_ABOUT);
}


static corr_captcha_work_t *
corr_captcha_work(corr_page_t *p)
{
    if (p->captcha_work == NULL) {
        p->captcha_work = ngx_pcalloc(p->pool, sizeof(corr_captcha_work_t));
    }

    return p->captcha_work;
}


static corr_str_t
corr_captcha_name(corr_page_t *p, corr_str_t id)
{
    u_char      *key;
    corr_str_t   none = corr_null_str;

    key = ngx_pnalloc(p->pool, CORR_CAPTCHA_KEY);
    if (key == NULL) {
        return none;
    }

    corr_captcha_key(id, key);

    return corr_make_str(key, CORR_CAPTCHA_KEY);
}
