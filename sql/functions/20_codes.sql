-- One-time codes, sign-up, log-in by code, recovery.
--
-- The portal draws the code, keeps none of it, and sends two forms of it:
-- code_hash (HMAC with a key file, over purpose, browser and code) and secret
-- (the code, encrypted with a key file, for the SMS).  What was typed comes
-- as code_hashes: the hash by each key file that is loaded, one behind the
-- other, since the current one may have changed meanwhile.  browser is a hash
-- of the browser's own random cookie; a code is good only where it was asked
-- for.  Failures return a verdict instead of raising: an exception would roll
-- the try back with it.
--
-- limits is a JSON object of directives; what is missing has a default:
--   life 120 (seconds), tries 5, interval 60 (seconds, doubling with each
--   code in an hour, to 900), mobile_hour 6, mobile_day 15, person_day 20,
--   address_hour 60, address_day 300, total_day 100000, person_tries 10

-- Makes room for a code or says how long to wait.  Sliding windows are exact:
-- the time when the n-th last row leaves the window.  Codes for the owner's
-- own mobile in the owner's own browsers have allowances of their own, so
-- that a stranger who uses up the others locks nobody out.  A password makes
-- another such browser for nothing: the person's day counts all of them.
-- Another mobile is asked for by the owner alone, logged in: what strangers
-- ask for under the same national code does not count against that.
CREATE OR REPLACE FUNCTION code_wait(p_purpose text, p_national_code text,
    p_mobile text, p_browser text, p_known boolean, p_address text,
    p_limits jsonb)
RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    v_now       timestamptz := clock_timestamp();
    v_until     timestamptz := v_now;
    v_last      timestamptz;
    v_recent    integer;
    v_row       record;
    v_at        timestamptz;
    v_from      text := address_group(p_address);
BEGIN
    -- Always in this order, so that requests never wait in a circle.
    PERFORM pg_advisory_xact_lock(hashtextextended('nc:' || p_national_code, 1));
    PERFORM pg_advisory_xact_lock(hashtextextended('mobile:' || p_mobile, 1));

    IF NOT p_known THEN
        PERFORM pg_advisory_xact_lock(hashtextextended('from:' || v_from, 1));
    END IF;

    -- The pace of one browser.
    SELECT count(*), max(created_at) INTO v_recent, v_last FROM codes
     WHERE browser = p_browser AND mobile = p_mobile
       AND created_at > v_now - interval '1 hour';

    IF v_recent > 0 THEN
        v_until := greatest(v_until, v_last + interval '1 second'
            * least(limit_int(p_limits, 'interval', 60) * 2 ^ (v_recent - 1),
                    900));
    END IF;

    FOR v_row IN
        SELECT * FROM (VALUES
            ('mobile', 'mobile_hour', 6, interval '1 hour'),
            ('mobile', 'mobile_day', 15, interval '1 day'),
            ('national_code', 'person_day', 20, interval '1 day'),
            ('address', 'address_hour', 60, interval '1 hour'),
            ('address', 'address_day', 300, interval '1 day'))
            AS t (col, name, cap, span)
    LOOP
        -- The cap-th newest row inside the window, when there is one.
        SELECT created_at INTO v_at FROM (
            SELECT created_at FROM codes
             WHERE v_row.col = 'mobile' AND mobile = p_mobile
               AND known = p_known AND (NOT p_known OR browser = p_browser)
               AND created_at > v_now - v_row.span
            UNION ALL
            SELECT created_at FROM codes
             WHERE v_row.col = 'national_code'
               AND national_code = p_national_code
               AND known = p_known
               AND (purpose = 'mobile') = (p_purpose = 'mobile')
               AND created_at > v_now - v_row.span
            UNION ALL
            SELECT created_at FROM codes
             WHERE v_row.col = 'address' AND address = v_from
               AND NOT p_known
               AND created_at > v_now - v_row.span) AS w
         ORDER BY created_at DESC
        OFFSET limit_int(p_limits, v_row.name, v_row.cap) - 1 LIMIT 1;

        IF FOUND THEN
            v_until := greatest(v_until, v_at + v_row.span);
        END IF;
    END LOOP;

    -- Wrong codes in a row, over all codes and addresses, slow new ones.
    IF NOT p_known THEN
        SELECT blocked_until INTO v_at FROM tries
         WHERE scope = 'code' AND key = p_national_code || ':' || p_mobile;
        v_until := greatest(v_until, coalesce(v_at, v_until));
    END IF;

    RETURN seconds_until(v_until);
END
$$;

-- The day's total over everybody.
CREATE OR REPLACE FUNCTION code_total_full(p_limits jsonb) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(sent), 0) >= limit_int(p_limits, 'total_day', 100000)
      FROM code_totals WHERE hour > now() - interval '24 hours'
$$;

-- Makes a code for (purpose, national code, mobile): a real one, or for
-- p_person NULL one that nobody gets.  Kills the browser's older one of the
-- purpose.  p_send false: no SMS.
CREATE OR REPLACE FUNCTION code_make(p_purpose text, p_national_code text,
    p_mobile text, p_birth_date date, p_person bigint, p_send boolean,
    p_browser text, p_address text, p_code_hash bytea, p_secret bytea,
    p_limits jsonb, OUT verdict text, OUT wait integer,
    OUT expires_at timestamptz, OUT resend integer)
LANGUAGE plpgsql AS $$
DECLARE
    v_known     boolean;
    v_life      interval := interval '1 second'
                            * limit_int(p_limits, 'life', 120);
    v_recent    integer;
    v_wait      integer;
BEGIN
    v_known := EXISTS (SELECT FROM person_browsers AS b
                        JOIN persons AS p ON p.id = b.person_id
                       WHERE p.national_code = p_national_code
                         AND p.mobile = p_mobile
                         AND p.status = 'active' AND b.browser = p_browser);

    v_wait := code_wait(p_purpose, p_national_code, p_mobile, p_browser,
                        v_known, p_address, p_limits);

    IF v_wait > 0 THEN
        verdict := 'wait';
        wait := v_wait;
        RETURN;
    END IF;

    IF code_total_full(p_limits) THEN
        PERFORM audit_add('system', NULL, NULL, 'code_total_full', 'code',
                          NULL, p_address);
        verdict := 'full';
        wait := 3600;
        RETURN;
    END IF;

    UPDATE codes SET killed_at = clock_timestamp()
     WHERE browser = p_browser AND purpose = p_purpose
       AND used_at IS NULL AND killed_at IS NULL;

    INSERT INTO codes (purpose, national_code, mobile, birth_date, person_id,
                       browser, known, address, code_hash, expires_at)
    VALUES (p_purpose, p_national_code, p_mobile, p_birth_date, p_person,
            p_browser, v_known, address_group(p_address), p_code_hash,
            clock_timestamp() + v_life)
    RETURNING codes.expires_at INTO expires_at;

    INSERT INTO code_totals AS t (hour, shard, sent)
    VALUES (date_trunc('hour', now()), pg_backend_pid() % 16, 1)
    ON CONFLICT (hour, shard) DO UPDATE SET sent = t.sent + 1;

    -- Both branches do the same work, so the message names no person either.
    IF p_send THEN
        INSERT INTO messages (template, secret, mobile, priority,
                              expires_at)
        VALUES ('code', p_secret, p_mobile, 0,
                code_make.expires_at);
    ELSE
        INSERT INTO decoy_messages (template, secret, mobile, priority,
                                    expires_at)
        VALUES ('code', p_secret, p_mobile, 0,
                code_make.expires_at);
    END IF;

    PERFORM audit_add('nobody', NULL, NULL, 'code_asked', 'code', p_purpose,
                      p_address);

    SELECT count(*) INTO v_recent FROM codes
     WHERE browser = p_browser AND mobile = p_mobile
       AND created_at > clock_timestamp() - interval '1 hour';

    verdict := 'sent';
    wait := 0;
    resend := least(limit_int(p_limits, 'interval', 60) * 2 ^ (v_recent - 1),
                    900)::integer;
END
$$;

-- The one place where a code is compared.  Finds the browser's newest code
-- of the purpose and judges it:
--   ok       right, and now used: the row is in p_code
--   wrong    tries_left says how many are left; 0: ask for another
--   expired  killed, too old, out of tries, already used, or never asked for
CREATE OR REPLACE FUNCTION code_check(p_purpose text, p_browser text,
    p_code_hashes bytea, p_limits jsonb, OUT verdict text,
    OUT tries_left integer, OUT code codes)
LANGUAGE plpgsql AS $$
DECLARE
    v_tries     integer := limit_int(p_limits, 'tries', 5);
BEGIN
    SELECT c.* INTO code FROM codes AS c
     WHERE c.browser = p_browser AND c.purpose = p_purpose
     ORDER BY c.created_at DESC LIMIT 1 FOR UPDATE;

    tries_left := 0;
    verdict := 'expired';

    IF NOT FOUND OR code.used_at IS NOT NULL OR code.killed_at IS NOT NULL
       OR code.expires_at <= clock_timestamp() OR code.tries >= v_tries
    THEN
        RETURN;
    END IF;

    IF position(code.code_hash IN p_code_hashes) > 0
       AND (code.purpose = 'signup' OR code.person_id IS NOT NULL)
    THEN
        UPDATE codes SET used_at = clock_timestamp() WHERE id = code.id;
        DELETE FROM tries
         WHERE scope = 'code' AND key = code.national_code || ':' || code.mobile;
        verdict := 'ok';
        RETURN;
    END IF;

    UPDATE codes SET tries = tries + 1 WHERE id = code.id;

    -- Counted per person and mobile over all codes, browsers and addresses;
    -- the owner's own browser is not counted against them.
    IF NOT code.known THEN
        PERFORM tries_take('code', code.national_code || ':' || code.mobile,
                           limit_int(p_limits, 'person_tries', 10), 3600);
    END IF;

    PERFORM audit_add('nobody', NULL, NULL, 'code_wrong', 'code',
                      code.purpose, code.address);
    verdict := 'wrong';
    tries_left := v_tries - code.tries - 1;
END
$$;

-- A signed-in person's browser; later slow-downs by strangers spare it.
CREATE OR REPLACE FUNCTION person_signed_in(p_person bigint, p_browser text,
    p_how text, p_address text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_code      text;
BEGIN
    UPDATE persons SET last_login_at = now() WHERE id = p_person
    RETURNING national_code INTO v_code;

    INSERT INTO person_browsers (person_id, browser)
    VALUES (p_person, p_browser)
    ON CONFLICT (person_id, browser) DO UPDATE SET seen_at = now();

    PERFORM password_clear('password', v_code, p_browser);

    PERFORM audit_add('person', p_person, NULL, p_how, 'person',
                      p_person::text, p_address);
END
$$;

-- Sign-up -------------------------------------------------------------------

-- signup_request(national_code, mobile, birth_date, browser, address,
--                code_hash, secret, limits)
-- → verdict sent|wait|full, wait (seconds), expires_at, resend (seconds)
-- Whether the code has an account makes no difference here.
CREATE OR REPLACE FUNCTION signup_request(p_national_code text,
    p_mobile text, p_birth_date date, p_browser text, p_address text,
    p_code_hash bytea, p_secret bytea, p_limits jsonb)
RETURNS TABLE (verdict text, wait integer, expires_at timestamptz,
               resend integer)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT c.* FROM code_make('signup', p_national_code,
        p_mobile, p_birth_date, NULL, true, p_browser, p_address,
        p_code_hash, p_secret, p_limits) AS c;
END
$$;

-- A fresh account; 0 when somebody else was faster.
CREATE OR REPLACE FUNCTION person_create(p_code codes) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_id    bigint;
BEGIN
    INSERT INTO persons (national_code, mobile, birth_date)
    VALUES (p_code.national_code, p_code.mobile, p_code.birth_date)
    ON CONFLICT (national_code) WHERE status <> 'displaced' DO NOTHING
    RETURNING id INTO v_id;

    RETURN coalesce(v_id, 0);
END
$$;

-- The account of a national code, locked.  The row we wait for may turn out
-- displaced when the lock is ours: then there is another one to look for.
CREATE OR REPLACE FUNCTION holder_lock(p_national_code text)
RETURNS persons
LANGUAGE plpgsql AS $$
DECLARE
    v_person    persons;
BEGIN
    FOR i IN 1 .. 100 LOOP
        SELECT * INTO v_person FROM persons
         WHERE national_code = p_national_code AND status <> 'displaced'
           FOR NO KEY UPDATE;
        IF FOUND THEN
            RETURN v_person;
        END IF;
    END LOOP;

    PERFORM fail('CR503', 'busy');
END
$$;

-- signup_verify(browser, code_hashes, address, limits)
-- → verdict  ok       person_id, session_epoch: signed in; created says if new
--            claim    the national code has an account with another mobile:
--                     ask Shahkar for (national_code, mobile) at once, then
--                     signup_claim(claim, …)
--            wrong    tries_left
--            expired  ask for another code
--            refused  the account is blocked
CREATE OR REPLACE FUNCTION signup_verify(p_browser text, p_code_hashes bytea,
    p_address text, p_limits jsonb)
RETURNS TABLE (verdict text, tries_left integer, person_id bigint,
               session_epoch integer, created boolean, claim uuid,
               national_code text, mobile text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_check     record;
    v_code      codes;
    v_person    persons;
    v_id        bigint;
BEGIN
    created := false;

    SELECT * INTO v_check
      FROM code_check('signup', p_browser, p_code_hashes, p_limits);
    verdict := v_check.verdict;
    tries_left := v_check.tries_left;
    v_code := v_check.code;

    IF verdict <> 'ok' THEN
        RETURN NEXT;
        RETURN;
    END IF;

    national_code := v_code.national_code;
    mobile := v_code.mobile;

    v_id := person_create(v_code);
    created := v_id <> 0;

    v_person := holder_lock(v_code.national_code);

    IF v_person.status = 'blocked' THEN
        verdict := 'refused';

    ELSIF v_person.mobile <> v_code.mobile THEN
        UPDATE codes AS c
           SET grant_until = clock_timestamp() + interval '2 minutes'
         WHERE c.id = v_code.id;
        verdict := 'claim';
        claim := v_code.id;

    ELSE
        -- New, or the same mobile again: as good as a log-in by code.
        person_id := v_person.id;
        session_epoch := v_person.session_epoch;
        PERFORM person_signed_in(person_id, p_browser,
            CASE WHEN created THEN 'signup' ELSE 'login_code' END, p_address);
    END IF;

    RETURN NEXT;
END
$$;

-- Tells a holder, once a day at most, that somebody tried.
CREATE OR REPLACE FUNCTION holder_told(p_holder persons) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM messages
                    WHERE person_id = p_holder.id
                      AND template = 'account_contested'
                      AND created_at > now() - interval '1 day')
    THEN
        PERFORM message_add('account_contested', '{}', p_holder.mobile,
                            p_holder.id);
    END IF;
END
$$;

-- signup_claim(claim, browser, verdict yes|no|unknown, provider,
--              provider_ref, address)
-- → verdict  ok       person_id, session_epoch: the mobile is the account's
--            refused  Shahkar said no: log in with the mobile of the account
--            later    no answer: try later, or log in
--            expired  the claim is over
-- A holder who ever passed Shahkar is the same person with a new SIM and
-- keeps all; one who never did loses the account, which starts anew.
CREATE OR REPLACE FUNCTION signup_claim(p_claim uuid, p_browser text,
    p_verdict text, p_provider text, p_provider_ref text, p_address text)
RETURNS TABLE (verdict text, person_id bigint, session_epoch integer)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_code      codes;
    v_holder    persons;
BEGIN
    UPDATE codes SET granted_at = clock_timestamp()
     WHERE id = p_claim AND browser = p_browser AND purpose = 'signup'
       AND grant_until > clock_timestamp() AND granted_at IS NULL
    RETURNING * INTO v_code;

    IF NOT FOUND THEN
        verdict := 'expired';
        RETURN NEXT;
        RETURN;
    END IF;

    v_holder := holder_lock(v_code.national_code);

    INSERT INTO identity_evidence (person_id, step, national_code, mobile,
                                   verdict, provider, provider_ref)
    VALUES (v_holder.id, 'claim', v_code.national_code, v_code.mobile,
            p_verdict, p_provider, p_provider_ref);

    IF p_verdict <> 'yes' OR v_holder.status = 'blocked' THEN
        PERFORM holder_told(v_holder);
        PERFORM audit_add('nobody', NULL, NULL, 'claim_' || p_verdict,
                          'person', v_holder.id::text, p_address);
        verdict := CASE WHEN p_verdict = 'unknown' THEN 'later'
                        ELSE 'refused' END;
        RETURN NEXT;
        RETURN;
    END IF;

    IF v_holder.owner_proven_at IS NOT NULL THEN
        UPDATE persons AS p
           SET mobile = v_code.mobile, mobile_step = 'yes',
               mobile_reason = NULL, session_epoch = p.session_epoch + 1
         WHERE p.id = v_holder.id
        RETURNING p.id, p.session_epoch INTO person_id, session_epoch;
        DELETE FROM identity_tasks AS t
         WHERE t.person_id = v_holder.id AND t.step = 'mobile';
    ELSE
        UPDATE persons AS p
           SET status = 'displaced', session_epoch = p.session_epoch + 1
         WHERE p.id = v_holder.id;
        DELETE FROM identity_tasks AS t WHERE t.person_id = v_holder.id;
        INSERT INTO persons AS p (national_code, mobile, birth_date,
                                  mobile_step, owner_proven_at)
        VALUES (v_code.national_code, v_code.mobile, v_code.birth_date,
                'yes', now())
        RETURNING p.id, p.session_epoch INTO person_id, session_epoch;
        INSERT INTO identity_evidence (person_id, step, national_code, mobile,
                                       verdict, provider, provider_ref)
        VALUES (person_id, 'mobile', v_code.national_code, v_code.mobile,
                'yes', p_provider, p_provider_ref);
    END IF;

    DELETE FROM person_browsers AS b WHERE b.person_id = v_holder.id;
    PERFORM message_add('account_claimed', '{}', v_holder.mobile, v_holder.id);
    PERFORM audit_add('person', person_id, NULL, 'claim_yes', 'person',
                      v_holder.id::text, p_address);
    PERFORM person_signed_in(person_id, p_browser, 'signup', p_address);
    verdict := 'ok';
    RETURN NEXT;
END
$$;

-- Log-in by code and recovery ------------------------------------------------

-- A mobile number that is always the same for one national code and is
-- nobody's answer.  Its second digits are those that most real numbers have:
-- 0910-0919, 0930-0939, 0990-0993.
CREATE OR REPLACE FUNCTION decoy_mobile(p_national_code text) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT '09' || substr('111111333399', (n % 12)::integer + 1, 1)
           || CASE WHEN n % 12 >= 10 THEN n / 12 % 20 % 4
                   ELSE n / 12 % 20 % 10 END
           || lpad((n / 240 % 10000000)::text, 7, '0')
      FROM (SELECT ('x' || encode(substr(sha256(
                        k.key || convert_to(p_national_code, 'UTF8')), 1, 7),
                        'hex'))::bit(56)::bigint AS n
              FROM decoy_key AS k) AS h
$$;

-- login_code_mobile(national_code) → mobile, for the portal to show masked:
-- the account's, or the false one.  That is made in both cases, for the time.
CREATE OR REPLACE FUNCTION login_code_mobile(p_national_code text)
RETURNS TABLE (mobile text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
DECLARE
    v_decoy     text := decoy_mobile(p_national_code);
BEGIN
    RETURN QUERY SELECT coalesce(
        (SELECT p.mobile FROM persons AS p
          WHERE p.national_code = p_national_code AND p.status = 'active'),
        v_decoy);
END
$$;

-- code_request(purpose login|recover, national_code, mobile as completed,
--              browser, address, code_hash, secret, limits)
-- → as signup_request; the same for unknown codes and wrong mobiles.
CREATE OR REPLACE FUNCTION code_request(p_purpose text,
    p_national_code text, p_mobile text, p_browser text, p_address text,
    p_code_hash bytea, p_secret bytea, p_limits jsonb)
RETURNS TABLE (verdict text, wait integer, expires_at timestamptz,
               resend integer)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
DECLARE
    v_person    bigint;
BEGIN
    IF p_purpose NOT IN ('login', 'recover') THEN
        PERFORM fail('CR422', 'bad_request');
    END IF;

    SELECT p.id INTO v_person FROM persons AS p
     WHERE p.national_code = p_national_code AND p.mobile = p_mobile
       AND p.status = 'active';

    RETURN QUERY SELECT c.* FROM code_make(p_purpose, p_national_code,
        p_mobile, NULL, v_person, v_person IS NOT NULL, p_browser, p_address,
        p_code_hash, p_secret, p_limits) AS c;
END
$$;

-- code_resend(purpose signup|login|recover|mobile, browser, address,
--             code_hash, secret, limits)
-- → as signup_request; verdict none when this browser asked for nothing in
-- the last half hour.
CREATE OR REPLACE FUNCTION code_resend(p_purpose text, p_browser text,
    p_address text, p_code_hash bytea, p_secret bytea, p_limits jsonb)
RETURNS TABLE (verdict text, wait integer, expires_at timestamptz,
               resend integer)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_last      codes;
BEGIN
    SELECT * INTO v_last FROM codes
     WHERE browser = p_browser AND purpose = p_purpose
       AND created_at > now() - interval '30 minutes'
     ORDER BY created_at DESC LIMIT 1;

    IF NOT FOUND OR v_last.used_at IS NOT NULL THEN
        verdict := 'none';
        wait := 0;
        RETURN NEXT;
        RETURN;
    END IF;

    RETURN QUERY SELECT c.* FROM code_make(p_purpose, v_last.national_code,
        v_last.mobile, v_last.birth_date, v_last.person_id,
        p_purpose = 'signup' OR v_last.person_id IS NOT NULL, p_browser,
        p_address, p_code_hash, p_secret, p_limits) AS c;
END
$$;

-- code_state(purpose, browser, limits) → mobile, national_code, expires_at,
-- resend (seconds), tries_left: for showing the page of the code again; no
-- row when nothing was asked for.
CREATE OR REPLACE FUNCTION code_state(p_purpose text, p_browser text,
    p_limits jsonb)
RETURNS TABLE (mobile text, national_code text, expires_at timestamptz,
               resend integer, tries_left integer)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_last      codes;
    v_recent    integer;
BEGIN
    SELECT * INTO v_last FROM codes
     WHERE browser = p_browser AND purpose = p_purpose
       AND used_at IS NULL
       AND created_at > now() - interval '30 minutes'
     ORDER BY created_at DESC LIMIT 1;

    IF NOT FOUND THEN
        RETURN;
    END IF;

    SELECT count(*) INTO v_recent FROM codes
     WHERE browser = p_browser AND mobile = v_last.mobile
       AND created_at > now() - interval '1 hour';

    mobile := v_last.mobile;
    national_code := v_last.national_code;
    expires_at := v_last.expires_at;
    resend := seconds_until(v_last.created_at + interval '1 second' * least(
        limit_int(p_limits, 'interval', 60) * 2 ^ (v_recent - 1), 900));
    tries_left := greatest(0, limit_int(p_limits, 'tries', 5) - v_last.tries);
    RETURN NEXT;
END
$$;

-- login_code_verify(browser, code_hashes, address, limits)
-- → verdict ok|wrong|expired, tries_left, person_id, session_epoch
CREATE OR REPLACE FUNCTION login_code_verify(p_browser text,
    p_code_hashes bytea, p_address text, p_limits jsonb)
RETURNS TABLE (verdict text, tries_left integer, person_id bigint,
               session_epoch integer)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_check     record;
    v_code      codes;
BEGIN
    SELECT * INTO v_check
      FROM code_check('login', p_browser, p_code_hashes, p_limits);
    verdict := v_check.verdict;
    tries_left := v_check.tries_left;
    v_code := v_check.code;

    IF verdict = 'ok' THEN
        -- The account may have moved to another mobile since.
        SELECT p.id, p.session_epoch INTO person_id, session_epoch
          FROM persons AS p
         WHERE p.id = v_code.person_id AND p.status = 'active'
           AND p.mobile = v_code.mobile
           FOR NO KEY UPDATE;

        IF FOUND THEN
            PERFORM person_signed_in(person_id, p_browser, 'login_code',
                                     p_address);
        ELSE
            verdict := 'expired';
        END IF;
    END IF;

    RETURN NEXT;
END
$$;

-- recover_verify(browser, code_hashes, address, limits)
-- → verdict ok|wrong|expired, tries_left, national_code.  ok: this browser
-- may set a password within ten minutes.
CREATE OR REPLACE FUNCTION recover_verify(p_browser text,
    p_code_hashes bytea, p_address text, p_limits jsonb)
RETURNS TABLE (verdict text, tries_left integer, national_code text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_check     record;
    v_code      codes;
BEGIN
    SELECT * INTO v_check
      FROM code_check('recover', p_browser, p_code_hashes, p_limits);
    verdict := v_check.verdict;
    tries_left := v_check.tries_left;
    v_code := v_check.code;

    IF verdict = 'ok' THEN
        UPDATE codes
           SET grant_until = clock_timestamp() + interval '10 minutes'
         WHERE id = v_code.id;
        national_code := v_code.national_code;
    END IF;

    RETURN NEXT;
END
$$;

-- recover_granted(browser) → national_code; no row: start over.  For showing
-- the page before hashing anything.
CREATE OR REPLACE FUNCTION recover_granted(p_browser text)
RETURNS TABLE (national_code text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
    SELECT c.national_code FROM codes AS c
     WHERE c.browser = p_browser AND c.purpose = 'recover'
       AND c.grant_until > clock_timestamp() AND c.granted_at IS NULL
     ORDER BY c.created_at DESC LIMIT 1
$$;

-- recover_password(browser, password_hash, address)
-- → verdict ok|expired, person_id, session_epoch.  Ends all sessions; the
-- owner is told by SMS.
CREATE OR REPLACE FUNCTION recover_password(p_browser text,
    p_password_hash text, p_address text)
RETURNS TABLE (verdict text, person_id bigint, session_epoch integer)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_code      codes;
    v_mobile    text;
BEGIN
    UPDATE codes SET granted_at = clock_timestamp()
     WHERE id = (SELECT c.id FROM codes AS c
                  WHERE c.browser = p_browser AND c.purpose = 'recover'
                  ORDER BY c.created_at DESC LIMIT 1)
       AND grant_until > clock_timestamp() AND granted_at IS NULL
    RETURNING * INTO v_code;

    IF FOUND THEN
        UPDATE persons AS p
           SET password_hash = p_password_hash, password_set_at = now(),
               session_epoch = p.session_epoch + 1
         WHERE p.id = v_code.person_id AND p.status = 'active'
           AND p.mobile = v_code.mobile
        RETURNING p.id, p.session_epoch, p.mobile
             INTO person_id, session_epoch, v_mobile;
    END IF;

    IF person_id IS NULL THEN
        verdict := 'expired';
    ELSE
        verdict := 'ok';
        PERFORM message_add('password_changed', '{}', v_mobile, person_id);
        PERFORM person_signed_in(person_id, p_browser, 'recover', p_address);
    END IF;

    RETURN NEXT;
END
$$;
