-- Identity in levels.  A gateway's answer is yes, no or unknown; it holds for
-- the values that were asked, and only while they are still the person's.

DROP FUNCTION IF EXISTS identity_ask(text, integer);

-- May the registry be asked about this person?  It tells names, and whether a
-- birth date is right: not to whoever signed up under somebody's national code
-- while Shahkar is silent.
CREATE OR REPLACE FUNCTION identity_owned(p_person persons) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT p_person.mobile_step IN ('yes', 'skipped')
        OR p_person.owner_proven_at IS NOT NULL
$$;

-- What waited for a mobile that turned out to be another's is not asked.
CREATE OR REPLACE FUNCTION identity_unask(p_person bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM identity_tasks AS t USING persons AS p
     WHERE t.person_id = p_person AND t.step = 'registry'
       AND p.id = t.person_id AND NOT identity_owned(p);
    UPDATE persons SET registry_step = 'open'
     WHERE id = p_person AND registry_step = 'pending'
       AND NOT identity_owned(persons);
END
$$;

-- After guard_person: identity_ask(step mobile|registry, asks a day, first,
-- last, father's name as typed, for registries that only compare, or NULL)
-- → verdict  ask    put (national_code, mobile, birth_date) to the gateway,
--                   then call identity_result
--            done   this step is through already
--            asked  it is being asked, or waits to be asked, again or behind
--                   the step before it
--            wait   wait seconds: there were too many questions today
--            first  the step before it comes first
--   wait, national_code, mobile, birth_date
-- Until the result comes, the step waits as a task: a worker that dies loses
-- nothing, a relay asks again.
CREATE OR REPLACE FUNCTION identity_ask(p_step text, p_day_limit integer,
    p_first_name text DEFAULT NULL, p_last_name text DEFAULT NULL,
    p_father_name text DEFAULT NULL)
RETURNS TABLE (verdict text, wait integer, national_code text, mobile text,
               birth_date date)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_me        persons := me_person();
    v_at        timestamptz;
BEGIN
    wait := 0;

    IF p_step NOT IN ('mobile', 'registry') THEN
        PERFORM fail('CR422', 'bad_request');
    END IF;

    IF (CASE p_step WHEN 'mobile' THEN v_me.mobile_step
             ELSE v_me.registry_step END) IN ('yes', 'skipped')
    THEN
        verdict := 'done';
        RETURN NEXT;
        RETURN;
    END IF;

    IF p_step = 'registry' AND v_me.mobile_step IN ('open', 'no')
    THEN
        verdict := 'first';
        RETURN NEXT;
        RETURN;
    END IF;

    -- One question at a time: what counts is recorded with the answer, and an
    -- answer that does not come makes the next try wait longer.
    SELECT t.next_at INTO v_at FROM identity_tasks AS t
     WHERE t.person_id = v_me.id AND t.step = p_step FOR UPDATE;

    IF v_at > now() THEN
        verdict := 'asked';
        RETURN NEXT;
        RETURN;
    END IF;

    SELECT e.at + interval '1 day' INTO v_at FROM identity_evidence AS e
     WHERE e.person_id = v_me.id AND e.step = p_step
       AND e.verdict IN ('yes', 'no')
       AND e.at > now() - interval '1 day'
     ORDER BY e.at DESC OFFSET greatest(p_day_limit, 1) - 1 LIMIT 1;

    IF v_at > now() THEN
        verdict := 'wait';
        wait := seconds_until(v_at);
        RETURN NEXT;
        RETURN;
    END IF;

    INSERT INTO identity_tasks AS t (person_id, step, next_at, first_name,
                                     last_name, father_name)
    VALUES (v_me.id, p_step, now() + interval '1 minute', p_first_name,
            p_last_name, p_father_name)
    ON CONFLICT (person_id, step) DO UPDATE
        SET next_at = greatest(t.next_at, EXCLUDED.next_at),
            first_name = coalesce(p_first_name, t.first_name),
            last_name = coalesce(p_last_name, t.last_name),
            father_name = coalesce(p_father_name, t.father_name);

    IF p_step = 'registry' AND NOT identity_owned(v_me) THEN
        UPDATE persons AS p
           SET registry_step = 'pending', registry_reason = NULL
         WHERE p.id = v_me.id;
        verdict := 'asked';
        RETURN NEXT;
        RETURN;
    END IF;

    verdict := 'ask';
    national_code := v_me.national_code;
    mobile := v_me.mobile;
    birth_date := v_me.birth_date;
    RETURN NEXT;
END
$$;

-- Tells a person once that a step which had to wait is through, or not.
CREATE OR REPLACE FUNCTION identity_tell(p_person persons, p_step text,
    p_verdict text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM message_add(
        CASE p_verdict WHEN 'yes' THEN 'identity_done'
             ELSE 'identity_no' END,
        jsonb_build_object('step', p_step, 'level', p_person.level),
        p_person.mobile, p_person.id);
END
$$;

-- identity_result(person, step, national_code, mobile, birth_date as asked,
--     verdict yes|no|unknown|skipped, reason, provider, provider_ref,
--     first_name, last_name, father_name, by_relay, address)
-- → level, step_state (yes|no|pending|skipped, or stale: the person changed
--   what was asked), session_epoch
-- reason of a no: mismatch, dead.  A yes takes the names from the registry; a
-- skipped step (no gateway, and the directive lets it pass) may bring typed
-- ones.  Works without a guard: the answer comes
-- when the request may be long gone.
CREATE OR REPLACE FUNCTION identity_result(p_person bigint, p_step text,
    p_national_code text, p_mobile text, p_birth_date date, p_verdict text,
    p_reason text, p_provider text, p_provider_ref text, p_first_name text,
    p_last_name text, p_father_name text, p_by_relay boolean,
    p_address text)
RETURNS TABLE (level smallint, step_state text, session_epoch integer)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_me        persons;
    v_tries     integer;
BEGIN
    SELECT p.* INTO v_me FROM persons AS p
     WHERE p.id = p_person FOR NO KEY UPDATE;

    IF NOT FOUND THEN
        PERFORM fail('CR404', 'not_found');
    END IF;

    INSERT INTO identity_evidence (person_id, step, national_code, mobile,
        birth_date, verdict, reason, provider, provider_ref)
    VALUES (p_person, p_step, p_national_code,
            CASE WHEN p_step = 'mobile' THEN p_mobile END,
            CASE WHEN p_step = 'registry' THEN p_birth_date END,
            p_verdict, p_reason, p_provider, p_provider_ref);

    level := v_me.level;
    session_epoch := v_me.session_epoch;

    IF v_me.status <> 'active' OR v_me.national_code <> p_national_code
       OR (p_step = 'mobile' AND v_me.mobile <> p_mobile)
       OR (p_step = 'registry' AND v_me.birth_date <> p_birth_date)
    THEN
        step_state := 'stale';
        RETURN NEXT;
        RETURN;
    END IF;

    IF p_verdict = 'unknown' THEN
        -- A step that is through stays through.
        IF (CASE p_step WHEN 'mobile' THEN v_me.mobile_step
                 ELSE v_me.registry_step END) IN ('yes', 'skipped')
        THEN
            step_state := 'yes';
            RETURN NEXT;
            RETURN;
        END IF;

        step_state := 'pending';

        -- 1, 2, 4 … minutes, at most an hour.
        INSERT INTO identity_tasks AS t (person_id, step, tries, next_at,
                                         first_name, last_name, father_name)
        VALUES (p_person, p_step, 1, now() + interval '1 minute',
                p_first_name, p_last_name, p_father_name)
        ON CONFLICT (person_id, step) DO UPDATE
            SET tries = t.tries + 1,
                next_at = now()
                    + least(2 ^ least(t.tries, 10), 60) * interval '1 minute';
    ELSE
        step_state := p_verdict;

        DELETE FROM identity_tasks AS t
         WHERE t.person_id = p_person AND t.step = p_step;
    END IF;

    IF p_step = 'mobile' THEN
        UPDATE persons AS p
           SET mobile_step = step_state, mobile_reason = p_reason,
               owner_proven_at = CASE WHEN step_state = 'yes'
                   THEN coalesce(p.owner_proven_at, now())
                   ELSE p.owner_proven_at END
         WHERE p.id = p_person
        RETURNING p.* INTO v_me;

        IF step_state = 'no' THEN
            PERFORM identity_unask(p_person);
        END IF;
    ELSE
        UPDATE persons AS p
           SET registry_step = step_state, registry_reason = p_reason,
               first_name = CASE WHEN step_state IN ('yes', 'skipped')
                   THEN coalesce(p_first_name, p.first_name)
                   ELSE p.first_name END,
               last_name = CASE WHEN step_state IN ('yes', 'skipped')
                   THEN coalesce(p_last_name, p.last_name)
                   ELSE p.last_name END,
               father_name = CASE WHEN step_state IN ('yes', 'skipped')
                   THEN coalesce(p_father_name, p.father_name)
                   ELSE p.father_name END
         WHERE p.id = p_person
        RETURNING p.* INTO v_me;
    END IF;

    level := v_me.level;

    IF p_by_relay AND p_verdict IN ('yes', 'no') THEN
        PERFORM identity_tell(v_me, p_step, p_verdict);
    END IF;

    PERFORM audit_add(CASE WHEN p_by_relay THEN 'system' ELSE 'person' END,
        p_person, NULL, 'identity_' || p_step, 'person', p_person::text,
        p_address, jsonb_build_object('verdict', p_verdict, 'level', level));
    RETURN NEXT;
END
$$;

-- After guard_person: birth_date_set(date) → true.  After the registry said
-- no; not once it said yes.  A question that waits is asked with the new one,
-- when its time has come.  CR409 identity_done.
CREATE OR REPLACE FUNCTION birth_date_set(p_birth_date date)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
DECLARE
    v_old       date := (me_person()).birth_date;
BEGIN
    UPDATE persons
       SET birth_date = p_birth_date, registry_step = 'open',
           registry_reason = NULL
     WHERE id = context_id('person')
       AND registry_step NOT IN ('yes', 'skipped');

    IF NOT FOUND THEN
        PERFORM fail('CR409', 'identity_done');
    END IF;

    -- the form comes with the old one, which may be sent again

    IF v_old IS DISTINCT FROM p_birth_date THEN
        PERFORM audit_person('birth_date_changed', 'person',
                             context_id('person')::text);
    END IF;

    RETURN true;
END
$$;

DROP FUNCTION IF EXISTS identity_claim(integer, integer);

-- identity_claim(count, lease in seconds) → person_id, step, national_code,
-- mobile, birth_date, tries, names as typed: waiting steps for a relay to ask
-- about.  Those of a blocked person wait until they are let in again, the
-- registry's for the mobile.
CREATE OR REPLACE FUNCTION identity_claim(p_count integer, p_lease integer)
RETURNS TABLE (person_id bigint, step text, national_code text, mobile text,
               birth_date date, tries integer, first_name text,
               last_name text, father_name text)
LANGUAGE sql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
    WITH picked AS (
        SELECT t.person_id, t.step
          FROM identity_tasks AS t
          JOIN persons AS p ON p.id = t.person_id AND p.status = 'active'
         WHERE t.next_at <= now()
           AND (t.step = 'mobile' OR identity_owned(p))
         ORDER BY t.next_at LIMIT p_count
           FOR UPDATE OF t SKIP LOCKED),
    leased AS (
        UPDATE identity_tasks AS t
           SET next_at = now() + p_lease * interval '1 second'
          FROM picked AS k
         WHERE t.person_id = k.person_id AND t.step = k.step
        RETURNING t.*)
    SELECT l.person_id, l.step, p.national_code, p.mobile, p.birth_date,
           l.tries, l.first_name, l.last_name, l.father_name
      FROM leased AS l JOIN persons AS p ON p.id = l.person_id
$$;
