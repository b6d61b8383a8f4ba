-- Attempts are looked for by their message and never by their time; whose a
-- ticket is that is still open was looked for among all there are.  What takes
-- long comes first: nobody waits for the attempts meanwhile.
SET LOCAL lock_timeout = '5s';

CREATE INDEX tickets_owner ON tickets (owner_id) WHERE status <> 'closed';
DROP INDEX message_attempts_at;
