-- Keeping the rollups: `record_…` append what a write changed, triggers say what it was, `fold_counts` adds it up.

CREATE FUNCTION record_counts(counted counted_vote[]) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO vote_delta
    SELECT c.tenant, c.day, COALESCE(c.model, ''), COALESCE(c.intent, ''), COALESCE(c.project, ''),
        COALESCE(c.content_type, ''), COALESCE(c.action_type, ''),
        sum(c.sign),
        COALESCE(sum(c.sign) FILTER (WHERE c.kind = 'explicit' AND c.thumb), 0),
        COALESCE(sum(c.sign) FILTER (WHERE c.kind = 'explicit' AND NOT c.thumb), 0),
        COALESCE(sum(c.sign) FILTER (WHERE c.stars IS NOT NULL), 0),
        COALESCE(sum(c.sign * c.stars), 0),
        COALESCE(sum(c.sign) FILTER (WHERE c.commented), 0),
        COALESCE(sum(c.sign) FILTER (WHERE c.kind = 'correction'), 0),
        COALESCE(sum(c.sign) FILTER (WHERE c.memory IS NOT NULL), 0),
        COALESCE(sum(c.sign * c.memory), 0)
    FROM unnest(counted) c
    GROUP BY 1, 2, 3, 4, 5, 6, 7;
END $$;

CREATE FUNCTION record_people(seen_people person_seen[]) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM unnest(seen_people) p WHERE NOT EXISTS (
            SELECT FROM person_seen s
            WHERE s.tenant = p.tenant AND s.kind = p.kind AND s.person = p.person AND s.day >= p.day OFFSET 0)
    ) THEN
        RETURN;
    END IF;
    WITH latest AS (
        SELECT p.tenant, p.kind, p.person, max(p.day) AS day FROM unnest(seen_people) p GROUP BY 1, 2, 3
    ), moved AS (
        INSERT INTO person_seen AS known (tenant, kind, person, day)
        SELECT l.tenant, l.kind, l.person, l.day FROM latest l
        LEFT JOIN LATERAL (
            SELECT s.day FROM person_seen s
            WHERE s.tenant = l.tenant AND s.kind = l.kind AND s.person = l.person OFFSET 0
        ) s ON true
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
END $$;

CREATE FUNCTION feedback_counted_in() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    counted counted_vote[];
    seen_people person_seen[];
BEGIN
    WITH current AS MATERIALIZED (
        SELECT n.id, n.interaction_id, n.tenant, n.day, n.kind, n.thumb, n.stars, n.comment IS NOT NULL AS commented,
            i.id AS matched, i.model, i.intent, i.project, i.content_type, i.action_type, i.memory_used
        FROM new_rows n
        LEFT JOIN LATERAL (
            SELECT a.id, a.model, a.intent, a.project, a.content_type, a.action_type, a.memory_used
            FROM interaction a WHERE a.id = n.interaction_id AND a.tenant = n.tenant OFFSET 0
        ) i ON true
        WHERE n.superseded_by IS NULL AND NOT n.withdrawn
    ), noted AS (
        INSERT INTO vote_unmatched (feedback_id, interaction_id)
        SELECT c.id, c.interaction_id FROM current c WHERE c.matched IS NULL AND c.interaction_id IS NOT NULL
    ), alike AS (
        SELECT (count(*)::integer, c.tenant, c.day, c.model, c.intent, c.project, c.content_type, c.action_type,
                c.memory_used, c.kind, c.thumb, c.stars, c.commented)::counted_vote AS votes
        FROM current c
        GROUP BY c.tenant, c.day, c.model, c.intent, c.project, c.content_type, c.action_type, c.memory_used, c.kind,
            c.thumb, c.stars, c.commented
    )
    SELECT array_agg(a.votes) INTO counted FROM alike a;
    IF counted IS NOT NULL THEN
        PERFORM record_counts(counted);
    END IF;
    SELECT array_agg(p) INTO seen_people FROM (
        SELECT n.tenant, 'user', n.user_key, n.day, NULL::date FROM new_rows n
        WHERE n.user_key IS NOT NULL AND NOT n.withdrawn
        UNION ALL
        SELECT n.tenant, 'session', n.session_key, n.day, NULL FROM new_rows n
        WHERE n.session_key IS NOT NULL AND NOT n.withdrawn
            -- a change of an anonymous vote bears the first event's id instead of a session
            AND NOT (n.supersedes IS NOT NULL AND n.session_key ~ '^[0-9a-f]{8}-[0-9a-f]{4}-')
    ) p (tenant, kind, person, day, previous);
    IF seen_people IS NOT NULL THEN
        PERFORM record_people(seen_people);
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION feedback_recounted() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    unmatched uuid[];
    counted counted_vote[];
BEGIN
    WITH released AS (
        DELETE FROM vote_unmatched u WHERE u.feedback_id = ANY (ARRAY(SELECT o.id FROM old_rows o))
        RETURNING u.feedback_id
    )
    SELECT COALESCE(array_agg(feedback_id), '{}') INTO unmatched FROM released;
    WITH after AS MATERIALIZED (
        SELECT n.id, n.interaction_id, i.id AS matched,
            (1, n.tenant, n.day, i.model, i.intent, i.project, i.content_type, i.action_type, i.memory_used, n.kind,
             n.thumb, n.stars, n.comment IS NOT NULL)::counted_vote AS vote
        FROM new_rows n
        LEFT JOIN LATERAL (
            SELECT a.id, a.model, a.intent, a.project, a.content_type, a.action_type, a.memory_used
            FROM interaction a WHERE a.id = n.interaction_id AND a.tenant = n.tenant OFFSET 0
        ) i ON true
        WHERE n.superseded_by IS NULL AND NOT n.withdrawn
    ), noted AS (
        INSERT INTO vote_unmatched (feedback_id, interaction_id)
        SELECT a.id, a.interaction_id FROM after a WHERE a.matched IS NULL AND a.interaction_id IS NOT NULL
    ), before AS (
        SELECT (-1, o.tenant, o.day, i.model, i.intent, i.project, i.content_type, i.action_type, i.memory_used, o.kind,
                o.thumb, o.stars, o.comment IS NOT NULL)::counted_vote AS vote
        FROM old_rows o
        LEFT JOIN LATERAL (
            SELECT a.model, a.intent, a.project, a.content_type, a.action_type, a.memory_used FROM interaction a
            WHERE a.id = o.interaction_id AND a.tenant = o.tenant AND o.id NOT IN (SELECT unnest(unmatched)) OFFSET 0
        ) i ON true
        WHERE o.superseded_by IS NULL AND NOT o.withdrawn
    )
    SELECT array_agg(vote) INTO counted FROM (SELECT vote FROM before UNION ALL SELECT vote FROM after) both_sides;
    IF counted IS NOT NULL THEN
        PERFORM record_counts(counted);
    END IF;
    RETURN NULL;
END $$;

-- The two kinds of names are looked up apart: together they can only be compared one by one, which took 15 s for a
-- person with a thousand votes among two million, instead of 5.
CREATE FUNCTION feedback_counted_out() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    unmatched uuid[];
    counted counted_vote[];
BEGIN
    WITH released AS (
        DELETE FROM vote_unmatched u WHERE u.feedback_id = ANY (ARRAY(SELECT o.id FROM old_rows o))
        RETURNING u.feedback_id
    )
    SELECT COALESCE(array_agg(feedback_id), '{}') INTO unmatched FROM released;
    SELECT array_agg((-1, o.tenant, o.day, i.model, i.intent, i.project, i.content_type, i.action_type, i.memory_used,
                      o.kind, o.thumb, o.stars, o.comment IS NOT NULL)::counted_vote)
    INTO counted
    FROM old_rows o
    LEFT JOIN LATERAL (
        SELECT a.model, a.intent, a.project, a.content_type, a.action_type, a.memory_used FROM interaction a
        WHERE a.id = o.interaction_id AND a.tenant = o.tenant AND o.id NOT IN (SELECT unnest(unmatched)) OFFSET 0
    ) i ON true
    WHERE o.superseded_by IS NULL AND NOT o.withdrawn;
    IF counted IS NOT NULL THEN
        PERFORM record_counts(counted);
    END IF;
    WITH gone AS (
        SELECT DISTINCT o.tenant, 'user' AS kind, o.user_key AS person FROM old_rows o WHERE o.user_key IS NOT NULL
        UNION
        SELECT DISTINCT o.tenant, 'session', o.session_key FROM old_rows o WHERE o.session_key IS NOT NULL
    ), left_over AS (
        SELECT g.tenant, g.kind, g.person, max(f.day) AS day
        FROM gone g
        LEFT JOIN feedback f ON f.tenant = g.tenant AND f.user_key = g.person AND NOT f.withdrawn
        WHERE g.kind = 'user' GROUP BY 1, 2, 3
        UNION ALL
        SELECT g.tenant, g.kind, g.person, max(f.day)
        FROM gone g
        LEFT JOIN feedback f ON f.tenant = g.tenant AND f.session_key = g.person AND NOT f.withdrawn
        WHERE g.kind = 'session' GROUP BY 1, 2, 3
    ), forgotten AS (
        DELETE FROM person_seen s USING left_over l
        WHERE (s.tenant, s.kind, s.person) = (l.tenant, l.kind, l.person) AND l.day IS NULL
        RETURNING s.tenant, s.kind, s.day AS previous, NULL::date AS day
    ), moved AS (
        UPDATE person_seen s SET previous = s.day, day = l.day FROM left_over l
        WHERE (s.tenant, s.kind, s.person) = (l.tenant, l.kind, l.person) AND l.day <> s.day
        RETURNING s.tenant, s.kind, s.previous, s.day
    ), either AS (
        SELECT * FROM forgotten UNION ALL SELECT * FROM moved
    )
    INSERT INTO person_delta
    SELECT tenant, kind, previous, -1 FROM either
    UNION ALL
    SELECT tenant, kind, day, 1 FROM either WHERE day IS NOT NULL;
    RETURN NULL;
END $$;

-- Votes whose answer has come are moved from the unknown dimensions to the answer's. Without arguments: those of the
-- last minutes, for the rare vote that was committed at the same moment as its answer.
CREATE FUNCTION match_votes(arrived uuid[] DEFAULT NULL) RETURNS bigint LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    counted counted_vote[];
BEGIN
    WITH found AS (
        DELETE FROM vote_unmatched u USING interaction i
        WHERE i.id = u.interaction_id AND (u.interaction_id = ANY (arrived) OR (arrived IS NULL AND u.noted_at > now() - interval '10 minutes'))
            AND EXISTS (SELECT FROM feedback f WHERE f.id = u.feedback_id AND f.tenant = i.tenant)
        RETURNING u.feedback_id, i.model, i.intent, i.project, i.content_type, i.action_type, i.memory_used
    )
    SELECT array_agg(vote) INTO counted FROM (
        SELECT (-1, f.tenant, f.day, NULL, NULL, NULL, NULL, NULL, NULL, f.kind, f.thumb, f.stars,
                f.comment IS NOT NULL)::counted_vote AS vote
        FROM found JOIN feedback f ON f.id = found.feedback_id
        UNION ALL
        SELECT (1, f.tenant, f.day, found.model, found.intent, found.project, found.content_type, found.action_type,
                found.memory_used, f.kind, f.thumb, f.stars, f.comment IS NOT NULL)::counted_vote
        FROM found JOIN feedback f ON f.id = found.feedback_id
    ) both_sides;
    IF counted IS NOT NULL THEN
        PERFORM record_counts(counted);
    END IF;
    RETURN COALESCE(cardinality(counted) / 2, 0);
END $$;

CREATE FUNCTION interaction_counted_in() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    arrived uuid[];
BEGIN
    SELECT array_agg(n.id) INTO arrived FROM new_rows n
    CROSS JOIN LATERAL (SELECT FROM vote_unmatched u WHERE u.interaction_id = n.id LIMIT 1) u;
    IF arrived IS NOT NULL THEN
        PERFORM match_votes(arrived);
    END IF;
    RETURN NULL;
END $$;

-- An answer whose dimensions change, or that goes (retention, erasure): its votes are counted anew.
CREATE FUNCTION interaction_recounted() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    counted counted_vote[];
BEGIN
    SELECT array_agg(vote) INTO counted FROM (
        SELECT side.sign, side.i FROM (
            SELECT -1 AS sign, o AS i FROM old_rows o JOIN new_rows n USING (id)
            WHERE (o.model, o.intent, o.project, o.content_type, o.action_type, o.memory_used)
                IS DISTINCT FROM (n.model, n.intent, n.project, n.content_type, n.action_type, n.memory_used)
            UNION ALL
            SELECT 1, n FROM old_rows o JOIN new_rows n USING (id)
            WHERE (o.model, o.intent, o.project, o.content_type, o.action_type, o.memory_used)
                IS DISTINCT FROM (n.model, n.intent, n.project, n.content_type, n.action_type, n.memory_used)
        ) side
    ) sides
    JOIN LATERAL (
        SELECT (sides.sign, f.tenant, f.day, (sides.i).model, (sides.i).intent, (sides.i).project,
                (sides.i).content_type, (sides.i).action_type, (sides.i).memory_used, f.kind, f.thumb, f.stars,
                f.comment IS NOT NULL)::counted_vote AS vote
        FROM feedback f
        WHERE f.interaction_id = (sides.i).id AND f.tenant = (sides.i).tenant AND f.superseded_by IS NULL
            AND NOT f.withdrawn AND NOT EXISTS (SELECT FROM vote_unmatched u WHERE u.feedback_id = f.id)
    ) votes ON true;
    IF counted IS NOT NULL THEN
        PERFORM record_counts(counted);
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION interaction_counted_out() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    counted counted_vote[];
BEGIN
    WITH orphaned AS (
        SELECT f.id, f.interaction_id, f.tenant, f.day, o.model, o.intent, o.project, o.content_type, o.action_type,
            o.memory_used, f.kind, f.thumb, f.stars, f.comment IS NOT NULL AS commented
        FROM old_rows o JOIN feedback f ON f.interaction_id = o.id AND f.tenant = o.tenant
        WHERE f.superseded_by IS NULL AND NOT f.withdrawn
            AND NOT EXISTS (SELECT FROM vote_unmatched u WHERE u.feedback_id = f.id)
    ), noted AS (
        INSERT INTO vote_unmatched (feedback_id, interaction_id) SELECT id, interaction_id FROM orphaned
    )
    SELECT array_agg(vote) INTO counted FROM (
        SELECT (-1, tenant, day, model, intent, project, content_type, action_type, memory_used, kind, thumb, stars,
                commented)::counted_vote AS vote FROM orphaned
        UNION ALL
        SELECT (1, tenant, day, NULL, NULL, NULL, NULL, NULL, NULL, kind, thumb, stars, commented)::counted_vote
        FROM orphaned
    ) both_sides;
    IF counted IS NOT NULL THEN
        PERFORM record_counts(counted);
    END IF;
    RETURN NULL;
END $$;

-- Adds the deltas to the rollups; one at a time, and nobody waits for it.
CREATE FUNCTION fold_counts() RETURNS bigint LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    folded bigint;
BEGIN
    IF NOT pg_try_advisory_xact_lock(7203115941) THEN
        RETURN 0;
    END IF;
    WITH taken AS (
        DELETE FROM vote_delta RETURNING *
    ), totals AS (
        INSERT INTO vote_total AS t
        SELECT tenant, model, intent, project, sum(votes), sum(up), sum(down), sum(stars), sum(stars_sum)
        FROM taken GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
        ON CONFLICT (tenant, model, intent, project) DO UPDATE SET
            votes = t.votes + excluded.votes, up = t.up + excluded.up, down = t.down + excluded.down,
            stars = t.stars + excluded.stars, stars_sum = t.stars_sum + excluded.stars_sum
    ), days AS (
        INSERT INTO vote_day AS t
        SELECT tenant, day, model, intent, project, sum(votes), sum(up), sum(down), sum(stars), sum(stars_sum),
            sum(comments), sum(corrections), sum(memories), sum(memory_sum)
        FROM taken GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
        ON CONFLICT (tenant, day, model, intent, project) DO UPDATE SET
            votes = t.votes + excluded.votes, up = t.up + excluded.up, down = t.down + excluded.down,
            stars = t.stars + excluded.stars, stars_sum = t.stars_sum + excluded.stars_sum,
            comments = t.comments + excluded.comments, corrections = t.corrections + excluded.corrections,
            memories = t.memories + excluded.memories, memory_sum = t.memory_sum + excluded.memory_sum
    ), actions AS (
        INSERT INTO action_day AS t
        SELECT tenant, day, content_type, action_type, sum(votes), sum(up), sum(down)
        FROM taken GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
        ON CONFLICT (tenant, day, content_type, action_type) DO UPDATE SET
            votes = t.votes + excluded.votes, up = t.up + excluded.up, down = t.down + excluded.down
    )
    SELECT count(*) INTO folded FROM taken;
    WITH taken AS (
        DELETE FROM person_delta RETURNING *
    )
    INSERT INTO person_day AS t
    SELECT tenant, kind, day, sum(people) FROM taken GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (tenant, kind, day) DO UPDATE SET people = t.people + excluded.people;
    RETURN folded;
END $$;
