/*
 * The portal's settings, as the directives left them: one for all workers,
 * read only after the configuration was loaded.
 *
 * Times are milliseconds (ngx_msec_t) or seconds (time_t), sizes bytes.
 */

#ifndef CORR_SETTINGS_H
#define CORR_SETTINGS_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "../io/postgres.h"
#include "../io/redis.h"
#include "../io/http.h"
#include "../io/clamd.h"


typedef struct {
    /* parts */
    corr_pg_conf_t           pg;
    corr_redis_conf_t        redis;
    corr_http_conf_t         http;
    corr_clamd_conf_t        clamd;
    struct corr_texts_s     *texts;          /* html/ */
    struct corr_secrets_s   *secrets;
    struct corr_passwords_s *passwords;
    struct corr_filetypes_s *filetypes;
    struct corr_store_s     *store;
    struct corr_captcha_s   *captchas;
    ngx_shm_zone_t          *counters_zone;
    const struct corr_route_s  *citizen_routes;  /* for the metrics */
    const struct corr_route_s  *clerk_routes;
    ngx_array_t             *gateways;       /* corr_gateway_t, see
                                                services/gateway.h */

    ngx_int_t                pg_writers;     /* as written; pg has both */

    ngx_str_t                html;
    ngx_str_t                key_file;
    ngx_array_t             *old_key_files;  /* ngx_str_t */
    ngx_str_t                store_path;
    ngx_str_t                voice;          /* 0.wav … 9.wav */
    ngx_str_t                common_passwords;
    ngx_str_t                thread_pool;
    ngx_str_t                disk_thread_pool;
    ngx_str_t                body_name;      /* of the government body */
    ngx_str_t                contact;        /* a line for people, or none */
    ngx_str_t                url;            /* https://host, public */
    ngx_str_t                host;           /* of url */

    /* sessions */
    time_t                   session_idle;
    time_t                   session_absolute;
    time_t                   clerk_session_idle;
    time_t                   clerk_session_absolute;
    time_t                   confirm_after;  /* then its password as well */
    time_t                   reading_memory; /* http/reading.h; 0: none */
    ngx_uint_t               session_max;    /* of one account */
    ngx_uint_t               cookie_secure;  /* 0 off, 1 on, 2 auto */

    /* forms */
    size_t                   form_max_size;  /* without files */
    ngx_uint_t               form_max_fields;
    size_t                   upload_max_size;   /* one file */
    ngx_uint_t               upload_max_files;  /* of one letter */
    ngx_array_t             *upload_types;   /* ngx_str_t: jpeg png pdf */
    ngx_uint_t               upload_max_pixels;
    size_t                   uploads_per_hour;   /* bytes of a person */
    size_t                   left_per_address_hour;  /* bytes in Redis */
    size_t                   left_per_hour;
    ngx_uint_t               scan_down;      /* 0: no file without a
                                                verdict of clamd; 1: taken,
                                                and marked */

    /* codes */
    time_t                   code_lifetime;
    ngx_uint_t               code_tries;         /* of one code */
    ngx_uint_t               code_person_tries;  /* in a row, over all codes,
                                                    before waits grow */
    time_t                   code_interval;      /* between the first two */
    ngx_uint_t               codes_per_mobile_hour;
    ngx_uint_t               codes_per_mobile_day;
    ngx_uint_t               codes_per_person_day;
    ngx_uint_t               codes_per_address_hour;
    ngx_uint_t               codes_per_address_day;
    ngx_uint_t               codes_per_day;      /* in total */

    /* throttles by address: requests in a window of a minute, 0: no limit */
    ngx_uint_t               login_rate;
    ngx_uint_t               track_rate;
    ngx_uint_t               search_rate;
    ngx_uint_t               captcha_rate;
    ngx_uint_t               left_rate;      /* forms of ended sessions */

    /* passwords */
    ngx_uint_t               password_min;
    size_t                   password_memory;
    ngx_uint_t               password_passes;

    /* captcha */
    ngx_uint_t               misbehaviour;   /* faults of an address in an
                                                hour before captchas */
    ngx_uint_t               captcha;        /* 0 off, 1 letters, 2 always */
    ngx_uint_t               captcha_digits;
    time_t                   captcha_lifetime;

    /* identity without a gateway: 1 the step is skipped, 0 form shut */
    ngx_uint_t               shahkar_missing_skips;
    ngx_uint_t               registry_missing_skips;

    /* letters */
    ngx_uint_t               tracking_digits;    /* at the beginning */
    ngx_uint_t               inbox_count_max;    /* a tab's is exact up to it */
    ngx_uint_t               identity_asks_per_day;  /* of a person, of a
                                                        gateway */
    ngx_uint_t               company_asks_per_day;   /* of a person */
    ngx_uint_t               letters_per_day;    /* of a person */
    ngx_uint_t               changes_per_hour;   /* of a person */
    ngx_str_t                limits;             /* those that PostgreSQL
                                                    sees to: JSON */
    size_t                   subject_max;        /* characters */
    size_t                   text_max;

    /* messages */
    ngx_msec_t               relay_interval;
    ngx_uint_t               relay_batch;
    ngx_uint_t               sms_parts;      /* of a template, at most */
    time_t                   message_lifetime;   /* then it is not sent */
    time_t                   relay_lease;
    ngx_msec_t               seal_interval;
    ngx_str_t                audit_head;     /* file that gets the head */
    ngx_uint_t               collect;        /* services/collector.h */
    time_t                   collect_grace;  /* orphan files */
    time_t                   collect_keep;   /* in the trash; 0: not at all */

    ngx_msec_t               page_timeout;   /* one wait of a page */
    ngx_uint_t               gateway_connections;  /* of a worker */
} corr_settings_t;


#endif /* CORR_SETTINGS_H */
