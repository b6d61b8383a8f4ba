-- Passwords.  The hash is made and checked by the portal (argon2id, in a
-- thread); here it is kept and guessing is slowed.
--
-- Five free failures, then waits of 2, 4, 8 … seconds up to 15 minutes, counted
-- as password_key() says, per national code, known or not.  After 100
-- failures in a row strangers' browsers have to log in by code, once.

-- login_try(national_code, browser, address)
-- → verdict  try        check the password against password_hash (none: the
--                       portal's dummy), then call login_done
--            wait       wait says how many seconds
--            code_only  log in by code
--   wait, person_id, password_hash
CREATE OR REPLACE FUNCTION login_try(p_national_code text, p_browser text,
    p_address text)
RETURNS TABLE (verdict text, wait integer, person_id bigint,
               password_hash text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_person    persons;
    v_key       text;
    v_failures  integer;
BEGIN
    SELECT p.* INTO v_person FROM persons AS p
     WHERE p.national_code = p_national_code AND p.status = 'active';

    v_key := password_key(p_national_code, p_browser,
        EXISTS (SELECT FROM person_browsers AS b
                 WHERE b.person_id = v_person.id AND b.browser = p_browser));

    SELECT t.failures INTO v_failures FROM tries AS t
     WHERE t.scope = 'password' AND t.key = v_key;

    IF v_failures >= 100 THEN
        verdict := 'code_only';
        wait := 0;
        RETURN NEXT;
        RETURN;
    END IF;

    wait := password_take('password', v_key);

    IF wait > 0 THEN
        verdict := 'wait';
    ELSE
        verdict := 'try';
        person_id := v_person.id;
        password_hash := v_person.password_hash;
    END IF;

    RETURN NEXT;
END
$$;

-- login_done(national_code, person_id or NULL, password_hash that matched or
--            NULL, browser, address)
-- → ok, person_id, session_epoch
-- The matched hash must still be the account's: a password changed meanwhile
-- lets nobody in.
CREATE OR REPLACE FUNCTION login_done(p_national_code text, p_person bigint,
    p_matched text, p_browser text, p_address text)
RETURNS TABLE (ok boolean, person_id bigint, session_epoch integer)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
BEGIN
    SELECT p.id, p.session_epoch INTO person_id, session_epoch
      FROM persons AS p
     WHERE p.id = p_person AND p.national_code = p_national_code
       AND p.status = 'active' AND p.password_hash = p_matched
       FOR NO KEY UPDATE;
    ok := FOUND;

    IF ok THEN
        PERFORM person_signed_in(person_id, p_browser, 'login', p_address);
    ELSE
        PERFORM audit_add('nobody', NULL, NULL, 'login_failed', 'person',
                          p_person::text, p_address);
    END IF;

    RETURN NEXT;
END
$$;

-- login_renew(person_id, password_hash that matched, the new one) → renewed
-- The same password, hashed with today's settings: nothing of the account
-- changes, and no session ends.
CREATE OR REPLACE FUNCTION login_renew(p_id bigint, p_matched text,
    p_renewed text)
RETURNS TABLE (renewed boolean)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
BEGIN
    UPDATE persons AS t SET password_hash = p_renewed
     WHERE t.id = p_id AND t.password_hash = p_matched;
    renewed := FOUND;
    RETURN NEXT;
END
$$;

-- After guard_person: password_current(browser)
-- → has_password, wait, password_hash: the hash to check current_password
-- against (NULL when wait > 0).  Counts a try, returned by password_set.
CREATE OR REPLACE FUNCTION password_current(p_browser text)
RETURNS TABLE (has_password boolean, wait integer, password_hash text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_me        persons := me_person();
BEGIN
    has_password := v_me.password_hash IS NOT NULL;
    wait := 0;

    IF has_password THEN
        wait := password_take('password_change', v_me.id::text);
        IF wait = 0 THEN
            password_hash := v_me.password_hash;
        END IF;
    END IF;

    RETURN NEXT;
END
$$;

-- After guard_person: password_set(matched hash or NULL when there was none,
-- new hash) → session_epoch: for the session that goes on; all others end.
-- CR409 conflict.
CREATE OR REPLACE FUNCTION password_set(p_matched text, p_hash text)
RETURNS TABLE (session_epoch integer)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_me        persons := me_person();
BEGIN
    IF v_me.password_hash IS DISTINCT FROM p_matched THEN
        PERFORM fail('CR409', 'conflict');
    END IF;

    UPDATE persons AS p
       SET password_hash = p_hash, password_set_at = now(),
           session_epoch = p.session_epoch + 1
     WHERE p.id = v_me.id
    RETURNING p.session_epoch INTO session_epoch;

    -- The try is not given back: changes to and fro are as many messages.

    IF p_matched IS NOT NULL THEN
        PERFORM message_add('password_changed', '{}', v_me.mobile, v_me.id);
    END IF;

    PERFORM audit_person(CASE WHEN p_matched IS NULL THEN 'password_set'
                              ELSE 'password_changed' END,
                         'person', v_me.id::text);
    RETURN NEXT;
END
$$;

-- After guard_person: sessions_end() → session_epoch.  All sessions but the
-- one that goes on with the new epoch.
CREATE OR REPLACE FUNCTION sessions_end()
RETURNS TABLE (session_epoch integer)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
BEGIN
    UPDATE persons AS p SET session_epoch = p.session_epoch + 1
     WHERE p.id = context_id('person')
    RETURNING p.session_epoch INTO session_epoch;
    PERFORM audit_person('sessions_ended', 'person',
                         context_id('person')::text);
    RETURN NEXT;
END
$$;

-- After guard_person: session_ended_note() → true: another session of one's
-- own, which only Redis knows; the line in the audit.
CREATE OR REPLACE FUNCTION session_ended_note() RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
BEGIN
    PERFORM audit_person('session_ended', 'person',
                         context_id('person')::text);
    RETURN true;
END
$$;

-- After guard_person: logout_note() → true: the line in the audit.
CREATE OR REPLACE FUNCTION logout_note() RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
BEGIN
    PERFORM audit_person('logout', 'person', context_id('person')::text);
    RETURN true;
END
$$;
