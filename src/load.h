/*
 * What the directives name is loaded once all of them were read.
 */

#ifndef CORR_LOAD_H
#define CORR_LOAD_H

#include "http/portal.h"


/*
 * Files only, no network.  locations: corr_loc_conf_t *, each gets the
 * values its pages share.  NGX_ERROR: said already, with file and line where
 * there is one.
 */
ngx_int_t corr_load(ngx_conf_t *cf, corr_settings_t *s,
    ngx_array_t *locations);


#endif /* CORR_LOAD_H */
