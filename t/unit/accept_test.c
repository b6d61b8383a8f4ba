#include "tap.h"
#include "accept.h"


int
main(void)
{
    size_t  i;

    static const struct {
        const char  *accept;
        int          json;
    } cases[] = {
        { "application/json", 1 },
        { "Application/JSON", 1 },
        { "application/json;charset=utf-8", 1 },
        { "application/json, text/plain, */*", 1 },         /* axios */
        { "application/json, text/javascript, */*; q=0.01", 1 },
        { "text/html;q=0.8, application/json", 1 },
        { "application/*", 1 },
        { "text/html;q=0, */*", 1 },
        { "application/json;q=0.5, text/*;q=0.4", 1 },
        { ",, application/json ,", 1 },
        { "x/y;a=\"b,c;q=0\", application/json", 1 },

        { "", 0 },
        { "*/*", 0 },                                       /* curl */
        { "text/html", 0 },
        { "text/html,application/xhtml+xml,application/xml;q=0.9,"
          "image/avif,image/webp,*/*;q=0.8", 0 },           /* browsers */
        { "application/json, text/html", 0 },
        { "application/json;q=0.5, text/html", 0 },
        { "application/json;q=0.5, */*", 0 },
        { "application/json;q=0", 0 },
        { "application/json; q=0.000", 0 },
        { "application/json;q=2", 0 },
        { "application/json;q=1.001", 0 },
        { "application/json;q=.5", 0 },
        { "application/json;q=0.1234", 0 },
        { "application/json;q=", 0 },
        { "application/json, broken", 0 },
        { "application/json, ;q=1", 0 },
        { "application/jsonp", 0 },
        { "application/problem+json", 0 },
        { "text/*, application/json;q=0.9", 0 },
        { "x/y;a=\"application/json", 0 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is_int(corr_accept_json(exact(0, corr_cstr(cases[i].accept))),
               cases[i].json, cases[i].accept);
    }

    return tap_done();
}
