/*
 * SMS templates with the longest values that can come, while nginx reads its
 * configuration: how many parts each costs, and that no code is cut between
 * two of them.
 */

#include "texts.h"
#include "templates.h"

#include "../lib/sms.h"


#define CORR_SMS_TRACKING_GROWS   2      /* digits, see tracking codes */
#define CORR_SMS_CODE             "888888"
#define CORR_SMS_CODE_FA          "\xdb\xb8\xdb\xb8\xdb\xb8"                  \
                                  "\xdb\xb8\xdb\xb8\xdb\xb8"
#define CORR_SMS_NUMBER           "99999999"


static ngx_uint_t corr_texts_sms_cut(corr_str_t text, const char *code);
static void *corr_texts_sms_palloc(void *pool, size_t size);


ngx_int_t
corr_texts_check_sms(ngx_conf_t *cf, corr_texts_t *texts, corr_str_t host,
    corr_str_t body_name, ngx_uint_t tracking_digits, ngx_uint_t most)
{
    u_char         tracking[64];
    ngx_uint_t     i;
    corr_sms_t     sms;
    corr_str_t     text, name;
    corr_view_t   *longest;
    corr_alloc_t   alloc = { corr_texts_sms_palloc, cf->pool };

    longest = corr_view_create(&alloc);
    if (longest == NULL) {
        return NGX_ERROR;
    }

    tracking_digits = ngx_min(tracking_digits + CORR_SMS_TRACKING_GROWS,
                              sizeof(tracking));
    ngx_memset(tracking, '9', tracking_digits);

    corr_view_text(longest, "host", host);
    corr_view_text(longest, "body_name", body_name);
    corr_view_cstr(longest, "code", CORR_SMS_CODE);
    corr_view_text(longest, "tracking_code",
                   corr_make_str(tracking, tracking_digits));
    corr_view_cstr(longest, "register_number", CORR_SMS_NUMBER);
    corr_view_cstr(longest, "ticket_number", CORR_SMS_NUMBER);

    for (i = 0; i < CORR_SMS_COUNT; i++) {

        name = corr_sms_files[i];
        text = corr_texts_render_sms(texts, i, longest, cf->pool);

        if (text.len == 0 || corr_sms_count(text, &sms) != CORR_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%*s\" cannot be filled", name.len,
                               name.data);
            return NGX_ERROR;
        }

        if (sms.parts > most) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%*s\" takes %uz parts with the longest "
                               "values, correspondence_sms_parts allows %ui",
                               name.len, name.data, sms.parts, most);
            return NGX_ERROR;
        }

        if (corr_texts_sms_cut(text, CORR_SMS_CODE)
            || corr_texts_sms_cut(text, CORR_SMS_CODE_FA))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%*s\" has its code cut between two parts",
                               name.len, name.data);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_uint_t
corr_texts_sms_cut(corr_str_t text, const char *code)
{
    u_char  *at;
    size_t   len;

    len = ngx_strlen(code);
    at = memmem(text.data, text.len, code, len);

    return at != NULL && corr_sms_cuts(text, at - text.data, len);
}


static void *
corr_texts_sms_palloc(void *pool, size_t size)
{
    return ngx_palloc(pool, size);
}
