-- How often sending a message failed through itself, not because every
-- provider was away: tries alone do not tell.

ALTER TABLE messages ADD COLUMN faults smallint NOT NULL DEFAULT 0;
ALTER TABLE decoy_messages ADD COLUMN faults smallint NOT NULL DEFAULT 0;
