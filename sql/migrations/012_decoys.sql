-- What the false mobile of an unknown national code follows from.  It must
-- stay as it is: a number that changed would tell who has no account.
CREATE TABLE decoy_key (
    one         boolean PRIMARY KEY DEFAULT true CHECK (one),
    key         bytea NOT NULL
);

-- gen_random_uuid() draws from the server's strong generator.
INSERT INTO decoy_key (key)
VALUES (sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
               || uuid_send(gen_random_uuid())));
