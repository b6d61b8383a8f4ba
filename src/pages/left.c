#include "left.h"

#include "../http/throttle.h"
#include "../services/secrets.h"


/*
 * Redis has to have room for it, and anybody can call himself a browser of his
 * own each time: bytes in an hour are counted, of an address and of all.
 * KEYS: the name, the two counters; ARGV: the record, the two limits.
 */

#define CORR_LEFT_KEEP                                                        \
    "for i = 2, 3 do "                                                        \
        "local n = (redis.call('GET', KEYS[i]) or 0) + #ARGV[1] "             \
        "if n > tonumber(ARGV[i]) then return 0 end "                         \
        "redis.call('SET', KEYS[i], n, 'EX', 7200) "                          \
    "end "                                                                    \
    "redis.call('SET', KEYS[1], ARGV[1], 'EX', 3600) "                        \
    "return 1"


static corr_str_t corr_left_seal(corr_page_t *p,
    const corr_str_t parts[CORR_LEFT_PARTS]);
static corr_str_t corr_left_name(corr_page_t *p, const char *what);


ngx_int_t
corr_left_keep(corr_page_t *p, const char *what,
    const corr_str_t parts[CORR_LEFT_PARTS], corr_step_pt then)
{
    u_char      *last, name[64], all[64], each[NGX_SIZE_T_LEN],
                 total[NGX_SIZE_T_LEN];
    time_t       hour;
    corr_str_t   argv[9];

    hour = ngx_time() / 3600;

    ngx_snprintf(name, sizeof(name), "rate:left:bytes:%T%Z", hour);
    last = ngx_snprintf(all, sizeof(all), "rate:left:all:%T", hour);

    argv[0] = CORR_STR("EVAL");
    argv[1] = CORR_STR(CORR_LEFT_KEEP);
    argv[2] = CORR_STR("3");
    argv[3] = corr_left_name(p, what);
    argv[4] = corr_throttle_key(p, (char *) name);
    argv[5] = corr_make_str(all, last - all);
    argv[6] = corr_left_seal(p, parts);

    last = ngx_sprintf(each, "%uz", p->settings->left_per_address_hour);
    argv[7] = corr_make_str(each, last - each);
    last = ngx_sprintf(total, "%uz", p->settings->left_per_hour);
    argv[8] = corr_make_str(total, last - total);

    if (argv[3].data == NULL || argv[4].data == NULL || argv[6].data == NULL
        || corr_redis_command(p->worker->redis, &p->owner, 9, argv) == NULL)
    {
        return NGX_ERROR;
    }

    return corr_flow_then(p, then);
}


static corr_str_t
corr_left_seal(corr_page_t *p, const corr_str_t parts[CORR_LEFT_PARTS])
{
    u_char      *plain, *last, *sealed;
    size_t       len;
    corr_str_t   none = corr_null_str;
    ngx_uint_t   i;

    len = CORR_LEFT_PARTS - 1;

    for (i = 0; i < CORR_LEFT_PARTS; i++) {

        if (parts[i].data == NULL) {
            return none;
        }

        len += parts[i].len;
    }

    plain = ngx_pnalloc(p->pool, len);
    sealed = ngx_pnalloc(p->pool, len + CORR_SECRETS_OVERHEAD);

    if (plain == NULL || sealed == NULL) {
        return none;
    }

    last = plain;

    for (i = 0; i < CORR_LEFT_PARTS; i++) {

        if (i) {
            *last++ = '\n';
        }

        last = ngx_cpymem(last, parts[i].data, parts[i].len);
    }

    len = corr_secrets_encrypt(p->settings->secrets, CORR_KEY_FLOW,
                               corr_session_browser(p),
                               corr_make_str(plain, last - plain), sealed);

    return corr_make_str(sealed, len);
}


corr_redis_op_t *
corr_left_find(corr_page_t *p, const char *what)
{
    corr_str_t  argv[2];

    argv[0] = CORR_STR("GET");
    argv[1] = corr_left_name(p, what);

    if (argv[1].data == NULL) {
        return NULL;
    }

    return corr_redis_command(p->worker->redis, &p->owner, 2, argv);
}


int
corr_left_open(corr_page_t *p, corr_redis_op_t *found,
    corr_str_t parts[CORR_LEFT_PARTS])
{
    u_char      *plain, *end, *last;
    size_t       len;
    corr_str_t   sealed;
    ngx_uint_t   i;

    if (found == NULL
        || found->op.status != CORR_OP_OK
        || found->reply.kind != CORR_REDIS_STRING)
    {
        return CORR_INVALID;
    }

    sealed = found->reply.text;
    plain = ngx_pnalloc(p->pool, sealed.len + 1);

    if (plain == NULL
        || corr_secrets_decrypt(p->settings->secrets, CORR_KEY_FLOW,
                                corr_session_browser(p), sealed, plain, &len)
           != CORR_OK)
    {
        return CORR_INVALID;
    }

    last = plain + len;

    for (i = 0; i < CORR_LEFT_PARTS; i++) {

        end = (i == CORR_LEFT_PARTS - 1) ? last
                                         : ngx_strlchr(plain, last, '\n');

        if (end == NULL) {
            return CORR_INVALID;
        }

        parts[i] = corr_make_str(plain, end - plain);
        plain = end + 1;
    }

    return corr_form_key_ours(p, parts[0]) ? CORR_OK : CORR_INVALID;
}


void
corr_left_forget(corr_page_t *p, const char *what)
{
    corr_str_t  argv[2];

    argv[0] = CORR_STR("DEL");
    argv[1] = corr_left_name(p, what);

    if (argv[1].data) {
        (void) corr_redis_command(p->worker->redis, &p->owner, 2, argv);
    }
}


static corr_str_t
corr_left_name(corr_page_t *p, const char *what)
{
    u_char      *name, *last;
    corr_str_t   browser, none = corr_null_str;

    browser = corr_session_browser(p);

    name = ngx_pnalloc(p->pool, sizeof("left::") + ngx_strlen(what)
                                + browser.len);
    if (name == NULL) {
        return none;
    }

    last = ngx_sprintf(name, "left:%s:%*s", what, browser.len, browser.data);

    return corr_make_str(name, last - name);
}
