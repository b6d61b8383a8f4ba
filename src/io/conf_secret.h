/*
 * Passwords and keys that stand in files of their own, so that none stands
 * in nginx.conf.
 */

#ifndef CORR_CONF_SECRET_H
#define CORR_CONF_SECRET_H

#include <ngx_config.h>
#include <ngx_core.h>

#include "../lib/read_file.h"


/*
 * A text of 64 KiB at the most, in the configuration's pool, wiped with it,
 * with a NUL behind it.  flags: CORR_READ_SECRET or 0.  path is relative to
 * nginx.conf, and full afterwards.  What is wrong is told with file and line.
 */
char *corr_conf_secret(ngx_conf_t *cf, ngx_str_t *path, unsigned flags,
    ngx_str_t *text);


#endif /* CORR_CONF_SECRET_H */
