-- The sealer; see functions/70_audit.sql.

--   $1 most lines at once → sealed (NULL: another node is at it), seq, head
-- name: audit_seal
SELECT sealed, seq, encode(head, 'hex') AS head FROM audit_seal($1::int);

--   $1 most links at once → broken_seq, NULL: nothing is known to be wrong
-- name: audit_check
SELECT audit_check($1::int) AS broken_seq;

--   $1 seq of a published head, $2 its hash (hex) → holds
-- name: audit_published
SELECT EXISTS (SELECT FROM audit_chain
                WHERE seq = $1::bigint
                  AND hash = decode($2::text, 'hex')) AS holds;

--   $1 seq of a published head or NULL, $2 its hash (hex) or NULL
-- name: audit_verify
SELECT ok, lines, seq, encode(head, 'hex') AS head, broken_seq,
       broken_audit_id, reason
  FROM audit_verify($1::bigint, decode($2::text, 'hex'));
