-- A company gateway that gave no answer: the letter is taken, and a relay
-- asks again.

ALTER TABLE companies
    ADD COLUMN check_state text NOT NULL DEFAULT 'open'
        CHECK (check_state IN ('open', 'pending', 'yes', 'no')),
    ADD COLUMN check_tries integer NOT NULL DEFAULT 0,
    ADD COLUMN check_next_at timestamptz;

CREATE INDEX companies_check ON companies (check_next_at)
    WHERE check_state = 'pending';

ALTER TABLE identity_evidence ADD COLUMN company_national_id text;

-- Letters of one company, when its check or a position is proven.
CREATE INDEX letters_company_id ON letters (company_id)
    WHERE company_id IS NOT NULL;
