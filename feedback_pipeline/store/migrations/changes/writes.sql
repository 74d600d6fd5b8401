-- What runs at every write of answers, names and votes.
--
-- One rule serves a single vote and a batch of fifty thousand. What a write needs of other rows is found by
-- `= ANY (ARRAY(…))`: an index is walked once for all of them, in its own order, where a look-up for each would go down it
-- anew. Plans are kept by a session from a time when its tables were small: whoever files votes forbids scans of tables
-- (`file_votes`), and no nested loop is allowed where two sides are joined, as planned for ten rows it would be the
-- square of a batch.

-- ---------------------------------------------------------------- which days a write changed
CREATE OR REPLACE FUNCTION feedback_inserted() RETURNS trigger LANGUAGE plpgsql
SET enable_nestloop = off AS $$
BEGIN
    INSERT INTO change (day)
    SELECT day FROM new_rows
    UNION
    SELECT f.day FROM new_rows n
    JOIN feedback f ON f.interaction_id = n.interaction_id AND f.voter = n.voter AND f.superseded_by IS NULL
        AND f.interaction_id = ANY (ARRAY(SELECT interaction_id FROM new_rows))
        AND f.voter = ANY (ARRAY(SELECT voter FROM new_rows))
    WHERE f.kind <> n.kind AND f.day <> n.day;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION interaction_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO change (day)
    SELECT day FROM new_rows
    UNION
    SELECT f.day FROM feedback f WHERE f.interaction_id = ANY (ARRAY(SELECT id FROM new_rows)) AND f.superseded_by IS NULL
    UNION
    SELECT f.day FROM feedback f WHERE f.other_interaction_id = ANY (ARRAY(SELECT id FROM new_rows));
    RETURN NULL;
END $$;

-- ---------------------------------------------------------------- votes that wait for a name
CREATE OR REPLACE FUNCTION interaction_key_inserted() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_nestloop = off AS $$
DECLARE
    claimed uuid[] := ARRAY(SELECT uuid_or_null(n.value) FROM new_rows n WHERE n.kind = 'interaction');
    arrived uuid[];
BEGIN
    SELECT array_agg(DISTINCT n.interaction_id) INTO arrived
    FROM new_rows n
    JOIN (
        SELECT f.tenant, f.key_kind AS kind, f.key_value AS value FROM feedback f
        WHERE f.interaction_id IS NULL AND f.tenant = ANY (ARRAY(SELECT DISTINCT tenant FROM new_rows))
            AND f.key_kind = ANY (ARRAY(SELECT DISTINCT kind FROM new_rows))
            AND f.key_value = ANY (ARRAY(SELECT value FROM new_rows))
        UNION
        SELECT f.tenant, 'interaction', f.interaction_id::text FROM votes_on(claimed) f
        UNION
        -- another answer of the same name
        SELECT o.tenant, o.kind, o.value FROM interaction_key o
        WHERE o.tenant = ANY (ARRAY(SELECT DISTINCT tenant FROM new_rows))
            AND o.kind = ANY (ARRAY(SELECT DISTINCT kind FROM new_rows))
            AND o.value = ANY (ARRAY(SELECT value FROM new_rows))
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
SET enable_nestloop = off AS $$
DECLARE
    counted counted_vote[];
    seen_people person_seen[];
BEGIN
    WITH current AS MATERIALIZED (
        SELECT n.id, n.interaction_id, n.tenant, n.day, n.kind, n.thumb, n.stars, n.comment IS NOT NULL AS commented,
            i.id AS matched, i.model, i.intent, i.project, i.content_type, i.action_type, i.memory_used
        FROM new_rows n
        LEFT JOIN interaction i ON i.id = n.interaction_id AND i.tenant = n.tenant
            AND i.id = ANY (ARRAY(SELECT interaction_id FROM new_rows))
        WHERE n.superseded_by IS NULL AND NOT n.withdrawn AND NOT about_subject(n.key_kind)
    ), noted AS (
        INSERT INTO vote_unmatched (feedback_id, interaction_id)
        SELECT c.id, c.interaction_id FROM current c WHERE c.matched IS NULL AND c.interaction_id IS NOT NULL
    )
    SELECT array_agg((1, c.tenant, c.day, c.model, c.intent, c.project, c.content_type, c.action_type, c.memory_used,
                      c.kind, c.thumb, c.stars, c.commented)::counted_vote)
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
    )
    SELECT array_agg((l.tenant, l.kind, l.person, l.day, NULL)::person_seen) INTO seen_people
    FROM latest l
    LEFT JOIN person_seen s ON s.person = l.person AND s.kind = l.kind AND s.tenant = l.tenant AND s.person = ANY (
        ARRAY(SELECT user_key FROM new_rows UNION ALL SELECT session_key FROM new_rows))
    -- people already seen on that day or later are not touched, so their row is not locked
    WHERE s.day IS NULL OR s.day < l.day;
    IF seen_people IS NOT NULL THEN
        PERFORM record_people(seen_people);
    END IF;
    RETURN NULL;
END $$;

-- People seen on a later day than before: each is there once.
CREATE OR REPLACE FUNCTION record_people(seen_people person_seen[]) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    WITH moved AS (
        INSERT INTO person_seen AS known (tenant, kind, person, day)
        SELECT p.tenant, p.kind, p.person, p.day FROM unnest(seen_people) p ORDER BY 1, 2, 3
        ON CONFLICT (tenant, kind, person) DO UPDATE SET previous = known.day, day = excluded.day
            WHERE known.day < excluded.day
        RETURNING tenant, kind, day, previous
    )
    INSERT INTO person_delta
    SELECT m.tenant, m.kind, m.day, count(*) FROM moved m GROUP BY 1, 2, 3
    UNION ALL
    SELECT m.tenant, m.kind, m.previous, -count(*) FROM moved m WHERE m.previous IS NOT NULL GROUP BY 1, 2, 3;
END $$;

CREATE OR REPLACE FUNCTION interaction_counted_in() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    arrived uuid[];
BEGIN
    SELECT array_agg(DISTINCT u.interaction_id) INTO arrived FROM vote_unmatched u
    WHERE u.interaction_id = ANY (ARRAY(SELECT id FROM new_rows));
    IF arrived IS NOT NULL THEN
        PERFORM match_votes(arrived);
    END IF;
    RETURN NULL;
END $$;
