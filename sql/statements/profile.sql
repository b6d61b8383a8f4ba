-- The person's own data; after person_guard_write.  What the pages show is
-- person_show.

--   $1 address, $2 phone, $3 email; empty is none
-- name: profile_save
SELECT profile_save($1::text, $2::text, $3::text) AS ok;

--   $1 new mobile, $2 browser, $3 address, $4 code_hash, $5 secret, $6 limits
-- → verdict sent|wait|full, wait, expires_at, resend
-- name: mobile_request
SELECT verdict, wait, expires_at, resend
  FROM mobile_request($1::text, $2::text, $3::text, $4::bytea, $5::bytea,
                      $6::jsonb);

--   $1 browser, $2 code_hashes, $3 limits
-- → verdict ok|wrong|expired, tries_left, session_epoch
-- name: mobile_verify
SELECT verdict, tries_left, session_epoch
  FROM mobile_verify($1::text, $2::bytea, $3::jsonb);
