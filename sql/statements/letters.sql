-- The citizen's letters.  $1 is always the person's id from the session, and
-- every statement asks for it: what is not yours gives no row.  Nothing
-- internal is selected here.

-- The desk's first page: the newest three.
-- name: desk_letters
SELECT l.tracking_code, l.subject, l.status, l.created_at, l.new_answers
  FROM letters AS l
 WHERE l.person_id = $1::bigint
 ORDER BY l.created_at DESC, l.id DESC LIMIT 3;

-- name: desk_tickets
SELECT count(*) AS open_tickets FROM tickets AS t
 WHERE t.person_id = $1::bigint AND t.new_answers > 0;

--   $1 person, $2 count (one more than shown tells whether there is a next
--   page), $3 offset
-- name: letters_list
SELECT l.tracking_code, l.subject, l.status, l.created_at, l.new_answers,
       l.register_number
  FROM letters AS l
 WHERE l.person_id = $1::bigint
 ORDER BY l.created_at DESC, l.id DESC
 LIMIT $2::int OFFSET $3::int;

-- name: letters_count
SELECT count(*) AS letters FROM letters AS l WHERE l.person_id = $1::bigint;

-- The confirmation on top of the list.  $2 tracking code
-- name: letters_sent
SELECT l.tracking_code, l.subject, l.created_at, l.mobile, l.due_on
  FROM letters AS l
 WHERE l.person_id = $1::bigint AND l.tracking_code = $2::text;

-- The companies this person wrote for, the last one first.
-- name: companies_list
SELECT c.id AS company_id, c.name AS company_name,
       c.national_id AS company_national_id, c.registration_number,
       c.postal_code AS company_postal_code, c.phone AS company_phone,
       c.position, c.position_proven_at IS NOT NULL AS position_proven
  FROM companies AS c
 WHERE c.person_id = $1::bigint ORDER BY c.used_at DESC LIMIT 20;

-- After person_guard_write (level 3).
--   $1 submission_key, $2 draft or NULL, $3 person_kind, $4 address,
--   $5 subject, $6 body, $7 company_name, $8 company_national_id,
--   $9 registration_number, $10 company_postal_code, $11 company_phone,
--   $12 position, $13 company_checked (NULL: the gateway gave no answer, it is
--   asked again later), $14 files (JSON list of sha256 hex, size, media_type,
--   name, width, height), $15 limits, $16 ids of the draft's
--   files that stay (JSON list; NULL: all)
-- → tracking_code, repeated, created_at
-- name: letter_submit
SELECT tracking_code, repeated, created_at
  FROM letter_submit($1::text, $2::uuid, $3::text, $4::text, $5::text,
      $6::text, $7::text, $8::text, $9::text, $10::text, $11::text,
      $12::text, $13::bool, $14::jsonb, $15::jsonb, $16::jsonb);

--   $1 person, $2 tracking code
-- name: letters_show
SELECT l.tracking_code, l.subject, l.body, l.status, l.created_at,
       l.person_kind, l.person_kind = 'legal' AS is_legal, l.first_name,
       l.last_name, l.father_name, l.birth_date, l.national_code, l.mobile,
       l.address, l.company_name, l.company_national_id,
       l.registration_number, l.company_postal_code, l.company_phone,
       l.position, l.position_proven, l.register_number, l.registered_at,
       CASE WHEN l.status NOT IN ('answered', 'correction')
            THEN l.due_on END AS due_on,
       l.new_answers,
       l.status = 'answered' OR l.closed_at IS NOT NULL AS can_follow_up
  FROM letters AS l
 WHERE l.person_id = $1::bigint AND l.tracking_code = $2::text;

-- The files as sent or corrected.  $1 person, $2 tracking code
-- name: letters_files
SELECT f.id AS file_id, f.name, (f.size + 1023) / 1024 AS size_kb,
       f.media_type
  FROM letters AS l JOIN files AS f ON f.letter_id = l.id
 WHERE l.person_id = $1::bigint AND l.tracking_code = $2::text
   AND f.purpose IN ('letter', 'correction') AND f.replaced_by IS NULL
   AND f.visibility = 'citizen'
 ORDER BY f.created_at, f.position;

-- The thread, oldest first.  $1 person, $2 tracking code
-- sms_state: of the last message about it: queued, sent, delivered, failed
-- name: letters_events
SELECT e.id AS event_id, e.kind, e.at, e.actor <> 'person' AS from_body,
       e.actor <> 'person' AND e.at > coalesce(l.seen_at, '-infinity')
           AS is_unread,
       e.body, e.register_number, m.sms_state
  FROM letters AS l
  JOIN events AS e ON e.letter_id = l.id AND e.visibility = 'citizen'
  LEFT JOIN LATERAL (
       SELECT CASE m.state WHEN 'sending' THEN 'queued'
                           WHEN 'unknown' THEN 'queued'
                           WHEN 'expired' THEN 'failed'
                           ELSE m.state END AS sms_state
         FROM messages AS m WHERE m.event_id = e.id
        ORDER BY m.id DESC LIMIT 1) AS m ON true
 WHERE l.person_id = $1::bigint AND l.tracking_code = $2::text
 ORDER BY e.id;

-- Files of the thread (not of the first event: those are letters_files).
-- name: letters_event_files
SELECT f.event_id, f.id AS file_id, f.name,
       (f.size + 1023) / 1024 AS size_kb
  FROM letters AS l
  JOIN files AS f ON f.letter_id = l.id AND f.visibility = 'citizen'
  JOIN events AS e ON e.id = f.event_id AND e.visibility = 'citizen'
                  AND e.kind <> 'letter_sent'
 WHERE l.person_id = $1::bigint AND l.tracking_code = $2::text
 ORDER BY f.event_id, f.position;

-- What is asked for, the oldest first.  file_id NULL: any of them.
-- name: letters_correction
SELECT c.body, c.file_id, f.name AS file_name, c.asked_at
  FROM letters AS l
  JOIN corrections AS c ON c.letter_id = l.id AND c.answered_at IS NULL
  LEFT JOIN files AS f ON f.id = c.file_id
 WHERE l.person_id = $1::bigint AND l.tracking_code = $2::text
 ORDER BY c.id;

-- After person_guard_write.  $1 tracking code, $2 the last event shown: the new
-- answers are read, unless there is a newer one
-- name: letter_seen
SELECT letter_seen($1::text, $2::bigint) AS ok;

-- After person_guard_write.  $1 submission_key, $2 tracking code, $3 body,
-- $4 files → repeated
-- name: letter_followup
SELECT repeated FROM letter_followup($1::text, $2::text, $3::text, $4::jsonb);

-- After person_guard_write.  $1 submission_key, $2 tracking code, $3 file_id,
-- $4 files (one) → repeated
-- name: letter_correct
SELECT repeated FROM letter_correct($1::text, $2::text, $3::uuid, $4::jsonb);

-- The receipt.  $1 person, $2 tracking code
-- name: letters_receipt
SELECT l.tracking_code, l.subject, l.status, l.created_at, l.person_kind,
       l.person_kind = 'legal' AS is_legal,
       btrim(l.first_name || ' ' || l.last_name) AS person_name,
       l.company_name, l.register_number, l.register_year, l.registered_at,
       l.due_on
  FROM letters AS l
 WHERE l.person_id = $1::bigint AND l.tracking_code = $2::text;

-- name: letters_receipt_files
SELECT f.name, (f.size + 1023) / 1024 AS size_kb,
       encode(f.sha256, 'hex') AS sha256
  FROM letters AS l JOIN files AS f ON f.letter_id = l.id
 WHERE l.person_id = $1::bigint AND l.tracking_code = $2::text
   AND f.purpose IN ('letter', 'correction') AND f.replaced_by IS NULL
   AND f.visibility = 'citizen'
 ORDER BY f.created_at, f.position;

-- Anyone with a receipt: date, state and the files' hashes; not who or what.
--   $1 tracking code (the seal was checked)
-- name: verify_show
SELECT l.tracking_code, l.created_at, l.status, l.register_number
  FROM letters AS l WHERE l.tracking_code = $1::text;

-- name: verify_files
SELECT encode(f.sha256, 'hex') AS sha256, (f.size + 1023) / 1024 AS size_kb
  FROM letters AS l JOIN files AS f ON f.letter_id = l.id
 WHERE l.tracking_code = $1::text
   AND f.purpose IN ('letter', 'correction') AND f.replaced_by IS NULL
   AND f.visibility = 'citizen'
 ORDER BY f.created_at, f.position;

--   $1 tracking code, $2 last four digits of the mobile, $3 address
-- → verdict ok|unknown|wait, wait, status, created_at, updated_at
-- name: track
SELECT verdict, wait, status, created_at, updated_at
  FROM track($1::text, $2::text, $3::text);

-- Drafts -----------------------------------------------------------------------

-- After person_guard_write.  $1 draft or NULL, $2 fields (JSON object),
-- $3 files (JSON list or NULL), $4 ids of its files that stay (JSON list;
-- NULL: all) → draft
-- name: draft_save
SELECT draft FROM draft_save($1::uuid, $2::jsonb, $3::jsonb, $4::jsonb);

--   $1 person, $2 draft
-- name: drafts_show
SELECT d.id AS draft, d.updated_at, d.fields ->> 'person_kind' AS person_kind,
       d.fields ->> 'person_kind' = 'legal' AS is_legal,
       d.fields ->> 'address' AS address, d.fields ->> 'subject' AS subject,
       d.fields ->> 'body' AS body,
       d.fields ->> 'company_name' AS company_name,
       d.fields ->> 'company_national_id' AS company_national_id,
       d.fields ->> 'registration_number' AS registration_number,
       d.fields ->> 'company_postal_code' AS company_postal_code,
       d.fields ->> 'company_phone' AS company_phone,
       d.fields ->> 'position' AS position,
       d.fields ->> 'checked' IS NOT DISTINCT FROM 'true' AS checked,
       d.fields ->> 'company_checked' IS NOT DISTINCT FROM 'true'
           AS company_checked
  FROM drafts AS d WHERE d.person_id = $1::bigint AND d.id = $2::uuid;

-- name: drafts_files
SELECT f.id AS file_id, f.name, (f.size + 1023) / 1024 AS size_kb,
       f.media_type
  FROM drafts AS d JOIN files AS f ON f.draft_id = d.id
 WHERE d.person_id = $1::bigint AND d.id = $2::uuid
 ORDER BY f.created_at, f.position;

--   $1 person → the drafts that wait, the newest first
-- name: drafts_list
SELECT d.id AS draft, d.updated_at, d.fields ->> 'subject' AS subject
  FROM drafts AS d WHERE d.person_id = $1::bigint
 ORDER BY d.updated_at DESC;

-- After person_guard_write.  $1 draft
-- name: draft_remove
SELECT draft_remove($1::uuid) AS ok;
