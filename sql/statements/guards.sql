-- Every page's pipeline begins with one of these.

-- A page that only reads.  No row: the session is over.
--   $1 person id, $2 session epoch
-- → id, name (NULL before level 3), level, is_level2, is_level3, unread,
--   has_password
-- name: person_guard
SELECT p.id, p.first_name || ' ' || p.last_name AS name, p.level,
       p.level >= 2 AS is_level2, p.level >= 3 AS is_level3,
       (SELECT count(*) FROM letters AS l
         WHERE l.person_id = p.id AND l.new_answers > 0) AS unread,
       p.password_set_at IS NOT NULL AS has_password
  FROM persons AS p
 WHERE p.id = $1::bigint AND p.session_epoch = $2::int
   AND p.status = 'active';

-- A page that writes: raises instead, and says who acts.
--   $1 person id, $2 session epoch, $3 least level, $4 address
-- name: person_guard_write
SELECT guard_person($1::bigint, $2::int, $3::int, $4::text) AS id;

-- The same for what only leaves a line in the audit: nobody waits for it.
-- name: person_guard_note
SELECT guard_person_note($1::bigint, $2::int, $3::int, $4::text) AS id;

-- The same two for staff.
--   $1 staff id, $2 epoch
-- → id, name, username, role, is_clerk, is_expert, is_manager, is_admin,
--   can_manage (manager, admin), can_admin, unit_id, unit_name
-- name: staff_guard
SELECT s.id, s.name, s.username, s.role, s.role = 'clerk' AS is_clerk,
       s.role = 'expert' AS is_expert, s.role = 'manager' AS is_manager,
       s.role = 'admin' AS is_admin,
       s.role IN ('manager', 'admin') AS can_manage,
       s.role = 'admin' AS can_admin, s.unit_id, u.name AS unit_name
  FROM staff AS s LEFT JOIN units AS u ON u.id = s.unit_id
 WHERE s.id = $1::bigint AND s.epoch = $2::int AND s.status = 'active';

--   $1 staff id, $2 epoch, $3 roles ('' any, or 'clerk,manager,admin'),
--   $4 address
-- name: staff_guard_write
SELECT guard_staff($1::bigint, $2::int, $3::text, $4::text) AS id;

-- A refusal, for the audit; in a transaction of its own, after the refused
-- one was rolled back.
--   $1 'person', 'staff' or 'nobody', $2 id or NULL, $3 route, $4 address
-- name: audit_refused
SELECT audit_refused($1::text, $2::bigint, $3::text, $4::text) AS ok;

-- What this form made before; no row: nothing.  Asked before the captcha.
--   $1 person id, $2 submission key → action, result (a letter's tracking
--   code, a ticket's number)
-- name: submission_find
SELECT action, result FROM submissions
 WHERE actor = 'person' AND actor_id = $1::bigint AND key = $2::text;
