-- The outbox and its relay.
--
--   queued → sending → sent → delivered
--                  ↘ queued again (the provider did not take it)
--                  ↘ unknown (no answer, or the node died): the provider is
--                    asked before it is sent again
--                  ↘ failed
--   queued, unknown → expired
--
-- A relay claims what it can send at once, no more: what a dead node had
-- claimed becomes unknown.

-- Whether any message about the letter never reached the person.  The letter is
-- locked first: what another message of it came to in the same moment is seen.
CREATE OR REPLACE FUNCTION letter_undelivered(p_letter bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM letters WHERE id = p_letter FOR NO KEY UPDATE;
    UPDATE letters AS l SET undelivered = NOT l.undelivered
     WHERE l.id = p_letter
       AND l.undelivered <> EXISTS (
            SELECT FROM messages AS m
             WHERE m.letter_id = p_letter AND m.resent_as IS NULL
               AND m.state IN ('failed', 'expired'));
END
$$;

-- Our number of a message for providers, who drop what they had already under
-- it.  Ids are given again behind a restore, and two portals with one account
-- have the same: so the second in which it was made stands in front of the last
-- twenty bits of its id.  53 bits hold it until 2242.
CREATE OR REPLACE FUNCTION message_key(p_id bigint, p_created timestamptz)
RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
    SELECT floor(extract(epoch FROM p_created))::bigint * 1048576
           + p_id % 1048576
$$;

DROP FUNCTION IF EXISTS messages_claim(integer, integer, text);

-- messages_claim(count, lease in seconds, node, how many that are no codes)
-- → id, template, params (as text), secret, mobile, tries, provider_key,
--   expires_at
-- Codes first, then by time; some room is left for codes that come later.
-- A person's messages go out in order: one waits for the earlier of the same
-- mobile, until that one has failed three times through itself, so that a
-- poisoned message holds up nobody for long.  provider_key, the same for every
-- try of a message, is message_key().
--
-- A queue is empty whenever PostgreSQL counts it (ANALYZE) and long on a bad
-- day.  What it costs must not hang on that: no sort, so that it is walked in
-- the order of its index until there are enough; and whether a message is the
-- first of its mobile is asked by min(), one look into messages_order.  For NOT
-- EXISTS an earlier one the whole queue was read for each message of it.
CREATE OR REPLACE FUNCTION messages_claim(p_count integer, p_lease integer,
    p_node text, p_others integer DEFAULT NULL)
RETURNS TABLE (id bigint, template text, params text, secret bytea,
               mobile text, tries integer, provider_key bigint,
               expires_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp SET enable_sort = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH codes AS (
        SELECT m.id FROM messages AS m
         WHERE m.state = 'queued' AND m.next_at <= now()
           AND m.expires_at > now() AND m.priority = 0
         ORDER BY m.next_at, m.id
         LIMIT p_count
           FOR UPDATE SKIP LOCKED),
    others AS (
        SELECT m.id FROM messages AS m
         WHERE m.state = 'queued' AND m.next_at <= now()
           AND m.expires_at > now() AND m.priority > 0
           AND coalesce((SELECT min(e.id) FROM messages AS e
                          WHERE e.mobile = m.mobile
                            AND e.state IN ('queued', 'sending', 'unknown')
                            AND e.priority > 0 AND e.faults < 3),
                        m.id) >= m.id
         ORDER BY m.priority, m.next_at, m.id
         LIMIT least(coalesce(p_others, p_count),
                     p_count - (SELECT count(*) FROM codes))
           FOR UPDATE SKIP LOCKED),
    picked AS (
        SELECT id FROM codes UNION ALL SELECT id FROM others),
    claimed AS (
        UPDATE messages AS m
           SET state = 'sending', tries = m.tries + 1, lease_by = p_node,
               lease_until = now() + p_lease * interval '1 second'
          FROM picked AS k WHERE m.id = k.id
        RETURNING m.*)
    SELECT c.id, c.template, c.params::text, c.secret, c.mobile, c.tries,
           message_key(c.id, c.created_at), c.expires_at
      FROM claimed AS c ORDER BY c.priority, c.id;
END
$$;

-- message_result(id, try, outcome, provider, provider_id, reason, cost,
--                text as sent with codes masked, parts) → accepted
--   sent      the provider has it
--   retry     it did not take it (busy, no connection): again after a wait
--   wait      no provider takes anything now: again soon, and this is no fault
--             of the message
--   unknown   no answer came: ask for its state before sending again
--   failed    it refuses this message for good
-- accepted false: the lease was lost to another try; the attempt is kept.  Told
-- again, since the answer to it was lost, it is the same attempt.
CREATE OR REPLACE FUNCTION message_result(p_id bigint, p_try integer,
    p_outcome text, p_provider text, p_provider_id text, p_reason text,
    p_cost bigint, p_text text, p_parts integer)
RETURNS TABLE (accepted boolean)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_message   messages;
    v_state     text;
    v_again     boolean;
BEGIN
    SELECT m.* INTO v_message FROM messages AS m
     WHERE m.id = p_id FOR UPDATE;

    IF NOT FOUND THEN
        PERFORM fail('CR404', 'not_found');
    END IF;

    INSERT INTO message_attempts (message_id, kind, try, provider,
                                  provider_id, outcome, reason, cost)
    SELECT p_id, 'send', p_try, p_provider, p_provider_id, p_outcome,
           p_reason, p_cost
     WHERE NOT EXISTS (
        SELECT FROM message_attempts AS a
         WHERE a.message_id = p_id AND a.kind = 'send' AND a.try = p_try
           AND a.outcome = p_outcome
           AND a.provider IS NOT DISTINCT FROM p_provider);

    -- "Sent" is a fact whoever holds the lease now, and while nobody has sent
    -- it again; the rest is not.
    accepted := v_message.tries = p_try
                AND (v_message.state = 'sending'
                     OR v_message.state IN ('unknown', 'queued')
                        AND p_outcome = 'sent');

    IF NOT accepted THEN
        RETURN NEXT;
        RETURN;
    END IF;

    v_again := p_outcome = 'wait'
               OR p_outcome = 'retry'
                  AND v_message.faults + 1 < setting_int('message_tries');
    v_state := CASE WHEN p_outcome = 'sent' THEN 'sent'
                    WHEN p_outcome = 'unknown' THEN 'unknown'
                    WHEN v_again THEN 'queued'
                    ELSE 'failed' END;

    UPDATE messages AS m
       SET state = v_state, lease_until = NULL, lease_by = NULL,
           faults = m.faults + (p_outcome = 'retry')::integer,
           provider = coalesce(p_provider, m.provider),
           provider_id = coalesce(p_provider_id, m.provider_id),
           reason = p_reason,
           text = coalesce(p_text, m.text),
           parts = coalesce(p_parts, m.parts),
           secret = CASE WHEN v_state IN ('sent', 'failed') THEN NULL
                         ELSE m.secret END,
           sent_at = CASE WHEN v_state = 'sent' THEN now() ELSE m.sent_at END,
           finished_at = CASE WHEN v_state = 'failed' THEN now() END,
           -- Codes again soon, others after 2, 4, 8 … minutes (first at once).
           next_at = now() + CASE
               WHEN v_state = 'unknown' THEN interval '15 seconds'
               WHEN v_state = 'sent' THEN interval '20 seconds'
               WHEN m.priority = 0 THEN interval '3 seconds'
               WHEN p_outcome = 'wait' OR m.faults = 0
                   THEN interval '5 seconds'
               ELSE least(2 ^ m.faults, 60) * interval '1 minute' END
     WHERE m.id = p_id;

    IF v_state = 'failed' AND v_message.letter_id IS NOT NULL THEN
        PERFORM letter_undelivered(v_message.letter_id);
    END IF;

    RETURN NEXT;
END
$$;

-- messages_sweep() → unknown, expired: leases that ran out become unknown,
-- what is too old to send expires.  What waits longer than anything does, an
-- hour, was put off by a clock that has been set back since: it is due.  Each
-- relay calls it every few seconds.
--
-- Each in the order of its own index: in that of their numbers, once the
-- messages were counted (ANALYZE) while a queue was long, five hundred were
-- looked for among all there are, and none found.
CREATE OR REPLACE FUNCTION messages_sweep()
RETURNS TABLE (unknown integer, expired integer)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_letter    bigint;
    v_letters   bigint[];
BEGIN
    WITH dead AS (
        SELECT m.id FROM messages AS m
         WHERE m.state = 'sending' AND m.lease_until < now()
         ORDER BY m.lease_until LIMIT 500 FOR UPDATE SKIP LOCKED)
    UPDATE messages AS m
       SET state = 'unknown', lease_until = NULL, lease_by = NULL,
           reason = 'lease', next_at = now()
      FROM dead WHERE m.id = dead.id;
    GET DIAGNOSTICS unknown = ROW_COUNT;

    WITH queued AS (
        SELECT m.id FROM messages AS m
         WHERE m.state = 'queued' AND m.next_at > now() + interval '2 hours'
         ORDER BY m.priority, m.next_at, m.id LIMIT 500
           FOR UPDATE SKIP LOCKED),
    unknown AS (
        SELECT m.id FROM messages AS m
         WHERE m.state = 'unknown' AND m.next_at > now() + interval '2 hours'
           AND m.next_at < 'infinity'
         ORDER BY m.next_at LIMIT 500 FOR UPDATE SKIP LOCKED)
    UPDATE messages AS m SET next_at = now()
      FROM (SELECT id FROM queued UNION ALL SELECT id FROM unknown) AS ahead
     WHERE m.id = ahead.id;

    WITH old AS (
        SELECT m.id FROM messages AS m
         WHERE m.state IN ('queued', 'unknown') AND m.expires_at < now()
         ORDER BY m.expires_at LIMIT 500 FOR UPDATE SKIP LOCKED),
    ended AS (
        UPDATE messages AS m
           SET state = 'expired', secret = NULL, finished_at = now()
          FROM old WHERE m.id = old.id
        RETURNING m.letter_id)
    SELECT count(*), array_agg(DISTINCT letter_id ORDER BY letter_id)
      INTO expired, v_letters FROM ended;

    -- Letters are locked in one order, by all who sweep.
    FOREACH v_letter IN ARRAY
        array_remove(coalesce(v_letters, '{}'), NULL)
    LOOP
        PERFORM letter_undelivered(v_letter);
    END LOOP;

    RETURN NEXT;
END
$$;

-- messages_to_check(count, lease in seconds, sent: false when no provider
-- tells about delivery, and only the unknown ones are wanted).  Nobody asks
-- for what has been due for three days: where a provider that tells comes years
-- later, all that was ever sent would have its turn before what is sent now.
-- → id, state (sent|unknown), provider, provider_id, provider_key, checks:
--   whose delivery, or fate, a provider should be asked for.
CREATE OR REPLACE FUNCTION messages_to_check(p_count integer,
    p_lease integer, p_sent boolean DEFAULT true)
RETURNS TABLE (id bigint, state text, provider text, provider_id text,
               provider_key bigint, checks integer)
LANGUAGE sql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
    WITH unknown AS (
        SELECT m.id FROM messages AS m
         WHERE m.state = 'unknown' AND m.next_at <= now()
         ORDER BY m.next_at LIMIT p_count
           FOR UPDATE SKIP LOCKED),
    sent AS (
        SELECT m.id FROM messages AS m
         WHERE p_sent AND m.state = 'sent' AND m.next_at <= now()
           AND m.next_at > now() - interval '3 days'
         ORDER BY m.next_at LIMIT p_count
           FOR UPDATE SKIP LOCKED),
    picked AS (
        SELECT id FROM unknown UNION ALL SELECT id FROM sent
         LIMIT p_count)
    UPDATE messages AS m
       SET next_at = now() + p_lease * interval '1 second',
           checks = m.checks + 1
      FROM picked AS k WHERE m.id = k.id
    RETURNING m.id, m.state, m.provider, m.provider_id,
              message_key(m.id, m.created_at), m.checks
$$;

-- message_checked(id, outcome, provider, provider_id, reason) → state
--   delivered, failed
--   sent       the provider has it, no more is known
--   unsent     the provider never got it: it is sent again
--   pending    no answer: ask again later
-- A sent message that stays without news for three days is left as sent.  An
-- unknown one that nobody can tell about is sent again after p_give_up
-- checks (0: never): a duplicate is better than a silence, but it goes out
-- three times at most.
CREATE OR REPLACE FUNCTION message_checked(p_id bigint, p_outcome text,
    p_provider text, p_provider_id text, p_reason text, p_give_up integer)
RETURNS TABLE (state text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_message   messages;
    v_again     boolean;
    v_max       integer := CASE p_outcome
        WHEN 'unsent' THEN setting_int('message_tries')
        ELSE setting_int('message_blind_tries') END;
BEGIN
    SELECT m.* INTO v_message FROM messages AS m
     WHERE m.id = p_id FOR UPDATE;

    IF NOT FOUND THEN
        PERFORM fail('CR404', 'not_found');
    END IF;

    state := v_message.state;

    IF state NOT IN ('sent', 'unknown') THEN
        RETURN NEXT;
        RETURN;
    END IF;

    INSERT INTO message_attempts (message_id, kind, provider, provider_id,
                                  outcome, reason)
    VALUES (p_id, 'status', p_provider, p_provider_id, p_outcome, p_reason);

    v_again := state = 'unknown'
               AND (p_outcome = 'unsent'
                    OR p_outcome = 'pending' AND p_give_up > 0
                       AND v_message.checks >= p_give_up);

    IF v_again THEN
        state := CASE WHEN v_message.faults + 1 < v_max THEN 'queued'
                      ELSE 'failed' END;
    ELSIF p_outcome IN ('delivered', 'failed', 'sent') THEN
        state := p_outcome;
    END IF;

    UPDATE messages AS m
       SET state = message_checked.state,
           provider = coalesce(p_provider, m.provider),
           provider_id = coalesce(p_provider_id, m.provider_id),
           reason = CASE WHEN p_outcome IN ('delivered', 'sent') THEN p_reason
                         ELSE coalesce(p_reason, m.reason) END,
           secret = CASE WHEN message_checked.state IN ('queued', 'unknown')
                         THEN m.secret END,
           checks = CASE WHEN v_again THEN 0 ELSE m.checks END,
           faults = m.faults + v_again::integer,
           sent_at = CASE WHEN message_checked.state IN ('sent', 'delivered')
                          THEN coalesce(m.sent_at, now())
                          ELSE m.sent_at END,
           finished_at = CASE WHEN message_checked.state IN
                                   ('delivered', 'failed') THEN now() END,
           next_at = CASE
               WHEN v_again THEN now()
               WHEN m.created_at < now() - greatest(interval '3 days',
                                                    message_lifetime())
                   THEN 'infinity'
               ELSE now() + least(20 * 2 ^ least(m.checks, 10), 3600)
                            * interval '1 second' END
     WHERE m.id = p_id;

    IF v_message.letter_id IS NOT NULL AND state IN ('failed', 'delivered')
    THEN
        PERFORM letter_undelivered(v_message.letter_id);
    END IF;

    RETURN NEXT;
END
$$;

-- Makes new messages with the same words of these, which are locked, and
-- says so in the old ones; their ids, in order.  To the person's mobile of
-- today, but for a warning that it was changed: that is for whoever has the old
-- one.
CREATE OR REPLACE FUNCTION messages_again(p_ids bigint[], p_staff bigint)
RETURNS bigint[]
LANGUAGE plpgsql AS $$
DECLARE
    v_letter    bigint;
    v_letters   bigint[];
    v_new       bigint[];
BEGIN
    WITH made AS (
        INSERT INTO messages AS n (template, params, mobile, person_id,
            letter_id, event_id, ticket_id, resend_of, expires_at)
        SELECT o.template, o.params,
               CASE WHEN o.template IN ('mobile_changed', 'account_claimed')
                    THEN o.mobile ELSE coalesce(p.mobile, o.mobile) END,
               o.person_id, o.letter_id, o.event_id, o.ticket_id, o.id,
               now() + message_lifetime()
          FROM messages AS o
          LEFT JOIN persons AS p ON p.id = o.person_id
         WHERE o.id = ANY (p_ids)
         ORDER BY o.id
        RETURNING n.id, n.resend_of),
    marked AS (
        UPDATE messages AS o SET resent_as = made.id, resent_by = p_staff
          FROM made WHERE o.id = made.resend_of
        RETURNING made.id, o.letter_id)
    SELECT array_agg(id ORDER BY id),
           array_agg(DISTINCT letter_id ORDER BY letter_id)
      INTO v_new, v_letters FROM marked;

    -- Letters are locked in one order, as by those who sweep.
    FOREACH v_letter IN ARRAY
        array_remove(coalesce(v_letters, '{}'), NULL)
    LOOP
        PERFORM letter_undelivered(v_letter);
    END LOOP;

    RETURN v_new;
END
$$;

-- After guard_staff: message_resend(submission_key, message id)
-- → repeated, new_id.  A new message with the same words; codes are not sent
-- again.
-- CR404 not_found, CR409 message_not_resendable.
CREATE OR REPLACE FUNCTION message_resend(p_submission_key text,
    p_id bigint)
RETURNS TABLE (repeated boolean, new_id bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_me        staff := me_staff('clerk,manager,admin');
    v_message   messages;
BEGIN
    new_id := submission_begin('staff', v_me.id, p_submission_key,
                               'resend')::bigint;
    repeated := new_id IS NOT NULL;

    IF repeated THEN
        RETURN NEXT;
        RETURN;
    END IF;

    SELECT m.* INTO v_message FROM messages AS m
     WHERE m.id = p_id FOR UPDATE;

    IF NOT FOUND THEN
        PERFORM fail('CR404', 'not_found');
    END IF;

    IF v_message.priority = 0 THEN
        PERFORM fail('CR409', 'message_is_code');
    END IF;

    IF v_message.resent_as IS NOT NULL THEN
        PERFORM fail('CR409', 'message_not_resendable');
    END IF;

    IF v_message.state NOT IN ('failed', 'expired', 'sent') THEN
        PERFORM fail('CR409', 'message_not_resendable');
    END IF;

    new_id := (messages_again(ARRAY[p_id], v_me.id))[1];

    PERFORM audit_staff('message_resent', 'message', p_id::text,
                        jsonb_build_object('as', new_id));
    PERFORM submission_end('staff', v_me.id, p_submission_key, 'resend',
                           new_id::text);
    RETURN NEXT;
END
$$;

-- Those that messages_resend() sends again.
CREATE OR REPLACE FUNCTION messages_resendable(p_state text, p_from date,
    p_to date) RETURNS TABLE (id bigint)
LANGUAGE sql STABLE SET search_path = correspondence, pg_temp AS $$
    SELECT m.id FROM messages AS m
     WHERE m.state = p_state AND m.priority > 0 AND m.resent_as IS NULL
       AND (p_from IS NULL
            OR m.created_at >= p_from::timestamp AT TIME ZONE 'Asia/Tehran')
       AND (p_to IS NULL OR m.created_at
            < (p_to + 1)::timestamp AT TIME ZONE 'Asia/Tehran')
$$;

-- After guard_staff: messages_resend(submission_key, state failed|expired,
-- first day, last day (Tehran's, of when they were made; NULL: no bound), most
-- at once) → repeated, resent: how many.  What was sent again already is not
-- again, and no codes.
CREATE OR REPLACE FUNCTION messages_resend(p_submission_key text,
    p_state text, p_from date, p_to date, p_most integer)
RETURNS TABLE (repeated boolean, resent integer)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_me    staff := me_staff('manager,admin');
    v_ids   bigint[];
BEGIN
    IF p_state IS NULL OR p_state NOT IN ('failed', 'expired') THEN
        PERFORM fail('CR409', 'message_not_resendable');
    END IF;

    resent := submission_begin('staff', v_me.id, p_submission_key,
                               'resend_all')::integer;
    repeated := resent IS NOT NULL;

    IF repeated THEN
        RETURN NEXT;
        RETURN;
    END IF;

    SELECT array_agg(l.id) INTO v_ids FROM (
        SELECT m.id FROM messages AS m
         WHERE m.id IN (SELECT r.id FROM messages_resendable(p_state, p_from,
                                                             p_to) AS r
                         ORDER BY r.id LIMIT p_most)
           AND m.state = p_state AND m.resent_as IS NULL
         ORDER BY m.id FOR UPDATE) AS l;

    resent := coalesce(cardinality(v_ids), 0);

    IF resent > 0 THEN
        PERFORM messages_again(v_ids, v_me.id);
    END IF;

    PERFORM audit_staff('messages_resent', 'messages', NULL,
                        jsonb_strip_nulls(jsonb_build_object('state', p_state,
                            'from', p_from, 'to', p_to, 'count', resent)));
    PERFORM submission_end('staff', v_me.id, p_submission_key, 'resend_all',
                           resent::text);
    RETURN NEXT;
END
$$;
