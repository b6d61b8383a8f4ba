-- Attempts are looked for by their message and never by their time; whose a
-- ticket is that is still open was looked for among all there are.
SET LOCAL lock_timeout = '5s';

DROP INDEX message_attempts_at;
CREATE INDEX tickets_owner ON tickets (owner_id) WHERE status <> 'closed';
