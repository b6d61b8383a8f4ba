-- The secretariat's work on a letter.  All after guard_staff; the roles are
-- checked here again.  Common errors:
--   CR403 role_refused         CR404 not_found (also: not for you to see)
--   CR409 letter_taken    the letter is with another clerk
--   CR409 letter_closed
-- Each takes the form's submission_key and says repeated when it was done
-- already.

-- For which units somebody works today: their own, and those of whom they
-- stand in for.
CREATE OR REPLACE VIEW staff_units AS
SELECT s.id AS staff_id, s.unit_id
  FROM staff AS s WHERE s.unit_id IS NOT NULL
 UNION
SELECT t.substitute_id, a.unit_id
  FROM substitutes AS t JOIN staff AS a ON a.id = t.absent_id
 WHERE a.unit_id IS NOT NULL AND t.ended_at IS NULL
   AND today() BETWEEN t.from_on AND t.to_on;

-- Which letters an expert sees: those referred to their unit that it has or
-- has answered.  What was returned or recalled is not for it any more.
CREATE OR REPLACE VIEW expert_letters AS
SELECT u.staff_id, r.letter_id, r.id AS referral_id
  FROM staff_units AS u JOIN referrals AS r ON r.unit_id = u.unit_id
 WHERE r.outcome IS NULL OR r.outcome = 'answered';

-- May this member of staff see this letter?
CREATE OR REPLACE FUNCTION staff_sees(p_staff staff, p_letter bigint)
RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT (p_staff).role <> 'expert'
        OR EXISTS (SELECT FROM expert_letters AS e
                    WHERE e.staff_id = (p_staff).id
                      AND e.letter_id = p_letter)
$$;

-- May this expert have this file of a letter?  What other units wrote about it
-- among themselves is not for them.
CREATE OR REPLACE FUNCTION expert_sees_file(p_staff bigint, p_letter bigint,
    p_visibility text, p_event bigint) RETURNS boolean
LANGUAGE sql STABLE SET search_path = correspondence, pg_temp AS $$
    SELECT EXISTS (SELECT FROM expert_letters AS e
                    WHERE e.staff_id = p_staff AND e.letter_id = p_letter)
       AND (p_visibility = 'citizen'
            OR NOT EXISTS (
                SELECT FROM events AS v
                 WHERE v.id = p_event AND v.unit_id IS NOT NULL
                   AND v.unit_id NOT IN (
                       SELECT u.unit_id FROM staff_units AS u
                        WHERE u.staff_id = p_staff)))
$$;

-- For whom may p_me act as p_other today?  p_other when p_me is the
-- substitute; NULL otherwise.
CREATE OR REPLACE FUNCTION acts_for(p_me bigint, p_other bigint)
RETURNS bigint
LANGUAGE sql STABLE AS $$
    SELECT absent_id FROM substitutes
     WHERE substitute_id = p_me AND absent_id = p_other
       AND ended_at IS NULL AND today() BETWEEN from_on AND to_on
     LIMIT 1
$$;

-- A letter by its code, locked, visible to p_me.
CREATE OR REPLACE FUNCTION staff_letter(p_me staff, p_code text)
RETURNS letters
LANGUAGE plpgsql AS $$
DECLARE
    v_letter    letters;
BEGIN
    SELECT * INTO v_letter FROM letters WHERE tracking_code = p_code
       FOR NO KEY UPDATE;

    IF NOT FOUND OR NOT staff_sees(p_me, v_letter.id) THEN
        PERFORM fail('CR404', 'not_found');
    END IF;

    RETURN v_letter;
END
$$;

-- The same, and with me: mine, or that of someone I stand in for.  A letter
-- that is with nobody comes to me by this.
CREATE OR REPLACE FUNCTION staff_letter_held(p_me staff, p_code text,
    OUT letter letters, OUT for_id bigint)
LANGUAGE plpgsql AS $$
BEGIN
    letter := staff_letter(p_me, p_code);

    IF letter.closed_at IS NOT NULL THEN
        PERFORM fail('CR409', 'letter_closed');
    END IF;

    IF letter.owner_id = p_me.id THEN
        RETURN;
    END IF;

    IF letter.owner_id IS NULL THEN
        UPDATE letters SET owner_id = p_me.id WHERE id = letter.id;
        letter.owner_id := p_me.id;
        PERFORM event_add(letter.id, 'taken', 'staff', p_me.id, NULL,
                          'internal');
        RETURN;
    END IF;

    for_id := acts_for(p_me.id, letter.owner_id);

    IF for_id IS NULL THEN
        PERFORM fail('CR409', 'letter_taken');
    END IF;
END
$$;

-- How an act on a letter that is with me begins: who I am, the form's key,
-- the letter, locked and held.  repeated: this form did it already, and there
-- is no letter.
CREATE OR REPLACE FUNCTION letter_act(p_key text, p_action text,
    p_code text, OUT me staff, OUT letter letters, OUT for_id bigint,
    OUT repeated boolean)
LANGUAGE plpgsql AS $$
DECLARE
    v_held      record;
BEGIN
    me := me_staff('clerk,manager,admin');
    repeated := submission_begin('staff', me.id, p_key, p_action)
                IS NOT NULL;

    IF NOT repeated THEN
        v_held := staff_letter_held(me, p_code);
        letter := v_held.letter;
        for_id := v_held.for_id;
    END IF;
END
$$;

-- How every act on a letter ends: in the audit, and under the form's key.
CREATE OR REPLACE FUNCTION letter_acted(p_key text, p_action text,
    p_code text, p_audit text, p_details jsonb DEFAULT '{}',
    p_for bigint DEFAULT NULL) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM audit_staff(p_audit, 'letter', p_code, p_details, p_for);
    PERFORM submission_end('staff', context_id('staff'), p_key, p_action,
                           p_code);
END
$$;

-- A reply's message and its mark on the letter.
CREATE OR REPLACE FUNCTION letter_message(p_letter letters, p_event bigint,
    p_template text, p_params jsonb DEFAULT '{}') RETURNS bigint
LANGUAGE sql AS $$
    -- To the person's mobile of today, which may be another by now.
    SELECT message_add(p_template, p_params || jsonb_build_object(
               'tracking_code', (p_letter).tracking_code),
               p.mobile, p.id, (p_letter).id, p_event)
      FROM persons AS p WHERE p.id = (p_letter).person_id
$$;

-- letter_open(tracking_code) → letter_id.  The first statement of the clerk's
-- page of a letter: writes who looked, notes them as looking now, marks
-- their unit's referrals seen.  CR404 not_found.
CREATE OR REPLACE FUNCTION letter_open(p_code text)
RETURNS TABLE (letter_id bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_me        staff := me_staff();
    v_referral  referrals;
    v_event     bigint;
    v_for       bigint;
BEGIN
    SELECT l.id INTO letter_id FROM letters AS l
     WHERE l.tracking_code = p_code;

    IF NOT FOUND OR NOT staff_sees(v_me, letter_id) THEN
        PERFORM fail('CR404', 'not_found');
    END IF;

    INSERT INTO letter_viewers AS v (letter_id, staff_id)
    VALUES (letter_id, v_me.id)
    ON CONFLICT (letter_id, staff_id) DO UPDATE SET seen_at = now();

    FOR v_referral IN
        UPDATE referrals AS r SET seen_at = now(), seen_by = v_me.id
         WHERE r.letter_id = letter_open.letter_id
           AND r.unit_id = ANY (units_of(v_me.id)) AND v_me.role = 'expert'
           AND r.outcome IS NULL AND r.seen_at IS NULL
        RETURNING r.*
    LOOP
        -- Someone of another unit whom I stand in for?
        SELECT s.id INTO v_for FROM staff AS s
         WHERE s.unit_id = v_referral.unit_id
           AND v_me.unit_id IS DISTINCT FROM v_referral.unit_id
           AND acts_for(v_me.id, s.id) IS NOT NULL LIMIT 1;

        v_event := event_add(letter_id, 'referral_seen', 'staff', v_me.id,
                             v_for, 'internal');
        UPDATE events AS e SET unit_id = v_referral.unit_id,
                               referral_id = v_referral.id
         WHERE e.id = v_event;
    END LOOP;

    PERFORM audit_staff('letter_viewed', 'letter', p_code);
    RETURN NEXT;
END
$$;

-- letter_expect(submission_key, tracking_code, version) → true
-- The form was made from this version of the letter: has a colleague, or the
-- sender, changed it since?  What this key did already counts as unchanged.
-- Locks the letter, so that what follows acts on what was compared.
-- CR404 not_found, CR409 letter_changed.
CREATE OR REPLACE FUNCTION letter_expect(p_submission_key text, p_code text,
    p_version integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
DECLARE
    v_me        staff := me_staff();
    v_letter    letters := staff_letter(v_me, p_code);
BEGIN
    IF v_letter.version > p_version
       AND NOT EXISTS (SELECT FROM submissions AS s
                        WHERE s.actor = 'staff' AND s.actor_id = v_me.id
                          AND s.key = p_submission_key)
    THEN
        PERFORM fail('CR409', 'letter_changed');
    END IF;

    RETURN true;
END
$$;

-- canned_fill(body, letter id) → the body with its placeholders filled: those
-- canned_save() takes.  One that has no value stays as it is, for the clerk
-- to see.  What is filled in is not looked at again.
CREATE OR REPLACE FUNCTION canned_fill(p_body text, p_letter bigint)
RETURNS text
LANGUAGE sql STABLE
SET search_path = correspondence, pg_temp AS $$
    WITH of_letter AS (
        SELECT jsonb_build_object(
                   'person_name', btrim(l.first_name || ' ' || l.last_name),
                   'company_name', l.company_name,
                   'tracking_code', digits_shown(l.tracking_code),
                   'register_number', digits_shown(l.register_number::text),
                   'subject', l.subject,
                   'date', digits_shown(j.year || '/' || lpad(j.month::text,
                       2, '0') || '/' || lpad(j.day_of_month::text, 2, '0')),
                   'unit_name', u.name) AS v
          FROM letters AS l
          JOIN jalali_days AS j ON j.day = today()
          LEFT JOIN units AS u ON u.id = l.unit_id
         WHERE l.id = p_letter)
    SELECT string_agg(CASE
               WHEN n = 1 THEN piece
               WHEN strpos(piece, '}}') = 0 THEN '{{' || piece
               ELSE coalesce(
                        nullif(v ->> btrim(split_part(piece, '}}', 1)), ''),
                        '{{' || split_part(piece, '}}', 1) || '}}')
                    || substr(piece, strpos(piece, '}}') + 2) END,
               '' ORDER BY n)
      FROM string_to_table(p_body, '{{') WITH ORDINALITY AS t (piece, n),
           of_letter
$$;

-- letter_take(submission_key, tracking_code) → repeated
-- A letter that is with nobody comes to me; a manager takes any.
CREATE OR REPLACE FUNCTION letter_take(p_submission_key text, p_code text)
RETURNS TABLE (repeated boolean)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_me        staff := me_staff('clerk,manager,admin');
    v_letter    letters;
BEGIN
    repeated := submission_begin('staff', v_me.id, p_submission_key, 'take')
                IS NOT NULL;

    IF NOT repeated THEN
        v_letter := staff_letter(v_me, p_code);

        IF v_letter.closed_at IS NOT NULL THEN
            PERFORM fail('CR409', 'letter_closed');
        END IF;

        repeated := coalesce(v_letter.owner_id = v_me.id, false);

        IF NOT repeated THEN
            IF v_letter.owner_id IS NOT NULL AND v_me.role = 'clerk'
               AND acts_for(v_me.id, v_letter.owner_id) IS NULL
               AND EXISTS (SELECT FROM staff AS s
                            WHERE s.id = v_letter.owner_id
                              AND s.status = 'active')
            THEN
                PERFORM fail('CR409', 'letter_taken');
            END IF;

            UPDATE letters SET owner_id = v_me.id, updated_at = now(),
                               version = version + 1
             WHERE id = v_letter.id;
            PERFORM event_add(v_letter.id, 'taken', 'staff', v_me.id, NULL,
                              'internal');
            PERFORM audit_staff('letter_taken', 'letter', p_code,
                jsonb_build_object('from', v_letter.owner_id));
        END IF;

        PERFORM submission_end('staff', v_me.id, p_submission_key, 'take',
                               p_code);
    END IF;

    RETURN NEXT;
END
$$;

-- letter_register(submission_key, tracking_code, book id or code; empty: the
--                 only one)
-- → register_number, register_year, book, repeated
-- Given once whatever two clerks do; without gaps per book and Jalali year.
-- CR422 book:register_book_unknown.
CREATE OR REPLACE FUNCTION letter_register(p_submission_key text,
    p_code text, p_book text)
RETURNS TABLE (register_number integer, register_year smallint, book text,
               repeated boolean)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_me        staff := me_staff('clerk,manager,admin');
    v_letter    letters;
    v_held      record;
    v_book      books;
    v_event     bigint;
BEGIN
    IF submission_begin('staff', v_me.id, p_submission_key, 'register')
       <> p_code
    THEN
        PERFORM fail('CR409', 'submission_key_used');
    END IF;

    v_letter := staff_letter(v_me, p_code);
    repeated := v_letter.register_number IS NOT NULL;

    IF repeated THEN
        SELECT v_letter.register_number, v_letter.register_year, b.name
          INTO register_number, register_year, book
          FROM books AS b WHERE b.id = v_letter.book_id;
        RETURN NEXT;
        RETURN;
    END IF;

    v_held := staff_letter_held(v_me, p_code);
    v_letter := v_held.letter;

    SELECT b.* INTO v_book FROM books AS b
     WHERE b.active AND (b.code = p_book OR b.id::text = p_book
        OR coalesce(p_book, '') = ''
           AND (SELECT count(*) FROM books AS o WHERE o.active) = 1);

    IF NOT FOUND THEN
        PERFORM fail('CR422', 'book:register_book_unknown');
    END IF;

    SELECT j.year INTO STRICT register_year FROM jalali_days AS j
     WHERE j.day = today();

    -- The letter is locked already: always letter first, then counter.
    INSERT INTO register_counters AS c (book_id, jalali_year, last)
    VALUES (v_book.id, register_year, 1)
    ON CONFLICT (book_id, jalali_year) DO UPDATE SET last = c.last + 1
    RETURNING c.last INTO register_number;

    UPDATE letters AS l
       SET book_id = v_book.id, register_year = letter_register.register_year,
           register_number = letter_register.register_number,
           registered_at = now(),
           status = CASE WHEN l.status = 'registered' THEN 'secretariat'
                         ELSE l.status END,
           status_before = CASE WHEN l.status_before = 'registered'
                                THEN 'secretariat' ELSE l.status_before END,
           new_answers = l.new_answers + 1,
           updated_at = now(), version = l.version + 1
     WHERE l.id = v_letter.id;

    v_event := event_add(v_letter.id, 'registered', 'staff', v_me.id,
                         v_held.for_id, 'citizen');
    UPDATE events AS e
       SET register_number = letter_register.register_number,
           register_year = letter_register.register_year
     WHERE e.id = v_event;

    PERFORM letter_message(v_letter, v_event, 'letter_registered',
        jsonb_build_object('register_number', register_number));
    PERFORM letter_acted(p_submission_key, 'register', p_code,
        'letter_registered',
        jsonb_build_object('book', v_book.code, 'year', register_year,
                           'number', register_number), v_held.for_id);
    book := v_book.name;
    RETURN NEXT;
END
$$;

-- letter_reply(submission_key, tracking_code, body, final, canned_id or NULL,
--              files) → repeated
-- CR422 body:body_required, body:canned_empty_value (DETAIL = the placeholder
-- that nobody filled), CR409 letter_taken.
CREATE OR REPLACE FUNCTION letter_reply(p_submission_key text, p_code text,
    p_body text, p_final boolean, p_canned bigint, p_files jsonb)
RETURNS TABLE (repeated boolean)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_act       record;
    v_letter    letters;
    v_event     bigint;
    v_files     integer;
    v_empty     text;
BEGIN
    v_act := letter_act(p_submission_key, 'reply', p_code);
    repeated := v_act.repeated;

    IF repeated THEN
        RETURN NEXT;
        RETURN;
    END IF;

    v_letter := v_act.letter;

    IF btrim(coalesce(p_body, '')) = '' THEN
        PERFORM fail('CR422', 'body:body_required');
    END IF;

    v_empty := substring(p_body FROM '\{\{\s*(?:person_name|company_name'
        || '|tracking_code|register_number|subject|date|unit_name)\s*\}\}');

    IF v_empty IS NOT NULL THEN
        PERFORM fail('CR422', 'body:canned_empty_value', v_empty);
    END IF;

    v_event := event_add(v_letter.id,
                         CASE WHEN p_final THEN 'reply' ELSE 'interim' END,
                         'staff', (v_act.me).id, v_act.for_id, 'citizen',
                         p_body);
    UPDATE events AS e SET final = p_final WHERE e.id = v_event;
    v_files := files_add(p_files, 'reply', 'citizen', NULL, (v_act.me).id,
                         NULL, v_letter.id, v_event);

    UPDATE letters AS l
       SET status = CASE WHEN p_final THEN 'answered'
                         WHEN l.status = 'registered' THEN 'secretariat'
                         ELSE l.status END,
           status_before = CASE WHEN NOT p_final THEN l.status_before END,
           open_corrections = CASE WHEN p_final THEN 0
                                   ELSE l.open_corrections END,
           due_on = CASE WHEN p_final AND l.clock_stopped_on IS NOT NULL
                         THEN add_working_days(letter_due(l),
                             working_days_between(l.clock_stopped_on,
                                                  today()))
                         ELSE letter_due(l) END,
           calendar_move = calendar_move(),
           clock_stopped_on = CASE WHEN NOT p_final
                                   THEN l.clock_stopped_on END,
           first_answer_at = coalesce(l.first_answer_at, now()),
           answered_at = CASE WHEN p_final THEN now() ELSE l.answered_at END,
           new_answers = l.new_answers + 1,
           file_count = l.file_count + v_files,
           updated_at = now(), version = l.version + 1
     WHERE l.id = v_letter.id;

    -- A final answer makes what was asked for needless; the days for which
    -- the clock stood are not the secretariat's, as when it is brought.
    IF p_final AND v_letter.open_corrections > 0 THEN
        UPDATE corrections SET answered_at = now()
         WHERE letter_id = v_letter.id AND answered_at IS NULL;
    END IF;

    UPDATE canned SET uses = uses + 1 WHERE id = p_canned;
    DELETE FROM reply_drafts AS d
     WHERE d.staff_id = (v_act.me).id AND d.letter_id = v_letter.id;
    PERFORM letter_message(v_letter, v_event, CASE WHEN p_final
        THEN 'letter_answered' ELSE 'letter_interim' END);
    PERFORM letter_acted(p_submission_key, 'reply', p_code, 'letter_replied',
        jsonb_build_object('final', p_final, 'files', v_files),
        v_act.for_id);
    RETURN NEXT;
END
$$;

-- letter_note(submission_key, tracking_code, body) → repeated
-- Internal; by anyone who sees the letter, open or closed.
CREATE OR REPLACE FUNCTION letter_note(p_submission_key text, p_code text,
    p_body text)
RETURNS TABLE (repeated boolean)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_me        staff := me_staff();
    v_letter    letters;
    v_event     bigint;
BEGIN
    repeated := submission_begin('staff', v_me.id, p_submission_key, 'note')
                IS NOT NULL;

    IF NOT repeated THEN
        v_letter := staff_letter(v_me, p_code);

        IF btrim(coalesce(p_body, '')) = '' THEN
            PERFORM fail('CR422', 'body:body_required');
        END IF;

        v_event := event_add(v_letter.id, 'note', 'staff', v_me.id, NULL,
                             'internal', p_body);

        -- An expert's is of the unit that has the letter, the own one first:
        -- as with its answer, experts of other units do not read it.
        IF v_me.role = 'expert' THEN
            UPDATE events AS e SET unit_id = (
                SELECT r.unit_id FROM referrals AS r
                 WHERE r.letter_id = v_letter.id
                   AND r.unit_id = ANY (units_of(v_me.id))
                   AND (r.outcome IS NULL OR r.outcome = 'answered')
                 ORDER BY r.unit_id = v_me.unit_id DESC, r.outcome DESC,
                          r.id DESC LIMIT 1)
             WHERE e.id = v_event;
        END IF;

        UPDATE letters SET version = version + 1 WHERE id = v_letter.id;
        PERFORM letter_acted(p_submission_key, 'note', p_code,
                             'letter_noted');
    END IF;

    RETURN NEXT;
END
$$;

-- letter_ask_correction(submission_key, tracking_code, body, file_id or NULL)
-- → repeated.  The clock stops until the citizen answers.
-- CR422 body:body_required, file_id:file_id_wrong; CR409 correction_open (this
-- file was asked about already), letter_answered.
CREATE OR REPLACE FUNCTION letter_ask_correction(p_submission_key text,
    p_code text, p_body text, p_file uuid)
RETURNS TABLE (repeated boolean)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_act       record;
    v_letter    letters;
    v_event     bigint;
BEGIN
    v_act := letter_act(p_submission_key, 'ask-correction', p_code);
    repeated := v_act.repeated;

    IF repeated THEN
        RETURN NEXT;
        RETURN;
    END IF;

    v_letter := v_act.letter;

    IF btrim(coalesce(p_body, '')) = '' THEN
        PERFORM fail('CR422', 'body:body_required');
    END IF;

    IF v_letter.status = 'answered' THEN
        PERFORM fail('CR409', 'conflict');
    END IF;

    IF p_file IS NOT NULL AND NOT EXISTS (
        SELECT FROM files AS f
         WHERE f.id = p_file AND f.letter_id = v_letter.id
           AND f.person_id IS NOT NULL AND f.replaced_by IS NULL)
    THEN
        PERFORM fail('CR422', 'file_id:file_id_wrong');
    END IF;

    IF EXISTS (SELECT FROM corrections AS c
                WHERE c.letter_id = v_letter.id AND c.answered_at IS NULL
                  AND c.file_id IS NOT DISTINCT FROM p_file)
    THEN
        PERFORM fail('CR409', 'letter_correction_open');
    END IF;

    v_event := event_add(v_letter.id, 'correction_asked', 'staff',
                         (v_act.me).id, v_act.for_id, 'citizen', p_body);
    INSERT INTO corrections (letter_id, file_id, body, asked_by, event_id)
    VALUES (v_letter.id, p_file, p_body, (v_act.me).id, v_event);

    UPDATE letters AS l
       SET status_before = CASE WHEN l.status = 'correction'
               THEN l.status_before
               WHEN l.status = 'registered' THEN 'secretariat'
               ELSE l.status END,
           status = 'correction',
           open_corrections = l.open_corrections + 1,
           clock_stopped_on = coalesce(l.clock_stopped_on, today()),
           new_answers = l.new_answers + 1,
           updated_at = now(), version = l.version + 1
     WHERE l.id = v_letter.id;

    PERFORM letter_message(v_letter, v_event, 'correction_asked');
    PERFORM letter_acted(p_submission_key, 'ask-correction', p_code,
        'correction_asked', jsonb_build_object('file', p_file),
        v_act.for_id);
    RETURN NEXT;
END
$$;

-- letter_close(submission_key, tracking_code, reason) → repeated
-- Without a final reply the sender is owed the reason: they read it, an SMS
-- says so, and for them the letter is answered.  After one the reason is left
-- out.  CR409 referral_open, letter_correction_open; CR422
-- close_body:close_reason_required.
DROP FUNCTION IF EXISTS letter_close(text, text);

CREATE OR REPLACE FUNCTION letter_close(p_submission_key text, p_code text,
    p_reason text)
RETURNS TABLE (repeated boolean)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_act       record;
    v_letter    letters;
    v_event     bigint;
    v_reason    text;
BEGIN
    v_act := letter_act(p_submission_key, 'close', p_code);
    repeated := v_act.repeated;

    IF repeated THEN
        RETURN NEXT;
        RETURN;
    END IF;

    v_letter := v_act.letter;

    IF v_letter.open_referrals > 0 THEN
        PERFORM fail('CR409', 'referral_open');
    END IF;

    IF v_letter.open_corrections > 0 THEN
        PERFORM fail('CR409', 'letter_correction_open');
    END IF;

    IF v_letter.answered_at IS NULL THEN
        v_reason := nullif(btrim(coalesce(p_reason, '')), '');

        IF v_reason IS NULL THEN
            PERFORM fail('CR422', 'close_body:close_reason_required');
        END IF;
    END IF;

    v_event := event_add(v_letter.id, 'closed', 'staff', (v_act.me).id,
                         v_act.for_id, 'citizen', v_reason);
    UPDATE letters AS l
       SET closed_at = now(), updated_at = now(), version = l.version + 1,
           status = CASE WHEN v_reason IS NULL THEN l.status
                         ELSE 'answered' END,
           new_answers = l.new_answers + (v_reason IS NOT NULL)::integer
     WHERE l.id = v_letter.id;

    IF v_reason IS NOT NULL THEN
        PERFORM letter_message(v_letter, v_event, 'letter_closed');
    END IF;

    PERFORM letter_acted(p_submission_key, 'close', p_code, 'letter_closed',
        jsonb_build_object('answered', v_reason IS NULL), v_act.for_id);
    RETURN NEXT;
END
$$;

-- letter_reopen(submission_key, tracking_code) → repeated
-- The letter is with whoever reopens it and needs an answer again; the sender
-- is told.  CR409 letter_not_closed.
CREATE OR REPLACE FUNCTION letter_reopen(p_submission_key text, p_code text)
RETURNS TABLE (repeated boolean)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_me        staff := me_staff('clerk,manager,admin');
    v_letter    letters;
    v_event     bigint;
BEGIN
    repeated := submission_begin('staff', v_me.id, p_submission_key, 'reopen')
                IS NOT NULL;

    IF NOT repeated THEN
        v_letter := staff_letter(v_me, p_code);

        IF v_letter.closed_at IS NULL THEN
            PERFORM fail('CR409', 'letter_not_closed');
        END IF;

        PERFORM letter_wake(v_letter);
        UPDATE letters SET owner_id = v_me.id WHERE id = v_letter.id;
        v_event := event_add(v_letter.id, 'reopened', 'staff', v_me.id, NULL,
                             'citizen');
        PERFORM letter_message(v_letter, v_event, 'letter_reopened');
        PERFORM letter_acted(p_submission_key, 'reopen', p_code,
                             'letter_reopened');
    END IF;

    RETURN NEXT;
END
$$;

-- reply_draft_save(tracking_code, body) → saved_at, NULL: nothing is kept
-- What I have written of a reply and not sent; an empty one is thrown away.
-- CR404 not_found.
CREATE OR REPLACE FUNCTION reply_draft_save(p_code text, p_body text)
RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
DECLARE
    v_me        staff := me_staff('clerk,manager,admin');
    v_letter    bigint;
BEGIN
    SELECT id INTO v_letter FROM letters WHERE tracking_code = p_code;

    IF NOT FOUND THEN
        PERFORM fail('CR404', 'not_found');
    END IF;

    IF btrim(coalesce(p_body, '')) = '' THEN
        DELETE FROM reply_drafts
         WHERE staff_id = v_me.id AND letter_id = v_letter;
        RETURN NULL;
    END IF;

    INSERT INTO reply_drafts AS d (staff_id, letter_id, body)
    VALUES (v_me.id, v_letter, left(p_body, 8000))
    ON CONFLICT (staff_id, letter_id)
        DO UPDATE SET body = EXCLUDED.body, saved_at = now();
    RETURN now();
END
$$;

-- staff_file_read(file) → true: a clerk's view or download in the audit.
CREATE OR REPLACE FUNCTION staff_file_read(p_file uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
BEGIN
    PERFORM file_read_note('staff', context_id('staff'), p_file);
    RETURN true;
END
$$;
