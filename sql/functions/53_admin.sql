-- Units, books, canned replies, staff, substitutes, calendar, settings.  All
-- after guard_staff; who may is checked here again.

-- unit_save(id or NULL, code, name, due_days or NULL, active) → id
-- Admin.  CR404 not_found, CR422 code:unit_code_wrong, code:unit_code_taken,
-- name:name_taken, due_days:due_days_wrong, CR409 unit_in_use.
CREATE OR REPLACE FUNCTION unit_save(p_id bigint, p_code text, p_name text,
    p_due_days integer, p_active boolean) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
DECLARE
    v_me        staff := me_staff('admin');
    v_id        bigint := p_id;
    v_was       units;
    v_taken     text;
BEGIN
    IF p_code !~ '^[a-z][a-z0-9_-]{0,39}$' THEN
        PERFORM fail('CR422', 'code:unit_code_wrong');
    END IF;

    IF btrim(coalesce(p_name, '')) = '' THEN
        PERFORM fail('CR422', 'name:name_required');
    END IF;

    IF p_due_days NOT BETWEEN 1 AND 365 THEN
        PERFORM fail('CR422', 'due_days:due_days_wrong');
    END IF;

    -- First the unit, so that nothing new comes in while we look.
    SELECT * INTO v_was FROM units WHERE id = p_id FOR UPDATE;

    IF NOT p_active AND (
        EXISTS (SELECT FROM referrals
                 WHERE unit_id = p_id AND outcome IS NULL)
        OR EXISTS (SELECT FROM staff
                    WHERE unit_id = p_id AND status <> 'disabled'))
    THEN
        PERFORM fail('CR409', 'unit_in_use');
    END IF;

    BEGIN
        IF p_id IS NULL THEN
            INSERT INTO units (code, name, due_days, active)
            VALUES (p_code, p_name, p_due_days, p_active)
            RETURNING id INTO v_id;
        ELSE
            UPDATE units SET code = p_code, name = p_name,
                             due_days = p_due_days, active = p_active
             WHERE id = p_id;
            IF NOT FOUND THEN
                PERFORM fail('CR404', 'not_found');
            END IF;
        END IF;
    EXCEPTION WHEN unique_violation THEN
        GET STACKED DIAGNOSTICS v_taken = CONSTRAINT_NAME;
        PERFORM fail('CR422', CASE v_taken
            WHEN 'units_code_key' THEN 'code:unit_code_taken'
            ELSE 'name:name_taken' END);
    END;

    PERFORM audit_staff('unit_saved', 'unit', p_code,
        with_before(jsonb_build_object('code', p_code, 'name', p_name,
                        'due_days', p_due_days, 'active', p_active),
                    CASE WHEN v_was.id IS NOT NULL THEN
                        jsonb_build_object('code', v_was.code,
                            'name', v_was.name, 'due_days', v_was.due_days,
                            'active', v_was.active) END));
    RETURN v_id;
END
$$;

-- book_save(id or NULL, code, name, active) → id.  Admin; errors as units'.
CREATE OR REPLACE FUNCTION book_save(p_id bigint, p_code text, p_name text,
    p_active boolean) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
DECLARE
    v_me        staff := me_staff('admin');
    v_id        bigint := p_id;
    v_was       books;
    v_taken     text;
BEGIN
    IF p_code !~ '^[a-z][a-z0-9_-]{0,39}$' THEN
        PERFORM fail('CR422', 'code:unit_code_wrong');
    END IF;

    IF btrim(coalesce(p_name, '')) = '' THEN
        PERFORM fail('CR422', 'name:name_required');
    END IF;

    SELECT * INTO v_was FROM books WHERE id = p_id FOR NO KEY UPDATE;

    BEGIN
        IF p_id IS NULL THEN
            INSERT INTO books (code, name, active)
            VALUES (p_code, p_name, p_active)
            RETURNING id INTO v_id;
        ELSE
            UPDATE books SET code = p_code, name = p_name, active = p_active
             WHERE id = p_id;
            IF NOT FOUND THEN
                PERFORM fail('CR404', 'not_found');
            END IF;
        END IF;
    EXCEPTION WHEN unique_violation THEN
        GET STACKED DIAGNOSTICS v_taken = CONSTRAINT_NAME;
        PERFORM fail('CR422', CASE v_taken
            WHEN 'books_code_key' THEN 'code:unit_code_taken'
            ELSE 'name:name_taken' END);
    END;

    PERFORM audit_staff('book_saved', 'book', p_code,
        with_before(jsonb_build_object('code', p_code, 'name', p_name,
                                       'active', p_active),
                    CASE WHEN v_was.id IS NOT NULL THEN
                        jsonb_build_object('code', v_was.code,
                            'name', v_was.name, 'active', v_was.active)
                        END));
    RETURN v_id;
END
$$;

-- canned_save(id or NULL, title, body, unit id or NULL, active) → id
-- Manager, admin.  Placeholders are {{person_name}} {{company_name}}
-- {{tracking_code}} {{register_number}} {{subject}} {{date}} {{unit_name}};
-- another name, or braces that do not close: CR422
-- body:canned_placeholder (DETAIL = what stood there).
CREATE OR REPLACE FUNCTION canned_save(p_id bigint, p_title text,
    p_body text, p_unit bigint, p_active boolean) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
DECLARE
    v_me        staff := me_staff('manager,admin');
    v_id        bigint := p_id;
    v_was       canned;
    v_bad       text;
    v_rest      text;
BEGIN
    IF btrim(coalesce(p_title, '')) = '' THEN
        PERFORM fail('CR422', 'title:title_required');
    END IF;

    IF btrim(coalesce(p_body, '')) = '' THEN
        PERFORM fail('CR422', 'body:body_required');
    END IF;

    SELECT m[1] INTO v_bad
      FROM regexp_matches(p_body, '\{\{\s*([^{}]*?)\s*\}\}', 'g') AS m
     WHERE m[1] NOT IN ('person_name', 'company_name', 'tracking_code',
                        'register_number', 'subject', 'date', 'unit_name')
     LIMIT 1;
    v_rest := regexp_replace(p_body, '\{\{\s*[^{}]*?\s*\}\}', '', 'g');

    IF v_bad IS NOT NULL OR v_rest ~ '[{}]' THEN
        PERFORM fail('CR422', 'body:canned_placeholder',
                     coalesce(v_bad, substring(v_rest FROM '.{0,10}[{}].{0,10}')));
    END IF;

    IF p_unit IS NOT NULL
       AND NOT EXISTS (SELECT FROM units WHERE id = p_unit)
    THEN
        PERFORM fail('CR422', 'unit:unit_unknown');
    END IF;

    SELECT * INTO v_was FROM canned WHERE id = p_id FOR NO KEY UPDATE;

    IF p_id IS NULL THEN
        INSERT INTO canned (title, body, unit_id, active, updated_by)
        VALUES (p_title, p_body, p_unit, p_active, v_me.id)
        RETURNING id INTO v_id;
    ELSE
        UPDATE canned
           SET title = p_title, body = p_body, unit_id = p_unit,
               active = p_active, updated_at = now(), updated_by = v_me.id
         WHERE id = p_id;
        IF NOT FOUND THEN
            PERFORM fail('CR404', 'not_found');
        END IF;
    END IF;

    PERFORM audit_staff('canned_saved', 'canned', v_id::text,
        with_before(jsonb_build_object('title', p_title, 'body', p_body,
                        'unit', p_unit, 'active', p_active),
                    CASE WHEN v_was.id IS NOT NULL THEN
                        jsonb_build_object('title', v_was.title,
                            'body', v_was.body, 'unit', v_was.unit_id,
                            'active', v_was.active) END));
    RETURN v_id;
END
$$;

-- The same three as a form sends them: its submission_key first, so that a form
-- sent twice saves once.
CREATE OR REPLACE FUNCTION unit_save(p_submission_key text, p_id bigint,
    p_code text, p_name text, p_due_days integer, p_active boolean)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
DECLARE
    v_me    staff := me_staff('admin');
    v_done  text := submission_begin('staff', v_me.id, p_submission_key,
                                     'unit');
BEGIN
    IF v_done IS NULL THEN
        v_done := unit_save(p_id, p_code, p_name, p_due_days, p_active);
        PERFORM submission_end('staff', v_me.id, p_submission_key, 'unit',
                               v_done);
    END IF;

    RETURN v_done;
END
$$;

CREATE OR REPLACE FUNCTION book_save(p_submission_key text, p_id bigint,
    p_code text, p_name text, p_active boolean) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
DECLARE
    v_me    staff := me_staff('admin');
    v_done  text := submission_begin('staff', v_me.id, p_submission_key,
                                     'book');
BEGIN
    IF v_done IS NULL THEN
        v_done := book_save(p_id, p_code, p_name, p_active);
        PERFORM submission_end('staff', v_me.id, p_submission_key, 'book',
                               v_done);
    END IF;

    RETURN v_done;
END
$$;

CREATE OR REPLACE FUNCTION canned_save(p_submission_key text, p_id bigint,
    p_title text, p_body text, p_unit bigint, p_active boolean)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
DECLARE
    v_me    staff := me_staff('manager,admin');
    v_done  text := submission_begin('staff', v_me.id, p_submission_key,
                                     'canned');
BEGIN
    IF v_done IS NULL THEN
        v_done := canned_save(p_id, p_title, p_body, p_unit, p_active);
        PERFORM submission_end('staff', v_me.id, p_submission_key, 'canned',
                               v_done);
    END IF;

    RETURN v_done;
END
$$;

-- Staff ---------------------------------------------------------------------------

-- staff_check(name, role, unit): what both ways of saving ask for.
CREATE OR REPLACE FUNCTION staff_check(p_name text, p_role text,
    p_unit bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF btrim(coalesce(p_name, '')) = '' THEN
        PERFORM fail('CR422', 'name:name_required');
    END IF;

    IF coalesce(p_role, '') NOT IN ('clerk', 'expert', 'manager', 'admin')
    THEN
        PERFORM fail('CR422', 'role:role_wrong');
    END IF;

    IF p_role = 'expert' AND p_unit IS NULL THEN
        PERFORM fail('CR422', 'unit:expert_needs_unit');
    END IF;

    IF p_unit IS NOT NULL THEN
        PERFORM FROM units WHERE id = p_unit AND active FOR SHARE;

        IF NOT FOUND THEN
            PERFORM fail('CR422', 'unit:unit_unknown');
        END IF;
    END IF;
END
$$;

-- Is there another active administrator than this one?  Holds the staff
-- table against a second such change at the same time.
CREATE OR REPLACE FUNCTION staff_other_admin(p_staff bigint)
RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('correspondence admins'));
    RETURN EXISTS (SELECT FROM staff
                    WHERE role = 'admin' AND status = 'active'
                      AND id <> p_staff);
END
$$;

-- staff_invite(username, name, role, unit id or NULL, token_hash, hours)
-- → staff_id, expires_at.  Admin.  CR422 username:username_wrong,
-- username:username_taken, and staff_check's.
CREATE OR REPLACE FUNCTION staff_invite(p_username text, p_name text,
    p_role text, p_unit bigint, p_token_hash bytea, p_hours integer)
RETURNS TABLE (staff_id bigint, expires_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_me        staff := me_staff('admin');
BEGIN
    PERFORM staff_check(p_name, p_role, p_unit);

    IF coalesce(p_username, '') !~ '^[a-z0-9][a-z0-9._-]{1,39}$' THEN
        PERFORM fail('CR422', 'username:username_wrong');
    END IF;

    INSERT INTO staff AS s (username, name, role, unit_id)
    VALUES (p_username, p_name, p_role, p_unit)
    ON CONFLICT (username) DO NOTHING
    RETURNING s.id INTO staff_id;

    IF staff_id IS NULL THEN
        PERFORM fail('CR422', 'username:username_taken');
    END IF;

    PERFORM invitation_make(staff_id, p_token_hash, p_hours, v_me.id);
    SELECT max(i.expires_at) INTO expires_at FROM invitations AS i
     WHERE i.token_hash = p_token_hash;
    PERFORM audit_staff('staff_invited', 'staff', staff_id::text,
        jsonb_build_object('username', p_username, 'role', p_role));
    RETURN NEXT;
END
$$;

-- staff_reinvite(staff id, token_hash, hours) → staff_id, expires_at
-- Another link: for one that was lost, and for a colleague without password
-- or authenticator, who chooses new ones; nobody else ever does.  Until then
-- the old ones work, and a log-in with them ends the link.  Admin.
CREATE OR REPLACE FUNCTION staff_reinvite(p_staff bigint,
    p_token_hash bytea, p_hours integer)
RETURNS TABLE (staff_id bigint, expires_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_me        staff := me_staff('admin');
BEGIN
    IF NOT EXISTS (SELECT FROM staff AS s
                    WHERE s.id = p_staff AND s.status <> 'disabled')
    THEN
        PERFORM fail('CR404', 'staff_unknown');
    END IF;

    PERFORM invitation_make(p_staff, p_token_hash, p_hours, v_me.id);
    staff_id := p_staff;
    SELECT i.expires_at INTO expires_at FROM invitations AS i
     WHERE i.token_hash = p_token_hash;
    PERFORM audit_staff('staff_reinvited', 'staff', p_staff::text);
    RETURN NEXT;
END
$$;

-- staff_save(staff id, name, role, unit id or NULL) → true.  Admin.  The new
-- role holds from the next request on.  CR409 staff_last_admin,
-- staff_has_work (an expert cannot keep letters of their own).
CREATE OR REPLACE FUNCTION staff_save(p_staff bigint, p_name text,
    p_role text, p_unit bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
DECLARE
    v_me        staff := me_staff('admin');
    v_was       staff;
BEGIN
    PERFORM staff_check(p_name, p_role, p_unit);
    SELECT * INTO v_was FROM staff WHERE id = p_staff;

    IF NOT FOUND THEN
        PERFORM fail('CR404', 'staff_unknown');
    END IF;

    IF v_was.role = 'admin' AND p_role <> 'admin'
       AND v_was.status = 'active' AND NOT staff_other_admin(p_staff)
    THEN
        PERFORM fail('CR409', 'staff_last_admin');
    END IF;

    -- First the role, so that no letter is taken while we look.
    UPDATE staff SET name = p_name, role = p_role, unit_id = p_unit
     WHERE id = p_staff;

    IF p_role = 'expert' AND EXISTS (
        SELECT FROM letters WHERE owner_id = p_staff AND closed_at IS NULL)
    THEN
        PERFORM fail('CR409', 'staff_has_work');
    END IF;

    PERFORM audit_staff('staff_saved', 'staff', p_staff::text,
        with_before(jsonb_build_object('name', p_name, 'role', p_role,
                        'unit', p_unit),
                    jsonb_build_object('name', v_was.name,
                        'role', v_was.role, 'unit', v_was.unit_id)));
    RETURN true;
END
$$;

-- staff_disable(staff id) → true.  Admin.  Ends the sessions at once.
-- CR409 staff_self, staff_last_admin, staff_has_work: hand over first.
CREATE OR REPLACE FUNCTION staff_disable(p_staff bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
DECLARE
    v_me        staff := me_staff('admin');
    v_was       staff;
BEGIN
    SELECT * INTO v_was FROM staff WHERE id = p_staff;

    IF NOT FOUND THEN
        PERFORM fail('CR404', 'staff_unknown');
    END IF;

    IF p_staff = v_me.id THEN
        PERFORM fail('CR409', 'staff_self');
    END IF;

    IF v_was.role = 'admin' AND v_was.status = 'active'
       AND NOT staff_other_admin(p_staff)
    THEN
        PERFORM fail('CR409', 'staff_last_admin');
    END IF;

    PERFORM invitations_hold(p_staff);

    -- First the account, so that nothing new comes in while we look.  What was
    -- chosen by a link and not yet confirmed goes with the link: staff_enable()
    -- would let it in.
    UPDATE staff
       SET status = 'disabled', epoch = epoch + 1,
           password_hash = CASE WHEN status = 'active' THEN password_hash END,
           totp_secret = CASE WHEN status = 'active' THEN totp_secret END
     WHERE id = p_staff AND status <> 'disabled';

    -- An account that is active stays so when a link sets its password, but no
    -- code of the new authenticator was accepted then.  A script's account may
    -- be as new, without a link.
    UPDATE staff SET password_hash = NULL, totp_secret = NULL
     WHERE id = p_staff AND totp_step = 0
       AND EXISTS (SELECT FROM invitations AS i
                    WHERE i.staff_id = p_staff AND i.used_at IS NULL);

    IF EXISTS (SELECT FROM letters
                WHERE owner_id = p_staff AND closed_at IS NULL)
       OR EXISTS (SELECT FROM tickets
                   WHERE owner_id = p_staff AND status <> 'closed')
    THEN
        PERFORM fail('CR409', 'staff_has_work');
    END IF;

    PERFORM invitations_end(p_staff);
    UPDATE substitutes SET ended_at = now()
     WHERE (absent_id = p_staff OR substitute_id = p_staff)
       AND ended_at IS NULL;
    DELETE FROM staff_browsers WHERE staff_id = p_staff;
    PERFORM audit_staff('staff_disabled', 'staff', p_staff::text);
    RETURN true;
END
$$;

-- staff_enable(staff id) → true.  Admin.  Old sessions stay dead, and who has
-- no password any more is let in by a new link only.  CR409
-- staff_unit_closed: their unit was closed meanwhile.
CREATE OR REPLACE FUNCTION staff_enable(p_staff bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
DECLARE
    v_me        staff := me_staff('admin');
    v_unit      bigint;
BEGIN
    UPDATE staff
       SET status = CASE WHEN password_hash IS NULL THEN 'invited'
                         ELSE 'active' END
     WHERE id = p_staff AND status = 'disabled'
    RETURNING unit_id INTO v_unit;

    IF FOUND THEN
        IF v_unit IS NOT NULL THEN
            PERFORM FROM units WHERE id = v_unit AND active FOR SHARE;

            IF NOT FOUND THEN
                PERFORM fail('CR409', 'staff_unit_closed');
            END IF;
        END IF;

        PERFORM audit_staff('staff_enabled', 'staff', p_staff::text);
    ELSIF NOT EXISTS (SELECT FROM staff WHERE id = p_staff) THEN
        PERFORM fail('CR404', 'staff_unknown');
    END IF;

    RETURN true;
END
$$;

-- staff_handover(from, to) → letters, tickets: how many moved, more: there may
-- be other letters, and it is to be called again.  Manager, admin.  A thousand
-- letters at once, which nobody can work at meanwhile: ten thousand in one go
-- took longer than a statement may.  A line of the audit for each, and one for
-- all.  CR422 to:staff_unknown (not active, or an expert), to:substitute_same.
CREATE OR REPLACE FUNCTION staff_handover(p_from bigint, p_to bigint)
RETURNS TABLE (letters_moved integer, tickets_moved integer, more boolean)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_me        staff := me_staff('manager,admin');
    v_most      CONSTANT integer := 1000;
BEGIN
    IF p_from = p_to THEN
        PERFORM fail('CR422', 'to:substitute_same');
    END IF;

    PERFORM FROM staff
      WHERE id = p_to AND status = 'active' AND role <> 'expert'
        FOR SHARE;

    IF NOT FOUND THEN
        PERFORM fail('CR422', 'to:staff_unknown');
    END IF;

    -- What event_add() does for one, and the audit's lines.
    WITH held AS MATERIALIZED (
        SELECT l.id FROM letters AS l
         WHERE l.owner_id = p_from AND l.closed_at IS NULL
         ORDER BY l.id LIMIT v_most FOR NO KEY UPDATE),
    moved AS (
        UPDATE letters AS l
           SET owner_id = p_to, updated_at = now(), version = l.version + 1
          FROM held AS h WHERE l.id = h.id
        RETURNING l.id, l.tracking_code),
    told AS (
        INSERT INTO events (letter_id, kind, actor, staff_id, for_id,
                            visibility)
        SELECT m.id, 'taken', 'staff', p_to, p_from, 'internal'
          FROM moved AS m ORDER BY m.id),
    lines AS (
        INSERT INTO audit AS a (actor, actor_id, action, object, object_id,
                                address, details)
        SELECT 'staff', v_me.id, 'handed_over', 'letter', m.tracking_code,
               context_address(),
               jsonb_build_object('from', p_from, 'to', p_to)
          FROM moved AS m ORDER BY m.id
        RETURNING a.id),
    pending AS (
        INSERT INTO audit_pending (audit_id) SELECT n.id FROM lines AS n)
    SELECT count(*) INTO letters_moved FROM moved;

    more := letters_moved = v_most;
    tickets_moved := 0;

    IF NOT more THEN
        UPDATE tickets SET owner_id = p_to
         WHERE owner_id = p_from AND status <> 'closed';
        GET DIAGNOSTICS tickets_moved = ROW_COUNT;
    END IF;

    PERFORM audit_staff('handed_over', 'staff', p_from::text,
        jsonb_build_object('to', p_to, 'letters', letters_moved,
                           'tickets', tickets_moved));
    RETURN NEXT;
END
$$;

-- substitute_set(absent, substitute, from, to) → id.  Manager and admin for
-- anyone, others for themselves.  CR422 substitute:substitute_same,
-- substitute:staff_unknown (one of them is not active), to:from_after_to,
-- to:substitute_too_long.
CREATE OR REPLACE FUNCTION substitute_set(p_absent bigint,
    p_substitute bigint, p_from date, p_to date) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
DECLARE
    v_me        staff := me_staff();
    v_absent    staff;
    v_other     staff;
    v_id        bigint;
BEGIN
    IF v_me.role NOT IN ('manager', 'admin') AND p_absent <> v_me.id THEN
        PERFORM fail('CR403', 'role_refused');
    END IF;

    IF p_absent = p_substitute THEN
        PERFORM fail('CR422', 'substitute:substitute_same');
    END IF;

    IF p_from IS NULL OR p_to IS NULL THEN
        PERFORM fail('CR422', 'from:date_required');
    END IF;

    IF p_to < p_from OR p_to < today() THEN
        PERFORM fail('CR422', 'to:from_after_to');
    END IF;

    -- Who is away for longer is not away: a year, and one that is a leap year.
    IF p_to - p_from >= 366 THEN
        PERFORM fail('CR422', 'to:substitute_too_long');
    END IF;

    SELECT * INTO v_absent FROM staff
     WHERE id = p_absent AND status = 'active';
    SELECT * INTO v_other FROM staff
     WHERE id = p_substitute AND status = 'active';

    -- A substitute gets no more than their own role allows: an expert stands
    -- in for an expert only.
    IF v_absent.id IS NULL OR v_other.id IS NULL
       OR v_other.role = 'expert' AND v_absent.role <> 'expert'
    THEN
        PERFORM fail('CR422', 'substitute:staff_unknown');
    END IF;

    -- One at a time for somebody, or two would not see each other's row.
    PERFORM pg_advisory_xact_lock(hashtextextended(
        'substitute:' || p_absent, 0));

    UPDATE substitutes SET ended_at = now()
     WHERE absent_id = p_absent AND ended_at IS NULL
       AND daterange(from_on, to_on, '[]') && daterange(p_from, p_to, '[]');
    INSERT INTO substitutes (absent_id, substitute_id, from_on, to_on,
                             created_by)
    VALUES (p_absent, p_substitute, p_from, p_to, v_me.id)
    RETURNING id INTO v_id;
    PERFORM audit_staff('substitute_set', 'staff', p_absent::text,
        jsonb_build_object('substitute', p_substitute, 'from', p_from,
                           'to', p_to));
    RETURN v_id;
END
$$;

-- substitute_end(absent) → true: back at work.
CREATE OR REPLACE FUNCTION substitute_end(p_absent bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
DECLARE
    v_me        staff := me_staff();
BEGIN
    IF v_me.role NOT IN ('manager', 'admin') AND p_absent <> v_me.id THEN
        PERFORM fail('CR403', 'role_refused');
    END IF;

    UPDATE substitutes SET ended_at = now()
     WHERE absent_id = p_absent AND ended_at IS NULL;

    IF FOUND THEN
        PERFORM audit_staff('substitute_ended', 'staff', p_absent::text);
    END IF;

    RETURN true;
END
$$;

-- Calendar -------------------------------------------------------------------------

-- calendar_set(day, kind holiday|workday|none, title) → true.  Admin.  Open
-- letters, and referrals, keep their number of working days when a day in
-- front of them changes, today or later; the day on which one came does not
-- count for it.  They follow by calendar_follow.  CR422 day:day_wrong,
-- day_kind:day_kind_wrong.
CREATE OR REPLACE FUNCTION calendar_set(p_day date, p_kind text,
    p_title text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
DECLARE
    v_me        staff := me_staff('admin');
    v_was       calendar_days;
    v_before    boolean;
    v_after     boolean;
BEGIN
    IF p_day IS NULL
       OR NOT EXISTS (SELECT FROM jalali_days AS j WHERE j.day = p_day)
    THEN
        PERFORM fail('CR422', 'day:day_wrong');
    END IF;

    IF coalesce(p_kind, '') NOT IN ('holiday', 'workday', 'none') THEN
        PERFORM fail('CR422', 'day_kind:day_kind_wrong');
    END IF;

    LOCK TABLE calendar_days IN SHARE ROW EXCLUSIVE MODE;
    SELECT * INTO v_was FROM calendar_days AS c WHERE c.day = p_day;
    v_before := is_working_day(p_day);

    IF p_kind = 'none' THEN
        DELETE FROM calendar_days AS c WHERE c.day = p_day;
    ELSE
        INSERT INTO calendar_days AS c (day, kind, title, changed_by)
        VALUES (p_day, p_kind, coalesce(p_title, ''), v_me.id)
        ON CONFLICT (day) DO UPDATE
            SET kind = EXCLUDED.kind, title = EXCLUDED.title,
                changed_by = EXCLUDED.changed_by, changed_at = now();
    END IF;

    v_after := is_working_day(p_day);

    IF v_before <> v_after AND p_day >= today() THEN
        INSERT INTO calendar_moves (day, step)
        VALUES (p_day, CASE WHEN v_after THEN -1 ELSE 1 END);
    END IF;

    PERFORM audit_staff('calendar_set', 'day', p_day::text,
        with_before(jsonb_build_object('kind', p_kind,
                                       'title', coalesce(p_title, '')),
                    CASE WHEN v_was.day IS NOT NULL THEN
                        jsonb_build_object('kind', v_was.kind,
                                           'title', v_was.title) END));
    RETURN true;
END
$$;

-- calendar_follow(most) → more: of the due dates that have not followed the
-- calendar yet, those of so many letters or referrals, and whether there may
-- be others.  What is closed or answered keeps its date; each is taken past all
-- changes at once, so that no second walk moves it again.  Of several who call
-- it one works.
CREATE OR REPLACE FUNCTION calendar_follow(p_most integer)
RETURNS TABLE (more boolean)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
DECLARE
    v_move      calendar_moves;
    v_at        timestamptz;
    v_id        bigint;
BEGIN
    IF pg_try_advisory_xact_lock(hashtext('correspondence calendar')) THEN
        SELECT * INTO v_move FROM calendar_moves
         WHERE ended_at IS NULL ORDER BY id LIMIT 1;
    END IF;

    more := v_move.id IS NOT NULL;

    IF v_move.before_at IS NOT NULL THEN
        WITH walked AS MATERIALIZED (
            SELECT l.id, l.created_at FROM letters AS l
             WHERE l.closed_at IS NULL
               AND (l.created_at, l.id) < (v_move.before_at, v_move.before_id)
             ORDER BY l.created_at DESC, l.id DESC LIMIT p_most
        ), moved AS (
            UPDATE letters AS l
               SET due_on = letter_due(l), calendar_move = calendar_move()
              FROM walked AS w
             WHERE l.id = w.id AND l.closed_at IS NULL
               AND l.answered_at IS NULL AND l.due_on <> letter_due(l))
        SELECT w.created_at, w.id INTO v_at, v_id
          FROM walked AS w ORDER BY w.created_at, w.id LIMIT 1;
        UPDATE calendar_moves
           SET before_at = v_at, before_id = coalesce(v_id, 0)
         WHERE id = v_move.id;

    ELSIF more THEN
        SELECT max(w.letter_id) INTO v_id
          FROM (SELECT r.letter_id FROM referrals AS r
                 WHERE r.outcome IS NULL
                   AND r.letter_id > v_move.after_letter
                 ORDER BY r.letter_id LIMIT p_most) AS w;
        UPDATE referrals AS r
           SET due_on = referral_due(r), calendar_move = calendar_move()
         WHERE r.outcome IS NULL AND r.letter_id > v_move.after_letter
           AND r.letter_id <= v_id AND r.due_on <> referral_due(r);
        UPDATE calendar_moves
           SET after_letter = coalesce(v_id, after_letter),
               ended_at = CASE WHEN v_id IS NULL THEN now() END
         WHERE id = v_move.id;
    END IF;

    RETURN NEXT;
END
$$;

-- setting_set(name, value) → true.  Admin.  The names are those of
-- settings_known.  What holds already is no change.  CR422 NAME:setting_wrong.
CREATE OR REPLACE FUNCTION setting_set(p_name text, p_value integer)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
DECLARE
    v_me        staff := me_staff('admin');
    v_was       integer;
BEGIN
    IF setting_int(p_name) IS NULL
       OR coalesce(p_value, 0) NOT BETWEEN 1 AND 365
    THEN
        PERFORM fail('CR422', p_name || ':setting_wrong');
    END IF;

    -- Who comes second sees what the first one set.
    LOCK TABLE settings IN SHARE ROW EXCLUSIVE MODE;
    v_was := setting_int(p_name);

    IF v_was = p_value THEN
        RETURN true;
    END IF;

    INSERT INTO settings AS s (name, value) VALUES (p_name, p_value::text)
    ON CONFLICT (name) DO UPDATE SET value = EXCLUDED.value,
                                     changed_at = now();
    PERFORM audit_staff('setting_set', 'setting', p_name,
                        jsonb_build_object('value', p_value,
                                           'value_before', v_was));
    RETURN true;
END
$$;

-- letter_prove_position(submission_key, tracking_code) → repeated: the
-- sender's position in the company is proven, for this letter and for what
-- the same person sends for it in the same position, under the same name and
-- registration number.  CR404, CR409 conflict
-- (a natural person's letter).
CREATE OR REPLACE FUNCTION letter_prove_position(p_submission_key text,
    p_code text)
RETURNS TABLE (repeated boolean)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_me        staff := me_staff('clerk,manager,admin');
    v_letter    letters;
BEGIN
    repeated := submission_begin('staff', v_me.id, p_submission_key,
                                 'position') IS NOT NULL;

    IF repeated THEN
        RETURN NEXT;
        RETURN;
    END IF;

    -- the company before its letters, as company_result() has them

    PERFORM FROM companies AS c JOIN letters AS l ON l.company_id = c.id
      WHERE l.tracking_code = p_code FOR NO KEY UPDATE OF c;

    v_letter := staff_letter(v_me, p_code);

    IF v_letter.person_kind <> 'legal' THEN
        PERFORM fail('CR409', 'conflict');
    END IF;

    repeated := v_letter.position_proven;

    IF NOT repeated THEN
        UPDATE companies AS c
           SET position_proven_at = now(), position_proven_by = v_me.id
         WHERE c.id = v_letter.company_id
           AND (c.position, c.name, c.registration_number)
               IS NOT DISTINCT FROM (v_letter.position, v_letter.company_name,
                                     v_letter.registration_number);
        UPDATE letters AS l
           SET position_proven = true, version = l.version + 1
         WHERE l.company_id = v_letter.company_id
           AND (l.position, l.company_name, l.registration_number)
               IS NOT DISTINCT FROM (v_letter.position, v_letter.company_name,
                                     v_letter.registration_number);
        PERFORM event_add(v_letter.id, 'position_proven', 'staff', v_me.id,
                          NULL, 'internal');
        PERFORM audit_staff('position_proven', 'letter', p_code);
    END IF;

    PERFORM submission_end('staff', v_me.id, p_submission_key, 'position',
                           p_code);
    RETURN NEXT;
END
$$;

-- staff_read(what, details) → true: a search, an export of the audit, a CSV, a
-- list of messages: reading is written down as well.  After guard_staff.
CREATE OR REPLACE FUNCTION staff_read(p_what text, p_details jsonb)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
BEGIN
    PERFORM audit_staff('read', p_what, NULL, p_details);
    RETURN true;
END
$$;
