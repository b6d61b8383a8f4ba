-- Pages of the inbox that cost the same however many letters there are.

-- Nobody queues behind this for long: it gives up, and may be run again.
SET LOCAL lock_timeout = '5s';

-- Letters go on being read meanwhile; what is written to them waits.
LOCK TABLE letters IN SHARE ROW EXCLUSIVE MODE;

-- The deadline of a letter while its clock runs.
CREATE OR REPLACE FUNCTION late_on(p_letter letters) RETURNS date
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_letter.closed_at IS NULL
                 AND p_letter.answered_at IS NULL
                 AND p_letter.clock_stopped_on IS NULL
                THEN p_letter.due_on END
$$;

-- What a unit has, newest letter first, and which of it is late, without a
-- look at the letters: when the letter came, which never changes, and its
-- deadline while its clock runs.
DROP INDEX referrals_unit_open;
DROP INDEX referrals_unit;
ALTER TABLE referrals ADD COLUMN letter_at timestamptz,
                      ADD COLUMN late_on date;
UPDATE referrals AS r
   SET letter_at = l.created_at,
       late_on = CASE WHEN r.outcome IS NULL THEN late_on(l) END
  FROM letters AS l WHERE l.id = r.letter_id;
ALTER TABLE referrals ALTER COLUMN letter_at SET NOT NULL;

CREATE INDEX referrals_unit_open
    ON referrals (unit_id, letter_at DESC, letter_id DESC, late_on)
    WHERE outcome IS NULL;
CREATE INDEX referrals_unit
    ON referrals (unit_id, letter_at DESC, letter_id DESC)
    WHERE outcome IS NULL OR outcome = 'answered';

-- A new referral learns it from its letter, those there are when it changes.
CREATE FUNCTION referral_clock() RETURNS trigger
LANGUAGE plpgsql SET search_path = correspondence, pg_temp AS $$
BEGIN
    SELECT l.created_at, late_on(l) INTO NEW.letter_at, NEW.late_on
      FROM letters AS l WHERE l.id = NEW.letter_id;
    RETURN NEW;
END
$$;

CREATE TRIGGER referral_clock BEFORE INSERT ON referrals
    FOR EACH ROW WHEN (NEW.letter_at IS NULL)
    EXECUTE FUNCTION referral_clock();

CREATE FUNCTION letter_clock() RETURNS trigger
LANGUAGE plpgsql SET search_path = correspondence, pg_temp AS $$
BEGIN
    UPDATE referrals AS r SET late_on = late_on(NEW)
     WHERE r.letter_id = NEW.id AND r.outcome IS NULL;
    RETURN NULL;
END
$$;

CREATE TRIGGER letter_clock
    AFTER UPDATE OF closed_at, answered_at, clock_stopped_on, due_on
    ON letters FOR EACH ROW
    WHEN (NEW.open_referrals > 0
          AND (OLD.closed_at, OLD.answered_at, OLD.clock_stopped_on,
               OLD.due_on)
              IS DISTINCT FROM (NEW.closed_at, NEW.answered_at,
                                NEW.clock_stopped_on, NEW.due_on))
    EXECUTE FUNCTION letter_clock();

-- The late ones are shown newest letter first, and few of the newest are late:
-- which are, which of a unit, which in a state, is found in the index.
CREATE INDEX letters_clock ON letters (created_at DESC, id DESC, due_on)
    INCLUDE (unit_id, status)
    WHERE closed_at IS NULL AND answered_at IS NULL
      AND clock_stopped_on IS NULL;

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
