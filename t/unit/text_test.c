#include "tap.h"
#include "text.h"


#define ZWNJ   "\xe2\x80\x8c"


static void
test_utf8(void)
{
    uint32_t              c;
    unsigned              wrong;
    unsigned char         buf[4], *last;
    const unsigned char  *p;
    corr_str_t            s;

    wrong = 0;

    for (c = 0; c <= 0x10ffff; c++) {
        if (c >= 0xd800 && c <= 0xdfff) {
            continue;
        }

        last = corr_utf8_put(buf, c);
        p = buf;
        wrong += (corr_utf8_next(&p, last) != c || p != last);
    }

    is_int(wrong, 0, "every character is written and read back");

    s = CORR_STR("a\u06cc\u4e2d\U0001f600z");

    is_int((long long) corr_utf8_length(s), 5, "length in characters");
    is_text(corr_utf8_prefix(s, 0), "", "a prefix of none");
    is_text(corr_utf8_prefix(s, 3), "a\u06cc\u4e2d", "a prefix of three");
    is_text(corr_utf8_prefix(s, 4), "a\u06cc\u4e2d\U0001f600", "of four");
    is_str(corr_utf8_prefix(s, 99), s, "of more than there are");

    s = exact(0, CORR_STR("ab\xf0\x9f\x98"));
    ok(!corr_utf8_valid(s), "a cut character is not valid");
    is_int((long long) corr_utf8_length(s), 5, "each bad byte counts as one");
}


static void
clean(const char *name, unsigned flags, corr_str_t in, const char *expected)
{
    int         rc;
    corr_str_t  out;

    rc = corr_text_clean(tap_alloc(), exact(0, in), flags, &out);

    if (expected == NULL) {
        is_int(rc, CORR_INVALID, name);
        return;
    }

    if (rc != CORR_OK) {
        is_int(rc, CORR_OK, name);
        return;
    }

    is_text(out, expected, name);
}


static void
test_clean(void)
{
    clean("Arabic yeh and kaf", 0, CORR_STR("\u0639\u0644\u064a \u0643"),
          "\u0639\u0644\u06cc \u06a9");
    clean("tatweel", 0, CORR_STR("\u0633\u0640\u0640\u0644"), "\u0633\u0644");
    clean("blanks", 0, CORR_STR(" \t a \u00a0\u2003 b\r\nc \n"), "a b c");
    clean("lines", CORR_TEXT_LINES, CORR_STR("\n\n a  b \r\n\r\n\r\n\nc\rd\n"),
          "a b\n\nc\nd");
    clean("ZWNJ inside a word stays", 0,
          CORR_STR("\u0645\u06cc" ZWNJ "\u0634\u0648\u062f"),
          "\u0645\u06cc" ZWNJ "\u0634\u0648\u062f");
    clean("ZWNJ at ends, beside a space, twice", 0,
          CORR_STR(ZWNJ "\u0645" ZWNJ " \u0645 " ZWNJ "\u0645" ZWNJ ZWNJ
                   "\u0645" ZWNJ),
          "\u0645 \u0645 \u0645" ZWNJ "\u0645");
    clean("overrides go", CORR_TEXT_LINES, CORR_STR("a\u202egpj.exe\u2069"),
          "agpj.exe");
    clean("hamza and madda of their own", 0,
          CORR_STR("\u0627\u0653\u0648\u0654\u064a\u0654\u0627\u0655"),
          "\u0622\u0624\u0626\u0625");
    clean("tatweel between them", 0, CORR_STR("\u0627\u0640\u0653"), "\u0622");
    clean("digits stay", 0, CORR_STR("\u06f1\u06612"), "\u06f1\u06612");
    clean("empty", 0, CORR_STR(""), "");
    clean("nothing but blanks", CORR_TEXT_LINES, CORR_STR(" \n \u200c "), "");
    clean("NUL", 0, CORR_STR("a\0b"), NULL);
    clean("ESC", CORR_TEXT_LINES, CORR_STR("a\x1b[0m"), NULL);
    clean("DEL", 0, CORR_STR("a\x7f"), NULL);
    clean("C1", 0, CORR_STR("a\xc2\x9b"), NULL);
    clean("a noncharacter", 0, CORR_STR("a\xef\xbf\xbe"), NULL);
    clean("not UTF-8", 0, CORR_STR("a\xff"), NULL);
    clean("a cut character", 0, CORR_STR("a\xd8"), NULL);
}


static int
same(corr_str_t a, corr_str_t b)
{
    corr_str_t  x, y;

    return corr_text_search(tap_alloc(), exact(0, a), &x) == CORR_OK
           && corr_text_search(tap_alloc(), exact(1, b), &y) == CORR_OK
           && corr_str_eq(x, y);
}


static void
test_search(void)
{
    ok(same(CORR_STR("\u0645\u06cc" ZWNJ "\u0634\u0648\u062f"),
            CORR_STR("\u0645\u064a \u0634\u0648\u062f")), "ZWNJ is a space");
    ok(same(CORR_STR("\u0622\u0630\u0631"), CORR_STR("\u0627\u0630\u0631")),
       "alef with madda is alef");
    ok(same(CORR_STR("\u0627\u0653\u0630\u0631"),
            CORR_STR("\u0622\u0630\u0631")), "in two characters too");
    ok(same(CORR_STR("\u0645\u0633\u0624\u0648\u0644"),
            CORR_STR("\u0645\u0633\u0648\u0648\u0644")), "waw with hamza");
    ok(same(CORR_STR("\u0627\u0645\u0636\u0627\u0621"),
            CORR_STR("\u0627\u0645\u0636\u0627")), "a last hamza");
    ok(same(CORR_STR("\u0645\u064f\u062d\u064e\u0645\u0651\u062f"),
            CORR_STR("\u0645\u062d\u0645\u062f")), "marks");
    ok(same(CORR_STR("\u06f1\u0662\u06f3 ABC"), CORR_STR("123 abc")),
       "digits and case");
    ok(same(CORR_STR("a \u064b b"), CORR_STR("a b")), "a mark between blanks");
    ok(!same(CORR_STR("\u0628\u0627\u0631"), CORR_STR("\u0628\u0631")),
       "other words stay other words");
}


static void
filename(const char *in, const char *expected)
{
    corr_str_t  out;

    is_int(corr_text_filename(tap_alloc(), exact(0, corr_cstr(in)), 16, &out),
           CORR_OK, in);
    is_text(out, expected, "  its name");
}


static void
test_filename(void)
{
    corr_str_t  out;

    filename("a.jpg", "a.jpg");
    filename("C:\\Users\\me\\a.jpg", "a.jpg");
    filename("/etc/passwd", "passwd");
    filename("../..", "");
    filename("dir/", "");
    filename("...hidden.png", "hidden.png");
    filename("a.hta. .", "a.hta");
    filename("0123456789abcd..efghijklmnop", "0123456789abcd");
    filename("a\r\nb\x01.pdf", "a b .pdf");
    filename("a:b*c?d\"e<f>g|h.jpg", "a_b_c_d_e_f_.jpg");
    filename("\u202egpj.exe", "gpj.exe");
    filename("0123456789abcdefghij.jpeg", "0123456789a.jpeg");
    filename("\u0633\u0633\u0633\u0633\u0633\u0633\u0633\u0633\u0633\u0633"
             "\u0633\u0633\u0633\u0633\u0633\u0633\u0633.pdf",
             "\u0633\u0633\u0633\u0633\u0633\u0633\u0633\u0633\u0633\u0633"
             "\u0633\u0633.pdf");
    filename("0123456789abcdefghij.verylongext", "0123456789abcdef");

    is_int(corr_text_filename(tap_alloc(), CORR_STR("a\xff.jpg"), 16, &out),
           CORR_INVALID, "a name that is not UTF-8");
}


int
main(void)
{
    test_utf8();
    test_clean();
    test_search();
    test_filename();

    return tap_done();
}
