/*
 * What is sent to a gateway: texts with variables, filled with values that
 * are escaped for where they stand.
 */

#include "gateway_private.h"
#include "secrets.h"

#include "../lib/escape.h"
#include "../lib/ids.h"
#include "../lib/jalali.h"


#define CORR_FOR_SHAHKAR   (1 << CORR_GATEWAY_SHAHKAR)
#define CORR_FOR_REGISTRY  (1 << CORR_GATEWAY_REGISTRY)
#define CORR_FOR_COMPANY   (1 << CORR_GATEWAY_COMPANY)
#define CORR_FOR_SMS       (1 << CORR_GATEWAY_SMS)
#define CORR_FOR_STATUS    (1 << CORR_GATEWAY_SMS_STATUS)
#define CORR_FOR_PERSONS   (CORR_FOR_SHAHKAR|CORR_FOR_REGISTRY)
#define CORR_FOR_ALL       0xff


/* Gets the value of a variable; the results of corr_gateway_text_fill(). */

typedef int (*corr_gateway_get_pt)(corr_gateway_call_t *call,
    corr_gateway_state_t *state, const corr_gateway_part_t *part,
    ngx_pool_t *pool, corr_str_t *out);

struct corr_gateway_var_s {
    ngx_str_t                name;
    ngx_uint_t               kinds;
    corr_gateway_get_pt      get;
    const char              *source;     /* in the caller's values */
    ngx_uint_t               form;
};


enum {
    CORR_MOBILE_98 = 1,
    CORR_MOBILE_PLUS98,
    CORR_MOBILE_9,

    CORR_DATE_COMPACT,
    CORR_DATE_DASHED,
    CORR_DATE_GREGORIAN,
    CORR_DATE_GREGORIAN_COMPACT
};


static int corr_var_value(corr_gateway_call_t *call,
    corr_gateway_state_t *state, const corr_gateway_part_t *part,
    ngx_pool_t *pool, corr_str_t *out);
static int corr_var_named(corr_gateway_call_t *call,
    corr_gateway_state_t *state, const corr_gateway_part_t *part,
    ngx_pool_t *pool, corr_str_t *out);
static int corr_var_full_name(corr_gateway_call_t *call,
    corr_gateway_state_t *state, const corr_gateway_part_t *part,
    ngx_pool_t *pool, corr_str_t *out);
static int corr_var_mobile(corr_gateway_call_t *call,
    corr_gateway_state_t *state, const corr_gateway_part_t *part,
    ngx_pool_t *pool, corr_str_t *out);
static int corr_var_date(corr_gateway_call_t *call,
    corr_gateway_state_t *state, const corr_gateway_part_t *part,
    ngx_pool_t *pool, corr_str_t *out);
static int corr_var_template(corr_gateway_call_t *call,
    corr_gateway_state_t *state, const corr_gateway_part_t *part,
    ngx_pool_t *pool, corr_str_t *out);
static int corr_var_template_value(corr_gateway_call_t *call,
    corr_gateway_state_t *state, const corr_gateway_part_t *part,
    ngx_pool_t *pool, corr_str_t *out);
static int corr_var_token(corr_gateway_call_t *call,
    corr_gateway_state_t *state, const corr_gateway_part_t *part,
    ngx_pool_t *pool, corr_str_t *out);
static int corr_var_refresh(corr_gateway_call_t *call,
    corr_gateway_state_t *state, const corr_gateway_part_t *part,
    ngx_pool_t *pool, corr_str_t *out);
static int corr_var_request_id(corr_gateway_call_t *call,
    corr_gateway_state_t *state, const corr_gateway_part_t *part,
    ngx_pool_t *pool, corr_str_t *out);
static int corr_var_uuid(corr_gateway_call_t *call,
    corr_gateway_state_t *state, const corr_gateway_part_t *part,
    ngx_pool_t *pool, corr_str_t *out);
static int corr_var_unix_time(corr_gateway_call_t *call,
    corr_gateway_state_t *state, const corr_gateway_part_t *part,
    ngx_pool_t *pool, corr_str_t *out);
static int corr_var_iso_time(corr_gateway_call_t *call,
    corr_gateway_state_t *state, const corr_gateway_part_t *part,
    ngx_pool_t *pool, corr_str_t *out);

static const corr_gateway_pair_t *corr_gateway_template(
    corr_gateway_call_t *call, const corr_gateway_t *gateway);
static int corr_gateway_named(corr_gateway_call_t *call, corr_str_t name,
    ngx_pool_t *pool, corr_str_t *out);
static int64_t corr_gateway_now(void);
static int corr_gateway_part_fill(corr_gateway_call_t *call,
    corr_gateway_state_t *state, const corr_gateway_part_t *part,
    ngx_pool_t *pool, corr_str_t *out);
static int corr_gateway_encrypt(corr_gateway_state_t *state,
    ngx_pool_t *pool, corr_str_t plain, corr_str_t *out);
static int corr_gateway_escape(corr_place_e place, ngx_pool_t *pool,
    corr_str_t value, corr_str_t *out);
static int corr_gateway_number(corr_str_t value, corr_str_t *out);
static int corr_gateway_header_line(corr_gateway_call_t *call,
    corr_gateway_state_t *state, const corr_gateway_header_t *header,
    ngx_pool_t *pool, corr_str_t *line);
static int corr_gateway_header_add(ngx_array_t *headers, ngx_pool_t *pool,
    corr_str_t name, corr_str_t value);
static int corr_gateway_url_join(ngx_pool_t *pool, corr_str_t url,
    corr_str_t query, corr_str_t *out);
static void *corr_gateway_palloc(void *pool, size_t size);


static const corr_gateway_var_t  corr_gateway_vars[] = {

    { ngx_string("national_code"), CORR_FOR_PERSONS,
      corr_var_value, "national_code", 0 },

    { ngx_string("mobile"), CORR_FOR_SHAHKAR|CORR_FOR_SMS,
      corr_var_value, "mobile", 0 },
    { ngx_string("mobile_98"), CORR_FOR_SHAHKAR|CORR_FOR_SMS,
      corr_var_mobile, "mobile", CORR_MOBILE_98 },
    { ngx_string("mobile_plus98"), CORR_FOR_SHAHKAR|CORR_FOR_SMS,
      corr_var_mobile, "mobile", CORR_MOBILE_PLUS98 },
    { ngx_string("mobile_9"), CORR_FOR_SHAHKAR|CORR_FOR_SMS,
      corr_var_mobile, "mobile", CORR_MOBILE_9 },

    { ngx_string("birth_date"), CORR_FOR_PERSONS,
      corr_var_value, "birth_date", 0 },
    { ngx_string("birth_date_compact"), CORR_FOR_PERSONS,
      corr_var_date, "birth_date", CORR_DATE_COMPACT },
    { ngx_string("birth_date_dashed"), CORR_FOR_PERSONS,
      corr_var_date, "birth_date", CORR_DATE_DASHED },
    { ngx_string("birth_date_gregorian"), CORR_FOR_PERSONS,
      corr_var_date, "birth_date", CORR_DATE_GREGORIAN },
    { ngx_string("birth_date_gregorian_compact"), CORR_FOR_PERSONS,
      corr_var_date, "birth_date", CORR_DATE_GREGORIAN_COMPACT },

    { ngx_string("first_name"), CORR_FOR_PERSONS,
      corr_var_value, "first_name", 0 },
    { ngx_string("last_name"), CORR_FOR_PERSONS,
      corr_var_value, "last_name", 0 },
    { ngx_string("father_name"), CORR_FOR_PERSONS,
      corr_var_value, "father_name", 0 },
    { ngx_string("full_name"), CORR_FOR_PERSONS,
      corr_var_full_name, NULL, 0 },

    { ngx_string("company_national_id"), CORR_FOR_COMPANY,
      corr_var_value, "company_national_id", 0 },
    { ngx_string("registration_number"), CORR_FOR_COMPANY,
      corr_var_value, "registration_number", 0 },
    { ngx_string("company_name"), CORR_FOR_COMPANY,
      corr_var_value, "company_name", 0 },

    { ngx_string("text"), CORR_FOR_SMS, corr_var_value, "text", 0 },
    { ngx_string("code"), CORR_FOR_SMS, corr_var_value, "code", 0 },
    { ngx_string("template"), CORR_FOR_SMS,
      corr_var_template, "template", 0 },
    { ngx_string("template_value"), CORR_FOR_SMS,
      corr_var_template_value, "template", 0 },
    { ngx_string("local_id"), CORR_FOR_SMS|CORR_FOR_STATUS,
      corr_var_value, "local_id", 0 },
    { ngx_string("id"), CORR_FOR_STATUS, corr_var_value, "id", 0 },

    { ngx_string("token"), CORR_FOR_ALL, corr_var_token, NULL, 0 },
    { ngx_string("refresh_token"), CORR_FOR_ALL, corr_var_refresh, NULL, 0 },
    { ngx_string("request_id"), CORR_FOR_ALL, corr_var_request_id, NULL, 0 },
    { ngx_string("uuid"), CORR_FOR_ALL, corr_var_uuid, NULL, 0 },
    { ngx_string("unix_time"), CORR_FOR_ALL, corr_var_unix_time, NULL, 0 },
    { ngx_string("iso_time"), CORR_FOR_ALL, corr_var_iso_time, NULL, 0 },

    { ngx_null_string, 0, NULL, NULL, 0 }
};


/* $value_tracking_code: a value of the message's template. */

static const corr_gateway_var_t  corr_gateway_var_named = {
    ngx_string("value_"), CORR_FOR_SMS, corr_var_named, NULL, 0
};


const corr_gateway_var_t *
corr_gateway_var_find(corr_str_t name, corr_gateway_kind_e kind,
    corr_str_t *rest, ngx_uint_t *jwe)
{
    const corr_gateway_var_t  *v;

    *jwe = 0;
    rest->len = 0;
    rest->data = NULL;

    if (name.len > 4 && ngx_strncmp(name.data, "jwe_", 4) == 0) {
        *jwe = 1;
        name.data += 4;
        name.len -= 4;
    }

    if (kind == CORR_GATEWAY_SMS && name.len > 6
        && ngx_strncmp(name.data, "value_", 6) == 0)
    {
        *rest = corr_make_str(name.data + 6, name.len - 6);
        return &corr_gateway_var_named;
    }

    for (v = corr_gateway_vars; v->name.len; v++) {
        if (v->name.len == name.len
            && ngx_strncmp(v->name.data, name.data, name.len) == 0
            && (v->kinds & (1 << kind)))
        {
            return v;
        }
    }

    return NULL;
}


ngx_uint_t
corr_gateway_var_of_token(const corr_gateway_var_t *var, ngx_uint_t refresh)
{
    return var->get == corr_var_unix_time || var->get == corr_var_iso_time
           || (refresh && var->get == corr_var_refresh);
}


/* Values. */

static int
corr_var_value(corr_gateway_call_t *call, corr_gateway_state_t *state,
    const corr_gateway_part_t *part, ngx_pool_t *pool, corr_str_t *out)
{
    if (call == NULL) {
        return CORR_INVALID;
    }

    *out = corr_gateway_value(call->values, part->var->source);

    return out->len ? CORR_OK : CORR_INVALID;
}


static int
corr_var_named(corr_gateway_call_t *call, corr_gateway_state_t *state,
    const corr_gateway_part_t *part, ngx_pool_t *pool, corr_str_t *out)
{
    return corr_gateway_named(call, part->text, pool, out);
}


static int
corr_gateway_named(corr_gateway_call_t *call, corr_str_t name,
    ngx_pool_t *pool, corr_str_t *out)
{
    u_char  *key;

    if (call == NULL) {
        return CORR_INVALID;
    }

    key = ngx_pnalloc(pool, name.len + sizeof("value_"));
    if (key == NULL) {
        return CORR_ERROR;
    }

    ngx_sprintf(key, "value_%*s%Z", name.len, name.data);

    *out = corr_gateway_value(call->values, (char *) key);

    return out->len ? CORR_OK : CORR_INVALID;
}


static int
corr_var_full_name(corr_gateway_call_t *call, corr_gateway_state_t *state,
    const corr_gateway_part_t *part, ngx_pool_t *pool, corr_str_t *out)
{
    u_char      *p;
    corr_str_t   first, last;

    if (call == NULL) {
        return CORR_INVALID;
    }

    first = corr_gateway_value(call->values, "first_name");
    last = corr_gateway_value(call->values, "last_name");

    if (first.len == 0 || last.len == 0) {
        return CORR_INVALID;
    }

    out->data = ngx_pnalloc(pool, first.len + 1 + last.len);
    if (out->data == NULL) {
        return CORR_ERROR;
    }

    p = ngx_cpymem(out->data, first.data, first.len);
    *p++ = ' ';
    p = ngx_cpymem(p, last.data, last.len);
    out->len = p - out->data;

    return CORR_OK;
}


static int
corr_var_mobile(corr_gateway_call_t *call, corr_gateway_state_t *state,
    const corr_gateway_part_t *part, ngx_pool_t *pool, corr_str_t *out)
{
    u_char       *p;
    corr_str_t    mobile;
    const char   *prefix;

    if (corr_var_value(call, state, part, pool, &mobile) != CORR_OK
        || mobile.len != CORR_MOBILE_LEN || mobile.data[0] != '0')
    {
        return CORR_INVALID;
    }

    prefix = part->var->form == CORR_MOBILE_98 ? "98"
             : part->var->form == CORR_MOBILE_PLUS98 ? "+98" : "";

    out->data = ngx_pnalloc(pool, CORR_MOBILE_LEN + 3);
    if (out->data == NULL) {
        return CORR_ERROR;
    }

    p = ngx_cpymem(out->data, prefix, ngx_strlen(prefix));
    p = ngx_cpymem(p, mobile.data + 1, mobile.len - 1);
    out->len = p - out->data;

    return CORR_OK;
}


static int
corr_var_date(corr_gateway_call_t *call, corr_gateway_state_t *state,
    const corr_gateway_part_t *part, ngx_pool_t *pool, corr_str_t *out)
{
    u_char       *p;
    int64_t       days;
    corr_str_t    text;
    corr_date_t   date;

    if (corr_var_value(call, state, part, pool, &text) != CORR_OK
        || corr_jalali_parse(text, &days) != CORR_OK)
    {
        return CORR_INVALID;
    }

    if (part->var->form == CORR_DATE_COMPACT
        || part->var->form == CORR_DATE_DASHED)
    {
        (void) corr_jalali_from_days(days, &date);

    } else {
        (void) corr_gregorian_from_days(days, &date);
    }

    out->data = ngx_pnalloc(pool, 16);
    if (out->data == NULL) {
        return CORR_ERROR;
    }

    p = ngx_sprintf(out->data,
                    part->var->form == CORR_DATE_DASHED
                    || part->var->form == CORR_DATE_GREGORIAN
                    ? "%04d-%02d-%02d" : "%04d%02d%02d",
                    date.year, date.month, date.day);
    out->len = p - out->data;

    return CORR_OK;
}


/* The provider's name of a template, and the one value that it shows. */

static int
corr_var_template(corr_gateway_call_t *call, corr_gateway_state_t *state,
    const corr_gateway_part_t *part, ngx_pool_t *pool, corr_str_t *out)
{
    const corr_gateway_pair_t  *pair;

    pair = corr_gateway_template(call, state->conf);

    if (pair == NULL) {
        return CORR_INVALID;
    }

    *out = pair->value;

    return CORR_OK;
}


static int
corr_var_template_value(corr_gateway_call_t *call,
    corr_gateway_state_t *state, const corr_gateway_part_t *part,
    ngx_pool_t *pool, corr_str_t *out)
{
    const corr_gateway_pair_t  *pair;

    pair = corr_gateway_template(call, state->conf);

    if (pair == NULL) {
        return CORR_INVALID;
    }

    if (!corr_str_is(pair->param, "code")) {
        return corr_gateway_named(call, pair->param, pool, out);
    }

    *out = corr_gateway_value(call->values, "code");

    return out->len ? CORR_OK : CORR_INVALID;
}


static const corr_gateway_pair_t *
corr_gateway_template(corr_gateway_call_t *call,
    const corr_gateway_t *gateway)
{
    corr_str_t                  ours;
    ngx_uint_t                  i;
    const corr_gateway_pair_t  *pair;

    if (call == NULL) {
        return NULL;
    }

    ours = corr_gateway_value(call->values, "template");
    pair = gateway->templates.elts;

    for (i = 0; i < gateway->templates.nelts; i++) {
        if (corr_str_eq(pair[i].name, ours)) {
            return &pair[i];
        }
    }

    return NULL;
}


static int
corr_var_token(corr_gateway_call_t *call, corr_gateway_state_t *state,
    const corr_gateway_part_t *part, ngx_pool_t *pool, corr_str_t *out)
{
    *out = state->token;

    return out->len ? CORR_OK : CORR_INVALID;
}


static int
corr_var_refresh(corr_gateway_call_t *call, corr_gateway_state_t *state,
    const corr_gateway_part_t *part, ngx_pool_t *pool, corr_str_t *out)
{
    *out = state->refresh;

    return out->len ? CORR_OK : CORR_INVALID;
}


/* Made once for each attempt, so that a text may hold them twice. */

static int
corr_var_request_id(corr_gateway_call_t *call, corr_gateway_state_t *state,
    const corr_gateway_part_t *part, ngx_pool_t *pool, corr_str_t *out)
{
    int64_t        now;
    corr_moment_t  m;

    if (call == NULL || state->conf->provider_code.len != 4) {
        return CORR_INVALID;
    }

    if (call->request_id[0] == '\0') {

        now = corr_gateway_now();

        if (corr_moment(now, CORR_TEHRAN_OFFSET, &m) != CORR_OK) {
            return CORR_INVALID;
        }

        /* the last six are of microseconds; random ones differ as well */

        ngx_sprintf(call->request_id, "%*s%04d%02d%02d%02d%02d%02d",
                    (size_t) 4, state->conf->provider_code.data,
                    m.gregorian.year, m.gregorian.month, m.gregorian.day,
                    m.hour, m.minute, m.second);
        corr_secrets_digits(call->request_id + 18, 6);
    }

    *out = corr_make_str(call->request_id, sizeof(call->request_id));
    call->sent_id = *out;

    return CORR_OK;
}


static int
corr_var_uuid(corr_gateway_call_t *call, corr_gateway_state_t *state,
    const corr_gateway_part_t *part, ngx_pool_t *pool, corr_str_t *out)
{
    u_char  raw[16], hex[32], *p;

    if (call == NULL) {
        return CORR_INVALID;
    }

    if (call->uuid[0] == '\0') {

        /* RFC 9562, version 4 */

        corr_secrets_random(raw, sizeof(raw));
        raw[6] = (raw[6] & 0x0f) | 0x40;
        raw[8] = (raw[8] & 0x3f) | 0x80;
        corr_secrets_hex(raw, sizeof(raw), hex);

        p = ngx_cpymem(call->uuid, hex, 8);
        *p++ = '-';
        p = ngx_cpymem(p, hex + 8, 4);
        *p++ = '-';
        p = ngx_cpymem(p, hex + 12, 4);
        *p++ = '-';
        p = ngx_cpymem(p, hex + 16, 4);
        *p++ = '-';
        ngx_memcpy(p, hex + 20, 12);
    }

    *out = corr_make_str(call->uuid, sizeof(call->uuid));

    if (call->sent_id.len == 0) {
        call->sent_id = *out;
    }

    return CORR_OK;
}


static int
corr_var_unix_time(corr_gateway_call_t *call, corr_gateway_state_t *state,
    const corr_gateway_part_t *part, ngx_pool_t *pool, corr_str_t *out)
{
    out->data = ngx_pnalloc(pool, NGX_TIME_T_LEN);
    if (out->data == NULL) {
        return CORR_ERROR;
    }

    out->len = ngx_sprintf(out->data, "%T", ngx_time()) - out->data;

    return CORR_OK;
}


static int
corr_var_iso_time(corr_gateway_call_t *call, corr_gateway_state_t *state,
    const corr_gateway_part_t *part, ngx_pool_t *pool, corr_str_t *out)
{
    ngx_tm_t  tm;

    out->data = ngx_pnalloc(pool, 32);
    if (out->data == NULL) {
        return CORR_ERROR;
    }

    ngx_gmtime(ngx_time(), &tm);

    out->len = ngx_sprintf(out->data, "%4d-%02d-%02dT%02d:%02d:%02dZ",
                           tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                           tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec)
               - out->data;

    return CORR_OK;
}


static int64_t
corr_gateway_now(void)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return tp->sec * CORR_USEC + tp->msec * 1000;
}


/* What the caller gave, as text. */

ngx_int_t
corr_gateway_values_copy(corr_gateway_call_t *call, const corr_view_t *values)
{
    unsigned      position;
    corr_str_t    name, text;
    corr_date_t   date;
    corr_value_t  value;
    ngx_pool_t   *pool = call->op.op.pool;

    call->alloc.alloc = corr_gateway_palloc;
    call->alloc.pool = pool;

    call->values = corr_view_create(&call->alloc);
    if (call->values == NULL) {
        return NGX_ERROR;
    }

    position = 0;

    while (corr_view_next(values, &position, &name, &value)) {

        name = corr_str_dup(&call->alloc, name);

        switch (value.kind) {

        case CORR_TEXT:
            text = corr_str_dup(&call->alloc, value.s);
            break;

        case CORR_INT:
            text.data = ngx_pnalloc(pool, NGX_INT64_LEN);
            text.len = text.data == NULL ? 0
                       : (size_t) (ngx_sprintf(text.data, "%L", value.n)
                                   - text.data);
            break;

        case CORR_DATE:
            text.data = ngx_pnalloc(pool, 16);
            text.len = text.data == NULL
                       || corr_jalali_from_days(value.n, &date) != CORR_OK
                       ? 0
                       : (size_t) (ngx_sprintf(text.data, "%04d/%02d/%02d",
                                               date.year, date.month,
                                               date.day)
                                   - text.data);
            break;

        default:
            continue;
        }

        if (name.data == NULL || text.data == NULL) {
            return NGX_ERROR;
        }

        corr_view_text(call->values, (char *) name.data, text);
    }

    call->only = corr_gateway_value(call->values, "provider");

    return corr_view_failed(call->values) ? NGX_ERROR : NGX_OK;
}


corr_str_t
corr_gateway_value(const corr_view_t *values, const char *name)
{
    corr_str_t    key, none = corr_null_str;
    corr_value_t  value;

    key = corr_cstr(name);

    if (values == NULL
        || !corr_view_get(values, key, corr_name_hash(key), &value)
        || value.kind != CORR_TEXT)
    {
        return none;
    }

    return value.s;
}


ngx_uint_t
corr_gateway_wants_names(corr_gateways_t *gateways, corr_gateway_kind_e kind)
{
    ngx_uint_t             i, j;
    corr_gateway_part_t   *part;
    const corr_gateway_t  *g;

    for (i = 0; i < gateways->n; i++) {

        g = gateways->states[i].conf;
        part = g->vars.elts;

        for (j = 0; g->kind == kind && j < g->vars.nelts; j++) {

            if (part[j].var->get == corr_var_full_name
                || (part[j].var->source != NULL
                    && ngx_strstr(part[j].var->source, "_name") != NULL))
            {
                return 1;
            }
        }
    }

    return 0;
}


ngx_uint_t
corr_gateway_text_ready(corr_gateway_call_t *call,
    const corr_gateway_t *gateway)
{
    corr_str_t             value;
    ngx_uint_t             i;
    corr_gateway_part_t   *part;
    corr_gateway_state_t   state;

    ngx_memzero(&state, sizeof(state));
    state.conf = gateway;

    part = gateway->vars.elts;

    for (i = 0; i < gateway->vars.nelts; i++) {

        /* tokens come later */

        if (part[i].var->get == corr_var_token
            || part[i].var->get == corr_var_refresh)
        {
            continue;
        }

        if (part[i].var->get(call, &state, &part[i], call->op.op.pool,
                             &value)
            != CORR_OK)
        {
            return 0;
        }
    }

    return 1;
}


void
corr_gateway_text_begin(corr_gateway_call_t *call)
{
    call->request_id[0] = '\0';
    call->uuid[0] = '\0';
    call->sent_id.len = 0;
}


/* Filling. */

int
corr_gateway_text_fill(corr_gateway_call_t *call,
    corr_gateway_state_t *state, const corr_gateway_text_t *text,
    ngx_pool_t *pool, corr_str_t *out)
{
    int          rc;
    u_char      *p;
    size_t       size;
    corr_str_t  *pieces;
    ngx_uint_t   i;

    pieces = ngx_palloc(pool, (text->n + 1) * sizeof(corr_str_t));
    if (pieces == NULL) {
        return CORR_ERROR;
    }

    size = 0;

    for (i = 0; i < text->n; i++) {

        rc = corr_gateway_part_fill(call, state, &text->parts[i], pool,
                                    &pieces[i]);
        if (rc != CORR_OK) {
            return rc;
        }

        size += pieces[i].len;
    }

    out->len = size;
    out->data = ngx_pnalloc(pool, size + 1);

    if (out->data == NULL) {
        return CORR_ERROR;
    }

    p = out->data;

    for (i = 0; i < text->n; i++) {
        p = ngx_cpymem(p, pieces[i].data, pieces[i].len);
    }

    return CORR_OK;
}


static int
corr_gateway_part_fill(corr_gateway_call_t *call,
    corr_gateway_state_t *state, const corr_gateway_part_t *part,
    ngx_pool_t *pool, corr_str_t *out)
{
    int         rc;
    corr_str_t  value;

    if (part->var == NULL) {
        *out = part->text;
        return CORR_OK;
    }

    rc = part->var->get(call, state, part, pool, &value);
    if (rc != CORR_OK) {
        return rc;
    }

    if (part->jwe) {
        rc = corr_gateway_encrypt(state, pool, value, &value);
        if (rc != CORR_OK) {
            return rc;
        }
    }

    return corr_gateway_escape(part->place, pool, value, out);
}


/* {"data":"…","iat":seconds of UTC}, encrypted. */

static int
corr_gateway_encrypt(corr_gateway_state_t *state, ngx_pool_t *pool,
    corr_str_t plain, corr_str_t *out)
{
    int            rc;
    u_char        *p;
    corr_str_t     payload, escaped;
    corr_alloc_t   alloc;

    alloc.alloc = corr_gateway_palloc;
    alloc.pool = pool;

    escaped = corr_escape(&alloc, CORR_ESCAPE_JSON, plain);
    if (escaped.data == NULL) {
        return CORR_ERROR;
    }

    payload.data = ngx_pnalloc(pool, escaped.len + 64);
    if (payload.data == NULL) {
        return CORR_ERROR;
    }

    p = ngx_sprintf(payload.data, "{\"data\":\"%*s\",\"iat\":%T}",
                    escaped.len, escaped.data, ngx_time());
    payload.len = p - payload.data;

    rc = corr_jwe_encrypt(state->conf->jwe, pool, payload, out);

    corr_secrets_wipe(payload.data, payload.len);

    return rc;
}


static int
corr_gateway_escape(corr_place_e place, ngx_pool_t *pool, corr_str_t value,
    corr_str_t *out)
{
    corr_alloc_t  alloc;

    alloc.alloc = corr_gateway_palloc;
    alloc.pool = pool;

    switch (place) {

    case CORR_PLACE_URL:
        *out = corr_escape(&alloc, CORR_ESCAPE_URL, value);
        return out->data == NULL ? CORR_ERROR : CORR_OK;

    case CORR_PLACE_JSON_STRING:
        *out = corr_escape(&alloc, CORR_ESCAPE_JSON, value);
        return out->data == NULL ? CORR_ERROR : CORR_OK;

    case CORR_PLACE_JSON_NUMBER:
        return corr_gateway_number(value, out);

    case CORR_PLACE_HEADER:
        *out = value;
        return corr_header_value_valid(value) ? CORR_OK : CORR_INVALID;

    default:
        *out = value;
        return CORR_OK;
    }
}


/* Digits as JSON wants them: without zeros in front. */

static int
corr_gateway_number(corr_str_t value, corr_str_t *out)
{
    size_t  i;

    for (i = 0; i < value.len; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') {
            return CORR_INVALID;
        }
    }

    while (value.len > 1 && value.data[0] == '0') {
        value.data++;
        value.len--;
    }

    *out = value;

    return value.len ? CORR_OK : CORR_INVALID;
}


int
corr_gateway_request_fill(corr_gateway_call_t *call,
    corr_gateway_state_t *state, const corr_gateway_request_t *request,
    const corr_gateway_text_t *body, ngx_pool_t *pool,
    corr_http_request_t *http)
{
    int                     rc;
    corr_str_t              url, query, line;
    ngx_uint_t              i;
    corr_gateway_header_t  *header;

    ngx_memzero(http, sizeof(corr_http_request_t));

    http->method = request->method;
    http->profile = &state->conf->profile;
    http->headers = ngx_array_create(pool, 6, sizeof(corr_str_t));

    if (http->headers == NULL) {
        return CORR_ERROR;
    }

    rc = corr_gateway_text_fill(call, state, &request->url, pool, &url);

    if (rc == CORR_OK && request->query.n) {
        rc = corr_gateway_text_fill(call, state, &request->query, pool,
                                    &query);
        if (rc == CORR_OK) {
            rc = corr_gateway_url_join(pool, url, query, &url);
        }
    }

    http->url = url;

    if (rc == CORR_OK && body->n) {
        rc = corr_gateway_text_fill(call, state, body, pool, &http->body);

        if (rc == CORR_OK && request->type.len && !request->own_type) {
            rc = corr_gateway_header_add(http->headers, pool,
                                         CORR_STR("Content-Type"),
                                         request->type);
        }
    }

    header = request->headers->elts;

    for (i = 0; rc == CORR_OK && i < request->headers->nelts; i++) {

        rc = corr_gateway_header_line(call, state, &header[i], pool, &line);

        if (rc == CORR_OK) {
            rc = corr_gateway_header_add(http->headers, pool, header[i].name,
                                         line);
        }
    }

    return rc;
}


static int
corr_gateway_header_line(corr_gateway_call_t *call,
    corr_gateway_state_t *state, const corr_gateway_header_t *header,
    ngx_pool_t *pool, corr_str_t *line)
{
    int        rc;
    ngx_str_t  from, to;

    rc = corr_gateway_text_fill(call, state, &header->value, pool, line);

    if (rc != CORR_OK || !header->basic) {
        return rc;
    }

    from.len = line->len;
    from.data = line->data;

    to.data = ngx_pnalloc(pool, 6 + ngx_base64_encoded_length(from.len));
    if (to.data == NULL) {
        return CORR_ERROR;
    }

    line->data = to.data;
    to.data = ngx_cpymem(to.data, "Basic ", 6);
    ngx_encode_base64(&to, &from);
    line->len = to.len + 6;

    return CORR_OK;
}


static int
corr_gateway_header_add(ngx_array_t *headers, ngx_pool_t *pool,
    corr_str_t name, corr_str_t value)
{
    u_char      *p;
    corr_str_t  *line;

    line = ngx_array_push(headers);
    if (line == NULL) {
        return CORR_ERROR;
    }

    line->data = ngx_pnalloc(pool, name.len + 2 + value.len);
    if (line->data == NULL) {
        return CORR_ERROR;
    }

    p = ngx_cpymem(line->data, name.data, name.len);
    *p++ = ':';
    *p++ = ' ';
    p = ngx_cpymem(p, value.data, value.len);
    line->len = p - line->data;

    return CORR_OK;
}


static int
corr_gateway_url_join(ngx_pool_t *pool, corr_str_t url, corr_str_t query,
    corr_str_t *out)
{
    u_char  *p;

    out->data = ngx_pnalloc(pool, url.len + 1 + query.len);
    if (out->data == NULL) {
        return CORR_ERROR;
    }

    p = ngx_cpymem(out->data, url.data, url.len);
    *p++ = ngx_strlchr(url.data, url.data + url.len, '?') ? '&' : '?';
    p = ngx_cpymem(p, query.data, query.len);
    out->len = p - out->data;

    return CORR_OK;
}


static void *
corr_gateway_palloc(void *pool, size_t size)
{
    return ngx_palloc(pool, size);
}
