-- A database as it stood before the baseline (revision 0011), with rows in every table: a dump, not to be edited.


SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

CREATE TYPE public.answer_row AS (
	id uuid,
	project text,
	conversation_id text,
	turn integer,
	intent text,
	content_type text,
	action_type text,
	language text,
	model text,
	prompt_version text,
	framework text,
	variant text,
	tags text[],
	tools_called text[],
	techniques text[],
	memory_used real,
	messages text,
	prompt text,
	output text,
	content_snapshot text,
	context text,
	finish_reason text,
	confidence real,
	latency_ms real,
	input_tokens integer,
	output_tokens integer,
	cost_usd double precision,
	user_key text,
	session_key text,
	occurred_at timestamp with time zone,
	source text,
	source_id text,
	provenance text,
	inclusion_probability real,
	metadata text,
	raw text
);

CREATE TYPE public.counted_vote AS (
	sign integer,
	tenant text,
	day date,
	model text,
	intent text,
	project text,
	content_type text,
	action_type text,
	memory real,
	kind text,
	thumb boolean,
	stars smallint,
	commented boolean
);

COMMENT ON TYPE public.counted_vote IS '`sign` votes alike: 1 and more are added, less than 0 are taken away';

CREATE TYPE public.name_row AS (
	kind text,
	value text,
	interaction_id uuid
);

CREATE TYPE public.vote_row AS (
	ordinal integer,
	id uuid,
	interaction_id uuid,
	key_kind text,
	key_value text,
	kind text,
	thumb boolean,
	stars smallint,
	value text,
	comment text,
	correction text,
	reasons text[],
	preference text,
	other_interaction_id uuid,
	user_key text,
	session_key text,
	occurred_at timestamp with time zone,
	withdrawn boolean,
	supersedes uuid,
	idempotency_key text,
	fingerprint bytea,
	source text,
	raw text
);

CREATE FUNCTION public.announce_job(event_id text, job text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    -- older ones are refused by their time
    DELETE FROM provider_event WHERE received_at < now() - interval '1 day';
    INSERT INTO provider_event (id, received_at) VALUES (event_id, now()) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN 'repeated';
    END IF;
    UPDATE fine_tune_job SET announced = true WHERE provider_job = job AND state = 'following';
    RETURN CASE WHEN FOUND THEN 'noted' ELSE 'unknown' END;
END $$;

CREATE FUNCTION public.claim_waiting_votes() RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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

CREATE FUNCTION public.consent_changed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO change (day)
    SELECT f.day FROM changed_rows c JOIN feedback f USING (tenant, user_key)
    UNION
    SELECT i.day FROM changed_rows c JOIN interaction i USING (tenant, user_key);
    RETURN NULL;
END $$;

CREATE FUNCTION public.feedback_counted_in() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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

CREATE FUNCTION public.feedback_counted_out() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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

CREATE FUNCTION public.feedback_deleted() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO change (day) SELECT DISTINCT day FROM old_rows;
    RETURN NULL;
END $$;

CREATE FUNCTION public.feedback_inserted() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
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

CREATE FUNCTION public.feedback_recounted() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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

CREATE FUNCTION public.feedback_updated() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
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

CREATE FUNCTION public.file_answers(tenant_name text, answers public.answer_row[], names public.name_row[]) RETURNS SETOF uuid
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
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

CREATE FUNCTION public.file_votes(tenant_name text, votes public.vote_row[], answers public.answer_row[], names public.name_row[]) RETURNS TABLE(vote_id uuid, feedback_id uuid, outcome text)
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
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

CREATE FUNCTION public.find_api_key(wanted bytea) RETURNS TABLE(id uuid, tenant text, scopes text[])
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    RETURN QUERY SELECT k.id, k.tenant, k.scopes FROM api_key k
    WHERE k.hash = wanted AND (k.expires_at IS NULL OR k.expires_at > now())
        AND (k.revoked_at IS NULL OR k.revoked_at > now());
END $$;

CREATE FUNCTION public.fold_counts() RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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

CREATE FUNCTION public.forbid_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed or removed', TG_TABLE_NAME;
END $$;

CREATE FUNCTION public.get_weekly_finetuning_dataset() RETURNS TABLE(messages jsonb, weight double precision, metadata jsonb)
    LANGUAGE sql STABLE
    AS $$
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

CREATE FUNCTION public.interaction_counted_in() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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

CREATE FUNCTION public.interaction_counted_out() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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

CREATE FUNCTION public.interaction_deleted() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO change (day)
    SELECT day FROM old_rows
    UNION
    SELECT f.day FROM old_rows JOIN feedback f ON f.interaction_id = old_rows.id;
    RETURN NULL;
END $$;

CREATE FUNCTION public.interaction_inserted() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
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

CREATE FUNCTION public.interaction_key_inserted() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE feedback f SET interaction_id = k.interaction_id
    FROM new_rows k
    WHERE f.interaction_id IS NULL AND f.tenant = k.tenant AND f.key_kind = k.kind AND f.key_value = k.value;
    IF FOUND THEN
        PERFORM settle_votes(array_agg(interaction_id)) FROM new_rows;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION public.interaction_recounted() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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

CREATE FUNCTION public.interaction_updated() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
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

CREATE FUNCTION public.keep_expired_days() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.computed := NEW.version;
    NEW.requested := NEW.version;
    RETURN NEW;
END $$;

CREATE FUNCTION public.match_votes(arrived uuid[] DEFAULT NULL::uuid[]) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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

CREATE FUNCTION public.record_counts(counted public.counted_vote[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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

SET default_tablespace = '';

SET default_table_access_method = heap;

CREATE TABLE public.person_seen (
    tenant text NOT NULL,
    kind text NOT NULL,
    person text NOT NULL,
    day date NOT NULL,
    previous date,
    CONSTRAINT person_seen_kind_check CHECK ((kind = ANY (ARRAY['user'::text, 'session'::text])))
)
WITH (fillfactor='80');

CREATE FUNCTION public.record_people(seen_people public.person_seen[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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

CREATE FUNCTION public.refusal_changed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO change (day) SELECT DISTINCT day FROM changed_rows;
    RETURN NULL;
END $$;

CREATE FUNCTION public.settle_votes(interactions uuid[]) RETURNS bigint
    LANGUAGE sql
    AS $$
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

CREATE FUNCTION public.sweep_capture() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    DELETE FROM idempotency WHERE created_at < now() - interval '24 hours';
    DELETE FROM token_use WHERE expires_at < now() - interval '1 hour';
    DELETE FROM rate_window WHERE starts < now() - interval '1 hour';
END $$;

CREATE FUNCTION public.take_allowance(wanted_bucket bytea, window_start timestamp with time zone, allowance integer, wanted integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    granted integer;
BEGIN
    INSERT INTO rate_window AS w (bucket, starts, used) VALUES (wanted_bucket, window_start, LEAST(wanted, allowance))
    ON CONFLICT (bucket, starts) DO UPDATE SET previous = w.used, used = LEAST(w.used + wanted, allowance)
    RETURNING used - previous INTO granted;
    RETURN granted;
END $$;

CREATE FUNCTION public.use_token(token uuid, browser_mark bytea, expiry timestamp with time zone, allowed integer) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    held token_use;
BEGIN
    INSERT INTO token_use AS t (id, browser, expires_at) VALUES (token, browser_mark, expiry)
    ON CONFLICT (id) DO UPDATE SET uses = t.uses + 1 RETURNING * INTO held;
    RETURN CASE WHEN held.browser <> browser_mark THEN 'elsewhere' WHEN held.uses > allowed THEN 'used_up' ELSE 'good' END;
END $$;

CREATE TABLE public.action (
    recommendation_id text NOT NULL,
    kind text NOT NULL,
    statement text NOT NULL,
    expected_gain double precision,
    first_week date NOT NULL,
    last_week date NOT NULL,
    status text DEFAULT 'proposed'::text NOT NULL,
    owner text,
    due date,
    done_on date,
    outcome text,
    outcome_week date,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT action_check CHECK ((first_week <= last_week)),
    CONSTRAINT action_check1 CHECK (((status = 'done'::text) = (done_on IS NOT NULL))),
    CONSTRAINT action_outcome_check CHECK ((outcome = ANY (ARRAY['helped'::text, 'no measurable change'::text, 'hurt'::text, 'cannot say'::text]))),
    CONSTRAINT action_status_check CHECK ((status = ANY (ARRAY['proposed'::text, 'accepted'::text, 'done'::text, 'dropped'::text])))
);

CREATE TABLE public.action_day (
    tenant text NOT NULL,
    day date NOT NULL,
    content_type text NOT NULL,
    action_type text NOT NULL,
    votes bigint NOT NULL,
    up bigint NOT NULL,
    down bigint NOT NULL
)
WITH (fillfactor='70');

CREATE TABLE public.action_event (
    id bigint NOT NULL,
    recommendation_id text NOT NULL,
    status text NOT NULL,
    owner text,
    due date,
    decided_by text,
    note text,
    decided_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE public.action_event ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.action_event_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);

CREATE TABLE public.alert (
    id uuid NOT NULL,
    kind text NOT NULL,
    severity text NOT NULL,
    slice jsonb DEFAULT '{}'::jsonb NOT NULL,
    numbers jsonb DEFAULT '{}'::jsonb NOT NULL,
    state text DEFAULT 'open'::text NOT NULL,
    "real" boolean,
    opened_at timestamp with time zone DEFAULT now() NOT NULL,
    notified_at timestamp with time zone,
    closed_at timestamp with time zone,
    incident text NOT NULL,
    explanation text NOT NULL,
    first_day date NOT NULL,
    last_day date NOT NULL,
    acknowledged_at timestamp with time zone,
    acknowledged_by text,
    closed_by text,
    closed_on date,
    CONSTRAINT alert_check CHECK ((first_day <= last_day)),
    CONSTRAINT alert_check1 CHECK (((closed_at IS NULL) = (closed_on IS NULL))),
    CONSTRAINT alert_closed_at CHECK (((state = 'closed'::text) = (closed_at IS NOT NULL))),
    CONSTRAINT alert_severity_check CHECK ((severity = ANY (ARRAY['warn'::text, 'error'::text]))),
    CONSTRAINT alert_state_check CHECK ((state = ANY (ARRAY['open'::text, 'acknowledged'::text, 'closed'::text])))
);

CREATE TABLE public.api_key (
    id uuid NOT NULL,
    tenant text NOT NULL,
    name text NOT NULL,
    hash bytea NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone
);

CREATE TABLE public.approval (
    id bigint NOT NULL,
    subject text NOT NULL,
    content_hash text NOT NULL,
    decision text NOT NULL,
    approver text NOT NULL,
    reason text,
    signature text NOT NULL,
    decided_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT approval_decision_check CHECK ((decision = ANY (ARRAY['approved'::text, 'rejected'::text, 'revoked'::text])))
);

ALTER TABLE public.approval ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.approval_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.assignment (
    experiment text NOT NULL,
    unit text NOT NULL,
    variant text NOT NULL,
    propensity double precision NOT NULL,
    assigned_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT assignment_propensity_check CHECK (((propensity > (0)::double precision) AND (propensity <= (1)::double precision)))
);

CREATE TABLE public.audit_item (
    interaction_id uuid NOT NULL,
    week date NOT NULL,
    day date NOT NULL,
    stratum text NOT NULL,
    place integer NOT NULL,
    inclusion_probability double precision NOT NULL,
    drawn_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT audit_item_inclusion_probability_check CHECK (((inclusion_probability > (0)::double precision) AND (inclusion_probability <= (1)::double precision)))
);

CREATE TABLE public.audit_label (
    interaction_id uuid NOT NULL,
    criterion text NOT NULL,
    auditor text NOT NULL,
    verdict text NOT NULL,
    labelled_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT audit_label_verdict_check CHECK ((verdict = ANY (ARRAY['up'::text, 'neutral'::text, 'down'::text, 'cannot_say'::text])))
);

CREATE TABLE public.change (
    day date NOT NULL,
    txid xid8 DEFAULT pg_current_xact_id() NOT NULL
);

CREATE TABLE public.consent (
    tenant text NOT NULL,
    user_key text NOT NULL,
    collect boolean DEFAULT true NOT NULL,
    use_for_analysis boolean DEFAULT true NOT NULL,
    use_for_training boolean DEFAULT true NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.feedback (
    id uuid NOT NULL,
    tenant text NOT NULL,
    interaction_id uuid,
    key_kind text,
    key_value text,
    kind text NOT NULL,
    thumb boolean,
    stars smallint,
    value text,
    comment text,
    correction text,
    reasons text[] DEFAULT '{}'::text[] NOT NULL,
    preference text,
    other_interaction_id uuid,
    user_key text,
    session_key text,
    voter text GENERATED ALWAYS AS (COALESCE(user_key, session_key, (id)::text)) STORED NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    day date GENERATED ALWAYS AS (((LEAST(occurred_at, received_at) AT TIME ZONE 'UTC'::text))::date) STORED NOT NULL,
    withdrawn boolean DEFAULT false NOT NULL,
    superseded_by uuid,
    supersedes uuid,
    idempotency_key text,
    source text NOT NULL,
    source_id text NOT NULL,
    raw text,
    CONSTRAINT feedback_check CHECK (((interaction_id IS NOT NULL) OR (key_value IS NOT NULL))),
    CONSTRAINT feedback_check1 CHECK (((kind <> 'preference'::text) OR withdrawn OR ((preference IS NOT NULL) AND (other_interaction_id IS NOT NULL)))),
    CONSTRAINT feedback_check2 CHECK (((kind <> 'correction'::text) OR withdrawn OR (correction IS NOT NULL))),
    CONSTRAINT feedback_check3 CHECK (((kind <> 'comment'::text) OR withdrawn OR (comment IS NOT NULL))),
    CONSTRAINT feedback_check4 CHECK (((kind <> 'explicit'::text) OR withdrawn OR (thumb IS NOT NULL) OR (stars IS NOT NULL))),
    CONSTRAINT feedback_check5 CHECK (((kind <> ALL (ARRAY['outcome'::text, 'implicit'::text])) OR withdrawn OR (value IS NOT NULL))),
    CONSTRAINT feedback_kind_check CHECK ((kind = ANY (ARRAY['explicit'::text, 'implicit'::text, 'outcome'::text, 'correction'::text, 'preference'::text, 'comment'::text]))),
    CONSTRAINT feedback_occurred_at_check CHECK (((occurred_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (occurred_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT feedback_preference_check CHECK ((preference = ANY (ARRAY['this'::text, 'other'::text, 'tie'::text]))),
    CONSTRAINT feedback_stars_check CHECK (((stars >= 1) AND (stars <= 5)))
);

CREATE TABLE public.interaction (
    id uuid NOT NULL,
    tenant text NOT NULL,
    project text,
    conversation_id text,
    turn integer,
    intent text,
    content_type text,
    action_type text,
    language text,
    model text,
    prompt_version text,
    framework text,
    variant text,
    tags text[] DEFAULT '{}'::text[] NOT NULL,
    tools_called text[] DEFAULT '{}'::text[] NOT NULL,
    techniques text[] DEFAULT '{}'::text[] NOT NULL,
    memory_used real,
    messages text,
    prompt text,
    output text,
    content_snapshot text,
    context text NOT NULL,
    finish_reason text,
    confidence real,
    latency_ms real,
    input_tokens integer,
    output_tokens integer,
    cost_usd double precision,
    user_key text,
    session_key text,
    occurred_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    day date GENERATED ALWAYS AS (((LEAST(occurred_at, received_at) AT TIME ZONE 'UTC'::text))::date) STORED NOT NULL,
    source text NOT NULL,
    source_id text NOT NULL,
    provenance text NOT NULL,
    inclusion_probability real DEFAULT 1 NOT NULL,
    metadata text,
    raw text,
    CONSTRAINT interaction_confidence_check CHECK (((confidence >= (0)::double precision) AND (confidence <= (1)::double precision))),
    CONSTRAINT interaction_context_check CHECK ((context = ANY (ARRAY['full'::text, 'partial'::text]))),
    CONSTRAINT interaction_cost_usd_check CHECK ((cost_usd >= (0)::double precision)),
    CONSTRAINT interaction_inclusion_probability_check CHECK (((inclusion_probability > (0)::double precision) AND (inclusion_probability <= (1)::double precision))),
    CONSTRAINT interaction_input_tokens_check CHECK ((input_tokens >= 0)),
    CONSTRAINT interaction_latency_ms_check CHECK ((latency_ms >= (0)::double precision)),
    CONSTRAINT interaction_occurred_at_check CHECK (((occurred_at >= '2000-01-01 00:00:00+00'::timestamp with time zone) AND (occurred_at < '2100-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT interaction_output_tokens_check CHECK ((output_tokens >= 0)),
    CONSTRAINT interaction_provenance_check CHECK ((provenance = ANY (ARRAY['logged'::text, 'server'::text, 'import'::text, 'browser'::text]))),
    CONSTRAINT interaction_turn_check CHECK ((turn >= 0))
);

CREATE VIEW public.current_feedback AS
 SELECT f.id,
    f.tenant,
    f.interaction_id,
    f.key_kind,
    f.key_value,
    f.kind,
    f.thumb,
    f.stars,
    f.value,
    f.comment,
    f.correction,
    f.reasons,
    f.preference,
    f.other_interaction_id,
    f.user_key,
    f.session_key,
    f.voter,
    f.occurred_at,
    f.received_at,
    f.day,
    f.withdrawn,
    f.superseded_by,
    f.supersedes,
    f.idempotency_key,
    f.source,
    f.source_id,
    f.raw,
    i.model,
    i.intent,
    i.project,
    i.prompt_version
   FROM (public.feedback f
     JOIN public.interaction i ON ((i.id = f.interaction_id)))
  WHERE ((f.superseded_by IS NULL) AND (NOT f.withdrawn));

CREATE TABLE public.dataset (
    id text NOT NULL,
    week date NOT NULL,
    manifest jsonb NOT NULL,
    tainted_share double precision,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.dataset_row (
    dataset_id text NOT NULL,
    row_id text NOT NULL,
    interaction_ids uuid[] NOT NULL,
    feedback_ids uuid[] NOT NULL,
    weight double precision NOT NULL,
    lines integer NOT NULL
);

CREATE TABLE public.day_state (
    day date NOT NULL,
    version bigint DEFAULT 0 NOT NULL,
    requested bigint DEFAULT 0 NOT NULL,
    computed bigint DEFAULT 0 NOT NULL,
    run_key text,
    attempts integer DEFAULT 0 NOT NULL,
    problem text,
    sealed boolean DEFAULT false NOT NULL,
    changed_at timestamp with time zone DEFAULT now() NOT NULL,
    emptied bigint DEFAULT 0 NOT NULL,
    expired boolean DEFAULT false NOT NULL
);

CREATE TABLE public.erasure (
    id uuid NOT NULL,
    subject_hash text NOT NULL,
    state text NOT NULL,
    steps jsonb DEFAULT '{}'::jsonb NOT NULL,
    receipt jsonb,
    requested_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone
);

CREATE TABLE public.experiment (
    name text NOT NULL,
    arms jsonb NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    ended_at timestamp with time zone
);

CREATE TABLE public.export_use (
    tenant text NOT NULL,
    made_at timestamp with time zone DEFAULT now() NOT NULL,
    lines bigint NOT NULL
);

CREATE TABLE public.fine_tune_event (
    job_id text NOT NULL,
    version integer NOT NULL,
    state text NOT NULL,
    reported text,
    reason text,
    at timestamp with time zone NOT NULL
);

CREATE TABLE public.fine_tune_job (
    id text NOT NULL,
    dataset_id text NOT NULL,
    provider text NOT NULL,
    base_model text NOT NULL,
    state text NOT NULL,
    provider_file text,
    provider_job text,
    result_model text,
    estimated_usd double precision,
    charged_usd double precision,
    attempt integer DEFAULT 1 NOT NULL,
    detail jsonb,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    week date NOT NULL,
    method text NOT NULL,
    request jsonb NOT NULL,
    examples integer NOT NULL,
    version integer DEFAULT 0 NOT NULL,
    since timestamp with time zone NOT NULL,
    validation_file text,
    reported text,
    trained_tokens bigint,
    misses integer DEFAULT 0 NOT NULL,
    reason text,
    usd_per_million double precision,
    losses jsonb DEFAULT '[]'::jsonb NOT NULL,
    announced boolean DEFAULT false NOT NULL,
    looked_at timestamp with time zone,
    CONSTRAINT fine_tune_job_state CHECK ((state = ANY (ARRAY['planned'::text, 'uploading'::text, 'uploaded'::text, 'creating'::text, 'following'::text, 'succeeded'::text, 'failed'::text, 'cancelled'::text, 'not_run'::text, 'lost'::text, 'refused'::text])))
);

CREATE TABLE public.idempotency (
    tenant text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    feedback_id uuid NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.import_progress (
    source text NOT NULL,
    fingerprint text NOT NULL,
    rows_done bigint NOT NULL,
    finished boolean DEFAULT false NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.interaction_key (
    tenant text NOT NULL,
    kind text NOT NULL,
    value text NOT NULL,
    interaction_id uuid NOT NULL,
    CONSTRAINT interaction_key_kind_check CHECK ((kind = ANY (ARRAY['request'::text, 'message'::text, 'content'::text, 'interaction'::text])))
);

CREATE TABLE public.judge_reply (
    key text NOT NULL,
    reply bytea NOT NULL,
    content_hash text,
    cost_usd double precision DEFAULT 0 NOT NULL,
    run_id uuid,
    replied_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.judge_run (
    id uuid NOT NULL,
    week date NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    settled_at timestamp with time zone,
    spent_usd double precision,
    attempts integer,
    CONSTRAINT judge_run_attempts_check CHECK ((attempts >= 0)),
    CONSTRAINT judge_run_check CHECK (((settled_at IS NULL) = (spent_usd IS NULL))),
    CONSTRAINT judge_run_spent_usd_check CHECK ((spent_usd >= (0)::double precision))
);

CREATE TABLE public.judgement (
    content_hash text NOT NULL,
    fingerprint text NOT NULL,
    interaction_id uuid,
    other_interaction_id uuid,
    criterion text NOT NULL,
    result jsonb NOT NULL,
    input_tokens integer,
    output_tokens integer,
    cost_usd double precision,
    judged_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.model (
    name text NOT NULL,
    base text,
    provider text,
    state text NOT NULL,
    shutdown_date date,
    tainted_share double precision,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    job_id text,
    dataset_id text,
    week date,
    CONSTRAINT model_state_check CHECK ((state = ANY (ARRAY['base'::text, 'candidate'::text, 'approved'::text, 'promoted'::text, 'retired'::text, 'tainted'::text])))
);

CREATE VIEW public.model_accuracy_by_intent AS
 SELECT model,
    intent,
    project,
    count(*) FILTER (WHERE (thumb IS NOT NULL)) AS total,
    count(*) FILTER (WHERE thumb) AS positive,
    count(*) FILTER (WHERE (NOT thumb)) AS negative,
    round(((100.0 * (count(*) FILTER (WHERE thumb))::numeric) / (NULLIF(count(*) FILTER (WHERE (thumb IS NOT NULL)), 0))::numeric), 2) AS accuracy
   FROM public.current_feedback
  WHERE (kind = 'explicit'::text)
  GROUP BY model, intent, project;

CREATE TABLE public.model_alias (
    alias text NOT NULL,
    model text NOT NULL,
    previous text,
    since timestamp with time zone NOT NULL
);

CREATE TABLE public.model_evaluation (
    content_hash text NOT NULL,
    model text NOT NULL,
    incumbent text NOT NULL,
    passed boolean NOT NULL,
    detail jsonb NOT NULL,
    evaluated_at timestamp with time zone NOT NULL
);

CREATE TABLE public.model_event (
    id bigint NOT NULL,
    alias text NOT NULL,
    event text NOT NULL,
    model text NOT NULL,
    previous text,
    approval_id bigint,
    person text,
    reason text,
    at timestamp with time zone NOT NULL,
    CONSTRAINT model_event_event_check CHECK ((event = ANY (ARRAY['promoted'::text, 'rolled_back'::text, 'expired'::text])))
);

ALTER TABLE public.model_event ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.model_event_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.notification (
    subject text NOT NULL,
    channel text NOT NULL,
    sent_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.person_day (
    tenant text NOT NULL,
    kind text NOT NULL,
    day date NOT NULL,
    people bigint NOT NULL
);

CREATE TABLE public.person_delta (
    tenant text NOT NULL,
    kind text NOT NULL,
    day date NOT NULL,
    people bigint NOT NULL
);

CREATE TABLE public.prompt (
    tenant text NOT NULL,
    version text NOT NULL,
    name text DEFAULT ''::text NOT NULL,
    template text,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.provider_event (
    id text NOT NULL,
    received_at timestamp with time zone NOT NULL
);

CREATE UNLOGGED TABLE public.rate_window (
    bucket bytea NOT NULL,
    starts timestamp with time zone NOT NULL,
    used integer NOT NULL,
    previous integer DEFAULT 0 NOT NULL
)
WITH (fillfactor='50');

CREATE TABLE public.refusal (
    id uuid NOT NULL,
    tenant text NOT NULL,
    day date NOT NULL,
    category text NOT NULL,
    source text NOT NULL,
    place text NOT NULL,
    field text,
    reason text NOT NULL,
    payload text,
    state text DEFAULT 'held'::text NOT NULL,
    recorded_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT refusal_category_check CHECK ((category = ANY (ARRAY['quarantined'::text, 'duplicate'::text, 'opted_out'::text]))),
    CONSTRAINT refusal_state_check CHECK ((state = ANY (ARRAY['held'::text, 'readmitted'::text, 'discarded'::text])))
);

CREATE TABLE public.review (
    feedback_id uuid NOT NULL,
    decision text NOT NULL,
    reviewer text NOT NULL,
    decided_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT review_decision_check CHECK ((decision = ANY (ARRAY['accepted'::text, 'rejected'::text]))),
    CONSTRAINT review_reviewer_check CHECK ((reviewer <> ''::text))
);

CREATE TABLE public.setting (
    name text NOT NULL,
    value text NOT NULL
);

CREATE TABLE public.shadow_run (
    id uuid NOT NULL,
    interaction_id uuid NOT NULL,
    model text NOT NULL,
    output text,
    latency_ms real,
    occurred_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.tenant (
    name text NOT NULL,
    use_for_analysis boolean DEFAULT true NOT NULL,
    use_for_training boolean DEFAULT true NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.token_use (
    id uuid NOT NULL,
    browser bytea NOT NULL,
    uses integer DEFAULT 1 NOT NULL,
    expires_at timestamp with time zone NOT NULL
);

CREATE TABLE public.vote_day (
    tenant text NOT NULL,
    day date NOT NULL,
    model text NOT NULL,
    intent text NOT NULL,
    project text NOT NULL,
    votes bigint NOT NULL,
    up bigint NOT NULL,
    down bigint NOT NULL,
    stars bigint NOT NULL,
    stars_sum bigint NOT NULL,
    comments bigint NOT NULL,
    corrections bigint NOT NULL,
    memories bigint NOT NULL,
    memory_sum double precision NOT NULL
)
WITH (fillfactor='70');

CREATE TABLE public.vote_delta (
    tenant text NOT NULL,
    day date NOT NULL,
    model text NOT NULL,
    intent text NOT NULL,
    project text NOT NULL,
    content_type text NOT NULL,
    action_type text NOT NULL,
    votes bigint NOT NULL,
    up bigint NOT NULL,
    down bigint NOT NULL,
    stars bigint NOT NULL,
    stars_sum bigint NOT NULL,
    comments bigint NOT NULL,
    corrections bigint NOT NULL,
    memories bigint NOT NULL,
    memory_sum double precision NOT NULL
);

CREATE TABLE public.vote_total (
    tenant text NOT NULL,
    model text NOT NULL,
    intent text NOT NULL,
    project text NOT NULL,
    votes bigint NOT NULL,
    up bigint NOT NULL,
    down bigint NOT NULL,
    stars bigint NOT NULL,
    stars_sum bigint NOT NULL
)
WITH (fillfactor='70');

CREATE TABLE public.vote_unmatched (
    feedback_id uuid NOT NULL,
    interaction_id uuid NOT NULL,
    noted_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.week_state (
    week date NOT NULL,
    revision integer DEFAULT 0 NOT NULL,
    content_hash text
);

INSERT INTO public.action VALUES
	('a1', 'shorten', 'shorten billing answers', NULL, '2026-11-16', '2026-11-16', 'proposed', NULL, NULL, NULL, NULL, NULL, '2026-11-29 13:28:24.00372+00');

INSERT INTO public.action_day VALUES
	('acme', '2026-11-17', '', '', 3, 1, 2),
	('acme', '2026-11-19', '', '', 3, 1, 2),
	('acme', '2026-11-20', '', '', 3, 1, 2),
	('acme', '2026-11-22', '', '', 3, 1, 2),
	('default', '2026-11-16', '', '', 4, 1, 2),
	('default', '2026-11-17', '', '', 11, 3, 5),
	('default', '2026-11-18', '', '', 13, 4, 6),
	('default', '2026-11-19', '', '', 12, 3, 6),
	('default', '2026-11-20', '', '', 8, 2, 4),
	('default', '2026-11-21', '', '', 13, 3, 6),
	('default', '2026-11-22', '', '', 3, 1, 2);

INSERT INTO public.action_event OVERRIDING SYSTEM VALUE VALUES
	(1, 'a1', 'proposed', NULL, NULL, NULL, NULL, '2026-11-29 13:28:24.00372+00');

INSERT INTO public.alembic_version VALUES
	('0011');

INSERT INTO public.alert VALUES
	('974c3243-7364-4bba-ab44-64fea7e0369d', 'drop', 'warn', '{}', '{}', 'open', NULL, '2026-11-29 13:28:24.00372+00', NULL, NULL, 'i1', 'fell from 80 % to 60 %', '2026-11-16', '2026-11-17', NULL, NULL, NULL, NULL);

INSERT INTO public.api_key VALUES
	('84bfc066-e2c9-4c7b-82d6-9ef32a00cec1', 'acme', 'ci', '\x02', '{write}', '2026-11-29 13:28:24.00372+00', NULL, NULL);

INSERT INTO public.approval OVERRIDING SYSTEM VALUE VALUES
	(1, 'model:m-tuned', 'e1', 'approved', 'ana', NULL, 'sig', '2026-11-29 13:28:24.00372+00');

INSERT INTO public.assignment VALUES
	('tone', 'u1', 'a', 0.5, '2026-11-29 13:28:24.00372+00');

INSERT INTO public.audit_item VALUES
	('00000000-0000-4000-8000-000000000001', '2026-11-16', '2026-11-16', 'up', 0, 0.5, '2026-11-29 13:28:24.00372+00');

INSERT INTO public.audit_label VALUES
	('00000000-0000-4000-8000-000000000001', 'helpful', 'ana', 'down', '2026-11-29 13:28:24.00372+00');

INSERT INTO public.change VALUES
	('2026-11-16', '758'),
	('2026-11-17', '758'),
	('2026-11-18', '758'),
	('2026-11-19', '758'),
	('2026-11-20', '758'),
	('2026-11-21', '758'),
	('2026-11-22', '758'),
	('2026-11-16', '758'),
	('2026-11-17', '758'),
	('2026-11-18', '758'),
	('2026-11-19', '758'),
	('2026-11-20', '758'),
	('2026-11-21', '758'),
	('2026-11-22', '758'),
	('2026-11-17', '758'),
	('2026-11-16', '758'),
	('2026-11-17', '758'),
	('2026-11-18', '758'),
	('2026-11-19', '758'),
	('2026-11-20', '758'),
	('2026-11-21', '758'),
	('2026-11-22', '758'),
	('2026-11-18', '758'),
	('2026-11-17', '758');

INSERT INTO public.consent VALUES
	('default', 'k1:1', true, true, false, '2026-11-29 13:28:24.00372+00');

INSERT INTO public.dataset VALUES
	('d1', '2026-11-16', '{"lines": 3}', NULL, '2026-11-29 13:28:24.00372+00');

INSERT INTO public.dataset_row VALUES
	('d1', 'r1', '{00000000-0000-4000-8000-000000000001}', '{00000000-0000-4000-8000-000000000002}', 1.5, 2);

INSERT INTO public.day_state VALUES
	('2026-11-19', 2, 0, 1, NULL, 0, NULL, false, '2026-11-29 13:28:24.00372+00', 0, false),
	('2026-11-22', 2, 0, 1, NULL, 0, NULL, false, '2026-11-29 13:28:24.00372+00', 0, false),
	('2026-11-21', 2, 0, 1, NULL, 0, NULL, false, '2026-11-29 13:28:24.00372+00', 0, false),
	('2026-11-18', 2, 0, 1, NULL, 0, NULL, false, '2026-11-29 13:28:24.00372+00', 0, false),
	('2026-11-20', 2, 0, 1, NULL, 0, NULL, false, '2026-11-29 13:28:24.00372+00', 0, false),
	('2026-11-16', 2, 0, 1, NULL, 0, NULL, false, '2026-11-29 13:28:24.00372+00', 0, false),
	('2026-11-17', 2, 2, 2, NULL, 0, NULL, false, '2026-11-29 13:28:24.00372+00', 0, true);

INSERT INTO public.erasure VALUES
	('21aa7661-1396-4a30-bdba-5d98c6d5bc48', 's', 'done', '{}', '{"left": 0}', '2026-11-29 13:28:24.00372+00', '2026-11-29 13:28:24.00372+00');

INSERT INTO public.experiment VALUES
	('tone', '["a", "b"]', '2026-11-29 13:28:24.00372+00', NULL);

INSERT INTO public.export_use VALUES
	('default', '2026-11-29 13:28:24.00372+00', 12);

INSERT INTO public.feedback VALUES
	('8d8d9654-bae9-41a7-96ef-534f2148631f', 'default', '00000000-0000-4000-8000-000000000001', NULL, NULL, 'explicit', false, 1, NULL, 'Dauerte zu lange: 5 %', NULL, '{}', NULL, NULL, 'k1:1', 'k1:s1', DEFAULT, '2026-11-16 18:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '1-1', NULL),
	('edc3d8b9-c76a-46dc-9a9a-0f58804e3ff7', 'default', '00000000-0000-4000-8000-000000000002', NULL, NULL, 'explicit', false, 1, NULL, 'Dauerte zu lange: 5 %', NULL, '{}', NULL, NULL, 'k1:1', 'k1:s1', DEFAULT, '2026-11-17 01:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '2-1', NULL),
	('f738cdf8-5836-4ee5-8d12-015849286263', 'default', '00000000-0000-4000-8000-000000000003', NULL, NULL, 'explicit', false, 1, NULL, 'Dauerte zu lange: 5 %', NULL, '{}', NULL, NULL, 'k1:1', 'k1:s1', DEFAULT, '2026-11-17 08:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '3-1', NULL),
	('900f225d-83ff-4814-b06c-c56943013923', 'default', '00000000-0000-4000-8000-000000000004', NULL, NULL, 'explicit', false, 1, NULL, 'Dauerte zu lange: 5 %', NULL, '{}', NULL, NULL, 'k1:1', 'k1:s1', DEFAULT, '2026-11-17 15:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '4-1', NULL),
	('16bfec21-5dd8-48ac-956c-7c8bc6d02fa0', 'acme', '00000000-0000-4000-8000-000000000005', NULL, NULL, 'explicit', false, 1, NULL, 'Dauerte zu lange: 5 %', NULL, '{}', NULL, NULL, 'k1:1', 'k1:s1', DEFAULT, '2026-11-17 22:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '5-1', NULL),
	('b45ad808-ab2a-485d-b248-78d071c4fe12', 'default', '00000000-0000-4000-8000-000000000006', NULL, NULL, 'explicit', false, 1, NULL, 'Dauerte zu lange: 5 %', NULL, '{}', NULL, NULL, 'k1:1', 'k1:s1', DEFAULT, '2026-11-18 05:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '6-1', NULL),
	('4a9f2336-23b1-43d3-bbee-97717c65d50c', 'default', '00000000-0000-4000-8000-000000000007', NULL, NULL, 'explicit', false, 1, NULL, 'Dauerte zu lange: 5 %', NULL, '{}', NULL, NULL, 'k1:1', 'k1:s1', DEFAULT, '2026-11-18 12:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '7-1', NULL),
	('ea0666b3-b731-4f81-b485-0940e5e6d960', 'default', '00000000-0000-4000-8000-000000000008', NULL, NULL, 'explicit', false, 1, NULL, 'Dauerte zu lange: 5 %', NULL, '{}', NULL, NULL, 'k1:1', 'k1:s1', DEFAULT, '2026-11-18 19:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '8-1', NULL),
	('0acf0ec0-5547-4d96-a1b5-0570d27569e1', 'default', '00000000-0000-4000-8000-000000000009', NULL, NULL, 'explicit', false, 1, NULL, 'Dauerte zu lange: 5 %', NULL, '{}', NULL, NULL, 'k1:1', 'k1:s1', DEFAULT, '2026-11-19 02:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '9-1', NULL),
	('b3f990d5-07d2-4723-b742-3df54aaca7dd', 'acme', '00000000-0000-4000-8000-000000000010', NULL, NULL, 'explicit', false, 1, NULL, 'Dauerte zu lange: 5 %', NULL, '{}', NULL, NULL, 'k1:1', 'k1:s1', DEFAULT, '2026-11-19 09:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '10-1', NULL),
	('a23a057d-84c8-4814-93d9-660b91ffdca5', 'default', '00000000-0000-4000-8000-000000000011', NULL, NULL, 'explicit', false, 1, NULL, 'Dauerte zu lange: 5 %', NULL, '{}', NULL, NULL, 'k1:1', 'k1:s1', DEFAULT, '2026-11-19 16:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '11-1', NULL),
	('b1d7d681-a9ff-475b-861f-e61cac618b42', 'default', '00000000-0000-4000-8000-000000000012', NULL, NULL, 'explicit', false, 1, NULL, 'Dauerte zu lange: 5 %', NULL, '{}', NULL, NULL, 'k1:1', 'k1:s1', DEFAULT, '2026-11-19 23:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '12-1', NULL),
	('2320e749-0372-4a46-ad9d-0729dc2d2969', 'default', '00000000-0000-4000-8000-000000000013', NULL, NULL, 'explicit', false, 1, NULL, 'Dauerte zu lange: 5 %', NULL, '{}', NULL, NULL, 'k1:1', 'k1:s1', DEFAULT, '2026-11-20 06:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '13-1', NULL),
	('fe8b079e-497a-453b-b08b-37611707f115', 'default', '00000000-0000-4000-8000-000000000014', NULL, NULL, 'explicit', false, 1, NULL, 'Dauerte zu lange: 5 %', NULL, '{}', NULL, NULL, 'k1:1', 'k1:s1', DEFAULT, '2026-11-20 13:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '14-1', NULL),
	('f94a6fe1-8a35-403e-96ed-1873c7ee7e6f', 'acme', '00000000-0000-4000-8000-000000000015', NULL, NULL, 'explicit', false, 1, NULL, 'Dauerte zu lange: 5 %', NULL, '{}', NULL, NULL, 'k1:1', 'k1:s1', DEFAULT, '2026-11-20 20:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '15-1', NULL),
	('55343cd8-d935-49d6-a316-4d46fe6c8616', 'default', '00000000-0000-4000-8000-000000000016', NULL, NULL, 'explicit', false, 1, NULL, 'Dauerte zu lange: 5 %', NULL, '{}', NULL, NULL, 'k1:1', 'k1:s1', DEFAULT, '2026-11-21 03:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '16-1', NULL),
	('561109e2-99f9-423f-8b7e-741897c04732', 'default', '00000000-0000-4000-8000-000000000017', NULL, NULL, 'explicit', false, 1, NULL, 'Dauerte zu lange: 5 %', NULL, '{}', NULL, NULL, 'k1:1', 'k1:s1', DEFAULT, '2026-11-21 10:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '17-1', NULL),
	('1af78c45-b699-4c04-9028-0895e840c939', 'default', '00000000-0000-4000-8000-000000000018', NULL, NULL, 'explicit', false, 1, NULL, 'Dauerte zu lange: 5 %', NULL, '{}', NULL, NULL, 'k1:1', 'k1:s1', DEFAULT, '2026-11-21 17:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '18-1', NULL),
	('2a542bbc-522a-43bc-8ef1-42acb1f63583', 'default', '00000000-0000-4000-8000-000000000019', NULL, NULL, 'explicit', false, 1, NULL, 'Dauerte zu lange: 5 %', NULL, '{}', NULL, NULL, 'k1:1', 'k1:s1', DEFAULT, '2026-11-22 00:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '19-1', NULL),
	('55d11db8-c1e8-4f68-b6be-82b1267b7d14', 'acme', '00000000-0000-4000-8000-000000000020', NULL, NULL, 'explicit', false, 1, NULL, 'Dauerte zu lange: 5 %', NULL, '{}', NULL, NULL, 'k1:1', 'k1:s1', DEFAULT, '2026-11-22 07:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '20-1', NULL),
	('8f6ee2b4-c053-43d5-9d30-46c090c0317c', 'default', '00000000-0000-4000-8000-000000000001', NULL, NULL, 'explicit', true, 2, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:2', 'k1:s2', DEFAULT, '2026-11-16 18:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '1-2', NULL),
	('70054ce8-7a48-4044-8d42-1accf6a4e2c3', 'default', '00000000-0000-4000-8000-000000000002', NULL, NULL, 'explicit', true, 2, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:2', 'k1:s2', DEFAULT, '2026-11-17 01:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '2-2', NULL),
	('9acbd6d9-8f54-4e28-9ac2-379473f8d230', 'default', '00000000-0000-4000-8000-000000000003', NULL, NULL, 'explicit', true, 2, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:2', 'k1:s2', DEFAULT, '2026-11-17 08:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '3-2', NULL),
	('1fea3cef-83d1-495e-bc63-3212ff98814f', 'default', '00000000-0000-4000-8000-000000000004', NULL, NULL, 'explicit', true, 2, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:2', 'k1:s2', DEFAULT, '2026-11-17 15:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '4-2', NULL),
	('da8164ba-e729-4ab7-bc98-f561872384b8', 'acme', '00000000-0000-4000-8000-000000000005', NULL, NULL, 'explicit', true, 2, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:2', 'k1:s2', DEFAULT, '2026-11-17 22:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '5-2', NULL),
	('a7b9a2c7-5d6e-4cb5-843d-6bdf0436e199', 'default', '00000000-0000-4000-8000-000000000006', NULL, NULL, 'explicit', true, 2, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:2', 'k1:s2', DEFAULT, '2026-11-18 05:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '6-2', NULL),
	('102c7301-9e99-4719-94df-9b1fad5812b7', 'default', '00000000-0000-4000-8000-000000000007', NULL, NULL, 'explicit', true, 2, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:2', 'k1:s2', DEFAULT, '2026-11-18 12:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '7-2', NULL),
	('6eaf849f-6d23-4448-ad1d-24f477a3f2d0', 'default', '00000000-0000-4000-8000-000000000008', NULL, NULL, 'explicit', true, 2, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:2', 'k1:s2', DEFAULT, '2026-11-18 19:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '8-2', NULL),
	('2b57c542-8085-4b29-8a87-1edcc7c2cdec', 'default', '00000000-0000-4000-8000-000000000009', NULL, NULL, 'explicit', true, 2, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:2', 'k1:s2', DEFAULT, '2026-11-19 02:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '9-2', NULL),
	('0cdd02c1-b9de-4f99-aeed-76f32ccaff55', 'acme', '00000000-0000-4000-8000-000000000010', NULL, NULL, 'explicit', true, 2, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:2', 'k1:s2', DEFAULT, '2026-11-19 09:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '10-2', NULL),
	('a8a04396-23f3-4ba4-b90e-d38a04b9d5e0', 'default', '00000000-0000-4000-8000-000000000011', NULL, NULL, 'explicit', true, 2, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:2', 'k1:s2', DEFAULT, '2026-11-19 16:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '11-2', NULL),
	('31793615-2d33-45ce-861c-8191b6d1e50c', 'default', '00000000-0000-4000-8000-000000000012', NULL, NULL, 'explicit', true, 2, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:2', 'k1:s2', DEFAULT, '2026-11-19 23:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '12-2', NULL),
	('16fa10ef-60ef-4590-bb42-5eb55448e0d6', 'default', '00000000-0000-4000-8000-000000000013', NULL, NULL, 'explicit', true, 2, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:2', 'k1:s2', DEFAULT, '2026-11-20 06:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '13-2', NULL),
	('b317f00b-56dd-4721-b283-2b616d9ed166', 'default', '00000000-0000-4000-8000-000000000014', NULL, NULL, 'explicit', true, 2, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:2', 'k1:s2', DEFAULT, '2026-11-20 13:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '14-2', NULL),
	('8fd1475d-8f1c-458d-9f6b-bdefc2677de0', 'acme', '00000000-0000-4000-8000-000000000015', NULL, NULL, 'explicit', true, 2, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:2', 'k1:s2', DEFAULT, '2026-11-20 20:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '15-2', NULL),
	('ae6bdb5e-ff01-42d1-a6a3-1d6fdd33304a', 'default', '00000000-0000-4000-8000-000000000016', NULL, NULL, 'explicit', true, 2, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:2', 'k1:s2', DEFAULT, '2026-11-21 03:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '16-2', NULL),
	('463911b8-ddf3-4c2b-97b2-41d17ddf2765', 'default', '00000000-0000-4000-8000-000000000017', NULL, NULL, 'explicit', true, 2, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:2', 'k1:s2', DEFAULT, '2026-11-21 10:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '17-2', NULL),
	('c6fd1c81-e2fe-4cd2-bd15-820276567de7', 'default', '00000000-0000-4000-8000-000000000018', NULL, NULL, 'explicit', true, 2, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:2', 'k1:s2', DEFAULT, '2026-11-21 17:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '18-2', NULL),
	('c5ea2fe1-ac77-4ddb-98f9-77adb37abc00', 'default', '00000000-0000-4000-8000-000000000019', NULL, NULL, 'explicit', true, 2, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:2', 'k1:s2', DEFAULT, '2026-11-22 00:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '19-2', NULL),
	('9e6fced7-9568-4760-82b2-d94d78bee1cf', 'acme', '00000000-0000-4000-8000-000000000020', NULL, NULL, 'explicit', true, 2, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:2', 'k1:s2', DEFAULT, '2026-11-22 07:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '20-2', NULL),
	('779b29a6-6371-4fed-a869-d5fd9e12e938', 'default', '00000000-0000-4000-8000-000000000001', NULL, NULL, 'explicit', false, 3, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:0', 'k1:s3', DEFAULT, '2026-11-16 18:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '1-3', NULL),
	('ba3955ab-a41a-4bf1-9a9d-292c8afacead', 'default', '00000000-0000-4000-8000-000000000002', NULL, NULL, 'explicit', false, 3, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:0', 'k1:s3', DEFAULT, '2026-11-17 01:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '2-3', NULL),
	('63c84852-3338-4e62-9ccd-65fba80c07d3', 'default', '00000000-0000-4000-8000-000000000004', NULL, NULL, 'explicit', false, 3, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:0', 'k1:s3', DEFAULT, '2026-11-17 15:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '4-3', NULL),
	('ed1f9ad2-8e20-40ea-893f-cde1c1eb006f', 'acme', '00000000-0000-4000-8000-000000000005', NULL, NULL, 'explicit', false, 3, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:0', 'k1:s3', DEFAULT, '2026-11-17 22:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '5-3', NULL),
	('9f499084-99c8-452a-b594-10b6a763c70d', 'default', '00000000-0000-4000-8000-000000000006', NULL, NULL, 'explicit', false, 3, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:0', 'k1:s3', DEFAULT, '2026-11-18 05:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '6-3', NULL),
	('e30572fc-3cbb-42db-83fc-eca5d311a52a', 'default', '00000000-0000-4000-8000-000000000007', NULL, NULL, 'explicit', false, 3, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:0', 'k1:s3', DEFAULT, '2026-11-18 12:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '7-3', NULL),
	('f5659b9e-5b19-4091-a78d-b3dd6a7773bc', 'default', '00000000-0000-4000-8000-000000000008', NULL, NULL, 'explicit', false, 3, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:0', 'k1:s3', DEFAULT, '2026-11-18 19:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '8-3', NULL),
	('b0c04282-02fc-4fef-9590-b4bc5573a548', 'default', '00000000-0000-4000-8000-000000000009', NULL, NULL, 'explicit', false, 3, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:0', 'k1:s3', DEFAULT, '2026-11-19 02:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '9-3', NULL),
	('05276ad2-f9ae-4438-8947-b5e76d5b3c4e', 'acme', '00000000-0000-4000-8000-000000000010', NULL, NULL, 'explicit', false, 3, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:0', 'k1:s3', DEFAULT, '2026-11-19 09:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '10-3', NULL),
	('fd243828-705b-49e5-880c-b6a161a0ba04', 'default', '00000000-0000-4000-8000-000000000011', NULL, NULL, 'explicit', false, 3, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:0', 'k1:s3', DEFAULT, '2026-11-19 16:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '11-3', NULL);
INSERT INTO public.feedback VALUES
	('fe0ae394-b242-406c-9dd0-13ced085c0dc', 'default', '00000000-0000-4000-8000-000000000012', NULL, NULL, 'explicit', false, 3, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:0', 'k1:s3', DEFAULT, '2026-11-19 23:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '12-3', NULL),
	('56a519e3-83d0-448b-8834-714af64b8846', 'default', '00000000-0000-4000-8000-000000000013', NULL, NULL, 'explicit', false, 3, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:0', 'k1:s3', DEFAULT, '2026-11-20 06:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '13-3', NULL),
	('adf0a1bb-1b2e-4ec6-9602-aafa627df5e9', 'default', '00000000-0000-4000-8000-000000000014', NULL, NULL, 'explicit', false, 3, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:0', 'k1:s3', DEFAULT, '2026-11-20 13:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '14-3', NULL),
	('297e84de-879a-4f58-9356-999d800dea62', 'acme', '00000000-0000-4000-8000-000000000015', NULL, NULL, 'explicit', false, 3, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:0', 'k1:s3', DEFAULT, '2026-11-20 20:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '15-3', NULL),
	('19f9a755-918b-4264-8353-74df97725105', 'default', '00000000-0000-4000-8000-000000000016', NULL, NULL, 'explicit', false, 3, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:0', 'k1:s3', DEFAULT, '2026-11-21 03:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '16-3', NULL),
	('293e5831-3285-4d4f-95ad-476ddc95738a', 'default', '00000000-0000-4000-8000-000000000017', NULL, NULL, 'explicit', false, 3, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:0', 'k1:s3', DEFAULT, '2026-11-21 10:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '17-3', NULL),
	('8a49c01c-4239-4383-a3a4-2a33a5aa8d16', 'default', '00000000-0000-4000-8000-000000000018', NULL, NULL, 'explicit', false, 3, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:0', 'k1:s3', DEFAULT, '2026-11-21 17:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '18-3', NULL),
	('9cea212f-eb9d-45c8-96ea-0ca4e6b5a6db', 'default', '00000000-0000-4000-8000-000000000019', NULL, NULL, 'explicit', false, 3, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:0', 'k1:s3', DEFAULT, '2026-11-22 00:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '19-3', NULL),
	('801e03b8-aebf-4f90-90d4-2203c7d11e4e', 'acme', '00000000-0000-4000-8000-000000000020', NULL, NULL, 'explicit', false, 3, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:0', 'k1:s3', DEFAULT, '2026-11-22 07:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', '20-3', NULL),
	('1cca36a5-5df7-4cec-b35d-e2a8e0e25dce', 'default', '00000000-0000-4000-8000-000000000003', NULL, NULL, 'explicit', false, 3, NULL, NULL, NULL, '{}', NULL, NULL, 'k1:0', 'k1:s3', DEFAULT, '2026-11-17 08:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, true, NULL, NULL, NULL, 's', '3-3', NULL),
	('bf695541-79bc-4e63-bdf9-8ba1400e535d', 'default', '00000000-0000-4000-8000-000000000001', NULL, NULL, 'correction', NULL, NULL, NULL, NULL, 'By invoice.', '{}', NULL, NULL, 'k1:2', NULL, DEFAULT, '2026-11-16 17:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', 'c1', NULL),
	('2640ca2f-9e16-4801-b506-503de8905eb9', 'default', '00000000-0000-4000-8000-000000000002', NULL, NULL, 'correction', NULL, NULL, NULL, NULL, 'By invoice.', '{}', NULL, NULL, 'k1:2', NULL, DEFAULT, '2026-11-17 00:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', 'c2', NULL),
	('14c51394-777e-4d92-b261-640ff048fb28', 'default', '00000000-0000-4000-8000-000000000003', NULL, NULL, 'correction', NULL, NULL, NULL, NULL, 'By invoice.', '{}', NULL, NULL, 'k1:2', NULL, DEFAULT, '2026-11-17 07:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', 'c3', NULL),
	('ae4f8b7a-d78f-40a6-bb1f-62346adb4424', 'default', '00000000-0000-4000-8000-000000000004', NULL, NULL, 'correction', NULL, NULL, NULL, NULL, 'By invoice.', '{}', NULL, NULL, 'k1:2', NULL, DEFAULT, '2026-11-17 14:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', 'c4', NULL),
	('e9ace579-9931-459d-b4ba-4cfa3b9ec6bd', 'default', '00000000-0000-4000-8000-000000000006', NULL, NULL, 'correction', NULL, NULL, NULL, NULL, 'By invoice.', '{}', NULL, NULL, 'k1:2', NULL, DEFAULT, '2026-11-18 04:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', 'c6', NULL),
	('bae96e52-20fe-4a9c-815d-f358a951d985', 'default', '00000000-0000-4000-8000-000000000007', NULL, NULL, 'correction', NULL, NULL, NULL, NULL, 'By invoice.', '{}', NULL, NULL, 'k1:2', NULL, DEFAULT, '2026-11-18 11:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', 'c7', NULL),
	('f9c08b99-3165-4f5c-93fb-0c125c421c52', 'default', '00000000-0000-4000-8000-000000000008', NULL, NULL, 'correction', NULL, NULL, NULL, NULL, 'By invoice.', '{}', NULL, NULL, 'k1:2', NULL, DEFAULT, '2026-11-18 18:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', 'c8', NULL),
	('468d7082-ce51-48c9-b1a2-f136cd84d134', 'default', '00000000-0000-4000-8000-000000000009', NULL, NULL, 'correction', NULL, NULL, NULL, NULL, 'By invoice.', '{}', NULL, NULL, 'k1:2', NULL, DEFAULT, '2026-11-19 01:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', 'c9', NULL),
	('14a5b0ac-385b-4a95-a1e4-fe4278e34dcf', 'default', '00000000-0000-4000-8000-000000000011', NULL, NULL, 'correction', NULL, NULL, NULL, NULL, 'By invoice.', '{}', NULL, NULL, 'k1:2', NULL, DEFAULT, '2026-11-19 15:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', 'c11', NULL),
	('2f3a7d00-7dda-43ce-bd35-8e019570eda2', 'default', '00000000-0000-4000-8000-000000000012', NULL, NULL, 'correction', NULL, NULL, NULL, NULL, 'By invoice.', '{}', NULL, NULL, 'k1:2', NULL, DEFAULT, '2026-11-19 22:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', 'c12', NULL),
	('122c98ab-57ae-4e04-b588-7f74d604f9c4', 'default', '00000000-0000-4000-8000-000000000013', NULL, NULL, 'correction', NULL, NULL, NULL, NULL, 'By invoice.', '{}', NULL, NULL, 'k1:2', NULL, DEFAULT, '2026-11-20 05:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', 'c13', NULL),
	('69a20927-6207-4f48-98ec-8bca2fa35af0', 'default', '00000000-0000-4000-8000-000000000014', NULL, NULL, 'correction', NULL, NULL, NULL, NULL, 'By invoice.', '{}', NULL, NULL, 'k1:2', NULL, DEFAULT, '2026-11-20 12:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', 'c14', NULL),
	('bf39806a-c50c-4904-b8af-16e244fa2a67', 'default', '00000000-0000-4000-8000-000000000016', NULL, NULL, 'correction', NULL, NULL, NULL, NULL, 'By invoice.', '{}', NULL, NULL, 'k1:2', NULL, DEFAULT, '2026-11-21 02:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', 'c16', NULL),
	('0566c2ba-0028-4129-9ff8-90cf04fb2bde', 'default', '00000000-0000-4000-8000-000000000017', NULL, NULL, 'correction', NULL, NULL, NULL, NULL, 'By invoice.', '{}', NULL, NULL, 'k1:2', NULL, DEFAULT, '2026-11-21 09:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', 'c17', NULL),
	('42007058-01e0-4805-af67-f61161fcbd2f', 'default', '00000000-0000-4000-8000-000000000018', NULL, NULL, 'correction', NULL, NULL, NULL, NULL, 'By invoice.', '{}', NULL, NULL, 'k1:2', NULL, DEFAULT, '2026-11-21 16:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', 'c18', NULL),
	('30d40177-5ac3-4ab0-8dd1-0f8b1ae6f034', 'default', '00000000-0000-4000-8000-000000000019', NULL, NULL, 'correction', NULL, NULL, NULL, NULL, 'By invoice.', '{}', NULL, NULL, 'k1:2', NULL, DEFAULT, '2026-11-21 23:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', 'c19', NULL),
	('0c5877e8-ddd0-4a58-b852-b3525d468bff', 'default', '00000000-0000-4000-8000-ffffffffffff', NULL, NULL, 'explicit', true, NULL, NULL, NULL, NULL, '{}', NULL, NULL, NULL, NULL, DEFAULT, '2026-11-18 10:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, false, NULL, NULL, NULL, 's', 'unknown', NULL);

INSERT INTO public.fine_tune_event VALUES
	('j1', 1, 'planned', NULL, NULL, '2026-11-29 13:28:24.00372+00'),
	('j1', 2, 'succeeded', 'succeeded', NULL, '2026-11-29 13:28:24.00372+00');

INSERT INTO public.fine_tune_job VALUES
	('j1', 'd1', 'openai', 'gpt', 'succeeded', NULL, 'ftjob-1', 'm-tuned', NULL, NULL, 1, NULL, '2026-11-29 13:28:24.00372+00', '2026-11-29 13:28:24.00372+00', '2026-11-16', 'sft', '{"files": ["a"]}', 30, 0, '2026-11-29 13:28:24.00372+00', NULL, NULL, NULL, 0, NULL, NULL, '[]', false, NULL),
	('j2', 'd1', 'openai', 'gpt', 'following', NULL, 'ftjob-2', NULL, NULL, NULL, 1, NULL, '2026-11-29 13:28:24.00372+00', '2026-11-29 13:28:24.00372+00', '2026-11-16', 'dpo', '{}', 30, 0, '2026-11-29 13:28:24.00372+00', NULL, NULL, NULL, 0, NULL, NULL, '[]', false, NULL);

INSERT INTO public.idempotency VALUES
	('default', 'k', '\x01', 'e772bb8c-a585-48d4-9b64-2cd1bdeaaf3d', '2026-11-29 13:28:24.00372+00');

INSERT INTO public.import_progress VALUES
	('s', 'abc', 20, true, '2026-11-29 13:28:24.00372+00');

INSERT INTO public.interaction VALUES
	('00000000-0000-4000-8000-000000000001', 'default', NULL, 'c1', NULL, 'billing', NULL, NULL, NULL, 'm-1', NULL, NULL, NULL, '{}', '{}', '{}', NULL, NULL, 'How do I pay? 1', 'By card. 1', NULL, 'partial', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-16 17:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, 's', '1', 'server', 1, NULL, NULL),
	('00000000-0000-4000-8000-000000000002', 'default', NULL, 'c2', NULL, 'billing', NULL, NULL, NULL, 'm-0', NULL, NULL, NULL, '{}', '{}', '{}', NULL, NULL, 'How do I pay? 2', 'By card. 2', NULL, 'partial', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-17 00:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, 's', '2', 'server', 1, NULL, NULL),
	('00000000-0000-4000-8000-000000000003', 'default', NULL, 'c0', NULL, 'billing', NULL, NULL, NULL, 'm-1', NULL, NULL, NULL, '{}', '{}', '{}', NULL, NULL, 'How do I pay? 3', 'By card. 3', NULL, 'partial', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-17 07:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, 's', '3', 'server', 1, NULL, NULL),
	('00000000-0000-4000-8000-000000000004', 'default', NULL, 'c1', NULL, 'billing', NULL, NULL, NULL, 'm-0', NULL, NULL, NULL, '{}', '{}', '{}', NULL, NULL, 'How do I pay? 4', 'By card. 4', NULL, 'partial', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-17 14:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, 's', '4', 'server', 1, NULL, NULL),
	('00000000-0000-4000-8000-000000000005', 'acme', NULL, 'c2', NULL, 'billing', NULL, NULL, NULL, 'm-1', NULL, NULL, NULL, '{}', '{}', '{}', NULL, NULL, 'How do I pay? 5', 'By card. 5', NULL, 'partial', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-17 21:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, 's', '5', 'server', 1, NULL, NULL),
	('00000000-0000-4000-8000-000000000006', 'default', NULL, 'c0', NULL, 'billing', NULL, NULL, NULL, 'm-0', NULL, NULL, NULL, '{}', '{}', '{}', NULL, NULL, 'How do I pay? 6', 'By card. 6', NULL, 'partial', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-18 04:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, 's', '6', 'server', 1, NULL, NULL),
	('00000000-0000-4000-8000-000000000007', 'default', NULL, 'c1', NULL, 'billing', NULL, NULL, NULL, 'm-1', NULL, NULL, NULL, '{}', '{}', '{}', NULL, NULL, 'How do I pay? 7', 'By card. 7', NULL, 'partial', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-18 11:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, 's', '7', 'server', 1, NULL, NULL),
	('00000000-0000-4000-8000-000000000008', 'default', NULL, 'c2', NULL, 'billing', NULL, NULL, NULL, 'm-0', NULL, NULL, NULL, '{}', '{}', '{}', NULL, NULL, 'How do I pay? 8', 'By card. 8', NULL, 'partial', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-18 18:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, 's', '8', 'server', 1, NULL, NULL),
	('00000000-0000-4000-8000-000000000009', 'default', NULL, 'c0', NULL, 'billing', NULL, NULL, NULL, 'm-1', NULL, NULL, NULL, '{}', '{}', '{}', NULL, NULL, 'How do I pay? 9', 'By card. 9', NULL, 'partial', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-19 01:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, 's', '9', 'server', 1, NULL, NULL),
	('00000000-0000-4000-8000-000000000010', 'acme', NULL, 'c1', NULL, 'billing', NULL, NULL, NULL, 'm-0', NULL, NULL, NULL, '{}', '{}', '{}', NULL, NULL, 'How do I pay? 10', 'By card. 10', NULL, 'partial', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-19 08:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, 's', '10', 'server', 1, NULL, NULL),
	('00000000-0000-4000-8000-000000000011', 'default', NULL, 'c2', NULL, 'billing', NULL, NULL, NULL, 'm-1', NULL, NULL, NULL, '{}', '{}', '{}', NULL, NULL, 'How do I pay? 11', 'By card. 11', NULL, 'partial', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-19 15:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, 's', '11', 'server', 1, NULL, NULL),
	('00000000-0000-4000-8000-000000000012', 'default', NULL, 'c0', NULL, 'billing', NULL, NULL, NULL, 'm-0', NULL, NULL, NULL, '{}', '{}', '{}', NULL, NULL, 'How do I pay? 12', 'By card. 12', NULL, 'partial', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-19 22:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, 's', '12', 'server', 1, NULL, NULL),
	('00000000-0000-4000-8000-000000000013', 'default', NULL, 'c1', NULL, 'billing', NULL, NULL, NULL, 'm-1', NULL, NULL, NULL, '{}', '{}', '{}', NULL, NULL, 'How do I pay? 13', 'By card. 13', NULL, 'partial', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-20 05:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, 's', '13', 'server', 1, NULL, NULL),
	('00000000-0000-4000-8000-000000000014', 'default', NULL, 'c2', NULL, 'billing', NULL, NULL, NULL, 'm-0', NULL, NULL, NULL, '{}', '{}', '{}', NULL, NULL, 'How do I pay? 14', 'By card. 14', NULL, 'partial', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-20 12:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, 's', '14', 'server', 1, NULL, NULL),
	('00000000-0000-4000-8000-000000000015', 'acme', NULL, 'c0', NULL, 'billing', NULL, NULL, NULL, 'm-1', NULL, NULL, NULL, '{}', '{}', '{}', NULL, NULL, 'How do I pay? 15', 'By card. 15', NULL, 'partial', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-20 19:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, 's', '15', 'server', 1, NULL, NULL),
	('00000000-0000-4000-8000-000000000016', 'default', NULL, 'c1', NULL, 'billing', NULL, NULL, NULL, 'm-0', NULL, NULL, NULL, '{}', '{}', '{}', NULL, NULL, 'How do I pay? 16', 'By card. 16', NULL, 'partial', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-21 02:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, 's', '16', 'server', 1, NULL, NULL),
	('00000000-0000-4000-8000-000000000017', 'default', NULL, 'c2', NULL, 'billing', NULL, NULL, NULL, 'm-1', NULL, NULL, NULL, '{}', '{}', '{}', NULL, NULL, 'How do I pay? 17', 'By card. 17', NULL, 'partial', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-21 09:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, 's', '17', 'server', 1, NULL, NULL),
	('00000000-0000-4000-8000-000000000018', 'default', NULL, 'c0', NULL, 'billing', NULL, NULL, NULL, 'm-0', NULL, NULL, NULL, '{}', '{}', '{}', NULL, NULL, 'How do I pay? 18', 'By card. 18', NULL, 'partial', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-21 16:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, 's', '18', 'server', 1, NULL, NULL),
	('00000000-0000-4000-8000-000000000019', 'default', NULL, 'c1', NULL, 'billing', NULL, NULL, NULL, 'm-1', NULL, NULL, NULL, '{}', '{}', '{}', NULL, NULL, 'How do I pay? 19', 'By card. 19', NULL, 'partial', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-21 23:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, 's', '19', 'server', 1, NULL, NULL),
	('00000000-0000-4000-8000-000000000020', 'acme', NULL, 'c2', NULL, 'billing', NULL, NULL, NULL, 'm-0', NULL, NULL, NULL, '{}', '{}', '{}', NULL, NULL, 'How do I pay? 20', 'By card. 20', NULL, 'partial', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-22 06:00:00+00', '2026-11-29 13:28:24.00372+00', DEFAULT, 's', '20', 'server', 1, NULL, NULL);

INSERT INTO public.interaction_key VALUES
	('default', 'request', 'r1', '00000000-0000-4000-8000-000000000001'),
	('default', 'request', 'r2', '00000000-0000-4000-8000-000000000002'),
	('default', 'request', 'r3', '00000000-0000-4000-8000-000000000003'),
	('default', 'request', 'r4', '00000000-0000-4000-8000-000000000004'),
	('acme', 'request', 'r5', '00000000-0000-4000-8000-000000000005'),
	('default', 'request', 'r6', '00000000-0000-4000-8000-000000000006'),
	('default', 'request', 'r7', '00000000-0000-4000-8000-000000000007'),
	('default', 'request', 'r8', '00000000-0000-4000-8000-000000000008'),
	('default', 'request', 'r9', '00000000-0000-4000-8000-000000000009'),
	('acme', 'request', 'r10', '00000000-0000-4000-8000-000000000010'),
	('default', 'request', 'r11', '00000000-0000-4000-8000-000000000011'),
	('default', 'request', 'r12', '00000000-0000-4000-8000-000000000012'),
	('default', 'request', 'r13', '00000000-0000-4000-8000-000000000013'),
	('default', 'request', 'r14', '00000000-0000-4000-8000-000000000014'),
	('acme', 'request', 'r15', '00000000-0000-4000-8000-000000000015'),
	('default', 'request', 'r16', '00000000-0000-4000-8000-000000000016'),
	('default', 'request', 'r17', '00000000-0000-4000-8000-000000000017'),
	('default', 'request', 'r18', '00000000-0000-4000-8000-000000000018'),
	('default', 'request', 'r19', '00000000-0000-4000-8000-000000000019'),
	('acme', 'request', 'r20', '00000000-0000-4000-8000-000000000020');

INSERT INTO public.judge_reply VALUES
	('k', '\x04', 'h', 0, '00000000-0000-4000-8000-0000000000aa', '2026-11-29 13:28:24.00372+00');

INSERT INTO public.judge_run VALUES
	('00000000-0000-4000-8000-0000000000aa', '2026-11-16', '2026-11-29 13:28:24.00372+00', '2026-11-29 13:28:24.00372+00', 0.5, 3);

INSERT INTO public.judgement VALUES
	('h', 'f', '00000000-0000-4000-8000-000000000001', NULL, 'helpful', '{"verdict": "up"}', NULL, NULL, NULL, '2026-11-29 13:28:24.00372+00');

INSERT INTO public.model VALUES
	('gpt', NULL, 'openai', 'base', NULL, NULL, '2026-11-29 13:28:24.00372+00', NULL, NULL, NULL),
	('m-tuned', 'gpt', 'openai', 'promoted', NULL, NULL, '2026-11-29 13:28:24.00372+00', 'j1', 'd1', '2026-11-16');

INSERT INTO public.model_alias VALUES
	('current', 'm-tuned', 'gpt', '2026-11-29 13:28:24.00372+00');

INSERT INTO public.model_evaluation VALUES
	('e1', 'm-tuned', 'gpt', true, '{"win_rate": 0.6}', '2026-11-29 13:28:24.00372+00');

INSERT INTO public.model_event OVERRIDING SYSTEM VALUE VALUES
	(1, 'current', 'promoted', 'm-tuned', 'gpt', 1, 'ana', NULL, '2026-11-29 13:28:24.00372+00');

INSERT INTO public.notification VALUES
	('alert:1', 'slack', '2026-11-29 13:28:24.00372+00');

INSERT INTO public.person_day VALUES
	('acme', 'session', '2026-11-22', 3),
	('acme', 'user', '2026-11-22', 3),
	('default', 'session', '2026-11-22', 3),
	('default', 'user', '2026-11-22', 3);

INSERT INTO public.person_seen VALUES
	('acme', 'session', 'k1:s1', '2026-11-22', NULL),
	('acme', 'session', 'k1:s2', '2026-11-22', NULL),
	('acme', 'session', 'k1:s3', '2026-11-22', NULL),
	('acme', 'user', 'k1:0', '2026-11-22', NULL),
	('acme', 'user', 'k1:1', '2026-11-22', NULL),
	('acme', 'user', 'k1:2', '2026-11-22', NULL),
	('default', 'session', 'k1:s1', '2026-11-22', NULL),
	('default', 'session', 'k1:s2', '2026-11-22', NULL),
	('default', 'session', 'k1:s3', '2026-11-22', NULL),
	('default', 'user', 'k1:0', '2026-11-22', NULL),
	('default', 'user', 'k1:1', '2026-11-22', NULL),
	('default', 'user', 'k1:2', '2026-11-22', NULL);

INSERT INTO public.prompt VALUES
	('default', '3', 'answer', 'Be brief. 100% {topic}', '2026-11-29 13:28:24.00372+00');

INSERT INTO public.provider_event VALUES
	('evt-1', '2026-11-29 13:28:24.00372+00');

INSERT INTO public.rate_window VALUES
	('\x05', '2026-11-29 13:28:24.00372+00', 1, 0);

INSERT INTO public.refusal VALUES
	('e64306b5-10f0-405d-8fe2-51396f80a972', 'default', '2026-11-17', 'quarantined', 's', 'votes.csv:7', NULL, 'not_a_thumb', '{"thumb": "maybe"}', 'held', '2026-11-29 13:28:24.00372+00');

INSERT INTO public.review VALUES
	('bf695541-79bc-4e63-bdf9-8ba1400e535d', 'accepted', 'ana', '2026-11-29 13:28:24.00372+00');

INSERT INTO public.setting VALUES
	('timezone', 'UTC'),
	('pseudonym_key/1', 'mark');

INSERT INTO public.shadow_run VALUES
	('2887ea24-bd76-48c0-aa26-6c51db143963', '00000000-0000-4000-8000-000000000001', 'm-1', 'By cheque.', NULL, '2026-11-29 13:28:24.00372+00');

INSERT INTO public.tenant VALUES
	('default', true, true, '2026-11-29 13:27:29.710694+00'),
	('acme', true, false, '2026-11-29 13:28:24.00372+00');

INSERT INTO public.token_use VALUES
	('3da00519-50d2-4a4c-a48b-472533603652', '\x03', 1, '2026-11-29 13:28:24.00372+00');

INSERT INTO public.vote_day VALUES
	('acme', '2026-11-17', 'm-1', 'billing', '', 3, 1, 2, 3, 6, 1, 0, 0, 0),
	('acme', '2026-11-19', 'm-0', 'billing', '', 3, 1, 2, 3, 6, 1, 0, 0, 0),
	('acme', '2026-11-20', 'm-1', 'billing', '', 3, 1, 2, 3, 6, 1, 0, 0, 0),
	('acme', '2026-11-22', 'm-0', 'billing', '', 3, 1, 2, 3, 6, 1, 0, 0, 0),
	('default', '2026-11-16', 'm-1', 'billing', '', 4, 1, 2, 3, 6, 1, 1, 0, 0),
	('default', '2026-11-17', 'm-0', 'billing', '', 8, 2, 4, 6, 12, 2, 2, 0, 0),
	('default', '2026-11-17', 'm-1', 'billing', '', 3, 1, 1, 2, 3, 1, 1, 0, 0),
	('default', '2026-11-18', '', '', '', 1, 1, 0, 0, 0, 0, 0, 0, 0),
	('default', '2026-11-18', 'm-0', 'billing', '', 8, 2, 4, 6, 12, 2, 2, 0, 0),
	('default', '2026-11-18', 'm-1', 'billing', '', 4, 1, 2, 3, 6, 1, 1, 0, 0),
	('default', '2026-11-19', 'm-0', 'billing', '', 4, 1, 2, 3, 6, 1, 1, 0, 0),
	('default', '2026-11-19', 'm-1', 'billing', '', 8, 2, 4, 6, 12, 2, 2, 0, 0),
	('default', '2026-11-20', 'm-0', 'billing', '', 4, 1, 2, 3, 6, 1, 1, 0, 0),
	('default', '2026-11-20', 'm-1', 'billing', '', 4, 1, 2, 3, 6, 1, 1, 0, 0),
	('default', '2026-11-21', 'm-0', 'billing', '', 8, 2, 4, 6, 12, 2, 2, 0, 0),
	('default', '2026-11-21', 'm-1', 'billing', '', 5, 1, 2, 3, 6, 1, 2, 0, 0),
	('default', '2026-11-22', 'm-1', 'billing', '', 3, 1, 2, 3, 6, 1, 0, 0, 0);

INSERT INTO public.vote_total VALUES
	('acme', 'm-0', 'billing', '', 6, 2, 4, 6, 12),
	('acme', 'm-1', 'billing', '', 6, 2, 4, 6, 12),
	('default', '', '', '', 1, 1, 0, 0, 0),
	('default', 'm-0', 'billing', '', 32, 8, 16, 24, 48),
	('default', 'm-1', 'billing', '', 31, 8, 15, 23, 45);

INSERT INTO public.vote_unmatched VALUES
	('0c5877e8-ddd0-4a58-b852-b3525d468bff', '00000000-0000-4000-8000-ffffffffffff', '2026-11-29 13:28:24.00372+00');

INSERT INTO public.week_state VALUES
	('2026-11-16', 1, 'hash');

SELECT pg_catalog.setval('public.action_event_id_seq', 1, true);

SELECT pg_catalog.setval('public.approval_id_seq', 1, true);

SELECT pg_catalog.setval('public.model_event_id_seq', 1, true);

ALTER TABLE ONLY public.action_day
    ADD CONSTRAINT action_day_pkey PRIMARY KEY (tenant, day, content_type, action_type);

ALTER TABLE ONLY public.action_event
    ADD CONSTRAINT action_event_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.action
    ADD CONSTRAINT action_pkey PRIMARY KEY (recommendation_id);

ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);

ALTER TABLE ONLY public.alert
    ADD CONSTRAINT alert_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.api_key
    ADD CONSTRAINT api_key_hash_key UNIQUE (hash);

ALTER TABLE ONLY public.api_key
    ADD CONSTRAINT api_key_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.approval
    ADD CONSTRAINT approval_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.assignment
    ADD CONSTRAINT assignment_pkey PRIMARY KEY (experiment, unit);

ALTER TABLE ONLY public.audit_item
    ADD CONSTRAINT audit_item_pkey PRIMARY KEY (interaction_id);

ALTER TABLE ONLY public.audit_label
    ADD CONSTRAINT audit_label_pkey PRIMARY KEY (interaction_id, criterion, auditor);

ALTER TABLE ONLY public.consent
    ADD CONSTRAINT consent_pkey PRIMARY KEY (tenant, user_key);

ALTER TABLE ONLY public.dataset
    ADD CONSTRAINT dataset_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.dataset_row
    ADD CONSTRAINT dataset_row_pkey PRIMARY KEY (dataset_id, row_id);

ALTER TABLE ONLY public.day_state
    ADD CONSTRAINT day_state_pkey PRIMARY KEY (day);

ALTER TABLE ONLY public.erasure
    ADD CONSTRAINT erasure_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.experiment
    ADD CONSTRAINT experiment_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.feedback
    ADD CONSTRAINT feedback_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.fine_tune_event
    ADD CONSTRAINT fine_tune_event_pkey PRIMARY KEY (job_id, version);

ALTER TABLE ONLY public.fine_tune_job
    ADD CONSTRAINT fine_tune_job_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.idempotency
    ADD CONSTRAINT idempotency_pkey PRIMARY KEY (key, tenant);

ALTER TABLE ONLY public.import_progress
    ADD CONSTRAINT import_progress_pkey PRIMARY KEY (source, fingerprint);

ALTER TABLE ONLY public.interaction_key
    ADD CONSTRAINT interaction_key_pkey PRIMARY KEY (tenant, kind, value, interaction_id);

ALTER TABLE ONLY public.interaction
    ADD CONSTRAINT interaction_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.judge_reply
    ADD CONSTRAINT judge_reply_pkey PRIMARY KEY (key);

ALTER TABLE ONLY public.judge_run
    ADD CONSTRAINT judge_run_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.judgement
    ADD CONSTRAINT judgement_pkey PRIMARY KEY (content_hash);

ALTER TABLE ONLY public.model_alias
    ADD CONSTRAINT model_alias_pkey PRIMARY KEY (alias);

ALTER TABLE ONLY public.model_evaluation
    ADD CONSTRAINT model_evaluation_pkey PRIMARY KEY (content_hash);

ALTER TABLE ONLY public.model_event
    ADD CONSTRAINT model_event_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.model
    ADD CONSTRAINT model_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.notification
    ADD CONSTRAINT notification_pkey PRIMARY KEY (subject, channel);

ALTER TABLE ONLY public.person_day
    ADD CONSTRAINT person_day_pkey PRIMARY KEY (tenant, kind, day);

ALTER TABLE ONLY public.person_seen
    ADD CONSTRAINT person_seen_pkey PRIMARY KEY (person, kind, tenant);

ALTER TABLE ONLY public.prompt
    ADD CONSTRAINT prompt_pkey PRIMARY KEY (tenant, name, version);

ALTER TABLE ONLY public.provider_event
    ADD CONSTRAINT provider_event_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.rate_window
    ADD CONSTRAINT rate_window_pkey PRIMARY KEY (bucket, starts);

ALTER TABLE ONLY public.refusal
    ADD CONSTRAINT refusal_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.review
    ADD CONSTRAINT review_pkey PRIMARY KEY (feedback_id);

ALTER TABLE ONLY public.setting
    ADD CONSTRAINT setting_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.shadow_run
    ADD CONSTRAINT shadow_run_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.tenant
    ADD CONSTRAINT tenant_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.token_use
    ADD CONSTRAINT token_use_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.vote_day
    ADD CONSTRAINT vote_day_pkey PRIMARY KEY (tenant, day, model, intent, project);

ALTER TABLE ONLY public.vote_total
    ADD CONSTRAINT vote_total_pkey PRIMARY KEY (tenant, model, intent, project);

ALTER TABLE ONLY public.vote_unmatched
    ADD CONSTRAINT vote_unmatched_pkey PRIMARY KEY (feedback_id);

ALTER TABLE ONLY public.week_state
    ADD CONSTRAINT week_state_pkey PRIMARY KEY (week);

CREATE INDEX action_event_action ON public.action_event USING btree (recommendation_id, id);

CREATE INDEX alert_incident ON public.alert USING btree (incident, first_day);

CREATE UNIQUE INDEX alert_running ON public.alert USING btree (incident) WHERE (state <> 'closed'::text);

CREATE INDEX audit_item_week ON public.audit_item USING btree (week, place);

CREATE INDEX consent_refused ON public.consent USING btree (tenant, user_key) WHERE (NOT collect);

CREATE INDEX dataset_row_feedback ON public.dataset_row USING gin (feedback_ids);

CREATE INDEX dataset_row_interaction ON public.dataset_row USING gin (interaction_ids);

CREATE INDEX dataset_row_weight ON public.dataset_row USING btree (dataset_id, weight DESC, row_id);

CREATE UNIQUE INDEX erasure_open ON public.erasure USING btree (subject_hash) WHERE (finished_at IS NULL);

CREATE INDEX export_use_made ON public.export_use USING btree (tenant, made_at);

CREATE INDEX feedback_anonymous ON public.feedback USING btree (tenant, session_key) WHERE ((user_key IS NULL) AND (session_key IS NOT NULL));

CREATE INDEX feedback_current ON public.feedback USING btree (interaction_id, voter, kind) WHERE (superseded_by IS NULL);

CREATE INDEX feedback_day ON public.feedback USING btree (day);

CREATE INDEX feedback_other_interaction ON public.feedback USING btree (other_interaction_id) WHERE (other_interaction_id IS NOT NULL);

CREATE INDEX feedback_person ON public.feedback USING btree (tenant, user_key) WHERE (user_key IS NOT NULL);

CREATE INDEX feedback_received ON public.feedback USING brin (received_at);

CREATE INDEX feedback_recent ON public.feedback USING btree (occurred_at, id) WHERE ((superseded_by IS NULL) AND (NOT withdrawn));

CREATE INDEX feedback_superseded ON public.feedback USING btree (superseded_by) WHERE (superseded_by IS NOT NULL);

CREATE INDEX feedback_waiting ON public.feedback USING btree (tenant, key_kind, key_value) WHERE (interaction_id IS NULL);

CREATE INDEX fine_tune_job_dataset ON public.fine_tune_job USING btree (dataset_id);

CREATE INDEX fine_tune_job_week ON public.fine_tune_job USING btree (week);

CREATE INDEX idempotency_age ON public.idempotency USING brin (created_at);

CREATE INDEX interaction_anonymous_conversation ON public.interaction USING btree (tenant, conversation_id) WHERE ((user_key IS NULL) AND (conversation_id IS NOT NULL));

CREATE INDEX interaction_anonymous_session ON public.interaction USING btree (tenant, session_key) WHERE ((user_key IS NULL) AND (session_key IS NOT NULL));

CREATE INDEX interaction_day ON public.interaction USING btree (day);

CREATE INDEX interaction_key_interaction ON public.interaction_key USING btree (interaction_id);

CREATE INDEX interaction_person ON public.interaction USING btree (tenant, user_key) WHERE (user_key IS NOT NULL);

CREATE INDEX judge_reply_content ON public.judge_reply USING btree (content_hash);

CREATE INDEX judge_reply_run ON public.judge_reply USING btree (run_id);

CREATE INDEX judge_run_week ON public.judge_run USING btree (week);

CREATE INDEX judgement_interaction ON public.judgement USING btree (interaction_id);

CREATE INDEX model_evaluation_model ON public.model_evaluation USING btree (model, evaluated_at);

CREATE INDEX model_event_model ON public.model_event USING btree (model);

CREATE INDEX model_job ON public.model USING btree (job_id);

CREATE INDEX provider_event_received ON public.provider_event USING btree (received_at);

CREATE INDEX refusal_day ON public.refusal USING btree (day);

CREATE INDEX vote_unmatched_interaction ON public.vote_unmatched USING btree (interaction_id);

CREATE INDEX vote_unmatched_recent ON public.vote_unmatched USING btree (noted_at);

CREATE TRIGGER action_event_append_only BEFORE DELETE OR UPDATE ON public.action_event FOR EACH ROW EXECUTE FUNCTION public.forbid_change();

CREATE TRIGGER approval_append_only BEFORE DELETE OR UPDATE ON public.approval FOR EACH ROW EXECUTE FUNCTION public.forbid_change();

CREATE TRIGGER consent_inserted AFTER INSERT ON public.consent REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION public.consent_changed();

CREATE TRIGGER consent_updated AFTER UPDATE ON public.consent REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION public.consent_changed();

CREATE TRIGGER day_state_expired BEFORE INSERT OR UPDATE ON public.day_state FOR EACH ROW WHEN (new.expired) EXECUTE FUNCTION public.keep_expired_days();

CREATE TRIGGER feedback_counted_in AFTER INSERT ON public.feedback REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.feedback_counted_in();

CREATE TRIGGER feedback_counted_out AFTER DELETE ON public.feedback REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION public.feedback_counted_out();

CREATE TRIGGER feedback_deleted AFTER DELETE ON public.feedback REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION public.feedback_deleted();

CREATE TRIGGER feedback_inserted AFTER INSERT ON public.feedback REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.feedback_inserted();

CREATE TRIGGER feedback_recounted AFTER UPDATE ON public.feedback REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.feedback_recounted();

CREATE TRIGGER feedback_updated AFTER UPDATE ON public.feedback REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.feedback_updated();

CREATE TRIGGER fine_tune_event_append_only BEFORE DELETE OR UPDATE ON public.fine_tune_event FOR EACH ROW EXECUTE FUNCTION public.forbid_change();

CREATE TRIGGER interaction_counted_in AFTER INSERT ON public.interaction REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.interaction_counted_in();

CREATE TRIGGER interaction_counted_out AFTER DELETE ON public.interaction REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION public.interaction_counted_out();

CREATE TRIGGER interaction_deleted AFTER DELETE ON public.interaction REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION public.interaction_deleted();

CREATE TRIGGER interaction_inserted AFTER INSERT ON public.interaction REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.interaction_inserted();

CREATE TRIGGER interaction_key_inserted AFTER INSERT ON public.interaction_key REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.interaction_key_inserted();

CREATE TRIGGER interaction_recounted AFTER UPDATE ON public.interaction REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.interaction_recounted();

CREATE TRIGGER interaction_updated AFTER UPDATE ON public.interaction REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.interaction_updated();

CREATE TRIGGER model_event_append_only BEFORE DELETE OR UPDATE ON public.model_event FOR EACH ROW EXECUTE FUNCTION public.forbid_change();

CREATE TRIGGER refusal_deleted AFTER DELETE ON public.refusal REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION public.refusal_changed();

CREATE TRIGGER refusal_inserted AFTER INSERT ON public.refusal REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION public.refusal_changed();

CREATE TRIGGER refusal_updated AFTER UPDATE ON public.refusal REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION public.refusal_changed();

ALTER TABLE ONLY public.action_event
    ADD CONSTRAINT action_event_recommendation_id_fkey FOREIGN KEY (recommendation_id) REFERENCES public.action(recommendation_id);

ALTER TABLE ONLY public.api_key
    ADD CONSTRAINT api_key_tenant_fkey FOREIGN KEY (tenant) REFERENCES public.tenant(name);

ALTER TABLE ONLY public.assignment
    ADD CONSTRAINT assignment_experiment_fkey FOREIGN KEY (experiment) REFERENCES public.experiment(name);

ALTER TABLE ONLY public.audit_item
    ADD CONSTRAINT audit_item_interaction_id_fkey FOREIGN KEY (interaction_id) REFERENCES public.interaction(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.audit_label
    ADD CONSTRAINT audit_label_interaction_id_fkey FOREIGN KEY (interaction_id) REFERENCES public.audit_item(interaction_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.consent
    ADD CONSTRAINT consent_tenant_fkey FOREIGN KEY (tenant) REFERENCES public.tenant(name);

ALTER TABLE ONLY public.dataset_row
    ADD CONSTRAINT dataset_row_dataset_id_fkey FOREIGN KEY (dataset_id) REFERENCES public.dataset(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.export_use
    ADD CONSTRAINT export_use_tenant_fkey FOREIGN KEY (tenant) REFERENCES public.tenant(name);

ALTER TABLE ONLY public.fine_tune_event
    ADD CONSTRAINT fine_tune_event_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.fine_tune_job(id);

ALTER TABLE ONLY public.judge_reply
    ADD CONSTRAINT judge_reply_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.judge_run(id);

ALTER TABLE ONLY public.model_alias
    ADD CONSTRAINT model_alias_model_fkey FOREIGN KEY (model) REFERENCES public.model(name);

ALTER TABLE ONLY public.model_alias
    ADD CONSTRAINT model_alias_previous_fkey FOREIGN KEY (previous) REFERENCES public.model(name);

ALTER TABLE ONLY public.model_evaluation
    ADD CONSTRAINT model_evaluation_model_fkey FOREIGN KEY (model) REFERENCES public.model(name);

ALTER TABLE ONLY public.model_event
    ADD CONSTRAINT model_event_approval_id_fkey FOREIGN KEY (approval_id) REFERENCES public.approval(id);

ALTER TABLE ONLY public.model_event
    ADD CONSTRAINT model_event_model_fkey FOREIGN KEY (model) REFERENCES public.model(name);

ALTER TABLE ONLY public.model_event
    ADD CONSTRAINT model_event_previous_fkey FOREIGN KEY (previous) REFERENCES public.model(name);

ALTER TABLE ONLY public.model
    ADD CONSTRAINT model_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.fine_tune_job(id);

ALTER TABLE ONLY public.prompt
    ADD CONSTRAINT prompt_tenant_fkey FOREIGN KEY (tenant) REFERENCES public.tenant(name);

ALTER TABLE ONLY public.review
    ADD CONSTRAINT review_feedback_id_fkey FOREIGN KEY (feedback_id) REFERENCES public.feedback(id) ON DELETE CASCADE;

ALTER TABLE public.action_day ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.audit_item ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.audit_label ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.consent ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.export_use ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.feedback ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.idempotency ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.interaction ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.interaction_key ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.person_day ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.person_delta ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.prompt ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.refusal ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.tenant ENABLE ROW LEVEL SECURITY;

CREATE POLICY tenant_only ON public.action_day TO feedback_api USING ((tenant = ( SELECT current_setting('feedback.tenant'::text, true) AS current_setting))) WITH CHECK ((tenant = ( SELECT current_setting('feedback.tenant'::text, true) AS current_setting)));

CREATE POLICY tenant_only ON public.audit_item TO feedback_api USING ((EXISTS ( SELECT
   FROM public.interaction i
  WHERE (i.id = audit_item.interaction_id))));

CREATE POLICY tenant_only ON public.audit_label TO feedback_api USING ((EXISTS ( SELECT
   FROM public.audit_item a
  WHERE (a.interaction_id = audit_label.interaction_id)))) WITH CHECK ((EXISTS ( SELECT
   FROM public.audit_item a
  WHERE (a.interaction_id = audit_label.interaction_id))));

CREATE POLICY tenant_only ON public.consent TO feedback_api USING ((tenant = ( SELECT current_setting('feedback.tenant'::text, true) AS current_setting))) WITH CHECK ((tenant = ( SELECT current_setting('feedback.tenant'::text, true) AS current_setting)));

CREATE POLICY tenant_only ON public.export_use TO feedback_api USING ((tenant = ( SELECT current_setting('feedback.tenant'::text, true) AS current_setting))) WITH CHECK ((tenant = ( SELECT current_setting('feedback.tenant'::text, true) AS current_setting)));

CREATE POLICY tenant_only ON public.feedback TO feedback_api USING ((tenant = ( SELECT current_setting('feedback.tenant'::text, true) AS current_setting))) WITH CHECK ((tenant = ( SELECT current_setting('feedback.tenant'::text, true) AS current_setting)));

CREATE POLICY tenant_only ON public.idempotency TO feedback_api USING ((tenant = ( SELECT current_setting('feedback.tenant'::text, true) AS current_setting))) WITH CHECK ((tenant = ( SELECT current_setting('feedback.tenant'::text, true) AS current_setting)));

CREATE POLICY tenant_only ON public.interaction TO feedback_api USING ((tenant = ( SELECT current_setting('feedback.tenant'::text, true) AS current_setting))) WITH CHECK ((tenant = ( SELECT current_setting('feedback.tenant'::text, true) AS current_setting)));

CREATE POLICY tenant_only ON public.interaction_key TO feedback_api USING ((tenant = ( SELECT current_setting('feedback.tenant'::text, true) AS current_setting))) WITH CHECK ((tenant = ( SELECT current_setting('feedback.tenant'::text, true) AS current_setting)));

CREATE POLICY tenant_only ON public.person_day TO feedback_api USING ((tenant = ( SELECT current_setting('feedback.tenant'::text, true) AS current_setting))) WITH CHECK ((tenant = ( SELECT current_setting('feedback.tenant'::text, true) AS current_setting)));

CREATE POLICY tenant_only ON public.person_delta TO feedback_api USING ((tenant = ( SELECT current_setting('feedback.tenant'::text, true) AS current_setting))) WITH CHECK ((tenant = ( SELECT current_setting('feedback.tenant'::text, true) AS current_setting)));

CREATE POLICY tenant_only ON public.prompt TO feedback_api USING ((tenant = ( SELECT current_setting('feedback.tenant'::text, true) AS current_setting))) WITH CHECK ((tenant = ( SELECT current_setting('feedback.tenant'::text, true) AS current_setting)));

CREATE POLICY tenant_only ON public.refusal TO feedback_api USING ((tenant = ( SELECT current_setting('feedback.tenant'::text, true) AS current_setting))) WITH CHECK ((tenant = ( SELECT current_setting('feedback.tenant'::text, true) AS current_setting)));

CREATE POLICY tenant_only ON public.tenant TO feedback_api USING ((name = ( SELECT current_setting('feedback.tenant'::text, true) AS current_setting)));

CREATE POLICY tenant_only ON public.vote_day TO feedback_api USING ((tenant = ( SELECT current_setting('feedback.tenant'::text, true) AS current_setting))) WITH CHECK ((tenant = ( SELECT current_setting('feedback.tenant'::text, true) AS current_setting)));

CREATE POLICY tenant_only ON public.vote_delta TO feedback_api USING ((tenant = ( SELECT current_setting('feedback.tenant'::text, true) AS current_setting))) WITH CHECK ((tenant = ( SELECT current_setting('feedback.tenant'::text, true) AS current_setting)));

CREATE POLICY tenant_only ON public.vote_total TO feedback_api USING ((tenant = ( SELECT current_setting('feedback.tenant'::text, true) AS current_setting))) WITH CHECK ((tenant = ( SELECT current_setting('feedback.tenant'::text, true) AS current_setting)));

ALTER TABLE public.vote_day ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.vote_delta ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.vote_total ENABLE ROW LEVEL SECURITY;

GRANT USAGE ON SCHEMA public TO feedback_api;

REVOKE ALL ON FUNCTION public.announce_job(event_id text, job text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.announce_job(event_id text, job text) TO feedback_api;

REVOKE ALL ON FUNCTION public.claim_waiting_votes() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.find_api_key(wanted bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION public.find_api_key(wanted bytea) TO feedback_api;

REVOKE ALL ON FUNCTION public.fold_counts() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.get_weekly_finetuning_dataset() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.match_votes(arrived uuid[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.record_counts(counted public.counted_vote[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.record_people(seen_people public.person_seen[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.sweep_capture() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.take_allowance(wanted_bucket bytea, window_start timestamp with time zone, allowance integer, wanted integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.take_allowance(wanted_bucket bytea, window_start timestamp with time zone, allowance integer, wanted integer) TO feedback_api;

REVOKE ALL ON FUNCTION public.use_token(token uuid, browser_mark bytea, expiry timestamp with time zone, allowed integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.use_token(token uuid, browser_mark bytea, expiry timestamp with time zone, allowed integer) TO feedback_api;

GRANT SELECT ON TABLE public.action_day TO feedback_api;

GRANT SELECT ON TABLE public.alert TO feedback_api;

GRANT SELECT ON TABLE public.audit_item TO feedback_api;

GRANT SELECT,INSERT ON TABLE public.audit_label TO feedback_api;

GRANT INSERT ON TABLE public.change TO feedback_api;

GRANT SELECT ON TABLE public.consent TO feedback_api;

GRANT SELECT,INSERT ON TABLE public.feedback TO feedback_api;

GRANT UPDATE(interaction_id) ON TABLE public.feedback TO feedback_api;

GRANT UPDATE(superseded_by) ON TABLE public.feedback TO feedback_api;

GRANT SELECT,INSERT ON TABLE public.interaction TO feedback_api;

GRANT SELECT,INSERT ON TABLE public.export_use TO feedback_api;

GRANT SELECT,INSERT ON TABLE public.idempotency TO feedback_api;

GRANT UPDATE(fingerprint) ON TABLE public.idempotency TO feedback_api;

GRANT UPDATE(feedback_id) ON TABLE public.idempotency TO feedback_api;

GRANT UPDATE(created_at) ON TABLE public.idempotency TO feedback_api;

GRANT SELECT,INSERT ON TABLE public.interaction_key TO feedback_api;

GRANT SELECT ON TABLE public.person_day TO feedback_api;

GRANT SELECT ON TABLE public.person_delta TO feedback_api;

GRANT SELECT ON TABLE public.prompt TO feedback_api;

GRANT SELECT,INSERT ON TABLE public.refusal TO feedback_api;

GRANT SELECT ON TABLE public.setting TO feedback_api;

GRANT SELECT ON TABLE public.tenant TO feedback_api;

GRANT SELECT ON TABLE public.vote_day TO feedback_api;

GRANT SELECT ON TABLE public.vote_delta TO feedback_api;

GRANT SELECT ON TABLE public.vote_total TO feedback_api;

