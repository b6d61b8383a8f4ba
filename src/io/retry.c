/*
 * Trying again: how long to wait, and what to say about it.
 */

#include "retry.h"


#define CORR_RETRY_MIN     100
#define CORR_RETRY_MAX     2000
#define CORR_RETRY_CALM    10000
#define CORR_COMPLAINT     60000


ngx_msec_t
corr_retry_delay(corr_retry_t *retry, ngx_msec_t calm)
{
    ngx_msec_t  delay;

    if (ngx_current_msec - retry->failed_at > CORR_RETRY_CALM + calm) {
        retry->attempts = 0;
    }

    retry->failed_at = ngx_current_msec;

    delay = CORR_RETRY_MIN << ngx_min(retry->attempts, 8);
    delay = ngx_min(delay, CORR_RETRY_MAX);

    retry->attempts++;

    return delay / 2 + (ngx_msec_t) ngx_random() % (delay / 2 + 1);
}


void
corr_retry_reset(corr_retry_t *retry)
{
    retry->attempts = 0;
}


ngx_uint_t
corr_complaint_level(corr_complaint_t *last, const char *text)
{
    uint32_t  hash;

    /* 0 is for nothing said */

    hash = ngx_crc32_short((u_char *) text, ngx_strlen(text)) | 1;

    if (hash == last->hash && ngx_current_msec - last->at < CORR_COMPLAINT) {
        return NGX_LOG_INFO;
    }

    last->hash = hash;
    last->at = ngx_current_msec;

    return NGX_LOG_ERR;
}
