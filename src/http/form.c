/*
 * Fields by a table: one function per kind of value, all in lib.
 */

#include "form.h"

#include "../lib/digits.h"
#include "../lib/ids.h"
#include "../lib/text.h"
#include "../services/secrets.h"
#include "../services/texts.h"


/* A submission key: random hex, and a mark of whose form it is. */

#define CORR_KEY_RANDOM   24
#define CORR_KEY_MARK     16


static ngx_int_t corr_form_check_field(corr_page_t *p,
    const corr_rule_t *rule);
static int corr_form_clean(corr_page_t *p, const corr_rule_t *rule,
    corr_str_t raw, corr_str_t *value);
static int corr_form_text(corr_page_t *p, corr_str_t raw, unsigned flags,
    corr_str_t *value);
static int corr_form_length(const corr_rule_t *rule, corr_str_t value);
static int corr_form_number(corr_page_t *p, const corr_rule_t *rule,
    corr_str_t raw, corr_str_t *value);
static int corr_form_key_valid(corr_str_t s);
static void corr_form_key_mark(corr_page_t *p, size_t file,
    const u_char *key, u_char *mark);
static ngx_uint_t corr_form_said(corr_page_t *p, const char *field,
    corr_str_t text);
static ngx_uint_t corr_form_rank(corr_value_t error);
static void corr_form_show(corr_page_t *p, corr_view_t *at,
    corr_str_t value);
static ngx_uint_t corr_form_reason(corr_page_t *p, const corr_rule_t *rule,
    int rc);
static void corr_form_values(corr_page_t *p, const corr_rule_t *rule,
    corr_view_t **values);


static const corr_check_pt  corr_form_checks[] = {
    NULL,                          /* LINE */
    NULL,                          /* TEXT */
    NULL,                          /* RAW */
    NULL,                          /* DIGITS */
    NULL,                          /* NUMBER */
    corr_check_national_code,
    corr_check_legal_id,
    corr_check_mobile,
    corr_check_postal_code,
    corr_check_phone,
    corr_check_email,
    NULL,                          /* KEY */
    NULL,                          /* CHOICE */
    NULL                           /* FLAG */
};


corr_str_t
corr_form_raw(corr_page_t *p, const char *name)
{
    return corr_fields_get(&p->fields, name);
}


corr_str_t
corr_form_nth(corr_page_t *p, const char *name, ngx_uint_t n)
{
    return corr_fields_nth(&p->fields, name, n);
}


corr_str_t
corr_query(corr_page_t *p, const char *name)
{
    return corr_fields_get(&p->args, name);
}


int64_t
corr_query_int(corr_page_t *p, const char *name, int64_t otherwise)
{
    uint64_t  n;

    if (corr_digits_number(corr_query(p, name), NGX_MAX_INT32_VALUE, &n)
        != CORR_OK)
    {
        return otherwise;
    }

    return (int64_t) n;
}


ngx_int_t
corr_form_check(corr_page_t *p, const corr_rule_t *rules)
{
    for ( /* void */ ; rules->name; rules++) {
        if (corr_form_check_field(p, rules) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
corr_form_check_field(corr_page_t *p, const corr_rule_t *rule)
{
    int           rc;
    corr_str_t    raw, value;
    corr_view_t  *values;

    value = (corr_str_t) corr_null_str;
    values = NULL;

    raw = corr_form_raw(p, rule->name);

    rc = corr_form_clean(p, rule, raw, &value);

    if (rc == CORR_ERROR) {
        return NGX_ERROR;
    }

    if (rc == CORR_OK && value.len == 0 && rule->kind != CORR_RULE_FLAG) {

        if (rule->required) {
            corr_form_error(p, rule->name, rule->missing, NULL);
        }

        return NGX_OK;
    }

    if (rc == CORR_OK) {
        rc = corr_form_length(rule, value);
    }

    if (rc != CORR_OK) {
        corr_form_values(p, rule, &values);
        corr_form_error(p, rule->name, corr_form_reason(p, rule, rc),
                        values);
        return NGX_OK;
    }

    corr_view_text(p->checked, rule->name, value);

    if (rule->kind == CORR_RULE_TEXT && value.len > p->written.len) {
        p->written = value;
    }

    return NGX_OK;
}


/* An empty value is CORR_OK with len 0, whatever the kind. */

static int
corr_form_clean(corr_page_t *p, const corr_rule_t *rule, corr_str_t raw,
    corr_str_t *value)
{
    int         rc;
    corr_str_t  bare;

    switch (rule->kind) {

    case CORR_RULE_RAW:
        *value = raw;
        return CORR_OK;

    case CORR_RULE_TEXT:
        return corr_form_text(p, raw, CORR_TEXT_LINES, value);

    case CORR_RULE_FLAG:
        *value = raw.len ? CORR_STR("1") : CORR_STR("");
        return CORR_OK;

    case CORR_RULE_DIGITS:
        *value = corr_digits_clean(&p->alloc, raw);
        return value->data == NULL ? CORR_ERROR : CORR_OK;

    default:
        break;
    }

    rc = corr_form_text(p, raw, 0, &bare);

    if (rc != CORR_OK || bare.len == 0) {
        value->len = 0;
        return rc;
    }

    if (corr_form_checks[rule->kind]) {
        return corr_form_checks[rule->kind](&p->alloc, bare, value);
    }

    *value = bare;

    switch (rule->kind) {

    case CORR_RULE_NUMBER:
        return corr_form_number(p, rule, bare, value);

    case CORR_RULE_KEY:
        return corr_form_key_valid(bare) ? CORR_OK : CORR_INVALID;

    case CORR_RULE_CHOICE:
        return corr_form_choice_is(rule->choices, bare) ? CORR_OK
                                                     : CORR_INVALID;

    default:
        return CORR_OK;
    }
}


/* A text of nothing but direction marks is as good as none. */

static int
corr_form_text(corr_page_t *p, corr_str_t raw, unsigned flags,
    corr_str_t *value)
{
    int         rc;
    corr_str_t  seen;

    rc = corr_text_clean(&p->alloc, raw, flags, value);

    if (rc != CORR_OK || !(flags & CORR_TEXT_LINES)) {
        return rc;
    }

    rc = corr_text_clean(&p->alloc, *value, 0, &seen);

    if (rc == CORR_OK && seen.len == 0) {
        value->len = 0;
    }

    return rc;
}


static int
corr_form_length(const corr_rule_t *rule, corr_str_t value)
{
    size_t  i, n;

    switch (rule->kind) {

    case CORR_RULE_DIGITS:
        for (i = 0; i < value.len; i++) {
            if (value.data[i] < '0' || value.data[i] > '9') {
                return CORR_INVALID;
            }
        }

        n = value.len;
        break;

    case CORR_RULE_LINE:
    case CORR_RULE_TEXT:
    case CORR_RULE_RAW:
        n = corr_utf8_length(value);
        break;

    default:
        return CORR_OK;
    }

    if ((rule->min && n < (size_t) rule->min)
        || (rule->max && n > (size_t) rule->max))
    {
        return CORR_LIMIT;
    }

    return CORR_OK;
}


static int
corr_form_number(corr_page_t *p, const corr_rule_t *rule, corr_str_t raw,
    corr_str_t *value)
{
    u_char    *text, *last;
    uint64_t   n;

    if (corr_digits_number(raw, (uint64_t) rule->max, &n) != CORR_OK
        || n < (uint64_t) rule->min)
    {
        return CORR_INVALID;
    }

    text = ngx_pnalloc(p->pool, NGX_INT64_LEN);
    if (text == NULL) {
        return CORR_ERROR;
    }

    last = ngx_sprintf(text, "%uL", n);
    *value = corr_make_str(text, last - text);

    return CORR_OK;
}


static int
corr_form_key_valid(corr_str_t s)
{
    u_char  ch;
    size_t  i;

    if (s.len < 16 || s.len > 64) {
        return 0;
    }

    for (i = 0; i < s.len; i++) {
        ch = s.data[i];

        if (!((ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z')
              || (ch >= 'A' && ch <= 'Z') || ch == '_' || ch == '-'))
        {
            return 0;
        }
    }

    return 1;
}


int
corr_form_choice_is(const char *choices, corr_str_t s)
{
    size_t       len;
    const char  *p;

    for (p = choices; *p; p += len) {

        while (*p == ' ') {
            p++;
        }

        len = ngx_strlen(p);

        if (ngx_strchr(p, ' ')) {
            len = ngx_strchr(p, ' ') - p;
        }

        if (len == s.len && ngx_strncmp(p, s.data, len) == 0) {
            return 1;
        }
    }

    return 0;
}


/* NAME_checksum and NAME_too_long say more than the table's message. */

static ngx_uint_t
corr_form_reason(corr_page_t *p, const corr_rule_t *rule, int rc)
{
    u_char      name[96];
    u_char     *last;
    ngx_int_t   message;

    if (rc != CORR_CHECKSUM && rc != CORR_LIMIT) {
        return rule->wrong;
    }

    last = ngx_snprintf(name, sizeof(name), "%s_%s", rule->name,
                        rc == CORR_CHECKSUM ? "checksum" : "too_long");

    message = corr_texts_message_find(p->settings->texts,
                                      corr_make_str(name, last - name));

    return message < 0 ? rule->wrong : message;
}


/* What a message about a limit may say: {{min}} and {{max}}. */

static void
corr_form_values(corr_page_t *p, const corr_rule_t *rule,
    corr_view_t **values)
{
    *values = corr_view_create(&p->alloc);

    if (*values) {
        corr_view_int(*values, "min", rule->min);
        corr_view_int(*values, "max", rule->max);
    }
}


corr_str_t
corr_form_value(corr_page_t *p, const char *name)
{
    corr_str_t    key, none = corr_null_str;
    corr_value_t  value;

    key = corr_cstr(name);

    if (!corr_view_get(p->checked, key, corr_name_hash(key), &value)) {
        return none;
    }

    return value.s;
}


int64_t
corr_form_int(corr_page_t *p, const char *name)
{
    uint64_t  n;

    if (corr_digits_number(corr_form_value(p, name), INT64_MAX, &n)
        != CORR_OK)
    {
        return 0;
    }

    return (int64_t) n;
}


/* Several files may have the same fault: one sentence is enough. */

static ngx_uint_t
corr_form_said(corr_page_t *p, const char *field, corr_str_t text)
{
    unsigned       i;
    corr_str_t     key;
    corr_value_t   errors, error, at, said;

    key = CORR_STR("errors");

    if (!corr_view_get(p->view, key, corr_name_hash(key), &errors)) {
        return 0;
    }

    for (i = 0; i < corr_list_length(errors.list); i++) {

        error = corr_list_at(errors.list, i);

        key = CORR_STR("field");

        if (!corr_view_get(error.object, key, corr_name_hash(key), &at)
            || !corr_str_is(at.s, field))
        {
            continue;
        }

        key = CORR_STR("text");

        if (corr_view_get(error.object, key, corr_name_hash(key), &said)
            && corr_str_eq(said.s, text))
        {
            return 1;
        }
    }

    return 0;
}


void
corr_form_error(corr_page_t *p, const char *field, ngx_uint_t message,
    corr_view_t *values)
{
    corr_str_t    text;
    corr_view_t  *error, *at;

    p->failed_form = 1;

    text = corr_texts_message(p->settings->texts, message, values, p->pool);

    if (corr_form_said(p, field, text)) {
        return;
    }

    error = corr_view_append(p->view, "errors");
    corr_view_cstr(error, "field", field);
    corr_view_text(error, "text", text);
    corr_view_flag(p->view, "has_errors", 1);

    if (*field == '\0') {
        return;
    }

    at = corr_view_object(corr_view_object(p->view, "form"), field);
    corr_view_cstr(at, "name", field);
    corr_view_text(at, "error", text);
}


void
corr_form_errors_sort(corr_page_t *p)
{
    unsigned       i;
    corr_str_t     key;
    ngx_uint_t     rank;
    corr_list_t   *sorted;
    corr_value_t   errors;

    key = CORR_STR("errors");

    if (!corr_view_get(p->view, key, corr_name_hash(key), &errors)) {
        return;
    }

    sorted = corr_list_create(&p->alloc);
    if (sorted == NULL) {
        return;
    }

    for (rank = 0; rank < 3; rank++) {
        for (i = 0; i < corr_list_length(errors.list); i++) {
            if (corr_form_rank(corr_list_at(errors.list, i)) == rank
                && corr_list_push(sorted, corr_list_at(errors.list, i))
                   != CORR_OK)
            {
                return;
            }
        }
    }

    errors.list = sorted;
    corr_view_set(p->view, key, errors);
}


static ngx_uint_t
corr_form_rank(corr_value_t error)
{
    corr_str_t    key;
    corr_value_t  field;

    key = CORR_STR("field");

    if (!corr_view_get(error.object, key, corr_name_hash(key), &field)) {
        return 0;
    }

    return corr_str_is(field.s, "captcha") ? 2 : corr_str_is(field.s, "file");
}


void
corr_form_view(corr_page_t *p, const corr_rule_t *rules)
{
    corr_str_t    value;
    corr_view_t  *at, *form;

    form = corr_view_object(p->view, "form");

    for ( /* void */ ; rules->name; rules++) {

        at = corr_view_object(form, rules->name);
        corr_view_cstr(at, "name", rules->name);

        if (rules->kind == CORR_RULE_RAW) {
            continue;
        }

        value = corr_form_raw(p, rules->name);

        if (value.data && corr_utf8_valid(value)) {
            corr_form_show(p, at, value);
        }
    }
}


void
corr_form_fill(corr_page_t *p, const char *name, corr_str_t value)
{
    corr_view_t  *at;

    at = corr_view_object(corr_view_object(p->view, "form"), name);
    corr_view_cstr(at, "name", name);

    corr_form_show(p, at, value);
}


/*
 * The value, and for choices the flag is_VALUE: a template cannot compare.
 * Values of choices are short words or numbers without leading zeros.
 */

static void
corr_form_show(corr_page_t *p, corr_view_t *at, corr_str_t value)
{
    u_char      *flag;
    size_t       i;
    uint64_t     n;
    corr_str_t   word;

    corr_view_text(at, "value", value);

    if (value.len == 0 || value.len > 24) {
        return;
    }

    word = corr_digits_clean(&p->alloc, value);

    flag = ngx_pnalloc(p->pool, word.len + 4);
    if (flag == NULL || word.data == NULL) {
        return;
    }

    if (corr_digits_number(word, NGX_MAX_INT32_VALUE, &n) == CORR_OK) {
        ngx_sprintf(flag, "is_%uL%Z", n);

    } else {
        ngx_sprintf(flag, "is_%*s%Z", word.len, word.data);
    }

    for (i = 3; flag[i]; i++) {
        if (!((flag[i] >= 'a' && flag[i] <= 'z')
              || (flag[i] >= '0' && flag[i] <= '9') || flag[i] == '_'))
        {
            return;
        }
    }

    corr_view_flag(at, (char *) flag, 1);
}


void
corr_form_key(corr_page_t *p)
{
    u_char      *key, random[CORR_KEY_RANDOM / 2];
    size_t       i;
    corr_str_t   sent;

    sent = corr_form_raw(p, "submission_key");

    for (i = 0; i < sent.len && sent.data[i] != '_'; i++) { /* void */ }

    sent.len = i;

    if (p->fields.nfields && corr_form_key_valid(sent)) {
        corr_view_text(p->view, "submission_key", sent);
        return;
    }

    key = ngx_pnalloc(p->pool, CORR_KEY_RANDOM + CORR_KEY_MARK);
    if (key == NULL) {
        return;
    }

    /* hex: no character that the pages use as a separator */

    corr_secrets_draw(&p->worker->drawn, random, sizeof(random));
    corr_secrets_hex(random, sizeof(random), key);
    corr_form_key_mark(p, 0, key, key + CORR_KEY_RANDOM);

    corr_view_text(p->view, "submission_key",
                   corr_make_str(key, CORR_KEY_RANDOM + CORR_KEY_MARK));
}


ngx_uint_t
corr_form_key_ours(corr_page_t *p, corr_str_t key)
{
    u_char      mark[CORR_KEY_MARK];
    size_t      i;
    corr_str_t  given;
    ngx_uint_t  ours;

    if (key.len != CORR_KEY_RANDOM + CORR_KEY_MARK) {
        return 0;
    }

    ours = 0;
    given = corr_make_str(key.data + CORR_KEY_RANDOM, CORR_KEY_MARK);

    for (i = 0; i < corr_secrets_count(p->settings->secrets); i++) {
        corr_form_key_mark(p, i, key.data, mark);
        ours |= corr_secrets_equal(given, corr_make_str(mark, sizeof(mark)));
    }

    return ours;
}


/* For whom the key was made, so that a form is known again by it. */

static void
corr_form_key_mark(corr_page_t *p, size_t file, const u_char *key,
    u_char *mark)
{
    u_char      mac[CORR_SECRETS_MAC], who[NGX_INT64_LEN + 2];
    corr_str_t  parts[3];

    parts[0] = CORR_STR("submission_key");
    parts[1].data = who;
    parts[1].len = ngx_sprintf(who, "%ui %L", (ngx_uint_t) p->session.who,
                               p->session.id)
                   - who;
    parts[2] = corr_make_str(key, CORR_KEY_RANDOM);

    corr_secrets_mac_of(p->settings->secrets, file, CORR_KEY_FLOW, parts, 3,
                        mac);
    corr_secrets_hex(mac, CORR_KEY_MARK / 2, mark);
}
