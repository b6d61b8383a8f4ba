-- Which database this is, also as a dump of it that is restored elsewhere: a
-- store of files bears the same id, so that a collector that was pointed at
-- another's store touches nothing of it.
CREATE TABLE installation (
    one             boolean PRIMARY KEY DEFAULT true CHECK (one),
    id              uuid NOT NULL DEFAULT gen_random_uuid(),
    store_marked_at timestamptz       -- since when there is a store that has it
);

INSERT INTO installation DEFAULT VALUES;
