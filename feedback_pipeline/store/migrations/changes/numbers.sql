-- Patterns, reports, judging, actions, alerts.

-- For people who query SQL: current votes by the names of the systems this replaces. Row-level security of the tables
-- below holds for whoever asks.
CREATE OR REPLACE VIEW feedback_votes WITH (security_invoker = true) AS
SELECT
    f.id AS feedback_id, f.tenant, f.interaction_id,
    i.prompt AS query, i.output AS response,
    i.prompt AS user_message, i.output AS assistant_response,
    i.prompt AS input_text, i.output AS output_text,
    i.prompt, i.output,
    i.model, i.prompt_version, i.intent, i.project, i.action_type, i.content_type, i.framework, i.tags,
    i.tools_called, i.memory_used, i.conversation_id, i.turn AS turn_id,
    f.kind AS feedback_type, f.value AS feedback_value,
    CASE WHEN f.thumb THEN 1 WHEN NOT f.thumb THEN -1 END AS rating,
    CASE WHEN f.thumb THEN 'up' WHEN NOT f.thumb THEN 'down' END AS feedback,
    f.thumb AS thumbs_up, f.stars, f.comment, f.comment AS notes, f.correction,
    f.user_key AS user_id, f.session_key AS session_id,
    f.occurred_at AS created_at, f.occurred_at AS timestamp, f.received_at AS updated_at
FROM feedback f
LEFT JOIN interaction i ON i.id = f.interaction_id AND i.tenant = f.tenant
WHERE f.superseded_by IS NULL AND NOT f.withdrawn;

-- From the rollups, which hold thumbs of explicit votes alone: the votes themselves took 89 ms at 23,000.
DROP VIEW model_accuracy_by_intent;
CREATE VIEW model_accuracy_by_intent WITH (security_invoker = true) AS
SELECT tenant, NULLIF(model, '') AS model, NULLIF(intent, '') AS intent, NULLIF(project, '') AS project,
       sum(up + down)::bigint AS total,
       sum(up)::bigint        AS positive,
       sum(down)::bigint      AS negative,
       round(100.0 * sum(up) / NULLIF(sum(up + down), 0), 2) AS accuracy
FROM (
    SELECT tenant, model, intent, project, up, down FROM vote_total
    UNION ALL
    SELECT tenant, model, intent, project, up, down FROM vote_delta
) counted
GROUP BY tenant, model, intent, project
HAVING sum(up + down) > 0;

-- ---------------------------------------------------------------- distinct people of one model, intent or project
-- A HyperLogLog of the people of a day's current votes, of users and of sessions: four bytes a register that is not
-- empty, its number (0 to 4095) times 256 and the largest rank seen. Made in the background for teams with many votes;
-- whoever has few is counted from the votes.
CREATE TABLE people_sketch (
    tenant    text NOT NULL,
    dimension text NOT NULL CHECK (dimension IN ('model', 'intent', 'project')),
    value     text NOT NULL,
    day       date NOT NULL,
    users     bytea NOT NULL,
    sessions  bytea NOT NULL,
    PRIMARY KEY (tenant, dimension, value, day)
);
-- Days of which a vote was counted since their sketches were made (`due`), and when those were made, if they are there.
CREATE TABLE people_sketch_day (
    tenant  text NOT NULL,
    day     date NOT NULL,
    due     boolean NOT NULL,
    made_at timestamptz,
    PRIMARY KEY (tenant, day)
);

-- Whoever is erased is in no sketch from that moment on.
CREATE FUNCTION feedback_people_out() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    DELETE FROM people_sketch s USING (SELECT DISTINCT tenant, day FROM old_rows) o
    WHERE s.tenant = o.tenant AND s.day = o.day;
    UPDATE people_sketch_day d SET due = true, made_at = NULL FROM (SELECT DISTINCT tenant, day FROM old_rows) o
    WHERE d.tenant = o.tenant AND d.day = o.day;
    RETURN NULL;
END $$;
CREATE TRIGGER feedback_people_out AFTER DELETE ON feedback
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION feedback_people_out();

-- Every vote that is counted, withdrawn or moved goes through the rollup of its day.
CREATE FUNCTION people_sketch_due() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO people_sketch_day AS d (tenant, day, due)
    SELECT DISTINCT tenant, day, true FROM new_rows WHERE day > CURRENT_DATE - 95 ORDER BY 1, 2
    ON CONFLICT (tenant, day) DO UPDATE SET due = true WHERE NOT d.due;
    RETURN NULL;
END $$;
CREATE TRIGGER people_sketch_due_new AFTER INSERT ON vote_day
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION people_sketch_due();
CREATE TRIGGER people_sketch_due_more AFTER UPDATE ON vote_day
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION people_sketch_due();

-- Makes the sketches of one day that is due, the newest first, and each at most once a minute; false if there is none.
-- `enough`: a team's votes in the last 95 days from which on it is worth it.
CREATE FUNCTION sketch_people(enough bigint) RETURNS boolean LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    taken people_sketch_day;
BEGIN
    IF NOT pg_try_advisory_xact_lock(7203115947) THEN
        RETURN false;
    END IF;
    DELETE FROM people_sketch WHERE day <= CURRENT_DATE - 95;
    DELETE FROM people_sketch_day WHERE day <= CURRENT_DATE - 95;
    -- days that were counted before there were sketches
    INSERT INTO people_sketch_day (tenant, day, due)
    SELECT DISTINCT v.tenant, v.day, true FROM vote_day v WHERE v.day > CURRENT_DATE - 95 ORDER BY 1, 2
    ON CONFLICT (tenant, day) DO NOTHING;
    SELECT d.* INTO taken FROM people_sketch_day d
    WHERE d.due AND (d.made_at IS NULL OR d.made_at < now() - interval '1 minute') AND d.tenant IN (
        SELECT v.tenant FROM vote_day v WHERE v.day > CURRENT_DATE - 95 GROUP BY v.tenant HAVING sum(v.votes) >= enough)
    ORDER BY d.day DESC LIMIT 1 FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE people_sketch_day d SET due = false, made_at = clock_timestamp()
    WHERE d.tenant = taken.tenant AND d.day = taken.day;
    DELETE FROM people_sketch s WHERE s.tenant = taken.tenant AND s.day = taken.day;
    INSERT INTO people_sketch (tenant, dimension, value, day, users, sessions)
    WITH people AS (
        SELECT DISTINCT i.model, i.intent, i.project, p.kind, hashtextextended(p.person, 0) AS hash
        FROM feedback f
        JOIN interaction i ON i.id = f.interaction_id AND i.tenant = f.tenant
        CROSS JOIN LATERAL (VALUES ('user', f.user_key), ('session', f.session_key)) p (kind, person)
        WHERE f.tenant = taken.tenant AND f.day = taken.day AND f.superseded_by IS NULL AND NOT f.withdrawn
            AND p.person IS NOT NULL
    ), registers AS (
        SELECT d.dimension, d.value, p.kind, (p.hash & 4095)::integer AS register,
            max(53 - length(ltrim(((p.hash >> 12) & 4503599627370495)::bit(52)::text, '0'))) AS rank
        FROM people p
        CROSS JOIN LATERAL (VALUES ('model', p.model), ('intent', p.intent), ('project', p.project)) d (dimension, value)
        WHERE d.value IS NOT NULL
        GROUP BY 1, 2, 3, 4
    )
    SELECT taken.tenant, r.dimension, r.value, taken.day,
        COALESCE(string_agg(int4send(r.register * 256 + r.rank), '') FILTER (WHERE r.kind = 'user'), ''),
        COALESCE(string_agg(int4send(r.register * 256 + r.rank), '') FILTER (WHERE r.kind = 'session'), '')
    FROM registers r GROUP BY r.dimension, r.value;
    RETURN true;
END $$;
