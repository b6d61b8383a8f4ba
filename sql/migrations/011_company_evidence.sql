-- A company's verdict holds for the registration number that was asked, too.
SET LOCAL lock_timeout = '5s';
ALTER TABLE identity_evidence ADD COLUMN registration_number text;
