-- What the pool asks a server before it uses it.

-- Whose database this is, and which of its histories: a promotion begins a
-- new one.
-- name: server_history
SELECT system_identifier AS system,
       ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))
           ::bit(32)::bigint AS timeline
  FROM pg_control_system();
