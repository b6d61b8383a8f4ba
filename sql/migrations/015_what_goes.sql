-- A row of files that goes is looked for wherever one may be named: all of the
-- table was read for each, and of corrections twice.  With two million files
-- nine old drafts took the housekeeping longer than a statement may.
SET LOCAL lock_timeout = '5s';

CREATE INDEX files_replaced_by ON files (replaced_by)
    WHERE replaced_by IS NOT NULL;
CREATE INDEX corrections_file ON corrections (file_id)
    WHERE file_id IS NOT NULL;
CREATE INDEX corrections_new_file ON corrections (new_file_id)
    WHERE new_file_id IS NOT NULL;

-- What is old is found without reading what is not.
CREATE INDEX drafts_updated ON drafts (updated_at);
CREATE INDEX person_browsers_seen ON person_browsers (seen_at);
