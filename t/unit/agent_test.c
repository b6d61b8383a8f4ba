/* What real browsers say, as their makers write it. */

#include "tap.h"

#include "agent.h"


static const struct {
    const char  *browser;
    const char  *device;
    const char  *header;
} cases[] = {
    { "chrome", "android", "Mozilla/5.0 (Linux; Android 10; K) "
      "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile "
      "Safari/537.36" },
    { "chrome", "windows", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) "
      "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 "
      "Safari/537.36" },
    { "chrome", "iphone", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac "
      "OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/120.0.6099.119 "
      "Mobile/15E148 Safari/604.1" },
    { "chrome", "chromeos", "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) "
      "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 "
      "Safari/537.36" },
    { "firefox", "linux", "Mozilla/5.0 (X11; Linux x86_64; rv:121.0) "
      "Gecko/20100101 Firefox/121.0" },
    { "firefox", "android", "Mozilla/5.0 (Android 14; Mobile; rv:121.0) "
      "Gecko/121.0 Firefox/121.0" },
    { "firefox", "ipad", "Mozilla/5.0 (iPad; CPU OS 14_2 like Mac OS X) "
      "AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/121.0 Mobile/15E148 "
      "Safari/605.1.15" },
    { "safari", "iphone", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac "
      "OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2 "
      "Mobile/15E148 Safari/604.1" },
    { "safari", "mac", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) "
      "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2 "
      "Safari/605.1.15" },
    { "edge", "windows", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) "
      "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 "
      "Safari/537.36 Edg/120.0.2210.91" },
    { "edge", "android", "Mozilla/5.0 (Linux; Android 10; HD1913) "
      "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.6099.144 Mobile "
      "Safari/537.36 EdgA/120.0.2210.84" },
    { "opera", "windows", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) "
      "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 "
      "Safari/537.36 OPR/106.0.0.0" },
    { "opera", "windows", "Opera/9.80 (Windows NT 6.1; WOW64) Presto/2.12.388 "
      "Version/12.18" },
    { "samsung", "android", "Mozilla/5.0 (Linux; Android 13; SAMSUNG "
      "SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/23.0 "
      "Chrome/115.0.0.0 Mobile Safari/537.36" },
    { "ie", "windows", "Mozilla/5.0 (Windows NT 6.1; Trident/7.0; rv:11.0) "
      "like Gecko" },
    { NULL, "android", "Mozilla/5.0 (Linux; Android 9)" },
    { NULL, NULL, "curl/8.5.0" },
    { NULL, NULL, "" }
};


static void
is_word(const char *got, const char *expected, const char *name)
{
    if (expected == NULL) {
        ok(got == NULL, name);
        return;
    }

    is_text(got ? corr_cstr(got) : CORR_STR("nothing"), expected, name);
}


int
main(void)
{
    size_t        i;
    corr_agent_t  agent;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        corr_agent_read(corr_cstr(cases[i].header), &agent);
        is_word(agent.browser, cases[i].browser, cases[i].header);
        is_word(agent.device, cases[i].device, "  its device");
    }

    corr_agent_read((corr_str_t) corr_null_str, &agent);
    ok(agent.browser == NULL && agent.device == NULL, "no header at all");

    return tap_done();
}
