-- Closed letters of somebody who left, or became an expert, came back to life
-- with a follow-up and were in nobody's inbox: they are new letters again.
SET LOCAL lock_timeout = '5s';
UPDATE letters AS l SET owner_id = NULL, version = l.version + 1
  FROM staff AS s
 WHERE s.id = l.owner_id AND l.closed_at IS NULL
   AND (s.status <> 'active' OR s.role = 'expert');
