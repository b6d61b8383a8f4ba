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
       (SELECT count(*) FROM (SELECT FROM letters WHERE owner_id IS NULL
          AND closed_at IS NULL LIMIT 10001) AS b) AS letters_new,
       (SELECT count(*) FROM (SELECT FROM letters WHERE closed_at IS NULL
          AND answered_at IS NULL AND clock_stopped_on IS NULL
          AND due_on < today() LIMIT 10001) AS b) AS letters_late,
       (SELECT count(*) FROM (SELECT FROM letters WHERE undelivered
         LIMIT 10001) AS b) AS letters_undelivered,
       (SELECT count(*) FROM (SELECT FROM identity_tasks LIMIT 10001) AS b)
           AS identity_pending,
       (SELECT count(*) FROM (SELECT FROM audit_pending LIMIT 10001) AS b)
           AS audit_unsealed;

-- name: health_messages
SELECT state, count(*) AS messages FROM messages
 WHERE created_at > now() - interval '1 day' AND id > (
       SELECT coalesce(max(id), 0) - 200000 FROM messages)
 GROUP BY state ORDER BY state;

-- Spent today (Tehran's day), over all nodes: for budgets and their alarms.
-- → provider, sent, cost (rials)
-- name: health_messages_spent
SELECT a.provider, count(*) AS sent, coalesce(sum(a.cost), 0)::bigint AS cost
  FROM message_attempts AS a
 WHERE a.at >= today()::timestamp AT TIME ZONE 'Asia/Tehran'
   AND a.kind = 'send' AND a.outcome IN ('sent', 'unknown')
 GROUP BY a.provider ORDER BY a.provider;
