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

/* code_page.c: of sign-up, log-in and recovery */
extern const corr_step_pt  corr_code_steps[];
extern const corr_step_pt  corr_code_verify_steps[];
extern const corr_step_pt  corr_code_resend_steps[];

/* login.c */
extern const corr_step_pt  corr_login_steps[];
extern const corr_step_pt  corr_login_try_steps[];
extern const corr_step_pt  corr_logout_steps[];

/* login_code.c */
extern const corr_step_pt  corr_login_code_steps[];
extern const corr_step_pt  corr_login_code_check_steps[];
extern const corr_step_pt  corr_login_mobile_steps[];
extern const corr_step_pt  corr_login_mobile_check_steps[];

/* recover.c */
extern const corr_step_pt  corr_recover_steps[];
extern const corr_step_pt  corr_recover_check_steps[];
extern const corr_step_pt  corr_recover_password_steps[];
extern const corr_step_pt  corr_recover_password_set_steps[];

/* identity.c */
extern const corr_step_pt  corr_identity_steps[];
extern const corr_step_pt  corr_identity_mobile_steps[];
extern const corr_step_pt  corr_identity_registry_steps[];

/* password.c */
extern const corr_step_pt  corr_password_steps[];
extern const corr_step_pt  corr_password_change_steps[];

/* profile.c */
extern const corr_step_pt  corr_profile_steps[];
extern const corr_step_pt  corr_profile_save_steps[];
extern const corr_step_pt  corr_profile_mobile_steps[];
extern const corr_step_pt  corr_profile_mobile_post_steps[];

/* sessions.c */
extern const corr_step_pt  corr_sessions_steps[];
extern const corr_step_pt  corr_sessions_post_steps[];

/* tickets.c */
extern const corr_step_pt  corr_tickets_steps[];
extern const corr_step_pt  corr_ticket_new_steps[];
extern const corr_step_pt  corr_ticket_create_steps[];
extern const corr_step_pt  corr_ticket_steps[];
extern const corr_step_pt  corr_ticket_post_steps[];

/* clerk_login.c */
extern const corr_step_pt  corr_clerk_login_steps[];
extern const corr_step_pt  corr_clerk_login_try_steps[];
extern const corr_step_pt  corr_clerk_totp_steps[];
extern const corr_step_pt  corr_clerk_totp_try_steps[];
extern const corr_step_pt  corr_clerk_logout_steps[];

/* clerk_inbox.c */
extern const corr_step_pt  corr_inbox_steps[];
extern const corr_step_pt  corr_inbox_search_steps[];

/* clerk_letter.c */
extern const corr_step_pt  corr_clerk_letter_steps[];
extern const corr_step_pt  corr_clerk_letter_action_steps[];
extern const corr_step_pt  corr_clerk_letter_changed_steps[];

/* clerk_referral.c */
extern const corr_step_pt  corr_referral_steps[];
extern const corr_step_pt  corr_referral_action_steps[];

/* clerk_tickets.c */
extern const corr_step_pt  corr_clerk_tickets_steps[];
extern const corr_step_pt  corr_clerk_ticket_steps[];
extern const corr_step_pt  corr_clerk_ticket_action_steps[];

/* clerk_messages.c */
extern const corr_step_pt  corr_messages_steps[];
extern const corr_step_pt  corr_message_resend_steps[];
extern const corr_step_pt  corr_messages_again_steps[];
extern const corr_step_pt  corr_messages_resend_steps[];

/* desk.c */
extern const corr_step_pt  corr_desk_steps[];

/* letter_form.c */
extern const corr_step_pt  corr_letter_new_steps[];
extern const corr_step_pt  corr_letter_again_steps[];

/* letters.c */
extern const corr_step_pt  corr_letters_steps[];
extern const corr_step_pt  corr_letter_submit_steps[];
extern const corr_step_pt  corr_letter_steps[];

/* drafts.c */
extern const corr_step_pt  corr_draft_check_steps[];
extern const corr_step_pt  corr_draft_steps[];
extern const corr_step_pt  corr_draft_discard_steps[];

/* thread.c */
extern const corr_step_pt  corr_correct_steps[];
extern const corr_step_pt  corr_follow_up_steps[];
extern const corr_step_pt  corr_thread_again_steps[];

/* receipt.c */
extern const corr_step_pt  corr_receipt_steps[];
extern const corr_step_pt  corr_verify_steps[];

/* track.c */
extern const corr_step_pt  corr_track_steps[];
extern const corr_step_pt  corr_track_find_steps[];

/* files.c: citizens and clerks */
extern const corr_step_pt  corr_file_steps[];

/* captcha.c */
extern const corr_step_pt  corr_captcha_steps[];
extern const corr_step_pt  corr_captcha_png_steps[];
extern const corr_step_pt  corr_captcha_wav_steps[];

/* clerk_staff.c */
extern const corr_step_pt  corr_staff_steps[];
extern const corr_step_pt  corr_staff_save_steps[];
extern const corr_step_pt  corr_staff_reinvite_steps[];
extern const corr_step_pt  corr_staff_confirm_steps[];
extern const corr_step_pt  corr_staff_sessions_end_steps[];
extern const corr_step_pt  corr_staff_disable_steps[];
extern const corr_step_pt  corr_staff_enable_steps[];
extern const corr_step_pt  corr_handover_steps[];
extern const corr_step_pt  corr_handover_do_steps[];
extern const corr_step_pt  corr_substitute_set_steps[];
extern const corr_step_pt  corr_substitute_end_steps[];

/* clerk_invitation.c */
extern const corr_step_pt  corr_invitation_steps[];
extern const corr_step_pt  corr_invitation_try_steps[];
extern const corr_step_pt  corr_enrol_steps[];
extern const corr_step_pt  corr_enrol_try_steps[];

/* clerk_units.c */
extern const corr_step_pt  corr_units_steps[];
extern const corr_step_pt  corr_units_save_steps[];
extern const corr_step_pt  corr_books_steps[];
extern const corr_step_pt  corr_books_save_steps[];

/* clerk_canned.c */
extern const corr_step_pt  corr_canned_steps[];
extern const corr_step_pt  corr_canned_save_steps[];

/* clerk_calendar.c */
extern const corr_step_pt  corr_calendar_steps[];
extern const corr_step_pt  corr_calendar_set_steps[];

/* clerk_statistics.c */
extern const corr_step_pt  corr_statistics_steps[];

/* clerk_audit.c */
extern const corr_step_pt  corr_settings_steps[];
extern const corr_step_pt  corr_settings_save_steps[];
extern const corr_step_pt  corr_audit_steps[];


#endif /* CORR_PAGES_H */
