/*
 * The step lists of all pages, for routes.c: a list for showing, one for
 * doing, and what shows a refused form again.
 */

#ifndef CORR_PAGES_H
#define CORR_PAGES_H

#include "../http/portal.h"


/* home.c */
extern const corr_step_pt  corr_home_steps[];

/* signup.c */
extern const corr_step_pt  corr_signup_steps[];
extern const corr_step_pt  corr_signup_request_steps[];
extern const corr_step_pt  corr_signup_code_steps[];
extern const corr_step_pt  corr_signup_resend_steps[];
extern const corr_step_pt  corr_signup_verify_steps[];

/* login.c */
extern const corr_step_pt  corr_login_steps[];
extern const corr_step_pt  corr_login_try_steps[];
extern const corr_step_pt  corr_logout_steps[];

/* login_code.c */
extern const corr_step_pt  corr_login_code_steps[];
extern const corr_step_pt  corr_login_code_check_steps[];
extern const corr_step_pt  corr_login_mobile_steps[];
extern const corr_step_pt  corr_login_mobile_check_steps[];
extern const corr_step_pt  corr_login_verify_steps[];
extern const corr_step_pt  corr_login_verify_check_steps[];
extern const corr_step_pt  corr_login_resend_steps[];
extern const corr_step_pt  corr_recover_steps[];
extern const corr_step_pt  corr_recover_check_steps[];
extern const corr_step_pt  corr_recover_code_steps[];
extern const corr_step_pt  corr_recover_verify_steps[];
extern const corr_step_pt  corr_recover_resend_steps[];
extern const corr_step_pt  corr_recover_password_steps[];
extern const corr_step_pt  corr_recover_password_set_steps[];

/* identity.c */
extern const corr_step_pt  corr_identity_steps[];
extern const corr_step_pt  corr_identity_mobile_steps[];
extern const corr_step_pt  corr_identity_registry_steps[];

/* password.c */
extern const corr_step_pt  corr_password_steps[];
extern const corr_step_pt  corr_password_change_steps[];

/* clerk_login.c */
extern const corr_step_pt  corr_clerk_login_steps[];
extern const corr_step_pt  corr_clerk_login_try_steps[];
extern const corr_step_pt  corr_clerk_totp_steps[];
extern const corr_step_pt  corr_clerk_totp_try_steps[];
extern const corr_step_pt  corr_clerk_logout_steps[];

/* clerk_inbox.c */
extern const corr_step_pt  corr_inbox_steps[];
extern const corr_step_pt  corr_inbox_search_steps[];


#endif /* CORR_PAGES_H */
