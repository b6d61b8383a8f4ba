-- Identity in levels; see functions/30_identity.sql.

--   $1 person id → what the identity page and the forms show
-- name: person_show
SELECT p.national_code, p.mobile, p.birth_date, p.first_name, p.last_name,
       p.father_name, p.level, p.mobile_step, p.mobile_reason,
       p.registry_step, p.registry_reason,
       p.mobile_step = 'no' AS mobile_no,
       p.mobile_step = 'pending' AS mobile_pending,
       p.mobile_step NOT IN ('yes', 'skipped') AS mobile_can_try,
       p.registry_step = 'no' AS registry_no,
       p.registry_step = 'pending' AS registry_pending,
       p.mobile_step IN ('open', 'no') AS registry_locked,
       p.mobile_step NOT IN ('open', 'no')
           AND p.registry_step NOT IN ('yes', 'skipped') AS registry_can_try,
       p.registry_reason = 'dead' AS is_dead,
       p.level >= 3 AS form_open,
       p.address, p.phone, p.email,
       p.password_set_at IS NOT NULL AS has_password
  FROM persons AS p WHERE p.id = $1::bigint;

-- After person_guard_write.  $1 step mobile|registry, $2 asks a day, $3 first,
-- $4 last, $5 father's name as typed, or NULL
-- → verdict ask|done|wait|first, wait, national_code, mobile, birth_date
-- name: identity_ask
SELECT verdict, wait, national_code, mobile, birth_date
  FROM identity_ask($1::text, $2::int, $3::text, $4::text, $5::text);

-- No guard: the answer may come when the request is gone.
--   $1 person id, $2 step, $3 national_code, $4 mobile, $5 birth_date as
--   asked, $6 verdict yes|no|unknown|skipped, $7 reason mismatch|dead|NULL,
--   $8 provider, $9 provider_ref, $10 first_name, $11 last_name,
--   $12 father_name, $13 by the relay, $14 address
-- → level, step_state yes|no|pending|skipped|stale, session_epoch
-- name: identity_result
SELECT level, step_state, session_epoch
  FROM identity_result($1::bigint, $2::text, $3::text, $4::text, $5::date,
      $6::text, $7::text, $8::text, $9::text, $10::text, $11::text,
      $12::text, $13::bool, $14::text);

-- After person_guard_write.  $1 birth_date
-- name: birth_date_set
SELECT birth_date_set($1::date) AS ok;

-- Steps that wait for a gateway, for the relay.
--   $1 count, $2 lease in seconds
-- → person_id, step, national_code, mobile, birth_date, tries, first_name,
--   last_name, father_name
-- name: identity_claim
SELECT person_id, step, national_code, mobile, birth_date, tries, first_name,
       last_name, father_name
  FROM identity_claim($1::int, $2::int);

-- Companies; see functions/31_companies.sql.

-- After person_guard_write.  $1 national_id, $2 registration_number,
-- $3 verdict, $4 reason, $5 provider, $6 provider_ref
-- name: company_evidence
SELECT company_evidence($1::text, $2::text, $3::text, $4::text, $5::text,
                        $6::text) AS ok;

--   $1 count, $2 lease in seconds
-- → company_id, national_id, name, registration_number, tries
-- name: company_claim
SELECT company_id, national_id, name, registration_number, tries
  FROM company_claim($1::int, $2::int);

--   $1 company_id, $2 national_id, $3 name, $4 registration_number as asked,
--   $5 verdict, $6 reason, $7 provider, $8 provider_ref, $9 name and
--   $10 registration_number as told, or NULL → state yes|no|pending|stale
-- name: company_result
SELECT state
  FROM company_result($1::bigint, $2::text, $3::text, $4::text, $5::text,
                      $6::text, $7::text, $8::text, $9::text, $10::text);
