-- Messages, units, books, canned replies, staff, calendar, statistics, audit.
-- Writes after staff_guard_write; see functions/53_admin.sql.

-- Messages -------------------------------------------------------------------

-- → the tabs: state, count (at most 1001)
-- name: clerk_messages_tabs
SELECT s.state, (SELECT count(*) FROM (
       SELECT FROM messages AS m WHERE m.state = s.state LIMIT 1001) AS b)
       AS count
  FROM (VALUES (1, 'failed'), (2, 'expired'), (3, 'unknown'), (4, 'queued'),
               (5, 'sending'), (6, 'sent'), (7, 'delivered')) AS s (n, state)
 ORDER BY s.n;

--   $1 state, $2 before this id or NULL, $3 count.  The cursor is message_id.
-- name: clerk_messages
SELECT m.id AS message_id, m.template, m.state, m.created_at, m.sent_at,
       m.finished_at,
       left(m.mobile, 4) || '•••' || right(m.mobile, 4) AS mobile_masked,
       m.text, m.parts, m.reason, m.tries, m.provider, l.tracking_code,
       m.priority > 0 AND m.resent_as IS NULL
           AND m.state IN ('failed', 'expired', 'sent') AS can_resend
  FROM messages AS m LEFT JOIN letters AS l ON l.id = m.letter_id
 WHERE m.state = $1::text
   AND m.id < coalesce($2::bigint, 9223372036854775807)
 ORDER BY m.id DESC LIMIT $3::int;

--   $1 message id → every attempt
-- name: clerk_message_attempts
SELECT a.kind, a.at, a.provider, a.provider_id, a.outcome, a.reason, a.cost
  FROM message_attempts AS a WHERE a.message_id = $1::bigint ORDER BY a.id;

--   $1 submission_key, $2 message id → repeated, new_id
-- name: message_resend
SELECT repeated, new_id FROM message_resend($1::text, $2::bigint);

--   $1 state failed|expired, $2 first day or NULL, $3 last day or NULL, $4 most
-- → count, how many would be sent again, up to that many
-- name: messages_resendable
SELECT count(*) AS count FROM (
       SELECT FROM messages_resendable($1::text, $2::date, $3::date)
        LIMIT $4::int) AS b;

--   $1 submission_key, $2 state, $3 first day or NULL, $4 last day or NULL,
--   $5 most at once → repeated, resent
-- name: messages_resend
SELECT repeated, resent
  FROM messages_resend($1::text, $2::text, $3::date, $4::date, $5::int);

-- Units and books ----------------------------------------------------------------

-- name: units_list
SELECT u.id AS unit_id, u.code AS unit_code, u.name, u.due_days, u.active,
       (SELECT count(*) FROM staff AS s
         WHERE s.unit_id = u.id AND s.status <> 'disabled') AS staff,
       (SELECT count(*) FROM referrals AS r
         WHERE r.unit_id = u.id AND r.outcome IS NULL) AS open_letters
  FROM units AS u ORDER BY u.active DESC, u.name, u.id;

-- name: books_list
SELECT b.id AS book_id, b.code AS book_code, b.name, b.active,
       c.last AS last_number, j.year
  FROM books AS b
 CROSS JOIN (SELECT year FROM jalali_days WHERE day = today()) AS j
  LEFT JOIN register_counters AS c
    ON c.book_id = b.id AND c.jalali_year = j.year
 ORDER BY b.id;

--   $1 submission_key, $2 id or NULL, $3 code, $4 name, $5 due_days or NULL,
--   $6 active
-- name: unit_save
SELECT unit_save($1::text, $2::bigint, $3::text, $4::text, $5::int,
                 $6::bool) AS unit_id;

--   $1 submission_key, $2 id or NULL, $3 code, $4 name, $5 active
-- name: book_save
SELECT book_save($1::text, $2::bigint, $3::text, $4::text, $5::bool)
       AS book_id;

-- Canned replies -----------------------------------------------------------------

-- name: canned_list
SELECT c.id AS canned_id, c.title, c.body, c.unit_id, u.name AS unit_name,
       c.active, c.uses
  FROM canned AS c LEFT JOIN units AS u ON u.id = c.unit_id
 ORDER BY c.active DESC, c.title, c.id;

--   $1 canned_id → one, for inserting
-- name: canned_show
SELECT c.id AS canned_id, c.title, c.body FROM canned AS c
 WHERE c.id = $1::bigint AND c.active;

--   $1 submission_key, $2 id or NULL, $3 title, $4 body, $5 unit id or NULL,
--   $6 active
-- name: canned_save
SELECT canned_save($1::text, $2::bigint, $3::text, $4::text, $5::bigint,
                   $6::bool) AS canned_id;

-- Staff ---------------------------------------------------------------------------

-- All who stand in for somebody, today or later, who does so first in front,
-- and until when one of them does.
--   $1 staff (who looks)
-- name: staff_list
SELECT s.id AS staff_id, s.username, s.name, s.role, s.unit_id,
       u.name AS unit_name, s.status AS staff_status, s.last_login_at,
       (SELECT count(*) FROM letters AS l
         WHERE l.owner_id = s.id AND l.closed_at IS NULL) AS open_letters,
       b.names AS substitute_name, b.until AS substitute_until,
       s.id = $1::bigint AS is_me
  FROM staff AS s
  LEFT JOIN units AS u ON u.id = s.unit_id
  CROSS JOIN LATERAL (
       SELECT string_agg(d.name, ' / ' ORDER BY d.from_on, d.id) AS names,
              max(d.to_on) AS until
         FROM (SELECT o.id, o.name, min(t.from_on) AS from_on,
                      max(t.to_on) AS to_on
                 FROM substitutes AS t JOIN staff AS o ON o.id = t.substitute_id
                WHERE t.absent_id = s.id AND t.ended_at IS NULL
                  AND t.to_on >= today()
                GROUP BY o.id) AS d) AS b
 ORDER BY s.status = 'disabled', s.name, s.id;

-- name: staff_colleagues
SELECT s.id AS staff_id, s.name, s.role FROM staff AS s
 WHERE s.status = 'active' ORDER BY s.name, s.id;

--   $1 staff id → name, open_letters, open_tickets: before disabling
-- name: staff_show
SELECT s.id AS staff_id, s.username, s.name, s.role, s.unit_id,
       s.status AS staff_status,
       (SELECT count(*) FROM letters AS l
         WHERE l.owner_id = s.id AND l.closed_at IS NULL) AS open_letters,
       (SELECT count(*) FROM tickets AS t
         WHERE t.owner_id = s.id AND t.status <> 'closed') AS open_tickets
  FROM staff AS s WHERE s.id = $1::bigint;

--   $1 username, $2 name, $3 role, $4 unit id or NULL, $5 token as it stands
--   in the link (bytes), $6 hours → staff_id, expires_at
-- name: staff_invite
SELECT staff_id, expires_at
  FROM staff_invite($1::text, $2::text, $3::text, $4::bigint,
                    sha256($5::bytea), $6::int);

--   $1 staff id, $2 token, $3 hours → staff_id, expires_at
-- name: staff_reinvite
SELECT staff_id, expires_at
  FROM staff_reinvite($1::bigint, sha256($2::bytea), $3::int);

--   $1 staff id, $2 name, $3 role, $4 unit id or NULL
-- name: staff_save
SELECT staff_save($1::bigint, $2::text, $3::text, $4::bigint) AS ok;

-- name: staff_disable
SELECT staff_disable($1::bigint) AS ok;

-- name: staff_enable
SELECT staff_enable($1::bigint) AS ok;

--   $1 from, $2 to → letters_moved, tickets_moved, more: to be called again
-- name: staff_handover
SELECT letters_moved, tickets_moved, more
  FROM staff_handover($1::bigint, $2::bigint);

--   $1 absent, $2 substitute, $3 from, $4 to
-- name: substitute_set
SELECT substitute_set($1::bigint, $2::bigint, $3::date, $4::date)
       AS substitute_id;

-- name: substitute_end
SELECT substitute_end($1::bigint) AS ok;

-- Calendar --------------------------------------------------------------------------

--   $1 Jalali year
-- name: calendar_list
SELECT c.day, c.kind AS day_kind, c.title, s.name AS changed_by
  FROM jalali_days AS j
  JOIN calendar_days AS c ON c.day = j.day
  LEFT JOIN staff AS s ON s.id = c.changed_by
 WHERE j.year = $1::int ORDER BY c.day;

-- name: calendar_year
SELECT j.year FROM jalali_days AS j WHERE j.day = today();

--   $1 day, $2 holiday|workday|none, $3 title
-- name: calendar_set
SELECT calendar_set($1::date, $2::text, $3::text) AS ok;

-- Due dates follow the calendar: $1 letters or referrals at once → more
-- name: calendar_follow
SELECT more FROM calendar_follow($1::int);

--   $1 name, $2 value
-- name: setting_set
SELECT setting_set($1::text, $2::int) AS ok;

-- name: settings_list
SELECT s.name, s.value FROM settings_known AS s ORDER BY s.name;

-- A letter's deadline: $1 working days from today → day
-- name: working_day
SELECT add_working_days(today(), $1::int) AS day;

-- After staff_guard_write.  $1 submission_key, $2 tracking code → repeated
-- name: letter_prove_position
SELECT repeated FROM letter_prove_position($1::text, $2::text);

-- Statistics: $1 from, $2 to (dates, both included) ------------------------------------

-- On which day something was is found among the beginnings of the days, an
-- array, by halving: a year of half a million letters makes millions of such
-- questions, and a time zone's conversion costs ten times as much.  Element n
-- is the day $1 + n - 1.

-- Times are in working days, to a tenth: hours would promise what nobody
-- measures.
-- name: statistics_totals
WITH days AS (
    SELECT array_agg(j.day::timestamp AT TIME ZONE 'Asia/Tehran'
                     ORDER BY j.day) AS at,
           array_agg(j.working ORDER BY j.day) AS working
      FROM jalali_days AS j
     WHERE j.day BETWEEN $1::date AND greatest($2::date, today()) + 1
), of_letters AS (
    SELECT l.closed_at, l.answered_at, l.clock_stopped_on, l.due_on,
           $1::date + width_bucket(l.answered_at, d.at) - 1 AS answered_on,
           d.working[width_bucket(l.first_answer_at, d.at)] - w.created
               AS first,
           d.working[width_bucket(l.closed_at, d.at)] - w.created AS closed
      FROM letters AS l
     CROSS JOIN days AS d
     CROSS JOIN LATERAL (SELECT d.working[width_bucket(l.created_at, d.at)]
                         AS created) AS w
     WHERE l.created_at >= $1::date::timestamp AT TIME ZONE 'Asia/Tehran'
       AND l.created_at < ($2::date + 1)::timestamp AT TIME ZONE 'Asia/Tehran'
), counted AS (
    SELECT count(*) AS received, count(l.answered_at) AS answered,
           count(l.closed_at) AS closed,
           count(*) FILTER (WHERE l.closed_at IS NULL) AS open,
           count(*) FILTER (WHERE l.closed_at IS NULL
               AND l.answered_at IS NULL AND l.clock_stopped_on IS NULL
               AND l.due_on < today()) AS overdue,
           count(*) FILTER (WHERE l.answered_on <= l.due_on) AS in_time,
           count(*) FILTER (WHERE l.answered_on > l.due_on) AS late,
           percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY l.first)
               AS first,
           percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY l.closed)
               AS close
      FROM of_letters AS l)
SELECT received, answered, closed, open, overdue, in_time, late,
       round(first[1]::numeric, 1)::float8 AS first_answer_days,
       round(first[2]::numeric, 1)::float8 AS first_answer_days_90,
       round(close[1]::numeric, 1)::float8 AS close_days,
       round(close[2]::numeric, 1)::float8 AS close_days_90
  FROM counted;

-- Day by day through the indexes, so that no letter is asked for its day.
-- name: statistics_days
SELECT j.day, r.n AS received, a.n AS answered
  FROM jalali_days AS j
 CROSS JOIN LATERAL (SELECT j.day::timestamp AT TIME ZONE 'Asia/Tehran'
                            AS begins,
                            (j.day + 1)::timestamp AT TIME ZONE 'Asia/Tehran'
                            AS ends) AS d
 CROSS JOIN LATERAL (SELECT count(*) AS n FROM letters AS l
                      WHERE l.created_at >= d.begins
                        AND l.created_at < d.ends) AS r
 CROSS JOIN LATERAL (SELECT count(*) AS n FROM letters AS l
                      WHERE l.answered_at >= d.begins
                        AND l.answered_at < d.ends) AS a
 WHERE j.day BETWEEN $1::date AND $2::date
 ORDER BY j.day;

-- Open letters by age, today: to the third, the seventh … day.
-- name: statistics_ages
WITH ages AS (
    SELECT array_agg((today() - n)::timestamp AT TIME ZONE 'Asia/Tehran'
                     ORDER BY n DESC) AS at
      FROM unnest(ARRAY[3, 7, 15, 30]) AS n
), open AS (
    SELECT 4 - width_bucket(l.created_at, a.at) AS n, count(*) AS count
      FROM letters AS l CROSS JOIN ages AS a
     WHERE l.closed_at IS NULL GROUP BY 1)
SELECT g.age, coalesce(o.count, 0) AS count
  FROM (VALUES (0, 'd3'), (1, 'd7'), (2, 'd15'), (3, 'd30'), (4, 'more'))
       AS g (n, age)
  LEFT JOIN open AS o ON o.n = g.n
 ORDER BY g.n;

-- By unit, from the referrals made in the range.
-- name: statistics_units
WITH days AS (
    SELECT array_agg(j.day::timestamp AT TIME ZONE 'Asia/Tehran'
                     ORDER BY j.day) AS at,
           array_agg(j.working ORDER BY j.day) AS working
      FROM jalali_days AS j
     WHERE j.day BETWEEN $1::date AND greatest($2::date, today()) + 1
), of_referrals AS MATERIALIZED (    -- or the arrays are sorted with each
    SELECT r.unit_id, r.outcome, r.due_on,
           $1::date + width_bucket(r.closed_at, d.at) - 1 AS closed_on,
           d.working[width_bucket(r.seen_at, d.at)] - w.created AS seen,
           CASE WHEN r.outcome = 'answered' THEN
               d.working[width_bucket(r.closed_at, d.at)] - w.created END
               AS done
      FROM referrals AS r
     CROSS JOIN days AS d
     CROSS JOIN LATERAL (SELECT d.working[width_bucket(r.created_at, d.at)]
                         AS created) AS w
     WHERE r.created_at >= $1::date::timestamp AT TIME ZONE 'Asia/Tehran'
       AND r.created_at < ($2::date + 1)::timestamp AT TIME ZONE 'Asia/Tehran'
), counted AS (
    SELECT r.unit_id, count(*) AS referred,
           count(*) FILTER (WHERE r.outcome IS NULL) AS open,
           count(*) FILTER (WHERE r.outcome IS NULL AND r.due_on < today())
               AS overdue,
           count(*) FILTER (WHERE r.outcome = 'answered') AS answered,
           count(*) FILTER (WHERE r.outcome = 'returned') AS returned,
           count(*) FILTER (WHERE r.outcome = 'answered'
               AND r.closed_on > r.due_on) AS late,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY r.seen) AS seen,
           percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY r.done)
               AS done
      FROM of_referrals AS r GROUP BY r.unit_id)
SELECT u.name AS unit_name, coalesce(c.referred, 0) AS referred,
       coalesce(c.open, 0) AS open, coalesce(c.overdue, 0) AS overdue,
       coalesce(c.answered, 0) AS answered,
       coalesce(c.returned, 0) AS returned, coalesce(c.late, 0) AS late,
       round(c.seen::numeric, 1)::float8 AS seen_days,
       round(c.done[1]::numeric, 1)::float8 AS first_answer_days,
       round(c.done[2]::numeric, 1)::float8 AS close_days
  FROM units AS u LEFT JOIN counted AS c ON c.unit_id = u.id
 ORDER BY u.name, u.id;

-- Audit --------------------------------------------------------------------------------

--   $1 behind this line or NULL, $2 actor kind or NULL, $3 username or name or
--   NULL, $4 action, $5 object, $6 object id, $7 from, $8 to (dates), each
--   may be NULL, $9 count.  The cursor is line_id.
-- name: audit_list
SELECT a.id AS line_id, c.seq, a.at, a.actor,
       CASE a.actor WHEN 'staff' THEN s.name
            WHEN 'person' THEN p.first_name || ' ' || p.last_name
            END AS actor_name,
       f.name AS for_name, a.action, a.object, a.object_id, a.address,
       nullif(a.details::text, '{}') AS details, encode(c.hash, 'hex') AS hash
  FROM audit_find($1::bigint, $2::text, $3::text, $4::text, $5::text,
                  $6::text, $7::date, $8::date, $9::int) AS w
  JOIN audit AS a ON a.id = w.id
  LEFT JOIN audit_chain AS c ON c.audit_id = a.id
  LEFT JOIN staff AS s ON a.actor = 'staff' AND s.id = a.actor_id
  LEFT JOIN persons AS p ON a.actor = 'person' AND p.id = a.actor_id
  LEFT JOIN staff AS f ON f.id = a.for_id
 ORDER BY a.at DESC, a.id DESC;

-- The end of the chain, and what the sealer found when it last looked.
-- name: audit_head
SELECT coalesce(c.seq, 0) AS sealed, encode(c.hash, 'hex') AS head,
       c.at AS head_at, k.broken_seq IS NULL AND k.whole_at IS NOT NULL AS ok,
       coalesce(k.broken_at, k.whole_at) AS checked_at, k.broken_seq,
       k.broken_audit_id, k.reason AS broken_reason
  FROM audit_checks AS k
  LEFT JOIN (SELECT * FROM audit_chain ORDER BY seq DESC LIMIT 1) AS c
    ON true;

-- After staff_guard_write.  $1 what was read or exported, $2 details (JSON)
-- name: staff_read
SELECT staff_read($1::text, $2::jsonb) AS ok;
