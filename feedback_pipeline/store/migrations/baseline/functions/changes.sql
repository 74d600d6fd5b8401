-- Which days a statement touched. Waiting votes and other votes of the same person on the same answer take part in each
-- other's result, so their days change too.
--
-- Planning costs more than doing for one vote, so the plans are generic and kept. A session then has plans from a time
-- when the tables were small: so that none of them turns into a scan of a large table, what runs at every write looks
-- rows up one by one (LATERAL … OFFSET 0 cannot become a hash join) with sequential scans off.

CREATE FUNCTION feedback_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO change (day)
    SELECT day FROM new_rows
    UNION
    SELECT other.day FROM new_rows n CROSS JOIN LATERAL (
        SELECT f.day FROM feedback f
        WHERE f.interaction_id = n.interaction_id AND f.voter = n.voter AND f.superseded_by IS NULL
            AND f.kind <> n.kind AND f.day <> n.day OFFSET 0
    ) other;
    RETURN NULL;
END $$;

CREATE FUNCTION feedback_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO change (day)
    WITH changed AS (
        SELECT o.day AS old_day, n.day, n.interaction_id, n.voter
        FROM old_rows o JOIN new_rows n USING (id) WHERE o IS DISTINCT FROM n
    )
    SELECT old_day FROM changed
    UNION
    SELECT day FROM changed
    UNION
    SELECT other.day FROM changed c CROSS JOIN LATERAL (
        SELECT f.day FROM feedback f
        WHERE f.interaction_id = c.interaction_id AND f.voter = c.voter AND f.superseded_by IS NULL AND f.day <> c.day
        OFFSET 0
    ) other;
    RETURN NULL;
END $$;

CREATE FUNCTION feedback_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO change (day) SELECT DISTINCT day FROM old_rows;
    RETURN NULL;
END $$;

CREATE FUNCTION interaction_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO change (day)
    SELECT day FROM new_rows
    UNION
    SELECT voted.day FROM new_rows n CROSS JOIN LATERAL (
        SELECT f.day FROM feedback f WHERE f.interaction_id = n.id AND f.superseded_by IS NULL
        UNION ALL
        SELECT f.day FROM feedback f WHERE f.other_interaction_id = n.id
        OFFSET 0
    ) voted;
    RETURN NULL;
END $$;

CREATE FUNCTION interaction_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO change (day)
    SELECT o.day FROM old_rows o JOIN new_rows n USING (id) WHERE o IS DISTINCT FROM n
    UNION
    SELECT n.day FROM old_rows o JOIN new_rows n USING (id) WHERE o IS DISTINCT FROM n
    UNION
    SELECT f.day FROM old_rows o JOIN new_rows n USING (id) JOIN feedback f ON f.interaction_id = n.id
    WHERE o IS DISTINCT FROM n;
    RETURN NULL;
END $$;

CREATE FUNCTION interaction_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO change (day)
    SELECT day FROM old_rows
    UNION
    SELECT f.day FROM old_rows JOIN feedback f ON f.interaction_id = old_rows.id;
    RETURN NULL;
END $$;

CREATE FUNCTION refusal_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO change (day) SELECT DISTINCT day FROM changed_rows;
    RETURN NULL;
END $$;

-- A change of consent touches every day on which the person wrote or voted.
CREATE FUNCTION consent_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO change (day)
    SELECT f.day FROM changed_rows c JOIN feedback f USING (tenant, user_key)
    UNION
    SELECT i.day FROM changed_rows c JOIN interaction i USING (tenant, user_key);
    RETURN NULL;
END $$;

-- Computing an expired day again would make its counts zero: it is never due.
CREATE FUNCTION keep_expired_days() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.computed := NEW.version;
    NEW.requested := NEW.version;
    RETURN NEW;
END $$;
