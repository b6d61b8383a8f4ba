-- Referrals («ارجاع»): a letter goes to one or several units; each answers,
-- returns, or has it recalled.  After guard_staff.

-- The deadline of a letter while its clock runs: what the triggers of migration
-- 008 keep in referrals.
CREATE OR REPLACE FUNCTION late_on(p_letter letters) RETURNS date
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_letter.closed_at IS NULL
                 AND p_letter.answered_at IS NULL
                 AND p_letter.clock_stopped_on IS NULL
                THEN p_letter.due_on END
$$;

-- letter_refer(submission_key, tracking_code, units as JSON list of ids or
-- codes,
--              instruction, due date or NULL) → repeated
-- CR422 unit:unit_required, unit:unit_unknown, due:due_past;
-- CR409 referral_exists (the unit has it), letter_taken.
CREATE OR REPLACE FUNCTION letter_refer(p_submission_key text, p_code text,
    p_units jsonb, p_instruction text, p_due date)
RETURNS TABLE (repeated boolean)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_act       record;
    v_letter    letters;
    v_unit      units;
    v_event     bigint;
    v_referral  bigint;
    v_count     integer := 0;
    v_name      text;
BEGIN
    v_act := letter_act(p_submission_key, 'refer', p_code);
    repeated := v_act.repeated;

    IF repeated THEN
        RETURN NEXT;
        RETURN;
    END IF;

    v_letter := v_act.letter;

    IF p_due < today() THEN
        PERFORM fail('CR422', 'due:due_past');
    END IF;

    FOR v_name IN SELECT DISTINCT u FROM jsonb_array_elements_text(
        coalesce(p_units, '[]')) AS u ORDER BY u
    LOOP
        SELECT u.* INTO v_unit FROM units AS u
         WHERE (u.code = v_name OR u.id::text = v_name) AND u.active
           FOR SHARE;

        IF NOT FOUND THEN
            PERFORM fail('CR422', 'unit:unit_unknown');
        END IF;

        IF EXISTS (SELECT FROM referrals AS r
                    WHERE r.letter_id = v_letter.id
                      AND r.unit_id = v_unit.id AND r.outcome IS NULL)
        THEN
            PERFORM fail('CR409', 'referral_exists');
        END IF;

        INSERT INTO referrals AS r (letter_id, unit_id,
                                    created_by, created_for, instruction,
                                    due_on, calendar_move)
        VALUES (v_letter.id,
                v_unit.id, (v_act.me).id, v_act.for_id, coalesce(p_instruction, ''),
                coalesce(p_due, add_working_days(today(), v_unit.due_days)),
                calendar_move())
        RETURNING r.id INTO v_referral;

        v_event := event_add(v_letter.id, 'referred', 'staff',
                             (v_act.me).id, v_act.for_id, 'internal',
                             p_instruction);
        UPDATE events AS e SET unit_id = v_unit.id, referral_id = v_referral
         WHERE e.id = v_event;
        v_count := v_count + 1;
    END LOOP;

    IF v_count = 0 THEN
        PERFORM fail('CR422', 'unit:unit_required');
    END IF;

    -- What the citizen sees of it: under review, not by whom.
    IF v_letter.status IN ('registered', 'secretariat') THEN
        PERFORM event_add(v_letter.id, 'review', 'staff', (v_act.me).id,
                          v_act.for_id, 'citizen');
    END IF;

    UPDATE letters AS l
       SET open_referrals = l.open_referrals + v_count,
           unit_id = v_unit.id,
           status = CASE WHEN l.status IN ('registered', 'secretariat')
                         THEN 'review' ELSE l.status END,
           status_before = CASE WHEN l.status_before IN
                                     ('registered', 'secretariat')
                                THEN 'review' ELSE l.status_before END,
           updated_at = now(), version = l.version + 1
     WHERE l.id = v_letter.id;

    PERFORM letter_acted(p_submission_key, 'refer', p_code,
        'letter_referred', jsonb_build_object('units', p_units, 'due', p_due),
        v_act.for_id);
    RETURN NEXT;
END
$$;

-- Ends a referral: the row, the letter's count, the timeline, the audit.
CREATE OR REPLACE FUNCTION referral_end(p_referral referrals,
    p_outcome text, p_body text, p_staff bigint, p_for bigint)
RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_event     bigint;
BEGIN
    UPDATE referrals AS r
       SET outcome = p_outcome, answer = p_body, closed_at = now(),
           closed_by = p_staff, closed_for = p_for,
           due_on = referral_due(r), calendar_move = calendar_move()
     WHERE r.id = p_referral.id;
    UPDATE letters
       SET open_referrals = open_referrals - 1, updated_at = now(),
           version = version + 1
     WHERE id = p_referral.letter_id;
    v_event := event_add(p_referral.letter_id, 'referral_' || p_outcome,
                         'staff', p_staff, p_for, 'internal', p_body);
    UPDATE events SET unit_id = p_referral.unit_id,
                      referral_id = p_referral.id
     WHERE id = v_event;
    PERFORM audit_staff('referral_' || p_outcome, 'referral',
                        p_referral.id::text, '{}', p_for);
    RETURN v_event;
END
$$;

-- An open referral by id, its letter locked before it (as everywhere).
-- CR404 not_found, CR409 referral_closed.
CREATE OR REPLACE FUNCTION referral_held(p_referral bigint,
    OUT referral referrals, OUT letter letters)
LANGUAGE plpgsql AS $$
BEGIN
    SELECT l.* INTO letter FROM letters AS l
     WHERE l.id = (SELECT letter_id FROM referrals WHERE id = p_referral)
       FOR NO KEY UPDATE;

    IF NOT FOUND THEN
        PERFORM fail('CR404', 'not_found');
    END IF;

    SELECT r.* INTO referral FROM referrals AS r WHERE r.id = p_referral
       FOR UPDATE;
END
$$;

-- referral_open(referral id) → tracking_code.  The first statement of a
-- referral's page: CR404, the audit's line, seen by its unit.
CREATE OR REPLACE FUNCTION referral_open(p_referral bigint)
RETURNS TABLE (tracking_code text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_me        staff := me_staff();
BEGIN
    SELECT l.tracking_code INTO tracking_code
      FROM referrals AS r JOIN letters AS l ON l.id = r.letter_id
     WHERE r.id = p_referral
       AND (v_me.role <> 'expert'
            OR EXISTS (SELECT FROM expert_letters AS e
                        WHERE e.staff_id = v_me.id
                          AND e.referral_id = r.id));

    IF NOT FOUND THEN
        PERFORM fail('CR404', 'not_found');
    END IF;

    PERFORM letter_open(tracking_code);
    RETURN NEXT;
END
$$;

-- referral_answer(submission_key, referral id, body, files)
-- referral_return(submission_key, referral id, reason)
-- → repeated, tracking_code.  By the unit's people (managers and clerks of
-- the unit too).  CR404 not_found, CR409 referral_closed,
-- CR422 body:body_required.
CREATE OR REPLACE FUNCTION referral_reply(p_submission_key text,
    p_referral bigint, p_outcome text, p_body text, p_files jsonb)
RETURNS TABLE (repeated boolean, tracking_code text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_me        staff := me_staff();
    v_held      record;
    v_for       bigint;
    v_event     bigint;
    v_files     integer;
BEGIN
    tracking_code := submission_begin('staff', v_me.id, p_submission_key,
                                      p_outcome);
    repeated := tracking_code IS NOT NULL;

    IF repeated THEN
        RETURN NEXT;
        RETURN;
    END IF;

    v_held := referral_held(p_referral);

    IF v_me.unit_id IS DISTINCT FROM (v_held.referral).unit_id THEN
        -- Someone of the unit whom I stand in for?
        SELECT s.id INTO v_for FROM staff AS s
         WHERE s.unit_id = (v_held.referral).unit_id
           AND acts_for(v_me.id, s.id) IS NOT NULL LIMIT 1;

        IF NOT FOUND THEN
            PERFORM fail('CR404', 'not_found');
        END IF;
    END IF;

    IF (v_held.referral).outcome IS NOT NULL THEN
        PERFORM fail('CR409', 'referral_closed');
    END IF;

    IF btrim(coalesce(p_body, '')) = '' THEN
        PERFORM fail('CR422', 'body:body_required');
    END IF;

    v_event := referral_end(v_held.referral, p_outcome, p_body, v_me.id,
                            v_for);
    v_files := files_add(p_files, 'referral', 'internal', NULL, v_me.id,
                         NULL, (v_held.letter).id, v_event);
    tracking_code := (v_held.letter).tracking_code;
    PERFORM submission_end('staff', v_me.id, p_submission_key, p_outcome,
                           tracking_code);
    RETURN NEXT;
END
$$;

CREATE OR REPLACE FUNCTION referral_answer(p_submission_key text,
    p_referral bigint, p_body text, p_files jsonb)
RETURNS TABLE (repeated boolean, tracking_code text)
LANGUAGE sql SECURITY DEFINER SET search_path = correspondence, pg_temp AS $$
    SELECT * FROM referral_reply(p_submission_key, p_referral, 'answered',
                                 p_body, p_files)
$$;

CREATE OR REPLACE FUNCTION referral_return(p_submission_key text,
    p_referral bigint, p_reason text)
RETURNS TABLE (repeated boolean, tracking_code text)
LANGUAGE sql SECURITY DEFINER SET search_path = correspondence, pg_temp AS $$
    SELECT * FROM referral_reply(p_submission_key, p_referral, 'returned',
                                 p_reason, NULL)
$$;

-- referral_recall(submission_key, referral id, reason or NULL)
-- → repeated, tracking_code.  By whom the letter is with, or a manager.
-- CR404 not_found, CR409 referral_closed, letter_taken.
CREATE OR REPLACE FUNCTION referral_recall(p_submission_key text,
    p_referral bigint, p_reason text)
RETURNS TABLE (repeated boolean, tracking_code text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_me        staff := me_staff('clerk,manager,admin');
    v_held      record;
    v_for       bigint;
BEGIN
    tracking_code := submission_begin('staff', v_me.id, p_submission_key,
                                      'recalled');
    repeated := tracking_code IS NOT NULL;

    IF repeated THEN
        RETURN NEXT;
        RETURN;
    END IF;

    v_held := referral_held(p_referral);

    IF (v_held.referral).outcome IS NOT NULL THEN
        PERFORM fail('CR409', 'referral_closed');
    END IF;

    IF (v_held.letter).owner_id IS DISTINCT FROM v_me.id
       AND v_me.role = 'clerk'
    THEN
        v_for := acts_for(v_me.id, (v_held.letter).owner_id);
        IF v_for IS NULL THEN
            PERFORM fail('CR409', 'letter_taken');
        END IF;
    END IF;

    PERFORM referral_end(v_held.referral, 'recalled', p_reason, v_me.id,
                         v_for);
    tracking_code := (v_held.letter).tracking_code;
    PERFORM submission_end('staff', v_me.id, p_submission_key, 'recalled',
                           tracking_code);
    RETURN NEXT;
END
$$;
