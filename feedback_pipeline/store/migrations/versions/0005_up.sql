-- Retention and erasure: a day whose rows have had their time stays as it was counted; what looks for one person's rows.

ALTER TABLE day_state
    ADD COLUMN emptied bigint NOT NULL DEFAULT 0,       -- version at which raw text was last removed from the store
    ADD COLUMN expired boolean NOT NULL DEFAULT false;  -- the day's rows are gone, its counts are kept for ever

-- Computing an expired day again would make its counts zero: it is never due.
CREATE FUNCTION keep_expired_days() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.computed := NEW.version;
    NEW.requested := NEW.version;
    RETURN NEW;
END $$;
CREATE TRIGGER day_state_expired BEFORE INSERT OR UPDATE ON day_state
    FOR EACH ROW WHEN (NEW.expired) EXECUTE FUNCTION keep_expired_days();

-- Rows that name nobody and still belong to somebody: by session, by conversation.
CREATE INDEX feedback_anonymous ON feedback (tenant, session_key) WHERE user_key IS NULL AND session_key IS NOT NULL;
CREATE INDEX interaction_anonymous_session ON interaction (tenant, session_key)
    WHERE user_key IS NULL AND session_key IS NOT NULL;
CREATE INDEX interaction_anonymous_conversation ON interaction (tenant, conversation_id)
    WHERE user_key IS NULL AND conversation_id IS NOT NULL;

-- One erasure of the same person at a time; one that was interrupted is taken up again.
CREATE UNIQUE INDEX erasure_open ON erasure (subject_hash) WHERE finished_at IS NULL;

-- As before, with the two kinds of names looked up apart: together they can only be compared one by one, which took
-- 15 s for a person with a thousand votes among two million, instead of 5. (A downgrade keeps it: it counts the same.)
CREATE OR REPLACE FUNCTION feedback_counted_out() RETURNS trigger LANGUAGE plpgsql
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
