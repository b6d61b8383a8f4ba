/*
 * Trying again: how long to wait, and what to say about it.
 */

#ifndef CORR_RETRY_H
#define CORR_RETRY_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


typedef struct {
    ngx_uint_t               attempts;
    ngx_msec_t               failed_at;
} corr_retry_t;


/*
 * Milliseconds until the next attempt: doubled from 100 to 2000, then
 * between the half of it and the whole, so that workers do not come in
 * step.  Begins anew after `calm` milliseconds (and ten seconds) without a
 * failure.
 */
ngx_msec_t corr_retry_delay(corr_retry_t *retry, ngx_msec_t calm);


/* What was connected proved good: the next failure is a first one. */
void corr_retry_reset(corr_retry_t *retry);


/*
 * A delay that is worth waiting for: until a longer one is over whoever
 * asks is refused.
 */
#define CORR_RETRY_PATIENCE  200


/* What was logged last about one address; all zero at first. */

typedef struct {
    uint32_t                 hash;
    ngx_msec_t               at;
} corr_complaint_t;


/* NGX_LOG_ERR, or NGX_LOG_INFO for the same words within a minute. */
ngx_uint_t corr_complaint_level(corr_complaint_t *last, const char *text);


#endif /* CORR_RETRY_H */
