-- What runs at every write of answers, names and votes.
--
-- One rule serves a single vote and a batch of fifty thousand. What a write needs of other rows is found by
-- `= ANY (array)`: an index is walked once for all of them, in its own order, where a look-up for each would go down it
-- anew. Plans are generic and kept by a session from a time when its tables were small, so no scan of a table and no
-- nested loop is allowed in them: one of the two would be what the planner likes best for ten rows.

-- ---------------------------------------------------------------- which days a write changed
CREATE OR REPLACE FUNCTION feedback_inserted() RETURNS trigger LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_nestloop = off AS $$
DECLARE
    answers uuid[] := ARRAY(SELECT n.interaction_id FROM new_rows n WHERE n.interaction_id IS NOT NULL);
    voters text[] := ARRAY(SELECT n.voter FROM new_rows n);
BEGIN
    INSERT INTO change (day)
    SELECT day FROM new_rows
    UNION
    SELECT f.day FROM new_rows n
    JOIN feedback f ON f.interaction_id = n.interaction_id AND f.voter = n.voter
        AND f.interaction_id = ANY (answers) AND f.voter = ANY (voters) AND f.superseded_by IS NULL
    WHERE f.kind <> n.kind AND f.day <> n.day;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION interaction_inserted() RETURNS trigger LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    arrived uuid[] := ARRAY(SELECT n.id FROM new_rows n);
BEGIN
    INSERT INTO change (day)
    SELECT day FROM new_rows
    UNION
    SELECT f.day FROM feedback f WHERE f.interaction_id = ANY (arrived) AND f.superseded_by IS NULL
    UNION
    SELECT f.day FROM feedback f WHERE f.other_interaction_id = ANY (arrived);
    RETURN NULL;
END $$;

-- ---------------------------------------------------------------- votes that wait for a name
CREATE OR REPLACE FUNCTION interaction_key_inserted() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_nestloop = off AS $$
DECLARE
    tenants text[] := ARRAY(SELECT DISTINCT n.tenant FROM new_rows n);
    kinds text[] := ARRAY(SELECT DISTINCT n.kind FROM new_rows n);
    names text[] := ARRAY(SELECT n.value FROM new_rows n);
    claimed uuid[] := ARRAY(SELECT uuid_or_null(n.value) FROM new_rows n WHERE n.kind = 'interaction');
    arrived uuid[];
BEGIN
    SELECT array_agg(DISTINCT n.interaction_id) INTO arrived
    FROM new_rows n
    JOIN (
        SELECT f.tenant, f.key_kind AS kind, f.key_value AS value FROM feedback f
        WHERE f.interaction_id IS NULL AND f.tenant = ANY (tenants) AND f.key_kind = ANY (kinds) AND f.key_value = ANY (names)
        UNION
        SELECT f.tenant, 'interaction', f.interaction_id::text FROM votes_on(claimed) f
        UNION
        -- another answer of the same name
        SELECT o.tenant, o.kind, o.value FROM interaction_key o
        WHERE o.tenant = ANY (tenants) AND o.kind = ANY (kinds) AND o.value = ANY (names)
        GROUP BY o.tenant, o.kind, o.value HAVING count(*) > 1
    ) awaited ON awaited.tenant = n.tenant AND awaited.kind = n.kind
        AND awaited.value = CASE n.kind WHEN 'interaction' THEN COALESCE(uuid_or_null(n.value)::text, n.value) ELSE n.value END;
    IF arrived IS NOT NULL THEN
        PERFORM bind_arrived(arrived);
    END IF;
    RETURN NULL;
END $$;

-- ---------------------------------------------------------------- rollups
CREATE OR REPLACE FUNCTION feedback_counted_in() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_nestloop = off AS $$
DECLARE
    answers uuid[] := ARRAY(SELECT n.interaction_id FROM new_rows n WHERE n.interaction_id IS NOT NULL);
    people text[] := ARRAY(
        SELECT n.user_key FROM new_rows n WHERE n.user_key IS NOT NULL
        UNION ALL
        SELECT n.session_key FROM new_rows n WHERE n.session_key IS NOT NULL);
    counted counted_vote[];
BEGIN
    WITH current AS MATERIALIZED (
        SELECT n.id, n.interaction_id, n.tenant, n.day, n.kind, n.thumb, n.stars, n.comment IS NOT NULL AS commented,
            i.id AS matched, i.model, i.intent, i.project, i.content_type, i.action_type, i.memory_used
        FROM new_rows n
        LEFT JOIN interaction i ON i.id = n.interaction_id AND i.tenant = n.tenant AND i.id = ANY (answers)
        WHERE n.superseded_by IS NULL AND NOT n.withdrawn AND NOT about_subject(n.key_kind)
    ), noted AS (
        INSERT INTO vote_unmatched (feedback_id, interaction_id)
        SELECT c.id, c.interaction_id FROM current c WHERE c.matched IS NULL AND c.interaction_id IS NOT NULL
    )
    SELECT array_agg((1, c.tenant, c.day, c.model, c.intent, c.project, c.content_type, c.action_type, c.memory_used, c.kind,
                      c.thumb, c.stars, c.commented)::counted_vote)
    INTO counted FROM current c;
    IF counted IS NOT NULL THEN
        PERFORM record_counts(counted);
    END IF;

    WITH latest AS (
        SELECT p.tenant, p.kind, p.person, max(p.day) AS day FROM (
            SELECT n.tenant, 'user', n.user_key, n.day FROM new_rows n WHERE n.user_key IS NOT NULL AND NOT n.withdrawn
            UNION ALL
            SELECT n.tenant, 'session', n.session_key, n.day FROM new_rows n
            WHERE n.session_key IS NOT NULL AND NOT n.withdrawn
                -- a change of an anonymous vote bears the first event's id instead of a session
                AND NOT (n.supersedes IS NOT NULL AND n.session_key ~ '^[0-9a-f]{8}-[0-9a-f]{4}-')
        ) p (tenant, kind, person, day)
        GROUP BY 1, 2, 3
    ), moved AS (
        INSERT INTO person_seen AS known (tenant, kind, person, day)
        SELECT l.tenant, l.kind, l.person, l.day FROM latest l
        LEFT JOIN person_seen s ON s.person = l.person AND s.kind = l.kind AND s.tenant = l.tenant
            AND s.person = ANY (people)
        -- people already seen on that day or later are not touched, so their row is not locked
        WHERE s.day IS NULL OR s.day < l.day
        ORDER BY 1, 2, 3
        ON CONFLICT (tenant, kind, person) DO UPDATE SET previous = known.day, day = excluded.day
            WHERE known.day < excluded.day
        RETURNING tenant, kind, day, previous
    )
    INSERT INTO person_delta
    SELECT m.tenant, m.kind, m.day, count(*) FROM moved m GROUP BY 1, 2, 3
    UNION ALL
    SELECT m.tenant, m.kind, m.previous, -count(*) FROM moved m WHERE m.previous IS NOT NULL GROUP BY 1, 2, 3;
    RETURN NULL;
END $$;
DROP FUNCTION record_people(person_seen[]);

CREATE OR REPLACE FUNCTION interaction_counted_in() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    arrived uuid[] := ARRAY(SELECT n.id FROM new_rows n);
BEGIN
    arrived := ARRAY(SELECT DISTINCT u.interaction_id FROM vote_unmatched u WHERE u.interaction_id = ANY (arrived));
    IF cardinality(arrived) > 0 THEN
        PERFORM match_votes(arrived);
    END IF;
    RETURN NULL;
END $$;
