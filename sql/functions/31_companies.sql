-- Companies and their gateway.  See letter_submit for how one is remembered.

-- After guard_person: company_evidence(national_id, verdict, provider,
-- provider_ref) → true: what a gateway said while the form was filled in.
CREATE OR REPLACE FUNCTION company_evidence(p_national_id text,
    p_verdict text, p_provider text, p_provider_ref text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
DECLARE
    v_me        persons := me_person();
BEGIN
    INSERT INTO identity_evidence (person_id, step, national_code,
        company_national_id, verdict, provider, provider_ref)
    VALUES (v_me.id, 'company', v_me.national_code, p_national_id, p_verdict,
            p_provider, p_provider_ref);
    RETURN true;
END
$$;

-- company_claim(count, lease in seconds) → company_id, national_id, name,
-- registration_number, tries: companies a relay should ask about.
CREATE OR REPLACE FUNCTION company_claim(p_count integer, p_lease integer)
RETURNS TABLE (company_id bigint, national_id text, name text,
               registration_number text, tries integer)
LANGUAGE sql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
    WITH picked AS (
        SELECT c.id FROM companies AS c
         WHERE c.check_state = 'pending' AND c.check_next_at <= now()
         ORDER BY c.check_next_at LIMIT p_count
           FOR UPDATE SKIP LOCKED)
    UPDATE companies AS c
       SET check_next_at = now() + p_lease * interval '1 second'
      FROM picked AS k WHERE c.id = k.id
    RETURNING c.id, c.national_id, c.name, c.registration_number,
              c.check_tries
$$;

-- company_result(company_id, national_id as asked, verdict yes|no|unknown,
--                provider, provider_ref, name from the gateway or NULL)
-- → state yes|no|pending|stale.  A yes reaches the letters sent meanwhile.
CREATE OR REPLACE FUNCTION company_result(p_company bigint,
    p_national_id text, p_verdict text, p_provider text,
    p_provider_ref text, p_name text)
RETURNS TABLE (state text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_company   companies;
BEGIN
    SELECT c.* INTO v_company FROM companies AS c
     WHERE c.id = p_company FOR UPDATE;

    IF NOT FOUND OR v_company.national_id <> p_national_id THEN
        state := 'stale';
        RETURN NEXT;
        RETURN;
    END IF;

    INSERT INTO identity_evidence (person_id, step, national_code,
        company_national_id, verdict, provider, provider_ref)
    SELECT p.id, 'company', p.national_code, p_national_id, p_verdict,
           p_provider, p_provider_ref
      FROM persons AS p WHERE p.id = v_company.person_id;

    state := CASE p_verdict WHEN 'unknown' THEN 'pending' ELSE p_verdict END;

    UPDATE companies AS c
       SET check_state = company_result.state,
           check_tries = c.check_tries + 1,
           check_next_at = CASE WHEN p_verdict = 'unknown' THEN now()
               + least(2 ^ least(c.check_tries, 10), 60)
                 * interval '1 minute' END,
           checked_at = CASE WHEN p_verdict = 'yes' THEN now()
                             ELSE c.checked_at END,
           name = CASE WHEN p_verdict = 'yes' THEN coalesce(p_name, c.name)
                       ELSE c.name END
     WHERE c.id = p_company;

    IF p_verdict = 'yes' THEN
        UPDATE letters AS l
           SET company_checked = true, version = l.version + 1
         WHERE l.company_id = p_company AND NOT l.company_checked;
    END IF;

    PERFORM audit_add('system', NULL, NULL, 'company_checked', 'company',
                      p_company::text, NULL,
                      jsonb_build_object('verdict', p_verdict));
    RETURN NEXT;
END
$$;
