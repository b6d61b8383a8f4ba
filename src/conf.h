/*
 * Directives that are more than one word.  All stand in http, and conf is
 * the corr_settings_t.
 */

#ifndef CORR_CONF_H
#define CORR_CONF_H

#include "http/portal.h"


char *corr_conf_postgres(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *corr_conf_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *corr_conf_scan(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *corr_conf_url(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *corr_conf_pool(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *corr_conf_path(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *corr_conf_key_file(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *corr_conf_missing_gateway(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


#endif /* CORR_CONF_H */
