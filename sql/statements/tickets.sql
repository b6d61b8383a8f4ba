-- Tickets.  The citizen's statements take the person's id first; what is not
-- theirs gives no row.

--   $1 person, $2 count, $3 offset
-- name: tickets_list
SELECT t.number AS ticket_number, t.subject, t.status AS ticket_status,
       t.created_at, t.updated_at, t.new_answers
  FROM tickets AS t WHERE t.person_id = $1::bigint
 ORDER BY t.updated_at DESC, t.id DESC LIMIT $2::int OFFSET $3::int;

-- name: tickets_count
SELECT count(*) AS tickets FROM tickets AS t WHERE t.person_id = $1::bigint;

--   $1 person, $2 ticket number
-- name: tickets_show
SELECT t.number AS ticket_number, t.subject, t.status AS ticket_status,
       t.created_at, t.new_answers, t.status <> 'closed' AS can_answer
  FROM tickets AS t
 WHERE t.person_id = $1::bigint AND t.number = $2::bigint;

-- name: tickets_messages
SELECT m.id AS message_id, m.at, m.actor = 'staff' AS from_body, m.body
  FROM tickets AS t JOIN ticket_messages AS m ON m.ticket_id = t.id
 WHERE t.person_id = $1::bigint AND t.number = $2::bigint
 ORDER BY m.id;

-- name: tickets_message_files
SELECT f.ticket_message_id AS message_id, f.id AS file_id, f.name,
       (f.size + 1023) / 1024 AS size_kb
  FROM tickets AS t JOIN files AS f ON f.ticket_id = t.id
 WHERE t.person_id = $1::bigint AND t.number = $2::bigint
 ORDER BY f.ticket_message_id, f.position;

-- After person_guard_write.  $1 submission_key, $2 subject, $3 body, $4 files
-- → ticket_number, repeated
-- name: ticket_create
SELECT ticket_number, repeated
  FROM ticket_create($1::text, $2::text, $3::text, $4::jsonb);

--   $1 submission_key, $2 ticket number, $3 body, $4 files → repeated
-- name: ticket_message
SELECT repeated
  FROM ticket_message($1::text, $2::bigint, $3::text, $4::jsonb);

--   $1 ticket number
-- name: ticket_seen
SELECT ticket_seen($1::bigint) AS ok;

-- Clerks ---------------------------------------------------------------------

-- → the tabs: ticket_status, count (at most 1001)
-- name: clerk_tickets_tabs
SELECT s.status AS ticket_status, (
       SELECT count(*) FROM (SELECT FROM tickets AS t
                              WHERE t.status = s.status LIMIT 1001) AS b)
       AS count
  FROM (VALUES (1, 'open'), (2, 'answered'), (3, 'closed')) AS s (n, status)
 ORDER BY s.n;

--   $1 status, $2 cursor or NULL, $3 count
-- name: clerk_tickets
SELECT t.number AS ticket_number, t.subject,
       coalesce(p.first_name || ' ' || p.last_name, '') AS person_name,
       t.status AS ticket_status, t.created_at, t.updated_at,
       o.name AS owner_name, page_cursor(t.updated_at, t.id) AS cursor
  FROM tickets AS t
  JOIN persons AS p ON p.id = t.person_id
  LEFT JOIN staff AS o ON o.id = t.owner_id
 WHERE t.status = $1::text
   AND (t.updated_at, t.id) < (
        coalesce(page_cursor_at($2::text), 'infinity'),
        coalesce(page_cursor_id($2::text), 9223372036854775807))
 ORDER BY t.updated_at DESC, t.id DESC LIMIT $3::int;

-- After staff_guard_write, first statement of the page.  $1 ticket number
-- name: clerk_ticket_open
SELECT ticket_open($1::bigint) AS ok;

-- name: clerk_ticket_show
SELECT t.number AS ticket_number, t.subject, t.status AS ticket_status,
       t.created_at, coalesce(p.first_name || ' ' || p.last_name, '')
           AS person_name, p.mobile, o.name AS owner_name,
       t.status <> 'closed' AS can_answer, t.status <> 'closed' AS can_close
  FROM tickets AS t
  JOIN persons AS p ON p.id = t.person_id
  LEFT JOIN staff AS o ON o.id = t.owner_id
 WHERE t.number = $1::bigint;

-- name: clerk_ticket_messages
SELECT m.id AS message_id, m.at, m.actor = 'staff' AS from_body,
       coalesce(s.name, p.first_name || ' ' || p.last_name) AS actor_name,
       m.body
  FROM tickets AS t
  JOIN persons AS p ON p.id = t.person_id
  JOIN ticket_messages AS m ON m.ticket_id = t.id
  LEFT JOIN staff AS s ON s.id = m.staff_id
 WHERE t.number = $1::bigint ORDER BY m.id;

-- name: clerk_ticket_message_files
SELECT f.ticket_message_id AS message_id, f.id AS file_id, f.name,
       (f.size + 1023) / 1024 AS size_kb,
       f.scan IS NOT DISTINCT FROM 'unchecked' AS is_unchecked
  FROM tickets AS t JOIN files AS f ON f.ticket_id = t.id
 WHERE t.number = $1::bigint ORDER BY f.ticket_message_id, f.position;

--   $1 submission_key, $2 ticket number, $3 body, $4 files → repeated
-- name: ticket_reply
SELECT repeated FROM ticket_reply($1::text, $2::bigint, $3::text, $4::jsonb);

--   $1 ticket number
-- name: ticket_close
SELECT ticket_close($1::bigint) AS ok;
