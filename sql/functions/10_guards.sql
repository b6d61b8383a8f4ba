-- Guards: the first statement of every write's pipeline.  They raise, so that
-- nothing behind them in the same transaction runs, and they leave who acts
-- and from where for the functions that follow.
--
-- Pages that only read begin with the plain statements guard_person_read and
-- guard_staff_read (statements/guards.sql), which give no row instead.

-- guard_person_note(id, session epoch, least level, address) → id
-- Before what only leaves a line in the audit.  CR401 session_ended, CR403
-- identity_needed.
CREATE OR REPLACE FUNCTION guard_person_note(p_id bigint, p_epoch integer,
    p_min_level integer, p_address text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
DECLARE
    v_me    persons;
BEGIN
    SELECT * INTO v_me FROM persons WHERE id = p_id;

    IF NOT FOUND OR v_me.session_epoch <> p_epoch OR v_me.status <> 'active'
    THEN
        PERFORM fail('CR401', 'session_ended');
    END IF;

    IF v_me.level < p_min_level THEN
        PERFORM fail('CR403', 'identity_needed');
    END IF;

    PERFORM set_config('correspondence.person', p_id::text, true),
            set_config('correspondence.staff', '', true),
            set_config('correspondence.address', p_address, true);
    RETURN p_id;
END
$$;

-- guard_person(the same): before every other write.  Holds the person's row:
-- one person's writes happen one after the other, and each waits until the
-- one before it is on the disk.
CREATE OR REPLACE FUNCTION guard_person(p_id bigint, p_epoch integer,
    p_min_level integer, p_address text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
BEGIN
    PERFORM FROM persons WHERE id = p_id FOR NO KEY UPDATE;
    RETURN guard_person_note(p_id, p_epoch, p_min_level, p_address);
END
$$;

-- guard_staff(id, epoch, roles, address) → id
-- roles: '' for any, or 'clerk,manager'.  CR401 session_ended, CR403
-- role_refused (written to the audit by the page, in a transaction of its
-- own: this one is rolled back).
CREATE OR REPLACE FUNCTION guard_staff(p_id bigint, p_epoch integer,
    p_roles text, p_address text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
DECLARE
    v_me    staff;
BEGIN
    SELECT * INTO v_me FROM staff WHERE id = p_id FOR SHARE;

    IF NOT FOUND OR v_me.epoch <> p_epoch OR v_me.status <> 'active' THEN
        PERFORM fail('CR401', 'session_ended');
    END IF;

    IF p_roles <> '' AND v_me.role <> ALL (string_to_array(p_roles, ','))
    THEN
        PERFORM fail('CR403', 'role_refused');
    END IF;

    PERFORM set_config('correspondence.staff', p_id::text, true),
            set_config('correspondence.person', '', true),
            set_config('correspondence.address', p_address, true);
    RETURN p_id;
END
$$;

-- audit_refused(actor, actor id, route, address): a refusal, for the record.
CREATE OR REPLACE FUNCTION audit_refused(p_actor text, p_actor_id bigint,
    p_route text, p_address text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
BEGIN
    PERFORM audit_add(p_actor, p_actor_id, NULL, 'refused', 'route', p_route,
                      p_address);
    RETURN true;
END
$$;
