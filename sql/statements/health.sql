-- What /health and /metrics say besides the module's own counters.

-- name: health_ready
SELECT max(name) AS schema FROM schema_migrations;

-- name: health_facts
SELECT (SELECT extract(epoch FROM now() - min(created_at))::bigint
          FROM messages WHERE state = 'queued') AS oldest_unsent_seconds,
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
       (SELECT count(*) FROM (SELECT FROM companies
         WHERE check_state = 'pending' LIMIT 10001) AS b)
           AS companies_pending,
       (SELECT count(*) FROM (SELECT FROM audit_pending LIMIT 10001) AS b)
           AS audit_unsealed;

-- Those of the last day, and all that are on their way.  Every state has a
-- row, also when nothing is in it: a figure that comes and goes makes no
-- alarm.
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
        SELECT id, state, created_at FROM messages
         WHERE state IN ('sent', 'delivered', 'failed', 'expired')
           AND created_at > now() - interval '1 day' AND id > (
               SELECT coalesce(max(id), 0) - 200000 FROM messages))
        AS m ON m.state = s.state
 GROUP BY s.state ORDER BY s.state;
