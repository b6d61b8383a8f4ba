#include "tap.h"
#include "sms.h"


/* The rule itself is in text_oracle.t; here its edges, by the standard. */

static void
count(const char *name, const char *unit, unsigned times, const char *more,
    unsigned ucs2, size_t parts, size_t left)
{
    char        text[4096];
    size_t      len;
    corr_sms_t  sms;

    for (len = 0; times; times--) {
        len += (size_t) snprintf(text + len, sizeof(text) - len, "%s", unit);
    }

    len += (size_t) snprintf(text + len, sizeof(text) - len, "%s", more);

    is_int(corr_sms_count(exact(0, corr_make_str(text, len)), &sms), CORR_OK,
           name);
    ok(sms.ucs2 == ucs2 && sms.parts == parts && sms.left == left,
       "  %u: %zu parts, %zu left", sms.ucs2, sms.parts, sms.left);
}


/* \u0633 so many times, then "888888": is that cut? */

static void
cut(unsigned before, unsigned after, unsigned is)
{
    char      text[1024];
    size_t    len = 0, from;
    unsigned  i;

    for (i = 0; i < before; i++) {
        len += (size_t) snprintf(text + len, sizeof(text) - len, "\u0633");
    }

    from = len;
    len += (size_t) snprintf(text + len, sizeof(text) - len, "888888");

    for (i = 0; i < after; i++) {
        len += (size_t) snprintf(text + len, sizeof(text) - len, "\u0633");
    }

    ok(corr_sms_cuts(exact(0, corr_make_str(text, len)), from, 6) == is,
       "%u units, a code, %u units: %s", before, after, is ? "cut" : "whole");
}


int
main(void)
{
    corr_sms_t  sms;

    cut(64, 0, 0);
    cut(61, 10, 0);
    cut(62, 10, 1);
    cut(66, 0, 1);
    cut(67, 0, 0);

    count("nothing", "", 0, "", 0, 0, 160);
    count("160 septets", "a", 160, "", 0, 1, 0);
    count("161", "a", 161, "", 0, 2, 145);
    count("306", "a", 306, "", 0, 2, 0);
    count("307", "a", 307, "", 0, 3, 152);
    count("extended in one", "a", 158, "[", 0, 1, 0);
    count("extended at a border", "a", 152, "[aaaaaaaaa", 0, 2, 142);
    count("70 units", "\u0633", 70, "", 1, 1, 0);
    count("71", "\u0633", 71, "", 1, 2, 63);
    count("134", "\u0633", 134, "", 1, 2, 0);
    count("135", "\u0633", 135, "", 1, 3, 66);
    count("a pair in one", "\u0633", 68, "\U0001f600", 1, 1, 0);
    count("a pair at a border", "\u0633", 66, "\U0001f600\u0633\u0633\u0633",
          1, 2, 62);

    is_int(corr_sms_count(exact(0, CORR_STR("a\xff")), &sms), CORR_INVALID,
           "not UTF-8");

    return tap_done();
}
