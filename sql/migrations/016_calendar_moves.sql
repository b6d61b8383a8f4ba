-- A holiday that is entered moves the due dates of all open letters.  In one
-- transaction 20,000 of them took eight seconds, in which nobody could work
-- at any, and more than a statement may: so they follow in portions.
SET LOCAL lock_timeout = '5s';

-- Days that have become free (a step of 1) or working (-1), today's or later
-- at the time, and how far they have been followed: letters, newest first, then
-- referrals, by their letter.
CREATE TABLE calendar_moves (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    day             date NOT NULL,
    step            smallint NOT NULL CHECK (step IN (-1, 1)),
    made_at         timestamptz NOT NULL DEFAULT now(),
    before_at       timestamptz DEFAULT 'infinity',  -- NULL: all letters
    before_id       bigint NOT NULL DEFAULT 0,
    after_letter    bigint NOT NULL DEFAULT 0,
    ended_at        timestamptz
);

CREATE INDEX calendar_moves_open ON calendar_moves (id)
    WHERE ended_at IS NULL;

-- The newest of them that a due date has followed, or came after.
ALTER TABLE letters ADD COLUMN calendar_move bigint NOT NULL DEFAULT 0;
ALTER TABLE referrals ADD COLUMN calendar_move bigint NOT NULL DEFAULT 0;
