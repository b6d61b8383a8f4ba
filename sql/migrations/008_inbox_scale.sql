-- Pages of the inbox that cost the same however many letters there are.

-- The late ones are shown newest letter first, and few of the newest are late:
-- which are, which of a unit, which in a state, is found in the index.
DROP INDEX letters_late;
CREATE INDEX letters_late ON letters (created_at DESC, id DESC, due_on)
    INCLUDE (unit_id, status)
    WHERE closed_at IS NULL AND answered_at IS NULL
      AND clock_stopped_on IS NULL;

-- What a unit has, newest letter first, and which of it is late, without a
-- look at the letters: when the letter came, which never changes, and its
-- deadline while its clock runs, which a trigger keeps (functions/52).
ALTER TABLE referrals ADD COLUMN letter_at timestamptz,
                      ADD COLUMN late_on date;
UPDATE referrals AS r
   SET letter_at = l.created_at,
       late_on = CASE WHEN r.outcome IS NULL AND l.closed_at IS NULL
                       AND l.answered_at IS NULL
                       AND l.clock_stopped_on IS NULL THEN l.due_on END
  FROM letters AS l WHERE l.id = r.letter_id;
ALTER TABLE referrals ALTER COLUMN letter_at SET NOT NULL;

DROP INDEX referrals_unit_open;
CREATE INDEX referrals_unit_open
    ON referrals (unit_id, letter_at DESC, letter_id DESC, late_on)
    WHERE outcome IS NULL;
DROP INDEX referrals_unit;
CREATE INDEX referrals_unit
    ON referrals (unit_id, letter_at DESC, letter_id DESC)
    WHERE outcome IS NULL OR outcome = 'answered';

-- The newest letters are what everybody looks at: that they may be read from
-- an index alone, and that new words are in theirs, must not wait until a
-- fifth of the table is new.
ALTER TABLE letters SET (autovacuum_vacuum_insert_scale_factor = 0.01,
                         autovacuum_vacuum_scale_factor = 0.02,
                         autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE referrals SET (autovacuum_vacuum_insert_scale_factor = 0.01,
                           autovacuum_vacuum_scale_factor = 0.02,
                           autovacuum_analyze_scale_factor = 0.02);
ALTER INDEX letters_search SET (gin_pending_list_limit = 256);
