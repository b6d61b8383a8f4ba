-- What /health and /metrics say besides the module's own counters.

-- name: health_ready
SELECT max(name) AS schema FROM schema_migrations;

-- The oldest of a state is the first by its number: one row is read.
-- name: health_facts
SELECT (SELECT extract(epoch FROM now() - created_at)::bigint
          FROM messages WHERE state = 'queued' ORDER BY id LIMIT 1)
           AS oldest_unsent_seconds,
       (SELECT extract(epoch FROM now() - created_at)::bigint
          FROM messages WHERE state = 'unknown' ORDER BY id LIMIT 1)
           AS oldest_unknown_seconds,
       (SELECT count(*) FROM (SELECT FROM messages WHERE state = 'queued'
         LIMIT 10001) AS b) AS messages_queued,
       (SELECT count(*) FROM (SELECT FROM messages WHERE state = 'unknown'
         LIMIT 10001) AS b) AS messages_unknown,
       (SELECT count(*) FROM (SELECT FROM inbox_new LIMIT 10001) AS b)
           AS letters_new,
       -- the oldest that are open are late, the newest are not
       (SELECT count(*) FROM (SELECT FROM inbox_late AS l
         ORDER BY l.created_at, l.id LIMIT 10001) AS b) AS letters_late,
       (SELECT count(*) FROM (SELECT FROM inbox_undelivered
         LIMIT 10001) AS b) AS letters_undelivered,
       (SELECT count(*) FROM (SELECT FROM identity_tasks LIMIT 10001) AS b)
           AS identity_pending,
       (SELECT extract(epoch FROM now() - min(created_at))::bigint
          FROM (SELECT created_at FROM identity_tasks LIMIT 10001) AS b)
           AS identity_pending_seconds,
       (SELECT count(*) FROM (SELECT FROM companies
         WHERE check_state = 'pending' LIMIT 10001) AS b)
           AS companies_pending,
       -- the waits between the first six tries make an hour
       (SELECT count(*) FROM (SELECT check_tries FROM companies
         WHERE check_state = 'pending' LIMIT 10001) AS b
         WHERE b.check_tries >= 6) AS companies_put_off,
       (SELECT count(*) FROM (SELECT FROM audit_pending LIMIT 10001) AS b)
           AS audit_unsealed,
       (SELECT extract(epoch FROM now() - a.at)::bigint
          FROM (SELECT audit_id FROM audit_pending
                 ORDER BY audit_id LIMIT 1) AS p
          JOIN audit AS a ON a.id = p.audit_id) AS audit_unsealed_seconds,
       (SELECT extract(epoch FROM now() - at)::bigint FROM audit_chain
         ORDER BY seq DESC LIMIT 1) AS audit_last_sealed_seconds,
       (SELECT coalesce(max(broken_seq), 0) FROM audit_checks)
           AS audit_broken_seq;

-- Those of the last day, and all that are on their way.  Every state has a
-- row, also when nothing is in it: a figure that comes and goes makes no
-- alarm.
--
-- Of the newest so many are read as a day may have: that the one so far back
-- is older is asked first.  PostgreSQL does not know how many are behind a
-- number, or of a time, and read them all.
-- name: health_messages
SELECT s.state, count(m.id) AS messages,
       coalesce(extract(epoch FROM now() - min(m.created_at)), 0)::bigint
           AS oldest
  FROM (VALUES ('queued'), ('sending'), ('unknown'), ('sent'), ('delivered'),
               ('failed'), ('expired')) AS s (state)
  LEFT JOIN (
        SELECT id, state, created_at FROM messages WHERE state = 'queued'
        UNION ALL
        SELECT id, state, created_at FROM messages WHERE state = 'sending'
        UNION ALL
        SELECT id, state, created_at FROM messages WHERE state = 'unknown'
        UNION ALL
        SELECT n.id, n.state, n.created_at FROM (
               SELECT id, state, created_at FROM messages
                ORDER BY id DESC LIMIT (
                      SELECT coalesce(min(d.most), 200000)
                        FROM (VALUES (1000), (5000), (20000), (60000), (120000))
                             AS d (most)
                       WHERE (SELECT e.created_at FROM messages AS e
                               WHERE e.id <= (SELECT max(id) FROM messages)
                                             - d.most
                               ORDER BY e.id DESC LIMIT 1)
                             < now() - interval '1 day')) AS n
         WHERE n.state IN ('sent', 'delivered', 'failed', 'expired')
           AND n.created_at > now() - interval '1 day')
        AS m ON m.state = s.state
 GROUP BY s.state ORDER BY s.state;
