#include "fuzz.h"
#include "sms.h"
#include "text.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t       single, part;
    corr_str_t   s;
    corr_sms_t   sms;

    s = size ? corr_make_str(data, size) : CORR_STR("");

    must((corr_sms_count(s, &sms) == CORR_OK) == corr_utf8_valid(s));

    if (!corr_utf8_valid(s)) {
        return 0;
    }

    single = sms.ucs2 ? 70 : 160;
    part = sms.ucs2 ? 67 : 153;

    must((sms.units == 0) == (size == 0));
    must((sms.parts == 0) == (size == 0));
    must((sms.parts <= 1) == (sms.units <= single));
    must(sms.units <= size * 2 && sms.left <= single);

    /* at most one unit of a part is lost to a pair that did not fit */

    if (sms.parts > 1) {
        must(sms.units + sms.left <= sms.parts * part);
        must(sms.units + sms.left + sms.parts - 1 >= sms.parts * part);
    }

    return 0;
}
