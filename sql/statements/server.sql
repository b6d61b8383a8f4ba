-- What the pool asks a server.

-- Whose database this is, and which of its histories: a promotion begins a
-- new one.
-- name: server_history
SELECT system_identifier AS system,
       ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))
           ::bit(32)::bigint AS timeline
  FROM pg_control_system();

-- Is a process of ours still at it?  Behind statement_timeout that is a commit
-- which waits for a standby, or for the disk.
--   $1 its number → a row when it is
-- name: server_at_it
SELECT pid
  FROM pg_stat_activity
 WHERE pid = $1::integer AND pid <> pg_backend_pid()
   AND usename = current_user AND state = 'active'
   AND wait_event_type IS DISTINCT FROM 'Client';
