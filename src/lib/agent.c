#include "agent.h"


typedef struct {
    const char              *mark;
    const char              *word;
} corr_agent_mark_t;


/* The first that is found counts. */

static const corr_agent_mark_t  corr_agent_browsers[] = {
    { "Edg/", "edge" },
    { "EdgA/", "edge" },
    { "EdgiOS/", "edge" },
    { "Edge/", "edge" },
    { "OPR/", "opera" },
    { "OPT/", "opera" },
    { "OPiOS/", "opera" },
    { "Opera", "opera" },
    { "SamsungBrowser/", "samsung" },
    { "MiuiBrowser/", "miui" },
    { "HuaweiBrowser/", "huawei" },
    { "UCBrowser/", "uc" },
    { "YaBrowser/", "yandex" },
    { "Firefox/", "firefox" },
    { "FxiOS/", "firefox" },
    { "Chrome/", "chrome" },
    { "CriOS/", "chrome" },
    { "Chromium/", "chrome" },
    { "MSIE ", "ie" },
    { "Trident/", "ie" },
    { "Safari/", "safari" },
    { NULL, NULL }
};

static const corr_agent_mark_t  corr_agent_devices[] = {
    { "iPad", "ipad" },
    { "iPhone", "iphone" },
    { "iPod", "iphone" },
    { "Android", "android" },
    { "CrOS", "chromeos" },
    { "Windows", "windows" },
    { "Macintosh", "mac" },
    { "Linux", "linux" },
    { "X11", "linux" },
    { NULL, NULL }
};


static int
corr_agent_has(corr_str_t s, const char *mark)
{
    size_t  i, len;

    len = strlen(mark);

    for (i = 0; i + len <= s.len; i++) {
        if (memcmp(s.data + i, mark, len) == 0) {
            return 1;
        }
    }

    return 0;
}


static const char *
corr_agent_find(corr_str_t s, const corr_agent_mark_t *marks)
{
    for ( /* void */ ; marks->mark; marks++) {
        if (corr_agent_has(s, marks->mark)) {
            return marks->word;
        }
    }

    return NULL;
}


void
corr_agent_read(corr_str_t header, corr_agent_t *agent)
{
    agent->browser = NULL;
    agent->device = NULL;

    if (header.len == 0) {
        return;
    }

    agent->browser = corr_agent_find(header, corr_agent_browsers);
    agent->device = corr_agent_find(header, corr_agent_devices);
}
