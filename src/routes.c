/*
 * Every address of the portal.  Reading this is knowing it.
 *
 * A route: method, path, who may, the steps of its page, and the steps that
 * show its form again when the input was refused.  Before its first step
 * the driver has seen to the session, the form and its CSRF token; with its
 * first round trip the guard has seen to the account.
 */

#include "routes.h"

#include "pages/pages.h"


#define corr_get(path, who, steps)                                            \
    { CORR_GET, ngx_string(path), who, steps, NULL }

#define corr_post(path, who, steps, again)                                    \
    { CORR_POST, ngx_string(path), who, steps, again }

#define corr_end  { 0, ngx_null_string, 0, NULL, NULL }


const corr_route_t  corr_citizen_routes[] = {

    corr_get("/", CORR_ANYONE, corr_home_steps),

    /* sign-up */

    corr_get("/signup", CORR_ANYONE, corr_signup_steps),
    corr_post("/signup", CORR_ANYONE, corr_signup_request_steps,
              corr_signup_steps),
    corr_get("/signup/code", CORR_ANYONE, corr_signup_code_steps),
    corr_post("/signup/code", CORR_ANYONE, corr_signup_verify_steps,
              corr_signup_code_steps),
    corr_post("/signup/code/resend", CORR_ANYONE, corr_signup_resend_steps,
              corr_signup_code_steps),

    /* log-in, recovery */

    corr_get("/login", CORR_ANYONE, corr_login_steps),
    corr_post("/login", CORR_ANYONE, corr_login_try_steps, corr_login_steps),
    corr_get("/login/code", CORR_ANYONE, corr_login_code_steps),
    corr_post("/login/code", CORR_ANYONE, corr_login_code_check_steps,
              corr_login_code_steps),
    corr_get("/login/code/mobile", CORR_ANYONE, corr_login_mobile_steps),
    corr_post("/login/code/mobile", CORR_ANYONE,
              corr_login_mobile_check_steps, corr_login_mobile_steps),
    corr_get("/login/code/verify", CORR_ANYONE, corr_login_verify_steps),
    corr_post("/login/code/verify", CORR_ANYONE,
              corr_login_verify_check_steps, corr_login_verify_steps),
    corr_post("/login/code/resend", CORR_ANYONE, corr_login_resend_steps,
              corr_login_verify_steps),
    corr_get("/recover", CORR_ANYONE, corr_recover_steps),
    corr_post("/recover", CORR_ANYONE, corr_recover_check_steps,
              corr_recover_steps),
    corr_get("/recover/code", CORR_ANYONE, corr_recover_code_steps),
    corr_post("/recover/code", CORR_ANYONE, corr_recover_verify_steps,
              corr_recover_code_steps),
    corr_post("/recover/code/resend", CORR_ANYONE,
              corr_recover_resend_steps, corr_recover_code_steps),
    corr_get("/recover/password", CORR_ANYONE, corr_recover_password_steps),
    corr_post("/recover/password", CORR_ANYONE,
              corr_recover_password_set_steps, corr_recover_password_steps),
    corr_post("/logout", CORR_PERSON, corr_logout_steps, NULL),

    /* identity, password */

    corr_get("/desk/identity", CORR_PERSON, corr_identity_steps),
    corr_post("/desk/identity/mobile", CORR_PERSON,
              corr_identity_mobile_steps, corr_identity_steps),
    corr_post("/desk/identity/registry", CORR_PERSON,
              corr_identity_registry_steps, corr_identity_steps),
    corr_get("/desk/password", CORR_PERSON, corr_password_steps),
    corr_post("/desk/password", CORR_PERSON, corr_password_change_steps,
              corr_password_steps),

    corr_end
};


const corr_route_t  corr_clerk_routes[] = {

    /* log-in */

    corr_get("/login", CORR_ANYONE, corr_clerk_login_steps),
    corr_post("/login", CORR_ANYONE, corr_clerk_login_try_steps,
              corr_clerk_login_steps),
    corr_get("/login/totp", CORR_HALF, corr_clerk_totp_steps),
    corr_post("/login/totp", CORR_HALF, corr_clerk_totp_try_steps,
              corr_clerk_totp_steps),
    corr_post("/logout", CORR_STAFF, corr_clerk_logout_steps, NULL),

    /* the inbox */

    corr_get("/", CORR_STAFF, corr_inbox_steps),
    corr_post("/search", CORR_STAFF, corr_inbox_search_steps,
              corr_inbox_steps),

    corr_end
};
