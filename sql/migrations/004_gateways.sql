-- What all nodes have asked of a gateway with a daily budget.

CREATE TABLE gateway_budgets (
    kind            text NOT NULL,
    name            text NOT NULL,
    day             date NOT NULL,    -- Tehran's
    used            bigint NOT NULL,
    PRIMARY KEY (kind, name, day)
) WITH (fillfactor = 50);


-- A registry that returns no names compares those that the person typed: they
-- wait with the question.

ALTER TABLE identity_tasks
    ADD COLUMN first_name text,
    ADD COLUMN last_name text,
    ADD COLUMN father_name text;
