/*
 * The directives of a gateway.
 *
 *     correspondence_gateway KIND [NAME] {
 *         request     METHOD URL;
 *         header      NAME VALUE;
 *         basic       USER:PASSWORD;
 *         json        TEXT;
 *         form        TEXT;
 *         query       TEXT;
 *         token       METHOD URL [form|json|query TEXT] [header NAME VALUE]…
 *                     [basic USER:PASSWORD] take PATH [expires PATH]
 *                     [expires_ms PATH] [lifetime TIME]
 *                     [refresh PATH TEXT];
 *         set         $NAME VALUE;
 *         template    OURS THEIRS [VALUE];
 *
 *         yes no sent unsent busy
 *                     CONDITION [and CONDITION]… [reason=WORD];
 *                     a condition: PATH VALUE… | PATH present | PATH absent
 *                     | PATH < <= > >= NUMBER
 *         take        NAME PATH;
 *         status      CODE[-CODE]…;
 *         busy_http   CODE[-CODE]…;
 *
 *         timeout connect_timeout max_response retries budget rate
 *         ca certificate proxy resolver insecure_http keepalive jwe_key
 *         request_id
 *     }
 *
 * In a text, $NAME is a value and $$ a dollar sign; @/PATH is what stands in
 * the file of that name: the path ends where a file of the name is found, or
 * where a character comes that is none of a plain path.
 */

#include "gateway_private.h"

#include "../io/conf_secret.h"
#include "../lib/escape.h"
#include "../lib/json.h"


typedef struct {
    corr_gateway_t          *gateway;
    ngx_str_t               *again;      /* a token's body for its refresh */
    unsigned                 token:1;    /* within "token", */
    unsigned                 refresh:1;  /* in that body */
} corr_gateway_builder_t;


typedef struct {
    ngx_str_t                name;
    ngx_uint_t               min;        /* arguments */
    ngx_uint_t               max;
    char                  *(*set)(ngx_conf_t *cf, corr_gateway_builder_t *b,
                                  ngx_str_t *value);
    size_t                   offset;
} corr_gateway_directive_t;


static ngx_int_t corr_gateway_kind(ngx_conf_t *cf, ngx_str_t *name,
    corr_gateway_kind_e *kind);
static ngx_int_t corr_gateway_init(ngx_conf_t *cf, corr_gateway_t *g);
static ngx_int_t corr_gateway_name(ngx_conf_t *cf, corr_settings_t *s,
    corr_gateway_t *g, ngx_str_t *name);
static char *corr_gateway_check(ngx_conf_t *cf, corr_gateway_builder_t *b);
static char *corr_gateway_check_token(ngx_conf_t *cf, corr_gateway_t *g);
static char *corr_gateway_line(ngx_conf_t *cf, ngx_command_t *dummy,
    void *conf);

static char *corr_gateway_set_request(ngx_conf_t *cf,
    corr_gateway_builder_t *b, ngx_str_t *value);
static char *corr_gateway_set_header(ngx_conf_t *cf,
    corr_gateway_builder_t *b, ngx_str_t *value);
static char *corr_gateway_set_basic(ngx_conf_t *cf,
    corr_gateway_builder_t *b, ngx_str_t *value);
static char *corr_gateway_set_body(ngx_conf_t *cf,
    corr_gateway_builder_t *b, ngx_str_t *value);
static char *corr_gateway_set_token(ngx_conf_t *cf,
    corr_gateway_builder_t *b, ngx_str_t *value);
static char *corr_token_words(ngx_conf_t *cf, corr_gateway_builder_t *b,
    corr_gateway_token_t *t, ngx_str_t *value);
static char *corr_token_word(ngx_conf_t *cf, corr_gateway_builder_t *b,
    corr_gateway_token_t *t, ngx_str_t **at, ngx_str_t *last);
static char *corr_token_again(ngx_conf_t *cf, corr_gateway_builder_t *b,
    corr_gateway_token_t *t);
static char *corr_gateway_set_variable(ngx_conf_t *cf,
    corr_gateway_builder_t *b, ngx_str_t *value);
static char *corr_gateway_set_template(ngx_conf_t *cf,
    corr_gateway_builder_t *b, ngx_str_t *value);
static char *corr_gateway_set_condition(ngx_conf_t *cf,
    corr_gateway_builder_t *b, ngx_str_t *value);
static char *corr_condition_read(ngx_conf_t *cf,
    corr_gateway_condition_t *c, ngx_str_t *value, ngx_uint_t n);
static char *corr_gateway_set_take(ngx_conf_t *cf,
    corr_gateway_builder_t *b, ngx_str_t *value);
static char *corr_gateway_set_status(ngx_conf_t *cf,
    corr_gateway_builder_t *b, ngx_str_t *value);
static char *corr_gateway_set_number(ngx_conf_t *cf,
    corr_gateway_builder_t *b, ngx_str_t *value);
static char *corr_gateway_set_time(ngx_conf_t *cf,
    corr_gateway_builder_t *b, ngx_str_t *value);
static char *corr_gateway_set_size(ngx_conf_t *cf,
    corr_gateway_builder_t *b, ngx_str_t *value);
static char *corr_gateway_set_flag(ngx_conf_t *cf,
    corr_gateway_builder_t *b, ngx_str_t *value);
static char *corr_gateway_set_text(ngx_conf_t *cf,
    corr_gateway_builder_t *b, ngx_str_t *value);
static char *corr_gateway_set_certificate(ngx_conf_t *cf,
    corr_gateway_builder_t *b, ngx_str_t *value);
static char *corr_gateway_set_resolver(ngx_conf_t *cf,
    corr_gateway_builder_t *b, ngx_str_t *value);
static char *corr_gateway_set_jwe(ngx_conf_t *cf,
    corr_gateway_builder_t *b, ngx_str_t *value);
static char *corr_gateway_set_request_id(ngx_conf_t *cf,
    corr_gateway_builder_t *b, ngx_str_t *value);

static ngx_int_t corr_request_init(ngx_conf_t *cf,
    corr_gateway_request_t *request);
static char *corr_request_line(ngx_conf_t *cf, corr_gateway_builder_t *b,
    corr_gateway_request_t *request, ngx_str_t *method, ngx_str_t *url);
static char *corr_request_header(ngx_conf_t *cf, corr_gateway_builder_t *b,
    corr_gateway_request_t *request, ngx_str_t *name, ngx_str_t *value,
    ngx_uint_t basic);
static char *corr_request_body(ngx_conf_t *cf, corr_gateway_builder_t *b,
    corr_gateway_request_t *request, ngx_str_t *word, ngx_str_t *text);
static char *corr_request_check_url(ngx_conf_t *cf,
    corr_gateway_builder_t *b, corr_gateway_request_t *request);
static ngx_uint_t corr_request_literal(corr_str_t host);
static corr_str_t corr_request_name(corr_str_t host);
static ngx_uint_t corr_request_local(corr_str_t host);

static char *corr_text_compile(ngx_conf_t *cf, corr_gateway_builder_t *b,
    ngx_str_t *from, corr_place_e place, corr_gateway_text_t *text);
static char *corr_text_special(ngx_conf_t *cf, corr_gateway_builder_t *b,
    u_char **p, u_char *last, corr_gateway_part_t *part);
static char *corr_text_variable(ngx_conf_t *cf, corr_gateway_builder_t *b,
    u_char **p, u_char *last, corr_gateway_part_t *part);
static char *corr_text_own(ngx_conf_t *cf, corr_gateway_builder_t *b,
    corr_str_t name, corr_gateway_part_t *part);
static char *corr_text_secret(ngx_conf_t *cf, u_char **p, u_char *last,
    corr_str_t *secret);
static ngx_int_t corr_text_push(ngx_conf_t *cf, ngx_array_t *parts,
    const corr_gateway_part_t *part);
static ngx_int_t corr_text_literal(ngx_conf_t *cf, ngx_array_t *parts,
    corr_place_e place, u_char *start, u_char *end);
static ngx_int_t corr_text_escaped(ngx_conf_t *cf, corr_place_e place,
    corr_str_t value, corr_str_t *out);
static char *corr_text_check_json(ngx_conf_t *cf,
    corr_gateway_text_t *text);
static corr_place_e corr_text_json_place(ngx_uint_t quoted);

static corr_alloc_t corr_conf_alloc(ngx_conf_t *cf);
static void *corr_conf_palloc(void *pool, size_t size);
static char *corr_conf_range(ngx_conf_t *cf, ngx_array_t *ranges,
    ngx_str_t *value);


static const ngx_str_t  corr_gateway_kinds[] = {
    ngx_string("shahkar"),
    ngx_string("registry"),
    ngx_string("company"),
    ngx_string("sms"),
    ngx_string("sms_status")
};


#define corr_gateway_field(field)  offsetof(corr_gateway_t, field)

static const corr_gateway_directive_t  corr_gateway_directives[] = {

    { ngx_string("request"), 2, 2, corr_gateway_set_request, 0 },
    { ngx_string("header"), 2, 2, corr_gateway_set_header, 0 },
    { ngx_string("basic"), 1, 1, corr_gateway_set_basic, 0 },
    { ngx_string("json"), 1, 1, corr_gateway_set_body, 0 },
    { ngx_string("form"), 1, 1, corr_gateway_set_body, 0 },
    { ngx_string("query"), 1, 1, corr_gateway_set_body, 0 },
    { ngx_string("token"), 4, 40, corr_gateway_set_token, 0 },
    { ngx_string("set"), 2, 2, corr_gateway_set_variable, 0 },
    { ngx_string("template"), 2, 3, corr_gateway_set_template, 0 },

    { ngx_string("yes"), 2, 40, corr_gateway_set_condition,
      corr_gateway_field(yes) },
    { ngx_string("no"), 2, 40, corr_gateway_set_condition,
      corr_gateway_field(no) },
    { ngx_string("sent"), 2, 40, corr_gateway_set_condition,
      corr_gateway_field(sent) },
    { ngx_string("unsent"), 2, 40, corr_gateway_set_condition,
      corr_gateway_field(unsent) },
    { ngx_string("busy"), 2, 40, corr_gateway_set_condition,
      corr_gateway_field(busy) },
    { ngx_string("take"), 2, 2, corr_gateway_set_take, 0 },
    { ngx_string("status"), 1, 40, corr_gateway_set_status,
      corr_gateway_field(status) },
    { ngx_string("busy_http"), 1, 40, corr_gateway_set_status,
      corr_gateway_field(busy_http) },

    { ngx_string("timeout"), 1, 1, corr_gateway_set_time,
      corr_gateway_field(profile.timeout) },
    { ngx_string("connect_timeout"), 1, 1, corr_gateway_set_time,
      corr_gateway_field(profile.connect_timeout) },
    { ngx_string("max_response"), 1, 1, corr_gateway_set_size,
      corr_gateway_field(profile.max_response) },
    { ngx_string("retries"), 1, 1, corr_gateway_set_number,
      corr_gateway_field(retries) },
    { ngx_string("budget"), 1, 1, corr_gateway_set_number,
      corr_gateway_field(budget) },
    { ngx_string("rate"), 1, 1, corr_gateway_set_number,
      corr_gateway_field(rate) },
    { ngx_string("ca"), 1, 1, corr_gateway_set_text,
      corr_gateway_field(profile.ca_file) },
    { ngx_string("certificate"), 2, 2, corr_gateway_set_certificate, 0 },
    { ngx_string("proxy"), 1, 1, corr_gateway_set_text,
      corr_gateway_field(profile.proxy) },
    { ngx_string("resolver"), 1, 40, corr_gateway_set_resolver, 0 },
    { ngx_string("insecure_http"), 1, 1, corr_gateway_set_flag,
      corr_gateway_field(profile.insecure_http) },
    { ngx_string("keepalive"), 1, 1, corr_gateway_set_flag,
      corr_gateway_field(keepalive) },
    { ngx_string("jwe_key"), 1, 1, corr_gateway_set_jwe, 0 },
    { ngx_string("request_id"), 1, 1, corr_gateway_set_request_id, 0 },

    { ngx_null_string, 0, 0, NULL, 0 }
};


/* The block. */

char *
corr_gateway_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    corr_settings_t *s = conf;

    char                    *rv;
    ngx_str_t               *value;
    ngx_conf_t               save;
    corr_gateway_t          *g;
    corr_gateway_builder_t   b;

    value = cf->args->elts;

    if (s->gateways == NULL) {
        s->gateways = ngx_array_create(cf->pool, 8, sizeof(corr_gateway_t));
        if (s->gateways == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (s->gateways->nelts == CORR_GATEWAYS_MAX) {
        return "is one too many";
    }

    g = ngx_array_push(s->gateways);
    if (g == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(g, sizeof(corr_gateway_t));

    if (corr_gateway_kind(cf, &value[1], &g->kind) != NGX_OK
        || corr_gateway_name(cf, s, g,
                             cf->args->nelts == 3 ? &value[2] : NULL)
           != NGX_OK
        || corr_gateway_init(cf, g) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&b, sizeof(b));
    b.gateway = g;

    save = *cf;
    cf->handler = corr_gateway_line;
    /* cppcheck-suppress autoVariables ; restored before the return */
    cf->handler_conf = (void *) &b;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return corr_gateway_check(cf, &b);
}


ngx_int_t
corr_gateways_check(ngx_conf_t *cf, corr_settings_t *s,
    ngx_resolver_t *resolver, ngx_uint_t signs_up)
{
    ngx_uint_t       i, n, sms;
    corr_gateway_t  *g;

    sms = 0;
    n = s->gateways ? s->gateways->nelts : 0;

    for (i = 0; i < n; i++) {
        g = (corr_gateway_t *) s->gateways->elts + i;
        sms |= (g->kind == CORR_GATEWAY_SMS);

        /* nginx makes one that knows no server where none was named */

        if (g->named && g->profile.proxy.len == 0
            && g->profile.resolver == NULL
            && (resolver == NULL || resolver->connections.nelts == 0))
        {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "gateway \"%s\" has a host by name, and no "
                               "\"resolver\" that could find it", g->label);
        }
    }

    if (signs_up && !sms) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"correspondence citizen\" needs a "
                           "\"correspondence_gateway sms\": nobody could "
                           "sign up");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
corr_gateway_kind(ngx_conf_t *cf, ngx_str_t *name, corr_gateway_kind_e *kind)
{
    ngx_uint_t  i;

    for (i = 0; i < CORR_GATEWAY_KINDS; i++) {
        if (ngx_strcmp(name->data, corr_gateway_kinds[i].data) == 0) {
            *kind = i;
            return NGX_OK;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown kind of gateway \"%V\": it is one of "
                       "shahkar, registry, company, sms, sms_status", name);
    return NGX_ERROR;
}


/*
 * sms and sms_status belong together by their name, so both are called "sms"
 * when nothing is said.
 */

static ngx_int_t
corr_gateway_name(ngx_conf_t *cf, corr_settings_t *s, corr_gateway_t *g,
    ngx_str_t *name)
{
    size_t           i;
    ngx_uint_t       n;
    const u_char    *p;
    corr_gateway_t  *other;

    g->name = name ? corr_make_str(name->data, name->len)
              : g->kind == CORR_GATEWAY_SMS_STATUS ? CORR_STR("sms")
              : corr_make_str(corr_gateway_kinds[g->kind].data,
                              corr_gateway_kinds[g->kind].len);
    g->label = (const char *) g->name.data;

    for (p = g->name.data, i = 0; i < g->name.len; i++) {
        if (!(p[i] >= 'a' && p[i] <= 'z') && !(p[i] >= 'A' && p[i] <= 'Z')
            && !(p[i] >= '0' && p[i] <= '9') && p[i] != '_' && p[i] != '-'
            && p[i] != '.')
        {
            break;
        }
    }

    if (g->name.len == 0 || i < g->name.len || g->name.len > 64) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "a gateway's name has letters, digits, \"_\", "
                           "\"-\" and \".\"");
        return NGX_ERROR;
    }

    other = s->gateways->elts;

    for (n = 0; n + 1 < s->gateways->nelts; n++) {

        if (other[n].kind != g->kind) {
            continue;
        }

        g->position++;

        /* of a status there may be two: by id and by local id */

        if (g->kind != CORR_GATEWAY_SMS_STATUS
            && corr_str_eq(other[n].name, g->name))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "there is another %V gateway named \"%s\"",
                               &corr_gateway_kinds[g->kind], g->label);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
corr_gateway_init(ngx_conf_t *cf, corr_gateway_t *g)
{
    ngx_uint_t   i;
    ngx_array_t *conditions[] = {
        &g->yes, &g->no, &g->sent, &g->unsent, &g->busy
    };

    for (i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++) {
        if (ngx_array_init(conditions[i], cf->pool, 2,
                           sizeof(corr_gateway_condition_t))
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (corr_request_init(cf, &g->request) != NGX_OK
        || ngx_array_init(&g->take, cf->pool, 4, sizeof(corr_gateway_take_t))
           != NGX_OK
        || ngx_array_init(&g->status, cf->pool, 2,
                          sizeof(corr_gateway_range_t))
           != NGX_OK
        || ngx_array_init(&g->busy_http, cf->pool, 2,
                          sizeof(corr_gateway_range_t))
           != NGX_OK
        || ngx_array_init(&g->vars, cf->pool, 4, sizeof(corr_gateway_part_t))
           != NGX_OK
        || ngx_array_init(&g->set, cf->pool, 4, sizeof(corr_gateway_pair_t))
           != NGX_OK
        || ngx_array_init(&g->templates, cf->pool, 4,
                          sizeof(corr_gateway_pair_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    g->profile.timeout = 10000;
    g->profile.connect_timeout = 5000;
    g->profile.max_response = CORR_GATEWAY_ANSWER;
    g->profile.verify = 1;
    g->retries = 2;

    g->zone = corr_gateway_zone(cf);

    return g->zone ? NGX_OK : NGX_ERROR;
}


static char *
corr_gateway_check(ngx_conf_t *cf, corr_gateway_builder_t *b)
{
    corr_gateway_t        *g = b->gateway;
    corr_gateway_range_t  *range;

    if (g->request.method.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "gateway \"%s\" has no \"request\"", g->label);
        return NGX_CONF_ERROR;
    }

    /* without a yes nothing could ever be said: HTTP 200 is no answer */

    if (g->yes.nelts + g->sent.nelts + g->unsent.nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "gateway \"%s\" has no \"yes\"", g->label);
        return NGX_CONF_ERROR;
    }

    if (g->kind != CORR_GATEWAY_SMS_STATUS
        && (g->sent.nelts || g->unsent.nelts))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sent\" and \"unsent\" are for sms_status");
        return NGX_CONF_ERROR;
    }

    if (g->status.nelts == 0) {
        range = ngx_array_push(&g->status);
        if (range == NULL) {
            return NGX_CONF_ERROR;
        }

        range->first = 200;
        range->last = 299;
    }

    /*
     * One answer more than requests, on a connection that is kept, and every
     * later verdict would be somebody else's.
     */

    g->profile.once = !g->keepalive;

    if (g->profile.connect_timeout > g->profile.timeout) {
        g->profile.connect_timeout = g->profile.timeout;
    }

    if (corr_request_check_url(cf, b, &g->request) != NGX_CONF_OK
        || (g->token
            && corr_request_check_url(cf, b, &g->token->request)
               != NGX_CONF_OK)
        || corr_gateway_check_token(cf, g) != NGX_CONF_OK
        || corr_http_profile_load(cf, &g->profile) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* What the block uses it must also define. */

static char *
corr_gateway_check_token(ngx_conf_t *cf, corr_gateway_t *g)
{
    size_t                len;
    ngx_uint_t            i, jwe, used;
    corr_str_t            rest;
    corr_gateway_part_t  *part;

    const corr_gateway_var_t  *token, *request_id;

    token = corr_gateway_var_find(CORR_STR("token"), g->kind, &rest, &jwe);
    request_id = corr_gateway_var_find(CORR_STR("request_id"), g->kind,
                                       &rest, &jwe);
    len = g->provider_code.len;
    used = 0;
    part = g->vars.elts;

    for (i = 0; i < g->vars.nelts; i++) {

        used |= (part[i].var == token);

        if (part[i].var == request_id && len == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "$request_id needs \"request_id\" with the "
                               "four digits of the provider code");
            return NGX_CONF_ERROR;
        }

        if (part[i].jwe && g->jwe == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "$jwe_ values need \"jwe_key\"");
            return NGX_CONF_ERROR;
        }
    }

    if (used != (g->token != NULL)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           used ? "$token needs \"token\""
                                : "\"token\" is not used: no $token");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* One directive. */

static char *
corr_gateway_line(ngx_conf_t *cf, ngx_command_t *dummy, void *conf)
{
    corr_gateway_builder_t *b = conf;

    char                            *rv;
    ngx_str_t                       *value;
    ngx_uint_t                       n;
    const corr_gateway_directive_t  *d;

    value = cf->args->elts;
    n = cf->args->nelts - 1;

    if (ngx_strcmp(value[0].data, "include") == 0 && n == 1) {
        return ngx_conf_include(cf, dummy, conf);
    }

    for (d = corr_gateway_directives; d->name.len; d++) {

        if (ngx_strcmp(value[0].data, d->name.data) != 0) {
            continue;
        }

        if (n < d->min || n > d->max) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid number of arguments in \"%V\"",
                               &value[0]);
            return NGX_CONF_ERROR;
        }

        rv = d->set(cf, b, value);

        if (rv != NGX_CONF_OK && rv != NGX_CONF_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" %s",
                               &value[0], rv);
            return NGX_CONF_ERROR;
        }

        return rv;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown directive \"%V\" in a gateway", &value[0]);
    return NGX_CONF_ERROR;
}


static void *
corr_gateway_slot_of(corr_gateway_builder_t *b, ngx_str_t *name)
{
    const corr_gateway_directive_t  *d;

    for (d = corr_gateway_directives; d->name.len; d++) {
        if (ngx_strcmp(name->data, d->name.data) == 0) {
            return (u_char *) b->gateway + d->offset;
        }
    }

    return NULL;
}


static char *
corr_gateway_set_request(ngx_conf_t *cf, corr_gateway_builder_t *b,
    ngx_str_t *value)
{
    return corr_request_line(cf, b, &b->gateway->request, &value[1],
                             &value[2]);
}


static char *
corr_gateway_set_header(ngx_conf_t *cf, corr_gateway_builder_t *b,
    ngx_str_t *value)
{
    return corr_request_header(cf, b, &b->gateway->request, &value[1],
                               &value[2], 0);
}


static char *
corr_gateway_set_basic(ngx_conf_t *cf, corr_gateway_builder_t *b,
    ngx_str_t *value)
{
    ngx_str_t  name = ngx_string("Authorization");

    return corr_request_header(cf, b, &b->gateway->request, &name, &value[1],
                               1);
}


static char *
corr_gateway_set_body(ngx_conf_t *cf, corr_gateway_builder_t *b,
    ngx_str_t *value)
{
    return corr_request_body(cf, b, &b->gateway->request, &value[0],
                             &value[1]);
}


static char *
corr_gateway_set_token(ngx_conf_t *cf, corr_gateway_builder_t *b,
    ngx_str_t *value)
{
    char                  *rv;
    corr_gateway_token_t  *t;

    if (b->gateway->token) {
        return "is duplicate";
    }

    t = ngx_pcalloc(cf->pool, sizeof(corr_gateway_token_t));
    if (t == NULL || corr_request_init(cf, &t->request) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    t->expires_unit = 1;
    t->lifetime = 300;

    b->token = 1;
    rv = corr_token_words(cf, b, t, value);
    b->token = 0;

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (t->take.len == 0 || corr_json_path_check(t->take) != CORR_OK
        || (t->expires.len && corr_json_path_check(t->expires) != CORR_OK)
        || (t->refresh.len && corr_json_path_check(t->refresh) != CORR_OK))
    {
        return "has no or a bad path behind take, expires or refresh";
    }

    b->gateway->token = t;

    return NGX_CONF_OK;
}


static char *
corr_token_words(ngx_conf_t *cf, corr_gateway_builder_t *b,
    corr_gateway_token_t *t, ngx_str_t *value)
{
    char       *rv;
    ngx_str_t  *v, *last;

    rv = corr_request_line(cf, b, &t->request, &value[1], &value[2]);

    last = value + cf->args->nelts;

    for (v = value + 3; rv == NGX_CONF_OK && v < last; /* void */) {

        if (last - v < 2) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" of \"token\" needs a value", v);
            return NGX_CONF_ERROR;
        }

        rv = corr_token_word(cf, b, t, &v, last);
    }

    return rv == NGX_CONF_OK && b->again ? corr_token_again(cf, b, t) : rv;
}


/* When all words are read: it is of the same kind as the other body. */

static char *
corr_token_again(ngx_conf_t *cf, corr_gateway_builder_t *b,
    corr_gateway_token_t *t)
{
    char        *rv;
    ngx_uint_t   json;

    json = corr_str_is(t->request.type, "application/json");

    b->refresh = 1;
    rv = corr_text_compile(cf, b, b->again,
                           json ? CORR_PLACE_JSON : CORR_PLACE_URL,
                           &t->again);
    b->refresh = 0;

    return rv == NGX_CONF_OK && json ? corr_text_check_json(cf, &t->again)
                                     : rv;
}


/* One word of a token with what belongs to it; *v moves behind it. */

static char *
corr_token_word(ngx_conf_t *cf, corr_gateway_builder_t *b,
    corr_gateway_token_t *t, ngx_str_t **at, ngx_str_t *last)
{
    ngx_str_t  *v = *at;
    ngx_str_t   name = ngx_string("Authorization");

    *at += 2;

    if (ngx_strcmp(v->data, "form") == 0 || ngx_strcmp(v->data, "json") == 0
        || ngx_strcmp(v->data, "query") == 0)
    {
        return corr_request_body(cf, b, &t->request, v, v + 1);
    }

    if (ngx_strcmp(v->data, "basic") == 0) {
        return corr_request_header(cf, b, &t->request, &name, v + 1, 1);
    }

    if (ngx_strcmp(v->data, "take") == 0) {
        t->take = corr_make_str(v[1].data, v[1].len);
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(v->data, "expires") == 0
        || ngx_strcmp(v->data, "expires_ms") == 0)
    {
        t->expires_unit = v->len > 7 ? 1000 : 1;
        t->expires = corr_make_str(v[1].data, v[1].len);
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(v->data, "lifetime") == 0) {
        t->lifetime = ngx_parse_time(&v[1], 1);
        return t->lifetime > 0 ? NGX_CONF_OK : "has a bad lifetime";
    }

    if (last - v > 2 && ngx_strcmp(v->data, "header") == 0) {
        *at = v + 3;
        return corr_request_header(cf, b, &t->request, v + 1, v + 2, 0);
    }

    if (last - v > 2 && ngx_strcmp(v->data, "refresh") == 0) {
        *at = v + 3;
        t->refresh = corr_make_str(v[1].data, v[1].len);
        b->again = v + 2;
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown word \"%V\" in \"token\"", v);
    return NGX_CONF_ERROR;
}


/* set $name value; */

static char *
corr_gateway_set_variable(ngx_conf_t *cf, corr_gateway_builder_t *b,
    ngx_str_t *value)
{
    corr_str_t             name, rest;
    ngx_uint_t             jwe;
    corr_gateway_pair_t   *pair;
    corr_gateway_text_t    text;

    if (value[1].len < 2 || value[1].data[0] != '$') {
        return "needs a name with a $";
    }

    name = corr_make_str(value[1].data + 1, value[1].len - 1);

    if (corr_gateway_var_find(name, b->gateway->kind, &rest, &jwe)) {
        return "would hide a value of the portal";
    }

    if (corr_text_compile(cf, b, &value[2], CORR_PLACE_PLAIN, &text)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (text.n != 1 || text.parts[0].var) {
        return "takes a constant";
    }

    pair = ngx_array_push(&b->gateway->set);
    if (pair == NULL) {
        return NGX_CONF_ERROR;
    }

    pair->name = name;
    pair->value = text.parts[0].text;

    return NGX_CONF_OK;
}


static char *
corr_gateway_set_template(ngx_conf_t *cf, corr_gateway_builder_t *b,
    ngx_str_t *value)
{
    corr_gateway_pair_t  *pair;

    if (b->gateway->kind != CORR_GATEWAY_SMS) {
        return "is for sms";
    }

    pair = ngx_array_push(&b->gateway->templates);
    if (pair == NULL) {
        return NGX_CONF_ERROR;
    }

    pair->name = corr_make_str(value[1].data, value[1].len);
    pair->value = corr_make_str(value[2].data, value[2].len);
    pair->param = cf->args->nelts == 4
                  ? corr_make_str(value[3].data, value[3].len)
                  : CORR_STR("code");

    return NGX_CONF_OK;
}


/*
 * yes PATH VALUE… [and PATH VALUE…]…; yes PATH >= 85;
 * no PATH false reason=dead;
 */

static char *
corr_gateway_set_condition(ngx_conf_t *cf, corr_gateway_builder_t *b,
    ngx_str_t *value)
{
    char                      *rv;
    ngx_str_t                 *v, *end, *last;
    corr_gateway_condition_t  *c;

    c = ngx_array_push(corr_gateway_slot_of(b, &value[0]));
    if (c == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(c, sizeof(corr_gateway_condition_t));

    v = value + 1;
    last = value + cf->args->nelts;

    if (last[-1].len > 7 && ngx_strncmp(last[-1].data, "reason=", 7) == 0) {
        last--;
        c->reason = corr_make_str(last->data + 7, last->len - 7);
    }

    for ( ;; ) {

        for (end = v; end < last && ngx_strcmp(end->data, "and") != 0; end++)
        {
            /* void */
        }

        rv = corr_condition_read(cf, c, v, end - v);

        if (rv != NGX_CONF_OK || end == last) {
            return rv;
        }

        v = end + 1;
        c->also = ngx_pcalloc(cf->pool, sizeof(corr_gateway_condition_t));
        c = c->also;

        if (c == NULL) {
            return NGX_CONF_ERROR;
        }
    }
}


static char *
corr_condition_read(ngx_conf_t *cf, corr_gateway_condition_t *c,
    ngx_str_t *value, ngx_uint_t n)
{
    char        *end;
    ngx_uint_t   i;

    static const struct {
        const char      *word;
        corr_compare_e   compare;
    } words[] = {
        { "<", CORR_COMPARE_LT }, { "<=", CORR_COMPARE_LE },
        { ">", CORR_COMPARE_GT }, { ">=", CORR_COMPARE_GE },
        { "present", CORR_COMPARE_PRESENT },
        { "absent", CORR_COMPARE_ABSENT }
    };

    if (n < 2) {
        return "needs a path and a value";
    }

    c->path = corr_make_str(value[0].data, value[0].len);

    if (corr_json_path_check(c->path) != CORR_OK) {
        return "has a bad path";
    }

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {

        if (ngx_strcmp(value[1].data, words[i].word) != 0) {
            continue;
        }

        c->compare = words[i].compare;

        if (c->compare == CORR_COMPARE_PRESENT
            || c->compare == CORR_COMPARE_ABSENT)
        {
            return n == 2 ? NGX_CONF_OK
                          : "has something behind present or absent";
        }

        if (n != 3) {
            return "needs one number behind a comparison";
        }

        c->number = strtod((char *) value[2].data, &end);

        return value[2].len && *end == '\0'
               ? NGX_CONF_OK : "needs a number behind a comparison";
    }

    c->nvalues = n - 1;
    c->values = ngx_palloc(cf->pool, c->nvalues * sizeof(corr_str_t));
    if (c->values == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < c->nvalues; i++) {
        c->values[i] = corr_make_str(value[i + 1].data, value[i + 1].len);
    }

    return NGX_CONF_OK;
}


static char *
corr_gateway_set_take(ngx_conf_t *cf, corr_gateway_builder_t *b,
    ngx_str_t *value)
{
    corr_gateway_take_t  *take;

    take = ngx_array_push(&b->gateway->take);
    if (take == NULL) {
        return NGX_CONF_ERROR;
    }

    take->name = corr_make_str(value[1].data, value[1].len);
    take->path = corr_make_str(value[2].data, value[2].len);

    return corr_json_path_check(take->path) == CORR_OK ? NGX_CONF_OK
                                                       : "has a bad path";
}


/* status 200 400-499; */

static char *
corr_gateway_set_status(ngx_conf_t *cf, corr_gateway_builder_t *b,
    ngx_str_t *value)
{
    char        *rv;
    ngx_uint_t   i;

    for (i = 1; i < cf->args->nelts; i++) {
        rv = corr_conf_range(cf, corr_gateway_slot_of(b, &value[0]),
                             &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


static char *
corr_conf_range(ngx_conf_t *cf, ngx_array_t *ranges, ngx_str_t *value)
{
    u_char                *dash;
    ngx_int_t              first, last;
    corr_gateway_range_t  *range;

    dash = ngx_strlchr(value->data, value->data + value->len, '-');

    if (dash) {
        first = ngx_atoi(value->data, dash - value->data);
        last = ngx_atoi(dash + 1, value->data + value->len - dash - 1);

    } else {
        first = ngx_atoi(value->data, value->len);
        last = first;
    }

    if (first < 100 || last > 599 || first > last) {
        return "takes HTTP statuses: 200 400-499";
    }

    range = ngx_array_push(ranges);
    if (range == NULL) {
        return NGX_CONF_ERROR;
    }

    range->first = first;
    range->last = last;

    return NGX_CONF_OK;
}


static char *
corr_gateway_set_number(ngx_conf_t *cf, corr_gateway_builder_t *b,
    ngx_str_t *value)
{
    ngx_int_t  n;

    n = ngx_atoi(value[1].data, value[1].len);

    if (n == NGX_ERROR) {
        return "takes a number";
    }

    *(ngx_uint_t *) corr_gateway_slot_of(b, &value[0]) = n;

    return NGX_CONF_OK;
}


static char *
corr_gateway_set_time(ngx_conf_t *cf, corr_gateway_builder_t *b,
    ngx_str_t *value)
{
    ngx_int_t  msec;

    msec = ngx_parse_time(&value[1], 0);

    if (msec == NGX_ERROR || msec == 0) {
        return "takes a time: 500ms, 5s";
    }

    *(ngx_msec_t *) corr_gateway_slot_of(b, &value[0]) = msec;

    return NGX_CONF_OK;
}


static char *
corr_gateway_set_size(ngx_conf_t *cf, corr_gateway_builder_t *b,
    ngx_str_t *value)
{
    ssize_t  size;

    size = ngx_parse_size(&value[1]);

    if (size == NGX_ERROR || size == 0) {
        return "takes a size: 64k";
    }

    *(size_t *) corr_gateway_slot_of(b, &value[0]) = size;

    return NGX_CONF_OK;
}


/* insecure_http on; keepalive on; */

static char *
corr_gateway_set_flag(ngx_conf_t *cf, corr_gateway_builder_t *b,
    ngx_str_t *value)
{
    if (ngx_strcmp(value[1].data, "on") != 0
        && ngx_strcmp(value[1].data, "off") != 0)
    {
        return "is on or off";
    }

    *(ngx_uint_t *) corr_gateway_slot_of(b, &value[0]) = (value[1].len == 2);

    return NGX_CONF_OK;
}


/* ca FILE; proxy URL; */

static char *
corr_gateway_set_text(ngx_conf_t *cf, corr_gateway_builder_t *b,
    ngx_str_t *value)
{
    *(ngx_str_t *) corr_gateway_slot_of(b, &value[0]) = value[1];

    return NGX_CONF_OK;
}


static char *
corr_gateway_set_certificate(ngx_conf_t *cf, corr_gateway_builder_t *b,
    ngx_str_t *value)
{
    b->gateway->profile.certificate = value[1];
    b->gateway->profile.certificate_key = value[2];

    return NGX_CONF_OK;
}


static char *
corr_gateway_set_resolver(ngx_conf_t *cf, corr_gateway_builder_t *b,
    ngx_str_t *value)
{
    b->gateway->profile.resolver = ngx_resolver_create(cf, &value[1],
                                                       cf->args->nelts - 1);

    return b->gateway->profile.resolver ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
corr_gateway_set_jwe(ngx_conf_t *cf, corr_gateway_builder_t *b,
    ngx_str_t *value)
{
    ngx_str_t  text;

    /* a public key, which anybody may read */

    if (corr_conf_secret(cf, &value[1], 0, &text) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    b->gateway->jwe = corr_jwe_key_create(cf->pool,
                                          corr_make_str(text.data,
                                                        text.len));

    return b->gateway->jwe ? NGX_CONF_OK
                           : "names no public EC key in PEM or JWK";
}


static char *
corr_gateway_set_request_id(ngx_conf_t *cf, corr_gateway_builder_t *b,
    ngx_str_t *value)
{
    if (value[1].len != 4 || ngx_atoi(value[1].data, 4) == NGX_ERROR) {
        return "takes the four digits of the provider code";
    }

    b->gateway->provider_code = corr_make_str(value[1].data, 4);

    return NGX_CONF_OK;
}


/* A request, of the gateway or of its token. */

static ngx_int_t
corr_request_init(ngx_conf_t *cf, corr_gateway_request_t *request)
{
    request->headers = ngx_array_create(cf->pool, 4,
                                        sizeof(corr_gateway_header_t));

    return request->headers ? NGX_OK : NGX_ERROR;
}


static char *
corr_request_line(ngx_conf_t *cf, corr_gateway_builder_t *b,
    corr_gateway_request_t *request, ngx_str_t *method, ngx_str_t *url)
{
    if (request->method.len) {
        return "is duplicate";
    }

    if (ngx_strcmp(method->data, "GET") != 0
        && ngx_strcmp(method->data, "POST") != 0
        && ngx_strcmp(method->data, "PUT") != 0)
    {
        return "begins with GET, POST or PUT";
    }

    request->method = corr_make_str(method->data, method->len);

    return corr_text_compile(cf, b, url, CORR_PLACE_URL, &request->url);
}


static char *
corr_request_header(ngx_conf_t *cf, corr_gateway_builder_t *b,
    corr_gateway_request_t *request, ngx_str_t *name, ngx_str_t *value,
    ngx_uint_t basic)
{
    size_t                  i;
    corr_gateway_header_t  *header;

    for (i = 0; i < name->len; i++) {
        if (name->data[i] <= ' ' || name->data[i] == ':'
            || name->data[i] > '~')
        {
            return "has a bad name of a header";
        }
    }

    /* its own instead of the body's */

    if (name->len == sizeof("Content-Type") - 1
        && ngx_strcasecmp(name->data, (u_char *) "Content-Type") == 0)
    {
        request->own_type = 1;
    }

    header = ngx_array_push(request->headers);
    if (header == NULL) {
        return NGX_CONF_ERROR;
    }

    header->name = corr_make_str(name->data, name->len);
    header->basic = basic;

    return corr_text_compile(cf, b, value,
                             basic ? CORR_PLACE_PLAIN : CORR_PLACE_HEADER,
                             &header->value);
}


static char *
corr_request_body(ngx_conf_t *cf, corr_gateway_builder_t *b,
    corr_gateway_request_t *request, ngx_str_t *word, ngx_str_t *text)
{
    char  *rv;

    if (word->data[0] == 'q') {
        return request->query.n ? "is duplicate"
               : corr_text_compile(cf, b, text, CORR_PLACE_URL,
                                   &request->query);
    }

    if (request->body.n) {
        return "is a second body";
    }

    if (word->data[0] == 'f') {
        request->type = CORR_STR("application/x-www-form-urlencoded");
        return corr_text_compile(cf, b, text, CORR_PLACE_URL,
                                 &request->body);
    }

    request->type = CORR_STR("application/json");

    rv = corr_text_compile(cf, b, text, CORR_PLACE_JSON, &request->body);

    return rv == NGX_CONF_OK ? corr_text_check_json(cf, &request->body) : rv;
}


/*
 * The scheme and the host must be constant: where a request goes is the
 * administrator's word alone.
 */

static char *
corr_request_check_url(ngx_conf_t *cf, corr_gateway_builder_t *b,
    corr_gateway_request_t *request)
{
    u_char                *p, *last;
    corr_str_t             url, host;
    ngx_uint_t             plain;
    corr_gateway_t        *g = b->gateway;

    url = request->url.n && request->url.parts[0].var == NULL
          ? request->url.parts[0].text : CORR_STR("");

    plain = url.len > 7 && ngx_strncmp(url.data, "http://", 7) == 0;

    if (!plain && !(url.len > 8 && ngx_strncmp(url.data, "https://", 8) == 0))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "gateway \"%s\": an address begins with https:// "
                           "and a host", g->label);
        return NGX_CONF_ERROR;
    }

    p = url.data + (plain ? 7 : 8);
    last = url.data + url.len;
    host.data = p;

    while (p < last && *p != '/' && *p != '?') {
        if (*p == '@') {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "gateway \"%s\": no user in an address, use "
                               "\"basic\"", g->label);
            return NGX_CONF_ERROR;
        }

        p++;
    }

    host.len = p - host.data;

    if (host.len == 0 || (p == last && request->url.n > 1)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "gateway \"%s\": the host of an address has to "
                           "be constant", g->label);
        return NGX_CONF_ERROR;
    }

    if (plain && !g->profile.insecure_http && !corr_request_local(host)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "gateway \"%s\": http:// would send persons' data "
                           "in the clear; \"insecure_http on\" if you mean "
                           "it", g->label);
        return NGX_CONF_ERROR;
    }

    if (plain) {
        g->profile.insecure_http = 1;
    }

    g->named |= !corr_request_literal(host);

    return NGX_CONF_OK;
}


/* An address, or what needs no looking up. */

static ngx_uint_t
corr_request_literal(corr_str_t host)
{
    if (host.data[0] == '[' || corr_request_local(host)) {
        return 1;
    }

    host = corr_request_name(host);

    return ngx_inet_addr(host.data, host.len) != INADDR_NONE;
}


/* Without a port. */

static corr_str_t
corr_request_name(corr_str_t host)
{
    u_char  *colon;

    colon = ngx_strlchr(host.data, host.data + host.len, ':');
    host.len = colon ? (size_t) (colon - host.data) : host.len;

    return host;
}


static ngx_uint_t
corr_request_local(corr_str_t host)
{
    in_addr_t  address;

    if (host.len >= 5 && ngx_strncmp(host.data, "[::1]", 5) == 0) {
        return 1;
    }

    host = corr_request_name(host);

    address = ngx_inet_addr(host.data, host.len);

    return corr_str_is(host, "localhost")
           || (address != INADDR_NONE && ntohl(address) >> 24 == 127);
}


/* Texts. */

static char *
corr_text_compile(ngx_conf_t *cf, corr_gateway_builder_t *b, ngx_str_t *from,
    corr_place_e place, corr_gateway_text_t *text)
{
    u_char               *p, *start, *last;
    ngx_uint_t            quoted, json;
    ngx_array_t           parts;
    corr_gateway_part_t   part;

    if (ngx_array_init(&parts, cf->pool, 8, sizeof(corr_gateway_part_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    json = (place == CORR_PLACE_JSON);
    quoted = 0;
    last = from->data + from->len;
    start = from->data;

    for (p = start; p < last; /* void */) {

        if (json && *p == '\\') {
            p = (last - p > 1) ? p + 2 : last;
            continue;
        }

        if (*p != '$' && !(*p == '@' && last - p > 1 && p[1] == '/')) {
            quoted ^= (json && *p == '"');
            p++;
            continue;
        }

        ngx_memzero(&part, sizeof(part));
        part.place = json ? corr_text_json_place(quoted) : place;

        if (corr_text_literal(cf, &parts, place, start, p) != NGX_OK
            || corr_text_special(cf, b, &p, last, &part) != NGX_CONF_OK
            || corr_text_push(cf, &parts, &part) != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }

        start = p;
    }

    if (corr_text_literal(cf, &parts, place, start, last) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    text->parts = parts.elts;
    text->n = parts.nelts;

    return NGX_CONF_OK;
}


/* What begins with $ or @/; *p moves behind it. */

static char *
corr_text_special(ngx_conf_t *cf, corr_gateway_builder_t *b, u_char **p,
    u_char *last, corr_gateway_part_t *part)
{
    char        *rv;
    corr_str_t   secret;

    if (**p == '@') {
        rv = corr_text_secret(cf, p, last, &secret);

        if (rv != NGX_CONF_OK) {
            return rv;
        }

        return corr_text_escaped(cf, part->place, secret, &part->text)
               == NGX_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    if (last - *p > 1 && (*p)[1] == '$') {
        part->text = CORR_STR("$");
        *p += 2;
        return NGX_CONF_OK;
    }

    rv = corr_text_variable(cf, b, p, last, part);

    if (rv == NGX_CONF_OK && part->var
        && corr_text_push(cf, &b->gateway->vars, part) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return rv;
}


static corr_place_e
corr_text_json_place(ngx_uint_t quoted)
{
    return quoted ? CORR_PLACE_JSON_STRING : CORR_PLACE_JSON_NUMBER;
}


static char *
corr_text_variable(ngx_conf_t *cf, corr_gateway_builder_t *b, u_char **p,
    u_char *last, corr_gateway_part_t *part)
{
    u_char      *q, c;
    corr_str_t   name;
    ngx_uint_t   brace;

    q = *p + 1;
    brace = (q < last && *q == '{');
    q += brace;
    name.data = q;

    while (q < last) {
        c = *q;

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z')
            && !(c >= '0' && c <= '9') && c != '_')
        {
            break;
        }

        q++;
    }

    name.len = q - name.data;

    if (name.len == 0 || (brace && (q == last || *q++ != '}'))) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "a \"$\" without a name ($$ is the sign itself)");
        return NGX_CONF_ERROR;
    }

    *p = q;

    part->var = corr_gateway_var_find(name, b->gateway->kind, &part->text,
                                      &part->jwe);

    if (part->var && part->jwe && part->place == CORR_PLACE_JSON_NUMBER) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"$%*s\" stands within quotes", name.len,
                           name.data);
        return NGX_CONF_ERROR;
    }

    if (part->var && b->token
        && !corr_gateway_var_of_token(part->var, b->refresh))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"$%*s\" cannot stand %s of \"token\": it has "
                           "no value when a token is fetched, which is for "
                           "all questions", name.len, name.data,
                           b->refresh ? "in the refresh" : "in the request");
        return NGX_CONF_ERROR;
    }

    return part->var ? NGX_CONF_OK : corr_text_own(cf, b, name, part);
}


/* What was set is a literal. */

static char *
corr_text_own(ngx_conf_t *cf, corr_gateway_builder_t *b, corr_str_t name,
    corr_gateway_part_t *part)
{
    ngx_uint_t            i;
    corr_gateway_pair_t  *pair;

    pair = b->gateway->set.elts;

    for (i = 0; i < b->gateway->set.nelts; i++) {

        if (!corr_str_eq(pair[i].name, name)) {
            continue;
        }

        return corr_text_escaped(cf, part->place, pair[i].value, &part->text)
               == NGX_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown variable \"$%*s\" in a gateway of kind %V",
                       name.len, name.data,
                       &corr_gateway_kinds[b->gateway->kind]);
    return NGX_CONF_ERROR;
}


/* The shortest path that is a file; or as far as a path goes. */

static char *
corr_text_secret(ngx_conf_t *cf, u_char **p, u_char *last,
    corr_str_t *secret)
{
    u_char           *start, *q, *path, c;
    ngx_str_t         name, text;
    ngx_file_info_t   info;

    start = *p + 1;

    path = ngx_pnalloc(cf->temp_pool, last - start + 1);
    if (path == NULL) {
        return NGX_CONF_ERROR;
    }

    for (q = start; q < last; q++) {

        c = *q;

        if (c == '/' && q > start) {
            ngx_cpystrn(path, start, q - start + 1);

            if (ngx_file_info(path, &info) != NGX_FILE_ERROR
                && ngx_is_file(&info))
            {
                break;
            }
        }

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z')
            && !(c >= '0' && c <= '9') && c != '/' && c != '.' && c != '_'
            && c != '-' && c != '+' && c != '~')
        {
            break;
        }
    }

    ngx_cpystrn(path, start, q - start + 1);
    name.data = path;
    name.len = q - start;
    *p = q;

    if (corr_conf_secret(cf, &name, CORR_READ_SECRET, &text) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    *secret = corr_make_str(text.data, text.len);

    return NGX_CONF_OK;
}


static ngx_int_t
corr_text_push(ngx_conf_t *cf, ngx_array_t *parts,
    const corr_gateway_part_t *part)
{
    corr_gateway_part_t  *p;

    p = ngx_array_push(parts);
    if (p == NULL) {
        return NGX_ERROR;
    }

    *p = *part;

    return NGX_OK;
}


/* In addresses and forms a blank and what is not ASCII is encoded. */

static ngx_int_t
corr_text_literal(ngx_conf_t *cf, ngx_array_t *parts, corr_place_e place,
    u_char *start, u_char *end)
{
    u_char               *p, *q;
    corr_gateway_part_t   part;

    if (start == end) {
        return NGX_OK;
    }

    ngx_memzero(&part, sizeof(part));
    part.place = place;
    part.text = corr_make_str(start, end - start);

    if (place == CORR_PLACE_HEADER) {

        for (p = start; p < end; p++) {
            if (*p < ' ' && *p != '\t') {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "a header has a line break in it");
                return NGX_ERROR;
            }
        }
    }

    if (place == CORR_PLACE_URL) {

        q = ngx_pnalloc(cf->pool, 3 * part.text.len);
        if (q == NULL) {
            return NGX_ERROR;
        }

        part.text.data = q;

        for (p = start; p < end; p++) {
            if (*p <= ' ' || *p >= 0x7f || *p == '"') {
                q = ngx_sprintf(q, "%%%02Xi", (ngx_int_t) *p);

            } else {
                *q++ = *p;
            }
        }

        part.text.len = q - part.text.data;
    }

    return corr_text_push(cf, parts, &part);
}


/* A secret or a constant, for where it stands. */

static ngx_int_t
corr_text_escaped(ngx_conf_t *cf, corr_place_e place, corr_str_t value,
    corr_str_t *out)
{
    corr_alloc_t  alloc;

    alloc = corr_conf_alloc(cf);
    *out = value;

    if (place == CORR_PLACE_URL) {
        *out = corr_escape(&alloc, CORR_ESCAPE_URL, value);

    } else if (place == CORR_PLACE_JSON_STRING) {
        *out = corr_escape(&alloc, CORR_ESCAPE_JSON, value);

    } else if (place == CORR_PLACE_HEADER
               && !corr_header_value_valid(value))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "a secret may not stand in a header: it has "
                           "control characters or blanks around it");
        return NGX_ERROR;
    }

    return out->data ? NGX_OK : NGX_ERROR;
}


/* With a 0 or an x for each value it must be JSON. */

static char *
corr_text_check_json(ngx_conf_t *cf, corr_gateway_text_t *text)
{
    u_char             *p;
    size_t              size;
    corr_str_t          json;
    ngx_uint_t          i;
    corr_alloc_t        alloc;
    corr_value_t        value;
    corr_json_error_t   error;

    size = 0;

    for (i = 0; i < text->n; i++) {
        size += text->parts[i].var ? 1 : text->parts[i].text.len;
    }

    json.data = ngx_pnalloc(cf->temp_pool, size);
    if (json.data == NULL) {
        return NGX_CONF_ERROR;
    }

    p = json.data;

    for (i = 0; i < text->n; i++) {
        if (text->parts[i].var) {
            *p++ = '0';

        } else {
            p = ngx_cpymem(p, text->parts[i].text.data,
                           text->parts[i].text.len);
        }
    }

    json.len = size;

    alloc = corr_conf_alloc(cf);
    alloc.pool = cf->temp_pool;

    if (corr_json_parse(&alloc, json, 0, &value, &error) != CORR_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"json\" is not JSON: %s",
                           error.text);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static corr_alloc_t
corr_conf_alloc(ngx_conf_t *cf)
{
    corr_alloc_t  alloc;

    alloc.alloc = corr_conf_palloc;
    alloc.pool = cf->pool;

    return alloc;
}


static void *
corr_conf_palloc(void *pool, size_t size)
{
    return ngx_palloc(pool, size);
}
