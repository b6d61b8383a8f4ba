-- The tables of the whole portal.
--
-- Applied by sql/migrate inside one transaction, as correspondence_owner,
-- with search_path = correspondence.  Names and states are plain text with
-- CHECKs: an enum would have to be cast in every statement.

-- Persons ------------------------------------------------------------------

CREATE TABLE persons (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    national_code   text NOT NULL CHECK (national_code ~ '^[0-9]{10}$'),
    mobile          text NOT NULL CHECK (mobile ~ '^09[0-9]{9}$'),
    birth_date      date NOT NULL,
    first_name      text,
    last_name       text,
    father_name     text,
    -- The two identity steps: is the mobile this person's (Shahkar), and is
    -- the person who the birth date says (civil registry).
    mobile_step     text NOT NULL DEFAULT 'open'
        CHECK (mobile_step IN ('open', 'pending', 'yes', 'no', 'skipped')),
    mobile_reason   text,
    registry_step   text NOT NULL DEFAULT 'open'
        CHECK (registry_step IN ('open', 'pending', 'yes', 'no', 'skipped')),
    registry_reason text,
    level           smallint NOT NULL GENERATED ALWAYS AS (
        CASE WHEN mobile_step NOT IN ('yes', 'skipped') THEN 1
             WHEN registry_step NOT IN ('yes', 'skipped') THEN 2
             ELSE 3 END) STORED,
    -- When Shahkar first said yes for this account.  Never cleared: it tells
    -- an owner with a new SIM from someone who squats on the code.
    owner_proven_at timestamptz,
    address         text CHECK (length(address) <= 500),
    phone           text CHECK (length(phone) <= 20),
    email           text CHECK (length(email) <= 254),
    password_hash   text,
    password_set_at timestamptz,
    session_epoch   integer NOT NULL DEFAULT 1,
    -- displaced: a squatter who lost the code to its owner.  The row stays
    -- for the record and owns nothing that the owner could see.
    status          text NOT NULL DEFAULT 'active'
        CHECK (status IN ('active', 'displaced', 'blocked')),
    created_at      timestamptz NOT NULL DEFAULT now(),
    last_login_at   timestamptz
);

CREATE UNIQUE INDEX persons_national_code ON persons (national_code)
    WHERE status <> 'displaced';
CREATE INDEX persons_mobile ON persons (mobile);

-- Browsers in which a person has signed in: what strangers do elsewhere
-- never slows these down.
CREATE TABLE person_browsers (
    person_id       bigint NOT NULL REFERENCES persons,
    browser         text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    seen_at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (person_id, browser)
);

CREATE TABLE identity_evidence (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person_id       bigint REFERENCES persons,
    step            text NOT NULL
        CHECK (step IN ('mobile', 'registry', 'company', 'claim')),
    -- What was asked: the verdict holds for these values and no others.
    national_code   text NOT NULL,
    mobile          text,
    birth_date      date,
    verdict         text NOT NULL
        CHECK (verdict IN ('yes', 'no', 'unknown', 'skipped')),
    reason          text,
    provider        text,
    provider_ref    text,
    at              timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX identity_evidence_person ON identity_evidence (person_id, id);

-- Steps that wait for a gateway; a relay asks again.
CREATE TABLE identity_tasks (
    person_id       bigint NOT NULL REFERENCES persons,
    step            text NOT NULL CHECK (step IN ('mobile', 'registry')),
    tries           integer NOT NULL DEFAULT 0,
    told            boolean NOT NULL DEFAULT false,
    next_at         timestamptz NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (person_id, step)
);

CREATE INDEX identity_tasks_next ON identity_tasks (next_at);

CREATE TABLE companies (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person_id       bigint NOT NULL REFERENCES persons,
    national_id     text NOT NULL CHECK (national_id ~ '^[0-9]{11}$'),
    name            text NOT NULL,
    registration_number text,
    postal_code     text,
    phone           text,
    position        text,
    checked_at      timestamptz,      -- a company gateway said yes
    position_proven_at timestamptz,
    position_proven_by bigint,
    used_at         timestamptz NOT NULL DEFAULT now(),
    UNIQUE (person_id, national_id)
);

-- One-time codes and what slows guessing down -------------------------------

-- One row per code asked for, sent or not: unknown persons get a row like
-- anyone (person_id is NULL and no SMS goes out), so that the caps, counted
-- over these rows, behave alike.
CREATE TABLE codes (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    purpose         text NOT NULL
        CHECK (purpose IN ('signup', 'login', 'recover', 'mobile')),
    national_code   text NOT NULL,
    mobile          text NOT NULL,       -- as asked for
    birth_date      date,                -- signup
    person_id       bigint REFERENCES persons,
    browser         text NOT NULL,
    known           boolean NOT NULL DEFAULT false,
    address         text NOT NULL,
    code_hash       bytea NOT NULL,
    tries           smallint NOT NULL DEFAULT 0,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at      timestamptz NOT NULL,
    killed_at       timestamptz,         -- a newer one took its place
    used_at         timestamptz,
    grant_until     timestamptz,         -- recovery, or a claim in progress
    granted_at      timestamptz          -- the grant was taken up
);

CREATE INDEX codes_browser ON codes (browser, purpose, created_at DESC);
CREATE INDEX codes_mobile ON codes (mobile, created_at DESC);
CREATE INDEX codes_national_code ON codes (national_code, created_at DESC);
CREATE INDEX codes_address ON codes (address, created_at DESC);
CREATE INDEX codes_created ON codes (created_at);

-- Codes sent in an hour, over all; sharded so that requests do not queue
-- behind one row.
CREATE TABLE code_totals (
    hour            timestamptz NOT NULL,
    shard           smallint NOT NULL,
    sent            integer NOT NULL,
    PRIMARY KEY (hour, shard)
);

-- Failures in a row.  scope says of what (password, code, totp, ...), key
-- whose; for browsers known to be the owner's the key holds the browser too.
CREATE TABLE tries (
    scope           text NOT NULL,
    key             text NOT NULL,
    failures        integer NOT NULL,
    last_at         timestamptz NOT NULL,
    blocked_until   timestamptz,
    PRIMARY KEY (scope, key)
);

CREATE INDEX tries_last ON tries (last_at);

-- The organisation ----------------------------------------------------------

CREATE TABLE units (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Never a number, so that a form may name a unit by id or by code.
    code            text NOT NULL UNIQUE CHECK (code ~ '^[a-z][a-z0-9_-]*$'),
    name            text NOT NULL UNIQUE,
    due_days        integer CHECK (due_days BETWEEN 1 AND 365),
    active          boolean NOT NULL DEFAULT true,
    created_at      timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE staff (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    username        text NOT NULL UNIQUE
        CHECK (username ~ '^[a-z0-9][a-z0-9._-]{1,39}$'),
    name            text NOT NULL,
    role            text NOT NULL
        CHECK (role IN ('clerk', 'expert', 'manager', 'admin')),
    unit_id         bigint REFERENCES units,
    password_hash   text,
    totp_secret     bytea,            -- encrypted by the portal's key file
    totp_step       bigint NOT NULL DEFAULT 0,   -- the last one accepted
    epoch           integer NOT NULL DEFAULT 1,
    status          text NOT NULL DEFAULT 'invited'
        CHECK (status IN ('invited', 'active', 'disabled')),
    created_at      timestamptz NOT NULL DEFAULT now(),
    last_login_at   timestamptz,
    CHECK (role <> 'expert' OR unit_id IS NOT NULL)
);

CREATE TABLE staff_browsers (
    staff_id        bigint NOT NULL REFERENCES staff,
    browser         text NOT NULL,
    seen_at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (staff_id, browser)
);

CREATE TABLE substitutes (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    absent_id       bigint NOT NULL REFERENCES staff,
    substitute_id   bigint NOT NULL REFERENCES staff,
    from_on         date NOT NULL,
    to_on           date NOT NULL,
    created_by      bigint NOT NULL REFERENCES staff,
    created_at      timestamptz NOT NULL DEFAULT now(),
    ended_at        timestamptz,
    CHECK (absent_id <> substitute_id),
    CHECK (from_on <= to_on)
);

CREATE INDEX substitutes_substitute ON substitutes (substitute_id, to_on)
    WHERE ended_at IS NULL;

-- Only the SHA-256 of the token is here; the link is shown once.
CREATE TABLE invitations (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    staff_id        bigint NOT NULL REFERENCES staff,
    token_hash      bytea NOT NULL UNIQUE,
    created_by      bigint REFERENCES staff,
    created_at      timestamptz NOT NULL DEFAULT now(),
    expires_at      timestamptz NOT NULL,
    used_at         timestamptz
);

CREATE TABLE books (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code            text NOT NULL UNIQUE CHECK (code ~ '^[a-z][a-z0-9_-]*$'),
    name            text NOT NULL UNIQUE,
    active          boolean NOT NULL DEFAULT true,
    created_at      timestamptz NOT NULL DEFAULT now()
);

-- The next number is taken by updating this row: the row lock lasts until
-- the commit, so a rolled-back registration leaves no gap.
CREATE TABLE register_counters (
    book_id         bigint NOT NULL REFERENCES books,
    jalali_year     smallint NOT NULL,
    last            integer NOT NULL,
    PRIMARY KEY (book_id, jalali_year)
);

CREATE TABLE canned (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    title           text NOT NULL,
    body            text NOT NULL,
    unit_id         bigint REFERENCES units,
    active          boolean NOT NULL DEFAULT true,
    uses            integer NOT NULL DEFAULT 0,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    updated_by      bigint REFERENCES staff
);

-- Names with a default in the functions; a row overrides it.
CREATE TABLE settings (
    name            text PRIMARY KEY,
    value           text NOT NULL,
    changed_at      timestamptz NOT NULL DEFAULT now()
);

-- Letters -------------------------------------------------------------------

-- How many tracking codes were made.  The length of the next one is a
-- function of it (see tracking_length()): no state to race for.
CREATE SEQUENCE tracking_issued;

CREATE TABLE letters (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tracking_code   text NOT NULL UNIQUE,
    person_id       bigint NOT NULL REFERENCES persons,
    created_at      timestamptz NOT NULL DEFAULT now(),
    person_kind     text NOT NULL CHECK (person_kind IN ('natural', 'legal')),
    -- The sender as known when it was sent; later changes do not rewrite it.
    first_name      text NOT NULL,
    last_name       text NOT NULL,
    father_name     text NOT NULL,
    birth_date      date NOT NULL,
    national_code   text NOT NULL,
    mobile          text NOT NULL,
    address         text NOT NULL CHECK (length(address) <= 500),
    company_id      bigint REFERENCES companies,
    company_name    text,
    company_national_id text,
    registration_number text,
    company_postal_code text,
    company_phone   text,
    position        text,
    company_checked boolean NOT NULL DEFAULT false,
    position_proven boolean NOT NULL DEFAULT false,
    subject         text NOT NULL CHECK (length(subject) BETWEEN 1 AND 300),
    body            text NOT NULL DEFAULT '' CHECK (length(body) <= 20000),
    -- What the citizen sees.
    status          text NOT NULL DEFAULT 'registered' CHECK (status IN
        ('registered', 'secretariat', 'review', 'correction', 'answered')),
    status_before   text,             -- of 'correction'
    new_answers     integer NOT NULL DEFAULT 0,
    seen_at         timestamptz,      -- when the citizen last read it
    -- The secretariat's work.
    owner_id        bigint REFERENCES staff,
    unit_id         bigint REFERENCES units,     -- last referred to
    open_referrals  integer NOT NULL DEFAULT 0 CHECK (open_referrals >= 0),
    open_corrections integer NOT NULL DEFAULT 0 CHECK (open_corrections >= 0),
    due_on          date,
    clock_stopped_on date,
    book_id         bigint REFERENCES books,
    register_year   smallint,
    register_number integer,
    registered_at   timestamptz,
    first_answer_at timestamptz,
    answered_at     timestamptz,
    closed_at       timestamptz,
    undelivered     boolean NOT NULL DEFAULT false,
    file_count      integer NOT NULL DEFAULT 0,
    updated_at      timestamptz NOT NULL DEFAULT now(),
    version         integer NOT NULL DEFAULT 1,
    search          tsvector NOT NULL DEFAULT '',
    UNIQUE (book_id, register_year, register_number),
    CHECK (person_kind = 'natural' OR company_name IS NOT NULL)
) WITH (fillfactor = 85);

CREATE INDEX letters_person ON letters (person_id, created_at DESC, id DESC);
CREATE INDEX letters_unread ON letters (person_id) WHERE new_answers > 0;
CREATE INDEX letters_created ON letters (created_at DESC, id DESC);
CREATE INDEX letters_status ON letters (status, created_at DESC, id DESC);
CREATE INDEX letters_unit ON letters (unit_id, created_at DESC, id DESC);

-- One partial index per tab of the inbox.
CREATE INDEX letters_new ON letters (created_at DESC, id DESC)
    WHERE owner_id IS NULL AND closed_at IS NULL;
CREATE INDEX letters_mine ON letters (owner_id, created_at DESC, id DESC)
    WHERE closed_at IS NULL;
CREATE INDEX letters_referred ON letters (created_at DESC, id DESC)
    WHERE open_referrals > 0;
CREATE INDEX letters_late ON letters (due_on, created_at DESC, id DESC)
    WHERE closed_at IS NULL AND answered_at IS NULL
      AND clock_stopped_on IS NULL;
CREATE INDEX letters_undelivered ON letters (created_at DESC, id DESC)
    WHERE undelivered;
CREATE INDEX letters_open ON letters (created_at DESC, id DESC)
    WHERE closed_at IS NULL;

-- What the search box finds.
CREATE INDEX letters_search ON letters USING gin (search);
CREATE INDEX letters_national_code ON letters (national_code);
CREATE INDEX letters_mobile ON letters (mobile);
CREATE INDEX letters_company ON letters (company_national_id)
    WHERE company_national_id IS NOT NULL;
CREATE INDEX letters_register_number ON letters (register_number)
    WHERE register_number IS NOT NULL;

CREATE TABLE drafts (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    person_id       bigint NOT NULL REFERENCES persons,
    fields          jsonb NOT NULL DEFAULT '{}',
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX drafts_person ON drafts (person_id, updated_at DESC);

-- The timeline.  What a citizen may see is marked at birth; citizens'
-- statements ask for visibility = 'citizen' and take no other column of it
-- than kind, body, register_number and at.
CREATE TABLE events (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    letter_id       bigint NOT NULL REFERENCES letters,
    at              timestamptz NOT NULL DEFAULT now(),
    kind            text NOT NULL,
    actor           text NOT NULL
        CHECK (actor IN ('person', 'staff', 'system')),
    staff_id        bigint REFERENCES staff,
    for_id          bigint REFERENCES staff,     -- a substitute acts for
    visibility      text NOT NULL
        CHECK (visibility IN ('citizen', 'internal')),
    body            text NOT NULL DEFAULT '',
    register_number integer,
    register_year   smallint,
    unit_id         bigint REFERENCES units,
    referral_id     bigint,
    final           boolean
);

CREATE INDEX events_letter ON events (letter_id, id);

CREATE TABLE referrals (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    letter_id       bigint NOT NULL REFERENCES letters,
    unit_id         bigint NOT NULL REFERENCES units,
    created_by      bigint NOT NULL REFERENCES staff,
    created_for     bigint REFERENCES staff,
    created_at      timestamptz NOT NULL DEFAULT now(),
    instruction     text NOT NULL DEFAULT '',
    due_on          date,
    seen_at         timestamptz,
    seen_by         bigint REFERENCES staff,
    outcome         text CHECK (outcome IN ('answered', 'returned', 'recalled')),
    answer          text,
    closed_at       timestamptz,
    closed_by       bigint REFERENCES staff,
    closed_for      bigint REFERENCES staff,
    CHECK ((outcome IS NULL) = (closed_at IS NULL))
);

CREATE UNIQUE INDEX referrals_open ON referrals (letter_id, unit_id)
    WHERE outcome IS NULL;
CREATE INDEX referrals_letter ON referrals (letter_id, id);
CREATE INDEX referrals_unit_open ON referrals (unit_id, letter_id)
    WHERE outcome IS NULL;
CREATE INDEX referrals_unit ON referrals (unit_id, letter_id);

CREATE TABLE tickets (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number          bigint NOT NULL UNIQUE
        GENERATED ALWAYS AS IDENTITY (START 1001),
    person_id       bigint NOT NULL REFERENCES persons,
    subject         text NOT NULL CHECK (length(subject) BETWEEN 1 AND 300),
    status          text NOT NULL DEFAULT 'open'
        CHECK (status IN ('open', 'answered', 'closed')),
    new_answers     integer NOT NULL DEFAULT 0,
    owner_id        bigint REFERENCES staff,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX tickets_person ON tickets (person_id, updated_at DESC, id DESC);
CREATE INDEX tickets_status ON tickets (status, updated_at DESC, id DESC);

CREATE TABLE ticket_messages (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticket_id       bigint NOT NULL REFERENCES tickets,
    actor           text NOT NULL CHECK (actor IN ('person', 'staff')),
    staff_id        bigint REFERENCES staff,
    body            text NOT NULL CHECK (length(body) <= 20000),
    at              timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX ticket_messages_ticket ON ticket_messages (ticket_id, id);

-- Files by content in a directory; here is who has which, under what name.
CREATE TABLE files (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    sha256          bytea NOT NULL CHECK (length(sha256) = 32),
    size            bigint NOT NULL CHECK (size > 0),
    media_type      text NOT NULL,
    width           integer,          -- pixels of a picture
    height          integer,
    name            text NOT NULL CHECK (length(name) <= 255),
    person_id       bigint REFERENCES persons,   -- who sent it, or
    staff_id        bigint REFERENCES staff,
    purpose         text NOT NULL CHECK (purpose IN ('draft', 'letter',
        'correction', 'followup', 'reply', 'referral', 'note', 'ticket')),
    visibility      text NOT NULL DEFAULT 'citizen'
        CHECK (visibility IN ('citizen', 'internal')),
    draft_id        uuid REFERENCES drafts ON DELETE CASCADE,
    letter_id       bigint REFERENCES letters,
    event_id        bigint REFERENCES events,
    ticket_id       bigint REFERENCES tickets,
    ticket_message_id bigint REFERENCES ticket_messages,
    replaced_by     uuid REFERENCES files,
    created_at      timestamptz NOT NULL DEFAULT now(),
    position        integer NOT NULL DEFAULT 0
);

CREATE INDEX files_sha256 ON files (sha256);
CREATE INDEX files_letter ON files (letter_id) WHERE letter_id IS NOT NULL;
CREATE INDEX files_event ON files (event_id) WHERE event_id IS NOT NULL;
CREATE INDEX files_ticket ON files (ticket_id) WHERE ticket_id IS NOT NULL;
CREATE INDEX files_draft ON files (draft_id) WHERE draft_id IS NOT NULL;

-- Contents that a collector is about to unlink.  A row here is committed
-- before the unlink, and file rows of that content are refused meanwhile.
CREATE TABLE file_removals (
    sha256          bytea PRIMARY KEY CHECK (length(sha256) = 32),
    at              timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE corrections (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    letter_id       bigint NOT NULL REFERENCES letters,
    file_id         uuid REFERENCES files,       -- NULL: any of them
    body            text NOT NULL,
    asked_by        bigint NOT NULL REFERENCES staff,
    asked_at        timestamptz NOT NULL DEFAULT now(),
    event_id        bigint NOT NULL REFERENCES events,
    answered_at     timestamptz,
    new_file_id     uuid REFERENCES files
);

CREATE INDEX corrections_letter ON corrections (letter_id, id);

-- What a form has already made: the same key again gets the first result.
CREATE TABLE submissions (
    actor           text NOT NULL CHECK (actor IN ('person', 'staff')),
    actor_id        bigint NOT NULL,
    key             text NOT NULL CHECK (length(key) BETWEEN 8 AND 64),
    action          text NOT NULL,
    result          text NOT NULL,
    at              timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (actor, actor_id, key)
);

CREATE INDEX submissions_at ON submissions (at);

-- Who has a letter open now; worth nothing after a crash.
CREATE UNLOGGED TABLE letter_viewers (
    letter_id       bigint NOT NULL,
    staff_id        bigint NOT NULL,
    seen_at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (letter_id, staff_id)
);

-- Messages (SMS) --------------------------------------------------------------

CREATE TABLE messages (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    template        text NOT NULL,
    params          jsonb NOT NULL DEFAULT '{}',
    secret          bytea,            -- a code, encrypted; erased once sent
    mobile          text NOT NULL,
    person_id       bigint REFERENCES persons,
    letter_id       bigint REFERENCES letters,
    event_id        bigint REFERENCES events,
    ticket_id       bigint REFERENCES tickets,
    priority        smallint NOT NULL DEFAULT 5,    -- 0: one-time codes
    state           text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued',
        'sending', 'unknown', 'sent', 'delivered', 'failed', 'expired')),
    created_at      timestamptz NOT NULL DEFAULT now(),
    next_at         timestamptz NOT NULL DEFAULT now(),
    expires_at      timestamptz NOT NULL DEFAULT now() + interval '3 days',
    lease_until     timestamptz,
    lease_by        text,
    tries           integer NOT NULL DEFAULT 0,
    checks          integer NOT NULL DEFAULT 0,
    provider        text,
    provider_id     text,
    text            text,             -- as sent, codes masked
    parts           smallint,
    reason          text,
    sent_at         timestamptz,
    finished_at     timestamptz,
    resend_of       bigint REFERENCES messages,
    resent_as       bigint REFERENCES messages,
    resent_by       bigint REFERENCES staff
) WITH (fillfactor = 80);

CREATE INDEX messages_queue ON messages (priority, next_at, id)
    WHERE state = 'queued';
CREATE INDEX messages_order ON messages (mobile, id)
    WHERE state IN ('queued', 'sending', 'unknown') AND priority > 0;
CREATE INDEX messages_lease ON messages (lease_until)
    WHERE state = 'sending';
CREATE INDEX messages_unknown ON messages (next_at) WHERE state = 'unknown';
CREATE INDEX messages_check ON messages (next_at) WHERE state = 'sent';
CREATE INDEX messages_expiry ON messages (expires_at)
    WHERE state IN ('queued', 'unknown');
CREATE INDEX messages_letter ON messages (letter_id, id)
    WHERE letter_id IS NOT NULL;
CREATE INDEX messages_event ON messages (event_id, id)
    WHERE event_id IS NOT NULL;
CREATE INDEX messages_person ON messages (person_id, id)
    WHERE person_id IS NOT NULL;
CREATE INDEX messages_state ON messages (state, id DESC);

CREATE TABLE message_attempts (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id      bigint NOT NULL REFERENCES messages,
    kind            text NOT NULL CHECK (kind IN ('send', 'status')),
    at              timestamptz NOT NULL DEFAULT clock_timestamp(),
    provider        text,
    provider_id     text,
    outcome         text NOT NULL,
    reason          text,
    cost            bigint            -- rials
);

CREATE INDEX message_attempts_message ON message_attempts (message_id, id);
CREATE INDEX message_attempts_at ON message_attempts (at);

-- What a code for nobody costs: as much as one that is sent.
CREATE TABLE decoy_messages (LIKE messages INCLUDING ALL);

-- Audit ------------------------------------------------------------------------

CREATE TABLE audit (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at              timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor           text NOT NULL
        CHECK (actor IN ('nobody', 'person', 'staff', 'system', 'owner')),
    actor_id        bigint,
    for_id          bigint,
    action          text NOT NULL,
    object          text NOT NULL,
    object_id       text,
    address         text,
    details         jsonb NOT NULL DEFAULT '{}'
);

CREATE INDEX audit_at ON audit (at DESC, id DESC);
CREATE INDEX audit_object ON audit (object, object_id, id DESC);
CREATE INDEX audit_actor ON audit (actor, actor_id, id DESC);

-- Lines not yet in the chain.  A queue, not a mark: audit rows never change.
CREATE TABLE audit_pending (
    audit_id        bigint PRIMARY KEY REFERENCES audit
);

-- hash(n) = SHA-256(hash(n-1) || the line); seq has no gaps.
CREATE TABLE audit_chain (
    seq             bigint PRIMARY KEY,
    audit_id        bigint NOT NULL UNIQUE,
    hash            bytea NOT NULL CHECK (length(hash) = 32),
    at              timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE FUNCTION append_only() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'CR403', MESSAGE = 'audit_append_only';
END
$$;

CREATE TRIGGER audit_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER audit_chain_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_chain
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
-- Also when a replica role would skip ordinary triggers.
ALTER TABLE audit ENABLE ALWAYS TRIGGER audit_append_only;
ALTER TABLE audit_chain ENABLE ALWAYS TRIGGER audit_chain_append_only;

-- Calendar ----------------------------------------------------------------------

CREATE TABLE jalali_days (
    day             date PRIMARY KEY,
    year            smallint NOT NULL,
    month           smallint NOT NULL,
    day_of_month    smallint NOT NULL,
    -- Working days from the table's beginning up to this day: two of them
    -- subtracted are the working days between.  Kept by a trigger.
    working         integer NOT NULL DEFAULT 0,
    UNIQUE (year, month, day_of_month)
);

CREATE INDEX jalali_days_working ON jalali_days (working, day);

-- 1 Farvardin 1300 .. the end of 1500.  A year is leap by the 33-year rule,
-- (25 y + 11) mod 33 < 8, which agrees with ICU for 1244..1501.  Anchor:
-- 1 Farvardin 1400 = 2021-03-21.
INSERT INTO jalali_days (day, year, month, day_of_month)
SELECT y.first + (m.before + d - 1), y.year, m.month, d
  FROM (SELECT year, leap,
               DATE '2021-03-21' + (sum(365 + leap::int) OVER upto
                   - (365 + leap::int)
                   - sum(CASE WHEN year < 1400 THEN 365 + leap::int ELSE 0 END)
                         OVER ())::int AS first
          FROM (SELECT year, (25 * year + 11) % 33 < 8 AS leap
                  FROM generate_series(1300, 1500) AS year) AS years
        WINDOW upto AS (ORDER BY year)) AS y,
       LATERAL (SELECT month,
                       CASE WHEN month <= 7 THEN 31 * (month - 1)
                            ELSE 186 + 30 * (month - 7) END AS before,
                       CASE WHEN month <= 6 THEN 31 WHEN month <= 11 THEN 30
                            WHEN y.leap THEN 30 ELSE 29 END AS days
                  FROM generate_series(1, 12) AS month) AS m,
       LATERAL generate_series(1, m.days) AS d
 ORDER BY 1;

-- Days that differ from the week: official holidays, and Thursdays or
-- Fridays on which the body works.
CREATE TABLE calendar_days (
    day             date PRIMARY KEY,
    kind            text NOT NULL CHECK (kind IN ('holiday', 'workday')),
    title           text NOT NULL DEFAULT '',
    changed_by      bigint REFERENCES staff,
    changed_at      timestamptz NOT NULL DEFAULT now()
);

-- Thursday (4) and Friday (5) are free unless a row says otherwise.
CREATE FUNCTION calendar_changed() RETURNS trigger
LANGUAGE plpgsql SET search_path = correspondence, pg_temp AS $$
BEGIN
    UPDATE jalali_days AS j SET working = n.working
      FROM (SELECT d.day, sum(coalesce(c.kind = 'workday',
                   extract(dow FROM d.day) NOT IN (4, 5))::integer)
                   OVER (ORDER BY d.day) AS working
              FROM jalali_days AS d
              LEFT JOIN calendar_days AS c ON c.day = d.day) AS n
     WHERE j.day = n.day AND j.working <> n.working;
    RETURN NULL;
END
$$;

CREATE TRIGGER calendar_changed
    AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON calendar_days
    FOR EACH STATEMENT EXECUTE FUNCTION calendar_changed();

-- The fixed (solar) official holidays from 1404 to 1410; the lunar ones are
-- entered by the administrator when they are announced.
INSERT INTO calendar_days (day, kind, title)
SELECT j.day, 'holiday', h.title
  FROM (VALUES (1, 1, 'نوروز'), (1, 2, 'نوروز'), (1, 3, 'نوروز'),
               (1, 4, 'نوروز'), (1, 12, 'روز جمهوری اسلامی'),
               (1, 13, 'روز طبیعت'), (3, 14, 'رحلت امام خمینی'),
               (3, 15, 'قیام پانزده خرداد'), (11, 22, 'پیروزی انقلاب اسلامی'),
               (12, 29, 'ملی شدن صنعت نفت')) AS h (month, day, title)
  JOIN jalali_days AS j ON j.month = h.month AND j.day_of_month = h.day
 WHERE j.year BETWEEN 1404 AND 1410;

-- A fresh installation can register letters: one book.
INSERT INTO books (code, name) VALUES ('main', 'اندیکاتور اصلی');
INSERT INTO units (code, name) VALUES ('secretariat', 'دبیرخانه');
