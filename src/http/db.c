/*
 * The page's pipeline, kept as a list so that it can be sent again.
 */

#include "db.h"
#include "flow.h"
#include "form.h"
#include "reading.h"
#include "reply.h"
#include "session.h"

#include "../lib/digits.h"
#include "../services/texts.h"


#define CORR_DB_READS        3        /* attempts */
#define CORR_DB_WRITES       5        /* long enough for a restart */
#define CORR_DB_RETRY_WAIT   300      /* milliseconds, doubled each time */
#define CORR_DB_CONFLICTS    3        /* attempts behind a roll-back */
#define CORR_DB_CONFLICT_WAIT  20     /* milliseconds and some */


typedef struct {
    ngx_uint_t               statement;
    ngx_uint_t               nparams;
    corr_pg_param_t         *params;
} corr_db_call_t;


struct corr_db_s {
    corr_page_t             *page;
    ngx_uint_t               flags;
    ngx_uint_t               guarded;      /* calls of the guard: 0 to 2 */
    ngx_uint_t               ncalls;
    corr_db_call_t           calls[CORR_PG_STATEMENTS_MAX];
    corr_pg_op_t            *op;
    corr_step_pt             then;
    corr_db_refused_pt       refused;
    ngx_uint_t               attempts;
    ngx_uint_t               conflicts;
    ngx_event_t              retry;
    ngx_connection_t         retry_data;   /* debug logs read its fd */
    unsigned                 overflow:1;
    unsigned                 committed:1;  /* the page wrote before this */
};


static void corr_db_guard(corr_page_t *p);
static void corr_db_guard_write(corr_page_t *p);
static ngx_uint_t corr_db_writes_only(corr_page_t *p);
static corr_str_t corr_db_roles(corr_page_t *p);
static void corr_db_start(corr_page_t *p);
static ngx_int_t corr_db_ended(corr_page_t *p);
static ngx_int_t corr_db_told(corr_page_t *p, corr_step_pt then);
static ngx_uint_t corr_db_revokes(corr_page_t *p);
static ngx_int_t corr_db_done(corr_page_t *p);
static ngx_int_t corr_db_unknown(corr_page_t *p);
static ngx_int_t corr_db_lost(corr_page_t *p);
static ngx_uint_t corr_db_conflicted(corr_page_t *p);
static ngx_int_t corr_db_later(corr_page_t *p, ngx_msec_t wait);
static void corr_db_again(ngx_event_t *ev);
static ngx_int_t corr_db_resend(corr_page_t *p);
static ngx_int_t corr_db_stranger(corr_page_t *p);
static ngx_int_t corr_db_check_guard(corr_page_t *p);
static void corr_db_me(corr_page_t *p, corr_rows_t *rows);
static ngx_uint_t corr_db_role(corr_str_t role);
static ngx_int_t corr_db_refuse(corr_page_t *p);
static ngx_int_t corr_db_refuse_failed(corr_page_t *p, const char *state,
    corr_str_t message, corr_str_t detail);
static ngx_int_t corr_db_refuse_noted(corr_page_t *p);
static ngx_int_t corr_db_failed(corr_page_t *p);
static ngx_uint_t corr_db_passes(const char *state);
static ngx_int_t corr_db_input(corr_page_t *p, ngx_uint_t status,
    corr_str_t message, corr_str_t detail);


void
corr_db_begin(corr_page_t *p, ngx_uint_t flags)
{
    corr_db_t  *db;

    db = ngx_pcalloc(p->pool, sizeof(corr_db_t));

    p->db = db;

    if (db == NULL) {
        return;
    }

    db->page = p;
    db->flags = flags;

    if (!(flags & CORR_UNGUARDED)) {
        corr_db_guard(p);
        db->guarded = db->ncalls;
    }
}


/*
 * Reads: a plain row that is checked when it comes back.  Writes: a
 * function that raises, so that the rest of the transaction never runs; a
 * page that writes and shows (a clerk opening a letter) has both.
 */

static void
corr_db_guard(corr_page_t *p)
{
    if (p->db->flags & (CORR_WRITE|CORR_WRITE_ONCE)) {
        corr_db_guard_write(p);
    }

    if (!corr_db_writes_only(p)) {
        corr_db_add(p, p->session.who == CORR_A_PERSON
                       ? CORR_SQL_PERSON_GUARD : CORR_SQL_STAFF_GUARD,
                    corr_pg_int(p->session.id),
                    corr_pg_int(p->session.epoch));
    }
}


/* Behind it comes a redirect or a file, no page that says who it is for. */

static ngx_uint_t
corr_db_writes_only(corr_page_t *p)
{
    if (!(p->db->flags & (CORR_WRITE|CORR_WRITE_ONCE))) {
        return 0;
    }

    return (p->db->flags & CORR_NOTE)
           || (p->route->method != CORR_GET && !p->again);
}


static void
corr_db_guard_write(corr_page_t *p)
{
    ngx_uint_t  level;
    corr_str_t  address;

    address = corr_from_ngx(p->request->connection->addr_text);

    if (p->session.who == CORR_A_PERSON) {

        level = (p->route->who & CORR_LEVEL3) ? 3
                : (p->route->who & CORR_LEVEL2) ? 2 : 1;

        corr_db_add(p, (p->db->flags & CORR_NOTE)
                       ? CORR_SQL_PERSON_GUARD_NOTE
                       : CORR_SQL_PERSON_GUARD_WRITE,
                    corr_pg_int(p->session.id),
                    corr_pg_int(p->session.epoch), corr_pg_int(level),
                    corr_pg_text(address));
        return;
    }

    corr_db_add(p, CORR_SQL_STAFF_GUARD_WRITE, corr_pg_int(p->session.id),
                corr_pg_int(p->session.epoch),
                corr_pg_text(corr_db_roles(p)), corr_pg_text(address));
}


static corr_str_t
corr_db_roles(corr_page_t *p)
{
    u_char      *text, *last;
    corr_str_t   none = corr_null_str;
    ngx_uint_t   who;

    who = p->route->who & CORR_STAFF;

    text = ngx_pnalloc(p->pool, sizeof("clerk,expert,manager,admin,"));
    if (text == NULL) {
        /* nobody: the role "" would be anybody */
        return (who == CORR_STAFF) ? none : CORR_STR("nobody");
    }

    last = text;

    if (who != CORR_STAFF) {
        last = ngx_sprintf(last, "%s%s%s%s",
                           (who & CORR_CLERK) ? "clerk," : "",
                           (who & CORR_EXPERT) ? "expert," : "",
                           (who & CORR_MANAGER) ? "manager," : "",
                           (who & CORR_ADMIN) ? "admin," : "");
        last--;
    }

    return corr_make_str(text, last - text);
}


void
corr_db_add_params(corr_page_t *p, ngx_uint_t statement, ngx_uint_t nparams,
    const corr_pg_param_t *params)
{
    corr_db_t       *db = p->db;
    corr_db_call_t  *call;

    if (db == NULL) {
        return;
    }

    if (db->ncalls == CORR_PG_STATEMENTS_MAX) {
        db->overflow = 1;
        return;
    }

    call = &db->calls[db->ncalls++];
    call->statement = statement;
    call->nparams = nparams;
    call->params = ngx_palloc(p->pool,
                              (nparams + 1) * sizeof(corr_pg_param_t));

    if (call->params == NULL) {
        db->overflow = 1;
        return;
    }

    ngx_memcpy(call->params, params, nparams * sizeof(corr_pg_param_t));
}


void
corr_db_on_refusal(corr_page_t *p, corr_db_refused_pt refused)
{
    if (p->db) {
        p->db->refused = refused;
    }
}


ngx_int_t
corr_db_send(corr_page_t *p, corr_step_pt then)
{
    corr_db_t  *db = p->db;

    if (db == NULL || db->overflow) {
        return NGX_ERROR;
    }

    if (p->exhausted) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    db->then = then;

    if (db->flags & (CORR_WRITE|CORR_WRITE_ONCE)) {
        db->committed = p->committed;
        p->committed = 1;
    }

    corr_db_start(p);

    if (db->op == NULL) {
        return NGX_ERROR;
    }

    return corr_flow_then(p, corr_db_ended);
}


static void
corr_db_start(corr_page_t *p)
{
    ngx_uint_t       i;
    corr_db_t       *db = p->db;
    corr_db_call_t  *call;

    db->op = corr_pg_begin(p->worker->pg, &p->owner,
                           p->route ? (char *) p->route->path.data : "page");
    if (db->op == NULL) {
        return;
    }

    for (i = 0; i < db->ncalls; i++) {
        call = &db->calls[i];

        if (corr_pg_add(db->op, call->statement, call->nparams, call->params)
            != NGX_OK)
        {
            corr_op_free(&db->op->op);
            db->op = NULL;
            return;
        }
    }

    db->attempts++;

    corr_pg_send(db->op, 0);
}


static ngx_int_t
corr_db_ended(corr_page_t *p)
{
    corr_db_t  *db = p->db;

    switch (db->op->op.status) {

    case CORR_OP_OK:
        break;

    case CORR_OP_FAILED:

        if (corr_db_conflicted(p)) {
            return corr_db_later(p, CORR_DB_CONFLICT_WAIT * db->conflicts
                                    + ngx_random() % CORR_DB_CONFLICT_WAIT);
        }

        /* an earlier attempt may have done it */

        return db->attempts > 1 ? corr_db_told(p, corr_db_failed)
                                : corr_db_failed(p);

    case CORR_OP_LOST:
    case CORR_OP_TIMEOUT:
        return corr_db_unknown(p);

    default:

        /* an earlier attempt may have done it */

        if (db->attempts > 1) {
            return corr_db_unknown(p);
        }

        /* never sent, so surely not taken */

        if (!db->committed) {
            p->committed = 0;
        }

        return corr_reply_error(p, NGX_HTTP_SERVICE_UNAVAILABLE,
                                CORR_MSG_UNAVAILABLE, 5,
                                "PostgreSQL could not be asked");
    }

    return corr_db_told(p, corr_db_done);
}


/* A write is done, or may be: readings that were allowed before it end. */

static ngx_int_t
corr_db_told(corr_page_t *p, corr_step_pt then)
{
    return corr_db_revokes(p) ? corr_reading_revoke(p, then) : then(p);
}


/* The secretariat's forms give rights and take them; few surely do not. */

static ngx_uint_t
corr_db_revokes(corr_page_t *p)
{
    ngx_uint_t  flags = p->db->flags;

    if (!(flags & (CORR_WRITE|CORR_WRITE_ONCE)) || (flags & CORR_KEEPS)) {
        return 0;
    }

    return (flags & CORR_REVOKES)
           || (p->loc->kind == CORR_KIND_CLERK
               && p->request->method == NGX_HTTP_POST);
}


static ngx_int_t
corr_db_done(corr_page_t *p)
{
    ngx_int_t   rc;
    corr_db_t  *db = p->db;

    if (db->guarded) {
        rc = corr_db_check_guard(p);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return db->then ? db->then(p) : NGX_OK;
}


/*
 * Sent, and nobody knows.  What may be repeated is sent again, until it is
 * known; only then is the person told anything.
 */

static ngx_int_t
corr_db_unknown(corr_page_t *p)
{
    corr_db_t   *db = p->db;
    ngx_uint_t   most, timed_out;

    most = (db->flags & CORR_WRITE_ONCE) ? 1
           : (db->flags & CORR_WRITE) ? CORR_DB_WRITES : CORR_DB_READS;
    timed_out = (db->op->op.status == CORR_OP_TIMEOUT);

    ngx_log_error(NGX_LOG_WARN, p->log, 0,
                  "correspondence: PostgreSQL %s, attempt %ui",
                  timed_out ? "did not answer in time"
                  : db->op->op.status == CORR_OP_LOST
                    ? "went away before its answer" : "is not there",
                  db->attempts);

    if (db->attempts < most) {
        return corr_db_later(p, CORR_DB_RETRY_WAIT << (db->attempts - 1));
    }

    return corr_db_told(p, corr_db_lost);
}


static ngx_int_t
corr_db_lost(corr_page_t *p)
{
    return corr_reply_error(p, NGX_HTTP_SERVICE_UNAVAILABLE,
                            CORR_MSG_UNAVAILABLE, 5,
                            "PostgreSQL's answer was lost");
}


/*
 * Two transactions were in each other's way, and PostgreSQL rolled ours back
 * (serialization_failure, deadlock_detected; internal_error: sql/migrate made
 * a function anew beneath it): it surely did nothing, so that even what may
 * be sent only once is sent again.
 */

static ngx_uint_t
corr_db_conflicted(corr_page_t *p)
{
    const char  *state;
    corr_db_t   *db = p->db;

    state = (char *) db->op->sqlstate;

    if (ngx_strcmp(state, "40001") != 0 && ngx_strcmp(state, "40P01") != 0
        && ngx_strcmp(state, "XX000") != 0)
    {
        return 0;
    }

    if (++db->conflicts == CORR_DB_CONFLICTS) {
        return 0;
    }

    ngx_log_error(NGX_LOG_WARN, p->log, 0,
                  "correspondence: PostgreSQL rolled back (%s), attempt %ui",
                  state, db->attempts);

    /* an attempt that never was: those whose fate is unknown are counted */

    db->attempts--;

    return 1;
}


static ngx_int_t
corr_db_later(corr_page_t *p, ngx_msec_t wait)
{
    corr_db_t  *db = p->db;

    db->retry.handler = corr_db_again;
    db->retry.data = &db->retry_data;
    db->retry.log = p->log;
    db->retry_data.fd = (ngx_socket_t) -1;
    db->retry_data.data = p;

    ngx_add_timer(&db->retry, wait);

    p->waiting = 1;

    return corr_flow_then(p, corr_db_resend);
}


static void
corr_db_again(ngx_event_t *ev)
{
    ngx_connection_t  *c = ev->data;

    corr_flow_wake(c->data);
}


static ngx_int_t
corr_db_resend(corr_page_t *p)
{
    corr_op_free(&p->db->op->op);

    corr_db_start(p);

    if (p->db->op == NULL) {
        return NGX_ERROR;
    }

    return corr_flow_then(p, corr_db_ended);
}


void
corr_db_abandon(corr_page_t *p)
{
    if (p->db && p->db->retry.timer_set) {
        ngx_del_timer(&p->db->retry);
    }
}


corr_rows_t *
corr_db_rows(corr_page_t *p, ngx_uint_t i)
{
    static const corr_rows_t   nothing;

    corr_rows_t  *rows;

    rows = corr_pg_rows(p->db->op, i + p->db->guarded);

    return rows ? rows : (corr_rows_t *) &nothing;
}


/*
 * The session is there and counts no more: all of its person's were ended,
 * on another device.  A form that leaves something behind when nobody is
 * logged in begins anew as nobody's.
 */

static ngx_int_t
corr_db_stranger(corr_page_t *p)
{
    p->session.who = CORR_NOBODY;

    if ((p->route->who & CORR_LEAVES) && !p->json) {
        return p->route->steps[0](p);
    }

    return corr_session_missing(p);
}


/*
 * The guard's row: no row, and the session is over; a row tells the page
 * who it is for.  A write's guard has raised already if anything was wrong.
 */

static ngx_int_t
corr_db_check_guard(corr_page_t *p)
{
    corr_rows_t  *rows;
    ngx_uint_t    who;

    if (corr_db_writes_only(p)) {
        return NGX_OK;
    }

    rows = corr_pg_rows(p->db->op, p->db->guarded - 1);

    if (rows == NULL || rows->nrows != 1) {
        return corr_db_stranger(p);
    }

    corr_db_me(p, rows);

    who = p->route->who;

    if ((who & CORR_STAFF) && !(who & p->session.roles)) {
        return corr_db_refuse(p);
    }

    if (((who & CORR_LEVEL2) && p->session.level < 2)
        || ((who & CORR_LEVEL3) && p->session.level < 3))
    {
        if (p->json || p->route->method != CORR_GET) {
            return corr_reply_error(p, NGX_HTTP_FORBIDDEN,
                                    CORR_MSG_IDENTITY_NEEDED, 0, NULL);
        }

        return corr_reply_redirect(p, "/desk/identity");
    }

    return NGX_OK;
}


static void
corr_db_me(corr_page_t *p, corr_rows_t *rows)
{
    corr_view_row(corr_view_object(p->view, "me"), rows, 0);

    if (p->session.who == CORR_A_PERSON) {
        p->session.level = corr_rows_int(rows, 0, "level");
        return;
    }

    p->session.roles = corr_db_role(corr_rows_text(rows, 0, "role"));
}


static ngx_uint_t
corr_db_role(corr_str_t role)
{
    return corr_str_is(role, "clerk") ? CORR_CLERK
           : corr_str_is(role, "expert") ? CORR_EXPERT
           : corr_str_is(role, "manager") ? CORR_MANAGER
           : corr_str_is(role, "admin") ? CORR_ADMIN : 0;
}


/*
 * A role that may not: a line in the audit first.  What the page itself did
 * was rolled back, or only read.
 */

static ngx_int_t
corr_db_refuse(corr_page_t *p)
{
    corr_db_begin(p, CORR_WRITE_ONCE|CORR_UNGUARDED|CORR_KEEPS);

    corr_db_add(p, CORR_SQL_AUDIT_REFUSED, corr_pg_text(CORR_STR("staff")),
                corr_pg_int(p->session.id),
                corr_pg_text(corr_from_ngx(p->route->path)),
                corr_pg_text(corr_from_ngx(
                    p->request->connection->addr_text)));

    corr_db_on_refusal(p, corr_db_refuse_failed);

    return corr_db_send(p, corr_db_refuse_noted);
}


/* No line, and no less refused. */

static ngx_int_t
corr_db_refuse_failed(corr_page_t *p, const char *state, corr_str_t message,
    corr_str_t detail)
{
    (void) detail;

    ngx_log_error(NGX_LOG_ERR, p->log, 0,
                  "correspondence: a refusal was not written to the audit: "
                  "PostgreSQL %s: %*s",
                  state, message.len, message.data);

    return corr_db_refuse_noted(p);
}


static ngx_int_t
corr_db_refuse_noted(corr_page_t *p)
{
    return corr_reply_error(p, NGX_HTTP_FORBIDDEN, CORR_MSG_ROLE_REFUSED, 0,
                            "role");
}


/* What the functions in sql/ raise, and what the server itself may. */

static ngx_int_t
corr_db_failed(corr_page_t *p)
{
    ngx_int_t      rc;
    uint64_t       seconds;
    const char    *state;
    corr_pg_op_t  *op = p->db->op;

    state = (char *) op->sqlstate;

    /* one of our own, raised by a function: nothing was written */

    if (ngx_strncmp(state, "CR", 2) == 0 && p->db->attempts == 1
        && !p->db->committed)
    {
        p->committed = 0;
    }

    if (p->db->refused) {
        rc = p->db->refused(p, state, op->message, op->detail);

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    if (ngx_strcmp(state, "CR401") == 0) {
        return corr_db_stranger(p);
    }

    if (ngx_strcmp(state, "CR403") == 0
        && corr_str_is(op->message, "role_refused"))
    {
        return corr_db_refuse(p);
    }

    if (ngx_strcmp(state, "CR403") == 0) {
        return corr_reply_error(p, NGX_HTTP_FORBIDDEN,
                                corr_reply_message(p, op->message,
                                                   CORR_MSG_FORBIDDEN),
                                0, "refused by the database");
    }

    if (ngx_strcmp(state, "CR404") == 0) {
        return NGX_HTTP_NOT_FOUND;
    }

    if (ngx_strcmp(state, "CR409") == 0) {
        return corr_db_input(p, NGX_HTTP_CONFLICT, op->message, op->detail);
    }

    if (ngx_strcmp(state, "CR422") == 0) {
        return corr_db_input(p, 422, op->message, op->detail);
    }

    if (ngx_strcmp(state, "CR429") == 0) {
        if (corr_digits_number(op->detail, NGX_MAX_INT32_VALUE, &seconds)
            != CORR_OK)
        {
            seconds = 60;
        }

        return corr_reply_error(p, 429,
                                corr_reply_message(p, op->message,
                                                   CORR_MSG_TOO_OFTEN),
                                (time_t) seconds, NULL);
    }

    return corr_reply_error(p,
                            corr_db_passes(state)
                            ? NGX_HTTP_SERVICE_UNAVAILABLE
                            : NGX_HTTP_INTERNAL_SERVER_ERROR,
                            CORR_MSG_COUNT, 5, "PostgreSQL %s: %*s",
                            state, op->message.len, op->message.data);
}


/*
 * The server's or the moment's fault, not the page's.  A function, a table or
 * a column that is not there (42…) is one of a schema that was upgraded
 * before this module, or behind it.
 */

static ngx_uint_t
corr_db_passes(const char *state)
{
    size_t  i;

    static const char  *states[] = {
        "CR503", "25006", "55P03", "42883", "42P01", "42703",
        "57", "53", "40"
    };

    for (i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        if (ngx_strncmp(state, states[i], ngx_strlen(states[i])) == 0) {
            return 1;
        }
    }

    return 0;
}


/* "field:message_name", or a message of the whole form. */

static ngx_int_t
corr_db_input(corr_page_t *p, ngx_uint_t status, corr_str_t message,
    corr_str_t detail)
{
    u_char        *colon;
    corr_str_t     field;
    corr_view_t   *values;

    field = CORR_STR("");
    colon = ngx_strlchr(message.data, message.data + message.len, ':');

    if (colon) {
        field = corr_str_dup(&p->alloc,
                             corr_make_str(message.data,
                                           colon - message.data));
        message.len -= colon + 1 - message.data;
        message.data = colon + 1;
    }

    if (p->route->again == NULL || p->again || field.data == NULL) {
        return corr_reply_error(p, status,
                                corr_reply_message(p, message,
                                                   CORR_MSG_CONFLICT),
                                0, NULL);
    }

    values = corr_view_create(&p->alloc);

    if (values && detail.len) {
        corr_view_text(values, "detail", detail);
    }

    corr_form_error(p, (char *) field.data,
                    corr_reply_message(p, message, CORR_MSG_CONFLICT),
                    values);

    return corr_flow_again(p, status);
}
