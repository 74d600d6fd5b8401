-- Filing answers and votes, and keeping one vote of each person on each answer the current one.

-- One current vote per tenant, person, answer and kind (and other answer, for a preference): the latest event. Earlier
-- ones point at the event that followed them.
CREATE FUNCTION settle_votes(interactions uuid[]) RETURNS bigint LANGUAGE sql AS $$
    WITH ordered AS (
        SELECT e.id, lead(e.id) OVER (
            PARTITION BY e.tenant, e.interaction_id, e.voter, e.kind, e.other_interaction_id
            ORDER BY e.occurred_at, e.received_at, e.id
        ) AS next_id
        FROM feedback e
        WHERE e.interaction_id = ANY (interactions)
    ), settled AS (
        UPDATE feedback f SET superseded_by = ordered.next_id
        FROM ordered
        WHERE f.id = ordered.id AND f.superseded_by IS DISTINCT FROM ordered.next_id
        RETURNING 1
    )
    SELECT count(*) FROM settled
$$;

-- An answer that arrives under a name that votes are waiting for is given to them.
CREATE FUNCTION interaction_key_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE feedback f SET interaction_id = k.interaction_id
    FROM new_rows k
    WHERE f.interaction_id IS NULL AND f.tenant = k.tenant AND f.key_kind = k.kind AND f.key_value = k.value;
    IF FOUND THEN
        PERFORM settle_votes(array_agg(interaction_id)) FROM new_rows;
    END IF;
    RETURN NULL;
END $$;

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

-- Files votes in one round trip and one transaction. It says what became of those that were not stored as they are:
--   replayed   the same request was carried out before; `feedback_id` is what it gave
--   reused     the idempotency key was used for another request; nothing was filed
--   opted_out  the person refused collection; nothing of the vote was kept
CREATE FUNCTION file_votes(tenant_name text, votes vote_row[], answers answer_row[], names name_row[])
RETURNS TABLE (vote_id uuid, feedback_id uuid, outcome text) LANGUAGE plpgsql
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    kept vote_row[] := votes;
    keyed bigint;
    claimed bigint;
    named boolean;
    withheld uuid[];
    contested uuid[];
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
            SELECT v.id, h.feedback_id, CASE WHEN h.fingerprint = v.fingerprint THEN 'replayed' ELSE 'reused' END
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
        RETURN QUERY SELECT v.id, v.id, 'opted_out' FROM unnest(kept) v WHERE v.id = ANY (withheld);
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
    -- the first of their kind, which a look into the index tells. (The voter is made in a subquery of its own:
    -- row-level security lets only a plain column into the index, and without it one look would read all votes on the
    -- answer.)
    SELECT array_agg(t.id) INTO contested FROM (
        SELECT v.id, v.interaction_id, v.kind, COALESCE(v.user_key, v.session_key) AS voter FROM unnest(kept) v OFFSET 0
    ) t
    WHERE t.voter IS NOT NULL AND (t.interaction_id IS NULL OR EXISTS (
        SELECT FROM feedback f
        WHERE f.interaction_id = t.interaction_id AND f.voter = t.voter AND f.kind = t.kind AND f.superseded_by IS NULL
            AND f.id <> t.id OFFSET 0));
    IF contested IS NOT NULL THEN
        SELECT array_agg(o.id), array_agg(o.next_id) INTO followed, followers FROM (
            SELECT f.id, lead(f.id) OVER (
                PARTITION BY t.interaction_id, t.key_kind, t.key_value, t.voter, t.kind, f.other_interaction_id
                ORDER BY f.occurred_at, f.received_at, f.id) AS next_id
            FROM (
                SELECT DISTINCT v.interaction_id, v.kind, COALESCE(v.user_key, v.session_key) AS voter,
                    CASE WHEN v.interaction_id IS NULL THEN v.key_kind END AS key_kind,
                    CASE WHEN v.interaction_id IS NULL THEN v.key_value END AS key_value
                FROM unnest(kept) v WHERE v.id = ANY (contested)
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
