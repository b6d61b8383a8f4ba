/*
 * The JSON reader, its limits, and paths.
 */

#include "json.h"
#include "tap.h"


typedef struct {
    const char  *text;
    int          rc;
} test_text_t;


static int
test_parse(const char *text, corr_value_t *value)
{
    return corr_json_parse(tap_alloc(), exact(0, corr_cstr(text)), 0, value,
                           NULL);
}


static void
test_texts(void)
{
    size_t             i;
    corr_value_t       value;
    corr_json_error_t  error;

    static const test_text_t  texts[] = {
        { "{}", CORR_OK }, { "[]", CORR_OK }, { " 1 ", CORR_OK },
        { "\"a\"", CORR_OK }, { "null", CORR_OK }, { "-0", CORR_OK },
        { "{\"a\":[1,{\"b\":null}]}", CORR_OK },
        { "", CORR_INVALID }, { " ", CORR_INVALID }, { "{", CORR_INVALID },
        { "{\"a\":1", CORR_INVALID }, { "[1,", CORR_INVALID },
        { "[1,]", CORR_INVALID }, { "{\"a\"}", CORR_INVALID },
        { "{\"a\":1,}", CORR_INVALID }, { "{a:1}", CORR_INVALID },
        { "{1:1}", CORR_INVALID }, { "tru", CORR_INVALID },
        { "truex", CORR_INVALID }, { "\"a", CORR_INVALID },
        { "\"\\x\"", CORR_INVALID }, { "\"\\u12\"", CORR_INVALID },
        { "\"\n\"", CORR_INVALID }, { "1 2", CORR_INVALID },
        { "{}{}", CORR_INVALID }, { "[1]x", CORR_INVALID },
        { "01", CORR_INVALID }, { "1.", CORR_INVALID },
        { "+1", CORR_INVALID }, { ".5", CORR_INVALID },
        { "1e", CORR_INVALID }, { "-", CORR_INVALID },
        { "NaN", CORR_INVALID }, { "/* */ 1", CORR_INVALID },
        { "'a'", CORR_INVALID }, { "\"\xff\"", CORR_INVALID },
        { "\"\xc0\xaf\"", CORR_INVALID }, { "\"\xed\xa0\x80\"", CORR_INVALID },
        { "{\"\xf5\x80\x80\x80\":1}", CORR_INVALID },
        { "<html>", CORR_INVALID }, { "]", CORR_INVALID }
    };

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        is_int(test_parse(texts[i].text, &value), texts[i].rc,
               texts[i].text);
    }

    memset(&error, 0, sizeof(error));
    corr_json_parse(tap_alloc(), CORR_STR("[1, x]"), 0, &value, &error);
    is_int((long long) error.offset, 5, "where the error is");
    ok(error.text[0] != '\0', "and what: %s", error.text);
}


static void
test_values(void)
{
    corr_value_t  value;

    test_parse("-9223372036854775808", &value);
    ok(value.kind == CORR_INT && value.n == INT64_MIN, "the least integer");

    test_parse("9223372036854775807", &value);
    ok(value.kind == CORR_INT && value.n == INT64_MAX, "the greatest");

    test_parse("9223372036854775808", &value);
    ok(value.kind == CORR_TEXT, "one more is text");
    is_text(value.s, "9223372036854775808", "of its digits");

    test_parse("1.5e3", &value);
    ok(value.kind == CORR_FLOAT && value.d == 1500, "a float");

    test_parse("1e999", &value);
    ok(value.kind == CORR_TEXT, "no infinity");

    test_parse("\"\\u0633\\ud83d\\ude00\\n\\/\\\"\"", &value);
    is_text(value.s, "س😀\n/\"", "escapes");

    test_parse("\"a\\u0000b\"", &value);
    is_int((long long) value.s.len, 3, "a NUL is a character");

    test_parse("{\"a\":1,\"a\":2}", &value);
    corr_json_path(tap_alloc(), value, CORR_STR("a"), 0, &value);
    is_int(value.n, 2, "the last of two members");
}


static void
test_limits(void)
{
    char           text[CORR_JSON_MEMBERS * 16], *p;
    unsigned       i;
    corr_value_t   value;

    for (i = 0; i < CORR_JSON_DEPTH; i++) {
        text[i] = '[';
        text[2 * CORR_JSON_DEPTH - 1 - i] = ']';
    }

    text[2 * CORR_JSON_DEPTH] = '\0';
    is_int(test_parse(text, &value), CORR_OK, "as deep as allowed");

    memset(text, '[', 1000);
    text[1000] = '\0';
    is_int(test_parse(text, &value), CORR_LIMIT, "deeper");

    for (i = 0, p = text; i <= CORR_JSON_MEMBERS; i++) {
        p += sprintf(p, "%s\"%u\":1", i ? "," : "{", i);
    }

    strcpy(p, "}");
    is_int(test_parse(text, &value), CORR_LIMIT, "too many members");

    memset(text, '1', 5000);
    text[5000] = '\0';
    is_int(test_parse(text, &value), CORR_LIMIT, "too long a number");

    is_int(corr_json_parse(tap_alloc(), CORR_STR("[1]"), 3, &value, NULL),
           CORR_OK, "as long as allowed");
    is_int(corr_json_parse(tap_alloc(), CORR_STR("[1] "), 3, &value, NULL),
           CORR_LIMIT, "longer");
}


/* Cut anywhere it is no JSON; without memory anywhere it is an error. */

static void
test_truncated(void)
{
    size_t         i, wrong;
    corr_str_t     text = corr_str("{\"a\":[1,2.5,\"x\\u0041y\",true,null],"
                                   "\"b\":{\"c\":\"d\"}}");
    corr_value_t   value;
    corr_arena_t  *arena;

    for (i = 0, wrong = 0; i < text.len; i++) {
        wrong += corr_json_parse(tap_alloc(),
                                 exact(0, corr_make_str(text.data, i)), 0,
                                 &value, NULL)
                 != CORR_INVALID;
    }

    is_int((long long) wrong, 0, "cut short at every byte");

    for (i = 16, wrong = 0; i < 1000; i += 16) {
        arena = corr_arena_create(i);
        wrong += corr_json_parse(corr_arena_alloc(arena), text, 0, &value,
                                 NULL)
                 != CORR_ERROR;
        corr_arena_destroy(arena);
    }

    is_int((long long) wrong, 0, "too little memory");
}


/* What gateways answer. */

static void
test_paths(void)
{
    size_t        i;
    corr_str_t    text;
    corr_value_t  root, value;

    static const char  answer[] =
        "{\"result\":{\"data\":{\"response\":200,\"result\":null}},"
        "\"entries\":[{\"messageid\":85463238,\"status\":1},"
        "{\"messageid\":9223372036854775899,\"status\":10}],"
        "\"responseText\":\"{\\\"response\\\":600,\\\"list\\\":[true]}\","
        "\"twice\":\"{\\\"in\\\":\\\"[7]\\\"}\","
        "\"0\":\"zero\",\"matched\":false,\"cost\":1.5,"
        "\"bad\":\"{\\\"x\\\":\"}";

    static const struct {
        const char  *path;
        const char  *text;              /* NULL: leads nowhere */
    } paths[] = {
        { "result.data.response", "200" },
        { "result.data.result", "" },
        { "entries[0].messageid", "85463238" },
        { "entries.0.status", "1" },
        { "entries[1].messageid", "9223372036854775899" },
        { "responseText|json.response", "600" },
        { "responseText|json.list[0]", "true" },
        { "twice|json.in|json[0]", "7" },
        { "twice|json.in|json.0", "7" },
        { "0", "zero" },
        { "matched", "false" },
        { "cost", "1.5" },
        { "result.data", NULL },
        { "result.none", NULL },
        { "result.data.result.more", NULL },
        { "entries[2].status", NULL },
        { "entries.x", NULL },
        { "entries[99999999999999999999]", NULL },
        { "result[0]", NULL },
        { "matched|json", NULL },
        { "bad|json.x", NULL },
        { "responseText.response", NULL }
    };

    static const char  *bad[] = {
        "", ".", "a.", ".a", "a..b", "a[", "a[]", "a[x]", "a[-1]", "a[0",
        "a[0]b", "a|", "a|jso", "a|jsonx", "a|xml.b", "a]", "a|json.", "a[0]."
    };

    test_parse(answer, &root);

    for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        is_int(corr_json_path_check(corr_cstr(paths[i].path)),
               strchr(paths[i].path, '9') ? CORR_INVALID : CORR_OK,
               paths[i].path);

        if (corr_json_path(tap_alloc(), root,
                           exact(1, corr_cstr(paths[i].path)), 0, &value)
            != CORR_OK
            || corr_json_scalar(tap_alloc(), value, &text) != CORR_OK)
        {
            ok(paths[i].text == NULL, "%s: nothing there", paths[i].path);

        } else if (paths[i].text == NULL) {
            ok(0, "%s: nothing there", paths[i].path);

        } else {
            is_text(text, paths[i].text, paths[i].path);
        }
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(corr_json_path_check(exact(1, corr_cstr(bad[i]))) == CORR_INVALID,
           "no path: \"%s\"", bad[i]);
    }

    is_int(corr_json_path(tap_alloc(), root,
                          CORR_STR("responseText|json.response"), 5, &value),
           CORR_LIMIT, "the limit holds inside a text too");
}


int
main(void)
{
    test_texts();
    test_values();
    test_limits();
    test_truncated();
    test_paths();

    return tap_done();
}
