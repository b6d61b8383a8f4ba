-- Log-in by password and by code, recovery, passwords, sessions; see
-- functions/20_codes.sql and 21_passwords.sql.

--   $1 national_code, $2 browser, $3 address
-- → verdict try|wait|code_only, wait, id, password_hash
-- name: login_try
SELECT verdict, wait, person_id AS id, password_hash
  FROM login_try($1::text, $2::text, $3::text);

--   $1 national_code, $2 person id or NULL, $3 the hash that matched or NULL,
--   $4 browser, $5 address → ok, id, epoch
-- name: login_done
SELECT ok, person_id AS id, session_epoch AS epoch
  FROM login_done($1::text, $2::bigint, $3::text, $4::text, $5::text);

-- Behind login_done: the same password, hashed with today's settings.
--   $1 person id, $2 the hash that matched, $3 the new one → renewed
-- name: login_renew
SELECT renewed FROM login_renew($1::bigint, $2::text, $3::text);

-- To be shown masked: the account's, or a false one.
--   $1 national_code → mobile
-- name: login_code_mobile
SELECT mobile FROM login_code_mobile($1::text);

--   $1 purpose login|recover, $2 national_code, $3 mobile, $4 browser,
--   $5 address, $6 code_hash, $7 secret, $8 limits
-- → verdict sent|wait|full, wait, expires_at, resend
-- name: code_request
SELECT verdict, wait, expires_at, resend
  FROM code_request($1::text, $2::text, $3::text, $4::text, $5::text,
                    $6::bytea, $7::bytea, $8::jsonb);

--   $1 browser, $2 code_hashes, $3 limits, $4 address
-- → verdict ok|wrong|expired, tries_left, person_id, session_epoch
-- name: login_code_verify
SELECT verdict, tries_left, person_id, session_epoch
  FROM login_code_verify($1::text, $2::bytea, $4::text, $3::jsonb);

--   $1 browser, $2 code_hashes, $3 limits, $4 address
-- → verdict ok|wrong|expired, tries_left, national_code
-- name: recover_verify
SELECT verdict, tries_left, national_code
  FROM recover_verify($1::text, $2::bytea, $4::text, $3::jsonb);

-- May this browser choose a new password?  No row: start over.
--   $1 browser → national_code
-- name: recover_granted
SELECT national_code FROM recover_granted($1::text);

--   $1 browser, $2 password_hash, $3 address
-- → verdict ok|expired, person_id, session_epoch
-- name: recover_password
SELECT verdict, person_id, session_epoch
  FROM recover_password($1::text, $2::text, $3::text);

-- After person_guard_write: the hash to check the current password against.
--   $1 browser → has_password, wait, password_hash
-- name: password_current
SELECT has_password, wait, password_hash FROM password_current($1::text);

-- After person_guard_write.  $1 the hash that matched, or NULL when there was
-- none, $2 new hash → session_epoch for the session that goes on
-- name: password_set
SELECT session_epoch FROM password_set($1::text, $2::text);

-- After person_guard_write → session_epoch for the session that goes on
-- name: sessions_end
SELECT session_epoch FROM sessions_end();

-- After person_guard_write: one other session ends.
-- name: session_ended
SELECT session_ended_note() AS ok;

-- After person_guard_write.
-- name: logout
SELECT logout_note() AS ok;
