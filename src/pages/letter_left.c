/*
 * In Redis "left:BROWSER": the submission key, the fields and the files,
 * encrypted, bound to the browser.  The key says whose form it was: somebody
 * else who logs in at the same computer sees nothing of it.
 *
 * Who may leave something: the browser brings the cookie of a session that
 * was, and with it the token of its form (CORR_LEAVES).
 */

#include "letter_left.h"
#include "uploads.h"

#include "../http/throttle.h"
#include "../services/secrets.h"


#define CORR_LEFT_RATE   5          /* of an address, in a minute */


static ngx_int_t corr_letter_left(corr_page_t *p);
static ngx_int_t corr_letter_left_stored(corr_page_t *p);
static corr_str_t corr_letter_left_seal(corr_page_t *p);
static ngx_int_t corr_letter_left_open(corr_page_t *p, corr_str_t sealed,
    corr_str_t parts[3]);
static ngx_int_t corr_letter_left_saved(corr_page_t *p);
static corr_str_t corr_letter_left_name(corr_page_t *p);


ngx_int_t
corr_letter_leave(corr_page_t *p)
{
    corr_letter_form_t  *form = p->data;

    form->key = corr_form_raw(p, "submission_key");

    if (form->key.len == 0 || form->key.len > 64) {
        return corr_session_missing(p);
    }

    return corr_throttle(p, "left", CORR_LEFT_RATE, corr_letter_left);
}


static ngx_int_t
corr_letter_left(corr_page_t *p)
{
    corr_str_t  argv[5];

    argv[0] = CORR_STR("SET");
    argv[1] = corr_letter_left_name(p);
    argv[2] = corr_letter_left_seal(p);
    argv[3] = CORR_STR("EX");
    argv[4] = CORR_STR("3600");

    if (argv[1].data == NULL || argv[2].data == NULL
        || corr_redis_command(p->worker->redis, &p->owner, 5, argv) == NULL)
    {
        return NGX_ERROR;
    }

    return corr_flow_then(p, corr_letter_left_stored);
}


/* Stored or not: what is left to do is to log in. */

static ngx_int_t
corr_letter_left_stored(corr_page_t *p)
{
    return corr_session_missing_for(p, CORR_STR("/desk/letters/new"));
}


static corr_str_t
corr_letter_left_seal(corr_page_t *p)
{
    u_char              *plain, *last, *sealed;
    size_t               len;
    corr_str_t           fields, files, none = corr_null_str;
    corr_letter_form_t  *form = p->data;

    fields = corr_letter_json(p, 0);
    files = corr_uploads_json(p);

    len = form->key.len + fields.len + files.len + 2;
    plain = ngx_pnalloc(p->pool, len);
    sealed = ngx_pnalloc(p->pool, len + CORR_SECRETS_OVERHEAD);

    if (fields.data == NULL || files.data == NULL || plain == NULL
        || sealed == NULL)
    {
        return none;
    }

    /* none of the three has a line break in it */

    last = ngx_sprintf(plain, "%*s\n%*s\n%*s", form->key.len, form->key.data,
                       files.len, files.data, fields.len, fields.data);

    len = corr_secrets_encrypt(p->settings->secrets, CORR_KEY_FLOW,
                               p->browser,
                               corr_make_str(plain, last - plain), sealed);

    return corr_make_str(sealed, len);
}


void
corr_letter_left_find(corr_page_t *p)
{
    corr_str_t           argv[2];
    corr_letter_form_t  *form = p->data;

    argv[0] = CORR_STR("GET");
    argv[1] = corr_letter_left_name(p);

    if (argv[1].data) {
        form->left = corr_redis_command(p->worker->redis, &p->owner, 2,
                                        argv);
    }
}


ngx_int_t
corr_letter_left_take(corr_page_t *p)
{
    corr_str_t           parts[3];
    corr_letter_form_t  *form = p->data;

    if (form->left == NULL
        || form->left->op.status != CORR_OP_OK
        || form->left->reply.kind != CORR_REDIS_STRING
        || corr_letter_left_open(p, form->left->reply.text, parts) != NGX_OK
        || !corr_form_key_ours(p, parts[0]))
    {
        return NGX_DECLINED;
    }

    corr_db_begin(p, CORR_WRITE);

    corr_db_add(p, CORR_SQL_DRAFT_SAVE, corr_pg_null(),
                corr_pg_text(parts[2]), corr_pg_text(parts[1]),
                corr_pg_null());

    return corr_db_send(p, corr_letter_left_saved);
}


/* key, files, fields */

static ngx_int_t
corr_letter_left_open(corr_page_t *p, corr_str_t sealed, corr_str_t parts[3])
{
    u_char      *plain, *end, *last;
    size_t       len;
    ngx_uint_t   i;

    plain = ngx_pnalloc(p->pool, sealed.len + 1);

    if (plain == NULL
        || corr_secrets_decrypt(p->settings->secrets, CORR_KEY_FLOW,
                                p->browser, sealed, plain, &len)
           != CORR_OK)
    {
        return NGX_DECLINED;
    }

    last = plain + len;

    for (i = 0; i < 3; i++) {

        end = (i == 2) ? last : ngx_strlchr(plain, last, '\n');

        if (end == NULL) {
            return NGX_DECLINED;
        }

        parts[i] = corr_make_str(plain, end - plain);
        plain = end + 1;
    }

    return NGX_OK;
}


static ngx_int_t
corr_letter_left_saved(corr_page_t *p)
{
    corr_str_t  draft, argv[2];

    /* only now: a database that was away must not cost what was written */

    argv[0] = CORR_STR("DEL");
    argv[1] = corr_letter_left_name(p);

    if (argv[1].data) {
        (void) corr_redis_command(p->worker->redis, &p->owner, 2, argv);
    }

    draft = corr_rows_text(corr_db_rows(p, 0), 0, "draft");

    return corr_reply_redirect(p,
                               "/desk/letters/new?draft=%*s&flash=draft_left",
                               draft.len, draft.data);
}


static corr_str_t
corr_letter_left_name(corr_page_t *p)
{
    u_char      *name, *last;
    corr_str_t   none = corr_null_str;

    name = ngx_pnalloc(p->pool, sizeof("left:") + p->browser.len);
    if (name == NULL) {
        return none;
    }

    last = ngx_sprintf(name, "left:%*s", p->browser.len, p->browser.data);

    return corr_make_str(name, last - name);
}
