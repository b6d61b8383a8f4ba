/* Headers: Cookie (split in two by a zero byte), Accept, local paths. */

#include "fuzz.h"
#include "accept.h"
#include "cookie.h"
#include "escape.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                   rc;
    size_t                i;
    corr_str_t            headers[2], value, all;
    const unsigned char  *zero;

    all = corr_make_str(data, size);
    headers[0] = all;
    headers[1] = corr_make_str(data, 0);

    zero = size ? memchr(data, '\0', size) : NULL;

    if (zero) {
        headers[0].len = (size_t) (zero - data);
        headers[1] = corr_make_str(zero + 1, size - headers[0].len - 1);
    }

    rc = corr_cookie_find(headers, 2, CORR_STR("sid"), &value);
    must((rc == CORR_OK) == (value.data != NULL));

    if (rc == CORR_OK) {
        must(value.data >= data && value.data + value.len <= data + size);
        must(memchr(value.data, ';', value.len) == NULL);
    }

    (void) corr_accept_json(all);
    (void) corr_header_value_valid(all);

    if (corr_path_local(all)) {
        must(all.data[0] == '/');
        must(size < 2 || (all.data[1] != '/' && all.data[1] != '\\'));

        for (i = 0; i < size; i++) {
            must(all.data[i] > 0x20 && all.data[i] < 0x7f);
        }
    }

    return 0;
}
