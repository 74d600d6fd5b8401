ALTER TABLE person_seen DROP CONSTRAINT person_seen_pkey, ADD PRIMARY KEY (tenant, kind, person);
ALTER TABLE idempotency
    DROP CONSTRAINT idempotency_pkey,
    ADD PRIMARY KEY (tenant, key),
    ADD CONSTRAINT idempotency_tenant_fkey FOREIGN KEY (tenant) REFERENCES tenant;
ALTER TABLE feedback ADD CONSTRAINT feedback_tenant_fkey FOREIGN KEY (tenant) REFERENCES tenant;
ALTER TABLE interaction_key ADD CONSTRAINT interaction_key_tenant_fkey FOREIGN KEY (tenant) REFERENCES tenant;
ALTER TABLE interaction ADD CONSTRAINT interaction_tenant_fkey FOREIGN KEY (tenant) REFERENCES tenant;

CREATE OR REPLACE FUNCTION feedback_counted_in() RETURNS trigger LANGUAGE plpgsql
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

DROP FUNCTION file_votes(text, vote_row[], answer_row[], name_row[]);
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
