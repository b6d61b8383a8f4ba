-- The chain of the audit: hash(n) = SHA-256(hash(n-1) || line n), hash(0) =
-- 32 zero bytes.  Transactions write their lines unchained, one sealer chains
-- them in batches, and its head is published outside the database.

-- The bytes of a line that the chain covers: a JSON list of its columns.
CREATE OR REPLACE FUNCTION audit_line(p_line audit) RETURNS bytea
LANGUAGE sql IMMUTABLE AS $$
    SELECT convert_to(jsonb_build_array((p_line).id,
        to_char((p_line).at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'),
        (p_line).actor, (p_line).actor_id, (p_line).for_id, (p_line).action,
        (p_line).object, (p_line).object_id, (p_line).address,
        (p_line).details)::text, 'UTF8')
$$;

-- audit_seal(most lines at once) → sealed, seq, head
-- sealed NULL: another node is sealing.
CREATE OR REPLACE FUNCTION audit_seal(p_count integer)
RETURNS TABLE (sealed integer, seq bigint, head bytea)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_ids       bigint[];
    v_line      audit;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('correspondence seal')) THEN
        RETURN NEXT;
        RETURN;
    END IF;

    SELECT c.seq, c.hash INTO seq, head FROM audit_chain AS c
     ORDER BY c.seq DESC LIMIT 1;
    seq := coalesce(seq, 0);
    head := coalesce(head, decode(repeat('00', 32), 'hex'));
    sealed := 0;

    WITH taken AS (
        DELETE FROM audit_pending AS p
         WHERE p.audit_id IN (SELECT audit_id FROM audit_pending
                               ORDER BY audit_id LIMIT p_count)
        RETURNING p.audit_id)
    SELECT array_agg(audit_id ORDER BY audit_id) INTO v_ids FROM taken;

    FOR v_line IN
        SELECT * FROM audit AS a WHERE a.id = ANY (v_ids) ORDER BY a.id
    LOOP
        seq := seq + 1;
        head := sha256(head || audit_line(v_line));
        INSERT INTO audit_chain (seq, audit_id, hash)
        VALUES (audit_seal.seq, v_line.id, head);
        sealed := sealed + 1;
    END LOOP;

    RETURN NEXT;
END
$$;

-- audit_broken(seq, hash, most links): the first broken one behind the link
-- of that number and hash (0 and zero bytes: from the beginning); no row: none.
CREATE OR REPLACE FUNCTION audit_broken(p_seq bigint, p_hash bytea,
    p_count bigint)
RETURNS TABLE (seq bigint, audit_id bigint, reason text)
LANGUAGE sql STABLE AS $$
    SELECT t.seq, t.audit_id,
           CASE WHEN t.seq <> p_seq + t.n THEN 'link_missing'
                WHEN t.id IS NULL THEN 'line_missing'
                ELSE 'line_changed' END
      FROM (SELECT c.seq, c.audit_id, c.hash, a.id, audit_line(a) AS line,
                   row_number() OVER w AS n,
                   coalesce(lag(c.hash) OVER w, p_hash) AS previous
              FROM (SELECT * FROM audit_chain AS l WHERE l.seq > p_seq
                     ORDER BY l.seq LIMIT p_count) AS c
              LEFT JOIN audit AS a ON a.id = c.audit_id
            WINDOW w AS (ORDER BY c.seq)) AS t
     WHERE t.seq <> p_seq + t.n OR t.id IS NULL
        OR t.hash <> sha256(t.previous || t.line)
     ORDER BY t.seq LIMIT 1
$$;

-- audit_check(most links at once) → broken_seq, NULL: nothing is known to be
-- wrong.  The next piece of the proof that the page of the audit shows; see
-- audit_checks.  What was found broken stays so until a whole round finds
-- nothing.
CREATE OR REPLACE FUNCTION audit_check(p_count integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
DECLARE
    v_was       audit_checks;
    v_broken    record;
    v_seq       bigint;
    v_hash      bytea;
    v_zero      bytea := decode(repeat('00', 32), 'hex');
BEGIN
    SELECT * INTO v_was FROM audit_checks FOR UPDATE SKIP LOCKED;

    IF NOT FOUND THEN
        RETURN NULL;
    END IF;

    SELECT b.* INTO v_broken
      FROM audit_broken(v_was.seq, v_was.hash, p_count) AS b;

    IF NOT FOUND AND v_was.seq > 0 THEN
        SELECT v_was.seq AS seq, c.audit_id,
               CASE WHEN c.seq IS NULL THEN 'head_missing'
                    ELSE 'head_differs' END AS reason
          INTO v_broken
          FROM (VALUES (v_was.seq)) AS w (seq)
          LEFT JOIN audit_chain AS c ON c.seq = w.seq
         WHERE c.hash IS DISTINCT FROM v_was.hash;
    END IF;

    IF FOUND THEN
        -- Behind a wrong link nothing can be proven: from the beginning
        -- again.  An end that is gone is remembered for good: what is left,
        -- or was made anew, may be a whole chain.
        UPDATE audit_checks
           SET seq = CASE WHEN v_broken.reason LIKE 'head%' THEN seq
                          ELSE 0 END,
               hash = CASE WHEN v_broken.reason LIKE 'head%' THEN hash
                           ELSE v_zero END,
               began_at = now(), broken_at = coalesce(broken_at, now()),
               broken_seq = v_broken.seq,
               broken_audit_id = v_broken.audit_id,
               reason = v_broken.reason;
        RETURN v_broken.seq;
    END IF;

    SELECT l.seq, l.hash INTO v_seq, v_hash
      FROM (SELECT c.seq, c.hash FROM audit_chain AS c
             WHERE c.seq > v_was.seq ORDER BY c.seq LIMIT p_count) AS l
     ORDER BY l.seq DESC LIMIT 1;

    IF v_seq IS NOT NULL THEN
        UPDATE audit_checks SET seq = v_seq, hash = v_hash;
    END IF;

    IF v_seq - v_was.seq >= p_count THEN
        RETURN v_was.broken_seq;
    END IF;

    -- The end of the chain, and of the round if there is one.

    IF v_was.whole_at IS NULL OR v_was.whole_at < v_was.began_at THEN
        UPDATE audit_checks
           SET whole_at = clock_timestamp(), broken_at = NULL,
               broken_seq = NULL, broken_audit_id = NULL, reason = NULL;
    ELSIF v_was.began_at < now() - interval '1 day' THEN
        UPDATE audit_checks SET seq = 0, hash = v_zero, began_at = now();
    END IF;

    RETURN NULL;
END
$$;

-- audit_verify(seq of a published head or NULL, its hash or NULL)
-- → ok, lines, seq, head, broken_seq, broken_audit_id, reason
-- reason: line_changed, line_missing, link_missing (a gap in the chain),
-- head_missing, head_differs, line_unchained (in no chain and not waiting).
-- Names the first broken link.
CREATE OR REPLACE FUNCTION audit_verify(p_seq bigint, p_head bytea)
RETURNS TABLE (ok boolean, lines bigint, seq bigint, head bytea,
               broken_seq bigint, broken_audit_id bigint, reason text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_hash      bytea;
BEGIN
    SELECT count(*), max(c.seq) INTO lines, seq FROM audit_chain AS c;
    SELECT c.hash INTO head FROM audit_chain AS c WHERE c.seq = audit_verify.seq;
    ok := true;

    SELECT b.seq, b.audit_id, b.reason
      INTO broken_seq, broken_audit_id, reason
      FROM audit_broken(0, decode(repeat('00', 32), 'hex'), NULL) AS b;

    IF FOUND THEN
        ok := false;
        RETURN NEXT;
        RETURN;
    END IF;

    SELECT a.id INTO broken_audit_id FROM audit AS a
     WHERE NOT EXISTS (SELECT FROM audit_chain AS c WHERE c.audit_id = a.id)
       AND NOT EXISTS (SELECT FROM audit_pending AS p WHERE p.audit_id = a.id)
     ORDER BY a.id LIMIT 1;

    IF FOUND THEN
        ok := false;
        reason := 'line_unchained';
        RETURN NEXT;
        RETURN;
    END IF;

    IF p_seq IS NOT NULL THEN
        SELECT c.hash INTO v_hash FROM audit_chain AS c WHERE c.seq = p_seq;
        IF NOT FOUND THEN
            ok := false;
            broken_seq := p_seq;
            reason := 'head_missing';
        ELSIF v_hash <> p_head THEN
            ok := false;
            broken_seq := p_seq;
            reason := 'head_differs';
        END IF;
    END IF;

    RETURN NEXT;
END
$$;

-- audit_find(the line that the last page ended with or NULL; kind of actor,
-- username or name of staff, action, object, object's id, from, to dates, each
-- may be NULL; count) → id, newest first.  A query of the filters there are,
-- planned for their values: with years of lines one plan for all reads them
-- from the end.
CREATE OR REPLACE FUNCTION audit_find(p_after bigint, p_actor text,
    p_who text, p_action text, p_object text, p_object_id text, p_from date,
    p_to date, p_count integer)
RETURNS TABLE (id bigint)
LANGUAGE plpgsql STABLE ROWS 50 AS $$
DECLARE
    v_after     timestamptz;
    v_who       bigint[];
    v_objects   text[];
    v_lines     text;
BEGIN
    SELECT a.at INTO v_after FROM correspondence.audit AS a
     WHERE a.id = p_after;

    IF p_who IS NOT NULL THEN
        v_who := ARRAY (SELECT s.id FROM correspondence.staff AS s
                         WHERE s.username = lower(p_who) OR s.name = p_who);
    END IF;

    -- The index begins with the kind: there are a score.
    IF p_object IS NOT NULL THEN
        v_objects := ARRAY[p_object];

    ELSIF p_object_id IS NOT NULL THEN
        WITH RECURSIVE kinds AS (
            SELECT min(a.object) AS object FROM correspondence.audit AS a
            UNION ALL
            SELECT (SELECT min(a.object) FROM correspondence.audit AS a
                     WHERE a.object > k.object)
              FROM kinds AS k WHERE k.object IS NOT NULL)
        SELECT array_agg(k.object) INTO v_objects FROM kinds AS k;
    END IF;

    v_lines :=
        'SELECT a.id, a.at FROM correspondence.audit AS a WHERE true'
        || CASE WHEN p_after IS NULL THEN ''
                ELSE ' AND (a.at, a.id) < ($2, $1)' END
        || CASE WHEN p_actor IS NULL THEN '' ELSE ' AND a.actor = $3' END
        || CASE WHEN v_who IS NULL THEN ''
                ELSE ' AND a.actor = ''staff'' AND a.actor_id = w.id' END
        || CASE WHEN p_action IS NULL THEN '' ELSE ' AND a.action = $5' END
        || CASE WHEN v_objects IS NULL THEN ''
                ELSE ' AND a.object = ANY ($6)' END
        || CASE WHEN p_object_id IS NULL THEN ''
                ELSE ' AND a.object_id = $7' END
        || CASE WHEN p_from IS NULL THEN '' ELSE ' AND a.at >= $8' END
        || CASE WHEN p_to IS NULL THEN '' ELSE ' AND a.at < $9' END
        || ' ORDER BY a.at DESC, a.id DESC LIMIT $10';

    -- Of each who has the name apart: only of one the index gives what it has
    -- in order.
    IF v_who IS NOT NULL THEN
        v_lines := 'SELECT f.* FROM unnest($4) AS w (id) CROSS JOIN LATERAL ('
            || v_lines || ') AS f ORDER BY f.at DESC, f.id DESC LIMIT $10';
    END IF;

    RETURN QUERY EXECUTE 'SELECT l.id FROM (' || v_lines || ') AS l'
        USING p_after, v_after, p_actor, v_who, p_action, v_objects,
              p_object_id, p_from::timestamp AT TIME ZONE 'Asia/Tehran',
              (p_to + 1)::timestamp AT TIME ZONE 'Asia/Tehran', p_count;
END
$$;
