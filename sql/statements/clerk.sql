-- The secretariat's day.  Writes come after staff_guard_write; see
-- functions/50 to 59.  Experts see letters referred to their unit only, in
-- every statement.

-- Log-in -------------------------------------------------------------------

--   $1 username, $2 browser, $3 address
-- → verdict try|wait, wait, id, password_hash
-- name: staff_login_try
SELECT verdict, wait, staff_id AS id, password_hash
  FROM staff_login_try($1::text, $2::text, $3::text);

--   $1 username, $2 staff id or NULL, $3 matched hash or NULL, $4 browser,
--   $5 address → ok, id, epoch
-- name: staff_login_done
SELECT ok, staff_id AS id, epoch
  FROM staff_login_done($1::text, $2::bigint, $3::text, $4::text, $5::text);

-- After staff_guard_write: the hash to check the current password against.
-- → wait, password_hash
-- name: staff_password_current
SELECT wait, password_hash FROM staff_password_current();

-- The same: it was right.
-- name: staff_password_right
SELECT staff_password_right() AS ok;

-- The same: it was wrong.
-- name: staff_password_wrong
SELECT staff_password_wrong() AS ok;

-- After staff_guard_write, for admin: $1 staff id.
-- name: staff_sessions_end
SELECT staff_sessions_end($1::bigint) AS ok;

--   $1 staff id, $2 the hash that matched, $3 the new one → renewed
-- name: staff_login_renew
SELECT renewed FROM staff_login_renew($1::bigint, $2::text, $3::text);

--   $1 staff id, $2 epoch, $3 address
-- → verdict try|wait|expired, wait, totp_secret (encrypted), totp_step,
--   username
-- name: staff_totp_try
SELECT verdict, wait, totp_secret, totp_step,
       (SELECT s.username FROM staff AS s WHERE s.id = $1::bigint) AS username
  FROM staff_totp_try($1::bigint, $2::int, $3::text);

--   $1 staff id, $2 epoch, $3 step that matched or NULL, $4 browser,
--   $5 address, $6 the TOTP secret encrypted anew or NULL
-- → ok, staff_id, epoch
-- name: staff_totp_done
SELECT ok, staff_id, epoch
  FROM staff_totp_done($1::bigint, $2::int, $3::bigint, $4::text, $5::text,
                       $6::bytea);

-- After staff_guard_write.
-- name: staff_logout
SELECT staff_logout_note() AS ok;

-- Invitations; $1 is the token as it stands in the link, in bytes.

-- → username, name, role, expires_at; no row: gone
-- name: invitation_show
SELECT username, name, role, expires_at
  FROM invitation_show(sha256($1::bytea));

--   $2 password_hash, $3 encrypted TOTP secret, $4 address
-- → verdict ok|expired, staff_id, epoch
-- name: invitation_password
SELECT verdict, staff_id, epoch
  FROM invitation_password(sha256($1::bytea), $2::text, $3::bytea, $4::text);

--   $2 the epoch that invitation_password gave, $3 this is a try (counted),
--   false: just showing the page
-- → verdict try|wait|expired, wait, staff_id, epoch, username, totp_secret,
--   totp_step
-- name: invitation_totp
SELECT verdict, wait, staff_id, epoch, username, totp_secret, totp_step
  FROM invitation_totp(sha256($1::bytea), $2::int, $3::bool);

--   $2 the same epoch, $3 step that matched, $4 browser, $5 address
-- → ok, staff_id, epoch
-- name: invitation_done
SELECT ok, staff_id, epoch
  FROM invitation_done(sha256($1::bytea), $2::int, $3::bigint, $4::text,
                       $5::text);

-- The inbox -------------------------------------------------------------------

--   $1 staff, $2 count at the most → tab, count, more
-- name: clerk_tabs
SELECT tab, count, more FROM inbox_counts($1::bigint, $2::int);

--   $1 staff, $2 tab, $3 status, $4 unit id, $5 from, $6 to (dates; any may
--   be NULL), $7 cursor or NULL, $8 count (one more than shown)
-- name: clerk_inbox
SELECT r.tracking_code, r.subject, r.person_name, r.company_name, r.status,
       r.created_at, r.register_number, r.unit_name, r.owner_name, r.due_on,
       r.age_days, r.is_overdue, r.is_new, r.sms_failed, r.is_closed, r.news,
       r.cursor
  FROM inbox($1::bigint, $2::text, $3::text, $4::bigint, $5::date, $6::date,
             $7::text, $8::int) AS i
  JOIN inbox_rows AS r ON r.id = i.id AND r.staff_id = $1::bigint
 ORDER BY r.created_at DESC, r.id DESC;

--   $1 staff, $2 what was typed, $3 cursor or NULL, $4 count, $5 status,
--   $6 unit id, $7 from, $8 to → as clerk_inbox
-- name: clerk_search
SELECT r.tracking_code, r.subject, r.person_name, r.company_name, r.status,
       r.created_at, r.register_number, r.unit_name, r.owner_name, r.due_on,
       r.age_days, r.is_overdue, r.is_new, r.sms_failed, r.is_closed, r.news,
       r.cursor
  FROM clerk_search($1::bigint, $2::text, $3::text, $4::int, $5::text,
                    $6::bigint, $7::date, $8::date) AS i
  JOIN inbox_rows AS r ON r.id = i.id AND r.staff_id = $1::bigint
 ORDER BY r.created_at DESC, r.id DESC;

-- One letter -------------------------------------------------------------------

-- After staff_guard_write, first statement of the page: CR404, the audit's
-- line, who is looking, the unit's referrals seen.  $1 tracking code
-- name: clerk_letter_open
SELECT letter_id FROM letter_open($1::text);

--   $1 staff, $2 tracking code.  The flags say what this member of staff may
--   do now; the functions decide again.
-- name: clerk_letter_show
SELECT l.id AS letter_id, l.version, l.tracking_code, l.subject, l.body,
       l.status, l.created_at,
       l.person_kind, l.person_kind = 'legal' AS is_legal, l.first_name,
       l.last_name, l.father_name, l.birth_date, l.national_code, l.mobile,
       l.address, l.company_name, l.company_national_id,
       l.registration_number, l.company_postal_code, l.company_phone,
       l.position, l.position_proven, l.company_checked,
       NOT l.company_checked AND EXISTS (
           SELECT FROM companies AS c
            WHERE c.id = l.company_id AND c.check_state = 'no') AS company_no,
       btrim(l.first_name || ' ' || l.last_name) AS person_name,
       l.register_number, l.register_year, l.registered_at,
       b.name AS book_name, l.due_on, l.closed_at,
       l.closed_at IS NOT NULL AS is_closed, l.answered_at,
       l.clock_stopped_on IS NOT NULL AS clock_stopped,
       l.closed_at IS NULL AND l.answered_at IS NULL
           AND l.clock_stopped_on IS NULL AND l.due_on < today()
           AS is_overdue,
       u.name AS unit_name, o.name AS owner_name, l.open_referrals,
       l.open_corrections, l.undelivered AS sms_failed,
       p.level AS person_level, p.mobile AS person_mobile,
       d.body AS draft_body, d.saved_at AS draft_saved_at,
       w.is_mine, w.is_deputy, w.works AND l.closed_at IS NULL
           AND NOT w.is_mine AND (l.owner_id IS NULL OR w.is_deputy
               OR s.role <> 'clerk' OR o.status <> 'active') AS can_take,
       w.works AND w.held AND l.register_number IS NULL AS can_register,
       w.works AND w.held AS can_reply,
       w.works AND w.held AS can_refer,
       true AS can_note,
       w.works AND w.held AND l.status <> 'answered' AS can_ask_correction,
       w.works AND w.held AND l.open_referrals = 0
           AND l.open_corrections = 0 AS can_close,
       l.answered_at IS NULL AS close_needs_reason,
       l.status = 'answered' AS is_answered,
       w.works AND l.closed_at IS NOT NULL AS can_reopen,
       w.works AND l.person_kind = 'legal' AND NOT l.position_proven
           AS can_prove_position
  FROM letters AS l
  JOIN staff AS s ON s.id = $1::bigint
  JOIN persons AS p ON p.id = l.person_id
  LEFT JOIN units AS u ON u.id = l.unit_id
  LEFT JOIN staff AS o ON o.id = l.owner_id
  LEFT JOIN books AS b ON b.id = l.book_id
  LEFT JOIN reply_drafts AS d ON d.letter_id = l.id AND d.staff_id = s.id
 CROSS JOIN LATERAL (
       SELECT d.is_mine, d.is_deputy, s.role <> 'expert' AS works,
              l.closed_at IS NULL AND (l.owner_id IS NULL OR d.is_mine
                  OR d.is_deputy) AS held
         FROM (SELECT coalesce(l.owner_id = s.id, false) AS is_mine,
                      EXISTS (SELECT FROM substitutes AS t
                               WHERE t.substitute_id = s.id
                                 AND t.absent_id = l.owner_id
                                 AND t.ended_at IS NULL
                                 AND today() BETWEEN t.from_on AND t.to_on)
                          AS is_deputy) AS d) AS w
 WHERE l.tracking_code = $2::text
   AND (s.role <> 'expert' OR EXISTS (
        SELECT FROM expert_letters AS e
         WHERE e.staff_id = s.id AND e.letter_id = l.id));

-- The statements below come behind clerk_letter_open (or its sister for a
-- referral) in the same pipeline: it has raised when the letter may not be
-- seen.  $1 tracking code.

-- The citizen's files, and internal ones; replaced ones last.
-- name: clerk_letter_files
SELECT f.id AS file_id, f.name, (f.size + 1023) / 1024 AS size_kb,
       f.media_type, f.media_type LIKE 'image/%' AS is_image,
       f.media_type = 'application/pdf' AS is_pdf,
       f.replaced_by IS NOT NULL AS is_replaced, f.purpose,
       f.visibility = 'internal' AS is_internal, f.width, f.height,
       f.scan IS NOT DISTINCT FROM 'unchecked' AS is_unchecked,
       row_number() OVER w AS position, count(*) OVER () AS total
  FROM letters AS l JOIN files AS f ON f.letter_id = l.id
 WHERE l.tracking_code = $1::text
   AND f.purpose IN ('letter', 'correction', 'followup')
WINDOW w AS (ORDER BY f.replaced_by IS NOT NULL, f.created_at, f.position)
 ORDER BY f.replaced_by IS NOT NULL, f.created_at, f.position;

-- What other units were asked and answered is not for an expert.
--   $1 tracking code, $2 staff
-- name: clerk_letter_events
SELECT e.id AS event_id, e.kind, e.at, e.actor <> 'person' AS from_body,
       e.visibility = 'internal' AS is_internal, e.body, e.register_number,
       e.register_year, CASE WHEN e.kind = 'registered' THEN b.name END
           AS book_name,
       CASE e.actor WHEN 'staff' THEN s.name
            WHEN 'person' THEN btrim(l.first_name || ' ' || l.last_name)
            END AS actor_name,
       f.name AS for_name, u.name AS unit_name, e.final AS is_final,
       m.id AS message_id, m.state AS sms_state,
       coalesce(m.finished_at, m.sent_at, m.created_at) AS sms_at,
       m.state IN ('failed', 'expired') AND m.resent_as IS NULL
           AS can_resend
  FROM letters AS l
  JOIN staff AS me ON me.id = $2::bigint
  JOIN events AS e ON e.letter_id = l.id
   AND (me.role <> 'expert' OR e.unit_id IS NULL OR e.unit_id IN (
        SELECT w.unit_id FROM staff_units AS w WHERE w.staff_id = me.id))
  LEFT JOIN books AS b ON b.id = l.book_id
  LEFT JOIN staff AS s ON s.id = e.staff_id
  LEFT JOIN staff AS f ON f.id = e.for_id
  LEFT JOIN units AS u ON u.id = e.unit_id
  LEFT JOIN LATERAL (SELECT * FROM (
       SELECT m.id, m.state, m.finished_at, m.sent_at, m.created_at,
              m.resent_as
         FROM messages AS m WHERE m.event_id = e.id
        ORDER BY m.id DESC LIMIT 1) AS last) AS m ON true
 WHERE l.tracking_code = $1::text
 ORDER BY e.id;

-- Their files, and no others.  $1 tracking code, $2 staff
-- name: clerk_letter_event_files
SELECT f.event_id, f.id AS file_id, f.name,
       (f.size + 1023) / 1024 AS size_kb, f.media_type,
       f.scan IS NOT DISTINCT FROM 'unchecked' AS is_unchecked
  FROM letters AS l
  JOIN files AS f ON f.letter_id = l.id
  JOIN events AS e ON e.id = f.event_id AND e.kind <> 'letter_sent'
  JOIN staff AS s ON s.id = $2::bigint
 WHERE l.tracking_code = $1::text
   AND (s.role <> 'expert'
        OR expert_sees_file(s.id, f.letter_id, f.visibility, f.event_id))
 ORDER BY f.event_id, f.position;

--   $1 tracking code, $2 staff
-- name: clerk_letter_referrals
SELECT r.id AS referral_id, u.name AS unit_name, r.instruction,
       CASE WHEN r.outcome IS NOT NULL THEN r.outcome
            WHEN r.seen_at IS NOT NULL THEN 'seen'
            ELSE 'waiting' END AS state,
       r.due_on, r.created_at AS referred_at, r.seen_at,
       v.name AS seen_by_name, r.closed_at AS answered_at,
       c.name AS answered_by_name, k.name AS referred_by_name,
       r.outcome IS NULL AND r.due_on < today() AS is_overdue, r.answer,
       r.outcome IS NULL AND r.unit_id IN (
            SELECT w.unit_id FROM staff_units AS w WHERE w.staff_id = s.id)
           AS can_answer,
       r.outcome IS NULL AND s.role <> 'expert'
           AND (s.role <> 'clerk' OR l.owner_id = s.id OR EXISTS (
                SELECT FROM substitutes AS t
                 WHERE t.substitute_id = s.id AND t.absent_id = l.owner_id
                   AND t.ended_at IS NULL
                   AND today() BETWEEN t.from_on AND t.to_on))
           AS can_recall
  FROM letters AS l
  JOIN referrals AS r ON r.letter_id = l.id
  JOIN units AS u ON u.id = r.unit_id
  JOIN staff AS s ON s.id = $2::bigint
  JOIN staff AS k ON k.id = r.created_by
  LEFT JOIN staff AS v ON v.id = r.seen_by
  LEFT JOIN staff AS c ON c.id = r.closed_by
 WHERE l.tracking_code = $1::text
   AND (s.role <> 'expert' OR r.unit_id IN (
        SELECT w.unit_id FROM staff_units AS w WHERE w.staff_id = s.id))
 ORDER BY r.id;

-- name: clerk_letter_corrections
SELECT c.id AS correction_id, c.body, c.file_id, f.name AS file_name,
       c.asked_at, s.name AS asked_by_name, c.answered_at
  FROM letters AS l
  JOIN corrections AS c ON c.letter_id = l.id
  JOIN staff AS s ON s.id = c.asked_by
  LEFT JOIN files AS f ON f.id = c.file_id
 WHERE l.tracking_code = $1::text ORDER BY c.id;

-- Who else has it open.  $1 tracking code, $2 staff
-- name: clerk_letter_viewers
SELECT s.name, v.seen_at
  FROM letters AS l
  JOIN letter_viewers AS v ON v.letter_id = l.id
  JOIN staff AS s ON s.id = v.staff_id
 WHERE l.tracking_code = $1::text AND v.staff_id <> $2::bigint
   AND v.seen_at > now() - interval '5 minutes'
 ORDER BY v.seen_at DESC LIMIT 10;

-- Has anything arrived since the page was made?  For a page that stays
-- open.  $1 staff, $2 tracking code, $3 version shown
-- name: clerk_letter_changed
SELECT l.version > $3::int AS changed, l.version
  FROM letters AS l JOIN staff AS s ON s.id = $1::bigint
 WHERE l.tracking_code = $2::text
   AND (s.role <> 'expert' OR EXISTS (
        SELECT FROM expert_letters AS e
         WHERE e.staff_id = s.id AND e.letter_id = l.id));

-- The person's other letters.  Some have thousands: BETWEEN, since PostgreSQL
-- knows of a number that most have five, and reads and sorts them all.
--   $1 tracking code, $2 staff
-- name: clerk_letter_person
SELECT o.tracking_code, o.subject, o.status, o.created_at,
       o.closed_at IS NOT NULL AS is_closed
  FROM letters AS l
  JOIN staff AS s ON s.id = $2::bigint AND s.role <> 'expert'
 CROSS JOIN LATERAL (
       SELECT * FROM letters AS o
        WHERE o.person_id BETWEEN l.person_id AND l.person_id
          AND o.id <> l.id
        ORDER BY o.person_id, o.created_at DESC, o.id DESC LIMIT 10) AS o
 WHERE l.tracking_code = $1::text
 ORDER BY o.created_at DESC, o.id DESC;

-- name: clerk_books
SELECT b.id AS book_id, b.code AS book_code, b.name, j.year,
       coalesce(c.last, 0) + 1 AS next_number
  FROM books AS b
 CROSS JOIN (SELECT year FROM jalali_days WHERE day = today()) AS j
  LEFT JOIN register_counters AS c
    ON c.book_id = b.id AND c.jalali_year = j.year
 WHERE b.active ORDER BY b.id;

-- name: clerk_units
SELECT u.id AS unit_id, u.code AS unit_code, u.name, u.due_days
  FROM units AS u WHERE u.active ORDER BY u.name, u.id;

--   $1 staff
-- name: clerk_canned
SELECT c.id AS canned_id, c.title
  FROM canned AS c JOIN staff AS s ON s.id = $1::bigint
 WHERE c.active AND (c.unit_id IS NULL OR c.unit_id = s.unit_id)
 ORDER BY c.uses DESC, c.title;

-- One of them with its placeholders filled from the letter, as plain text;
-- a placeholder whose value is missing stays.  No row: there is none.
--   $1 staff, $2 tracking code, $3 canned_id
-- name: clerk_canned_filled
SELECT canned_fill(c.body, l.id) AS body
  FROM canned AS c
  JOIN staff AS s ON s.id = $1::bigint
  JOIN letters AS l ON l.tracking_code = $2::text
 WHERE c.id = $3::bigint AND c.active AND s.role <> 'expert'
   AND (c.unit_id IS NULL OR c.unit_id = s.unit_id);

-- Writes on a letter: $1 submission_key, $2 tracking code ----------------------

-- name: letter_take
SELECT repeated FROM letter_take($1::text, $2::text);

--   $3 book → register_number, register_year, book, repeated
-- name: letter_register
SELECT register_number, register_year, book, repeated
  FROM letter_register($1::text, $2::text, $3::text);

--   $3 body, $4 final, $5 canned_id or NULL, $6 files
-- name: letter_reply
SELECT repeated
  FROM letter_reply($1::text, $2::text, $3::text, $4::bool, $5::bigint,
                    $6::jsonb);

-- In front of those that end or answer something.  $3 the version of the
-- letter that the form was made from, or NULL: CR409 letter_changed
-- name: letter_expect
SELECT letter_expect($1::text, $2::text, $3::int) AS ok;

--   $3 units (JSON list), $4 instruction, $5 due date, $6 or working days
--   from today; both NULL: the unit's own
-- name: letter_refer
SELECT repeated
  FROM letter_refer($1::text, $2::text, $3::jsonb, $4::text,
                    coalesce($5::date, add_working_days(today(), $6::int)));

--   $3 body
-- name: letter_note
SELECT repeated FROM letter_note($1::text, $2::text, $3::text);

--   $3 body, $4 file_id or NULL
-- name: letter_ask_correction
SELECT repeated
  FROM letter_ask_correction($1::text, $2::text, $3::text, $4::uuid);

--   $3 why, for the sender; empty when a final reply was given
-- name: letter_close
SELECT repeated FROM letter_close($1::text, $2::text, $3::text);

-- name: letter_reopen
SELECT repeated FROM letter_reopen($1::text, $2::text);

-- What is written of a reply, before it is sent.  $1 tracking code, $2 body
-- → saved_at
-- name: reply_draft_save
SELECT reply_draft_save($1::text, $2::text) AS saved_at;

-- Referrals --------------------------------------------------------------------

-- A referral's own page.  After staff_guard_write, first.  $1 referral id
-- name: clerk_referral_open
SELECT tracking_code FROM referral_open($1::bigint);

--   $1 referral id, $2 staff
-- name: clerk_referral_show
SELECT r.id AS referral_id, l.tracking_code, l.subject, u.name AS unit_name,
       r.instruction,
       CASE WHEN r.outcome IS NOT NULL THEN r.outcome
            WHEN r.seen_at IS NOT NULL THEN 'seen'
            ELSE 'waiting' END AS state,
       r.due_on, r.outcome IS NULL AND r.due_on < today() AS is_overdue,
       k.name AS referred_by_name, r.created_at AS referred_at, r.seen_at,
       r.answer, r.closed_at AS answered_at, w.mine AS can_answer,
       w.mine AS can_return,
       r.outcome IS NULL AND s.role <> 'expert'
           AND (s.role <> 'clerk' OR l.owner_id = s.id OR EXISTS (
                SELECT FROM substitutes AS t
                 WHERE t.substitute_id = s.id AND t.absent_id = l.owner_id
                   AND t.ended_at IS NULL
                   AND today() BETWEEN t.from_on AND t.to_on))
           AS can_recall
  FROM referrals AS r
  JOIN letters AS l ON l.id = r.letter_id
  JOIN units AS u ON u.id = r.unit_id
  JOIN staff AS k ON k.id = r.created_by
  JOIN staff AS s ON s.id = $2::bigint
 CROSS JOIN LATERAL (SELECT r.outcome IS NULL AND r.unit_id IN (
       SELECT u.unit_id FROM staff_units AS u WHERE u.staff_id = s.id)
       AS mine) AS w
 WHERE r.id = $1::bigint
   AND (s.role <> 'expert' OR EXISTS (
        SELECT FROM expert_letters AS e
         WHERE e.staff_id = s.id AND e.referral_id = r.id));

-- The letter's files, as clerk_letter_files.  $1 referral id
-- name: clerk_referral_files
SELECT f.id AS file_id, f.name, (f.size + 1023) / 1024 AS size_kb,
       f.media_type, f.media_type LIKE 'image/%' AS is_image,
       f.media_type = 'application/pdf' AS is_pdf,
       f.replaced_by IS NOT NULL AS is_replaced, f.width, f.height,
       f.scan IS NOT DISTINCT FROM 'unchecked' AS is_unchecked,
       row_number() OVER w AS position, count(*) OVER () AS total
  FROM referrals AS r JOIN files AS f ON f.letter_id = r.letter_id
 WHERE r.id = $1::bigint
   AND f.purpose IN ('letter', 'correction', 'followup')
WINDOW w AS (ORDER BY f.replaced_by IS NOT NULL, f.created_at, f.position)
 ORDER BY f.replaced_by IS NOT NULL, f.created_at, f.position;

-- Writes: $1 submission_key, $2 referral id → repeated, tracking_code

--   $3 body, $4 files
-- name: referral_answer
SELECT repeated, tracking_code
  FROM referral_answer($1::text, $2::bigint, $3::text, $4::jsonb);

--   $3 reason
-- name: referral_return
SELECT repeated, tracking_code
  FROM referral_return($1::text, $2::bigint, $3::text);

--   $3 reason or NULL
-- name: referral_recall
SELECT repeated, tracking_code
  FROM referral_recall($1::text, $2::bigint, $3::text);
