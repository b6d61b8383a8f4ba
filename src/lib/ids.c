#include "ids.h"
#include "digits.h"


static int
corr_all_digits(corr_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') {
            return 0;
        }
    }

    return 1;
}


static int
corr_all_equal(corr_str_t s)
{
    size_t  i;

    for (i = 1; i < s.len; i++) {
        if (s.data[i] != s.data[0]) {
            return 0;
        }
    }

    return 1;
}


/* What was typed as ASCII digits, between min and max of them. */

static int
corr_ids_digits(const corr_alloc_t *a, corr_str_t s, size_t min, size_t max,
    corr_str_t *out)
{
    *out = corr_digits_clean(a, s);

    if (out->data == NULL) {
        return CORR_ERROR;
    }

    if (out->len < min || out->len > max || !corr_all_digits(*out)) {
        return CORR_INVALID;
    }

    return CORR_OK;
}


int
corr_check_national_code(const corr_alloc_t *a, corr_str_t s,
    corr_str_t *out)
{
    int       rc;
    unsigned  i, sum, check;

    rc = corr_ids_digits(a, s, 10, 10, out);
    if (rc != CORR_OK) {
        return rc;
    }

    sum = 0;

    for (i = 0; i < 9; i++) {
        sum += (out->data[i] - '0') * (10 - i);
    }

    sum %= 11;
    check = (sum < 2) ? sum : 11 - sum;

    if ((unsigned) (out->data[9] - '0') != check || corr_all_equal(*out)) {
        return CORR_CHECKSUM;
    }

    return CORR_OK;
}


int
corr_check_legal_id(const corr_alloc_t *a, corr_str_t s, corr_str_t *out)
{
    int       rc;
    unsigned  i, d, sum;

    static const unsigned  weights[] = { 29, 27, 23, 19, 17 };

    rc = corr_ids_digits(a, s, 11, 11, out);
    if (rc != CORR_OK) {
        return rc;
    }

    d = (unsigned) (out->data[9] - '0') + 2;
    sum = 0;

    for (i = 0; i < 10; i++) {
        sum += ((unsigned) (out->data[i] - '0') + d) * weights[i % 5];
    }

    sum %= 11;

    if ((unsigned) (out->data[10] - '0') != sum % 10 || corr_all_equal(*out)) {
        return CORR_CHECKSUM;
    }

    return CORR_OK;
}


/*
 * Takes the country's or the trunk prefix off: +98, 0098, 0, and 98 when
 * enough digits follow it for that to be one.
 */

static corr_str_t
corr_ids_national_part(corr_str_t s)
{
    size_t  i;

    static const corr_str_t  prefixes[] = {
        corr_str("+98"), corr_str("0098"), corr_str("0")
    };

    for (i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        if (s.len > prefixes[i].len
            && memcmp(s.data, prefixes[i].data, prefixes[i].len) == 0)
        {
            return corr_make_str(s.data + prefixes[i].len,
                                 s.len - prefixes[i].len);
        }
    }

    if (s.len == 12 && s.data[0] == '9' && s.data[1] == '8') {
        return corr_make_str(s.data + 2, 10);
    }

    return s;
}


/* 0 and ten digits, in new memory. */

static int
corr_ids_with_trunk(const corr_alloc_t *a, corr_str_t part, corr_str_t *out)
{
    out->len = CORR_MOBILE_LEN;
    out->data = corr_alloc(a, CORR_MOBILE_LEN + 1);
    if (out->data == NULL) {
        return CORR_ERROR;
    }

    out->data[0] = '0';
    memcpy(out->data + 1, part.data, CORR_MOBILE_LEN - 1);
    out->data[CORR_MOBILE_LEN] = '\0';

    return CORR_OK;
}


int
corr_check_mobile(const corr_alloc_t *a, corr_str_t s, corr_str_t *out)
{
    corr_str_t  part;

    *out = corr_digits_clean(a, s);
    if (out->data == NULL) {
        return CORR_ERROR;
    }

    part = corr_ids_national_part(*out);

    if (part.len != 10 || part.data[0] != '9' || !corr_all_digits(part)) {
        return CORR_INVALID;
    }

    return corr_ids_with_trunk(a, part, out);
}


int
corr_check_postal_code(const corr_alloc_t *a, corr_str_t s, corr_str_t *out)
{
    int     rc;
    size_t  i;

    rc = corr_ids_digits(a, s, 10, 10, out);
    if (rc != CORR_OK) {
        return rc;
    }

    for (i = 0; i < 5; i++) {
        if (out->data[i] == '0' || out->data[i] == '2') {
            return CORR_INVALID;
        }
    }

    if (corr_all_equal(corr_make_str(out->data, 4))) {
        return CORR_INVALID;
    }

    return CORR_OK;
}


int
corr_check_phone(const corr_alloc_t *a, corr_str_t s, corr_str_t *out)
{
    size_t      i, n;
    corr_str_t  part;

    *out = corr_digits_clean(a, s);
    if (out->data == NULL) {
        return CORR_ERROR;
    }

    for (i = 0, n = 0; i < out->len; i++) {
        switch (out->data[i]) {

        case '(':
        case ')':
        case '.':
        case '/':
            break;

        default:
            out->data[n++] = out->data[i];
        }
    }

    out->len = n;

    part = corr_ids_national_part(*out);

    if (part.len != 10 || !corr_all_digits(part)
        || part.data[0] == '0' || part.data[0] == '9' || part.data[2] < '2')
    {
        return CORR_INVALID;
    }

    return corr_ids_with_trunk(a, part, out);
}


int
corr_check_registration_number(const corr_alloc_t *a, corr_str_t s,
    corr_str_t *out)
{
    int  rc;

    rc = corr_ids_digits(a, s, 1, 10, out);
    if (rc != CORR_OK) {
        return rc;
    }

    while (out->len && out->data[0] == '0') {
        out->data++;
        out->len--;
    }

    return out->len ? CORR_OK : CORR_INVALID;
}


int
corr_check_code(const corr_alloc_t *a, corr_str_t s, corr_str_t *out)
{
    return corr_ids_digits(a, s, 4, 10, out);
}


static int
corr_email_local(corr_str_t s)
{
    size_t         i;
    unsigned char  c;

    if (s.len == 0 || s.len > 64 || s.data[0] == '.'
        || s.data[s.len - 1] == '.')
    {
        return 0;
    }

    for (i = 0; i < s.len; i++) {
        c = s.data[i];

        if (c <= 0x20 || c >= 0x7f || strchr("()<>[]:;@\\,\"", c) != NULL
            || (c == '.' && s.data[i - 1] == '.'))
        {
            return 0;
        }
    }

    return 1;
}


static int
corr_is_alnum(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')
           || (c >= 'A' && c <= 'Z');
}


/* Labels of letters, digits and inner dashes, two of them at least. */

static int
corr_email_host(corr_str_t s)
{
    size_t  i, start, labels;

    start = 0;
    labels = 0;

    for (i = 0; i <= s.len; i++) {
        if (i < s.len && s.data[i] != '.') {
            if (!corr_is_alnum(s.data[i]) && s.data[i] != '-') {
                return 0;
            }

            continue;
        }

        if (i == start || i - start > 63 || s.data[start] == '-'
            || s.data[i - 1] == '-')
        {
            return 0;
        }

        start = i + 1;
        labels++;
    }

    return labels >= 2;
}


int
corr_check_email(const corr_alloc_t *a, corr_str_t s, corr_str_t *out)
{
    size_t          i;
    corr_str_t      host;
    unsigned char  *at;

    while (s.len && s.data[0] == ' ') {
        s.data++;
        s.len--;
    }

    while (s.len && s.data[s.len - 1] == ' ') {
        s.len--;
    }

    *out = corr_str_dup(a, s);
    if (out->data == NULL) {
        return CORR_ERROR;
    }

    at = memchr(out->data, '@', out->len);

    if (at == NULL || out->len > 254) {
        return CORR_INVALID;
    }

    host = corr_make_str(at + 1, (size_t) (out->data + out->len - at - 1));

    if (!corr_email_host(host)
        || !corr_email_local(corr_make_str(out->data,
                                           (size_t) (at - out->data))))
    {
        return CORR_INVALID;
    }

    for (i = 0; i < host.len; i++) {
        if (host.data[i] >= 'A' && host.data[i] <= 'Z') {
            host.data[i] |= 0x20;
        }
    }

    return CORR_OK;
}


int
corr_check_uuid(const corr_alloc_t *a, corr_str_t s, corr_str_t *out)
{
    size_t         i;
    unsigned char  c;

    if (s.len != 36) {
        return CORR_INVALID;
    }

    *out = corr_str_dup(a, s);
    if (out->data == NULL) {
        return CORR_ERROR;
    }

    for (i = 0; i < 36; i++) {
        c = out->data[i];

        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (c != '-') {
                return CORR_INVALID;
            }

            continue;
        }

        if (c >= 'A' && c <= 'F') {
            c |= 0x20;
        }

        if ((c < '0' || c > '9') && (c < 'a' || c > 'f')) {
            return CORR_INVALID;
        }

        out->data[i] = c;
    }

    return CORR_OK;
}


int
corr_mobile_mask(corr_str_t mobile, corr_str_t *first, corr_str_t *last)
{
    if (mobile.len != CORR_MOBILE_LEN || !corr_all_digits(mobile)) {
        return CORR_INVALID;
    }

    *first = corr_make_str(mobile.data, CORR_MOBILE_FIRST);
    *last = corr_make_str(mobile.data + CORR_MOBILE_FIRST
                          + CORR_MOBILE_HIDDEN, CORR_MOBILE_LAST);

    return CORR_OK;
}


/*
 * An answer is short: it is cleaned in a buffer here, so that comparing
 * needs no memory and cannot fail for want of it.
 */

typedef struct {
    unsigned char   data[128];
    unsigned        used;
} corr_answer_t;


static void *
corr_answer_alloc(void *pool, size_t size)
{
    unsigned char  *p;
    corr_answer_t  *answer = pool;

    if (size > sizeof(answer->data) - answer->used) {
        return NULL;
    }

    p = answer->data + answer->used;
    answer->used += (unsigned) size;

    return p;
}


int
corr_mobile_answers(corr_str_t mobile, corr_str_t answer)
{
    size_t                i;
    corr_str_t            given;
    corr_alloc_t          alloc;
    corr_answer_t         memory;
    volatile unsigned     differ;
    const unsigned char  *right;

    if (mobile.len != CORR_MOBILE_LEN) {
        return 0;
    }

    memory.used = 0;
    alloc.alloc = corr_answer_alloc;
    alloc.pool = &memory;

    right = mobile.data;

    if (corr_check_mobile(&alloc, answer, &given) != CORR_OK) {
        memory.used = 0;
        right += CORR_MOBILE_FIRST;

        if (corr_ids_digits(&alloc, answer, CORR_MOBILE_HIDDEN,
                            CORR_MOBILE_HIDDEN, &given)
            != CORR_OK)
        {
            return 0;
        }
    }

    differ = 0;

    for (i = 0; i < given.len; i++) {
        differ |= (unsigned) (given.data[i] ^ right[i]);
    }

    return differ == 0;
}
