-- Daily budgets of gateways, shared by all nodes.

-- gateway_budget_add(kind, name, day, so many more) → used by all that day.
-- Rows of days long gone go with the first of a new day.
CREATE OR REPLACE FUNCTION gateway_budget_add(p_kind text, p_name text,
    p_day date, p_more bigint)
RETURNS TABLE (used bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = correspondence, pg_temp AS $$
#variable_conflict use_column
BEGIN
    IF p_more = 0 THEN
        SELECT b.used INTO used FROM gateway_budgets AS b
         WHERE b.kind = p_kind AND b.name = p_name AND b.day = p_day;

        used := coalesce(used, 0);
        RETURN NEXT;
        RETURN;
    END IF;

    INSERT INTO gateway_budgets AS b (kind, name, day, used)
    VALUES (p_kind, p_name, p_day, p_more)
    ON CONFLICT (kind, name, day) DO UPDATE SET used = b.used + p_more
    RETURNING b.used INTO used;

    IF used = p_more THEN
        DELETE FROM gateway_budgets AS b WHERE b.day < p_day - 60;
    END IF;

    RETURN NEXT;
END
$$;
