/*
 * Every number an administrator may set: type, directive (behind
 * "correspondence_") and field of the settings, default, least, most.
 *
 * A new one is a field in services/settings.h, a row here, and a row of the
 * README's table.
 */

#ifndef CORR_NUMBERS_H
#define CORR_NUMBERS_H


#define CORR_NUMBERS(number)                                                  \
                                                                              \
    /* sessions */                                                            \
                                                                              \
    number(sec,  session_idle,            30 * 60,          1,      INT32_MAX)\
    number(sec,  session_absolute,        12 * 60 * 60,     1,      INT32_MAX)\
    number(sec,  clerk_session_idle,      30 * 60,          1,      INT32_MAX)\
    number(sec,  clerk_session_absolute,  10 * 60 * 60,     1,      INT32_MAX)\
    number(num,  session_max,             100,              1,      10000)    \
    number(sec,  confirm_after,           15 * 60,          0,      INT32_MAX)\
    number(sec,  reading_memory,          10,               0,             60)\
                                                                              \
    /* forms and files */                                                     \
                                                                              \
    number(size, form_max_size,           64 * 1024,        4096,   INT32_MAX)\
    number(num,  form_max_fields,         64,               32,     10000)    \
    number(size, upload_max_size,         10 * 1024 * 1024, 1024,   INT32_MAX)\
    number(num,  upload_max_files,        5,                1,      100)      \
    number(num,  upload_max_pixels,       100000000,        1,      INT32_MAX)\
    number(size, left_per_address_hour,   4 * 1024 * 1024,  65536,  INT32_MAX)\
    number(size, left_per_hour,           64 * 1024 * 1024, 65536,  INT32_MAX)\
    number(size, uploads_per_hour,        512 * 1024 * 1024, 0,     INT32_MAX)\
    number(num,  subject_max,             120,              1,      300)      \
    number(num,  text_max,                4000,             1,      20000)    \
                                                                              \
    /* codes */                                                               \
                                                                              \
    number(sec,  code_lifetime,           2 * 60,           1,      600)      \
    number(num,  code_tries,              5,                1,      100)      \
    number(num,  code_person_tries,       10,               1,      1000)     \
    number(sec,  code_interval,           60,               0,      900)      \
    number(num,  codes_per_mobile_hour,   6,                1,      INT32_MAX)\
    number(num,  codes_per_mobile_day,    15,               1,      INT32_MAX)\
    number(num,  codes_per_person_day,    20,               1,      INT32_MAX)\
    number(num,  codes_per_address_hour,  60,               1,      INT32_MAX)\
    number(num,  codes_per_address_day,   300,              1,      INT32_MAX)\
    number(num,  codes_per_day,           100000,           1,      INT32_MAX)\
                                                                              \
    /* passwords */                                                           \
                                                                              \
    number(num,  password_min,            8, CORR_PASSWORD_LEAST, 64)         \
    number(size, password_memory,                                             \
           CORR_PASSWORD_MEMORY, CORR_PASSWORD_MEMORY, INT32_MAX)             \
    number(num,  password_passes,         CORR_PASSWORD_PASSES, 1,  100)      \
                                                                              \
    /* throttles: requests of an address in a minute; 0: no limit */          \
                                                                              \
    number(num,  login_rate,              30,               0,      INT32_MAX)\
    number(num,  track_rate,              20,               0,      INT32_MAX)\
    number(num,  search_rate,             120,              0,      INT32_MAX)\
    number(num,  captcha_rate,            30,               0,      INT32_MAX)\
    number(num,  left_rate,               20,               0,      INT32_MAX)\
                                                                              \
    /* captchas; misbehaviour: faults in an hour, 0: one is always asked */   \
                                                                              \
    number(num,  misbehaviour,            10,               0,      INT32_MAX)\
    number(num,  captcha_digits, 5, CORR_CAPTCHA_MIN, CORR_CAPTCHA_MAX)       \
    number(sec,  captcha_lifetime,        10 * 60,          1,      INT32_MAX)\
                                                                              \
    /* of a person in a day */                                                \
                                                                              \
    number(num,  identity_asks_per_day,   10,               1,      INT32_MAX)\
    number(num,  company_asks_per_day,    50,               0,      INT32_MAX)\
    number(num,  letters_per_day,         200,              1,      INT32_MAX)\
    number(num,  changes_per_hour,        100,              0,      INT32_MAX)\
                                                                              \
    /* letters */                                                             \
                                                                              \
    number(num,  tracking_digits, 8, CORR_TRACKING_MIN, CORR_TRACKING_MAX)    \
    number(num,  inbox_count_max,         499,              1,      100000)   \
                                                                              \
    /* work behind the pages */                                               \
                                                                              \
    number(msec, relay_interval,          1000,             10,     INT32_MAX)\
    number(num,  sms_parts,               2,                1,      10)       \
    number(sec,  message_lifetime,        3 * 24 * 60 * 60, 60,               \
           365 * 24 * 60 * 60)                                                \
    number(num,  relay_batch,             20,               1,      1000)     \
    number(sec,  relay_lease,             60,               1,      INT32_MAX)\
    number(msec, seal_interval,           5000,             10,     INT32_MAX)\
    number(sec,  collect_grace,           24 * 60 * 60,     1,      INT32_MAX)\
    number(sec,  collect_keep,            30 * 24 * 60 * 60, 0,     INT32_MAX)\
    number(msec, page_timeout,            30000,            100,    INT32_MAX)\
    number(num,  gateway_connections,     256,              1,      65535)


#endif /* CORR_NUMBERS_H */
