-- What the virus scanner said of a file.  NULL: it was not asked.

ALTER TABLE files ADD COLUMN scan text
    CHECK (scan IN ('clean', 'unchecked', 'infected'));

-- Taken while the scanner was away: to be looked at later.
CREATE INDEX files_unchecked ON files (created_at) WHERE scan = 'unchecked';
