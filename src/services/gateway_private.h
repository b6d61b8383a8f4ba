/*
 * What the parts of gateways share: gateway_conf.c reads the blocks,
 * gateway_text.c fills texts with values, gateway_answer.c judges answers,
 * gateway_health.c and gateway_budget.c count, gateway_token.c gets tokens,
 * gateway.c asks.
 */

#ifndef CORR_GATEWAY_PRIVATE_H
#define CORR_GATEWAY_PRIVATE_H

#include "gateway.h"
#include "jwe.h"


/* Where a value stands, and so how it is escaped. */

typedef enum {
    CORR_PLACE_URL = 0,        /* of an address, a query, a form */
    CORR_PLACE_HEADER,
    CORR_PLACE_JSON,           /* decides by itself: within quotes or not */
    CORR_PLACE_JSON_STRING,
    CORR_PLACE_JSON_NUMBER,
    CORR_PLACE_PLAIN           /* what is encoded as a whole later */
} corr_place_e;


typedef struct corr_gateway_var_s  corr_gateway_var_t;


typedef struct {
    corr_place_e             place;
    const corr_gateway_var_t *var;       /* NULL: a literal */
    corr_str_t               text;       /* the literal, ready to be sent; or
                                            the name below value_ */
    ngx_uint_t               jwe;        /* the value is encrypted first */
} corr_gateway_part_t;


typedef struct {
    corr_gateway_part_t     *parts;
    ngx_uint_t               n;
} corr_gateway_text_t;


typedef struct {
    corr_str_t               name;
    corr_gateway_text_t      value;
    ngx_uint_t               basic;      /* base64 of the value behind Basic */
} corr_gateway_header_t;


typedef struct {
    corr_str_t               method;
    corr_gateway_text_t      url;
    corr_gateway_text_t      query;      /* n 0: none */
    corr_gateway_text_t      body;       /* n 0: none */
    corr_str_t               type;       /* of the body, */
    ngx_uint_t               own_type;   /* unless a header says another */
    ngx_array_t             *headers;    /* corr_gateway_header_t */
} corr_gateway_request_t;


typedef enum {
    CORR_COMPARE_EQUAL = 0,    /* one of the values */
    CORR_COMPARE_PRESENT,      /* there, neither null nor empty */
    CORR_COMPARE_ABSENT,       /* the opposite */
    CORR_COMPARE_LT,
    CORR_COMPARE_LE,
    CORR_COMPARE_GT,
    CORR_COMPARE_GE
} corr_compare_e;


typedef struct corr_gateway_condition_s  corr_gateway_condition_t;

struct corr_gateway_condition_s {
    corr_str_t               path;
    corr_compare_e           compare;
    corr_str_t              *values;
    ngx_uint_t               nvalues;
    double                   number;
    corr_str_t               reason;     /* of a no */
    corr_gateway_condition_t *also;      /* "and": must hold too */
};


typedef struct {
    corr_str_t               name;
    corr_str_t               path;
} corr_gateway_take_t;


typedef struct {
    ngx_uint_t               first;
    ngx_uint_t               last;
} corr_gateway_range_t;


typedef struct {
    corr_gateway_request_t   request;
    corr_gateway_text_t      again;      /* body with $refresh_token; n 0 */
    corr_str_t               take;       /* path of the token */
    corr_str_t               expires;    /* path of its life; may be empty */
    ngx_uint_t               expires_unit;   /* a second's worth: 1, 1000 */
    corr_str_t               refresh;    /* path of the refresh token */
    time_t                   lifetime;   /* when the answer has none */
} corr_gateway_token_t;


typedef struct {
    corr_str_t               name;
    corr_str_t               value;
    corr_str_t               param;      /* of a template: what it shows */
} corr_gateway_pair_t;


struct corr_gateway_s {
    corr_gateway_kind_e      kind;
    corr_str_t               name;
    ngx_uint_t               position;   /* among those of its kind */
    const char              *label;      /* name, for the log; NUL behind */

    corr_gateway_request_t   request;
    corr_gateway_token_t    *token;      /* NULL: none */
    ngx_array_t              yes;        /* corr_gateway_condition_t: all */
    ngx_array_t              no;         /* any */
    ngx_array_t              sent;       /* any */
    ngx_array_t              unsent;     /* any */
    ngx_array_t              busy;       /* any: ask again */
    ngx_array_t              take;       /* corr_gateway_take_t */
    ngx_array_t              status;     /* corr_gateway_range_t */
    ngx_array_t              busy_http;  /* corr_gateway_range_t */
    ngx_array_t              vars;       /* corr_gateway_part_t: all used */
    ngx_array_t              set;        /* corr_gateway_pair_t */
    ngx_array_t              templates;  /* corr_gateway_pair_t: ours, theirs */

    corr_http_profile_t      profile;
    corr_jwe_key_t          *jwe;
    corr_str_t               provider_code;   /* four digits */
    ngx_uint_t               retries;
    ngx_uint_t               keepalive;  /* connections are used again */
    ngx_uint_t               named;      /* its host has to be looked up */
    ngx_uint_t               budget;     /* a day; 0: no limit */
    ngx_uint_t               rate;       /* a second; 0: no limit */
    ngx_shm_zone_t          *zone;
};


/* What a worker has seen of a gateway, for the metrics. */

typedef struct {
    ngx_atomic_t             errors;     /* of a thousand */
    ngx_atomic_t             latency;    /* msec */
    ngx_atomic_t             at;         /* ngx_current_msec */
    ngx_atomic_t             set;
} corr_gateway_mark_t;


/* What all workers of a node count of one gateway. */

typedef struct {
    ngx_atomic_t             key;        /* 0: free */
    ngx_atomic_t             requests;
    ngx_atomic_t             yes;
    ngx_atomic_t             no;
    ngx_atomic_t             unknown;
    ngx_atomic_t             errors;
    ngx_atomic_t             retries;
    ngx_atomic_t             tokens;
    ngx_atomic_t             msec;
    ngx_atomic_t             day;        /* Tehran's, since 1970 */
    ngx_atomic_t             used;       /* of the budget that day, by all
                                            nodes as far as is known */
    ngx_atomic_t             untold;     /* of it, what the database does not
                                            know yet */
    ngx_atomic_t             told;       /* ngx_current_msec: last time */
    ngx_atomic_t             learned;    /* day whose use by all is known */
    ngx_atomic_t             alarm;      /* the highest of 50 75 90 100 told */
    ngx_atomic_t             second;     /* of ngx_current_msec */
    ngx_atomic_t             in_second;
    corr_gateway_mark_t      seen[CORR_GATEWAY_WORKERS];
} corr_gateway_slot_t;


typedef struct corr_gateway_call_s   corr_gateway_call_t;


/* A gateway as one worker knows it. */

typedef struct {
    const corr_gateway_t    *conf;
    corr_gateways_t         *gateways;
    corr_gateway_slot_t     *slot;

    double                   errors;     /* 0..1 */
    double                   latency;    /* msec */
    ngx_msec_t               faded;      /* when both were brought up to now */
    ngx_msec_t               asked;      /* last time */
    ngx_uint_t               failures;   /* in a row */
    ngx_uint_t               probes;     /* sick: tries that failed; 0: well */
    ngx_msec_t               probed;     /* when the last of them had */

    corr_owner_t             owner;      /* of the token's request */
    corr_http_op_t          *fetch;
    ngx_queue_t              waiting;    /* corr_gateway_call_t */
    corr_str_t               token;      /* ngx_alloc */
    corr_str_t               refresh;    /* ngx_alloc */
    ngx_uint_t               serial;     /* of the token */
    ngx_msec_t               token_from;
    ngx_msec_t               token_life;
    ngx_msec_t               token_failed;
    unsigned                 refreshing:1;
    unsigned                 refused:1;  /* token_failed is set */
} corr_gateway_state_t;


struct corr_gateways_s {
    corr_settings_t         *settings;
    corr_http_t             *http;
    ngx_log_t               *log;
    ngx_uint_t               n;
    corr_gateway_state_t    *states;
};


typedef enum {
    CORR_CALL_NEXT = 0,        /* choose a gateway */
    CORR_CALL_TOKEN,           /* waits for one */
    CORR_CALL_ASKED,           /* waits for the answer */
    CORR_CALL_PAUSE,           /* waits before it asks again */
    CORR_CALL_ENDED
} corr_call_state_e;


struct corr_gateway_call_s {
    corr_gateway_op_t        op;         /* first */
    corr_gateways_t         *gateways;
    corr_gateway_kind_e      kind;
    corr_alloc_t             alloc;      /* op's pool */
    corr_view_t             *values;     /* texts */
    corr_str_t               only;       /* the one provider to be asked */
    corr_owner_t             owner;      /* of its requests */
    corr_call_state_e        state;
    corr_gateway_state_t    *gateway;    /* asked now */
    corr_http_op_t          *http;
    ngx_event_t              pause;
    ngx_queue_t              link;       /* in gateway->waiting */
    uint64_t                 tried;      /* a bit for each gateway */
    ngx_uint_t               retries;    /* of this gateway */
    ngx_uint_t               serial;     /* of the token it was asked with */
    corr_str_t               sent_id;    /* $request_id or $uuid as sent */
    u_char                   request_id[24];
    u_char                   uuid[36];
    unsigned                 renewed:1;  /* after a 401 */
    unsigned                 ids:1;      /* request_id and uuid are made */
    unsigned                 counted:1;  /* the budget has paid for it */
    unsigned                 queued:1;   /* waits for a second with room */
    unsigned                 unsent:1;   /* a provider never got it */
    unsigned                 unclear:1;  /* a provider did not say */
};


#define CORR_GATEWAYS_MAX       64       /* blocks */
#define CORR_GATEWAY_ANSWER     65536    /* bytes, unless max_response */


/* gateway_text.c */

/*
 * The variable of that name for this kind of gateway, or NULL.  *rest gets
 * what is behind value_, *jwe whether it began with jwe_.
 */
const corr_gateway_var_t *corr_gateway_var_find(corr_str_t name,
    corr_gateway_kind_e kind, corr_str_t *rest, ngx_uint_t *jwe);

/*
 * May it stand in a token's request?  There is no call then, and no token
 * yet; a refresh token only where one is used.
 */
ngx_uint_t corr_gateway_var_of_token(const corr_gateway_var_t *var,
    ngx_uint_t refresh);

/* Has every variable of the gateway a value in this call? */
ngx_uint_t corr_gateway_text_ready(corr_gateway_call_t *call,
    const corr_gateway_t *gateway);

/* Begins an attempt: ids are made anew. */
void corr_gateway_text_begin(corr_gateway_call_t *call);

/*
 * The text with its values, escaped, in pool.  call may be NULL (a token's
 * request: only what is in state).  CORR_OK; CORR_INVALID: a value is
 * missing or may not stand there; CORR_ERROR: memory.
 */
int corr_gateway_text_fill(corr_gateway_call_t *call,
    corr_gateway_state_t *state, const corr_gateway_text_t *text,
    ngx_pool_t *pool, corr_str_t *out);

/* A whole request; *http is filled, its memory is in pool. */
int corr_gateway_request_fill(corr_gateway_call_t *call,
    corr_gateway_state_t *state, const corr_gateway_request_t *request,
    const corr_gateway_text_t *body, ngx_pool_t *pool,
    corr_http_request_t *http);

/* The forms of values of the caller, kept in call->values. */
ngx_int_t corr_gateway_values_copy(corr_gateway_call_t *call,
    const corr_view_t *values);

corr_str_t corr_gateway_value(const corr_view_t *values, const char *name);


/* gateway_answer.c */

typedef enum {
    CORR_ANSWER_DONE = 0,      /* the verdict is set, maybe unknown */
    CORR_ANSWER_BUSY           /* ask again: nothing was done */
} corr_answer_e;

/*
 * Judges an answer: sets verdict, reason, doubt, reference and taken of
 * call->op.
 */
corr_answer_e corr_gateway_judge(corr_gateway_call_t *call,
    ngx_uint_t code, corr_str_t body);

ngx_uint_t corr_gateway_in_ranges(const ngx_array_t *ranges,
    ngx_uint_t code);


/* gateway_health.c */

ngx_shm_zone_t *corr_gateway_zone(ngx_conf_t *cf);
corr_gateway_slot_t *corr_gateway_slot(const corr_gateway_t *gateway,
    ngx_log_t *log);

/* At the worker's start. */
void corr_gateway_health_init(corr_gateway_state_t *state);

/* What came of one request: good 1 or 0, and how long it took. */
void corr_gateway_health_note(corr_gateway_state_t *state, ngx_uint_t good,
    ngx_msec_t elapsed);

/* Less is better; of those not tried yet that can serve the call. */
corr_gateway_state_t *corr_gateway_choose(corr_gateway_call_t *call);


/* gateway_budget.c */

/* Tehran's day, since 1970. */
ngx_uint_t corr_gateway_today(void);

/* How many questions are left of today's budget. */
ngx_uint_t corr_gateway_left(corr_gateway_state_t *state);

/* Whether all nodes' use of today is known, or need not be. */
ngx_uint_t corr_gateway_learned(corr_gateway_state_t *state);

/*
 * May a request go out now?  0: yes, and it is counted; otherwise
 * milliseconds to wait, or NGX_TIMER_INFINITE: today's budget is used up.
 */
ngx_msec_t corr_gateway_admit(corr_gateway_state_t *state,
    ngx_uint_t counted);

#define corr_gateway_count_up(slot, what)                                     \
    if ((slot) != NULL) {                                                     \
        (void) ngx_atomic_fetch_add(&(slot)->what, 1);                        \
    }


/* gateway_token.c */

/*
 * NGX_OK: there is one; NGX_AGAIN: call waits in state->waiting, and
 * corr_gateway_token_ready() of it will be called; NGX_ERROR: none to be had.
 */
ngx_int_t corr_gateway_token_get(corr_gateway_state_t *state,
    corr_gateway_call_t *call);

/* A token was refused: the one with that serial is thrown away. */
void corr_gateway_token_refused(corr_gateway_state_t *state,
    ngx_uint_t serial);

void corr_gateway_token_init(corr_gateway_state_t *state, ngx_log_t *log);
void corr_gateway_token_done(corr_gateway_state_t *state);

/* gateway.c */

corr_str_t corr_gateway_kind_name(corr_gateway_kind_e kind);

/* What a waiting call goes on with. */
void corr_gateway_token_ready(corr_gateway_call_t *call, ngx_uint_t ok);


#endif /* CORR_GATEWAY_PRIVATE_H */
