-- The person's own data.  After guard_person.

-- profile_save(address, phone, email) → true; empty is none.
CREATE OR REPLACE FUNCTION profile_save(p_address text, p_phone text,
    p_email text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
BEGIN
    UPDATE persons
       SET address = nullif(p_address, ''), phone = nullif(p_phone, ''),
           email = nullif(p_email, '')
     WHERE id = context_id('person');
    PERFORM audit_person('profile_saved', 'person',
                         context_id('person')::text);
    RETURN true;
END
$$;

-- mobile_request(new mobile, browser, address, code_hash, secret, limits)
-- → verdict sent|wait|full, wait, expires_at, resend
-- CR422 mobile:mobile_unchanged.
CREATE OR REPLACE FUNCTION mobile_request(p_mobile text, p_browser text,
    p_address text, p_code_hash bytea, p_secret bytea, p_limits jsonb)
RETURNS TABLE (verdict text, wait integer, expires_at timestamptz,
               resend integer)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
DECLARE
    v_me        persons := me_person();
BEGIN
    IF v_me.mobile = p_mobile THEN
        PERFORM fail('CR422', 'mobile:mobile_unchanged');
    END IF;

    RETURN QUERY SELECT c.* FROM code_make('mobile', v_me.national_code,
        p_mobile, NULL, v_me.id, true, p_browser, p_address, p_code_hash,
        p_secret, p_limits) AS c;
END
$$;

-- mobile_verify(browser, code_hashes, limits)
-- → verdict ok|wrong|expired, tries_left, session_epoch
-- ok: the mobile is changed, identity is back at level 1 (who the person is
-- stays proven), all other sessions end, the old number is told.
CREATE OR REPLACE FUNCTION mobile_verify(p_browser text,
    p_code_hashes bytea, p_limits jsonb)
RETURNS TABLE (verdict text, tries_left integer, session_epoch integer)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_me        persons := me_person();
    v_check     record;
    v_code      codes;
BEGIN
    SELECT * INTO v_check
      FROM code_check('mobile', p_browser, p_code_hashes, p_limits);
    verdict := v_check.verdict;
    tries_left := v_check.tries_left;
    v_code := v_check.code;

    IF verdict = 'ok' AND v_code.person_id <> v_me.id THEN
        verdict := 'expired';
    END IF;

    IF verdict = 'ok' THEN
        UPDATE persons AS p
           SET mobile = v_code.mobile, mobile_step = 'open',
               mobile_reason = NULL, session_epoch = p.session_epoch + 1
         WHERE p.id = v_me.id
        RETURNING p.session_epoch INTO session_epoch;
        DELETE FROM identity_tasks AS t
         WHERE t.person_id = v_me.id AND t.step = 'mobile';
        PERFORM identity_unask(v_me.id);
        PERFORM message_add('mobile_changed', '{}', v_me.mobile, v_me.id);
        PERFORM audit_person('mobile_changed', 'person', v_me.id::text);
    END IF;

    RETURN NEXT;
END
$$;
