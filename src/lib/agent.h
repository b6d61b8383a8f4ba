/*
 * What a browser says of itself, in two words that a person knows again:
 * "chrome" on "android".  The header was never meant to be read by people,
 * and each browser claims to be most of the others; so the words are looked
 * for from the most particular to the most common (MDN, "Browser detection
 * using the user agent").
 */

#ifndef CORR_AGENT_H
#define CORR_AGENT_H

#include "base.h"


typedef struct {
    const char              *browser;   /* edge opera samsung … or NULL */
    const char              *device;    /* iphone android windows … or NULL */
} corr_agent_t;


/* Never fails: what is not known is NULL.  The words are static. */

void corr_agent_read(corr_str_t header, corr_agent_t *agent);


#endif /* CORR_AGENT_H */
