/*
 * Typed values as people read them.  No Persian stands here: the names of
 * months and the words of relative times are messages, asked for as labels
 * (month_9, time_at, ago_minutes, after_days, …); digits and the separators
 * of numbers are those of CLDR's fa.
 */

#include "digits.h"
#include "escape.h"
#include "jalali.h"
#include "template_private.h"
#include "value_text.h"


#define CORR_FORM_CHUNK   256           /* text converted at a time */

#define CORR_MINUTE       60
#define CORR_HOUR         3600
#define CORR_DAYS         86400
#define CORR_AGO_DAYS     30            /* from here on the date itself */

#define CORR_SPAN_SECONDS   120                   /* more, in minutes */
#define CORR_SPAN_MINUTES   (120 * CORR_MINUTE)   /* more, in hours */


static const struct {
    const char            *name;
    corr_form_e            form;
} corr_forms[] = {
    { "ascii",    CORR_FORM_ASCII },
    { "fa",       CORR_FORM_FA },
    { "grouped",  CORR_FORM_GROUPED },
    { "span",     CORR_FORM_SPAN },
    { "label",    CORR_FORM_LABEL },
    { "url",      CORR_FORM_URL },
    { "date",     CORR_FORM_DATE },
    { "short",    CORR_FORM_SHORT },
    { "time",     CORR_FORM_TIME },
    { "seconds",  CORR_FORM_SECONDS },
    { "iso",      CORR_FORM_ISO },
    { "ago",      CORR_FORM_AGO },
    { "count",    CORR_FORM_COUNT },
    { "any",      CORR_FORM_ANY }
};


/* A short text under construction. */

typedef struct {
    unsigned char          data[160];
    size_t                 len;
} corr_piece_t;


corr_form_e
corr_form_find(corr_str_t name)
{
    size_t  i;

    for (i = 0; i < sizeof(corr_forms) / sizeof(corr_forms[0]); i++) {
        if (corr_str_is(name, corr_forms[i].name)) {
            return corr_forms[i].form;
        }
    }

    return CORR_FORM_NONE;
}


static int
corr_write_text(corr_rendering_t *w, corr_str_t s, int raw)
{
    if (s.len == 0) {
        return CORR_OK;
    }

    if (raw) {
        return corr_rendering_write(w, s.data, s.len);
    }

    return corr_escape_write(CORR_ESCAPE_HTML, s, corr_rendering_write, w);
}


static int
corr_write_piece(corr_rendering_t *w, const corr_piece_t *piece)
{
    return corr_rendering_write(w, piece->data, piece->len);
}


static void
corr_piece_byte(corr_piece_t *piece, unsigned char c)
{
    if (piece->len < sizeof(piece->data)) {
        piece->data[piece->len++] = c;
    }
}


static void
corr_piece_digit(corr_piece_t *piece, unsigned digit)
{
    /* U+06F0..06F9 */

    corr_piece_byte(piece, 0xdb);
    corr_piece_byte(piece, (unsigned char) (0xb0 + digit));
}


/* At least width Persian digits. */

static void
corr_piece_number(corr_piece_t *piece, uint64_t n, unsigned width)
{
    unsigned       i;
    unsigned char  digits[20];

    for (i = 0; i < sizeof(digits) && (n || i < width || i == 0); i++) {
        digits[i] = (unsigned char) (n % 10);
        n /= 10;
    }

    while (i > 0) {
        corr_piece_digit(piece, digits[--i]);
    }
}


/*
 * A number in ASCII as Persian writes it: U+066B before the fraction, in
 * front of a negative one U+200E U+2212, U+066C between groups of three.
 */

static void
corr_piece_localize(corr_piece_t *piece, const unsigned char *p, size_t n,
    int grouped)
{
    size_t  i, whole;

    for (whole = 0; whole < n && memchr(".eE", p[whole], 3) == NULL; whole++)
    {
        /* void */
    }

    for (i = 0; i < n; i++) {
        if (p[i] >= '0' && p[i] <= '9') {
            corr_piece_digit(piece, p[i] - '0');

            if (grouped && i + 1 < whole && (whole - i) % 3 == 1) {
                corr_piece_byte(piece, 0xd9);
                corr_piece_byte(piece, 0xac);
            }

        } else if (p[i] == '.') {
            corr_piece_byte(piece, 0xd9);
            corr_piece_byte(piece, 0xab);

        } else if (p[i] == '-') {
            corr_piece_byte(piece, 0xe2);
            corr_piece_byte(piece, 0x80);
            corr_piece_byte(piece, 0x8e);
            corr_piece_byte(piece, 0xe2);
            corr_piece_byte(piece, 0x88);
            corr_piece_byte(piece, 0x92);

        } else {
            corr_piece_byte(piece, p[i]);
        }
    }
}


static int
corr_label(corr_rendering_t *w, corr_str_t name, corr_str_t value,
    corr_str_t *text)
{
    if (w->r->label == NULL) {
        return CORR_INVALID;
    }

    return w->r->label(w->r->label_data, name, value, text);
}


static int
corr_write_label(corr_rendering_t *w, corr_str_t field, corr_str_t value,
    int raw)
{
    corr_str_t  text;

    if (corr_label(w, field, value, &text) != CORR_OK) {
        return CORR_OK;
    }

    return corr_write_text(w, text, raw);
}


static int
corr_write_number(corr_rendering_t *w, corr_form_e form, corr_str_t field,
    const unsigned char *number, size_t n, int raw)
{
    corr_piece_t  piece = { .len = 0 };

    if (form == CORR_FORM_NONE) {
        form = (w->flags & CORR_TEMPLATE_SPEC) ? CORR_FORM_ASCII
                                               : CORR_FORM_FA;
    }

    switch (form) {

    case CORR_FORM_ASCII:
    case CORR_FORM_URL:
        return corr_rendering_write(w, number, n);

    case CORR_FORM_LABEL:
        return corr_write_label(w, field, corr_make_str(number, n), raw);

    case CORR_FORM_FA:
    case CORR_FORM_GROUPED:
        corr_piece_localize(&piece, number, n, form == CORR_FORM_GROUPED);
        return corr_write_piece(w, &piece);

    default:
        return CORR_OK;
    }
}


/* How long somebody has to wait: never told shorter than it is. */

static int
corr_write_span(corr_rendering_t *w, int64_t seconds, int raw)
{
    int            rc;
    uint64_t       n;
    corr_str_t     unit;
    corr_piece_t   piece = { .len = 0 };

    n = (seconds < 0) ? 0 : (uint64_t) seconds;

    if (n <= CORR_SPAN_SECONDS) {
        unit = CORR_STR("seconds");

    } else if (n <= CORR_SPAN_MINUTES) {
        unit = CORR_STR("minutes");
        n = (n + CORR_MINUTE - 1) / CORR_MINUTE;

    } else {
        unit = CORR_STR("hours");
        n = (n + CORR_HOUR - 1) / CORR_HOUR;
    }

    corr_piece_number(&piece, n, 1);
    corr_piece_byte(&piece, ' ');

    rc = corr_write_piece(w, &piece);

    return (rc == CORR_OK) ? corr_write_label(w, CORR_STR("span"), unit, raw)
                           : rc;
}


/* Text with its digits converted, by chunks: a rendering allocates nothing. */

static int
corr_write_digits(corr_rendering_t *w, corr_str_t s, int persian, int raw)
{
    int                   rc, digit;
    size_t                n, size;
    unsigned char         chunk[CORR_FORM_CHUNK];
    const unsigned char  *p = s.data, *last = p + s.len;

    while (p < last) {
        for (n = 0; p < last && n < sizeof(chunk) - 1; /* void */ ) {
            digit = corr_digit_at(p, last, &size);

            if (digit < 0) {
                chunk[n++] = *p++;
                continue;
            }

            p += size;

            if (persian) {
                chunk[n++] = 0xdb;
                chunk[n++] = (unsigned char) (0xb0 + digit);

            } else {
                chunk[n++] = (unsigned char) ('0' + digit);
            }
        }

        rc = corr_write_text(w, corr_make_str(chunk, n), raw);
        if (rc != CORR_OK) {
            return rc;
        }
    }

    return CORR_OK;
}


static int
corr_write_string(corr_rendering_t *w, corr_form_e form, corr_str_t field,
    corr_str_t s, int raw)
{
    switch (form) {

    case CORR_FORM_NONE:
        return corr_write_text(w, s, raw);

    case CORR_FORM_FA:
    case CORR_FORM_ASCII:
        return corr_write_digits(w, s, form == CORR_FORM_FA, raw);

    case CORR_FORM_LABEL:
        return corr_write_label(w, field, s, raw);

    case CORR_FORM_URL:
        return corr_escape_write(CORR_ESCAPE_URL, s, corr_rendering_write,
                                 w);

    default:
        return CORR_OK;
    }
}


static int
corr_write_bytes(corr_rendering_t *w, corr_form_e form, corr_str_t s)
{
    int            rc;
    size_t         i;
    corr_piece_t   piece = { .len = 0 };

    static const char  hex[] = "0123456789abcdef";

    if (form != CORR_FORM_NONE && form != CORR_FORM_URL) {
        return CORR_OK;
    }

    for (i = 0; i < s.len; i++) {
        corr_piece_byte(&piece, (unsigned char) hex[s.data[i] >> 4]);
        corr_piece_byte(&piece, (unsigned char) hex[s.data[i] & 15]);

        if (piece.len == sizeof(piece.data) || i == s.len - 1) {
            rc = corr_write_piece(w, &piece);
            if (rc != CORR_OK) {
                return rc;
            }

            piece.len = 0;
        }
    }

    return CORR_OK;
}


static void
corr_piece_short_date(corr_piece_t *piece, const corr_date_t *date)
{
    corr_piece_number(piece, (uint64_t) date->year, 4);
    corr_piece_byte(piece, '/');
    corr_piece_number(piece, (uint64_t) date->month, 2);
    corr_piece_byte(piece, '/');
    corr_piece_number(piece, (uint64_t) date->day, 2);
}


/* Day, name of the month, year; digits only where the month has no name. */

static int
corr_write_date(corr_rendering_t *w, const corr_date_t *date, int raw)
{
    int            rc;
    size_t         n;
    corr_str_t     month;
    corr_piece_t   piece = { .len = 0 };
    unsigned char  number[CORR_VALUE_TEXT];

    n = corr_int_text(number, date->month);

    if (corr_label(w, CORR_STR("month"), corr_make_str(number, n), &month)
        != CORR_OK)
    {
        corr_piece_short_date(&piece, date);
        return corr_write_piece(w, &piece);
    }

    corr_piece_number(&piece, (uint64_t) date->day, 1);
    corr_piece_byte(&piece, ' ');

    rc = corr_write_piece(w, &piece);
    if (rc == CORR_OK) {
        rc = corr_write_text(w, month, raw);
    }

    if (rc != CORR_OK) {
        return rc;
    }

    piece.len = 0;
    corr_piece_byte(&piece, ' ');
    corr_piece_number(&piece, (uint64_t) date->year, 1);

    return corr_write_piece(w, &piece);
}


static int
corr_write_clock(corr_rendering_t *w, const corr_moment_t *m, int seconds)
{
    corr_piece_t  piece = { .len = 0 };

    corr_piece_number(&piece, (uint64_t) m->hour, 2);
    corr_piece_byte(&piece, ':');
    corr_piece_number(&piece, (uint64_t) m->minute, 2);

    if (seconds) {
        corr_piece_byte(&piece, ':');
        corr_piece_number(&piece, (uint64_t) m->second, 2);
    }

    return corr_write_piece(w, &piece);
}


/* The date, the message time_at, the clock. */

static int
corr_write_moment(corr_rendering_t *w, const corr_moment_t *m, int seconds,
    int raw)
{
    int  rc;

    rc = corr_write_date(w, &m->jalali, raw);
    if (rc == CORR_OK) {
        rc = corr_write_label(w, CORR_STR("time"), CORR_STR("at"), raw);
    }

    if (rc == CORR_OK) {
        rc = corr_rendering_write(w, " ", 1);
    }

    return (rc == CORR_OK) ? corr_write_clock(w, m, seconds) : rc;
}


/*
 * "Three minutes ago": the number and the message ago_minutes; in the
 * future after_minutes.  CORR_INVALID: too far, or the message is not there.
 */

static int
corr_write_ago(corr_rendering_t *w, int64_t usec, int raw)
{
    int            rc;
    int64_t        seconds;
    uint64_t       n;
    corr_str_t     unit, text;
    corr_piece_t   piece = { .len = 0 };

    if (__builtin_sub_overflow(w->r->now, usec, &seconds)) {
        return CORR_INVALID;
    }

    seconds /= CORR_USEC;
    n = (uint64_t) (seconds < 0 ? -seconds : seconds);

    if (n < CORR_MINUTE) {
        rc = corr_label(w, CORR_STR("ago"), CORR_STR("now"), &text);
        return (rc == CORR_OK) ? corr_write_text(w, text, raw) : CORR_INVALID;
    }

    if (n < CORR_HOUR) {
        unit = CORR_STR("minutes");
        n /= CORR_MINUTE;

    } else if (n < CORR_DAYS) {
        unit = CORR_STR("hours");
        n /= CORR_HOUR;

    } else if (n < (uint64_t) CORR_AGO_DAYS * CORR_DAYS) {
        unit = CORR_STR("days");
        n /= CORR_DAYS;

    } else {
        return CORR_INVALID;
    }

    rc = corr_label(w, (seconds < 0) ? CORR_STR("after") : CORR_STR("ago"),
                    unit, &text);
    if (rc != CORR_OK) {
        return CORR_INVALID;
    }

    corr_piece_number(&piece, n, 1);
    corr_piece_byte(&piece, ' ');

    rc = corr_write_piece(w, &piece);

    return (rc == CORR_OK) ? corr_write_text(w, text, raw) : rc;
}


static int
corr_write_time(corr_rendering_t *w, corr_form_e form, int64_t usec, int raw)
{
    int             rc;
    corr_piece_t    piece = { .len = 0 };
    corr_moment_t   m;

    if (form == CORR_FORM_ISO) {
        piece.len = corr_iso_time(piece.data, usec, w->r->utc_offset);
        return corr_write_piece(w, &piece);
    }

    if (corr_moment(usec, w->r->utc_offset, &m) != CORR_OK) {
        return CORR_OK;
    }

    switch (form) {

    case CORR_FORM_AGO:
        rc = corr_write_ago(w, usec, raw);
        return (rc == CORR_INVALID) ? corr_write_date(w, &m.jalali, raw) : rc;

    case CORR_FORM_NONE:
    case CORR_FORM_SECONDS:
        return corr_write_moment(w, &m, form == CORR_FORM_SECONDS, raw);

    case CORR_FORM_DATE:
        return corr_write_date(w, &m.jalali, raw);

    case CORR_FORM_SHORT:
        corr_piece_short_date(&piece, &m.jalali);
        return corr_write_piece(w, &piece);

    case CORR_FORM_TIME:
        return corr_write_clock(w, &m, 0);

    default:
        return CORR_OK;
    }
}


static int
corr_write_day(corr_rendering_t *w, corr_form_e form, int64_t days, int raw)
{
    corr_date_t   date;
    corr_piece_t  piece = { .len = 0 };

    if (form == CORR_FORM_ISO) {
        piece.len = corr_iso_date(piece.data, days);
        return corr_write_piece(w, &piece);
    }

    if (corr_jalali_from_days(days, &date) != CORR_OK) {
        return CORR_OK;
    }

    switch (form) {

    case CORR_FORM_NONE:
    case CORR_FORM_DATE:
        return corr_write_date(w, &date, raw);

    case CORR_FORM_SHORT:
        corr_piece_short_date(&piece, &date);
        return corr_write_piece(w, &piece);

    default:
        return CORR_OK;
    }
}


int
corr_form_write(corr_rendering_t *w, const corr_value_t *value,
    corr_form_e form, corr_str_t field, int raw)
{
    size_t          n;
    corr_str_t      text;
    unsigned char   number[CORR_VALUE_TEXT];

    switch (value->kind) {

    case CORR_BOOL:
        text = value->n ? CORR_STR("true") : CORR_STR("false");
        return corr_write_string(w, form, field, text, raw);

    case CORR_INT:
        if (form == CORR_FORM_SPAN) {
            return corr_write_span(w, value->n, raw);
        }

        n = corr_int_text(number, value->n);
        return corr_write_number(w, form, field, number, n, raw);

    case CORR_FLOAT:
        n = corr_float_text(number, value->d);
        return corr_write_number(w, form, field, number, n, raw);

    case CORR_TEXT:
        return corr_write_string(w, form, field, value->s, raw);

    case CORR_TIME:
        return corr_write_time(w, form, value->n, raw);

    case CORR_DATE:
        return corr_write_day(w, form, value->n, raw);

    case CORR_BYTES:
        return corr_write_bytes(w, form, value->s);

    default:
        return CORR_OK;
    }
}
