/*
 * One letter on a clerk's desk: the scan beside the work, the thread, the
 * referrals, and all that can be done with it.
 *
 * What may be done now is a flag of the letter's row; the functions in SQL
 * decide again.  After a refused action the whole page comes back with the
 * form that was refused.
 */

#include "clerk_drafts.h"

#include "../lib/digits.h"
#include "../lib/ids.h"
#include "../lib/jalali.h"
#include "../lib/sms.h"
#include "uploads.h"


#define CORR_UNITS_MAX       40
#define CORR_DUE_DAYS_MAX    365


/* Where the statements of the page stand in its pipeline. */

enum {
    LETTER_OPEN = 0,
    LETTER_SHOW,
    LETTER_FILES,
    LETTER_EVENTS,
    LETTER_EVENT_FILES,
    LETTER_REFERRALS,
    LETTER_VIEWERS,
    LETTER_PERSON,
    LETTER_BOOKS,
    LETTER_UNITS,
    LETTER_CANNED,
    LETTER_CANNED_FILLED
};


typedef struct {
    corr_redis_op_t         *left;         /* see clerk_drafts.h */
} corr_clerk_letter_t;


/* What goes out behind which form. */

static const struct {
    const char              *name;         /* sms.NAME of the page */
    ngx_uint_t               template;
} corr_clerk_letter_messages[] = {
    { "registered", CORR_SMS_LETTER_REGISTERED },
    { "answered", CORR_SMS_LETTER_ANSWERED },
    { "interim", CORR_SMS_LETTER_INTERIM },
    { "correction", CORR_SMS_CORRECTION_ASKED },
    { "closed", CORR_SMS_LETTER_CLOSED },
    { NULL, 0 }
};


static ngx_int_t corr_clerk_letter_find(corr_page_t *p);
static ngx_int_t corr_clerk_letter_show(corr_page_t *p);
static void corr_clerk_letter_chosen(corr_page_t *p, const char *name,
    corr_rows_t *rows, const char *field, const char *column);
static void corr_clerk_letter_ids(corr_page_t *p, const char *name,
    corr_rows_t *rows, const char *field, const char *column);
static ngx_uint_t corr_clerk_letter_id_typed(corr_page_t *p,
    const char *field, int64_t id);
static ngx_uint_t corr_clerk_letter_inserts(corr_page_t *p);
static void corr_clerk_letter_insert(corr_page_t *p, corr_rows_t *filled);
static void corr_clerk_letter_sms(corr_page_t *p, corr_rows_t *books);
static ngx_int_t corr_letter_changed_find(corr_page_t *p);
static ngx_int_t corr_letter_changed_tell(corr_page_t *p);
static ngx_int_t corr_letter_act(corr_page_t *p);
static ngx_int_t corr_letter_acted(corr_page_t *p);
static void corr_letter_begin(corr_page_t *p);
static ngx_int_t corr_letter_simply(corr_page_t *p, ngx_uint_t statement);
static ngx_int_t corr_letter_take(corr_page_t *p);
static ngx_int_t corr_letter_register(corr_page_t *p);
static ngx_int_t corr_letter_reply(corr_page_t *p);
static ngx_int_t corr_letter_refer(corr_page_t *p);
static ngx_int_t corr_letter_due(corr_page_t *p, corr_pg_param_t *date,
    corr_pg_param_t *days);
static corr_str_t corr_letter_unit_list(corr_page_t *p);
static ngx_int_t corr_letter_note(corr_page_t *p);
static ngx_int_t corr_letter_ask(corr_page_t *p);
static ngx_int_t corr_letter_close(corr_page_t *p);
static ngx_int_t corr_letter_reopen(corr_page_t *p);
static ngx_int_t corr_letter_prove(corr_page_t *p);


/*
 * The version of the letter that the form was made from: what decides
 * something is refused when a colleague or the sender was quicker.
 */

#define CORR_VERSION_RULE                                                     \
    { "version", CORR_RULE_NUMBER, CORR_OPTIONAL, 0, NGX_MAX_INT32_VALUE,     \
      CORR_MSG_FIELD_WRONG, CORR_MSG_FIELD_WRONG, NULL }


static const corr_rule_t  corr_letter_plain_rules[] = {
    CORR_KEY_RULE, CORR_NO_RULE
};

static const corr_rule_t  corr_letter_close_rules[] = {
    CORR_KEY_RULE,
    CORR_VERSION_RULE,
    { "close_body", CORR_RULE_TEXT, CORR_OPTIONAL, 0, 2000,
      CORR_MSG_CLOSE_REASON_REQUIRED, CORR_MSG_BODY_WRONG, NULL },
    CORR_NO_RULE
};

static const corr_rule_t  corr_letter_register_rules[] = {
    CORR_KEY_RULE,
    { "book", CORR_RULE_LINE, CORR_OPTIONAL, 0, 40, CORR_MSG_BOOK_REQUIRED,
      CORR_MSG_BOOK_WRONG, NULL },
    CORR_NO_RULE
};

static const corr_rule_t  corr_letter_reply_rules[] = {
    CORR_KEY_RULE,
    CORR_VERSION_RULE,
    { "body", CORR_RULE_TEXT, CORR_REQUIRED, 0, 8000, CORR_MSG_BODY_REQUIRED,
      CORR_MSG_BODY_WRONG, NULL },
    { "final", CORR_RULE_NUMBER, CORR_OPTIONAL, 0, 1, CORR_MSG_FIELD_WRONG,
      CORR_MSG_FIELD_WRONG, NULL },
    { "canned_id", CORR_RULE_NUMBER, CORR_OPTIONAL, 0, 2147483647,
      CORR_MSG_CANNED_UNKNOWN, CORR_MSG_CANNED_UNKNOWN, NULL },
    CORR_NO_RULE
};

static const corr_rule_t  corr_letter_insert_rules[] = {
    { "canned_id", CORR_RULE_NUMBER, CORR_REQUIRED, 1, 2147483647,
      CORR_MSG_CANNED_UNKNOWN, CORR_MSG_CANNED_UNKNOWN, NULL },
    CORR_NO_RULE
};

static const corr_rule_t  corr_letter_refer_rules[] = {
    CORR_KEY_RULE,
    CORR_VERSION_RULE,
    { "unit", CORR_RULE_NUMBER, CORR_REQUIRED, 1, 2147483647,
      CORR_MSG_UNIT_REQUIRED, CORR_MSG_UNIT_WRONG, NULL },
    { "instruction", CORR_RULE_TEXT, CORR_REQUIRED, 0, 2000,
      CORR_MSG_INSTRUCTION_REQUIRED, CORR_MSG_INSTRUCTION_TOO_LONG, NULL },
    { "due", CORR_RULE_LINE, CORR_OPTIONAL, 0, 20, CORR_MSG_DUE_WRONG,
      CORR_MSG_DUE_WRONG, NULL },
    CORR_NO_RULE
};

static const corr_rule_t  corr_letter_note_rules[] = {
    CORR_KEY_RULE,
    { "note_body", CORR_RULE_TEXT, CORR_REQUIRED, 0, 8000,
      CORR_MSG_BODY_REQUIRED, CORR_MSG_BODY_WRONG, NULL },
    CORR_NO_RULE
};

static const corr_rule_t  corr_letter_ask_rules[] = {
    CORR_KEY_RULE,
    CORR_VERSION_RULE,
    { "correction_body", CORR_RULE_TEXT, CORR_REQUIRED, 0, 2000,
      CORR_MSG_BODY_REQUIRED, CORR_MSG_BODY_WRONG, NULL },
    { "file_id", CORR_RULE_LINE, CORR_OPTIONAL, 36, 36,
      CORR_MSG_FILE_ID_REQUIRED, CORR_MSG_FILE_ID_WRONG, NULL },
    CORR_NO_RULE
};


static const corr_action_t  corr_letter_actions[] = {
    { "take", "take", "taken", corr_letter_plain_rules, corr_letter_take },
    { "register", "register", "registered", corr_letter_register_rules,
      corr_letter_register },
    { "reply", "reply", "replied", corr_letter_reply_rules,
      corr_letter_reply },
    { "draft", "reply", "draft_saved", corr_reply_draft_rules,
      corr_reply_draft_save },
    { "refer", "refer", "referred", corr_letter_refer_rules,
      corr_letter_refer },
    { "note", "note", "noted", corr_letter_note_rules, corr_letter_note },
    { "ask-correction", "ask_correction", "correction_asked",
      corr_letter_ask_rules, corr_letter_ask },
    { "close", "close", "closed", corr_letter_close_rules,
      corr_letter_close },
    { "reopen", "reopen", "reopened", corr_letter_plain_rules,
      corr_letter_reopen },
    { "prove-position", "prove_position", "position_proven",
      corr_letter_plain_rules, corr_letter_prove },
    { NULL, NULL, NULL, NULL, NULL }
};


const corr_step_pt  corr_clerk_letter_steps[] = {
    corr_clerk_letter_find,
    corr_clerk_letter_show,
    NULL
};


const corr_step_pt  corr_clerk_letter_action_steps[] = {
    corr_letter_act,
    corr_letter_acted,
    NULL
};


const corr_step_pt  corr_clerk_letter_changed_steps[] = {
    corr_letter_changed_find,
    corr_letter_changed_tell,
    NULL
};


/* Opening a letter is a write: who saw it stands in the audit. */

static ngx_int_t
corr_clerk_letter_find(corr_page_t *p)
{
    corr_pg_param_t         code, me;
    corr_clerk_letter_t    *ctx;

    ctx = corr_page_data(p, sizeof(corr_clerk_letter_t));
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    code = corr_pg_text(p->params[0]);
    me = corr_pg_int(p->session.id);

    ctx->left = corr_reply_left_find(p);

    corr_db_begin(p, CORR_WRITE);

    corr_db_add(p, CORR_SQL_CLERK_LETTER_OPEN, code);
    corr_db_add(p, CORR_SQL_CLERK_LETTER_SHOW, me, code);
    corr_db_add(p, CORR_SQL_CLERK_LETTER_FILES, code);
    corr_db_add(p, CORR_SQL_CLERK_LETTER_EVENTS, code, me);
    corr_db_add(p, CORR_SQL_CLERK_LETTER_EVENT_FILES, code, me);
    corr_db_add(p, CORR_SQL_CLERK_LETTER_REFERRALS, code, me);
    corr_db_add(p, CORR_SQL_CLERK_LETTER_VIEWERS, code, me);
    corr_db_add(p, CORR_SQL_CLERK_LETTER_PERSON, code, me);
    corr_db_add(p, CORR_SQL_CLERK_BOOKS);
    corr_db_add(p, CORR_SQL_CLERK_UNITS);
    corr_db_add(p, CORR_SQL_CLERK_CANNED, me);

    if (corr_clerk_letter_inserts(p)) {
        corr_db_add(p, CORR_SQL_CLERK_CANNED_FILLED, me, code,
                    corr_action_text(p, "canned_id"));
    }

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_clerk_letter_show(corr_page_t *p)
{
    ngx_int_t             rc;
    corr_rows_t          *letter, *events;
    corr_view_t          *view = p->view;
    corr_clerk_letter_t  *ctx = p->data;

    letter = corr_db_rows(p, LETTER_SHOW);

    if (letter->nrows == 0) {
        return NGX_HTTP_NOT_FOUND;
    }

    rc = corr_reply_left_take(p, ctx->left);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    corr_view_row(corr_view_object(view, "letter"), letter, 0);

    events = corr_db_rows(p, LETTER_EVENTS);

    if (events->ncolumns
        && corr_rows_nest(&p->alloc, events, "event_id", "event_files",
                          corr_db_rows(p, LETTER_EVENT_FILES), "event_id")
           != CORR_OK)
    {
        return NGX_ERROR;
    }

    corr_clerk_letter_chosen(p, "files", corr_db_rows(p, LETTER_FILES),
                             "file_id", "file_id");
    corr_view_rows(view, "events", events);
    corr_view_rows(view, "referrals", corr_db_rows(p, LETTER_REFERRALS));
    corr_view_rows(view, "others_here", corr_db_rows(p, LETTER_VIEWERS));
    corr_view_rows(view, "person_letters", corr_db_rows(p, LETTER_PERSON));

    corr_clerk_letter_chosen(p, "books", corr_db_rows(p, LETTER_BOOKS),
                             "book", "book_code");
    corr_clerk_letter_ids(p, "units", corr_db_rows(p, LETTER_UNITS), "unit",
                          "unit_id");
    corr_clerk_letter_ids(p, "canned", corr_db_rows(p, LETTER_CANNED),
                          "canned_id", "canned_id");

    corr_clerk_letter_sms(p, corr_db_rows(p, LETTER_BOOKS));

    corr_action_view(p, corr_letter_actions);

    if (corr_clerk_letter_inserts(p)) {
        corr_clerk_letter_insert(p, corr_db_rows(p, LETTER_CANNED_FILLED));
    }

    return corr_reply_page(p, CORR_TPL_CLERK_LETTER);
}


/* Rows of which one was chosen in a form that comes back. */

static void
corr_clerk_letter_chosen(corr_page_t *p, const char *name,
    corr_rows_t *rows, const char *field, const char *column)
{
    unsigned      i;
    corr_str_t    typed;
    corr_view_t  *row;

    typed = corr_form_raw(p, field);

    for (i = 0; i < rows->nrows; i++) {
        row = corr_view_append(p->view, name);
        corr_view_row(row, rows, i);
        corr_view_flag(row, "is_selected",
                       corr_str_eq(corr_rows_text(rows, i, column), typed));
    }
}


/* The same by numbers, of which a form may have several. */

static void
corr_clerk_letter_ids(corr_page_t *p, const char *name, corr_rows_t *rows,
    const char *field, const char *column)
{
    unsigned      i;
    corr_view_t  *row;

    for (i = 0; i < rows->nrows; i++) {
        row = corr_view_append(p->view, name);
        corr_view_row(row, rows, i);
        corr_view_flag(row, "is_selected",
                       corr_clerk_letter_id_typed(p, field,
                                           corr_rows_int(rows, i, column)));
    }
}


static ngx_uint_t
corr_clerk_letter_id_typed(corr_page_t *p, const char *field, int64_t id)
{
    uint64_t    typed;
    corr_str_t  value;
    ngx_uint_t  n;

    for (n = 0; n < CORR_UNITS_MAX; n++) {
        value = corr_form_nth(p, field, n);

        if (value.data == NULL) {
            break;
        }

        if (corr_digits_number(value, INT64_MAX, &typed) == CORR_OK
            && (int64_t) typed == id)
        {
            return 1;
        }
    }

    return 0;
}


/*
 * The button that puts a canned reply into the form was pressed: the page
 * comes again, nothing is sent.
 */

static ngx_uint_t
corr_clerk_letter_inserts(corr_page_t *p)
{
    return p->status == NGX_HTTP_OK && corr_form_raw(p, "insert").len
           && corr_form_value(p, "canned_id").len;
}


/* Behind what was typed, for the clerk to go on with. */

static void
corr_clerk_letter_insert(corr_page_t *p, corr_rows_t *filled)
{
    u_char      *text, *last;
    corr_str_t   typed, body;

    if (filled->nrows == 0) {
        corr_form_error(p, "canned_id", CORR_MSG_CANNED_UNKNOWN, NULL);
        p->status = 422;
        return;
    }

    typed = corr_form_raw(p, "body");
    body = corr_rows_text(filled, 0, "body");

    text = ngx_pnalloc(p->pool, typed.len + body.len + 2);
    if (text == NULL) {
        return;
    }

    last = ngx_cpymem(text, typed.data, typed.len);

    if (typed.len) {
        *last++ = '\n';
        *last++ = '\n';
    }

    last = ngx_cpymem(last, body.data, body.len);

    corr_form_fill(p, "body", corr_make_str(text, last - text));
}


/*
 * The messages as they will go out, and what they cost.  The number is the
 * next one, which a colleague may take; another of its length costs the same.
 */

static void
corr_clerk_letter_sms(corr_page_t *p, corr_rows_t *books)
{
    corr_str_t    text;
    corr_sms_t    sms;
    ngx_uint_t    i;
    corr_view_t  *values, *all, *one;

    values = corr_view_create(&p->alloc);
    if (values == NULL) {
        return;
    }

    corr_view_text(values, "tracking_code", p->params[0]);
    corr_view_text(values, "host", corr_from_ngx(p->settings->host));
    corr_view_text(values, "body_name",
                   corr_from_ngx(p->settings->body_name));
    corr_view_int(values, "register_number",
                  books->nrows ? corr_rows_int(books, 0, "next_number") : 1);

    all = corr_view_object(p->view, "sms");

    for (i = 0; corr_clerk_letter_messages[i].name; i++) {
        text = corr_texts_render_sms(p->settings->texts,
                                     corr_clerk_letter_messages[i].template,
                                     values, p->pool);

        if (text.len && corr_sms_count(text, &sms) == CORR_OK) {
            one = corr_view_object(all, corr_clerk_letter_messages[i].name);
            corr_view_text(one, "text", text);
            corr_view_int(one, "parts", sms.parts);
        }
    }
}


/*
 * For the script of a page that has been open for a while: has something
 * arrived since?  Asked when the clerk comes back to it, so that no script
 * keeps a session alive.
 */

static ngx_int_t
corr_letter_changed_find(corr_page_t *p)
{
    corr_db_begin(p, CORR_READ);
    corr_db_add(p, CORR_SQL_CLERK_LETTER_CHANGED, corr_pg_int(p->session.id),
                corr_pg_text(p->params[0]),
                corr_pg_int(corr_query_int(p, "version", 0)));

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_letter_changed_tell(corr_page_t *p)
{
    corr_rows_t  *rows;

    rows = corr_db_rows(p, 0);

    if (rows->nrows == 0) {
        return NGX_HTTP_NOT_FOUND;
    }

    return corr_reply_bytes(p, "application/json; charset=utf-8",
                            corr_rows_int(rows, 0, "changed")
                            ? CORR_STR("{\"changed\":true}")
                            : CORR_STR("{\"changed\":false}"));
}


static ngx_int_t
corr_letter_act(corr_page_t *p)
{
    if (p->session.who != CORR_A_STAFF) {
        return corr_reply_leave(p);
    }

    if (corr_form_raw(p, "insert").len == 0) {
        return corr_action_do(p, corr_letter_actions);
    }

    if (corr_uploads_restore(p) != NGX_OK
        || corr_form_check(p, corr_letter_insert_rules) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return corr_flow_again(p, p->failed_form ? 422 : NGX_HTTP_OK);
}


static ngx_int_t
corr_letter_acted(corr_page_t *p)
{
    corr_relay_wake(p->worker->relay);

    return corr_reply_redirect(p, "/letters/%*s?flash=%s",
                               p->params[0].len, p->params[0].data,
                               corr_action_find(p, corr_letter_actions)
                                   ->flash);
}


static void
corr_letter_begin(corr_page_t *p)
{
    corr_str_t  version;

    corr_db_begin(p, CORR_WRITE);

    version = corr_form_value(p, "version");

    if (version.len) {
        corr_db_add(p, CORR_SQL_LETTER_EXPECT, corr_action_key(p),
                    corr_pg_text(p->params[0]), corr_pg_text(version));
    }
}


static ngx_int_t
corr_letter_simply(corr_page_t *p, ngx_uint_t statement)
{
    corr_letter_begin(p);
    corr_db_add(p, statement, corr_action_key(p),
                corr_pg_text(p->params[0]));

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_letter_take(corr_page_t *p)
{
    return corr_letter_simply(p, CORR_SQL_LETTER_TAKE);
}


static ngx_int_t
corr_letter_register(corr_page_t *p)
{
    corr_letter_begin(p);
    corr_db_add(p, CORR_SQL_LETTER_REGISTER, corr_action_key(p),
                corr_pg_text(p->params[0]), corr_action_text(p, "book"));

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_letter_reply(corr_page_t *p)
{
    corr_str_t  canned;

    canned = corr_form_value(p, "canned_id");

    corr_letter_begin(p);

    /* without the field a reply is final */

    corr_db_add(p, CORR_SQL_LETTER_REPLY, corr_action_key(p),
                corr_pg_text(p->params[0]), corr_action_text(p, "body"),
                corr_pg_bool(!corr_str_is(corr_form_value(p, "final"), "0")),
                canned.len ? corr_pg_text(canned) : corr_pg_null(),
                corr_pg_text(corr_uploads_json(p)));

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_letter_refer(corr_page_t *p)
{
    corr_pg_param_t  date, days;

    if (corr_letter_due(p, &date, &days) != NGX_OK) {
        return corr_flow_again(p, 422);
    }

    corr_letter_begin(p);

    corr_db_add(p, CORR_SQL_LETTER_REFER, corr_action_key(p),
                corr_pg_text(p->params[0]),
                corr_pg_text(corr_letter_unit_list(p)),
                corr_action_text(p, "instruction"), date, days);

    return corr_db_send(p, NULL);
}


/* A Jalali date, or a number of working days, which SQL counts. */

static ngx_int_t
corr_letter_due(corr_page_t *p, corr_pg_param_t *date, corr_pg_param_t *days)
{
    int64_t     day;
    uint64_t    n;
    corr_str_t  typed;

    typed = corr_form_value(p, "due");

    *date = corr_pg_null();
    *days = corr_pg_null();

    if (typed.len == 0) {
        return NGX_OK;
    }

    if (corr_digits_number(typed, CORR_DUE_DAYS_MAX, &n) == CORR_OK) {
        *days = corr_pg_int((int64_t) n);
        return NGX_OK;
    }

    if (corr_jalali_parse(typed, &day) == CORR_OK) {
        *date = corr_pg_text(corr_page_date(p, day));
        return NGX_OK;
    }

    corr_form_error(p, "due", CORR_MSG_DUE_WRONG, NULL);

    return NGX_DECLINED;
}


static corr_str_t
corr_letter_unit_list(corr_page_t *p)
{
    u_char      *json, *last;
    uint64_t     id;
    corr_str_t   value, none = corr_null_str;
    ngx_uint_t   n;

    json = ngx_pnalloc(p->pool, CORR_UNITS_MAX * (NGX_INT64_LEN + 1) + 3);
    if (json == NULL) {
        return none;
    }

    last = json;
    *last++ = '[';

    for (n = 0; n < CORR_UNITS_MAX; n++) {
        value = corr_form_nth(p, "unit", n);

        if (value.data == NULL) {
            break;
        }

        if (corr_digits_number(value, INT64_MAX, &id) == CORR_OK) {
            last = ngx_sprintf(last, "%s%uL", last[-1] == '[' ? "" : ",",
                               id);
        }
    }

    *last++ = ']';

    return corr_make_str(json, last - json);
}


static ngx_int_t
corr_letter_note(corr_page_t *p)
{
    corr_letter_begin(p);
    corr_db_add(p, CORR_SQL_LETTER_NOTE, corr_action_key(p),
                corr_pg_text(p->params[0]), corr_action_text(p, "note_body"));

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_letter_ask(corr_page_t *p)
{
    corr_str_t  file, id;

    file = corr_form_value(p, "file_id");

    if (file.len && corr_check_uuid(&p->alloc, file, &id) != CORR_OK) {
        corr_form_error(p, "file_id", CORR_MSG_FILE_ID_WRONG, NULL);
        return corr_flow_again(p, 422);
    }

    corr_letter_begin(p);
    corr_db_add(p, CORR_SQL_LETTER_ASK_CORRECTION, corr_action_key(p),
                corr_pg_text(p->params[0]),
                corr_action_text(p, "correction_body"),
                file.len ? corr_pg_text(id) : corr_pg_null());

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_letter_close(corr_page_t *p)
{
    corr_letter_begin(p);
    corr_db_add(p, CORR_SQL_LETTER_CLOSE, corr_action_key(p),
                corr_pg_text(p->params[0]),
                corr_action_text(p, "close_body"));

    return corr_db_send(p, NULL);
}


static ngx_int_t
corr_letter_reopen(corr_page_t *p)
{
    return corr_letter_simply(p, CORR_SQL_LETTER_REOPEN);
}


static ngx_int_t
corr_letter_prove(corr_page_t *p)
{
    return corr_letter_simply(p, CORR_SQL_LETTER_PROVE_POSITION);
}
