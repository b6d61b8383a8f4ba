-- Lists of letters for clerks: the inbox's tabs and the search.  They run
-- with the caller's rights (the portal may SELECT) and build their query, so
-- that each is planned for the very conditions it has: a page of a tab walks
-- that tab's partial index.

-- What a tab holds, where it is the same for everybody.  Each has an index.
CREATE OR REPLACE VIEW inbox_new AS
SELECT l.id, l.created_at, l.status, l.unit_id FROM letters AS l
 WHERE l.owner_id IS NULL AND l.closed_at IS NULL;

CREATE OR REPLACE VIEW inbox_referred AS
SELECT l.id, l.created_at, l.status, l.unit_id FROM letters AS l
 WHERE l.open_referrals > 0;

CREATE OR REPLACE VIEW inbox_late AS
SELECT l.id, l.created_at, l.status, l.unit_id FROM letters AS l
 WHERE l.closed_at IS NULL AND l.answered_at IS NULL
   AND l.clock_stopped_on IS NULL AND l.due_on < today();

CREATE OR REPLACE VIEW inbox_undelivered AS
SELECT l.id, l.created_at, l.status, l.unit_id FROM letters AS l
 WHERE l.undelivered;

-- Those whose letters are somebody's today, as one array: their own, and of
-- whom they stand in for.  PL/pgSQL keeps its plans; a function in SQL that
-- reads a table is planned anew by each page.
CREATE OR REPLACE FUNCTION owners_of(p_staff bigint) RETURNS bigint[]
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN p_staff || array(SELECT DISTINCT s.absent_id
                              FROM correspondence.substitutes AS s
                             WHERE s.substitute_id = p_staff
                               AND s.ended_at IS NULL
                               AND correspondence.today()
                                   BETWEEN s.from_on AND s.to_on);
END
$$;

-- The units somebody works for today, as one array.
CREATE OR REPLACE FUNCTION units_of(p_staff bigint) RETURNS bigint[]
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN array(SELECT u.unit_id FROM correspondence.staff_units AS u
                  WHERE u.staff_id = p_staff);
END
$$;

-- Where the next page begins: a row's created_at (microseconds) and id, as
-- the address of a page carries them.  Nonsense is the first page.
CREATE OR REPLACE FUNCTION page_cursor(p_at timestamptz, p_id bigint)
RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT (extract(epoch FROM p_at) * 1000000)::bigint || '-' || p_id
$$;

CREATE OR REPLACE FUNCTION page_cursor_at(p_cursor text)
RETURNS timestamptz
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN p_cursor ~ '^[0-9]{1,17}-[0-9]{1,18}$' THEN
        timestamptz 'epoch' + split_part(p_cursor, '-', 1)::bigint
            * interval '1 microsecond' END
$$;

CREATE OR REPLACE FUNCTION page_cursor_id(p_cursor text) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_cursor ~ '^[0-9]{1,17}-[0-9]{1,18}$' THEN
        split_part(p_cursor, '-', 2)::bigint END
$$;

-- A condition for a column: of one value the index gives what it has in order.
CREATE OR REPLACE FUNCTION one_of(p_column text, p_values text, p_of bigint[])
RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT p_column || CASE WHEN cardinality(p_of) = 1
                            THEN ' = (' || p_values || ')[1]'
                            ELSE ' = ANY (' || p_values || ')' END
$$;

-- The letters of units, newest first, as r: what they have, what of it is late,
-- or for other tabs also what they have answered (as expert_letters).
--   $2 the units, $3 and $4 cursor
CREATE OR REPLACE FUNCTION unit_letters(p_units bigint[], p_tab text,
    p_goes_on boolean, p_limit text DEFAULT '') RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT '(SELECT DISTINCT r.letter_at, r.letter_id '
        'FROM correspondence.referrals AS r WHERE '
        || correspondence.one_of('r.unit_id', '$2', p_units)
        || CASE p_tab WHEN 'unit' THEN ' AND r.outcome IS NULL'
                WHEN 'late' THEN ' AND r.outcome IS NULL '
                'AND r.late_on < correspondence.today()'
                ELSE ' AND (r.outcome IS NULL OR r.outcome = ''answered'')' END
        || CASE WHEN p_goes_on THEN ' AND (r.letter_at, r.letter_id) < ($3, $4)'
                ELSE '' END
        || ' ORDER BY r.letter_at DESC, r.letter_id DESC' || p_limit || ') AS r'
$$;

-- What both lists may be narrowed by; letters are named l.
--   $3 and $4 cursor, $5 status, $6 unit id, $7 from, $8 to (times)
CREATE OR REPLACE FUNCTION inbox_filters(p_status text, p_unit bigint,
    p_from date, p_to date, p_goes_on boolean) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_status IS NULL THEN '' ELSE ' AND l.status = $5' END
        || CASE WHEN p_unit IS NULL THEN '' ELSE ' AND l.unit_id = $6' END
        || CASE WHEN p_from IS NULL THEN '' ELSE ' AND l.created_at >= $7' END
        || CASE WHEN p_to IS NULL THEN '' ELSE ' AND l.created_at < $8' END
        || CASE WHEN p_goes_on THEN ' AND (l.created_at, l.id) < ($3, $4)'
                ELSE '' END
$$;

-- inbox(staff id, tab, status or NULL, unit id or NULL, from, to dates or
--       NULL, cursor or NULL, count) → id, newest first.
-- Tabs: new mine unit referred late undelivered open all.  Experts hold
-- referrals, not letters: whatever they look at is so among what their units
-- have or have answered.
-- ROWS: with the thousand that is otherwise supposed, a table of ten thousand
-- letters is read whole for the page's 26.
CREATE OR REPLACE FUNCTION inbox(p_staff bigint, p_tab text, p_status text,
    p_unit bigint, p_from date, p_to date, p_cursor text, p_count integer)
RETURNS TABLE (id bigint)
LANGUAGE plpgsql STABLE ROWS 26 AS $$
DECLARE
    v_after     timestamptz := correspondence.page_cursor_at(p_cursor);
    v_after_id  bigint := correspondence.page_cursor_id(p_cursor);
    v_role      text;
    v_units     bigint[] := correspondence.units_of(p_staff);
    v_owners    bigint[] := correspondence.owners_of(p_staff);
    v_tab       text := p_tab;
    v_from      text;
    v_where     text;
BEGIN
    SELECT s.role INTO v_role
      FROM correspondence.staff AS s WHERE s.id = p_staff;

    IF v_role IS NULL THEN
        RETURN;
    END IF;

    -- What somebody begins with: experts have nothing but their unit's.

    IF v_tab = '' THEN
        v_tab := CASE WHEN v_role = 'expert' THEN 'unit' ELSE 'new' END;
    END IF;

    IF v_role = 'expert' AND v_tab IN ('new', 'mine') THEN
        RETURN;
    END IF;

    v_from := 'correspondence.'
        || CASE WHEN v_tab IN ('new', 'referred', 'undelivered')
                  OR v_tab = 'late' AND v_role <> 'expert' THEN
                'inbox_' || v_tab ELSE 'letters' END || ' AS l';
    v_where := CASE v_tab
        WHEN 'mine' THEN 'l.closed_at IS NULL AND '
            || correspondence.one_of('l.owner_id', '$1', v_owners)
        WHEN 'open' THEN 'l.closed_at IS NULL'
        ELSE 'true' END
        || correspondence.inbox_filters(p_status, p_unit, p_from, p_to,
                                        v_after IS NOT NULL);

    -- These are few: never through all letters of another unit.

    IF v_tab IN ('referred', 'undelivered', 'unit') OR v_role = 'expert' THEN
        v_where := replace(v_where, 'l.unit_id', 'l.unit_id + 0');
    END IF;

    IF v_role = 'expert' OR v_tab = 'unit' THEN
        v_from := correspondence.unit_letters(v_units, v_tab,
                                              v_after IS NOT NULL)
            || ' JOIN ' || v_from || ' ON l.id = r.letter_id';
        v_where := v_where || ' ORDER BY r.letter_at DESC, r.letter_id DESC';
    ELSE
        v_where := v_where || ' ORDER BY l.created_at DESC, l.id DESC';
    END IF;

    RETURN QUERY EXECUTE
        'SELECT l.id FROM ' || v_from || ' WHERE ' || v_where || ' LIMIT $9'
        USING v_owners, v_units, v_after, v_after_id, p_status, p_unit,
              p_from::timestamp AT TIME ZONE 'Asia/Tehran',
              (p_to + 1)::timestamp AT TIME ZONE 'Asia/Tehran', p_count;
END
$$;

-- inbox_counts(staff id, bound) → tab, count (at most bound), more
-- more: there are more than bound; nothing beyond is counted.  The tabs are
-- those the role has a use for.  Planned once in a session: planning anew
-- costs more than the counting.
CREATE OR REPLACE FUNCTION inbox_counts(p_staff bigint, p_bound integer)
RETURNS TABLE (tab text, count bigint, more boolean)
LANGUAGE plpgsql STABLE ROWS 6 SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    v_expert    boolean;
    v_units     bigint[] := correspondence.units_of(p_staff);
    v_owners    bigint[] := correspondence.owners_of(p_staff);
    v_some      bigint := p_bound + 1;
BEGIN
    SELECT s.role = 'expert' INTO v_expert
      FROM correspondence.staff AS s WHERE s.id = p_staff;

    RETURN QUERY
    SELECT t.tab, least(t.n, p_bound), t.n > p_bound FROM (
        SELECT 1 AS place, 'new' AS tab, (SELECT count(*) FROM (
               SELECT FROM correspondence.inbox_new LIMIT v_some) AS b) AS n
         WHERE NOT v_expert
        UNION ALL
        SELECT 2, 'mine', (SELECT count(*) FROM (
               SELECT FROM correspondence.letters AS l
                WHERE l.closed_at IS NULL AND l.owner_id = ANY (v_owners)
                LIMIT v_some) AS b)
         WHERE NOT v_expert
        UNION ALL
        -- A unit has a letter once: of one unit nothing is there twice, and
        -- so many referrals of several are as many letters at least.
        SELECT 3, 'unit', CASE WHEN cardinality(v_units) = 1 THEN
               (SELECT count(*) FROM (
               SELECT FROM correspondence.referrals AS r
                WHERE r.unit_id = v_units[1] AND r.outcome IS NULL
                LIMIT v_some) AS b)
               ELSE (SELECT count(DISTINCT b.letter_id) FROM (
               SELECT r.letter_id FROM correspondence.referrals AS r
                WHERE r.unit_id = ANY (v_units) AND r.outcome IS NULL
                LIMIT v_some * cardinality(v_units)) AS b) END
        UNION ALL
        SELECT 4, 'referred', (SELECT count(*) FROM (
               SELECT FROM correspondence.inbox_referred LIMIT v_some) AS b)
         WHERE NOT v_expert
        UNION ALL
        -- The oldest that are open are late, the newest are not.
        SELECT 5, 'late', (SELECT count(*) FROM (
               SELECT FROM correspondence.inbox_late AS l
                ORDER BY l.created_at, l.id LIMIT v_some) AS b)
         WHERE NOT v_expert
        UNION ALL
        SELECT 5, 'late', CASE WHEN cardinality(v_units) = 1 THEN
               (SELECT count(*) FROM (
               SELECT FROM correspondence.referrals AS r
                WHERE r.unit_id = v_units[1] AND r.outcome IS NULL
                  AND r.late_on < correspondence.today()
                LIMIT v_some) AS b)
               ELSE (SELECT count(DISTINCT b.letter_id) FROM (
               SELECT r.letter_id FROM correspondence.referrals AS r
                WHERE r.unit_id = ANY (v_units) AND r.outcome IS NULL
                  AND r.late_on < correspondence.today()
                LIMIT v_some * cardinality(v_units)) AS b) END
         WHERE v_expert
        UNION ALL
        SELECT 6, 'undelivered', (SELECT count(*) FROM (
               SELECT FROM correspondence.inbox_undelivered LIMIT v_some) AS b)
         WHERE NOT v_expert) AS t
     ORDER BY t.place;
END
$$;

-- clerk_search(staff id, what was typed, cursor or NULL, count, status, unit
--              id, from, to: as inbox()) → id, newest first.
-- Digits find tracking code, register number, national code, mobile and
-- company id exactly; «number/year» a register number of that year; words
-- are looked for in subject, names and company, folded, the last one as a
-- beginning.
DROP FUNCTION IF EXISTS clerk_search(bigint, text, text, integer);

CREATE OR REPLACE FUNCTION clerk_search(p_staff bigint, p_text text,
    p_cursor text, p_count integer, p_status text, p_unit bigint,
    p_from date, p_to date)
RETURNS TABLE (id bigint)
LANGUAGE plpgsql STABLE ROWS 26 AS $$
DECLARE
    v_after     timestamptz := correspondence.page_cursor_at(p_cursor);
    v_after_id  bigint := correspondence.page_cursor_id(p_cursor);
    v_role      text;
    v_units     bigint[] := correspondence.units_of(p_staff);
    v_folded    text := correspondence.fold_text(p_text);
    v_digits    text := replace(v_folded, ' ', '');
    v_query     tsquery := correspondence.search_query(p_text);
    v_where     text;
    v_filters   text;
    v_newest    text;
    v_rows      bigint[];
    v_window    integer;
    v_number    integer;
    v_year      integer;
    v_from      timestamptz := p_from::timestamp AT TIME ZONE 'Asia/Tehran';
    v_to        timestamptz := (p_to + 1)::timestamp
                               AT TIME ZONE 'Asia/Tehran';
BEGIN
    SELECT s.role INTO v_role
      FROM correspondence.staff AS s WHERE s.id = p_staff;

    IF v_role IS NULL THEN
        RETURN;
    END IF;

    v_filters := correspondence.inbox_filters(p_status, p_unit, p_from, p_to,
                                              v_after IS NOT NULL);

    IF v_folded ~ '^[0-9]{1,9} 1[34][0-9]{2}$' THEN
        v_number := split_part(v_folded, ' ', 1)::integer;
        v_year := split_part(v_folded, ' ', 2)::integer;
        v_where := 'l.register_number = $11 AND l.register_year = $12';
    ELSIF v_digits ~ '^[0-9]{1,9}$' THEN
        v_number := v_digits::integer;
        v_where := '(l.register_number = $11 OR l.tracking_code = $10)';
    ELSIF v_digits ~ '^[0-9]+$' THEN
        v_where := '(l.tracking_code = $10 OR l.national_code = $10'
                || ' OR l.mobile = $10 OR l.company_national_id = $10)';
    ELSIF v_query IS NULL THEN
        RETURN;
    ELSE
        v_where := 'l.search @@ $13';
        v_newest := CASE WHEN v_role = 'expert' THEN
            correspondence.unit_letters(v_units, 'all', v_after IS NOT NULL,
                                        ' LIMIT $14')
            || ' CROSS JOIN LATERAL (SELECT n.* FROM correspondence.letters '
            'AS n WHERE n.id = r.letter_id OFFSET 0) AS l '
            'WHERE ' || v_where || v_filters
            || ' ORDER BY r.letter_at DESC, r.letter_id DESC'
        ELSE
            '(SELECT l.id, l.created_at, l.search '
            'FROM correspondence.letters AS l WHERE true' || v_filters
            || ' ORDER BY l.created_at DESC, l.id DESC LIMIT $14) AS l '
            'WHERE ' || v_where || ' ORDER BY l.created_at DESC, l.id DESC'
        END;

        -- A common word fills the page from the newest letters: of some
        -- thousands, and of more when there it was not rare.  Only a rare
        -- one needs the index of words, and then finds few; OFFSET keeps it
        -- from here, where a beginning of words is believed to be rare.
        FOREACH v_window IN ARRAY ARRAY[2000, 20000] LOOP
            EXECUTE 'SELECT array_agg(f.id) FROM (SELECT l.id FROM '
                 || v_newest || ' LIMIT $9) AS f'
               INTO v_rows
              USING p_staff, v_units, v_after, v_after_id, p_status, p_unit,
                    v_from, v_to, p_count, v_digits, v_number, v_year,
                    v_query, v_window;

            IF cardinality(v_rows) >= p_count THEN
                RETURN QUERY SELECT unnest(v_rows);
                RETURN;
            END IF;

            EXIT WHEN coalesce(cardinality(v_rows), 0) < 3;
        END LOOP;
    END IF;

    -- The order by an expression: walking the index of created_at until
    -- something matches is never the better plan here.
    RETURN QUERY EXECUTE
        'SELECT l.id FROM correspondence.letters AS l WHERE ' || v_where
        || replace(v_filters, 'l.unit_id', 'l.unit_id + 0')
        || CASE WHEN v_role <> 'expert' THEN ''
                -- as expert_letters
                ELSE ' AND EXISTS (SELECT FROM correspondence.referrals AS v '
                'WHERE v.letter_id = l.id AND v.unit_id = ANY ($2) '
                'AND (v.outcome IS NULL OR v.outcome = ''answered''))' END
        || ' ORDER BY l.created_at + interval ''0'' DESC, l.id DESC LIMIT $9'
        USING p_staff, v_units, v_after, v_after_id, p_status, p_unit,
              v_from, v_to, p_count, v_digits, v_number, v_year, v_query;
END
$$;

-- A letter in a list, for a member of staff.  news: what came last, while nobody
-- has done anything since; what units answered is not for an expert.
CREATE OR REPLACE VIEW inbox_rows AS
SELECT me.id AS staff_id, l.id, l.tracking_code, l.subject,
       btrim(l.first_name || ' ' || l.last_name) AS person_name,
       l.company_name, l.status, l.created_at, l.register_number,
       u.name AS unit_name, o.name AS owner_name, l.due_on,
       today() - (l.created_at AT TIME ZONE 'Asia/Tehran')::date AS age_days,
       l.closed_at IS NULL AND l.answered_at IS NULL
           AND l.clock_stopped_on IS NULL AND l.due_on < today()
           AS is_overdue,
       l.owner_id IS NULL AND l.closed_at IS NULL AS is_new,
       l.undelivered AS sms_failed, l.closed_at IS NOT NULL AS is_closed,
       (SELECT e.kind
          FROM (SELECT kind FROM events WHERE letter_id = l.id
                 ORDER BY id DESC LIMIT 1) AS e
         WHERE l.closed_at IS NULL
           AND (e.kind IN ('followup', 'corrected')
                OR e.kind IN ('referral_answered', 'referral_returned')
                   AND me.role <> 'expert')) AS news,
       page_cursor(l.created_at, l.id) AS cursor
  FROM staff AS me
 CROSS JOIN letters AS l
  LEFT JOIN units AS u ON u.id = l.unit_id
  LEFT JOIN staff AS o ON o.id = l.owner_id;
