-- Clerks' log-in: user name and password, then TOTP.  Waits as for citizens:
-- apart for browsers that signed in before, so nobody is locked out by a
-- stranger who got as far as this page.

-- staff_login_try(username, browser, address)
-- → verdict try|wait, wait, staff_id, password_hash (none: check the dummy)
CREATE OR REPLACE FUNCTION staff_login_try(p_username text, p_browser text,
    p_address text)
RETURNS TABLE (verdict text, wait integer, staff_id bigint,
               password_hash text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_staff     staff;
    v_name      text := left(lower(p_username), 60);
BEGIN
    SELECT s.* INTO v_staff FROM staff AS s
     WHERE s.username = v_name AND s.status = 'active';

    wait := password_take('staff_password', password_key(v_name, p_browser,
        EXISTS (SELECT FROM staff_browsers AS b
                 WHERE b.staff_id = v_staff.id AND b.browser = p_browser)));

    IF wait > 0 THEN
        verdict := 'wait';
    ELSE
        verdict := 'try';
        staff_id := v_staff.id;
        password_hash := v_staff.password_hash;
    END IF;

    RETURN NEXT;
END
$$;

-- staff_login_done(username, staff_id or NULL, matched hash or NULL, browser,
--                  address) → ok, staff_id, epoch
-- ok: go on to TOTP with this id and epoch.  Not signed in yet.
CREATE OR REPLACE FUNCTION staff_login_done(p_username text, p_staff bigint,
    p_matched text, p_browser text, p_address text)
RETURNS TABLE (ok boolean, staff_id bigint, epoch integer)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
BEGIN
    SELECT s.id, s.epoch INTO staff_id, epoch FROM staff AS s
     WHERE s.id = p_staff AND s.username = lower(p_username)
       AND s.status = 'active' AND s.password_hash = p_matched;
    ok := FOUND;

    IF ok THEN
        PERFORM password_clear('staff_password', lower(p_username),
                               p_browser);
    ELSE
        PERFORM audit_add('nobody', NULL, NULL, 'staff_login_failed',
                          'staff', p_staff::text, p_address,
                          jsonb_build_object('username',
                                             left(p_username, 60)));
    END IF;

    RETURN NEXT;
END
$$;

-- staff_login_renew(staff_id, matched hash, the new one) → renewed; see
-- login_renew().
CREATE OR REPLACE FUNCTION staff_login_renew(p_id bigint, p_matched text,
    p_renewed text)
RETURNS TABLE (renewed boolean)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
BEGIN
    UPDATE staff AS t SET password_hash = p_renewed
     WHERE t.id = p_id AND t.password_hash = p_matched;
    renewed := FOUND;
    RETURN NEXT;
END
$$;

-- After guard_staff: staff_password_current() → wait, password_hash: the hash
-- to check current_password against (NULL when wait > 0).  Counts a try, given
-- back by staff_password_right().  Apart from the tries of log-ins: who holds
-- a stolen session must not lock its owner out.
CREATE OR REPLACE FUNCTION staff_password_current()
RETURNS TABLE (wait integer, password_hash text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_me        staff := me_staff();
BEGIN
    wait := password_take('staff_confirm', v_me.id::text);

    IF wait = 0 THEN
        password_hash := v_me.password_hash;
    END IF;

    RETURN NEXT;
END
$$;

CREATE OR REPLACE FUNCTION staff_password_right() RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
BEGIN
    PERFORM tries_clear('staff_confirm', context_id('staff')::text);
    RETURN true;
END
$$;

-- Its try stays taken.
CREATE OR REPLACE FUNCTION staff_password_wrong() RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
BEGIN
    PERFORM audit_staff('staff_confirm_failed', 'staff',
                        context_id('staff')::text);
    RETURN true;
END
$$;

-- staff_sessions_end(staff id) → true.  Admin.  For a cookie that was stolen:
-- all log-ins of a colleague end, and nothing else does.
CREATE OR REPLACE FUNCTION staff_sessions_end(p_staff bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
BEGIN
    PERFORM me_staff('admin');
    UPDATE staff AS s SET epoch = s.epoch + 1 WHERE s.id = p_staff;

    IF NOT FOUND THEN
        PERFORM fail('CR404', 'staff_unknown');
    END IF;

    PERFORM audit_staff('staff_sessions_ended', 'staff', p_staff::text);
    RETURN true;
END
$$;

-- staff_totp_try(staff_id, epoch, address)
-- → verdict try|wait|expired, wait, totp_secret (encrypted), totp_step: the
--   last step accepted; only later ones may pass.
-- Counted per account: behind a right password only.
CREATE OR REPLACE FUNCTION staff_totp_try(p_staff bigint, p_epoch integer,
    p_address text)
RETURNS TABLE (verdict text, wait integer, totp_secret bytea,
               totp_step bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_staff     staff;
BEGIN
    wait := 0;
    SELECT s.* INTO v_staff FROM staff AS s
     WHERE s.id = p_staff AND s.epoch = p_epoch AND s.status = 'active'
       AND s.totp_secret IS NOT NULL;

    IF NOT FOUND THEN
        verdict := 'expired';
        RETURN NEXT;
        RETURN;
    END IF;

    wait := password_take('totp', p_staff::text);

    IF wait > 0 THEN
        verdict := 'wait';
    ELSE
        verdict := 'try';
        totp_secret := v_staff.totp_secret;
        totp_step := v_staff.totp_step;
    END IF;

    RETURN NEXT;
END
$$;

-- staff_totp_done(staff_id, epoch, step that matched or NULL, browser,
--                 address, the secret encrypted anew or NULL)
-- → ok, staff_id, epoch
-- A step passes once: of two at the same time one wins.  Whoever can log in
-- needs no link: one that is open was lost, or made by somebody else for
-- themselves.
CREATE OR REPLACE FUNCTION staff_totp_done(p_staff bigint, p_epoch integer,
    p_step bigint, p_browser text, p_address text, p_totp_secret bytea)
RETURNS TABLE (ok boolean, staff_id bigint, epoch integer)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
BEGIN
    PERFORM invitations_hold(p_staff);

    UPDATE staff AS s
       SET totp_step = p_step, last_login_at = now(),
           totp_secret = coalesce(p_totp_secret, s.totp_secret)
     WHERE s.id = p_staff AND s.epoch = p_epoch AND s.status = 'active'
       AND s.totp_step < p_step
    RETURNING s.id, s.epoch INTO staff_id, epoch;
    ok := FOUND;

    IF ok THEN
        PERFORM tries_clear('totp', p_staff::text);
        INSERT INTO staff_browsers AS b (staff_id, browser)
        VALUES (p_staff, p_browser)
        ON CONFLICT (staff_id, browser) DO UPDATE SET seen_at = now();
        PERFORM invitations_end(p_staff);
        PERFORM audit_add('staff', p_staff, NULL, 'staff_login', 'staff',
                          p_staff::text, p_address);
    ELSE
        PERFORM audit_add('nobody', NULL, NULL, 'staff_totp_failed', 'staff',
                          p_staff::text, p_address);
    END IF;

    RETURN NEXT;
END
$$;

-- After guard_staff: staff_logout_note() → true
CREATE OR REPLACE FUNCTION staff_logout_note() RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
BEGIN
    PERFORM audit_staff('staff_logout', 'staff', context_id('staff')::text);
    RETURN true;
END
$$;

-- Invitations ---------------------------------------------------------------
--
-- A link holds a token of 256 random bits; token_hash is the SHA-256 of its
-- characters as they stand in the link (the statements compute it).

-- Somebody's open invitations, held before their account, as
-- invitation_password() has them: or each waits for what the other has.
CREATE OR REPLACE FUNCTION invitations_hold(p_staff bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM invitations
      WHERE staff_id = p_staff AND used_at IS NULL AND expires_at > now()
        FOR UPDATE;
END
$$;

CREATE OR REPLACE FUNCTION invitations_end(p_staff bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE invitations SET expires_at = now()
     WHERE staff_id = p_staff AND used_at IS NULL AND expires_at > now();
END
$$;

-- An invitation for a staff row: the older ones end.
CREATE OR REPLACE FUNCTION invitation_make(p_staff bigint,
    p_token_hash bytea, p_hours integer, p_by bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_id    bigint;
BEGIN
    PERFORM invitations_end(p_staff);
    INSERT INTO invitations (staff_id, token_hash, created_by, expires_at)
    VALUES (p_staff, p_token_hash, p_by, now() + p_hours * interval '1 hour')
    RETURNING id INTO v_id;
    RETURN v_id;
END
$$;

-- invitation_show(SHA-256 of the token) → username, name, role, has_password;
-- no row: used, expired, unknown.
CREATE OR REPLACE FUNCTION invitation_show(p_token_hash bytea)
RETURNS TABLE (username text, name text, role text, expires_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
    SELECT s.username, s.name, s.role, i.expires_at
      FROM invitations AS i JOIN staff AS s ON s.id = i.staff_id
     WHERE i.token_hash = p_token_hash AND i.used_at IS NULL
       AND i.expires_at > now() AND s.status <> 'disabled'
$$;

-- invitation_password(token_hash, password_hash, encrypted TOTP secret,
--                     address) → verdict ok|expired, staff_id, epoch
-- First half: the password and a TOTP secret for the page to show.  The
-- account is not active before a code of it was confirmed.  The second half
-- is asked for with this epoch: who did this again, by the same link, has
-- overtaken whoever was here before.
CREATE OR REPLACE FUNCTION invitation_password(p_token_hash bytea,
    p_password_hash text, p_totp_secret bytea, p_address text)
RETURNS TABLE (verdict text, staff_id bigint, epoch integer)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_staff     bigint;
BEGIN
    SELECT i.staff_id INTO v_staff FROM invitations AS i
     WHERE i.token_hash = p_token_hash AND i.used_at IS NULL
       AND i.expires_at > now() FOR UPDATE;

    IF FOUND THEN
        UPDATE staff AS s
           SET password_hash = p_password_hash,
               totp_secret = p_totp_secret, totp_step = 0,
               epoch = s.epoch + 1
         WHERE s.id = v_staff AND s.status <> 'disabled'
        RETURNING s.id, s.epoch INTO staff_id, epoch;
    END IF;

    IF staff_id IS NULL THEN
        verdict := 'expired';
    ELSE
        verdict := 'ok';
        PERFORM audit_add('staff', staff_id, NULL, 'invitation_password',
                          'staff', staff_id::text, p_address);
    END IF;

    RETURN NEXT;
END
$$;

-- invitation_totp(token_hash, epoch, count) → verdict try|wait|expired, wait,
-- staff_id, epoch, username, totp_secret, totp_step: for the page with the QR
-- code and for checking the code typed (count true).
CREATE OR REPLACE FUNCTION invitation_totp(p_token_hash bytea,
    p_epoch integer, p_count boolean)
RETURNS TABLE (verdict text, wait integer, staff_id bigint, epoch integer,
               username text, totp_secret bytea, totp_step bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
BEGIN
    wait := 0;
    verdict := 'try';
    SELECT s.id, s.epoch, s.username, s.totp_secret, s.totp_step
      INTO staff_id, epoch, username, totp_secret, totp_step
      FROM invitations AS i JOIN staff AS s ON s.id = i.staff_id
     WHERE i.token_hash = p_token_hash AND i.used_at IS NULL
       AND i.expires_at > now() AND s.status <> 'disabled'
       AND s.epoch = p_epoch AND s.totp_secret IS NOT NULL;

    IF NOT FOUND THEN
        verdict := 'expired';
    ELSIF p_count THEN
        wait := password_take('totp', staff_id::text);
        IF wait > 0 THEN
            verdict := 'wait';
            totp_secret := NULL;
        END IF;
    END IF;

    RETURN NEXT;
END
$$;

-- invitation_done(token_hash, epoch, step that matched, browser, address)
-- → ok, staff_id, epoch: active and signed in; the link is used up.
CREATE OR REPLACE FUNCTION invitation_done(p_token_hash bytea,
    p_epoch integer, p_step bigint, p_browser text, p_address text)
RETURNS TABLE (ok boolean, staff_id bigint, epoch integer)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_link      invitations;
BEGIN
    ok := false;
    SELECT * INTO v_link FROM invitations AS i
     WHERE i.token_hash = p_token_hash AND i.used_at IS NULL
       AND i.expires_at > now() FOR UPDATE;
    UPDATE staff AS s SET status = 'active'
     WHERE s.id = v_link.staff_id AND s.epoch = p_epoch
       AND s.status <> 'disabled' AND s.totp_secret IS NOT NULL
    RETURNING s.id INTO staff_id;

    IF FOUND THEN
        UPDATE invitations AS i SET used_at = now() WHERE i.id = v_link.id;
        SELECT d.ok, d.epoch INTO ok, epoch
          FROM staff_totp_done(staff_id, p_epoch, p_step, p_browser,
                               p_address, NULL) AS d;
        IF NOT ok THEN
            PERFORM fail('CR409', 'totp_used');
        END IF;
        PERFORM audit_add('staff', staff_id, NULL, 'invitation_done',
                          'staff', staff_id::text, p_address);
    END IF;

    RETURN NEXT;
END
$$;

-- For the owner (not granted to the portal) ------------------------------------

-- staff_bootstrap(username, name, role, unit code or NULL, token_hash, hours)
-- → id.  The first administrator, or another way in when all links are lost.
CREATE OR REPLACE FUNCTION staff_bootstrap(p_username text, p_name text,
    p_role text, p_unit text, p_token_hash bytea, p_hours integer)
RETURNS bigint
LANGUAGE plpgsql SET search_path = correspondence, pg_temp AS $$
DECLARE
    v_id    bigint;
BEGIN
    INSERT INTO staff (username, name, role, unit_id)
    VALUES (lower(p_username), p_name, p_role,
            (SELECT id FROM units WHERE code = p_unit))
    ON CONFLICT (username) DO NOTHING
    RETURNING id INTO v_id;

    IF v_id IS NULL THEN
        SELECT id INTO v_id FROM staff
         WHERE username = lower(p_username) AND status = 'invited';
        IF NOT FOUND THEN
            PERFORM fail('CR409', 'username_taken');
        END IF;
    END IF;

    PERFORM invitation_make(v_id, p_token_hash, p_hours, NULL);
    PERFORM audit_add('owner', NULL, NULL, 'staff_bootstrap', 'staff',
                      v_id::text, NULL,
                      jsonb_build_object('role', p_role));
    RETURN v_id;
END
$$;

-- staff_create_ready(username, name, role, unit code or NULL, argon2id
--     string, encrypted TOTP secret) → id.  A finished account, for
-- installations that are set up by a script; again: replaces the secrets.
CREATE OR REPLACE FUNCTION staff_create_ready(p_username text, p_name text,
    p_role text, p_unit text, p_password_hash text, p_totp_secret bytea)
RETURNS bigint
LANGUAGE plpgsql SET search_path = correspondence, pg_temp AS $$
DECLARE
    v_id    bigint;
BEGIN
    INSERT INTO staff AS s (username, name, role, unit_id, password_hash,
                            totp_secret, status)
    VALUES (lower(p_username), p_name, p_role,
            (SELECT id FROM units WHERE code = p_unit), p_password_hash,
            p_totp_secret, 'active')
    ON CONFLICT (username) DO UPDATE
       SET name = EXCLUDED.name, role = EXCLUDED.role,
           unit_id = EXCLUDED.unit_id,
           password_hash = EXCLUDED.password_hash,
           totp_secret = EXCLUDED.totp_secret, totp_step = 0,
           status = 'active', epoch = s.epoch + 1
    RETURNING s.id INTO v_id;
    PERFORM audit_add('owner', NULL, NULL, 'staff_ready', 'staff',
                      v_id::text, NULL,
                      jsonb_build_object('role', p_role));
    RETURN v_id;
END
$$;

-- unit_ensure(code, name) → id: for the same scripts.
CREATE OR REPLACE FUNCTION unit_ensure(p_code text, p_name text)
RETURNS bigint
LANGUAGE sql SET search_path = correspondence, pg_temp AS $$
    INSERT INTO units (code, name) VALUES (p_code, p_name)
    ON CONFLICT (code) DO UPDATE SET name = EXCLUDED.name
    RETURNING id
$$;
