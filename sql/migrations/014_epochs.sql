-- A session names a person or a clerk by number and epoch.  Numbers that were
-- given after a backup are given again behind its restore, to others: a
-- session that outlived it in Redis must not open their account.
ALTER TABLE persons ALTER COLUMN session_epoch
    SET DEFAULT floor(random() * 1000000000)::integer;
ALTER TABLE staff ALTER COLUMN epoch
    SET DEFAULT floor(random() * 1000000000)::integer;
