/*
 * What an answer means: yes, no, or nothing that was said plainly.
 */

#include "gateway_private.h"

#include "../lib/escape.h"
#include "../lib/json.h"
#include "../lib/text.h"


#define CORR_REASON_MAX      40
#define CORR_REFERENCE_MAX   256     /* bytes of a provider's id */


static ngx_uint_t corr_answer_holds(corr_gateway_call_t *call,
    const corr_gateway_condition_t *c, corr_value_t root);
static ngx_uint_t corr_answer_one(corr_gateway_call_t *call,
    const corr_gateway_condition_t *c, corr_value_t root);
static ngx_uint_t corr_answer_present(corr_gateway_call_t *call,
    const corr_gateway_condition_t *c, corr_value_t root);
static ngx_uint_t corr_answer_compare(const corr_gateway_condition_t *c,
    corr_str_t text);
static ngx_uint_t corr_answer_all(corr_gateway_call_t *call,
    const ngx_array_t *conditions, corr_value_t root);
static const corr_gateway_condition_t *corr_answer_any(
    corr_gateway_call_t *call, const ngx_array_t *conditions,
    corr_value_t root);
static int corr_answer_text(corr_gateway_call_t *call, corr_value_t root,
    corr_str_t path, corr_str_t *text);
static void corr_answer_verdict(corr_gateway_call_t *call,
    corr_value_t root);
static void corr_answer_unclear(corr_gateway_call_t *call, ngx_uint_t code,
    corr_value_t *root);
static corr_str_t corr_answer_reason(corr_gateway_call_t *call,
    const char *prefix, corr_str_t detail);
static void corr_answer_take(corr_gateway_call_t *call, corr_value_t root);
static ngx_uint_t corr_answer_lacks(corr_gateway_call_t *call);


ngx_uint_t
corr_gateway_in_ranges(const ngx_array_t *ranges, ngx_uint_t code)
{
    ngx_uint_t             i;
    corr_gateway_range_t  *range;

    range = ranges->elts;

    for (i = 0; i < ranges->nelts; i++) {
        if (code >= range[i].first && code <= range[i].last) {
            return 1;
        }
    }

    return 0;
}


corr_answer_e
corr_gateway_judge(corr_gateway_call_t *call, ngx_uint_t code,
    corr_str_t body)
{
    int                    rc;
    corr_value_t           root;
    corr_gateway_op_t     *op = &call->op;
    const corr_gateway_t  *g = call->gateway->conf;

    op->verdict = CORR_VERDICT_UNKNOWN;
    op->reason = CORR_STR("unclear");
    op->reference = call->sent_id;
    op->doubt = 0;

    op->taken = corr_view_create(&call->alloc);
    if (op->taken == NULL) {
        op->doubt = 1;
        return CORR_ANSWER_DONE;
    }

    if (code == 429 || corr_gateway_in_ranges(&g->busy_http, code)) {
        op->reason = CORR_STR("busy");
        return CORR_ANSWER_BUSY;
    }

    rc = corr_json_parse(&call->alloc, body, g->profile.max_response, &root,
                         NULL);

    if (rc == CORR_OK && corr_answer_any(call, &g->busy, root)) {
        op->reason = CORR_STR("busy");
        return CORR_ANSWER_BUSY;
    }

    if (rc == CORR_OK && corr_gateway_in_ranges(&g->status, code)) {
        corr_answer_take(call, root);
        corr_answer_verdict(call, root);
    }

    if (op->verdict == CORR_VERDICT_UNKNOWN) {
        corr_answer_unclear(call, code, rc == CORR_OK ? &root : NULL);
    }

    return CORR_ANSWER_DONE;
}


/* Both yes and no is neither. */

static void
corr_answer_verdict(corr_gateway_call_t *call, corr_value_t root)
{
    ngx_uint_t                       yes;
    corr_gateway_op_t               *op = &call->op;
    const corr_gateway_t            *g = call->gateway->conf;
    const corr_gateway_condition_t  *no;

    yes = corr_answer_all(call, &g->yes, root);
    no = corr_answer_any(call, &g->no, root);

    if (no && no->reason.len) {

        /* "matched, but dead": a no with a name of its own outweighs a yes */

        yes = 0;
    }

    if (yes && !no) {

        if (!corr_answer_lacks(call)) {
            op->verdict = CORR_VERDICT_YES;
            op->reason = CORR_STR("yes");
        }

    } else if (no && !yes) {
        op->verdict = CORR_VERDICT_NO;
        op->reason = no->reason.len ? no->reason : CORR_STR("mismatch");

    } else if (!yes && corr_answer_any(call, &g->sent, root)) {
        op->verdict = CORR_VERDICT_SENT;
        op->reason = CORR_STR("sent");

    } else if (!yes && corr_answer_any(call, &g->unsent, root)) {
        op->verdict = CORR_VERDICT_UNSENT;
        op->reason = CORR_STR("unsent");
    }
}


/*
 * No verdict.  Of a message it matters whether the provider may have taken
 * it all the same: not when HTTP says that the request was refused, nor when
 * the provider said in its own words something else than a yes.  A server
 * that failed (5xx), or gave up waiting (408), says nothing of what it had
 * done until then, whatever words are with it; and those of a status that is
 * not looked into may be of somebody in front of the provider.
 */

static void
corr_answer_unclear(corr_gateway_call_t *call, ngx_uint_t code,
    corr_value_t *root)
{
    u_char                     number[NGX_INT_T_LEN], *p;
    ngx_uint_t                 i, read, failed;
    corr_str_t                 said;
    corr_gateway_op_t         *op = &call->op;
    const corr_gateway_t      *g = call->gateway->conf;
    corr_gateway_condition_t  *yes;

    read = corr_gateway_in_ranges(&g->status, code);
    failed = (code == 408 || code >= 500);

    op->doubt = (failed || code < 400);

    if (root == NULL || !read) {
        p = ngx_sprintf(number, "%ui", code);
        op->reason = corr_answer_reason(call,
                                        code >= 300 ? "http_" : "garbage_",
                                        corr_make_str(number, p - number));
    }

    if (root == NULL) {
        return;
    }

    yes = g->yes.elts;

    for (i = 0; i < g->yes.nelts; i++) {

        if (corr_answer_holds(call, &yes[i], *root)) {
            continue;
        }

        if (corr_answer_text(call, *root, yes[i].path, &said) == CORR_OK
            && said.len)
        {
            op->reason = corr_answer_reason(call, "answer_", said);
            op->doubt &= (failed || !read);
        }

        return;
    }

    /* all that a yes needs, and yet none */

    op->doubt = 1;
}


/* A word for the record: nothing but a few plain characters. */

static corr_str_t
corr_answer_reason(corr_gateway_call_t *call, const char *prefix,
    corr_str_t detail)
{
    u_char      *p, c;
    size_t       i;
    corr_str_t   reason;

    reason.data = ngx_pnalloc(call->op.op.pool, CORR_REASON_MAX);
    if (reason.data == NULL) {
        return CORR_STR("unclear");
    }

    p = ngx_cpymem(reason.data, prefix, ngx_strlen(prefix));

    for (i = 0; i < detail.len && p < reason.data + CORR_REASON_MAX; i++) {
        c = detail.data[i];

        *p++ = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
               || (c >= '0' && c <= '9') || c == '-' || c == '.' ? c : '_';
    }

    reason.len = p - reason.data;

    return reason;
}


/* Conditions. */

static ngx_uint_t
corr_answer_all(corr_gateway_call_t *call, const ngx_array_t *conditions,
    corr_value_t root)
{
    ngx_uint_t                       i;
    const corr_gateway_condition_t  *c;

    c = conditions->elts;

    for (i = 0; i < conditions->nelts; i++) {
        if (!corr_answer_holds(call, &c[i], root)) {
            return 0;
        }
    }

    return conditions->nelts != 0;
}


static const corr_gateway_condition_t *
corr_answer_any(corr_gateway_call_t *call, const ngx_array_t *conditions,
    corr_value_t root)
{
    ngx_uint_t                       i;
    const corr_gateway_condition_t  *c;

    c = conditions->elts;

    for (i = 0; i < conditions->nelts; i++) {
        if (corr_answer_holds(call, &c[i], root)) {
            return &c[i];
        }
    }

    return NULL;
}


static ngx_uint_t
corr_answer_holds(corr_gateway_call_t *call,
    const corr_gateway_condition_t *c, corr_value_t root)
{
    for ( /* void */ ; c != NULL; c = c->also) {
        if (!corr_answer_one(call, c, root)) {
            return 0;
        }
    }

    return 1;
}


static ngx_uint_t
corr_answer_one(corr_gateway_call_t *call, const corr_gateway_condition_t *c,
    corr_value_t root)
{
    corr_str_t  text;

    if (c->compare == CORR_COMPARE_PRESENT) {
        return corr_answer_present(call, c, root);
    }

    if (c->compare == CORR_COMPARE_ABSENT) {
        return !corr_answer_present(call, c, root);
    }

    return corr_answer_text(call, root, c->path, &text) == CORR_OK
           && corr_answer_compare(c, text);
}


static ngx_uint_t
corr_answer_present(corr_gateway_call_t *call,
    const corr_gateway_condition_t *c, corr_value_t root)
{
    corr_str_t    text;
    corr_value_t  value;

    if (corr_json_path(&call->alloc, root, c->path, CORR_GATEWAY_ANSWER,
                       &value)
        != CORR_OK)
    {
        return 0;
    }

    if (value.kind == CORR_OBJECT) {
        return 1;
    }

    if (value.kind == CORR_LIST) {
        return corr_list_length(value.list) != 0;
    }

    return corr_json_scalar(&call->alloc, value, &text) == CORR_OK
           && text.len != 0;
}


static ngx_uint_t
corr_answer_compare(const corr_gateway_condition_t *c, corr_str_t text)
{
    char        number[48], *end;
    double      d;
    ngx_uint_t  i;

    if (c->compare == CORR_COMPARE_EQUAL) {

        for (i = 0; i < c->nvalues; i++) {
            if (corr_str_eq(c->values[i], text)) {
                return 1;
            }
        }

        return 0;
    }

    if (text.len == 0 || text.len >= sizeof(number)) {
        return 0;
    }

    ngx_memcpy(number, text.data, text.len);
    number[text.len] = '\0';

    /* an answer's number is a JSON number: no blanks, hex, inf or nan */

    if (strspn(number, "0123456789+-.eE") != text.len) {
        return 0;
    }

    d = strtod(number, &end);

    if (*end) {
        return 0;
    }

    switch (c->compare) {
    case CORR_COMPARE_LT:
        return d < c->number;
    case CORR_COMPARE_LE:
        return d <= c->number;
    case CORR_COMPARE_GT:
        return d > c->number;
    default:
        return d >= c->number;
    }
}


static int
corr_answer_text(corr_gateway_call_t *call, corr_value_t root,
    corr_str_t path, corr_str_t *text)
{
    int           rc;
    corr_value_t  value;

    rc = corr_json_path(&call->alloc, root, path, CORR_GATEWAY_ANSWER,
                        &value);

    if (rc != CORR_OK || value.kind == CORR_NULL) {
        return rc == CORR_OK ? CORR_INVALID : rc;
    }

    return corr_json_scalar(&call->alloc, value, text);
}


/* What is taken. */

static void
corr_answer_take(corr_gateway_call_t *call, corr_value_t root)
{
    corr_str_t            text;
    ngx_uint_t            i;
    corr_gateway_op_t    *op = &call->op;
    corr_gateway_take_t  *take;

    take = call->gateway->conf->take.elts;

    for (i = 0; i < call->gateway->conf->take.nelts; i++) {

        if (corr_answer_text(call, root, take[i].path, &text) != CORR_OK
            || text.len == 0)
        {
            continue;
        }

        if (corr_str_is(take[i].name, "id")) {

            /* one that the database would not take is worse than none */

            if (text.len > CORR_REFERENCE_MAX
                || !corr_header_value_valid(text))
            {
                continue;
            }

            op->reference = text;

        } else if (corr_text_clean(&call->alloc, text, 0, &text) != CORR_OK
                   || text.len == 0)
        {
            continue;
        }

        /* names of takes live as long as the configuration */

        corr_view_text(op->taken, (const char *) take[i].name.data, text);
    }
}


/* A yes that was to bring a name and brings none is no answer. */

static ngx_uint_t
corr_answer_lacks(corr_gateway_call_t *call)
{
    ngx_uint_t            i;
    corr_gateway_take_t  *take;

    static const char  *needed[] = { "first_name", "last_name", "name" };

    ngx_uint_t            n;

    if (call->kind != CORR_GATEWAY_REGISTRY
        && call->kind != CORR_GATEWAY_COMPANY)
    {
        return 0;
    }

    take = call->gateway->conf->take.elts;

    for (i = 0; i < call->gateway->conf->take.nelts; i++) {

        for (n = 0; n < sizeof(needed) / sizeof(needed[0]); n++) {

            if (corr_str_is(take[i].name, needed[n])
                && corr_gateway_taken(&call->op, needed[n]).len == 0)
            {
                call->op.reason = CORR_STR("no_name");
                return 1;
            }
        }
    }

    return 0;
}
