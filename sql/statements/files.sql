-- Who may have a file follows from what it belongs to.

--   $1 person, $2 file → sha256 (hex), size, media_type, name
-- name: files_show
SELECT encode(f.sha256, 'hex') AS sha256, f.size, f.media_type, f.name
  FROM files AS f
  LEFT JOIN letters AS l ON l.id = f.letter_id
  LEFT JOIN tickets AS t ON t.id = f.ticket_id
 WHERE f.id = $2::uuid AND f.visibility = 'citizen'
   AND (l.person_id = $1::bigint OR t.person_id = $1::bigint
        OR f.draft_id IS NOT NULL AND f.person_id = $1::bigint);

-- The same after person_guard_note, into the audit: one who gets a row has
-- read it.  → is_draft as well, which no clerk sees a file of
-- name: file_read
SELECT encode(f.sha256, 'hex') AS sha256, f.size, f.media_type, f.name,
       f.draft_id IS NOT NULL AS is_draft, file_read(f.id) AS ok
  FROM files AS f
  LEFT JOIN letters AS l ON l.id = f.letter_id
  LEFT JOIN tickets AS t ON t.id = f.ticket_id
 WHERE f.id = $2::uuid AND f.visibility = 'citizen'
   AND (l.person_id = $1::bigint OR t.person_id = $1::bigint
        OR f.draft_id IS NOT NULL AND f.person_id = $1::bigint);

--   $1 staff, $2 file
-- name: clerk_files_show
SELECT encode(f.sha256, 'hex') AS sha256, f.size, f.media_type, f.name
  FROM files AS f
  JOIN staff AS s ON s.id = $1::bigint
 WHERE f.id = $2::uuid
   AND (f.ticket_id IS NOT NULL AND s.role <> 'expert'
        OR f.letter_id IS NOT NULL AND (s.role <> 'expert'
            OR expert_sees_file(s.id, f.letter_id, f.visibility, f.event_id)));

-- The same after staff_guard_write, into the audit.
-- name: clerk_file_read
SELECT encode(f.sha256, 'hex') AS sha256, f.size, f.media_type, f.name,
       staff_file_read(f.id) AS ok
  FROM files AS f
  JOIN staff AS s ON s.id = $1::bigint
 WHERE f.id = $2::uuid
   AND (f.ticket_id IS NOT NULL AND s.role <> 'expert'
        OR f.letter_id IS NOT NULL AND (s.role <> 'expert'
            OR expert_sees_file(s.id, f.letter_id, f.visibility, f.event_id)));

-- The collector; see functions/40_letters.sql.
-- → id; marked: a store bears it; files: there are rows
-- name: store_known
SELECT i.id::text AS id, i.store_marked_at IS NOT NULL AS marked,
       EXISTS (SELECT FROM files) AS files
  FROM installation AS i;

-- name: store_marked
SELECT store_marked() AS ok;

--   $1 JSON list of hex SHA-256 → sha256 (hex): no row names them
-- name: files_unreferenced
SELECT encode(sha256, 'hex') AS sha256 FROM files_unreferenced($1::jsonb);

--   $1 sha256 (hex) → ok: take it away, then end
-- name: file_removal_begin
SELECT file_removal_begin(decode($1::text, 'hex')) AS ok;

-- name: file_removal_end
SELECT file_removal_end(decode($1::text, 'hex')) AS ok;

-- Removals that a node left behind.
-- name: file_removals
SELECT encode(sha256, 'hex') AS sha256 FROM file_removals
 WHERE at < now() - interval '10 minutes' LIMIT 100;

-- All contents that rows name, for fsck.  $1 after this (hex), $2 count
-- name: files_hashes
SELECT DISTINCT encode(f.sha256, 'hex') AS sha256, f.size FROM files AS f
 WHERE f.sha256 > decode($1::text, 'hex') ORDER BY 1 LIMIT $2::int;

--   $1 days a draft lives → drafts_removed, codes_removed
-- name: housekeeping
SELECT drafts_removed, codes_removed FROM housekeeping($1::int);
