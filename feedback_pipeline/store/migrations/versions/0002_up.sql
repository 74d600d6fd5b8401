-- Live capture: repeated requests, counts that every write keeps current, limits, tenants kept apart, and the one
-- function that files votes.

-- The role the API works as: not the owner of the tables, so row-level security holds for it.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'feedback_api') THEN
        CREATE ROLE feedback_api NOLOGIN;
    END IF;
    IF NOT pg_has_role(current_user, 'feedback_api', 'MEMBER') THEN
        GRANT feedback_api TO CURRENT_USER;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN
        NULL;  -- roles belong to the whole server: the migration of another database was faster
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'this user may not create roles; as an administrator: CREATE ROLE feedback_api NOLOGIN; GRANT feedback_api TO %;', current_user;
END $$;

CREATE INDEX consent_refused ON consent (tenant, user_key) WHERE NOT collect;
-- For lists. Its condition is one that no query of the write path makes: on a small table the planner would take the
-- index for their look-ups, and a session keeps its plans while the table grows. Lists find a tenant's days in the
-- rollup first.
CREATE INDEX feedback_recent ON feedback (occurred_at, id) WHERE superseded_by IS NULL AND NOT withdrawn;
CREATE INDEX feedback_received ON feedback USING brin (received_at);
CREATE INDEX feedback_superseded ON feedback (superseded_by) WHERE superseded_by IS NOT NULL;

-- One request that must not be carried out twice; kept for 24 hours.
CREATE TABLE idempotency (
    tenant      text NOT NULL REFERENCES tenant,
    key         text NOT NULL,
    fingerprint bytea NOT NULL,  -- of the request, so that one key under two different requests is noticed
    feedback_id uuid NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, key)
);
CREATE INDEX idempotency_age ON idempotency USING brin (created_at);

-- ---------------------------------------------------------------- counts
-- Every write appends what it changed to a delta table: no row is shared between writers, so none waits for another.
-- `fold_counts` adds the deltas to the rollups; a reader sums both, so it never sees a vote late or twice.
-- An unknown dimension is ''.

CREATE TABLE vote_delta (
    tenant text NOT NULL, day date NOT NULL,
    model text NOT NULL, intent text NOT NULL, project text NOT NULL, content_type text NOT NULL, action_type text NOT NULL,
    votes bigint NOT NULL, up bigint NOT NULL, down bigint NOT NULL, stars bigint NOT NULL, stars_sum bigint NOT NULL,
    comments bigint NOT NULL, corrections bigint NOT NULL, memories bigint NOT NULL, memory_sum double precision NOT NULL
);
CREATE TABLE vote_total (
    tenant text NOT NULL, model text NOT NULL, intent text NOT NULL, project text NOT NULL,
    votes bigint NOT NULL, up bigint NOT NULL, down bigint NOT NULL, stars bigint NOT NULL, stars_sum bigint NOT NULL,
    PRIMARY KEY (tenant, model, intent, project)
) WITH (fillfactor = 70);
CREATE TABLE vote_day (
    tenant text NOT NULL, day date NOT NULL, model text NOT NULL, intent text NOT NULL, project text NOT NULL,
    votes bigint NOT NULL, up bigint NOT NULL, down bigint NOT NULL, stars bigint NOT NULL, stars_sum bigint NOT NULL,
    comments bigint NOT NULL, corrections bigint NOT NULL, memories bigint NOT NULL, memory_sum double precision NOT NULL,
    PRIMARY KEY (tenant, day, model, intent, project)
) WITH (fillfactor = 70);
CREATE TABLE action_day (
    tenant text NOT NULL, day date NOT NULL, content_type text NOT NULL, action_type text NOT NULL,
    votes bigint NOT NULL, up bigint NOT NULL, down bigint NOT NULL,
    PRIMARY KEY (tenant, day, content_type, action_type)
) WITH (fillfactor = 70);

-- Distinct people in a window that ends today: the day each was last seen, and how many were last seen on each day.
CREATE TABLE person_seen (
    tenant   text NOT NULL,
    kind     text NOT NULL CHECK (kind IN ('user', 'session')),
    person   text NOT NULL,
    day      date NOT NULL,
    previous date,
    PRIMARY KEY (tenant, kind, person)
) WITH (fillfactor = 80);
CREATE TABLE person_delta (tenant text NOT NULL, kind text NOT NULL, day date NOT NULL, people bigint NOT NULL);
CREATE TABLE person_day (
    tenant text NOT NULL, kind text NOT NULL, day date NOT NULL, people bigint NOT NULL,
    PRIMARY KEY (tenant, kind, day)
);

-- Votes counted under unknown dimensions because their answer was not there. Taking a row away is the licence to move
-- its count, so a vote and its answer that arrive at the same moment are counted once, under the right dimensions.
CREATE TABLE vote_unmatched (
    feedback_id    uuid PRIMARY KEY,
    interaction_id uuid NOT NULL,
    noted_at       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX vote_unmatched_recent ON vote_unmatched (noted_at);
CREATE INDEX vote_unmatched_interaction ON vote_unmatched (interaction_id);

CREATE TYPE counted_vote AS (
    sign integer, tenant text, day date, model text, intent text, project text, content_type text, action_type text,
    memory real, kind text, thumb boolean, stars smallint, commented boolean
);

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
        SELECT c.id, c.interaction_id FROM current c WHERE c.matched IS NULL AND c.interaction_id IS NOT NULL
    )
    SELECT array_agg(c.vote) INTO counted FROM current c;
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
        LEFT JOIN feedback f ON f.tenant = g.tenant AND NOT f.withdrawn
            AND CASE g.kind WHEN 'user' THEN f.user_key ELSE f.session_key END = g.person
        GROUP BY 1, 2, 3
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

CREATE TRIGGER feedback_counted_in AFTER INSERT ON feedback
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION feedback_counted_in();
CREATE TRIGGER feedback_recounted AFTER UPDATE ON feedback
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION feedback_recounted();
CREATE TRIGGER feedback_counted_out AFTER DELETE ON feedback
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION feedback_counted_out();

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

CREATE TRIGGER interaction_counted_in AFTER INSERT ON interaction
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION interaction_counted_in();
CREATE TRIGGER interaction_recounted AFTER UPDATE ON interaction
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION interaction_recounted();
CREATE TRIGGER interaction_counted_out AFTER DELETE ON interaction
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION interaction_counted_out();

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

-- What was in the store before this migration.
DO $$
DECLARE
    counted_day date;
BEGIN
    FOR counted_day IN SELECT DISTINCT day FROM feedback LOOP
        PERFORM record_counts(array_agg(
            (1, f.tenant, f.day, i.model, i.intent, i.project, i.content_type, i.action_type, i.memory_used, f.kind,
             f.thumb, f.stars, f.comment IS NOT NULL)::counted_vote))
        FROM feedback f LEFT JOIN interaction i ON i.id = f.interaction_id AND i.tenant = f.tenant
        WHERE f.day = counted_day AND f.superseded_by IS NULL AND NOT f.withdrawn;
    END LOOP;
END $$;
INSERT INTO vote_unmatched (feedback_id, interaction_id)
SELECT f.id, f.interaction_id FROM feedback f
WHERE f.interaction_id IS NOT NULL AND f.superseded_by IS NULL AND NOT f.withdrawn
    AND NOT EXISTS (SELECT FROM interaction i WHERE i.id = f.interaction_id AND i.tenant = f.tenant);
INSERT INTO person_seen (tenant, kind, person, day)
SELECT tenant, 'user', user_key, max(day) FROM feedback WHERE user_key IS NOT NULL AND NOT withdrawn GROUP BY 1, 2, 3
UNION ALL
SELECT tenant, 'session', session_key, max(day) FROM feedback WHERE session_key IS NOT NULL AND NOT withdrawn
GROUP BY 1, 2, 3;
INSERT INTO person_day SELECT tenant, kind, day, count(*) FROM person_seen GROUP BY 1, 2, 3;
SELECT fold_counts();

-- ---------------------------------------------------------------- filing votes
-- Planning costs more than doing for one vote, so the plans are generic and kept. A session then has plans from a time
-- when the tables were small: so that none of them turns into a scan of a large table, what runs at every write looks
-- rows up one by one (LATERAL … OFFSET 0 cannot become a hash join) with sequential scans off; the first migration's
-- triggers are given the same form.
CREATE OR REPLACE FUNCTION feedback_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE OR REPLACE FUNCTION interaction_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE OR REPLACE FUNCTION feedback_updated() RETURNS trigger LANGUAGE plpgsql AS $$
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

CREATE TYPE vote_row AS (
    ordinal integer, id uuid, interaction_id uuid, key_kind text, key_value text, kind text, thumb boolean,
    stars smallint, value text, comment text, correction text, reasons text[], preference text,
    other_interaction_id uuid, user_key text, session_key text, occurred_at timestamptz, withdrawn boolean,
    supersedes uuid, idempotency_key text, fingerprint bytea, source text, raw text
);
CREATE TYPE answer_row AS (
    id uuid, project text, conversation_id text, turn integer, intent text, content_type text, action_type text,
    language text, model text, prompt_version text, framework text, variant text, tags text[], tools_called text[],
    techniques text[], memory_used real, messages text, prompt text, output text, content_snapshot text, context text,
    finish_reason text, confidence real, latency_ms real, input_tokens integer, output_tokens integer,
    cost_usd double precision, user_key text, session_key text, occurred_at timestamptz, source text, source_id text,
    provenance text, inclusion_probability real, metadata text, raw text
);
CREATE TYPE name_row AS (kind text, value text, interaction_id uuid);

-- Files answers under the caller's names for them; known ids and names stay as they are.
CREATE FUNCTION file_answers(tenant_name text, answers answer_row[], names name_row[]) RETURNS SETOF uuid
LANGUAGE plpgsql
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    PERFORM set_config('feedback.tenant', tenant_name, true);
    RETURN QUERY
    INSERT INTO interaction (
        id, tenant, project, conversation_id, turn, intent, content_type, action_type, language, model, prompt_version,
        framework, variant, tags, tools_called, techniques, memory_used, messages, prompt, output, content_snapshot,
        context, finish_reason, confidence, latency_ms, input_tokens, output_tokens, cost_usd, user_key, session_key,
        occurred_at, source, source_id, provenance, inclusion_probability, metadata, raw)
    SELECT DISTINCT ON (a.id)
        a.id, tenant_name, a.project, a.conversation_id, a.turn, a.intent, a.content_type, a.action_type, a.language,
        a.model, a.prompt_version, a.framework, a.variant, a.tags, a.tools_called, a.techniques, a.memory_used,
        a.messages, a.prompt, a.output, a.content_snapshot, a.context, a.finish_reason, a.confidence, a.latency_ms,
        a.input_tokens, a.output_tokens, a.cost_usd, a.user_key, a.session_key, COALESCE(a.occurred_at, now()),
        a.source, a.source_id, a.provenance, a.inclusion_probability, a.metadata, a.raw
    FROM unnest(answers) a
    WHERE NOT EXISTS (
        SELECT FROM consent c WHERE c.tenant = tenant_name AND c.user_key = a.user_key AND NOT c.collect)
    ORDER BY a.id
    ON CONFLICT (id) DO NOTHING
    RETURNING id;
    IF cardinality(names) > 0 THEN
        INSERT INTO interaction_key (tenant, kind, value, interaction_id)
        SELECT DISTINCT tenant_name, k.kind, k.value, k.interaction_id FROM unnest(names) k
        WHERE EXISTS (SELECT FROM interaction i WHERE i.id = k.interaction_id AND i.tenant = tenant_name)
        ORDER BY 2, 3, 4
        ON CONFLICT DO NOTHING;
    END IF;
END $$;

-- Files votes in one round trip and one transaction, and says of each what became of it:
--   stored     filed as `feedback_id`
--   replayed   the same request was carried out before; `feedback_id` is what it gave
--   reused     the idempotency key was used for another request; nothing was filed
--   opted_out  the person refused collection; nothing of the vote was kept
CREATE FUNCTION file_votes(tenant_name text, votes vote_row[], answers answer_row[], names name_row[])
RETURNS TABLE (ordinal integer, feedback_id uuid, outcome text) LANGUAGE plpgsql
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    kept vote_row[] := votes;
    keyed bigint;
    claimed bigint;
    named boolean;
    withheld uuid[];
    followed uuid[];
    followers uuid[];
    late uuid[];
BEGIN
    PERFORM set_config('feedback.tenant', tenant_name, true);
    SELECT count(v.idempotency_key), bool_or(v.key_value IS NOT NULL) INTO keyed, named FROM unnest(votes) v;
    IF keyed > 0 THEN
        INSERT INTO idempotency AS held (tenant, key, fingerprint, feedback_id)
        SELECT DISTINCT ON (v.idempotency_key) tenant_name, v.idempotency_key, v.fingerprint, v.id
        FROM unnest(votes) v WHERE v.idempotency_key IS NOT NULL
        ORDER BY v.idempotency_key, v.ordinal
        ON CONFLICT (tenant, key) DO UPDATE
            SET fingerprint = excluded.fingerprint, feedback_id = excluded.feedback_id, created_at = now()
            WHERE held.created_at < now() - interval '24 hours';
        GET DIAGNOSTICS claimed = ROW_COUNT;
        IF claimed < keyed THEN
            RETURN QUERY
            SELECT v.ordinal, h.feedback_id, CASE WHEN h.fingerprint = v.fingerprint THEN 'replayed' ELSE 'reused' END
            FROM unnest(votes) v
            CROSS JOIN LATERAL (
                SELECT i.feedback_id, i.fingerprint FROM idempotency i
                WHERE i.tenant = tenant_name AND i.key = v.idempotency_key OFFSET 0
            ) h
            WHERE h.feedback_id <> v.id;
            SELECT COALESCE(array_agg(v), '{}') INTO kept FROM unnest(votes) v
            WHERE v.idempotency_key IS NULL OR EXISTS (
                SELECT FROM idempotency i
                WHERE i.tenant = tenant_name AND i.key = v.idempotency_key AND i.feedback_id = v.id OFFSET 0);
        END IF;
    END IF;

    IF EXISTS (SELECT FROM consent c WHERE c.tenant = tenant_name AND NOT c.collect) THEN
        SELECT COALESCE(array_agg(v.id), '{}') INTO withheld FROM unnest(kept) v
        WHERE EXISTS (
            SELECT FROM consent c WHERE c.tenant = tenant_name AND c.user_key = v.user_key AND NOT c.collect OFFSET 0);
        INSERT INTO refusal (id, tenant, day, category, source, place, reason)
        SELECT v.id, tenant_name, (now() AT TIME ZONE z.value)::date, 'opted_out', v.source, 'withheld', 'person_opted_out'
        FROM unnest(kept) v CROSS JOIN (SELECT s.value FROM setting s WHERE s.name = 'timezone') z
        WHERE v.id = ANY (withheld)
        ON CONFLICT (id) DO NOTHING;
        RETURN QUERY SELECT v.ordinal, v.id, 'opted_out' FROM unnest(kept) v WHERE v.id = ANY (withheld);
        SELECT COALESCE(array_agg(v), '{}') INTO kept FROM unnest(kept) v WHERE v.id <> ALL (withheld);
    END IF;

    -- A name that is known leads to its answer. Content changes under its id, so there the snapshot shown decides.
    IF named THEN
        SELECT array_agg((v.ordinal, v.id,
                CASE WHEN v.key_kind = 'content' THEN COALESCE(v.interaction_id, k.interaction_id)
                     ELSE COALESCE(k.interaction_id, v.interaction_id) END,
                v.key_kind, v.key_value, v.kind, v.thumb, v.stars, v.value, v.comment, v.correction, v.reasons,
                v.preference, v.other_interaction_id, v.user_key, v.session_key, v.occurred_at, v.withdrawn,
                v.supersedes, v.idempotency_key, v.fingerprint, v.source, v.raw)::vote_row ORDER BY v.ordinal)
        INTO kept
        FROM unnest(kept) v
        LEFT JOIN LATERAL (
            SELECT n.interaction_id FROM interaction_key n
            WHERE n.tenant = tenant_name AND n.kind = v.key_kind AND n.value = v.key_value
            ORDER BY n.interaction_id DESC LIMIT 1
        ) k ON true;
    END IF;

    IF cardinality(answers) > 0 THEN
        PERFORM file_answers(
            tenant_name,
            (SELECT COALESCE(array_agg(a), '{}') FROM unnest(answers) a
             WHERE a.id IN (SELECT v.interaction_id FROM unnest(kept) v)),
            names);
    END IF;

    -- Two votes of one person on one answer at the same moment: the second waits, and sees the first.
    PERFORM pg_advisory_xact_lock(mark) FROM (
        SELECT DISTINCT hashtextextended(
            concat_ws(chr(31), v.interaction_id, v.key_kind, v.key_value, COALESCE(v.user_key, v.session_key), v.kind),
            7203115942) AS mark
        FROM unnest(kept) v WHERE COALESCE(v.user_key, v.session_key) IS NOT NULL
        ORDER BY 1
    ) marks;

    INSERT INTO feedback (
        id, tenant, interaction_id, key_kind, key_value, kind, thumb, stars, value, comment, correction, reasons,
        preference, other_interaction_id, user_key, session_key, occurred_at, withdrawn, supersedes, idempotency_key,
        source, source_id, raw)
    SELECT v.id, tenant_name, v.interaction_id, v.key_kind, v.key_value, v.kind, v.thumb, v.stars, v.value, v.comment,
        v.correction, v.reasons, v.preference, v.other_interaction_id, v.user_key, v.session_key,
        COALESCE(v.occurred_at, now()), v.withdrawn, v.supersedes, v.idempotency_key, v.source, v.id::text, v.raw
    FROM unnest(kept) v;

    -- Of several current votes of one person on one answer and of one kind, the latest stays current. Most votes are
    -- the first of their kind, which a look into the index tells.
    IF EXISTS (
        SELECT FROM unnest(kept) v
        WHERE COALESCE(v.user_key, v.session_key) IS NOT NULL AND v.interaction_id IS NOT NULL AND EXISTS (
            SELECT FROM feedback f
            WHERE f.interaction_id = v.interaction_id AND f.voter = COALESCE(v.user_key, v.session_key)
                AND f.kind = v.kind AND f.superseded_by IS NULL AND f.id <> v.id OFFSET 0)
    ) OR EXISTS (
        SELECT FROM unnest(kept) v WHERE COALESCE(v.user_key, v.session_key) IS NOT NULL AND v.interaction_id IS NULL
    ) THEN
        SELECT array_agg(o.id), array_agg(o.next_id) INTO followed, followers FROM (
            SELECT f.id, lead(f.id) OVER (
                PARTITION BY t.interaction_id, t.key_kind, t.key_value, t.voter, t.kind, f.other_interaction_id
                ORDER BY f.occurred_at, f.received_at, f.id) AS next_id
            FROM (
                SELECT DISTINCT v.interaction_id, v.kind, COALESCE(v.user_key, v.session_key) AS voter,
                    CASE WHEN v.interaction_id IS NULL THEN v.key_kind END AS key_kind,
                    CASE WHEN v.interaction_id IS NULL THEN v.key_value END AS key_value
                FROM unnest(kept) v WHERE COALESCE(v.user_key, v.session_key) IS NOT NULL
            ) t
            CROSS JOIN LATERAL (
                SELECT c.id, c.occurred_at, c.received_at, c.other_interaction_id FROM feedback c
                WHERE c.interaction_id = t.interaction_id AND c.voter = t.voter AND c.kind = t.kind
                    AND c.superseded_by IS NULL AND c.tenant = tenant_name
                UNION ALL
                SELECT c.id, c.occurred_at, c.received_at, c.other_interaction_id FROM feedback c
                WHERE t.interaction_id IS NULL AND c.interaction_id IS NULL AND c.tenant = tenant_name
                    AND c.key_kind = t.key_kind AND c.key_value = t.key_value AND c.voter = t.voter AND c.kind = t.kind
                    AND c.superseded_by IS NULL
                OFFSET 0
            ) f
        ) o WHERE o.next_id IS NOT NULL;
    END IF;
    IF followed IS NOT NULL THEN
        UPDATE feedback f SET superseded_by = p.follower
        FROM unnest(followed, followers) p (id, follower) WHERE f.id = p.id;
        -- A vote that arrived late takes its place in the middle of the history: order it again as a whole.
        SELECT array_agg(DISTINCT v.interaction_id) INTO late FROM unnest(kept) v
        WHERE v.id = ANY (followed) AND v.interaction_id IS NOT NULL;
        IF late IS NOT NULL THEN
            PERFORM settle_votes(late);
        END IF;
    END IF;

    RETURN QUERY SELECT v.ordinal, v.id, 'stored' FROM unnest(kept) v;
END $$;

-- Votes that wait for a name which arrived in the same moment as they did.
CREATE FUNCTION claim_waiting_votes() RETURNS bigint LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    claimed uuid[];
BEGIN
    WITH found AS (
        UPDATE feedback f SET interaction_id = k.interaction_id
        FROM interaction_key k
        WHERE f.interaction_id IS NULL AND f.received_at > now() - interval '10 minutes'
            AND k.tenant = f.tenant AND k.kind = f.key_kind AND k.value = f.key_value
        RETURNING f.interaction_id
    )
    SELECT array_agg(DISTINCT interaction_id) INTO claimed FROM found;
    IF claimed IS NULL THEN
        RETURN 0;
    END IF;
    PERFORM settle_votes(claimed);
    RETURN cardinality(claimed);
END $$;

-- ---------------------------------------------------------------- keys, tokens, limits
-- Found by hash before the tenant is known, hence past row-level security.
CREATE FUNCTION find_api_key(wanted bytea) RETURNS TABLE (id uuid, tenant text, scopes text[])
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT k.id, k.tenant, k.scopes FROM api_key k
    WHERE k.hash = wanted AND (k.expires_at IS NULL OR k.expires_at > now())
        AND (k.revoked_at IS NULL OR k.revoked_at > now());
END $$;

-- A browser's token belongs to the first browser that shows it; one copied from there is refused, and so is one that
-- was used too often.
CREATE TABLE token_use (
    id         uuid PRIMARY KEY,
    browser    bytea NOT NULL,
    uses       integer NOT NULL DEFAULT 1,
    expires_at timestamptz NOT NULL
);
CREATE FUNCTION use_token(token uuid, browser_mark bytea, expiry timestamptz, allowed integer) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    held token_use;
BEGIN
    INSERT INTO token_use AS t (id, browser, expires_at) VALUES (token, browser_mark, expiry)
    ON CONFLICT (id) DO UPDATE SET uses = t.uses + 1 RETURNING * INTO held;
    RETURN CASE WHEN held.browser <> browser_mark THEN 'elsewhere' WHEN held.uses > allowed THEN 'used_up' ELSE 'good' END;
END $$;

CREATE UNLOGGED TABLE rate_window (
    bucket   bytea NOT NULL,
    starts   timestamptz NOT NULL,
    used     integer NOT NULL,
    previous integer NOT NULL DEFAULT 0,
    PRIMARY KEY (bucket, starts)
) WITH (fillfactor = 50);

-- Takes up to `wanted` requests out of a bucket's allowance for the window that `starts`; says how many there were.
CREATE FUNCTION take_allowance(wanted_bucket bytea, window_start timestamptz, allowance integer, wanted integer)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    granted integer;
BEGIN
    INSERT INTO rate_window AS w (bucket, starts, used) VALUES (wanted_bucket, window_start, LEAST(wanted, allowance))
    ON CONFLICT (bucket, starts) DO UPDATE SET previous = w.used, used = LEAST(w.used + wanted, allowance)
    RETURNING used - previous INTO granted;
    RETURN granted;
END $$;

-- Throws away what has had its time.
CREATE FUNCTION sweep_capture() RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    DELETE FROM idempotency WHERE created_at < now() - interval '24 hours';
    DELETE FROM token_use WHERE expires_at < now() - interval '1 hour';
    DELETE FROM rate_window WHERE starts < now() - interval '1 hour';
END $$;

-- ---------------------------------------------------------------- tenants kept apart
-- The second lock: whatever a query forgets, the API's role sees and writes rows of the tenant it set, and no others.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['interaction', 'interaction_key', 'feedback', 'consent', 'refusal', 'idempotency',
        'vote_total', 'vote_day', 'vote_delta', 'action_day', 'person_day', 'person_delta', 'prompt']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY tenant_only ON %I TO feedback_api
             USING (tenant = (SELECT current_setting(''feedback.tenant'', true)))
             WITH CHECK (tenant = (SELECT current_setting(''feedback.tenant'', true)))', name);
    END LOOP;
END $$;
ALTER TABLE tenant ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON tenant TO feedback_api USING (name = (SELECT current_setting('feedback.tenant', true)));

GRANT USAGE ON SCHEMA public TO feedback_api;
GRANT SELECT, INSERT ON interaction, interaction_key, feedback, refusal, idempotency TO feedback_api;
GRANT UPDATE (superseded_by, interaction_id) ON feedback TO feedback_api;
GRANT UPDATE (fingerprint, feedback_id, created_at) ON idempotency TO feedback_api;
GRANT SELECT ON consent, tenant, prompt, setting, vote_total, vote_day, vote_delta, action_day, person_day, person_delta
    TO feedback_api;
GRANT INSERT ON change TO feedback_api;
GRANT SELECT ON alert TO feedback_api;

REVOKE EXECUTE ON FUNCTION record_counts, record_people, fold_counts, claim_waiting_votes, match_votes, sweep_capture,
    use_token, take_allowance, find_api_key FROM PUBLIC;
GRANT EXECUTE ON FUNCTION use_token, take_allowance, find_api_key TO feedback_api;

-- For people who query SQL (name kept from the system this replaces): last week's votes as training examples.
CREATE FUNCTION get_weekly_finetuning_dataset()
RETURNS TABLE (messages jsonb, weight double precision, metadata jsonb) LANGUAGE sql STABLE AS $$
    SELECT
        jsonb_build_array(
            jsonb_build_object('role', 'user', 'content', i.prompt),
            jsonb_build_object('role', 'assistant', 'content', i.output)),
        CASE WHEN f.thumb THEN 2.0 ELSE 0.5 END,
        jsonb_build_object('intent', i.intent, 'project', i.project, 'model', i.model, 'timestamp', f.occurred_at)
    FROM feedback f
    JOIN interaction i ON i.id = f.interaction_id AND i.tenant = f.tenant
    JOIN tenant t ON t.name = f.tenant AND t.use_for_training
    LEFT JOIN consent v ON v.tenant = f.tenant AND v.user_key = f.user_key
    LEFT JOIN consent a ON a.tenant = i.tenant AND a.user_key = i.user_key
    WHERE f.superseded_by IS NULL AND NOT f.withdrawn AND f.kind = 'explicit' AND f.thumb IS NOT NULL
        AND f.occurred_at >= now() - interval '7 days' AND i.prompt IS NOT NULL AND i.output IS NOT NULL
        AND COALESCE(v.use_for_training, true) AND COALESCE(a.use_for_training, true)
    ORDER BY f.occurred_at, f.id
$$;
REVOKE EXECUTE ON FUNCTION get_weekly_finetuning_dataset FROM PUBLIC;
