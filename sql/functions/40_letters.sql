-- The citizen's letters, drafts and files.  All after guard_person.

-- The letter of a person by its code, locked.  CR404 not_found.
CREATE OR REPLACE FUNCTION my_letter(p_code text) RETURNS letters
LANGUAGE plpgsql AS $$
DECLARE
    v_letter    letters;
BEGIN
    SELECT * INTO v_letter FROM letters
     WHERE tracking_code = p_code AND person_id = context_id('person')
       FOR NO KEY UPDATE;

    IF NOT FOUND THEN
        PERFORM fail('CR404', 'not_found');
    END IF;

    RETURN v_letter;
END
$$;

-- The words a letter is found by.
CREATE OR REPLACE FUNCTION letter_words(p_letter letters) RETURNS tsvector
LANGUAGE sql IMMUTABLE AS $$
    SELECT correspondence.search_words(concat_ws(' ', p_letter.subject,
        p_letter.first_name, p_letter.last_name, p_letter.company_name))
$$;

-- Inserts the letter under a free tracking code.
CREATE OR REPLACE FUNCTION letter_insert(p_letter letters,
    p_shortest integer) RETURNS letters
LANGUAGE plpgsql AS $$
BEGIN
    p_letter.id := nextval(pg_get_serial_sequence('letters', 'id'));
    p_letter.created_at := now();
    p_letter.updated_at := now();
    p_letter.search := letter_words(p_letter);

    FOR i IN 1 .. 100 LOOP
        p_letter.tracking_code := tracking_candidate(
            tracking_length(nextval('tracking_issued'), p_shortest));

        INSERT INTO letters OVERRIDING SYSTEM VALUE
        SELECT (p_letter).*
        ON CONFLICT (tracking_code) DO NOTHING;

        IF FOUND THEN
            RETURN p_letter;
        END IF;
    END LOOP;

    PERFORM fail('CR503', 'busy');
END
$$;

-- letter_submit(submission_key, draft or NULL, person_kind, address, subject,
--     body, company_name, company_national_id, registration_number,
--     company_postal_code, company_phone, position, company_checked, files,
--     limits {"tracking_digits": 8, "letters_day": 200}, keep)
-- → tracking_code, repeated, created_at
-- company_checked: true, the gateway said yes; NULL, it gave no answer and is
-- asked again later; false, there is none.
-- files: JSON list, see files_add.  With a draft, what is NULL comes from it,
-- its files come first, and it is gone afterwards.  keep: JSON list of the ids
-- of the draft's files that stay; NULL: all.
-- CR403 identity_needed, CR422 file:file_required, CR429 too_often,
-- CR404 draft_gone.
CREATE OR REPLACE FUNCTION letter_submit(p_submission_key text,
    p_draft uuid, p_person_kind text, p_address text, p_subject text,
    p_body text, p_company_name text, p_company_national_id text,
    p_registration_number text, p_company_postal_code text,
    p_company_phone text, p_position text, p_company_checked boolean,
    p_files jsonb, p_limits jsonb, p_keep jsonb DEFAULT NULL)
RETURNS TABLE (tracking_code text, repeated boolean, created_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_me        persons := me_person();
    v_draft     jsonb := '{}';
    v_letter    letters;
    v_company   companies;
    v_checked   boolean;
    v_event     bigint;
    v_at        timestamptz;
BEGIN
    tracking_code := submission_begin('person', v_me.id, p_submission_key,
                                      'letter');
    repeated := tracking_code IS NOT NULL;

    IF repeated THEN
        SELECT l.created_at INTO created_at FROM letters AS l
         WHERE l.tracking_code = letter_submit.tracking_code;
        RETURN NEXT;
        RETURN;
    END IF;

    IF v_me.level < 3 THEN
        PERFORM fail('CR403', 'identity_needed');
    END IF;

    SELECT l.created_at INTO v_at FROM letters AS l
     WHERE l.person_id = v_me.id AND l.created_at > now() - interval '1 day'
     ORDER BY l.created_at DESC
    OFFSET limit_int(p_limits, 'letters_day', 200) - 1 LIMIT 1;

    IF FOUND THEN
        PERFORM fail('CR429', 'too_often',
                     seconds_until(v_at + interval '1 day')::text);
    END IF;

    IF p_draft IS NOT NULL THEN
        SELECT d.fields INTO v_draft FROM drafts AS d
         WHERE d.id = p_draft AND d.person_id = v_me.id FOR UPDATE;
        IF NOT FOUND THEN
            PERFORM fail('CR404', 'draft_gone');
        END IF;

        DELETE FROM files AS f
         WHERE f.draft_id = p_draft AND p_keep IS NOT NULL
           AND NOT p_keep ? f.id::text;
    END IF;

    v_letter.person_id := v_me.id;
    v_letter.first_name := coalesce(v_me.first_name, '');
    v_letter.last_name := coalesce(v_me.last_name, '');
    v_letter.father_name := coalesce(v_me.father_name, '');
    v_letter.birth_date := v_me.birth_date;
    v_letter.national_code := v_me.national_code;
    v_letter.mobile := v_me.mobile;
    v_letter.person_kind := coalesce(p_person_kind, v_draft ->> 'person_kind');
    v_letter.address := coalesce(p_address, v_draft ->> 'address', '');
    v_letter.subject := coalesce(p_subject, v_draft ->> 'subject', '');
    v_letter.body := coalesce(p_body, v_draft ->> 'body', '');
    v_letter.status := 'registered';
    v_letter.new_answers := 0;
    v_letter.open_referrals := 0;
    v_letter.open_corrections := 0;
    v_letter.undelivered := false;
    v_letter.version := 1;
    v_letter.company_checked := false;
    v_letter.position_proven := false;
    SELECT add_working_days(today(), setting_int('due_days')), calendar_move()
      INTO v_letter.due_on, v_letter.calendar_move;

    IF v_letter.person_kind = 'legal' THEN
        v_letter.company_name := coalesce(p_company_name,
            v_draft ->> 'company_name');
        v_letter.company_national_id := coalesce(p_company_national_id,
            v_draft ->> 'company_national_id');
        v_letter.registration_number := coalesce(p_registration_number,
            v_draft ->> 'registration_number');
        v_letter.company_postal_code := coalesce(p_company_postal_code,
            v_draft ->> 'company_postal_code');
        v_letter.company_phone := coalesce(p_company_phone,
            v_draft ->> 'company_phone');
        v_letter.position := coalesce(p_position, v_draft ->> 'position');
        -- The draft's answer holds for the company in it and for no other.
        v_checked := CASE WHEN p_company_national_id IS NULL
            THEN coalesce((v_draft ->> 'company_checked')::boolean, false)
            ELSE p_company_checked END;
        v_letter.company_checked := coalesce(v_checked, false);

        v_company := company_used(v_me.id, v_letter.company_national_id,
            v_letter.company_name, v_letter.registration_number,
            v_letter.company_postal_code, v_letter.company_phone,
            v_letter.position, v_checked);
        v_letter.company_id := v_company.id;
        v_letter.position_proven := v_company.position_proven_at IS NOT NULL;
    END IF;

    v_letter.file_count := coalesce(jsonb_array_length(p_files), 0);

    IF p_draft IS NOT NULL THEN
        v_letter.file_count := v_letter.file_count
            + (SELECT count(*) FROM files AS f WHERE f.draft_id = p_draft);
    END IF;

    IF v_letter.file_count = 0 THEN
        PERFORM fail('CR422', 'file:file_required');
    END IF;

    v_letter := letter_insert(v_letter,
        limit_int(p_limits, 'tracking_digits', 8));
    v_event := event_add(v_letter.id, 'letter_sent', 'person', NULL, NULL,
                         'citizen');

    IF p_draft IS NOT NULL THEN
        UPDATE files AS f
           SET draft_id = NULL, letter_id = v_letter.id, event_id = v_event,
               purpose = 'letter'
         WHERE f.draft_id = p_draft;
        DELETE FROM drafts AS d WHERE d.id = p_draft;
    END IF;

    PERFORM files_add(p_files, 'letter', 'citizen', v_me.id, NULL, NULL,
                      v_letter.id, v_event);

    -- The address is offered again next time.
    UPDATE persons AS p SET address = v_letter.address
     WHERE p.id = v_me.id AND p.address IS NULL AND v_letter.address <> '';

    PERFORM message_add('letter_sent',
        jsonb_build_object('tracking_code', v_letter.tracking_code),
        v_me.mobile, v_me.id, v_letter.id, v_event);
    PERFORM audit_person('letter_submitted', 'letter',
                         v_letter.tracking_code);
    PERFORM submission_end('person', v_me.id, p_submission_key, 'letter',
                           v_letter.tracking_code);

    tracking_code := v_letter.tracking_code;
    created_at := v_letter.created_at;
    RETURN NEXT;
END
$$;

DROP FUNCTION IF EXISTS letter_seen(text);

-- letter_seen(tracking_code, the last event that was shown, NULL: all)
-- → false: something came after it.  The person has read the new answers.
CREATE OR REPLACE FUNCTION letter_seen(p_code text,
    p_shown bigint DEFAULT NULL) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
DECLARE
    v_letter    bigint;
BEGIN
    -- Whoever is answering has the letter; then the answer is to be seen here.
    SELECT id INTO v_letter FROM letters
     WHERE tracking_code = p_code AND person_id = context_id('person')
       FOR NO KEY UPDATE;

    IF EXISTS (SELECT FROM events AS e
                WHERE e.letter_id = v_letter AND e.id > p_shown
                  AND e.actor <> 'person' AND e.visibility = 'citizen')
    THEN
        RETURN false;
    END IF;

    UPDATE letters SET new_answers = 0, seen_at = now()
     WHERE id = v_letter AND new_answers > 0;

    IF FOUND THEN
        PERFORM audit_person('answer_read', 'letter', p_code);
    END IF;

    RETURN true;
END
$$;

-- A follow-up wakes the letter: it needs an answer again, in full time.
CREATE OR REPLACE FUNCTION letter_wake(p_letter letters) RETURNS void
LANGUAGE sql AS $$
    UPDATE letters
       SET status = CASE
               WHEN status <> 'answered' THEN status
               WHEN open_referrals > 0 THEN 'review'
               WHEN register_number IS NOT NULL THEN 'secretariat'
               ELSE 'registered' END,
           closed_at = NULL, answered_at = NULL,
           -- Who has left, or is an expert now, would never see it.
           owner_id = (SELECT s.id FROM staff AS s
                        WHERE s.id = letters.owner_id
                          AND s.status = 'active' AND s.role <> 'expert'
                          FOR SHARE),
           due_on = CASE WHEN status = 'answered' OR closed_at IS NOT NULL
               THEN add_working_days(today(), setting_int('due_days'))
               ELSE letter_due(letters) END,
           calendar_move = calendar_move(),
           updated_at = now(), version = version + 1
     WHERE id = p_letter.id
$$;

-- letter_followup(submission_key, tracking_code, body, files) → repeated
-- CR404 not_found, CR409 followup_refused (not answered yet), CR422
-- body:body_required, CR429 too_often.
CREATE OR REPLACE FUNCTION letter_followup(p_submission_key text,
    p_code text, p_body text, p_files jsonb)
RETURNS TABLE (repeated boolean)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_me        bigint := context_id('person');
    v_letter    letters;
    v_event     bigint;
    v_at        timestamptz;
    v_files     integer;
BEGIN
    repeated := submission_begin('person', v_me, p_submission_key,
                                 'followup') IS NOT NULL;

    IF NOT repeated THEN
        v_letter := my_letter(p_code);

        IF v_letter.status <> 'answered' AND v_letter.closed_at IS NULL THEN
            PERFORM fail('CR409', 'followup_refused');
        END IF;

        IF btrim(coalesce(p_body, '')) = '' THEN
            PERFORM fail('CR422', 'body:body_required');
        END IF;

        SELECT e.at INTO v_at FROM events AS e
         WHERE e.letter_id = v_letter.id AND e.kind = 'followup'
           AND e.at > now() - interval '1 day'
         ORDER BY e.at DESC
        OFFSET setting_int('followups_day') - 1 LIMIT 1;

        IF FOUND THEN
            PERFORM fail('CR429', 'too_often',
                         seconds_until(v_at + interval '1 day')::text);
        END IF;

        v_event := event_add(v_letter.id, 'followup', 'person', NULL, NULL,
                             'citizen', p_body);
        v_files := files_add(p_files, 'followup', 'citizen', v_me, NULL, NULL,
                             v_letter.id, v_event);
        UPDATE letters SET file_count = file_count + v_files
         WHERE id = v_letter.id AND v_files > 0;
        PERFORM letter_wake(v_letter);
        PERFORM audit_person('followup', 'letter', p_code);
        PERFORM submission_end('person', v_me, p_submission_key, 'followup',
                               p_code);
    END IF;

    RETURN NEXT;
END
$$;

-- letter_correct(submission_key, tracking_code, file_id, files with one file)
-- → repeated.  Replaces the file that was asked about; when nothing more is
-- owed, the clock goes on where it stopped.
-- CR404 not_found, CR422 file_id:file_id_wrong, file:file_required,
-- CR409 correction_refused.
CREATE OR REPLACE FUNCTION letter_correct(p_submission_key text,
    p_code text, p_file uuid, p_files jsonb)
RETURNS TABLE (repeated boolean)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_me            bigint := context_id('person');
    v_letter        letters;
    v_correction    corrections;
    v_event         bigint;
    v_new           uuid;
BEGIN
    repeated := submission_begin('person', v_me, p_submission_key,
                                 'correction') IS NOT NULL;

    IF repeated THEN
        RETURN NEXT;
        RETURN;
    END IF;

    v_letter := my_letter(p_code);

    IF v_letter.open_corrections = 0 THEN
        PERFORM fail('CR409', 'correction_refused');
    END IF;

    IF coalesce(jsonb_array_length(p_files), 0) <> 1 THEN
        PERFORM fail('CR422', 'file:file_required');
    END IF;

    SELECT c.* INTO v_correction FROM corrections AS c
     WHERE c.letter_id = v_letter.id AND c.answered_at IS NULL
       AND (c.file_id = p_file
            OR c.file_id IS NULL AND EXISTS (
                SELECT FROM files AS f
                 WHERE f.id = p_file AND f.letter_id = v_letter.id
                   AND f.person_id = v_me AND f.replaced_by IS NULL))
     ORDER BY c.file_id NULLS LAST, c.id LIMIT 1;

    IF NOT FOUND THEN
        PERFORM fail('CR422', 'file_id:file_id_wrong');
    END IF;

    v_event := event_add(v_letter.id, 'corrected', 'person', NULL, NULL,
                         'citizen');
    PERFORM files_add(p_files, 'correction', 'citizen', v_me, NULL, NULL,
                      v_letter.id, v_event);
    SELECT f.id INTO v_new FROM files AS f
     WHERE f.letter_id = v_letter.id AND f.event_id = v_event;
    UPDATE files SET replaced_by = v_new WHERE id = p_file;
    UPDATE corrections SET answered_at = now(), new_file_id = v_new
     WHERE id = v_correction.id;

    UPDATE letters AS l
       SET open_corrections = l.open_corrections - 1,
           status = CASE WHEN l.open_corrections > 1 THEN l.status
                         ELSE coalesce(l.status_before, 'secretariat') END,
           status_before = CASE WHEN l.open_corrections > 1
                                THEN l.status_before END,
           due_on = CASE WHEN l.open_corrections > 1
                              OR l.clock_stopped_on IS NULL
                         THEN letter_due(l)
                         ELSE add_working_days(letter_due(l),
                             working_days_between(l.clock_stopped_on,
                                                  today())) END,
           calendar_move = calendar_move(),
           clock_stopped_on = CASE WHEN l.open_corrections > 1
                                   THEN l.clock_stopped_on END,
           updated_at = now(), version = l.version + 1
     WHERE l.id = v_letter.id;

    PERFORM audit_person('corrected', 'letter', p_code,
        jsonb_build_object('file', p_file, 'new_file', v_new));
    PERFORM submission_end('person', v_me, p_submission_key, 'correction',
                           p_code);
    RETURN NEXT;
END
$$;

-- Drafts ------------------------------------------------------------------------

-- draft_save(draft or NULL, fields as JSON object, files, keep) → draft
-- Keeps a form (and the files that passed) for later; of the fields only
-- the form's own are kept, and whether they were checked (with the captcha)
-- and the company with them.  keep: JSON list of the ids of its files that
-- stay; NULL: all.  At most ten drafts a person: the oldest go.
-- CR404 draft_gone.
CREATE OR REPLACE FUNCTION draft_save(p_draft uuid, p_fields jsonb,
    p_files jsonb, p_keep jsonb) RETURNS TABLE (draft uuid)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_me        bigint := context_id('person');
    v_fields    jsonb;
BEGIN
    SELECT coalesce(jsonb_object_agg(key, left(value, 20000)), '{}')
      INTO v_fields
      FROM jsonb_each_text(coalesce(p_fields, '{}'))
     WHERE key IN ('person_kind', 'address', 'subject', 'body',
        'company_name', 'company_national_id', 'registration_number',
        'company_postal_code', 'company_phone', 'position',
        'company_checked', 'checked');

    IF p_draft IS NULL THEN
        INSERT INTO drafts AS d (person_id, fields) VALUES (v_me, v_fields)
        RETURNING d.id INTO draft;
        DELETE FROM drafts AS d
         WHERE d.id IN (SELECT o.id FROM drafts AS o
                         WHERE o.person_id = v_me
                         ORDER BY o.updated_at DESC OFFSET 10);
    ELSE
        UPDATE drafts AS d SET fields = v_fields, updated_at = now()
         WHERE d.id = p_draft AND d.person_id = v_me
        RETURNING d.id INTO draft;
        IF NOT FOUND THEN
            PERFORM fail('CR404', 'draft_gone');
        END IF;
        DELETE FROM files AS f
         WHERE f.draft_id = p_draft AND p_keep IS NOT NULL
           AND NOT p_keep ? f.id::text;
    END IF;

    PERFORM files_add(p_files, 'draft', 'citizen', v_me, NULL, draft);
    RETURN NEXT;
END
$$;

-- draft_remove(draft) → true, whether or not it was there: of somebody else's
-- nothing is said, and a second click is none too many.  Its files lose
-- their rows; the collector takes their contents.
CREATE OR REPLACE FUNCTION draft_remove(p_draft uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
BEGIN
    DELETE FROM drafts
     WHERE id = p_draft AND person_id = context_id('person');
    RETURN true;
END
$$;

-- A reading of a file, for the audit.  A viewer fetches a file in pieces, so
-- that what one reads again within ten minutes, from the same address (of IPv6:
-- network), is the same reading.
CREATE OR REPLACE FUNCTION file_read_note(p_actor text, p_id bigint,
    p_file uuid) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_from      text := address_group(context_address());
BEGIN
    PERFORM FROM audit AS a
      WHERE a.object = 'file' AND a.object_id = p_file::text
        AND a.action = 'file_read' AND a.actor = p_actor AND a.actor_id = p_id
        AND address_group(a.address) IS NOT DISTINCT FROM v_from
        AND a.at > now() - interval '10 minutes';

    IF NOT FOUND THEN
        PERFORM audit_add(p_actor, p_id, NULL, 'file_read', 'file',
                          p_file::text, context_address());
    END IF;
END
$$;

-- file_read(file) → true: a citizen's download in the audit.  It is alone in
-- its transaction, and nobody waits for a disk or a standby because somebody
-- read what is theirs: a server that falls within half a second may lose the
-- line, one that is promoted what had not come to it.  What staff read is waited
-- for.
CREATE OR REPLACE FUNCTION file_read(p_file uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true),
            file_read_note('person', context_id('person'), p_file);
    RETURN true;
END
$$;

-- Public tracking -----------------------------------------------------------------

-- track(tracking_code, mobile_last4, address)
-- → verdict ok|unknown|wait, wait, status, created_at, updated_at
-- Shows the state and nothing else; guessing slows down per code and per
-- address.
CREATE OR REPLACE FUNCTION track(p_code text, p_last4 text, p_address text)
RETURNS TABLE (verdict text, wait integer, status text,
               created_at timestamptz, updated_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_from  text := address_group(p_address);
BEGIN
    wait := tries_take('track', v_from, 10, 900);

    IF wait = 0 THEN
        wait := tries_take('track_code', p_code, 5, 900);
    END IF;

    IF wait > 0 THEN
        verdict := 'wait';
        RETURN NEXT;
        RETURN;
    END IF;

    SELECT l.status, l.created_at,
           (SELECT max(e.at) FROM events AS e
             WHERE e.letter_id = l.id AND e.visibility = 'citizen')
      INTO status, created_at, updated_at
      FROM letters AS l
     WHERE l.tracking_code = p_code AND right(l.mobile, 4) = p_last4;

    IF FOUND THEN
        verdict := 'ok';
        PERFORM tries_clear('track_code', p_code);
        -- Not the whole count: one known code must not pay for guesses.
        UPDATE tries SET failures = greatest(failures - 1, 0),
               blocked_until = NULL
         WHERE scope = 'track' AND key = v_from;
    ELSE
        verdict := 'unknown';
        PERFORM audit_add('nobody', NULL, NULL, 'track_failed', 'letter',
                          NULL, p_address);
    END IF;

    RETURN NEXT;
END
$$;

-- The store of files ----------------------------------------------------------------

-- store_marked() → true: a store bears this database's id from now on, and
-- one without is not it.
CREATE OR REPLACE FUNCTION store_marked() RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
BEGIN
    UPDATE installation SET store_marked_at = now()
     WHERE store_marked_at IS NULL;
    RETURN FOUND;
END
$$;

-- files_unreferenced(JSON list of hex SHA-256) → sha256: those that no row
-- names.  For the collector, which has looked at their age.
CREATE OR REPLACE FUNCTION files_unreferenced(p_hashes jsonb)
RETURNS TABLE (sha256 bytea)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
    SELECT decode(h, 'hex') FROM jsonb_array_elements_text(p_hashes) AS h
     WHERE NOT EXISTS (SELECT FROM files AS f
                        WHERE f.sha256 = decode(h, 'hex'))
$$;

-- file_removal_begin(sha256) → true: take it away after this is committed, then
-- call file_removal_end.  false: somebody refers to it again, and no mark is
-- left.  Holds the content's lock against new rows of it.
CREATE OR REPLACE FUNCTION file_removal_begin(p_sha256 bytea)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(
        'file:' || encode(p_sha256, 'hex'), 0));

    IF EXISTS (SELECT FROM files WHERE sha256 = p_sha256) THEN
        DELETE FROM file_removals WHERE sha256 = p_sha256;
        RETURN false;
    END IF;

    INSERT INTO file_removals (sha256) VALUES (p_sha256)
    ON CONFLICT (sha256) DO NOTHING;
    RETURN true;
END
$$;

CREATE OR REPLACE FUNCTION file_removal_end(p_sha256 bytea) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
BEGIN
    DELETE FROM file_removals WHERE sha256 = p_sha256;
    RETURN FOUND;
END
$$;

-- housekeeping(draft_days) → drafts, codes removed.  Once an hour is enough;
-- several nodes may call it.  Of a table so many rows go at once that all of it
-- stays far below a statement's time: what is left goes an hour later.  Of drafts
-- fewer, each of which takes its files along.  The age is asked for twice: what
-- somebody has just taken up again stays.
CREATE OR REPLACE FUNCTION housekeeping(p_draft_days integer)
RETURNS TABLE (drafts_removed integer, codes_removed integer)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
DECLARE
    v_most      CONSTANT integer := 20000;
    v_drafts    CONSTANT integer := 2000;
    v_draft     timestamptz := now() - p_draft_days * interval '1 day';
    v_code      timestamptz := now() - interval '30 days';
    v_key       timestamptz := now() - interval '90 days';
    v_browser   timestamptz := now() - interval '400 days';
BEGIN
    drafts_removed := 0;
    codes_removed := 0;

    IF pg_try_advisory_xact_lock(hashtext('correspondence housekeeping')) THEN
        DELETE FROM drafts WHERE updated_at < v_draft AND id IN (
            SELECT id FROM drafts WHERE updated_at < v_draft
             ORDER BY updated_at LIMIT v_drafts);
        GET DIAGNOSTICS drafts_removed = ROW_COUNT;
        -- Caps look back one day; the rest is kept a while for the record.
        DELETE FROM codes WHERE id IN (
            SELECT id FROM codes WHERE created_at < v_code
             ORDER BY created_at LIMIT v_most);
        GET DIAGNOSTICS codes_removed = ROW_COUNT;
        DELETE FROM code_totals WHERE hour < now() - interval '2 days';
        DELETE FROM tries WHERE last_at < v_code AND (scope, key) IN (
            SELECT scope, key FROM tries WHERE last_at < v_code
             ORDER BY last_at LIMIT v_most);
        DELETE FROM decoy_messages WHERE id IN (
            SELECT id FROM decoy_messages
             WHERE created_at < now() - interval '1 hour' LIMIT v_most);
        DELETE FROM submissions WHERE (actor, actor_id, key) IN (
            SELECT actor, actor_id, key FROM submissions WHERE at < v_key
             ORDER BY at LIMIT v_most);
        DELETE FROM person_browsers
         WHERE seen_at < v_browser AND (person_id, browser) IN (
            SELECT person_id, browser FROM person_browsers
             WHERE seen_at < v_browser ORDER BY seen_at LIMIT v_most);
        DELETE FROM staff_browsers WHERE seen_at < v_browser;
        DELETE FROM reply_drafts WHERE saved_at < now() - interval '90 days';
        DELETE FROM letter_viewers WHERE seen_at < now() - interval '1 hour';
    END IF;

    RETURN NEXT;
END
$$;
