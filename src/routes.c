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

/* Who works on any letter; experts see those of their unit. */

#define CORR_WORKER  (CORR_CLERK|CORR_MANAGER|CORR_ADMIN)

#define corr_end  { 0, ngx_null_string, 0, NULL, NULL }


const corr_route_t  corr_citizen_routes[] = {

    corr_get("/", CORR_ANYONE, corr_home_steps),

    /* sign-up */

    corr_get("/signup", CORR_ANYONE, corr_signup_steps),
    corr_post("/signup", CORR_ANYONE, corr_signup_request_steps,
              corr_signup_steps),
    corr_get("/signup/code", CORR_ANYONE, corr_code_steps),
    corr_post("/signup/code", CORR_ANYONE, corr_code_verify_steps,
              corr_code_steps),
    corr_post("/signup/code/resend", CORR_ANYONE, corr_code_resend_steps,
              corr_code_steps),

    /* log-in, recovery */

    corr_get("/login", CORR_ANYONE, corr_login_steps),
    corr_post("/login", CORR_ANYONE, corr_login_try_steps, corr_login_steps),
    corr_get("/login/code", CORR_ANYONE, corr_login_code_steps),
    corr_post("/login/code", CORR_ANYONE, corr_login_code_check_steps,
              corr_login_code_steps),
    corr_get("/login/code/mobile", CORR_ANYONE, corr_login_mobile_steps),
    corr_post("/login/code/mobile", CORR_ANYONE,
              corr_login_mobile_check_steps, corr_login_mobile_steps),
    corr_get("/login/code/verify", CORR_ANYONE, corr_code_steps),
    corr_post("/login/code/verify", CORR_ANYONE, corr_code_verify_steps,
              corr_code_steps),
    corr_post("/login/code/resend", CORR_ANYONE, corr_code_resend_steps,
              corr_code_steps),
    corr_get("/recover", CORR_ANYONE, corr_recover_steps),
    corr_post("/recover", CORR_ANYONE, corr_recover_check_steps,
              corr_recover_steps),
    corr_get("/recover/code", CORR_ANYONE, corr_code_steps),
    corr_post("/recover/code", CORR_ANYONE, corr_code_verify_steps,
              corr_code_steps),
    corr_post("/recover/code/resend", CORR_ANYONE, corr_code_resend_steps,
              corr_code_steps),
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

    /* profile, sessions, tickets */

    corr_get("/desk/profile", CORR_PERSON, corr_profile_steps),
    corr_post("/desk/profile", CORR_PERSON, corr_profile_save_steps,
              corr_profile_steps),
    corr_get("/desk/profile/mobile", CORR_PERSON, corr_profile_mobile_steps),
    corr_post("/desk/profile/mobile", CORR_PERSON,
              corr_profile_mobile_post_steps, corr_profile_mobile_steps),
    corr_get("/desk/sessions", CORR_PERSON, corr_sessions_steps),
    corr_post("/desk/sessions", CORR_PERSON, corr_sessions_post_steps, NULL),
    corr_get("/desk/tickets", CORR_PERSON, corr_tickets_steps),
    corr_post("/desk/tickets", CORR_PERSON|CORR_FILES,
              corr_ticket_create_steps, corr_ticket_new_steps),
    corr_get("/desk/tickets/new", CORR_PERSON, corr_ticket_new_steps),
    corr_get("/desk/tickets/{number}", CORR_PERSON, corr_ticket_steps),
    corr_post("/desk/tickets/{number}/messages", CORR_PERSON|CORR_FILES,
              corr_ticket_post_steps, corr_ticket_steps),

    /* desk, letters */

    corr_get("/desk", CORR_PERSON, corr_desk_steps),
    corr_get("/desk/letters", CORR_PERSON, corr_letters_steps),
    corr_post("/desk/letters",
              CORR_PERSON|CORR_LEVEL3|CORR_FILES|CORR_LEAVES,
              corr_letter_submit_steps, corr_letter_again_steps),
    corr_get("/desk/letters/new", CORR_PERSON|CORR_LEVEL3,
             corr_letter_new_steps),
    corr_post("/desk/letters/check",
              CORR_PERSON|CORR_LEVEL3|CORR_FILES|CORR_LEAVES,
              corr_draft_check_steps, corr_letter_again_steps),
    corr_get("/desk/letters/drafts/{id}", CORR_PERSON|CORR_LEVEL3,
             corr_draft_steps),
    corr_post("/desk/letters/drafts/{id}/discard", CORR_PERSON,
              corr_draft_discard_steps, NULL),
    corr_get("/desk/letters/{code}", CORR_PERSON, corr_letter_steps),
    corr_get("/desk/letters/{code}/receipt", CORR_PERSON,
             corr_receipt_steps),
    corr_post("/desk/letters/{code}/corrections", CORR_PERSON|CORR_FILES,
              corr_correct_steps, corr_thread_again_steps),
    corr_post("/desk/letters/{code}/followups", CORR_PERSON|CORR_FILES,
              corr_follow_up_steps, corr_thread_again_steps),
    corr_get("/desk/files/{id}", CORR_PERSON|CORR_READS, corr_file_steps),

    /* without an account */

    corr_get("/track", CORR_ANYONE, corr_track_steps),
    corr_post("/track", CORR_ANYONE, corr_track_find_steps,
              corr_track_steps),
    corr_get("/verify/{code}/{seal}", CORR_ANYONE|CORR_VEILED,
             corr_verify_steps),
    corr_post("/captcha", CORR_ANYONE, corr_captcha_steps, NULL),
    corr_get("/captcha/{id}.png", CORR_ANYONE, corr_captcha_png_steps),
    corr_get("/captcha/{id}.wav", CORR_ANYONE, corr_captcha_wav_steps),

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

    /* one letter; SQL decides again who may do what with it */

    corr_get("/letters/{code}", CORR_STAFF, corr_clerk_letter_steps),
    corr_get("/letters/{code}/changed", CORR_STAFF,
             corr_clerk_letter_changed_steps),
    corr_post("/letters/{code}/take", CORR_WORKER,
              corr_clerk_letter_action_steps,
              corr_clerk_letter_steps),
    corr_post("/letters/{code}/register", CORR_WORKER,
              corr_clerk_letter_action_steps,
              corr_clerk_letter_steps),
    corr_post("/letters/{code}/reply", CORR_WORKER|CORR_FILES|CORR_LEAVES,
              corr_clerk_letter_action_steps,
              corr_clerk_letter_steps),
    corr_post("/letters/{code}/draft", CORR_WORKER|CORR_LEAVES,
              corr_clerk_letter_action_steps,
              corr_clerk_letter_steps),
    corr_post("/letters/{code}/refer", CORR_WORKER,
              corr_clerk_letter_action_steps,
              corr_clerk_letter_steps),
    corr_post("/letters/{code}/note", CORR_STAFF,
              corr_clerk_letter_action_steps,
              corr_clerk_letter_steps),
    corr_post("/letters/{code}/ask-correction", CORR_WORKER,
              corr_clerk_letter_action_steps,
              corr_clerk_letter_steps),
    corr_post("/letters/{code}/close", CORR_WORKER,
              corr_clerk_letter_action_steps,
              corr_clerk_letter_steps),
    corr_post("/letters/{code}/reopen", CORR_WORKER,
              corr_clerk_letter_action_steps,
              corr_clerk_letter_steps),
    corr_post("/letters/{code}/prove-position", CORR_WORKER,
              corr_clerk_letter_action_steps,
              corr_clerk_letter_steps),

    /* referrals */

    corr_get("/referrals/{id}", CORR_STAFF, corr_referral_steps),
    corr_post("/referrals/{id}/answer", CORR_STAFF|CORR_FILES,
              corr_referral_action_steps,
              corr_referral_steps),
    corr_post("/referrals/{id}/return", CORR_STAFF, corr_referral_action_steps,
              corr_referral_steps),
    corr_post("/referrals/{id}/recall", CORR_WORKER, corr_referral_action_steps,
              corr_referral_steps),

    /* tickets, messages */

    corr_get("/tickets", CORR_WORKER, corr_clerk_tickets_steps),
    corr_get("/tickets/{number}", CORR_WORKER, corr_clerk_ticket_steps),
    corr_post("/tickets/{number}/messages", CORR_WORKER|CORR_FILES,
              corr_clerk_ticket_action_steps,
              corr_clerk_ticket_steps),
    corr_post("/tickets/{number}/close", CORR_WORKER,
              corr_clerk_ticket_action_steps,
              corr_clerk_ticket_steps),
    corr_get("/messages", CORR_WORKER, corr_messages_steps),
    corr_get("/messages/again", CORR_MANAGER|CORR_ADMIN,
             corr_messages_again_steps),
    corr_post("/messages/again", CORR_MANAGER|CORR_ADMIN,
              corr_messages_resend_steps, corr_messages_steps),
    corr_post("/messages/{id}/resend", CORR_WORKER, corr_message_resend_steps,
              corr_messages_steps),

    /* files of letters and tickets */

    corr_get("/files/{id}", CORR_STAFF|CORR_READS, corr_file_steps),

    /* an invitation: whoever has the link */

    corr_get("/invitations/{token}", CORR_ANYONE|CORR_VEILED,
             corr_invitation_steps),
    corr_post("/invitations/{token}", CORR_ANYONE|CORR_VEILED,
              corr_invitation_try_steps, corr_invitation_steps),
    corr_get("/totp", CORR_ANYONE, corr_enrol_steps),
    corr_post("/totp", CORR_ANYONE, corr_enrol_try_steps, corr_enrol_steps),

    /* what managers look after */

    corr_get("/canned", CORR_STAFF, corr_canned_steps),
    corr_post("/canned", CORR_MANAGER|CORR_ADMIN, corr_canned_save_steps,
              corr_canned_steps),
    corr_get("/statistics", CORR_MANAGER|CORR_ADMIN, corr_statistics_steps),

    /* administration */

    corr_get("/units", CORR_ADMIN, corr_units_steps),
    corr_post("/units", CORR_ADMIN, corr_units_save_steps, corr_units_steps),
    corr_get("/books", CORR_ADMIN, corr_books_steps),
    corr_post("/books", CORR_ADMIN, corr_books_save_steps, corr_books_steps),
    corr_get("/calendar", CORR_ADMIN, corr_calendar_steps),
    corr_post("/calendar", CORR_ADMIN, corr_calendar_set_steps,
              corr_calendar_steps),
    corr_get("/staff", CORR_ADMIN, corr_staff_steps),
    corr_post("/staff", CORR_ADMIN, corr_staff_save_steps, corr_staff_steps),
    corr_post("/staff/{id}/invite", CORR_ADMIN, corr_staff_reinvite_steps,
              corr_staff_steps),
    corr_get("/staff/{id}/disable", CORR_ADMIN, corr_staff_confirm_steps),
    corr_post("/staff/{id}/disable", CORR_ADMIN, corr_staff_disable_steps,
              corr_staff_confirm_steps),
    corr_post("/staff/{id}/enable", CORR_ADMIN, corr_staff_enable_steps,
              corr_staff_confirm_steps),
    corr_post("/staff/{id}/sessions/end", CORR_ADMIN,
              corr_staff_sessions_end_steps, NULL),
    corr_get("/staff/{id}/handover", CORR_ADMIN, corr_handover_steps),
    corr_post("/staff/{id}/handover", CORR_ADMIN, corr_handover_do_steps,
              corr_handover_steps),
    corr_post("/staff/{id}/substitute", CORR_ADMIN,
              corr_substitute_set_steps, corr_staff_steps),
    corr_post("/staff/{id}/substitute/end", CORR_ADMIN,
              corr_substitute_end_steps, corr_staff_steps),
    corr_get("/settings", CORR_ADMIN, corr_settings_steps),
    corr_post("/settings", CORR_ADMIN, corr_settings_save_steps,
              corr_settings_steps),
    corr_get("/audit", CORR_ADMIN, corr_audit_steps),

    corr_end
};
