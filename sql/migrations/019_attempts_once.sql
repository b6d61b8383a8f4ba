-- Of which try an attempt was: a result whose commit was lost is told again,
-- and must not be counted, or paid for, twice.
ALTER TABLE message_attempts ADD COLUMN try integer;
