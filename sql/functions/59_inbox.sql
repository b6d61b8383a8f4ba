-- Lists of letters for clerks: the inbox's tabs and the search.  They run
-- with the caller's rights (the portal may SELECT) and build their query, so
-- that each is planned for the very conditions it has: a page of a tab walks
-- that tab's partial index.

-- The condition of a tab for a member of staff; letters are named l.
--   $1 staff id, $2 their units (see staff_units), $3 today
CREATE OR REPLACE FUNCTION inbox_where(p_tab text, p_role text,
    p_stands_in boolean)
RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE p_tab
        WHEN 'new' THEN
            'l.owner_id IS NULL AND l.closed_at IS NULL'
        WHEN 'mine' THEN 'l.closed_at IS NULL AND l.owner_id = '
            -- Of one owner the index gives them in order.
            || CASE WHEN p_stands_in THEN 'ANY (ARRAY(SELECT $1 '
            'UNION SELECT s.absent_id FROM correspondence.substitutes AS s '
            'WHERE s.substitute_id = $1 AND s.ended_at IS NULL '
            'AND $3 BETWEEN s.from_on AND s.to_on))' ELSE '$1' END
        WHEN 'unit' THEN
            -- An array: a unit that has none is not looked for through all
            -- letters.
            'l.id = ANY (ARRAY(SELECT r.letter_id '
            'FROM correspondence.referrals AS r '
            'WHERE r.unit_id = ANY ($2) AND r.outcome IS NULL))'
        WHEN 'referred' THEN
            'l.open_referrals > 0'
        WHEN 'late' THEN
            'l.closed_at IS NULL AND l.answered_at IS NULL '
            'AND l.clock_stopped_on IS NULL AND l.due_on < $3'
        WHEN 'undelivered' THEN 'l.undelivered'
        WHEN 'open' THEN 'l.closed_at IS NULL'
        ELSE 'true' END
    -- Experts hold referrals, not letters; what is late is so among what
    -- their unit has.
    || CASE WHEN p_role <> 'expert' OR p_tab = 'unit' THEN ''
            WHEN p_tab IN ('new', 'mine') THEN ' AND false'
            WHEN p_tab = 'late' THEN
            ' AND l.id = ANY (ARRAY(SELECT r.letter_id '
            'FROM correspondence.referrals AS r '
            'WHERE r.unit_id = ANY ($2) AND r.outcome IS NULL))'
            -- as expert_letters
            ELSE ' AND EXISTS (SELECT FROM correspondence.referrals AS v '
            'WHERE v.letter_id = l.id AND v.unit_id = ANY ($2) '
            'AND (v.outcome IS NULL OR v.outcome = ''answered''))' END
$$;

DROP FUNCTION IF EXISTS inbox_where(text, text);

-- Does somebody stand in for a colleague today?
CREATE OR REPLACE FUNCTION stands_in(p_staff bigint) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM correspondence.substitutes AS s
                    WHERE s.substitute_id = p_staff AND s.ended_at IS NULL
                      AND correspondence.today()
                          BETWEEN s.from_on AND s.to_on)
$$;

-- The units somebody works for today, as one array.
CREATE OR REPLACE FUNCTION units_of(p_staff bigint) RETURNS bigint[]
LANGUAGE sql STABLE AS $$
    SELECT array(SELECT u.unit_id FROM correspondence.staff_units AS u
                  WHERE u.staff_id = p_staff)
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

-- inbox(staff id, tab, status or NULL, unit id or NULL, from, to dates or
--       NULL, cursor or NULL, count) → id, newest first.
-- Tabs: new mine unit referred late undelivered open all.
CREATE OR REPLACE FUNCTION inbox(p_staff bigint, p_tab text, p_status text,
    p_unit bigint, p_from date, p_to date, p_cursor text, p_count integer)
RETURNS TABLE (id bigint)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_after     timestamptz := correspondence.page_cursor_at(p_cursor);
    v_after_id  bigint := correspondence.page_cursor_id(p_cursor);
    v_role      text;
    v_units     bigint[] := correspondence.units_of(p_staff);
    v_tab       text := p_tab;
    v_today     date := correspondence.today();
    v_where     text;
BEGIN
    SELECT s.role INTO v_role
      FROM correspondence.staff AS s WHERE s.id = p_staff;

    -- What somebody begins with: experts have nothing but their unit's.

    IF v_tab = '' THEN
        v_tab := CASE WHEN v_role = 'expert' THEN 'unit' ELSE 'new' END;
    END IF;

    v_where := correspondence.inbox_where(v_tab, v_role,
                                          correspondence.stands_in(p_staff))
        || CASE WHEN p_status IS NULL THEN '' ELSE ' AND l.status = $4' END
        || CASE WHEN p_unit IS NULL THEN ''
                WHEN v_tab IN ('referred', 'late', 'undelivered', 'unit')
                THEN ' AND l.unit_id + 0 = $5'
                ELSE ' AND l.unit_id = $5' END
        || CASE WHEN p_from IS NULL THEN '' ELSE ' AND l.created_at >= $6' END
        || CASE WHEN p_to IS NULL THEN '' ELSE ' AND l.created_at < $7' END
        || CASE WHEN v_after IS NULL THEN ''
                ELSE ' AND (l.created_at, l.id) < ($8, $9)' END;

    RETURN QUERY EXECUTE
        'SELECT l.id FROM correspondence.letters AS l WHERE ' || v_where
        || ' ORDER BY l.created_at DESC, l.id DESC LIMIT $10'
        USING p_staff, v_units, v_today, p_status, p_unit,
              p_from::timestamp AT TIME ZONE 'Asia/Tehran',
              (p_to + 1)::timestamp AT TIME ZONE 'Asia/Tehran',
              v_after, v_after_id, p_count;
END
$$;

-- inbox_counts(staff id, bound) → tab, count (at most bound), more
-- more: there are more than bound; nothing beyond is counted.  The tabs are
-- those the role has a use for.
CREATE OR REPLACE FUNCTION inbox_counts(p_staff bigint, p_bound integer)
RETURNS TABLE (tab text, count bigint, more boolean)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_role      text;
    v_units     bigint[] := correspondence.units_of(p_staff);
    v_stands_in boolean := correspondence.stands_in(p_staff);
BEGIN
    SELECT s.role INTO v_role
      FROM correspondence.staff AS s WHERE s.id = p_staff;

    FOREACH tab IN ARRAY CASE v_role WHEN 'expert' THEN ARRAY['unit', 'late']
        ELSE ARRAY['new', 'mine', 'unit', 'referred', 'late', 'undelivered']
        END
    LOOP
        EXECUTE 'SELECT least(count(*), $4), count(*) > $4 FROM (SELECT FROM '
             || 'correspondence.letters AS l WHERE '
             || correspondence.inbox_where(tab, v_role, v_stands_in)
             || ' LIMIT $4 + 1) AS bounded'
           INTO count, more
          USING p_staff, v_units, correspondence.today(), p_bound;
        RETURN NEXT;
    END LOOP;
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
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_after     timestamptz := correspondence.page_cursor_at(p_cursor);
    v_after_id  bigint := correspondence.page_cursor_id(p_cursor);
    v_role      text;
    v_units     bigint[] := correspondence.units_of(p_staff);
    v_folded    text := correspondence.fold_text(p_text);
    v_digits    text := replace(v_folded, ' ', '');
    v_query     tsquery := correspondence.search_query(p_text);
    v_where     text;
    v_sees      text;
    v_filters   text;
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
    v_sees := correspondence.inbox_where('all', v_role, false);
    v_filters := CASE WHEN p_status IS NULL THEN ''
                      ELSE ' AND l.status = $10' END
        || CASE WHEN p_unit IS NULL THEN '' ELSE ' AND l.unit_id = $11' END
        || CASE WHEN p_from IS NULL THEN ''
                ELSE ' AND l.created_at >= $12' END
        || CASE WHEN p_to IS NULL THEN '' ELSE ' AND l.created_at < $13' END
        || CASE WHEN v_after IS NULL THEN ''
                ELSE ' AND (l.created_at, l.id) < ($3, $4)' END;

    IF v_folded ~ '^[0-9]{1,9} 1[34][0-9]{2}$' THEN
        v_number := split_part(v_folded, ' ', 1)::integer;
        v_year := split_part(v_folded, ' ', 2)::integer;
        v_where := 'l.register_number = $7 AND l.register_year = $8';
    ELSIF v_digits ~ '^[0-9]{1,9}$' THEN
        v_number := v_digits::integer;
        v_where := '(l.register_number = $7 OR l.tracking_code = $6)';
    ELSIF v_digits ~ '^[0-9]+$' THEN
        v_where := '(l.tracking_code = $6 OR l.national_code = $6'
                || ' OR l.mobile = $6 OR l.company_national_id = $6)';
    ELSIF v_query IS NULL THEN
        RETURN;
    ELSE
        v_where := 'l.search @@ $5';

        -- A common word fills the page from the newest letters: of some
        -- thousands, and of more when there it was not rare.  Only a rare
        -- one needs the index of words, and then finds few.
        FOREACH v_window IN ARRAY ARRAY[2000, 20000] LOOP
            EXECUTE 'SELECT array_agg(l.id) FROM (SELECT l.id FROM ('
                 || correspondence.search_window(v_role, v_filters,
                                                 v_after IS NOT NULL)
                 || ' LIMIT $14) AS l WHERE ' || v_where || v_filters
                 || ' ORDER BY l.created_at DESC, l.id DESC LIMIT $9) AS l'
               INTO v_rows
              USING p_staff, v_units, v_after, v_after_id, v_query, v_digits,
                    v_number, v_year, p_count, p_status, p_unit, v_from,
                    v_to, v_window;

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
        || ' AND ' || v_sees || replace(v_filters, 'l.unit_id', 'l.unit_id + 0')
        || ' ORDER BY l.created_at + interval ''0'' DESC, l.id DESC LIMIT $9'
        USING p_staff, v_units, v_after, v_after_id, v_query, v_digits,
              v_number, v_year, p_count, p_status, p_unit, v_from, v_to;
END
$$;

-- The newest letters that somebody may see, those clerk_search() looks through
-- first.  An expert's are found from the referrals of the unit, whose letters'
-- ids grow with their time, but for those that were sent at the same moment.
CREATE OR REPLACE FUNCTION search_window(p_role text, p_filters text,
    p_goes_on boolean) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_role <> 'expert' THEN
        'SELECT l.* FROM correspondence.letters AS l WHERE true' || p_filters
        || ' ORDER BY l.created_at DESC, l.id DESC'
    ELSE
        'SELECT l.* FROM (SELECT DISTINCT r.letter_id '
        'FROM unnest($2) AS u (id) CROSS JOIN LATERAL (SELECT v.letter_id '
        'FROM correspondence.referrals AS v WHERE v.unit_id = u.id '
        'AND (v.outcome IS NULL OR v.outcome = ''answered'')'
        || CASE WHEN p_goes_on THEN ' AND v.letter_id <= $4 + 1000'
                ELSE '' END
        || ' ORDER BY v.letter_id DESC LIMIT $14) AS r '
        'ORDER BY r.letter_id DESC LIMIT $14) AS r '
        'JOIN correspondence.letters AS l ON l.id = r.letter_id'
    END
$$;
