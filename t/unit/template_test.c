/*
 * Templates: refusals with their lines, limits, rows, typed forms and JSON.
 * What Mustache itself says is in t/mustache_spec.t.
 */

#include "tap.h"
#include "template.h"

#include "forms_expected.h"


#define TEST_NOW      INT64_C(1795352707000000)
#define TEST_TEHRAN   12600

#define CORR_COUNT(a) (sizeof(a) / sizeof((a)[0]))


static unsigned char  out[65536];
static size_t         out_len;
static unsigned       out_referred;
static size_t         out_fails_at;


static int
test_write(void *data, const void *p, size_t n)
{
    (void) data;

    if ((out_fails_at && out_len + n > out_fails_at)
        || out_len + n > sizeof(out))
    {
        return CORR_ERROR;
    }

    memcpy(out + out_len, p, n);
    out_len += n;

    return CORR_OK;
}


static int
test_refer(void *data, const void *p, size_t n)
{
    out_referred++;

    return test_write(data, p, n);
}


/* Partials: name, text, name, text, …, NULL */

static int
test_partial(void *data, corr_str_t name, corr_str_t *text)
{
    const char  **p;

    for (p = data; p != NULL && *p != NULL; p += 2) {
        if (corr_str_is(name, *p)) {
            *text = corr_cstr(p[1]);
            return CORR_OK;
        }
    }

    return corr_str_is(name, "unreadable") ? CORR_ERROR : CORR_INVALID;
}


static const char  *test_months[12];


static int
test_label(void *data, corr_str_t name, corr_str_t value, corr_str_t *text)
{
    size_t  i;

    static const char  *words[][3] = {
        { "status", "answered", "<پاسخ>" }, { "level", "3", "سوم" },
        { "on", "true", "روشن" }, { "time", "at", "، ساعت" },
        { "ago", "now", "اکنون" }, { "ago", "minutes", "دقیقه پیش" },
        { "ago", "hours", "ساعت پیش" }, { "ago", "days", "روز پیش" },
        { "after", "minutes", "دقیقه بعد" }, { "after", "hours", "ساعت بعد" },
        { "after", "days", "روز دیگر" }, { "span", "seconds", "ثانیه" },
        { "span", "minutes", "دقیقه" }, { "span", "hours", "ساعت" }
    };

    (void) data;

    for (i = 0; i < 12 && corr_str_is(name, "month"); i++) {
        char  number[8];

        snprintf(number, sizeof(number), "%zu", i + 1);

        if (corr_str_is(value, number) && test_months[i] != NULL) {
            *text = corr_cstr(test_months[i]);
            return CORR_OK;
        }
    }

    for (i = 0; i < CORR_COUNT(words); i++) {
        if (corr_str_is(name, words[i][0]) && corr_str_is(value, words[i][1]))
        {
            *text = corr_cstr(words[i][2]);
            return CORR_OK;
        }
    }

    return CORR_INVALID;
}


static corr_render_t  test_how = {
    .label = test_label, .now = TEST_NOW, .utc_offset = TEST_TEHRAN
};

static corr_sink_t  test_sink = { test_write, test_refer, NULL };


static corr_template_t *
test_compile(unsigned flags, const char **partials, const char *text,
    corr_template_error_t *error)
{
    corr_templates_t  *set;

    set = corr_templates_create(tap_alloc(), flags, test_partial, partials);

    return corr_template_compile(set, CORR_STR("page"), corr_cstr(text),
                                 error);
}


static corr_str_t
test_render(unsigned flags, const char **partials, const char *text,
    const corr_view_t *view)
{
    int                    rc;
    corr_template_t       *t;
    corr_template_error_t  error;

    out_len = 0;
    out_referred = 0;

    t = test_compile(flags, partials, text, &error);
    if (t == NULL) {
        printf("# line %u: %s\n", error.line, error.text);
        return CORR_STR("(does not compile)");
    }

    rc = corr_template_render(t, &test_how, view, NULL, &test_sink);
    if (rc != CORR_OK) {
        return (rc == CORR_LIMIT) ? CORR_STR("(limit)") : CORR_STR("(error)");
    }

    return corr_make_str(out, out_len);
}


static void
test_errors(void)
{
    size_t                 i;
    corr_template_t       *t;
    corr_templates_t      *set;
    corr_template_error_t  error;

    static const char  *partials[] = {
        "good", "fine\n", "bad", "one\ntwo {{#a}}\n{{/b}}\n", "outer",
        "\n{{>bad}}", "self", "a {{>self}}", "ping", "{{>pong}}",
        "pong", "\n\n{{#x}}{{>ping}}{{/x}}", "twice", "{{>good}}{{>good}}",
        NULL
    };

    static const struct {
        const char  *text;
        unsigned     flags;
        const char  *name;              /* NULL: it compiles */
        unsigned     line;
    } cases[] = {
        { "a\nb {{c", 0, "page", 2 },
        { "\n\n{{{a}}\n", 0, "page", 3 },
        { "{{#a}}\n{{#b}}\n", 0, "page", 2 },
        { "{{#a}}\r\n{{#b}}\r\n{{/a}}{{/b}}", 0, "page", 3 },
        { "\n{{/a}}", 0, "page", 2 },
        { "{{! a\nb\nc }}\n{{a b}}", 0, "page", 4 },
        { "{{}}", 0, "page", 1 }, { "{{ }}", 0, "page", 1 },
        { "{{a..b}}", 0, "page", 1 }, { "{{.a}}", 0, "page", 1 },
        { "{{a.}}", 0, "page", 1 }, { "{{..}}", 0, "page", 1 },
        { "{{a.b.c.d.e.f.g.h}}", 0, NULL, 0 },
        { "{{a.b.c.d.e.f.g.h.i}}", 0, "page", 1 },
        { "{{a\"}}", 0, "page", 1 }, { "{{*a}}", 0, "page", 1 },
        { "{{$a}}{{/a}}", 0, "page", 1 }, { "{{<a}}", 0, "page", 1 },
        { "{{=a}}", 0, "page", 1 }, { "{{=a =}}", 0, "page", 1 },
        { "{{=a b c=}}", 0, "page", 1 }, { "{{=a= =b=}}", 0, "page", 1 },
        { "{{=<<<<<<<<<<<<<<<<< >=}}", 0, "page", 1 },
        { "{{>}}", 0, "page", 1 }, { "{{>../a}}", 0, "page", 1 },
        { "{{>/a}}", 0, "page", 1 }, { "{{>a/}}", 0, "page", 1 },
        { "{{>a//b}}", 0, "page", 1 }, { "{{>*a}}", 0, "page", 1 },
        { "\n{{>none}}", 0, NULL, 0 },
        { "\n{{>none}}", CORR_TEMPLATE_STRICT, "page", 2 },
        { "\n{{>unreadable}}", 0, "page", 2 },
        { "\n{{>bad}}", 0, "bad", 3 },
        { "\n{{>outer}}", 0, "bad", 3 },
        { "{{>good}}{{>twice}}{{>good}}", CORR_TEMPLATE_STRICT, NULL, 0 },
        { "{{>self}}", 0, NULL, 0 },
        { "{{>self}}", CORR_TEMPLATE_STRICT, "self", 1 },
        { "{{>ping}}", CORR_TEMPLATE_STRICT, "pong", 3 },
        { "{{{a}}}", 0, NULL, 0 }, { "{{&a}}", 0, NULL, 0 },
        { "\n{{{a}}}", CORR_TEMPLATE_STRICT, "page", 2 },
        { "\n{{& a}}", CORR_TEMPLATE_STRICT, "page", 2 },
        { "{{=<% %>=}}\n<%{a}%>", CORR_TEMPLATE_STRICT, "page", 2 },
        { "{{=<% %>=}}<%&a%>", CORR_TEMPLATE_STRICT, "page", 1 }
    };

    for (i = 0; i < CORR_COUNT(cases); i++) {
        set = corr_templates_create(tap_alloc(), cases[i].flags,
                                    test_partial, partials);
        t = corr_template_compile(set, CORR_STR("page"),
                                  exact(0, corr_cstr(cases[i].text)),
                                  &error);

        if (cases[i].name == NULL) {
            ok(t != NULL, "%zu: compiles", i);
            continue;
        }

        if (!ok(t == NULL, "%zu: is refused: %s", i, error.text)
            || !is_text(error.name, cases[i].name, "in its place")
            || !is_int(error.line, cases[i].line, "at its line"))
        {
            printf("# %s\n", cases[i].text);
        }
    }
}


static void
test_depth(void)
{
    int                    i;
    char                   text[33 * 14 + 1], *p;
    corr_view_t           *view;
    corr_template_error_t  error;

    static const char  *partials[] = { "p", "x{{>p}}", NULL };

    for (i = 0, p = text; i < 33; i++) {
        p += sprintf(p, "{{#a}}");
    }

    for (i = 0; i < 33; i++) {
        p += sprintf(p, "{{/a}}");
    }

    ok(test_compile(0, NULL, text, &error) == NULL, "33 sections deep");

    p[-6] = '\0';
    ok(test_compile(0, NULL, text + 6, &error) != NULL, "32 sections deep");

    view = corr_view_create(tap_alloc());
    corr_view_flag(view, "a", 1);

    is_text(test_render(0, partials, "{{>p}}", view), "(limit)",
            "a partial without end");
    is_int((long long) out_len, 32, "ends at 32");
}


static void
test_limits(void)
{
    int                    i;
    corr_view_t           *view;
    corr_template_t       *t;
    corr_template_error_t  error;

    view = corr_view_create(tap_alloc());
    corr_view_text(view, "a", CORR_STR("<>"));

    for (i = 0; i < 101; i++) {
        corr_view_append(view, "l");
    }

    t = test_compile(0, NULL, "12{{a}}", &error);

    test_how.limit = 10;
    out_len = 0;
    is_int(corr_template_render(t, &test_how, view, NULL, &test_sink),
           CORR_OK, "as much output as allowed");

    test_how.limit = 9;
    out_len = 0;
    is_int(corr_template_render(t, &test_how, view, NULL, &test_sink),
           CORR_LIMIT, "a byte more");
    ok(out_len <= 9, "nothing is written past the limit");

    out_len = 0;
    is_int(corr_view_json(view, &test_how, &test_sink), CORR_LIMIT,
           "the limit of JSON");

    test_how.limit = 0;
    is_text(test_render(0, NULL, "{{#l}}{{#l}}{{#l}}{{/l}}{{/l}}{{/l}}",
                        view),
            "(limit)", "a million turns");

    for (i = 1; i < 10; i++) {
        out_fails_at = (size_t) i;
        out_len = 0;

        is_int(corr_template_render(t, &test_how, view, NULL, &test_sink),
               CORR_ERROR, "a sink that fails");
    }

    out_fails_at = 0;
}


static void
test_static_text(void)
{
    char          text[600];
    corr_view_t  *view;

    view = corr_view_create(tap_alloc());
    corr_view_text(view, "a", CORR_STR("x"));

    memset(text, 'y', sizeof(text));
    strcpy(text + 590, "{{a}}");

    test_render(0, NULL, text, view);
    is_int(out_referred, 1, "long text is referred to");

    test_render(0, NULL, text + 500, view);
    is_int(out_referred, 0, "short text is copied");
}


/* Two tables in one another. */

typedef struct {
    int64_t      id;
    int64_t      parent;
    const char  *text;
} test_row_t;


static void
test_cell(const corr_rows_t *rows, unsigned row, unsigned column,
    corr_value_t *value)
{
    const test_row_t  *r = (const test_row_t *) rows->data + row;

    switch (column) {

    case 0:
        *value = (corr_value_t) { .kind = CORR_INT, .n = r->id };
        break;

    case 1:
        *value = (corr_value_t) { .kind = CORR_INT, .n = r->parent };
        break;

    default:
        value->kind = r->text ? CORR_TEXT : CORR_NULL;
        value->s = r->text ? corr_cstr(r->text)
                           : (corr_str_t) corr_null_str;
    }
}


static void
test_table(corr_rows_t *rows, test_row_t *data, unsigned n)
{
    unsigned  i;

    static const char  *names[] = { "id", "parent", "text" };

    memset(rows, 0, sizeof(corr_rows_t));
    rows->nrows = n;
    rows->ncolumns = 3;
    rows->cell = test_cell;
    rows->data = data;
    rows->columns = corr_alloc(tap_alloc(), 3 * sizeof(corr_column_t));

    for (i = 0; i < 3; i++) {
        rows->columns[i].name = corr_cstr(names[i]);
        rows->columns[i].hash = corr_name_hash(rows->columns[i].name);
        rows->columns[i].kind = (i == 2) ? CORR_TEXT : CORR_INT;
    }
}


static void
test_rows(void)
{
    corr_rows_t   letters, answers, files, none;
    corr_view_t  *view;

    static test_row_t  letter[] = { { 3, 0, "c" }, { 2, 0, NULL },
                                    { 1, 0, "a" } };
    static test_row_t  answer[] = { { 31, 3, "<x>" }, { 32, 3, "y" },
                                    { 11, 1, "z" } };
    static test_row_t  file[] = { { 7, 32, "f" }, { 8, 32, "g" },
                                  { 9, 11, "h" } };

    test_table(&letters, letter, 3);
    test_table(&answers, answer, 3);
    test_table(&files, file, 3);
    test_table(&none, NULL, 0);

    corr_rows_nest(tap_alloc(), &letters, "id", "answers", &answers,
                   "parent");
    corr_rows_nest(tap_alloc(), &answers, "id", "files", &files, "parent");

    view = corr_view_create(tap_alloc());
    corr_view_rows(view, "letters", &letters);
    corr_view_rows(view, "none", &none);
    corr_view_text(view, "text", CORR_STR("root"));
    corr_view_text(view, "base", CORR_STR("/p"));

    is_text(test_render(CORR_TEMPLATE_SPEC, NULL,
                        "{{#letters}}{{id}}{{text}}{{base}} {{/letters}}",
                        view),
            "3c/p 2/p 1a/p ", "rows; a null column hides outer names");

    is_text(test_render(CORR_TEMPLATE_SPEC, NULL,
                        "{{#letters}}{{id}}({{#answers}}{{text}}[{{#files}}"
                        "{{text}}{{parent}} {{/files}}]{{/answers}}"
                        "{{^answers}}-{{/answers}}){{/letters}}", view),
            "3(&lt;x&gt;[]y[f32 g32 ])2(-)1(z[h11 ])", "nested tables");

    is_text(test_render(CORR_TEMPLATE_SPEC, NULL,
                        "{{#none}}x{{/none}}{{^none}}empty{{/none}}"
                        "{{#none.any}}x{{/none.any}}"
                        "{{#letters.any}}some {{letters.count}}"
                        "{{/letters.any}}{{#letters}}{{answers.count}}"
                        "{{/letters}}", view),
            "emptysome 3201", "empty tables, .any and .count");

    is_text(test_render(0, NULL, "[{{letters}}{{letters.text}}{{#letters}}"
                        "{{.}}{{/letters}}]", view),
            "[]", "a table is no text");

    out_len = 0;
    is_int(corr_view_json(view, &test_how, &test_sink), CORR_OK, "as JSON");
    is_text(corr_make_str(out, out_len),
            "{\"letters\":[{\"id\":3,\"parent\":0,\"text\":\"c\",\"answers\":["
            "{\"id\":31,\"parent\":3,\"text\":\"\\u003cx\\u003e\",\"files\":[]}"
            ",{\"id\":32,\"parent\":3,\"text\":\"y\",\"files\":["
            "{\"id\":7,\"parent\":32,\"text\":\"f\"},"
            "{\"id\":8,\"parent\":32,\"text\":\"g\"}]}]},"
            "{\"id\":2,\"parent\":0,\"text\":null,\"answers\":[]},"
            "{\"id\":1,\"parent\":0,\"text\":\"a\",\"answers\":["
            "{\"id\":11,\"parent\":1,\"text\":\"z\",\"files\":["
            "{\"id\":9,\"parent\":11,\"text\":\"h\"}]}]}],"
            "\"none\":[],\"text\":\"root\",\"base\":\"/p\"}",
            "nested as it is");
}


static corr_str_t
test_form(const char *text, corr_value_t value)
{
    corr_view_t  *view;

    view = corr_view_create(tap_alloc());
    corr_view_value(view, "v", value);

    return test_render(CORR_TEMPLATE_STRICT, NULL, text, view);
}


static void
test_numbers(void)
{
    size_t        i;
    char          text[32];
    corr_value_t  value;

    for (i = 0; i < CORR_COUNT(expected_integers); i++) {
        value = (corr_value_t) { .kind = CORR_INT,
                                 .n = expected_integers[i].n };
        snprintf(text, sizeof(text), "%lld", (long long) value.n);

        is_text(test_form("{{v}}", value), expected_integers[i].plain, text);
        is_text(test_form("{{v.fa}}", value), expected_integers[i].plain,
                ".fa");
        is_text(test_form("{{v.grouped}}", value),
                expected_integers[i].grouped, ".grouped");
        is_text(test_form("{{v.ascii}}", value), text, ".ascii");
    }

    for (i = 0; i < CORR_COUNT(expected_floats); i++) {
        value = (corr_value_t) { .kind = CORR_FLOAT,
                                 .d = expected_floats[i].d };

        is_text(test_form("{{v}}", value), expected_floats[i].plain,
                expected_floats[i].machine);
        is_text(test_form("{{v.grouped}}", value),
                expected_floats[i].grouped, ".grouped");
        is_text(test_form("{{v.ascii}}", value), expected_floats[i].machine,
                ".ascii");
    }

    value = (corr_value_t) { .kind = CORR_FLOAT, .d = 1.0 / 0.0 };
    is_text(test_form("[{{v}}]", value), "[]", "infinity is nothing");
}


static void
test_times(void)
{
    size_t        i, month;
    char          text[128];
    corr_value_t  value, day;

    for (i = 0; i < CORR_COUNT(expected_times); i++) {
        value = (corr_value_t) { .kind = CORR_TIME,
                                 .n = expected_times[i].usec };
        day = (corr_value_t) { .kind = CORR_DATE,
                               .n = (value.n / 1000000 + TEST_TEHRAN)
                                    / 86400 };

        /* the month's name comes from the messages: find which one */

        is_text(test_form("{{v.date}}", value), expected_times[i].shortly,
                "without its name the month is a number");

        for (month = 0; month < 12; month++) {
            test_months[month] = expected_times[i].month;
        }

        is_text(test_form("{{v.date}}", value), expected_times[i].date,
                expected_times[i].iso);
        is_text(test_form("{{v}}", day), expected_times[i].date, "a date");

        snprintf(text, sizeof(text), "%s، ساعت %s", expected_times[i].date,
                 expected_times[i].time);
        is_text(test_form("{{v}}", value), text, "date and hour");

        snprintf(text, sizeof(text), "%s، ساعت %s", expected_times[i].date,
                 expected_times[i].seconds);
        is_text(test_form("{{v.seconds}}", value), text, ".seconds");

        is_text(test_form("{{v.short}}", value), expected_times[i].shortly,
                ".short");
        is_text(test_form("{{v.short}}", day), expected_times[i].shortly,
                ".short of a date");
        is_text(test_form("{{v.time}}", value), expected_times[i].time,
                ".time");
        is_text(test_form("{{v.iso}}", value), expected_times[i].iso,
                ".iso");
        is_str(test_form("{{v.iso}}", day),
               corr_make_str(expected_times[i].iso, 10), ".iso of a date");

        memset(test_months, 0, sizeof(test_months));
    }

    value.n = INT64_MAX;
    is_text(test_form("[{{v}}{{v.iso}}{{v.ago}}]", value), "[]",
            "a time out of the calendar");
    day.n = INT64_MIN;
    is_text(test_form("[{{v}}{{v.iso}}]", day), "[]", "a date out of it");
}


static void
test_ago(void)
{
    size_t        i;
    corr_value_t  value = { .kind = CORR_TIME };

    for (i = 0; i < CORR_COUNT(expected_ago); i++) {
        value.n = TEST_NOW + expected_ago[i].seconds * 1000000;
        is_text(test_form("{{v.ago}}", value), expected_ago[i].text,
                ".ago");
    }

    value.n = TEST_NOW - 59999999;
    is_text(test_form("{{v.ago}}", value), "اکنون", "less than a minute");

    value.n = TEST_NOW - INT64_C(30) * 86400 * 1000000;
    is_text(test_form("{{v.ago}}", value), "۱۴۰۵/۰۸/۰۱",
            "a month ago is a date");
}


static void
test_span(void)
{
    size_t        i;
    corr_value_t  value = { .kind = CORR_INT };

    static const struct {
        int64_t      seconds;
        const char  *text;
    } spans[] = {
        { -5, "۰ ثانیه" }, { 0, "۰ ثانیه" }, { 1, "۱ ثانیه" },
        { 120, "۱۲۰ ثانیه" }, { 121, "۳ دقیقه" }, { 900, "۱۵ دقیقه" },
        { 901, "۱۶ دقیقه" }, { 7200, "۱۲۰ دقیقه" }, { 7201, "۳ ساعت" },
        { 86400, "۲۴ ساعت" },
        { INT64_MAX, "۲۵۶۲۰۴۷۷۸۸۰۱۵۲۱۶ ساعت" }
    };

    for (i = 0; i < CORR_COUNT(spans); i++) {
        value.n = spans[i].seconds;
        is_text(test_form("{{v.span}}", value), spans[i].text, ".span");
    }

    value.kind = CORR_TEXT;
    value.s = CORR_STR("90");
    is_text(test_form("[{{v.span}}]", value), "[]", "a text has no span");
}


static void
test_texts(void)
{
    char          text[700], expected[1400];
    unsigned      i;
    corr_view_t  *view;

    view = corr_view_create(tap_alloc());
    corr_view_cstr(view, "s", "کد ۱2٣ <&>");
    corr_view_cstr(view, "status", "answered");
    corr_view_cstr(view, "other", "unheard");
    corr_view_int(view, "level", 3);
    corr_view_flag(view, "on", 1);
    corr_view_flag(view, "off", 0);
    corr_view_value(view, "hash",
                    (corr_value_t) { .kind = CORR_BYTES,
                                     .s = CORR_STR("\x00\x7f\xff") });
    corr_view_cstr(corr_view_object(view, "letter"), "status", "answered");

    is_text(test_render(CORR_TEMPLATE_STRICT, NULL,
                        "{{s}}|{{s.fa}}|{{s.ascii}}|{{s.url}}", view),
            "کد ۱2٣ &lt;&amp;&gt;|کد ۱۲۳ &lt;&amp;&gt;|"
            "کد 123 &lt;&amp;&gt;|"
            "%DA%A9%D8%AF%20%DB%B12%D9%A3%20%3C%26%3E", "forms of a text");

    is_text(test_render(CORR_TEMPLATE_STRICT, NULL,
                        "{{status.label}}|{{letter.status.label}}|"
                        "{{level.label}}|{{on.label}}|[{{other.label}}]",
                        view),
            "&lt;پاسخ&gt;|&lt;پاسخ&gt;|سوم|روشن|[]", "labels");

    is_text(test_render(CORR_TEMPLATE_STRICT, NULL,
                        "{{on}} {{off}} {{hash}} [{{hash.fa}}{{on.iso}}"
                        "{{status.short}}{{level.date}}{{status.nothing}}"
                        "{{status.fa.fa}}{{none.fa}}]", view),
            "true false 007fff []", "forms that a value does not have");

    is_text(test_render(CORR_TEMPLATE_PLAIN, NULL,
                        "{{s}} {{{s}}} {{status.label}} {{level}}", view),
            "کد ۱2٣ <&> کد ۱2٣ <&> <پاسخ> ۳", "plain text is not escaped");

    is_text(test_render(CORR_TEMPLATE_STRICT, NULL,
                        "<{{#status.label}}{{#s.fa}}.{{/s.fa}}"
                        "{{/status.label}}>", view),
            "<.>", "a form in a section is its value");

    for (i = 0; i < sizeof(text) - 1; i++) {
        text[i] = (char) ('0' + i % 10);
        expected[i * 2] = '\xdb';
        expected[i * 2 + 1] = (char) (0xb0 + i % 10);
    }

    text[i] = '\0';
    expected[i * 2] = '\0';
    corr_view_cstr(view, "s", text);

    is_text(test_render(0, NULL, "{{s.fa}}", view), expected,
            "a long text by chunks");
}


static void
test_contexts(void)
{
    corr_view_t           *root, *common;
    corr_template_t       *t;
    corr_template_error_t  error;

    root = corr_view_create(tap_alloc());
    common = corr_view_create(tap_alloc());
    corr_view_cstr(root, "a", "root");
    corr_view_cstr(common, "a", "common");
    corr_view_cstr(common, "b", "common");
    corr_view_cstr(corr_view_object(common, "assets"), "portal_css", "p.css");

    t = test_compile(CORR_TEMPLATE_STRICT, NULL,
                     "{{a}} {{b}} {{assets.portal_css}}", &error);
    out_len = 0;
    is_int(corr_template_render(t, &test_how, root, common, &test_sink),
           CORR_OK, "rendering with shared values");
    is_text(corr_make_str(out, out_len), "root common p.css",
            "root first, then common");

    is_int(corr_template_render(t, &test_how, NULL, common, &test_sink),
           CORR_ERROR, "no view");
    is_int(corr_view_json(NULL, &test_how, &test_sink), CORR_ERROR,
           "no view as JSON");
}


static void
test_json(void)
{
    corr_list_t  *list;
    corr_view_t  *view;

    view = corr_view_create(tap_alloc());
    corr_view_cstr(view, "text", "</script> \"\\\n\x01\xe2\x80\xa8 سلام");
    corr_view_text(view, "bad", CORR_STR("a\xff\xc3(\xe2\x82"));
    corr_view_time(view, "time", TEST_NOW + 999999);
    corr_view_time(view, "never", INT64_MAX);
    corr_view_date(view, "date", 20779);
    corr_view_flag(view, "flag", 0);
    corr_view_int(view, "least", INT64_MIN);
    corr_view_value(view, "float", (corr_value_t) { .kind = CORR_FLOAT,
                                                    .d = 0.1 });
    corr_view_value(view, "inf", (corr_value_t) { .kind = CORR_FLOAT,
                                                  .d = 1.0 / 0.0 });
    corr_view_value(view, "null", (corr_value_t) { .kind = CORR_NULL });
    corr_view_value(view, "bytes",
                    (corr_value_t) { .kind = CORR_BYTES,
                                     .s = CORR_STR("\x01\xab") });

    list = corr_list_create(tap_alloc());
    corr_list_push(list, (corr_value_t) { .kind = CORR_INT, .n = 1 });
    corr_list_push(list, (corr_value_t) { .kind = CORR_TEXT });
    corr_view_value(view, "list", (corr_value_t) { .kind = CORR_LIST,
                                                   .list = list });
    corr_view_object(view, "empty");

    out_len = 0;
    is_int(corr_view_json(view, &test_how, &test_sink), CORR_OK, "JSON");
    is_text(corr_make_str(out, out_len),
            "{\"text\":\"\\u003c/script\\u003e \\\"\\\\\\n\\u0001\\u2028 سلام\","
            "\"bad\":\"a\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\","
            "\"time\":\"2026-11-22T16:35:07+03:30\",\"never\":null,"
            "\"date\":\"2026-11-22\",\"flag\":false,"
            "\"least\":-9223372036854775808,\"float\":0.1,\"inf\":null,"
            "\"null\":null,\"bytes\":\"01ab\",\"list\":[1,\"\"],"
            "\"empty\":{}}", "each kind in its machine form");
}


int
main(void)
{
    test_errors();
    test_depth();
    test_limits();
    test_static_text();
    test_rows();
    test_numbers();
    test_times();
    test_ago();
    test_span();
    test_texts();
    test_contexts();
    test_json();

    return tap_done();
}
