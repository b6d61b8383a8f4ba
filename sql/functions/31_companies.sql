-- Companies and their gateway.

-- The company a person writes for, remembered for the next letter.  A gateway
-- that gave no answer (p_checked NULL) is asked again, whatever it said
-- before; a yes for this letter leaves the question open that an earlier one
-- waits for.
CREATE OR REPLACE FUNCTION company_used(p_person bigint, p_national_id text,
    p_name text, p_registration_number text, p_postal_code text,
    p_phone text, p_position text, p_checked boolean) RETURNS companies
LANGUAGE sql AS $$
    INSERT INTO companies AS c (person_id, national_id, name,
        registration_number, postal_code, phone, position, checked_at,
        check_state, check_next_at)
    VALUES (p_person, p_national_id, p_name, p_registration_number,
            p_postal_code, p_phone, p_position,
            CASE WHEN p_checked THEN now() END,
            CASE WHEN p_checked THEN 'yes' WHEN NOT p_checked THEN 'open'
                 ELSE 'pending' END,
            CASE WHEN p_checked IS NULL THEN now() + interval '1 minute' END)
    ON CONFLICT (person_id, national_id) DO UPDATE
       SET name = EXCLUDED.name,
           registration_number = EXCLUDED.registration_number,
           postal_code = EXCLUDED.postal_code, phone = EXCLUDED.phone,
           checked_at = coalesce(EXCLUDED.checked_at, c.checked_at),
           check_state = CASE
               WHEN 'pending' IN (c.check_state, EXCLUDED.check_state)
                   THEN 'pending'
               WHEN c.check_state = 'yes' THEN 'yes'
               ELSE EXCLUDED.check_state END,
           check_tries = CASE WHEN c.check_state = 'pending'
               THEN c.check_tries ELSE 0 END,
           check_next_at = CASE
               WHEN 'pending' IN (c.check_state, EXCLUDED.check_state)
                   THEN coalesce(EXCLUDED.check_next_at, c.check_next_at)
               END,
           -- Another position has to be proven anew, and one in a company
           -- of another name or number, unless a gateway knew it before
           -- and does now.
           (position_proven_at, position_proven_by) = (
               SELECT c.position_proven_at, c.position_proven_by
                WHERE c.position = EXCLUDED.position
                  AND (p_checked IS TRUE AND c.check_state = 'yes'
                       OR (c.name, c.registration_number) IS NOT DISTINCT FROM
                          (EXCLUDED.name, EXCLUDED.registration_number))),
           position = EXCLUDED.position, used_at = now()
    RETURNING c.*
$$;

-- After guard_person: company_evidence(national_id, registration_number,
-- verdict, reason, provider, provider_ref) → true: what a gateway said while
-- the form was filled in; false: behind a form that comes again.
CREATE OR REPLACE FUNCTION company_evidence(p_national_id text,
    p_registration_number text, p_verdict text, p_reason text,
    p_provider text, p_provider_ref text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
DECLARE
    v_me        persons := me_person();
BEGIN
    IF current_setting('correspondence.repeated', true) = 'yes' THEN
        RETURN false;
    END IF;

    INSERT INTO identity_evidence (person_id, step, national_code,
        company_national_id, registration_number, verdict, reason, provider,
        provider_ref)
    VALUES (v_me.id, 'company', v_me.national_code, p_national_id,
            p_registration_number, p_verdict, p_reason, p_provider,
            p_provider_ref);
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

-- The letters of a company that the answer covers: with the registration
-- number that it is about, and with the name that it tells, or, when it tells
-- none, with the one that was asked.
CREATE OR REPLACE FUNCTION company_proven(p_company bigint, p_asked text,
    p_name text, p_registration_number text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_letter    letters;
    v_typed     text;
BEGIN
    FOR v_letter IN
        SELECT l.* FROM letters AS l
         WHERE l.company_id = p_company AND NOT l.company_checked
           AND ltrim(l.registration_number, '0')
               = ltrim(p_registration_number, '0')
           AND (p_name IS NOT NULL OR l.company_name = p_asked)
         ORDER BY l.id FOR NO KEY UPDATE
    LOOP
        v_typed := v_letter.company_name;
        v_letter.company_name := coalesce(p_name, v_typed);

        UPDATE letters AS l
           SET company_checked = true, company_name = v_letter.company_name,
               search = letter_words(v_letter), version = l.version + 1
         WHERE l.id = v_letter.id;

        PERFORM audit_add('system', NULL, NULL, 'company_checked', 'letter',
            v_letter.tracking_code, NULL,
            jsonb_build_object('verdict', 'yes', 'typed', v_typed));
    END LOOP;
END
$$;

-- company_result(company_id, national_id, name, registration_number as asked,
--     verdict yes|no|unknown, reason, provider, provider_ref, name and
--     registration_number from the gateway, or NULL)
-- → state yes|no|pending, or stale: another letter changed what was asked, and
-- it is asked again.  A yes with another registration number is a no; what
-- the answer covers of the letters sent meanwhile is checked then.
CREATE OR REPLACE FUNCTION company_result(p_company bigint,
    p_national_id text, p_asked_name text, p_asked_number text,
    p_verdict text, p_reason text, p_provider text, p_provider_ref text,
    p_name text, p_registration_number text)
RETURNS TABLE (state text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_company   companies;
    v_number    text := coalesce(p_registration_number, p_asked_number);
BEGIN
    SELECT c.* INTO v_company FROM companies AS c
     WHERE c.id = p_company FOR NO KEY UPDATE;

    IF NOT FOUND THEN
        PERFORM fail('CR404', 'not_found');
    END IF;

    INSERT INTO identity_evidence (person_id, step, national_code,
        company_national_id, registration_number, verdict, reason, provider,
        provider_ref)
    SELECT p.id, 'company', p.national_code, p_national_id, p_asked_number,
           p_verdict, p_reason, p_provider, p_provider_ref
      FROM persons AS p WHERE p.id = v_company.person_id;

    IF (v_company.national_id, v_company.name, v_company.registration_number)
       IS DISTINCT FROM (p_national_id, p_asked_name, p_asked_number)
    THEN
        state := 'stale';
        RETURN NEXT;
        RETURN;
    END IF;

    state := CASE
        WHEN p_verdict = 'unknown' THEN 'pending'
        WHEN ltrim(v_number, '0') <> ltrim(p_asked_number, '0') THEN 'no'
        ELSE p_verdict END;

    UPDATE companies AS c
       SET check_state = company_result.state,
           check_tries = c.check_tries + 1,
           check_next_at = CASE WHEN company_result.state = 'pending'
               THEN now() + least(2 ^ least(c.check_tries, 10), 60)
                    * interval '1 minute' END,
           checked_at = CASE WHEN company_result.state = 'yes' THEN now()
                             ELSE c.checked_at END,
           name = CASE WHEN company_result.state = 'yes'
                       THEN coalesce(p_name, c.name) ELSE c.name END
     WHERE c.id = p_company;

    IF p_verdict = 'yes' THEN
        PERFORM company_proven(p_company, p_asked_name, p_name, v_number);
    END IF;

    PERFORM audit_add('system', NULL, NULL, 'company_checked', 'company',
                      p_company::text, NULL,
                      jsonb_build_object('verdict', state));
    RETURN NEXT;
END
$$;
