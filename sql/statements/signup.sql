-- Sign-up, log-in by code, recovery; see functions/20_codes.sql.  browser is
-- the hash that binds to this browser, limits a JSON object of directives.

--   $1 national_code, $2 mobile, $3 birth_date, $4 browser, $5 address,
--   $6 code_hash, $7 secret, $8 limits
-- → verdict sent|wait|full, wait, expires_at, resend
-- name: signup_request
SELECT verdict, wait, expires_at, resend
  FROM signup_request($1::text, $2::text, $3::date, $4::text, $5::text,
                      $6::bytea, $7::bytea, $8::jsonb);

--   $1 browser, $2 code_hashes, $3 limits, $4 address
-- → verdict ok|claim|wrong|expired|refused, tries_left, person_id,
--   session_epoch, created, claim, national_code, mobile
-- name: signup_verify
SELECT verdict, tries_left, person_id, session_epoch, created, claim,
       national_code, mobile
  FROM signup_verify($1::text, $2::bytea, $4::text, $3::jsonb);

--   $1 claim, $2 browser, $3 verdict yes|no|unknown, $4 provider,
--   $5 provider_ref, $6 address
-- → verdict ok|refused|later|expired, person_id, session_epoch
-- name: signup_claim
SELECT verdict, person_id, session_epoch
  FROM signup_claim($1::uuid, $2::text, $3::text, $4::text, $5::text,
                    $6::text);

-- The page of the code, again.  No row: nothing was asked for.
--   $1 purpose signup|login|recover|mobile, $2 browser, $3 limits
-- → mobile, national_code, expires_at, resend, tries_left
-- name: code_state
SELECT mobile, national_code, expires_at, nullif(resend, 0) AS resend,
       tries_left
  FROM code_state($1::text, $2::text, $3::jsonb);

--   $1 purpose, $2 browser, $3 address, $4 code_hash, $5 secret, $6 limits
-- → as signup_request, and verdict none
-- name: code_resend
SELECT verdict, wait, expires_at, resend
  FROM code_resend($1::text, $2::text, $3::text, $4::bytea, $5::bytea,
                   $6::jsonb);
