-- The relay; see functions/60_messages.sql.

--   $1 count, $2 lease in seconds, $3 node, $4 how many that are no codes
-- → id, template, params (JSON text), secret, mobile, tries, provider_key,
--   expires_at
-- name: messages_claim
SELECT id, template, params, secret, mobile, tries, provider_key, expires_at
  FROM messages_claim($1::int, $2::int, $3::text, $4::int);

--   $1 id, $2 tries as claimed, $3 outcome
--   sent|retry|wait|unknown|failed,
--   $4 provider, $5 provider_id, $6 reason, $7 cost, $8 text (codes masked),
--   $9 parts → accepted
-- name: message_result
SELECT accepted
  FROM message_result($1::bigint, $2::int, $3::text, $4::text, $5::text,
                      $6::text, $7::bigint, $8::text, $9::int);

-- → unknown, expired
-- name: messages_sweep
SELECT unknown, expired FROM messages_sweep();

--   $1 count, $2 lease in seconds, $3 also sent ones, for their delivery
-- → id, state sent|unknown, provider, provider_id, provider_key, checks
-- name: messages_to_check
SELECT id, state, provider, provider_id, provider_key, checks
  FROM messages_to_check($1::int, $2::int, $3::bool);

--   $1 id, $2 outcome delivered|failed|sent|unsent|pending, $3 provider,
--   $4 provider_id, $5 reason, $6 checks after which an unknown one is sent
--   again (0: never) → state
-- name: message_checked
SELECT state
  FROM message_checked($1::bigint, $2::text, $3::text, $4::text, $5::text,
                       $6::int);

-- A node's share of a gateway's daily budget.
--   $1 kind, $2 name, $3 day since 1970, $4 questions since it was last told
-- → used, by all nodes that day
-- name: gateway_budget_add
SELECT used FROM gateway_budget_add($1::text, $2::text,
                                    date '1970-01-01' + $3::int, $4::bigint);
