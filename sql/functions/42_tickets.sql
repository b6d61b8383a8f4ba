-- Tickets: help with the portal itself.

-- ticket_create(submission_key, subject, body, files) → ticket_number,
-- repeated.  After guard_person.  CR422 subject:subject_required,
-- body:body_required, CR429 too_often (ten a day).
CREATE OR REPLACE FUNCTION ticket_create(p_submission_key text,
    p_subject text, p_body text, p_files jsonb)
RETURNS TABLE (ticket_number bigint, repeated boolean)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_me        bigint := context_id('person');
    v_ticket    bigint;
    v_message   bigint;
    v_at        timestamptz;
BEGIN
    ticket_number := submission_begin('person', v_me, p_submission_key,
                                      'ticket')::bigint;
    repeated := ticket_number IS NOT NULL;

    IF repeated THEN
        RETURN NEXT;
        RETURN;
    END IF;

    IF btrim(coalesce(p_subject, '')) = '' THEN
        PERFORM fail('CR422', 'subject:subject_required');
    END IF;

    IF btrim(coalesce(p_body, '')) = '' THEN
        PERFORM fail('CR422', 'body:body_required');
    END IF;

    SELECT t.created_at INTO v_at FROM tickets AS t
     WHERE t.person_id = v_me AND t.created_at > now() - interval '1 day'
     ORDER BY t.created_at DESC
    OFFSET setting_int('tickets_day') - 1 LIMIT 1;

    IF FOUND THEN
        PERFORM fail('CR429', 'too_often',
                     seconds_until(v_at + interval '1 day')::text);
    END IF;

    INSERT INTO tickets AS t (person_id, subject) VALUES (v_me, p_subject)
    RETURNING t.id, t.number INTO v_ticket, ticket_number;
    INSERT INTO ticket_messages AS m (ticket_id, actor, body)
    VALUES (v_ticket, 'person', p_body)
    RETURNING m.id INTO v_message;
    PERFORM files_add(p_files, 'ticket', 'citizen', v_me, NULL, NULL, NULL,
                      NULL, v_ticket, v_message);
    PERFORM audit_person('ticket_created', 'ticket', ticket_number::text);
    PERFORM submission_end('person', v_me, p_submission_key, 'ticket',
                           ticket_number::text);
    RETURN NEXT;
END
$$;

-- ticket_message(submission_key, ticket number, body, files) → repeated
-- After guard_person.  CR404 not_found, CR409 ticket_closed.
CREATE OR REPLACE FUNCTION ticket_message(p_submission_key text,
    p_number bigint, p_body text, p_files jsonb)
RETURNS TABLE (repeated boolean)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_me        bigint := context_id('person');
    v_ticket    tickets;
    v_message   bigint;
    v_at        timestamptz;
BEGIN
    repeated := submission_begin('person', v_me, p_submission_key,
                                 'ticket_message') IS NOT NULL;

    IF repeated THEN
        RETURN NEXT;
        RETURN;
    END IF;

    SELECT t.* INTO v_ticket FROM tickets AS t
     WHERE t.number = p_number AND t.person_id = v_me FOR UPDATE;

    IF NOT FOUND THEN
        PERFORM fail('CR404', 'not_found');
    END IF;

    IF v_ticket.status = 'closed' THEN
        PERFORM fail('CR409', 'ticket_closed');
    END IF;

    IF btrim(coalesce(p_body, '')) = '' THEN
        PERFORM fail('CR422', 'body:body_required');
    END IF;

    SELECT m.at INTO v_at FROM ticket_messages AS m
     WHERE m.ticket_id = v_ticket.id AND m.actor = 'person'
       AND m.at > now() - interval '1 day'
     ORDER BY m.at DESC
    OFFSET setting_int('ticket_messages_day') - 1 LIMIT 1;

    IF FOUND THEN
        PERFORM fail('CR429', 'too_often',
                     seconds_until(v_at + interval '1 day')::text);
    END IF;

    INSERT INTO ticket_messages AS m (ticket_id, actor, body)
    VALUES (v_ticket.id, 'person', p_body)
    RETURNING m.id INTO v_message;
    PERFORM files_add(p_files, 'ticket', 'citizen', v_me, NULL, NULL, NULL,
                      NULL, v_ticket.id, v_message);
    UPDATE tickets SET status = 'open', updated_at = now()
     WHERE id = v_ticket.id;
    PERFORM audit_person('ticket_message', 'ticket', p_number::text);
    PERFORM submission_end('person', v_me, p_submission_key,
                           'ticket_message', p_number::text);
    RETURN NEXT;
END
$$;

-- ticket_seen(ticket number) → true.  After guard_person.
CREATE OR REPLACE FUNCTION ticket_seen(p_number bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
BEGIN
    UPDATE tickets SET new_answers = 0
     WHERE number = p_number AND person_id = context_id('person')
       AND new_answers > 0;
    RETURN true;
END
$$;

-- ticket_reply(submission_key, ticket number, body, files) → repeated
-- After guard_staff; the ticket comes to whoever answers it first.
-- CR404 not_found, CR409 ticket_closed, CR422 body:body_required.
CREATE OR REPLACE FUNCTION ticket_reply(p_submission_key text,
    p_number bigint, p_body text, p_files jsonb)
RETURNS TABLE (repeated boolean)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_me        staff := me_staff('clerk,manager,admin');
    v_ticket    tickets;
    v_message   bigint;
BEGIN
    repeated := submission_begin('staff', v_me.id, p_submission_key,
                                 'ticket_reply') IS NOT NULL;

    IF repeated THEN
        RETURN NEXT;
        RETURN;
    END IF;

    SELECT t.* INTO v_ticket FROM tickets AS t
     WHERE t.number = p_number FOR UPDATE;

    IF NOT FOUND THEN
        PERFORM fail('CR404', 'not_found');
    END IF;

    IF v_ticket.status = 'closed' THEN
        PERFORM fail('CR409', 'ticket_closed');
    END IF;

    IF btrim(coalesce(p_body, '')) = '' THEN
        PERFORM fail('CR422', 'body:body_required');
    END IF;

    INSERT INTO ticket_messages AS m (ticket_id, actor, staff_id, body)
    VALUES (v_ticket.id, 'staff', v_me.id, p_body)
    RETURNING m.id INTO v_message;
    PERFORM files_add(p_files, 'ticket', 'citizen', NULL, v_me.id, NULL, NULL,
                      NULL, v_ticket.id, v_message);
    UPDATE tickets AS t
       SET status = 'answered', updated_at = now(),
           new_answers = t.new_answers + 1,
           owner_id = coalesce(t.owner_id, v_me.id)
     WHERE t.id = v_ticket.id;
    PERFORM message_add('ticket_answered',
                        jsonb_build_object('ticket_number', p_number),
                        p.mobile, p.id, NULL, NULL, v_ticket.id)
       FROM persons AS p WHERE p.id = v_ticket.person_id;
    PERFORM audit_staff('ticket_replied', 'ticket', p_number::text);
    PERFORM submission_end('staff', v_me.id, p_submission_key,
                           'ticket_reply', p_number::text);
    RETURN NEXT;
END
$$;

-- ticket_close(ticket number) → true; again: still closed.  After guard_staff.
CREATE OR REPLACE FUNCTION ticket_close(p_number bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
DECLARE
    v_me        staff := me_staff('clerk,manager,admin');
    v_status    text;
BEGIN
    SELECT status INTO v_status FROM tickets
     WHERE number = p_number FOR UPDATE;

    IF NOT FOUND THEN
        PERFORM fail('CR404', 'not_found');
    END IF;

    IF v_status <> 'closed' THEN
        UPDATE tickets SET status = 'closed', updated_at = now()
         WHERE number = p_number;
        PERFORM audit_staff('ticket_closed', 'ticket', p_number::text);
    END IF;

    RETURN true;
END
$$;

-- ticket_open(ticket number) → true: a clerk's view, for the audit.
CREATE OR REPLACE FUNCTION ticket_open(p_number bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
DECLARE
    v_me        staff := me_staff('clerk,manager,admin');
BEGIN
    IF NOT EXISTS (SELECT FROM tickets WHERE number = p_number) THEN
        PERFORM fail('CR404', 'not_found');
    END IF;

    PERFORM audit_staff('ticket_viewed', 'ticket', p_number::text);
    RETURN true;
END
$$;
