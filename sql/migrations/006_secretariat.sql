-- What a clerk has written and not sent yet: it outlives the session.
CREATE TABLE reply_drafts (
    staff_id        bigint NOT NULL REFERENCES staff,
    letter_id       bigint NOT NULL REFERENCES letters,
    body            text NOT NULL CHECK (length(body) BETWEEN 1 AND 8000),
    saved_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (staff_id, letter_id)
);

-- How far the chain of the audit was proven; one row.  A round goes from the
-- first link to the last, then the proof goes on with what is sealed; every
-- day another round begins.  hash is that of link seq as it was found: a chain
-- that somebody has made anew does not have it.
CREATE TABLE audit_checks (
    one             boolean PRIMARY KEY DEFAULT true CHECK (one),
    seq             bigint NOT NULL DEFAULT 0,
    hash            bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex'),
    began_at        timestamptz NOT NULL DEFAULT now(),
    whole_at        timestamptz,      -- the end of a round: all was right
    broken_at       timestamptz,      -- the first time this was found:
    broken_seq      bigint,
    broken_audit_id bigint,
    reason          text
);

INSERT INTO audit_checks DEFAULT VALUES;

-- How many answers a day: statistics.
CREATE INDEX letters_answered ON letters (answered_at)
    WHERE answered_at IS NOT NULL;
