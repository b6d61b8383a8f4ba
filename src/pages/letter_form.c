/*
 * What is checked about a letter, and how its form is shown: fresh, from a
 * draft, or again with its errors.
 */

#include "letter_form.h"
#include "letter_left.h"
#include "uploads.h"

#include "../http/captcha.h"
#include "../http/throttle.h"
#include "../lib/digits.h"
#include "../lib/escape.h"
#include "../lib/ids.h"
#include "../services/gateway.h"


#define CORR_ADDRESS_MAX    500
#define CORR_LETTER_FIELDS  10


static ngx_int_t corr_letter_begin(corr_page_t *p);
static ngx_int_t corr_letter_look(corr_page_t *p);
static ngx_int_t corr_letter_received(corr_page_t *p);
static ngx_uint_t corr_letter_typed(corr_page_t *p);
static void corr_letter_kept(corr_page_t *p, corr_rows_t *files);
static ngx_int_t corr_letter_drafted(corr_page_t *p, corr_rows_t *rows);
static ngx_int_t corr_letter_checked(corr_page_t *p);
static void corr_letter_files(corr_page_t *p);
static ngx_int_t corr_letter_company_ask(corr_page_t *p);
static ngx_int_t corr_letter_company_answered(corr_page_t *p);
static ngx_int_t corr_letter_company_named(corr_page_t *p);
static void corr_letter_company_compare(corr_page_t *p,
    corr_gateway_op_t *call);
static corr_rule_t *corr_letter_limits(corr_page_t *p,
    const corr_rule_t *rules, size_t size);
static ngx_int_t corr_letter_keep(corr_page_t *p);
static ngx_int_t corr_letter_keep_refused(corr_page_t *p,
    const char *sqlstate, corr_str_t message, corr_str_t detail);
static ngx_int_t corr_letter_was_kept(corr_page_t *p);
static ngx_int_t corr_letter_find(corr_page_t *p);
static ngx_int_t corr_letter_found(corr_page_t *p);
static ngx_int_t corr_letter_show(corr_page_t *p);
static void corr_letter_fill(corr_page_t *p, corr_rows_t *rows,
    ngx_uint_t row);
static corr_str_t corr_letter_uuid(corr_page_t *p, corr_str_t text);


/* Checked in the order of the page: the kind, the company, the letter. */

static const corr_rule_t  corr_kind_rules[] = {
    { "person_kind", CORR_RULE_CHOICE, CORR_REQUIRED, 0, 0,
      CORR_MSG_PERSON_KIND_REQUIRED, CORR_MSG_PERSON_KIND_WRONG,
      "natural legal" },
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};


static const corr_rule_t  corr_letter_rules[] = {
    { "address", CORR_RULE_TEXT, CORR_REQUIRED, 0, CORR_ADDRESS_MAX,
      CORR_MSG_ADDRESS_REQUIRED, CORR_MSG_ADDRESS_WRONG, NULL },
    { "subject", CORR_RULE_LINE, CORR_REQUIRED, 0, 0,
      CORR_MSG_SUBJECT_REQUIRED, CORR_MSG_SUBJECT_WRONG, NULL },
    { "body", CORR_RULE_TEXT, CORR_OPTIONAL, 0, 0,
      CORR_MSG_BODY_REQUIRED, CORR_MSG_BODY_WRONG, NULL },
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};


/* The name is missing only when no gateway told it: see below. */

static const corr_rule_t  corr_company_rules[] = {
    { "company_name", CORR_RULE_LINE, CORR_OPTIONAL, 0, 200,
      CORR_MSG_COMPANY_NAME_REQUIRED, CORR_MSG_COMPANY_NAME_WRONG, NULL },
    { "company_national_id", CORR_RULE_LEGAL_ID, CORR_REQUIRED, 0, 0,
      CORR_MSG_COMPANY_NATIONAL_ID_REQUIRED,
      CORR_MSG_COMPANY_NATIONAL_ID_FORMAT, NULL },
    { "registration_number", CORR_RULE_DIGITS, CORR_REQUIRED, 1, 10,
      CORR_MSG_REGISTRATION_NUMBER_REQUIRED,
      CORR_MSG_REGISTRATION_NUMBER_WRONG, NULL },
    { "company_postal_code", CORR_RULE_POSTAL_CODE, CORR_REQUIRED, 0, 0,
      CORR_MSG_COMPANY_POSTAL_CODE_REQUIRED,
      CORR_MSG_COMPANY_POSTAL_CODE_WRONG, NULL },
    { "company_phone", CORR_RULE_PHONE, CORR_REQUIRED, 0, 0,
      CORR_MSG_COMPANY_PHONE_REQUIRED, CORR_MSG_COMPANY_PHONE_WRONG, NULL },
    { "position", CORR_RULE_LINE, CORR_REQUIRED, 0, 100,
      CORR_MSG_POSITION_REQUIRED, CORR_MSG_POSITION_WRONG, NULL },
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};


static const corr_rule_t  corr_key_rules[] = {
    { "submission_key", CORR_RULE_KEY, CORR_REQUIRED, 0, 0,
      CORR_MSG_SUBMISSION_KEY_INVALID, CORR_MSG_SUBMISSION_KEY_INVALID,
      NULL },
    { NULL, 0, 0, 0, 0, 0, 0, NULL }
};


static const char *const  corr_letter_fields[CORR_LETTER_FIELDS] = {
    "person_kind", "address", "subject", "body", "company_name",
    "company_national_id", "registration_number", "company_postal_code",
    "company_phone", "position"
};


const corr_step_pt  corr_letter_new_steps[] = {
    corr_letter_find,
    NULL
};


const corr_step_pt  corr_letter_again_steps[] = {
    corr_letter_keep,
    corr_letter_find,
    NULL
};


corr_letter_form_t *
corr_letter_form(corr_page_t *p)
{
    return corr_page_data(p, sizeof(corr_letter_form_t));
}


/*
 * The key first, before anything is asked of the person: who sends a form
 * again, because the answer was lost, gets the letter it made.
 */

ngx_int_t
corr_letter_receive(corr_page_t *p)
{
    ngx_int_t  rc;

    rc = corr_letter_begin(p);

    return rc == NGX_OK ? corr_letter_look(p) : rc;
}


/*
 * The same of a form that is to be a letter at once.  One that brings all
 * with it makes a single round trip: letter_submit() looks its key up itself,
 * and before it is refused for anything else corr_letter_keep() does.  Not one
 * that has a draft, or a company, which a gateway would be asked about, and
 * paid for, a second time.
 */

ngx_int_t
corr_letter_take(corr_page_t *p)
{
    ngx_int_t            rc;
    corr_letter_form_t  *form;

    rc = corr_letter_begin(p);
    if (rc != NGX_OK) {
        return rc;
    }

    if (corr_form_raw(p, "draft").len
        || !corr_str_is(corr_form_raw(p, "person_kind"), "natural"))
    {
        return corr_letter_look(p);
    }

    form = p->data;
    form->unlooked = 1;

    return NGX_OK;
}


static ngx_int_t
corr_letter_begin(corr_page_t *p)
{
    corr_letter_form_t  *form;

    form = corr_letter_form(p);
    if (form == NULL) {
        return NGX_ERROR;
    }

    if (p->session.who != CORR_A_PERSON) {
        return corr_letter_leave(p);
    }

    if (corr_form_check(p, corr_key_rules) != NGX_OK) {
        return NGX_ERROR;
    }

    form->key = corr_form_value(p, "submission_key");
    form->draft = corr_letter_uuid(p, corr_form_raw(p, "draft"));

    return NGX_OK;
}


static ngx_int_t
corr_letter_look(corr_page_t *p)
{
    corr_letter_form_t  *form = p->data;

    form->unlooked = 0;

    corr_db_begin(p, CORR_READ);

    corr_db_add(p, CORR_SQL_SUBMISSION_FIND, corr_pg_int(p->session.id),
                corr_pg_text(form->key));

    if (form->draft.len) {
        corr_db_add(p, CORR_SQL_DRAFTS_SHOW, corr_pg_int(p->session.id),
                    corr_pg_text(form->draft));
        corr_db_add(p, CORR_SQL_DRAFTS_FILES, corr_pg_int(p->session.id),
                    corr_pg_text(form->draft));
    }

    return corr_db_send(p, corr_letter_received);
}


static ngx_int_t
corr_letter_received(corr_page_t *p)
{
    corr_str_t           code;
    corr_rows_t         *rows;
    corr_letter_form_t  *form = p->data;

    rows = corr_db_rows(p, 0);

    if (rows->nrows) {
        code = corr_rows_text(rows, 0, "result");

        if (corr_str_is(corr_rows_text(rows, 0, "action"), "letter")) {
            return corr_reply_redirect(p, "/desk/letters?sent=%*s",
                                       code.len, code.data);
        }

        return corr_reply_error(p, NGX_HTTP_CONFLICT,
                                CORR_MSG_SUBMISSION_KEY_USED, 0, NULL);
    }

    /* it was refused, and made no letter before: corr_letter_keep() goes on */

    if (p->again) {
        return corr_letter_keep(p);
    }

    form->drafted = corr_form_raw(p, "draft").len && !corr_letter_typed(p);

    if (form->draft.len && corr_db_rows(p, 1)->nrows) {
        corr_letter_kept(p, corr_db_rows(p, 2));

        return form->drafted ? corr_letter_drafted(p, corr_db_rows(p, 1))
                             : NGX_OK;
    }

    /* whole forms need no draft; it may have ended since */

    form->draft.len = 0;

    if (form->drafted) {
        corr_form_error(p, "", CORR_MSG_DRAFT_GONE, NULL);
        return corr_flow_again(p, 422);
    }

    return NGX_OK;
}


static ngx_uint_t
corr_letter_typed(corr_page_t *p)
{
    ngx_uint_t  i;

    for (i = 0; i < CORR_LETTER_FIELDS; i++) {
        if (corr_form_raw(p, corr_letter_fields[i]).data) {
            return 1;
        }
    }

    return 0;
}


/* Which of the draft's files still have their tick.  All, without boxes. */

static void
corr_letter_kept(corr_page_t *p, corr_rows_t *files)
{
    u_char              *json, *last;
    corr_str_t           id, box;
    ngx_uint_t           i, n;
    corr_letter_form_t  *form = p->data;

    form->nkept = files->nrows;

    if (form->drafted) {
        return;
    }

    json = ngx_pnalloc(p->pool, sizeof("[]") + files->nrows * 48);
    if (json == NULL) {
        return;
    }

    last = json;
    *last++ = '[';
    form->nkept = 0;

    for (i = 0; i < files->nrows; i++) {

        id = corr_rows_text(files, i, "file_id");

        for (n = 0; /* void */ ; n++) {

            box = corr_form_nth(p, "kept_file", n);

            if (box.data == NULL) {
                break;
            }

            if (corr_str_eq(box, id)) {
                last = ngx_sprintf(last, "%s\"%*s\"", form->nkept ? "," : "",
                                   id.len, id.data);
                form->nkept++;
                break;
            }
        }
    }

    *last++ = ']';
    form->keep = corr_make_str(json, last - json);
}


/* "Send it": the draft's fields are checked as if they had been typed. */

static ngx_int_t
corr_letter_drafted(corr_page_t *p, corr_rows_t *rows)
{
    ngx_uint_t           i;
    corr_letter_form_t  *form = p->data;

    for (i = 0; i < CORR_LETTER_FIELDS; i++) {
        if (corr_fields_add(&p->fields, corr_cstr(corr_letter_fields[i]),
                            corr_rows_text(rows, 0, corr_letter_fields[i]))
            != CORR_OK)
        {
            return NGX_ERROR;
        }
    }

    form->answered = corr_rows_get(rows, 0, "checked").n != 0;
    form->company_checked = corr_rows_get(rows, 0, "company_checked").n != 0;

    return NGX_OK;
}


ngx_int_t
corr_letter_check(corr_page_t *p)
{
    corr_rule_t         *rules;
    corr_letter_form_t  *form = p->data;

    if (corr_captcha_new_wanted(p)) {
        p->again = 1;
        return corr_flow_steps(p, corr_letter_again_steps);
    }

    rules = corr_letter_limits(p, corr_letter_rules,
                               sizeof(corr_letter_rules));

    if (rules == NULL || corr_form_check(p, corr_kind_rules) != NGX_OK) {
        return NGX_ERROR;
    }

    form->legal = corr_str_is(corr_form_value(p, "person_kind"), "legal");

    if (form->legal) {
        if (corr_form_check(p, corr_company_rules) != NGX_OK) {
            return NGX_ERROR;
        }

        form->company = corr_form_value(p, "company_name");

        if (form->company.len == 0
            && corr_gateway_count(p->worker->gateways, CORR_GATEWAY_COMPANY)
               == 0)
        {
            corr_form_error(p, "company_name",
                            CORR_MSG_COMPANY_NAME_REQUIRED, NULL);
        }
    }

    if (corr_form_check(p, rules) != NGX_OK) {
        return NGX_ERROR;
    }

    corr_letter_files(p);

    if (corr_captcha_on(p) && !form->answered) {
        return corr_captcha_check(p, corr_letter_checked);
    }

    return corr_letter_checked(p);
}


static ngx_int_t
corr_letter_checked(corr_page_t *p)
{
    return p->failed_form ? corr_flow_again(p, 422) : NGX_OK;
}


static void
corr_letter_files(corr_page_t *p)
{
    corr_str_t           key;
    corr_value_t         value;
    corr_letter_form_t  *form = p->data;

    if (p->uploads.nelts + form->nkept > p->settings->upload_max_files) {
        p->uploads.nelts = 0;
        corr_uploads_too_many(p, p->settings->upload_max_files);
        return;
    }

    if (p->uploads.nelts + form->nkept) {
        return;
    }

    /* a file that was refused has its own error */

    key = CORR_STR("file");

    if (!corr_view_get(corr_view_object(p->view, "form"), key,
                       corr_name_hash(key), &value))
    {
        corr_form_error(p, "file", CORR_MSG_FILE_REQUIRED, NULL);
    }
}


/*
 * Is there such a company, and what is its name?  A gateway that does not
 * know refuses nobody: the clerk sees that it was not checked.  Nor does one
 * that was asked too much today, for each question is paid: it is as if it
 * were silent, and is asked behind the letter.
 */

ngx_int_t
corr_letter_company(corr_page_t *p)
{
    corr_letter_form_t  *form = p->data;

    if (!form->legal
        || form->company_checked
        || corr_gateway_count(p->worker->gateways, CORR_GATEWAY_COMPANY) == 0)
    {
        return corr_letter_company_named(p);
    }

    return corr_throttle_amount(p, "company", 1, 24 * 3600,
                                p->settings->company_asks_per_day,
                                corr_letter_company_ask);
}


static ngx_int_t
corr_letter_company_ask(corr_page_t *p)
{
    corr_view_t         *values;
    corr_letter_form_t  *form = p->data;

    if (corr_throttle_over(p)) {
        form->company_silent = 1;
        return corr_letter_company_named(p);
    }

    values = corr_view_create(&p->alloc);
    if (values == NULL) {
        return NGX_ERROR;
    }

    corr_view_text(values, "company_national_id",
                   corr_form_value(p, "company_national_id"));
    corr_view_text(values, "company_name", form->company);
    corr_view_text(values, "registration_number",
                   corr_form_value(p, "registration_number"));

    form->call = corr_gateway_call(p->worker->gateways, &p->owner,
                                            CORR_GATEWAY_COMPANY, values);
    if (form->call == NULL) {
        return NGX_ERROR;
    }

    return corr_flow_then(p, corr_letter_company_answered);
}


static ngx_int_t
corr_letter_company_answered(corr_page_t *p)
{
    corr_letter_form_t  *form = p->data;
    corr_gateway_op_t   *call = form->call;

    switch (call->verdict) {

    case CORR_VERDICT_YES:
        form->company_checked = 1;
        corr_letter_company_compare(p, call);
        break;

    case CORR_VERDICT_NO:
        corr_form_error(p, "company_national_id",
                        CORR_MSG_COMPANY_NATIONAL_ID_UNKNOWN, NULL);
        break;

    default:
        form->company_silent = 1;
        break;
    }

    return corr_letter_company_named(p);
}


static ngx_int_t
corr_letter_company_named(corr_page_t *p)
{
    corr_letter_form_t  *form = p->data;

    if (form->legal && !p->failed_form && form->company.len == 0) {
        corr_form_error(p, "company_name", CORR_MSG_COMPANY_NAME_REQUIRED,
                        NULL);
    }

    return corr_letter_checked(p);
}


/* Leading zeros say nothing in a registration number. */

static void
corr_letter_company_compare(corr_page_t *p, corr_gateway_op_t *call)
{
    uint64_t             ours, theirs;
    corr_str_t           name, number;
    corr_letter_form_t  *form = p->data;

    number = corr_digits_clean(&p->alloc,
                               corr_gateway_taken(call,
                                                  "registration_number"));

    if (corr_digits_number(number, INT64_MAX, &theirs) == CORR_OK
        && corr_digits_number(corr_form_value(p, "registration_number"),
                              INT64_MAX, &ours)
           == CORR_OK
        && ours != theirs)
    {
        corr_form_error(p, "registration_number",
                        CORR_MSG_REGISTRATION_NUMBER_MISMATCH, NULL);
    }

    name = corr_gateway_taken(call, "name");

    if (name.len) {
        form->company = name;
    }
}


/* The table with the limits of the directives in it. */

static corr_rule_t *
corr_letter_limits(corr_page_t *p, const corr_rule_t *rules, size_t size)
{
    corr_rule_t  *copy, *rule;

    copy = ngx_palloc(p->pool, size);
    if (copy == NULL) {
        return NULL;
    }

    ngx_memcpy(copy, rules, size);

    for (rule = copy; rule->name; rule++) {

        if (ngx_strcmp(rule->name, "subject") == 0) {
            rule->max = p->settings->subject_max;

        } else if (ngx_strcmp(rule->name, "body") == 0) {
            rule->max = p->settings->text_max;
        }
    }

    return copy;
}


corr_str_t
corr_letter_json(corr_page_t *p, ngx_uint_t checked)
{
    u_char              *json, *last;
    size_t               len;
    corr_str_t           value[CORR_LETTER_FIELDS], none = corr_null_str;
    ngx_uint_t           i;
    corr_letter_form_t  *form = p->data;

    len = sizeof("{\"checked\":true,\"company_checked\":true}");

    for (i = 0; i < CORR_LETTER_FIELDS; i++) {

        value[i] = checked ? corr_form_value(p, corr_letter_fields[i])
                           : corr_form_raw(p, corr_letter_fields[i]);

        if (checked && form->legal
            && ngx_strcmp(corr_letter_fields[i], "company_name") == 0)
        {
            value[i] = form->company;
        }

        len += sizeof(",\"\":\"\"") + ngx_strlen(corr_letter_fields[i])
               + corr_escape_len(CORR_ESCAPE_JSON, value[i]);
    }

    json = ngx_pnalloc(p->pool, len);
    if (json == NULL) {
        return none;
    }

    last = ngx_sprintf(json, "{\"checked\":%s%s",
                       checked ? "true" : "false",
                       checked && form->company_checked
                       ? ",\"company_checked\":true" : "");

    for (i = 0; i < CORR_LETTER_FIELDS; i++) {

        if (value[i].len == 0) {
            continue;
        }

        last = ngx_sprintf(last, ",\"%s\":\"", corr_letter_fields[i]);
        last = corr_escape_put(CORR_ESCAPE_JSON, last, value[i]);
        *last++ = '"';
    }

    *last++ = '}';

    return corr_make_str(json, last - json);
}


void
corr_letter_draft_save(corr_page_t *p, ngx_uint_t checked)
{
    corr_letter_form_t  *form = p->data;

    corr_db_add(p, CORR_SQL_DRAFT_SAVE,
                form->draft.len ? corr_pg_text(form->draft)
                                : corr_pg_null(),
                corr_pg_text(corr_letter_json(p, checked)),
                corr_pg_text(corr_uploads_json(p)),
                form->keep.data ? corr_pg_text(form->keep)
                                : corr_pg_null());
    corr_letter_evidence(p);
}


/* Behind the statement whose rows are read. */

void
corr_letter_evidence(corr_page_t *p)
{
    corr_str_t           reason, none = corr_null_str;
    corr_letter_form_t  *form = p->data;
    corr_gateway_op_t   *call = form->call;

    if (call == NULL) {
        return;
    }

    reason = call->verdict == CORR_VERDICT_YES ? none : call->reason;

    corr_db_add(p, CORR_SQL_COMPANY_EVIDENCE,
                corr_pg_text(corr_form_value(p, "company_national_id")),
                corr_pg_text(corr_form_value(p, "registration_number")),
                corr_pg_text(corr_verdict_name(call->verdict)),
                reason.len ? corr_pg_text(reason) : corr_pg_null(),
                call->provider.len ? corr_pg_text(call->provider)
                                   : corr_pg_null(),
                call->reference.len ? corr_pg_text(call->reference)
                                    : corr_pg_null());
}


ngx_int_t
corr_letter_refused(corr_page_t *p, const char *sqlstate,
    corr_str_t message, corr_str_t detail)
{
    corr_letter_form_t  *form = p->data;

    if (ngx_strcmp(sqlstate, "CR404") != 0
        || !corr_str_is(message, "draft_gone"))
    {
        return NGX_DECLINED;
    }

    form->draft.len = 0;
    corr_form_error(p, "", CORR_MSG_DRAFT_GONE, NULL);

    return corr_flow_again(p, 422);
}


/*
 * A refused form keeps the files that passed, and with them what was
 * written: as a draft, which is there tomorrow as well.  One that made a
 * letter before is not refused.
 */

static ngx_int_t
corr_letter_keep(corr_page_t *p)
{
    corr_letter_form_t  *form = corr_letter_form(p);

    if (form == NULL) {
        return NGX_ERROR;
    }

    if (form->unlooked) {
        return corr_letter_look(p);
    }

    if (p->uploads.nelts == 0 && form->draft.len == 0) {
        return NGX_OK;
    }

    corr_db_begin(p, CORR_WRITE);
    corr_letter_draft_save(p, 0);
    corr_db_on_refusal(p, corr_letter_keep_refused);

    return corr_db_send(p, corr_letter_was_kept);
}


/* The draft was sent or dropped elsewhere: what came now is kept anew. */

static ngx_int_t
corr_letter_keep_refused(corr_page_t *p, const char *sqlstate,
    corr_str_t message, corr_str_t detail)
{
    corr_letter_form_t  *form = p->data;

    if (ngx_strcmp(sqlstate, "CR404") != 0 || form->draft.len == 0) {
        return NGX_DECLINED;
    }

    form->draft.len = 0;
    form->keep.data = NULL;

    return corr_letter_keep(p);
}


static ngx_int_t
corr_letter_was_kept(corr_page_t *p)
{
    corr_letter_form_t  *form = p->data;

    form->draft = corr_rows_text(corr_db_rows(p, 0), 0, "draft");

    return NGX_OK;
}


/* All that the form shows, in one round trip. */

static ngx_int_t
corr_letter_find(corr_page_t *p)
{
    corr_str_t           asked;
    corr_letter_form_t  *form = corr_letter_form(p);

    if (form == NULL) {
        return NGX_ERROR;
    }

    asked = corr_query(p, "draft");

    if (!p->again && asked.len) {
        form->draft = corr_letter_uuid(p, asked);

        if (form->draft.len == 0) {
            return NGX_HTTP_NOT_FOUND;
        }
    }

    if (corr_captcha_on(p)) {
        corr_captcha_issue(p);
    }

    if (!p->again && form->draft.len == 0) {
        corr_letter_left_find(p);
    }

    corr_db_begin(p, CORR_READ);

    corr_db_add(p, CORR_SQL_PERSON_SHOW, corr_pg_int(p->session.id));
    corr_db_add(p, CORR_SQL_COMPANIES_LIST, corr_pg_int(p->session.id));
    corr_db_add(p, CORR_SQL_DRAFTS_LIST, corr_pg_int(p->session.id));

    if (form->draft.len) {
        corr_db_add(p, CORR_SQL_DRAFTS_SHOW, corr_pg_int(p->session.id),
                    corr_pg_text(form->draft));
        corr_db_add(p, CORR_SQL_DRAFTS_FILES, corr_pg_int(p->session.id),
                    corr_pg_text(form->draft));
    }

    return corr_db_send(p, corr_letter_found);
}


static ngx_int_t
corr_letter_found(corr_page_t *p)
{
    ngx_int_t  rc;

    rc = corr_letter_left_take(p);

    return rc == NGX_DECLINED ? corr_letter_show(p) : rc;
}


static ngx_int_t
corr_letter_show(corr_page_t *p)
{
    int64_t              company;
    ngx_uint_t           i;
    corr_rows_t         *person, *companies;
    corr_letter_form_t  *form = p->data;

    person = corr_db_rows(p, 0);
    companies = corr_db_rows(p, 1);

    corr_view_row(corr_view_object(p->view, "person"), person, 0);
    corr_form_view(p, corr_kind_rules);
    corr_form_view(p, corr_letter_rules);
    corr_form_view(p, corr_company_rules);
    corr_form_key(p);

    if (form->draft.len) {

        if (corr_db_rows(p, 3)->nrows == 0) {
            return NGX_HTTP_NOT_FOUND;
        }

        corr_view_text(p->view, "draft", form->draft);
        corr_view_rows(p->view, "kept_files", corr_db_rows(p, 4));
    }

    if (p->again) {
        return corr_reply_page(p, CORR_TPL_LETTERS_NEW);
    }

    if (form->draft.len) {
        corr_letter_fill(p, corr_db_rows(p, 3), 0);
        return corr_reply_page(p, CORR_TPL_LETTERS_NEW);
    }

    corr_view_rows(p->view, "companies", companies);
    corr_view_rows(p->view, "drafts", corr_db_rows(p, 2));

    corr_form_fill(p, "address", corr_rows_text(person, 0, "address"));

    company = corr_query_int(p, "company", 0);

    for (i = 0; i < companies->nrows; i++) {
        if (corr_rows_int(companies, i, "company_id") == company) {
            corr_letter_fill(p, companies, i);
            corr_form_fill(p, "person_kind", CORR_STR("legal"));
        }
    }

    return corr_reply_page(p, CORR_TPL_LETTERS_NEW);
}


/* The columns that are fields of the form. */

static void
corr_letter_fill(corr_page_t *p, corr_rows_t *rows, ngx_uint_t row)
{
    ngx_uint_t  i;

    for (i = 0; i < CORR_LETTER_FIELDS; i++) {
        if (corr_rows_column(rows, corr_letter_fields[i]) >= 0) {
            corr_form_fill(p, corr_letter_fields[i],
                           corr_rows_text(rows, row, corr_letter_fields[i]));
        }
    }
}


/* Empty when it is none: a statement would fail on it. */

static corr_str_t
corr_letter_uuid(corr_page_t *p, corr_str_t text)
{
    corr_str_t  uuid, none = corr_null_str;

    return corr_check_uuid(&p->alloc, text, &uuid) == CORR_OK ? uuid : none;
}
