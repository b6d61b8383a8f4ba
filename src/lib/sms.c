#include "sms.h"
#include "text.h"


/* Septets of GSM 7-bit for a character: 1, 2 (escaped), or 0: not in it. */

static unsigned
corr_gsm_septets(uint32_t c)
{
    /* what the default alphabet has beyond ASCII, in order */
    static const unsigned short  beyond[] = {
        0x00a1, 0x00a3, 0x00a4, 0x00a5, 0x00a7, 0x00bf, 0x00c4, 0x00c5,
        0x00c6, 0x00c7, 0x00c9, 0x00d1, 0x00d6, 0x00d8, 0x00dc, 0x00df,
        0x00e0, 0x00e4, 0x00e5, 0x00e6, 0x00e8, 0x00e9, 0x00ec, 0x00f1,
        0x00f2, 0x00f6, 0x00f8, 0x00f9, 0x00fc, 0x0393, 0x0394, 0x0398,
        0x039b, 0x039e, 0x03a0, 0x03a3, 0x03a6, 0x03a8, 0x03a9
    };

    size_t  i;

    switch (c) {

    case '\f':
    case '[':
    case '\\':
    case ']':
    case '^':
    case '{':
    case '|':
    case '}':
    case '~':
    case 0x20ac:
        return 2;

    case '`':
        return 0;

    case '\n':
    case '\r':
        return 1;
    }

    if (c >= 0x20 && c < 0x7f) {
        return 1;
    }

    for (i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++) {
        if (beyond[i] == c) {
            return 1;
        }
    }

    return 0;
}


static unsigned
corr_sms_width(uint32_t c, unsigned ucs2)
{
    if (ucs2) {
        return (c > 0xffff) ? 2 : 1;
    }

    return corr_gsm_septets(c);
}


/* Does the text need UCS-2?  CORR_INVALID when it is not UTF-8. */

static int
corr_sms_alphabet(corr_str_t text, unsigned *ucs2)
{
    uint32_t              c;
    const unsigned char  *p, *last;

    p = text.data;
    last = p + text.len;
    *ucs2 = 0;

    while (p < last) {
        c = corr_utf8_next(&p, last);

        if (c == CORR_UTF8_BAD) {
            return CORR_INVALID;
        }

        if (*ucs2 == 0 && corr_gsm_septets(c) == 0) {
            *ucs2 = 1;
        }
    }

    return CORR_OK;
}


int
corr_sms_count(corr_str_t text, corr_sms_t *sms)
{
    size_t                single, part, used, width;
    const unsigned char  *p, *last;

    if (corr_sms_alphabet(text, &sms->ucs2) != CORR_OK) {
        return CORR_INVALID;
    }

    single = sms->ucs2 ? 70 : 160;
    part = sms->ucs2 ? 67 : 153;

    sms->units = 0;
    sms->parts = 0;
    used = part;

    p = text.data;
    last = p + text.len;

    while (p < last) {
        width = corr_sms_width(corr_utf8_next(&p, last), sms->ucs2);
        sms->units += width;

        if (used + width > part) {
            sms->parts++;
            used = 0;
        }

        used += width;
    }

    if (sms->units <= single) {
        sms->parts = (sms->units > 0);
        sms->left = single - sms->units;

    } else {
        sms->left = part - used;
    }

    return CORR_OK;
}


unsigned
corr_sms_cuts(corr_str_t text, size_t from, size_t len)
{
    size_t                part, used, width, parts, first;
    corr_sms_t            sms;
    const unsigned char  *p, *at, *last;

    if (corr_sms_count(text, &sms) != CORR_OK || sms.parts < 2) {
        return 0;
    }

    part = sms.ucs2 ? 67 : 153;
    used = 0;
    parts = 0;
    first = 0;

    p = text.data;
    last = text.data + from + len;

    while (p < last) {
        at = p;
        width = corr_sms_width(corr_utf8_next(&p, text.data + text.len),
                               sms.ucs2);

        if (used + width > part) {
            parts++;
            used = 0;
        }

        used += width;

        if (at == text.data + from) {
            first = parts;
        }
    }

    return first != parts;
}
