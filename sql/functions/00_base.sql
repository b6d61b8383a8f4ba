-- What the other functions stand on.  Nothing here is granted to the portal.
--
-- Errors carry a name from html/messages.txt as MESSAGE and one of
--   CR401 session ended     CR403 role or level     CR404 not there, not yours
--   CR409 state conflict    CR422 input ("field:name")
--   CR429 too often (DETAIL = seconds)              CR503 refused for now
--
-- What writes call is in PL/pgSQL, which keeps its plans: a function in SQL
-- that is not inlined is parsed and planned at each call, and a letter that is
-- sent makes a dozen of them.

CREATE OR REPLACE FUNCTION fail(p_code text, p_name text,
    p_detail text DEFAULT '') RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = p_code, MESSAGE = p_name,
                          DETAIL = p_detail;
END
$$;

-- What an administrator may set, and what holds until then.
CREATE OR REPLACE VIEW settings_known AS
SELECT k.name, coalesce(s.value::integer, k.otherwise) AS value
  FROM (VALUES ('due_days', 10),           -- working days for an answer
               ('followups_day', 5),       -- of a letter
               ('tickets_day', 10),        -- of a person
               ('ticket_messages_day', 20),
               ('message_tries', 10),
               -- sends of a message whose fate nobody can tell
               ('message_blind_tries', 3)) AS k (name, otherwise)
  LEFT JOIN settings AS s ON s.name = k.name;

DROP FUNCTION IF EXISTS setting_int(text, integer);

CREATE OR REPLACE FUNCTION setting_int(p_name text) RETURNS integer
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT k.value FROM correspondence.settings_known AS k
             WHERE k.name = p_name);
END
$$;

-- A limit the portal sent with a call, or its default.
CREATE OR REPLACE FUNCTION limit_int(p_limits jsonb, p_name text,
    p_default integer) RETURNS integer
LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce((p_limits ->> p_name)::integer, p_default)
$$;

-- Who acts ------------------------------------------------------------------
--
-- The guards leave it in the transaction; without a guard before it in the
-- same transaction no write function goes on.

CREATE OR REPLACE FUNCTION context_id(p_name text) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_id    text := nullif(current_setting('correspondence.' || p_name, true),
                           '');
BEGIN
    IF v_id IS NULL THEN
        PERFORM fail('CR401', 'session_ended');
    END IF;

    RETURN v_id::bigint;
END
$$;

CREATE OR REPLACE FUNCTION context_address() RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT nullif(current_setting('correspondence.address', true), '')
$$;

-- The guard holds the row's lock already, so this cannot have changed.
CREATE OR REPLACE FUNCTION me_person() RETURNS persons
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_me    persons;
BEGIN
    SELECT * INTO v_me FROM persons WHERE id = context_id('person');
    RETURN v_me;
END
$$;

CREATE OR REPLACE FUNCTION me_staff() RETURNS staff
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_me    staff;
BEGIN
    SELECT * INTO v_me FROM staff WHERE id = context_id('staff');
    RETURN v_me;
END
$$;

-- The same with a demand on the role: 'clerk,manager,admin'.
CREATE OR REPLACE FUNCTION me_staff(p_roles text) RETURNS staff
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_me    staff := me_staff();
BEGIN
    IF v_me.role <> ALL (string_to_array(p_roles, ',')) THEN
        PERFORM fail('CR403', 'role_refused');
    END IF;

    RETURN v_me;
END
$$;

-- Time ----------------------------------------------------------------------

CREATE OR REPLACE FUNCTION today() RETURNS date
LANGUAGE sql STABLE AS $$
    SELECT (now() AT TIME ZONE 'Asia/Tehran')::date
$$;

-- Thursday and Friday are free unless the calendar says otherwise.
CREATE OR REPLACE FUNCTION is_working_day(p_day date) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT (SELECT working FROM correspondence.jalali_days
             WHERE day = p_day)
        <> (SELECT working FROM correspondence.jalali_days
             WHERE day = p_day - 1)
$$;

-- The n-th working day after a day (the day itself does not count), before it
-- for a negative n.
CREATE OR REPLACE FUNCTION add_working_days(p_day date, p_days integer)
RETURNS date
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN CASE WHEN p_days = 0 THEN p_day ELSE
        (SELECT min(day) FROM correspondence.jalali_days
          WHERE working = p_days + (SELECT working
                                      FROM correspondence.jalali_days
                                     WHERE day = p_day)) END;
END
$$;

-- Working days in (from, to].
CREATE OR REPLACE FUNCTION working_days_between(p_from date, p_to date)
RETURNS integer
LANGUAGE sql STABLE AS $$
    SELECT b.working - a.working
      FROM correspondence.jalali_days AS a, correspondence.jalali_days AS b
     WHERE a.day = p_from AND b.day = p_to
$$;

-- The newest change of the calendar that moves due dates; 0: there was none.
-- Whoever reckons a due date notes it in the same statement.
CREATE OR REPLACE FUNCTION calendar_move() RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT coalesce(max(id), 0) FROM calendar_moves);
END
$$;

-- A due date in the calendar as it is now: `p_due` was right when `p_move` was
-- the newest change, for somebody who came on `p_from`, a day that does not
-- count.  As many days are added as of those between have become free; a day
-- that is free and working again counts for nothing.  When it has become free
-- itself, and another one working, it is the working day before it.
CREATE OR REPLACE FUNCTION due_moved(p_due date, p_from date, p_move bigint)
RETURNS date
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (
        SELECT CASE WHEN sum(d.step) = 0 AND bool_or(d.day = p_due)
                    THEN add_working_days(add_working_days(p_due, -1), 1)
                    ELSE add_working_days(p_due,
                                          coalesce(sum(d.step), 0)::integer)
               END
          FROM (SELECT m.day, sum(m.step) AS step
                  FROM calendar_moves AS m
                 WHERE m.id > p_move AND m.day > p_from AND m.day <= p_due
                 GROUP BY m.day) AS d
         WHERE d.day < p_due OR d.step > 0);
END
$$;

CREATE OR REPLACE FUNCTION letter_due(p_letter letters) RETURNS date
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN due_moved(p_letter.due_on,
                     (p_letter.created_at AT TIME ZONE 'Asia/Tehran')::date,
                     p_letter.calendar_move);
END
$$;

CREATE OR REPLACE FUNCTION referral_due(p_referral referrals) RETURNS date
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN due_moved(p_referral.due_on,
                     (p_referral.created_at AT TIME ZONE 'Asia/Tehran')::date,
                     p_referral.calendar_move);
END
$$;

-- Text ----------------------------------------------------------------------

-- Digits as people read them: Persian ones.
CREATE OR REPLACE FUNCTION digits_shown(p_text text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT translate(p_text, '0123456789',
        U&'\06F0\06F1\06F2\06F3\06F4\06F5\06F6\06F7\06F8\06F9')
$$;

-- For searching: Arabic yeh and kaf as Persian ones, digits as ASCII, Latin
-- in lower case, hamza carriers as their base, marks and kashida gone, and
-- whatever is neither letter nor digit one space.
CREATE OR REPLACE FUNCTION fold_text(p_text text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT btrim(regexp_replace(regexp_replace(translate(lower(p_text),
        U&'\064A\0649\0643\0623\0625\0622\0671\0624\0629\06C0\06D5'
            || U&'\0660\0661\0662\0663\0664\0665\0666\0667\0668\0669'
            || U&'\06F0\06F1\06F2\06F3\06F4\06F5\06F6\06F7\06F8\06F9',
        U&'\06CC\06CC\06A9\0627\0627\0627\0627\0648\0647\0647\0647'
            || '01234567890123456789'),
        U&'[\0640\064B-\065F\0670\200D\200E\200F\202A-\202E\2066-\2069]',
        '', 'g'),
        U&'[^0-9a-z\0621-\063F\0641-\064A\066E-\06D3]+', ' ', 'g'))
$$;

-- The folded words as a text search vector; no configuration of the server
-- has a say in it.
CREATE OR REPLACE FUNCTION search_words(p_text text) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN coalesce(array_to_tsvector(
        (SELECT array_agg(DISTINCT w)
           FROM unnest(string_to_array(correspondence.fold_text(p_text), ' '))
                AS w
          WHERE w <> '')), '');
END
$$;

-- The query for what somebody typed: all words, the last one as a prefix.
-- NULL when nothing searchable is left.
CREATE OR REPLACE FUNCTION search_query(p_text text) RETURNS tsquery
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN (SELECT (string_agg('''' || w || '''', ' & ' ORDER BY n)
                    || ':*')::tsquery
              FROM unnest(string_to_array(correspondence.fold_text(p_text),
                                          ' '))
                   WITH ORDINALITY AS t (w, n)
             WHERE w <> '');
END
$$;

-- Audit, timeline, messages ---------------------------------------------------

-- One line of the audit; no secret may be in p_details.
CREATE OR REPLACE FUNCTION audit_add(p_actor text, p_actor_id bigint,
    p_for bigint, p_action text, p_object text, p_object_id text,
    p_address text, p_details jsonb DEFAULT '{}') RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    WITH line AS (
        INSERT INTO audit (actor, actor_id, for_id, action, object,
                           object_id, address, details)
        VALUES (p_actor, p_actor_id, p_for, p_action, p_object, p_object_id,
                p_address, coalesce(p_details, '{}'))
        RETURNING id)
    INSERT INTO audit_pending (audit_id) SELECT id FROM line;
END
$$;

CREATE OR REPLACE FUNCTION audit_person(p_action text, p_object text,
    p_object_id text, p_details jsonb DEFAULT '{}') RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM audit_add('person', context_id('person'), NULL, p_action, p_object,
                     p_object_id, context_address(), p_details);
END
$$;

CREATE OR REPLACE FUNCTION audit_staff(p_action text, p_object text,
    p_object_id text, p_details jsonb DEFAULT '{}',
    p_for bigint DEFAULT NULL) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM audit_add('staff', context_id('staff'), p_for, p_action, p_object,
                     p_object_id, context_address(), p_details);
END
$$;

-- What a line of the audit says of a change: the values of now, and for each
-- of those before (NULL: there was nothing) that differs, NAME_before.
CREATE OR REPLACE FUNCTION with_before(p_now jsonb, p_before jsonb)
RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
    SELECT p_now || coalesce(jsonb_object_agg(b.key || '_before', b.value)
                             FILTER (WHERE b.value <> p_now -> b.key), '{}')
      FROM jsonb_each(p_before) AS b
$$;

-- One row of a letter's timeline; its id.
CREATE OR REPLACE FUNCTION event_add(p_letter bigint, p_kind text,
    p_actor text, p_staff bigint, p_for bigint, p_visibility text,
    p_body text DEFAULT '') RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_id    bigint;
BEGIN
    INSERT INTO events (letter_id, kind, actor, staff_id, for_id, visibility,
                        body)
    VALUES (p_letter, p_kind, p_actor, p_staff, p_for, p_visibility,
            coalesce(p_body, ''))
    RETURNING id INTO v_id;

    RETURN v_id;
END
$$;

-- How long a message may wait to be sent, codes aside; the directive
-- correspondence_message_lifetime, which each connection brings along.
CREATE OR REPLACE FUNCTION message_lifetime() RETURNS interval
LANGUAGE sql STABLE AS $$
    SELECT coalesce(nullif(current_setting('correspondence.message_lifetime',
                                           true), '')::integer, 259200)
           * interval '1 second'
$$;

-- A message in the outbox; its id.  The relay renders and sends it later.
CREATE OR REPLACE FUNCTION message_add(p_template text, p_params jsonb,
    p_mobile text, p_person bigint, p_letter bigint DEFAULT NULL,
    p_event bigint DEFAULT NULL, p_ticket bigint DEFAULT NULL)
RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_id    bigint;
BEGIN
    INSERT INTO messages (template, params, mobile, person_id, letter_id,
                          event_id, ticket_id, expires_at)
    VALUES (p_template, p_params, p_mobile, p_person, p_letter, p_event,
            p_ticket, now() + message_lifetime())
    RETURNING id INTO v_id;

    RETURN v_id;
END
$$;

-- Submission keys --------------------------------------------------------------

-- What this key made before, or NULL.  Takes a lock on the key, so that of
-- two at once the second waits and then finds the first's result.
CREATE OR REPLACE FUNCTION submission_begin(p_actor text, p_actor_id bigint,
    p_key text, p_action text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    v_row   submissions;
BEGIN
    IF p_key IS NULL OR length(p_key) NOT BETWEEN 8 AND 64 THEN
        PERFORM fail('CR422', 'submission_key:submission_key_invalid');
    END IF;

    PERFORM pg_advisory_xact_lock(hashtextextended(
        p_actor || ':' || p_actor_id || ':' || p_key, 0));

    SELECT * INTO v_row FROM submissions
     WHERE actor = p_actor AND actor_id = p_actor_id AND key = p_key;

    IF NOT FOUND THEN
        RETURN NULL;
    END IF;

    IF v_row.action <> p_action THEN
        PERFORM fail('CR409', 'submission_key_used');
    END IF;

    -- For what stands behind it in the transaction: it was written as well.
    PERFORM set_config('correspondence.repeated', 'yes', true);
    RETURN v_row.result;
END
$$;

CREATE OR REPLACE FUNCTION submission_end(p_actor text, p_actor_id bigint,
    p_key text, p_action text, p_result text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO submissions (actor, actor_id, key, action, result)
    VALUES (p_actor, p_actor_id, p_key, p_action, p_result);
END
$$;

-- Tracking codes ----------------------------------------------------------------

-- The check digit of ISO/IEC 7064 MOD 11,10 over a string of digits.
CREATE OR REPLACE FUNCTION check_digit_11_10(p_digits text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE
    v_p     integer := 10;
    v_s     integer;
    i       integer;
BEGIN
    FOR i IN 1 .. length(p_digits) LOOP
        v_s := (v_p + substr(p_digits, i, 1)::integer) % 10;
        IF v_s = 0 THEN
            v_s := 10;
        END IF;
        v_p := (v_s * 2) % 11;
    END LOOP;

    RETURN ((11 - v_p) % 10)::text;
END
$$;

-- The length of the n-th code ever made: the shortest until a tenth of its
-- codes is used, then one more, and so on.  The first digit is not zero, so
-- a length of L has 9 * 10^(L-2) codes.
CREATE OR REPLACE FUNCTION tracking_length(p_n bigint, p_shortest integer)
RETURNS integer
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    v_length    integer := p_shortest;
    v_upto      numeric := 9 * 10::numeric ^ (p_shortest - 3);
BEGIN
    WHILE p_n > v_upto AND v_length < 18 LOOP
        v_length := v_length + 1;
        v_upto := v_upto + 9 * 10::numeric ^ (v_length - 3);
    END LOOP;

    RETURN CASE WHEN p_n <= v_upto THEN v_length END;
END
$$;

-- n random decimal digits, the first not zero; n up to 17.  The randomness
-- is 60 bits of a version 4 UUID (pg_strong_random); taken modulo 9e6, the
-- bias is below 1e-11, and stays below 1e-6 up to n = 12.
CREATE OR REPLACE FUNCTION random_digits(p_n integer) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_first     bigint := 10::numeric ^ (p_n - 1);
    v_random    text := substr(replace(gen_random_uuid()::text, '-', ''),
                               18, 15);
BEGIN
    RETURN (v_first + ('x' || v_random)::bit(60)::bigint % (9 * v_first))::text;
END
$$;

-- A code that looks free; the unique index decides.
CREATE OR REPLACE FUNCTION tracking_candidate(p_length integer)
RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_digits    text := random_digits(p_length - 1);
BEGIN
    RETURN v_digits || check_digit_11_10(v_digits);
END
$$;

-- Files ---------------------------------------------------------------------------

-- Rows for files the portal has stored and synced.  p_files is a JSON list
-- of {"sha256": hex, "size": bytes, "media_type": …, "name": …, for pictures
-- "width", "height", and when a scanner is configured "scan": clean or
-- unchecked}.  Returns how many.  Refuses contents that the collector is just
-- removing (CR503 file_busy: store again and repeat).
CREATE OR REPLACE FUNCTION files_add(p_files jsonb, p_purpose text,
    p_visibility text, p_person bigint, p_staff bigint,
    p_draft uuid DEFAULT NULL, p_letter bigint DEFAULT NULL,
    p_event bigint DEFAULT NULL, p_ticket bigint DEFAULT NULL,
    p_ticket_message bigint DEFAULT NULL) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    v_count     integer;
BEGIN
    IF p_files IS NULL OR jsonb_typeof(p_files) <> 'array'
       OR jsonb_array_length(p_files) = 0
    THEN
        RETURN 0;
    END IF;

    -- In order, or two submissions of the same files could wait for each
    -- other.
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('file:' || sha, 0))
       FROM (SELECT DISTINCT f ->> 'sha256' AS sha
               FROM jsonb_array_elements(p_files) AS f ORDER BY 1) AS s;

    -- A mark that old was left by a collector that died: what it was about to
    -- unlink has been stored again since.
    IF EXISTS (SELECT FROM file_removals
                WHERE at > now() - interval '10 minutes'
                  AND sha256 IN (SELECT decode(f ->> 'sha256', 'hex')
                                   FROM jsonb_array_elements(p_files) AS f))
    THEN
        PERFORM fail('CR503', 'file_busy');
    END IF;

    INSERT INTO files (sha256, size, media_type, width, height, scan, name,
                       purpose, visibility,
                       person_id, staff_id, draft_id, letter_id, event_id,
                       ticket_id, ticket_message_id, position)
    SELECT decode(f ->> 'sha256', 'hex'), (f ->> 'size')::bigint,
           f ->> 'media_type', (f ->> 'width')::integer,
           (f ->> 'height')::integer, f ->> 'scan',
           left(f ->> 'name', 255), p_purpose, p_visibility, p_person,
           p_staff, p_draft, p_letter, p_event, p_ticket, p_ticket_message, n
      FROM jsonb_array_elements(p_files) WITH ORDINALITY AS t (f, n);

    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN v_count;
END
$$;

-- Waits -----------------------------------------------------------------------------

-- Seconds from now until a time, never negative, rounded up.
CREATE OR REPLACE FUNCTION seconds_until(p_time timestamptz)
RETURNS integer
LANGUAGE sql VOLATILE AS $$
    SELECT greatest(0, ceil(extract(epoch FROM
               coalesce(p_time, clock_timestamp()) - clock_timestamp())))::int
$$;

-- How long to wait after the n-th failure in a row: nothing for the free
-- ones, then 2, 4, 8 … seconds up to the cap.
CREATE OR REPLACE FUNCTION failure_wait(p_failures integer, p_free integer,
    p_cap integer) RETURNS interval
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_failures < p_free THEN interval '0'
        ELSE least(2 ^ least(p_failures - p_free + 1, 30), p_cap)
             * interval '1 second' END
$$;

-- Whom an address stands for where tries of addresses are counted: an IPv6
-- one for its /64, which is what one household or server has, an IPv4 one
-- written as IPv6 for itself.  What is no address (a socket) is what it is.
CREATE OR REPLACE FUNCTION address_group(p_address text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN p_address ~ '^::ffff:[0-9.]+$' THEN substr(p_address, 8)
        WHEN p_address ~ '^[0-9a-f]*:[0-9a-f:.]*:[0-9a-f.]*$'
        THEN host(network(set_masklen(p_address::inet, 64)))
        ELSE p_address END
$$;

-- Takes one try of (scope, key) before the secret is even looked at, so that
-- a thousand at once are a thousand tries.  Returns 0 to go on, or the
-- seconds to wait.  A success gives all tries back with tries_clear().
-- After a day without a failure the count starts anew.
CREATE OR REPLACE FUNCTION tries_take(p_scope text, p_key text,
    p_free integer, p_cap integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    v_row   tries;
BEGIN
    INSERT INTO tries AS t (scope, key, failures, last_at)
    VALUES (p_scope, p_key, 0, clock_timestamp())
    ON CONFLICT (scope, key) DO UPDATE SET key = t.key
    RETURNING * INTO v_row;

    IF v_row.blocked_until > clock_timestamp() THEN
        RETURN seconds_until(v_row.blocked_until);
    END IF;

    IF v_row.last_at < clock_timestamp() - interval '1 day' THEN
        v_row.failures := 0;
    END IF;

    UPDATE tries
       SET failures = v_row.failures + 1,
           last_at = clock_timestamp(),
           blocked_until = clock_timestamp()
               + failure_wait(v_row.failures + 1, p_free, p_cap)
     WHERE scope = p_scope AND key = p_key;

    RETURN 0;
END
$$;

CREATE OR REPLACE FUNCTION tries_clear(p_scope text, p_key text)
RETURNS void
LANGUAGE sql AS $$
    DELETE FROM tries WHERE scope = p_scope AND key = p_key
$$;

-- Guesses at the password of a name are counted for all browsers that never
-- signed in by that name together, and apart for each that did: a stranger
-- who keeps failing slows strangers.
CREATE OR REPLACE FUNCTION password_key(p_name text, p_browser text,
    p_known boolean) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_known THEN p_name || ':' || p_browser ELSE p_name END
$$;

-- A try at a password, or at a code of an authenticator: five are free, then
-- the waits grow to 15 minutes.
CREATE OR REPLACE FUNCTION password_take(p_scope text, p_key text)
RETURNS integer
LANGUAGE sql AS $$
    SELECT tries_take(p_scope, p_key, 5, 900)
$$;

-- The password was right: strangers' tries and this browser's are given back.
CREATE OR REPLACE FUNCTION password_clear(p_scope text, p_name text,
    p_browser text) RETURNS void
LANGUAGE sql AS $$
    DELETE FROM tries
     WHERE scope = p_scope
       AND key IN (password_key(p_name, p_browser, false),
                   password_key(p_name, p_browser, true))
$$;
