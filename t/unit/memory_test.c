/*
 * Every function that asks for memory, refused it at its first, second, ...
 * asking: it must say so, and nothing else may happen.
 */

#include "tap.h"
#include "digits.h"
#include "escape.h"
#include "ids.h"
#include "text.h"
#include "tracking.h"
#include "urlencoded.h"


typedef struct {
    unsigned    left;
    unsigned    asked;
} budget_t;


static void *
budget_alloc(void *pool, size_t size)
{
    budget_t  *budget = pool;

    budget->asked++;

    if (budget->left == 0) {
        return NULL;
    }

    budget->left--;

    return corr_alloc(tap_alloc(), size);
}


static int
as_rc(corr_str_t s)
{
    return s.data ? CORR_OK : CORR_ERROR;
}


static int
use_ascii(const corr_alloc_t *a)
{
    return as_rc(corr_digits_ascii(a, CORR_STR("1")));
}


static int
use_persian(const corr_alloc_t *a)
{
    return as_rc(corr_digits_persian(a, CORR_STR("1")));
}


static int
use_escape(const corr_alloc_t *a)
{
    return as_rc(corr_escape(a, CORR_ESCAPE_HTML, CORR_STR("<")));
}


static int
use_dup(const corr_alloc_t *a)
{
    return as_rc(corr_str_dup(a, CORR_STR("x")));
}


static int
use_clean(const corr_alloc_t *a)
{
    corr_str_t  out;

    return corr_text_clean(a, CORR_STR("x"), 0, &out);
}


static int
use_filename(const corr_alloc_t *a)
{
    corr_str_t  out;

    return corr_text_filename(a, CORR_STR("x.png"), 64, &out);
}


static int
use_query(const corr_alloc_t *a)
{
    int            rc;
    unsigned       i;
    corr_fields_t  f;

    corr_fields_init(&f, a, NULL);

    rc = corr_query_parse(&f, CORR_STR("a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8&i=9"));

    for (i = 0; i < f.nfields; i++) {
        if (f.field[i].name.len != 1 || f.field[i].value.len != 1) {
            abort();
        }
    }

    return rc;
}


static void
exhaust(const char *name, int (*use)(const corr_alloc_t *a))
{
    int           rc;
    unsigned      n, wrong;
    budget_t      budget;
    corr_alloc_t  a = { budget_alloc, &budget };

    wrong = 0;
    rc = CORR_ERROR;

    for (n = 0; n < 100 && rc != CORR_OK; n++) {
        budget.left = n;
        budget.asked = 0;
        rc = use(&a);

        if (rc != CORR_OK) {
            wrong += (rc != CORR_ERROR || budget.asked <= n);
        }
    }

    ok(rc == CORR_OK && n > 1 && wrong == 0, "%s: %u askings", name, n - 1);
}


static const struct {
    const char     *name;
    corr_check_pt   check;
    const char     *in;
} checks[] = {
    { "national code", corr_check_national_code, "0012345679" },
    { "mobile", corr_check_mobile, "09121234567" },
    { "phone", corr_check_phone, "02188123456" },
    { "e-mail", corr_check_email, "a@b.ir" },
    { "uuid", corr_check_uuid, "01234567-89ab-cdef-0123-456789abcdef" },
    { "code", corr_check_code, "12345" },
    { "tracking", corr_check_tracking, "0000000" }
};

static unsigned  check_index;


static int
use_check(const corr_alloc_t *a)
{
    int         rc;
    corr_str_t  out;

    rc = checks[check_index].check(a, corr_cstr(checks[check_index].in), &out);

    return (rc == CORR_CHECKSUM) ? CORR_OK : rc;
}


int
main(void)
{
    exhaust("digits to ASCII", use_ascii);
    exhaust("digits to Persian", use_persian);
    exhaust("escape", use_escape);
    exhaust("copy", use_dup);
    exhaust("clean", use_clean);
    exhaust("file name", use_filename);
    exhaust("query", use_query);

    for (check_index = 0; check_index < sizeof(checks) / sizeof(checks[0]);
         check_index++)
    {
        exhaust(checks[check_index].name, use_check);
    }

    return tap_done();
}
