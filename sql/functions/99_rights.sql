-- What the portal may do: read what pages show, and call the functions.
-- Everything else is refused, whatever the module's code says.

REVOKE ALL ON ALL TABLES IN SCHEMA correspondence
    FROM PUBLIC, correspondence_portal;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA correspondence
    FROM PUBLIC, correspondence_portal;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA correspondence
    FROM PUBLIC, correspondence_portal;
REVOKE ALL ON SCHEMA correspondence FROM PUBLIC;
GRANT USAGE ON SCHEMA correspondence TO correspondence_portal;

GRANT SELECT ON letters, drafts, events, referrals, corrections, tickets,
    ticket_messages, files, file_removals, installation, companies, units,
    books, canned, register_counters, settings, substitutes, letter_viewers, submissions,
    jalali_days, calendar_days, schema_migrations, identity_tasks,
    message_attempts, audit, audit_pending, audit_chain, audit_checks,
    reply_drafts, staff_units, expert_letters, settings_known, inbox_new,
    inbox_referred, inbox_late, inbox_undelivered, inbox_rows
    TO correspondence_portal;

-- No hash, no secret, no code.
GRANT SELECT (id, national_code, mobile, birth_date, first_name, last_name,
    father_name, mobile_step, mobile_reason, registry_step, registry_reason,
    level, owner_proven_at, address, phone, email, password_set_at,
    session_epoch, status, created_at, last_login_at)
    ON persons TO correspondence_portal;
GRANT SELECT (id, username, name, role, unit_id, epoch, status, created_at,
    last_login_at)
    ON staff TO correspondence_portal;
GRANT SELECT (id, staff_id, created_by, created_at, expires_at, used_at)
    ON invitations TO correspondence_portal;
GRANT SELECT (id, template, params, mobile, person_id, letter_id, event_id,
    ticket_id, priority, state, created_at, next_at, expires_at, lease_until,
    lease_by, tries, checks, provider, provider_id, text, parts, reason,
    sent_at, finished_at, resend_of, resent_as, resent_by)
    ON messages TO correspondence_portal;

-- Every SECURITY DEFINER function is meant to be called by the portal; the
-- others are their parts, but for a few that the statements use.
DO $$
DECLARE
    f regprocedure;
BEGIN
    FOR f IN
        SELECT p.oid::regprocedure FROM pg_proc AS p
         WHERE p.pronamespace = 'correspondence'::regnamespace
           AND (p.prosecdef OR p.proname IN ('today', 'is_working_day',
                'add_working_days', 'working_days_between', 'fold_text',
                'search_query', 'setting_int', 'inbox', 'inbox_filters',
                'inbox_counts', 'units_of', 'owners_of', 'one_of',
                'unit_letters', 'clerk_search', 'canned_fill',
                'digits_shown', 'expert_sees_file', 'page_cursor',
                'page_cursor_at', 'page_cursor_id', 'messages_resendable',
                'audit_find'))
    LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO correspondence_portal',
                       f);
    END LOOP;
END
$$;
