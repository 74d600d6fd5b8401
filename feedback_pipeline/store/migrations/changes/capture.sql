-- The HTTP API and the votes it files.
-- What a page showed is compared with what was logged, signals accumulate by name, a change carries what it does
-- not name, one rule says which votes may be trained on, sessions of the console can be ended.

-- ---------------------------------------------------------------- what a vote carries
ALTER TABLE feedback
    ADD COLUMN IF NOT EXISTS shown text,  -- the content as the voter's page showed it, where that is more or other than the answer's text
    ADD COLUMN IF NOT EXISTS shown_differently boolean NOT NULL DEFAULT false,
    ADD COLUMN IF NOT EXISTS metadata text,  -- of the vote itself, where it was changed after the answer's was sent
    ADD COLUMN IF NOT EXISTS from_browser boolean NOT NULL DEFAULT false,  -- its texts are a browser's, whoever vouches for the answer
    ADD COLUMN IF NOT EXISTS lane text NOT NULL DEFAULT '';  -- events of one lane follow each other

DO $$
DECLARE
    field text;
BEGIN
    FOREACH field IN ARRAY ARRAY['shown text', 'shown_differently boolean', 'metadata text', 'lane text',
        'from_browser boolean'] LOOP
        IF NOT EXISTS (
            SELECT FROM pg_attribute WHERE attrelid = 'vote_row'::regclass AND attname = split_part(field, ' ', 1)
        ) THEN
            EXECUTE 'ALTER TYPE vote_row ADD ATTRIBUTE ' || field;
        END IF;
    END LOOP;
END $$;

-- The value of a JSON text; null where it is none.
CREATE OR REPLACE FUNCTION json_or_null(given text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN given::jsonb;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION uuid_or_null(given text) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN given ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' THEN given::uuid END
$$;

-- What a signal is called: {"signal": "copy"} is `copy`, {"task_succeeded": true, "seconds": 3} is `task_succeeded`.
CREATE OR REPLACE FUNCTION signal_name(value text) RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    fields jsonb := json_or_null(value);
BEGIN
    IF fields IS NULL OR jsonb_typeof(fields) <> 'object' THEN
        RETURN '';
    END IF;
    IF jsonb_typeof(fields -> 'signal') = 'string' THEN
        RETURN fields ->> 'signal';
    END IF;
    IF jsonb_typeof(fields -> 'name') = 'string' THEN
        RETURN fields ->> 'name';
    END IF;
    RETURN COALESCE(
        (SELECT string_agg(f.key, ',' ORDER BY f.key) FROM jsonb_each(fields) f WHERE jsonb_typeof(f.value) = 'boolean'),
        (SELECT string_agg(f.key, ',' ORDER BY f.key) FROM jsonb_each(fields) f),
        '');
END $$;

-- Votes of a kind follow each other; signals do by name, and every comment stands for itself.
CREATE OR REPLACE FUNCTION vote_lane(kind text, value text, id uuid) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE kind
        WHEN 'comment' THEN id::text
        WHEN 'implicit' THEN signal_name(value)
        WHEN 'outcome' THEN signal_name(value)
        ELSE '' END
$$;

-- What was in the store before: events that replaced others of another lane no longer do.
WITH RECURSIVE laned AS (
    SELECT f.id, vote_lane(f.kind, f.value, f.id) AS lane FROM feedback f
    WHERE f.kind IN ('comment', 'implicit', 'outcome') AND f.supersedes IS NULL
    UNION ALL
    SELECT f.id, l.lane FROM laned l JOIN feedback f ON f.supersedes = l.id
)
UPDATE feedback f SET lane = l.lane FROM laned l WHERE f.id = l.id AND f.lane <> l.lane;
UPDATE feedback f SET superseded_by = NULL
FROM feedback n WHERE n.id = f.superseded_by AND n.lane <> f.lane;

-- ---------------------------------------------------------------- the same text
-- A text as it is compared: without the marks of Markdown and HTML, white space, and the numbers of placeholders, so
-- that an answer and the page that shows it are the same.
CREATE OR REPLACE FUNCTION text_form(given text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT md5(regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(
        translate(normalize(given, NFKC), '“”„‘’‚–—', '"""''''''--'),
        '\[([A-Z_]+)_[0-9]+\]', '[\1]', 'g'),
        '(^|\n)[ \t]*(#{1,6}|>|[-*+•]|[0-9]{1,3}[.)])[ \t]+', '\1', 'g'),
        '!?\[([^][]*)\]\([^()\s]*\)', '\1', 'g'),
        '</?[a-zA-Z][^<>]*>', '', 'g'),
        '[\s*_`~]+', '', 'g'))
$$;

-- The forms under which a text and a snapshot (JSON) are known. Of an object also its longest text: a page shows an
-- answer among other things.
CREATE OR REPLACE FUNCTION text_forms(answer text, snapshot text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT COALESCE(array_agg(DISTINCT text_form(t.text)), '{}') FROM (
        SELECT answer AS text
        UNION ALL
        SELECT json_or_null(answer)::text WHERE left(ltrim(answer), 1) IN ('{', '[')
        UNION ALL
        SELECT json_or_null(snapshot) #>> '{}'
        UNION ALL (
            SELECT s.leaf #>> '{}' FROM jsonb_path_query(json_or_null(snapshot), 'strict $.**') s (leaf)
            WHERE jsonb_typeof(s.leaf) = 'string' AND left(ltrim(snapshot), 1) = '{'
            ORDER BY length(s.leaf #>> '{}') DESC LIMIT 1)
    ) t WHERE t.text <> ''
$$;

-- Whether what was shown is more than the answer's own text: then it is kept with the vote.
CREATE OR REPLACE FUNCTION shown_apart(snapshot text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT left(ltrim(snapshot), 1) IN ('{', '[')
$$;

-- ---------------------------------------------------------------- which events follow each other
-- One current vote per tenant, person, answer, kind and lane (and other answer, for a preference): the latest event.
-- Earlier ones point at the event that followed them. A vote that came in by itself takes over what it does not name.
CREATE OR REPLACE FUNCTION carry_votes(followers uuid[]) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    changed uuid[] := followers;
BEGIN
    WHILE changed IS NOT NULL LOOP  -- of several that follow each other, each takes over from the one before
        WITH carried AS (
            UPDATE feedback f SET
                thumb = COALESCE(f.thumb, p.thumb), stars = COALESCE(f.stars, p.stars),
                comment = COALESCE(f.comment, p.comment), metadata = COALESCE(f.metadata, p.metadata),
                reasons = CASE WHEN f.reasons = '{}' THEN p.reasons ELSE f.reasons END
            FROM feedback p
            WHERE p.superseded_by = f.id AND f.id = ANY (changed) AND f.tenant = p.tenant
                AND f.kind = 'explicit' AND f.source = 'api' AND f.supersedes IS NULL  -- a change was given whole
                AND NOT f.withdrawn AND NOT p.withdrawn
                AND ((f.thumb IS NULL AND p.thumb IS NOT NULL) OR (f.stars IS NULL AND p.stars IS NOT NULL)
                    OR (f.comment IS NULL AND p.comment IS NOT NULL) OR (f.metadata IS NULL AND p.metadata IS NOT NULL)
                    OR (f.reasons = '{}' AND p.reasons <> '{}'))
            RETURNING f.superseded_by
        )
        SELECT array_agg(c.superseded_by) FILTER (WHERE c.superseded_by IS NOT NULL) INTO changed FROM carried c;
    END LOOP;
END $$;

CREATE INDEX IF NOT EXISTS feedback_followed ON feedback (interaction_id) WHERE superseded_by IS NOT NULL;

-- The whole history of some answers: an index has those that count, another the few that were followed. (Inlined: a plain
-- condition on the answer would find neither and read the whole table.)
CREATE OR REPLACE FUNCTION votes_on(answers uuid[]) RETURNS SETOF feedback LANGUAGE sql STABLE AS $$
    SELECT f.* FROM feedback f WHERE f.interaction_id = ANY (answers) AND f.superseded_by IS NULL
    UNION ALL
    SELECT f.* FROM feedback f WHERE f.interaction_id = ANY (answers) AND f.superseded_by IS NOT NULL
$$;

CREATE OR REPLACE FUNCTION settle_votes(interactions uuid[]) RETURNS bigint LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    unsettled uuid[];
    followers uuid[];
    settled_votes bigint;
BEGIN
    -- Most events have nothing to follow and nothing that follows them: grouping is cheaper than putting all in order.
    SELECT array_agg(DISTINCT g.interaction_id) INTO unsettled FROM (
        SELECT e.interaction_id FROM votes_on(interactions) e
        GROUP BY e.tenant, e.interaction_id, e.voter, e.kind, e.lane, e.other_interaction_id
        HAVING count(*) > 1 OR bool_or(e.superseded_by IS NOT NULL)
    ) g;
    IF unsettled IS NULL THEN
        RETURN 0;
    END IF;
    WITH ordered AS (
        SELECT e.id, e.superseded_by, lead(e.id) OVER (
            PARTITION BY e.tenant, e.interaction_id, e.voter, e.kind, e.lane, e.other_interaction_id
            ORDER BY e.occurred_at, e.received_at, e.id
        ) AS next_id
        FROM votes_on(unsettled) e
    ), changed AS MATERIALIZED (
        SELECT o.id, o.next_id FROM ordered o WHERE o.superseded_by IS DISTINCT FROM o.next_id
    ), settled AS (
        UPDATE feedback f SET superseded_by = changed.next_id
        FROM changed
        WHERE f.id = changed.id AND f.superseded_by IS DISTINCT FROM changed.next_id
        RETURNING f.superseded_by
    )
    SELECT count(*), array_agg(s.superseded_by) FILTER (WHERE s.superseded_by IS NOT NULL)
    INTO settled_votes, followers FROM settled s;
    IF followers IS NOT NULL THEN
        PERFORM carry_votes(followers);
    END IF;
    RETURN settled_votes;
END $$;

DO $$
DECLARE
    laned uuid[];
BEGIN
    SELECT array_agg(DISTINCT f.interaction_id) INTO laned FROM feedback f WHERE f.lane <> '' AND f.interaction_id IS NOT NULL;
    IF laned IS NOT NULL THEN
        PERFORM settle_votes(laned);
    END IF;
END $$;

-- ---------------------------------------------------------------- which answer a vote is about
-- Gives votes the answer that is meant. A name that is known leads to its answer, where somebody other than a browser
-- vouches for it: what a browser says of an answer is its own claim, and nobody else's vote is bound to it. A vote that
-- says what was shown is compared with what was logged: the same text is the logged answer; another is kept with the
-- vote, which is still about the logged answer. Only where a server sends the content with its votes and logs nothing
-- does every text make an answer of its own.
CREATE OR REPLACE FUNCTION bind_votes(tenant_name text, votes vote_row[], answers answer_row[]) RETURNS vote_row[]
LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    bound vote_row[];
BEGIN
    WITH brought AS (
        SELECT DISTINCT ON (a.id) a.id, a.output, a.content_snapshot, a.provenance FROM unnest(answers) a ORDER BY a.id
    ), known AS (
        SELECT v AS vote, b.id AS brought_id, b.output, b.content_snapshot, k.id AS known_id, k.silent,
            CASE WHEN b.id IS NOT NULL AND (k.id IS NOT NULL OR b.provenance = 'server') THEN (
                SELECT s.id FROM (
                    SELECT i.id, i.output, i.content_snapshot, i.occurred_at
                    FROM interaction_key n JOIN interaction i ON i.id = n.interaction_id AND i.tenant = n.tenant
                    WHERE n.tenant = tenant_name AND n.kind = v.key_kind AND n.value = v.key_value
                        AND i.provenance <> 'browser'
                    ORDER BY i.occurred_at DESC, i.id DESC LIMIT 50
                ) s
                WHERE text_forms(b.output, b.content_snapshot) && text_forms(s.output, s.content_snapshot)
                ORDER BY s.occurred_at DESC, s.id DESC LIMIT 1
            ) END AS same_id,
            CASE WHEN b.id IS NULL AND k.id IS NULL AND v.interaction_id IS NULL THEN (
                -- the voter's own claim: a comment follows the thumb to it
                SELECT f.interaction_id FROM interaction_key n JOIN feedback f ON f.interaction_id = n.interaction_id
                WHERE n.tenant = tenant_name AND n.kind = v.key_kind AND n.value = v.key_value
                    AND f.tenant = tenant_name AND f.voter = COALESCE(v.user_key, v.session_key)
                ORDER BY f.received_at DESC LIMIT 1
            ) END AS own_id,
            CASE WHEN b.id IS NULL AND v.interaction_id IS NOT NULL THEN (
                SELECT i.id FROM interaction i WHERE i.id = v.interaction_id AND i.tenant = tenant_name
            ) END AS meant_id
        FROM unnest(votes) v
        LEFT JOIN brought b ON b.id = v.interaction_id
        LEFT JOIN LATERAL (
            SELECT i.id, COALESCE(i.output, '') = '' AND i.content_snapshot IS NULL AS silent
            FROM interaction_key n JOIN interaction i ON i.id = n.interaction_id AND i.tenant = n.tenant
            WHERE n.tenant = tenant_name AND n.kind = v.key_kind AND n.value = v.key_value AND i.provenance <> 'browser'
                AND (v.key_kind <> 'content' OR b.provenance IS DISTINCT FROM 'server' OR i.provenance <> 'server')
            ORDER BY i.occurred_at DESC, i.id DESC LIMIT 1
        ) k ON true
    )
    SELECT array_agg((
        (k.vote).ordinal, (k.vote).id,
        COALESCE(k.meant_id, k.same_id, k.known_id, k.own_id, (k.vote).interaction_id),
        (k.vote).key_kind, (k.vote).key_value, (k.vote).kind, (k.vote).thumb, (k.vote).stars, (k.vote).value,
        (k.vote).comment, (k.vote).correction, (k.vote).reasons, (k.vote).preference, COALESCE((
            SELECT n.interaction_id FROM interaction_key n
            WHERE (k.vote).other_interaction_id IS NOT NULL AND n.tenant = tenant_name AND n.kind = 'interaction'
                AND n.value = (k.vote).other_interaction_id::text LIMIT 1
        ), (k.vote).other_interaction_id), (k.vote).user_key, (k.vote).session_key, (k.vote).occurred_at,
        (k.vote).withdrawn, (k.vote).supersedes, (k.vote).idempotency_key, (k.vote).fingerprint, (k.vote).source,
        (k.vote).raw,
        CASE
            WHEN (k.vote).shown IS NOT NULL THEN (k.vote).shown
            WHEN k.brought_id IS NULL OR COALESCE(k.same_id, k.known_id, k.brought_id) = k.brought_id THEN NULL
            WHEN k.same_id IS NULL OR shown_apart(k.content_snapshot)
                THEN COALESCE(k.content_snapshot, to_json(k.output)::text)
        END,
        COALESCE((k.vote).shown_differently, false) OR (
            k.brought_id IS NOT NULL AND k.same_id IS NULL AND k.known_id IS NOT NULL AND k.known_id <> k.brought_id
            AND NOT k.silent AND COALESCE(k.output, k.content_snapshot) IS NOT NULL),
        (k.vote).metadata, (k.vote).lane, (k.vote).from_browser)::vote_row ORDER BY (k.vote).ordinal)
    INTO bound FROM known k;
    RETURN COALESCE(bound, '{}');
END $$;

-- An answer that arrives under a name gets the votes that wait for it or were bound to claims about it; what they were
-- shown is compared then. Without votes, nobody needs a claim any more.
CREATE OR REPLACE FUNCTION bind_arrived(arrived uuid[]) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp
-- few arrive that anybody waits for: each is looked up, and no table is sorted or hashed for them
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    left_behind uuid[];
BEGIN
    UPDATE feedback f SET interaction_id = k.interaction_id
    FROM interaction_key k JOIN interaction i ON i.id = k.interaction_id AND i.tenant = k.tenant
    WHERE k.interaction_id = ANY (arrived) AND i.provenance <> 'browser' AND f.tenant = k.tenant
        AND f.interaction_id IS NULL AND f.key_kind = k.kind AND f.key_value = k.value;

    UPDATE feedback f SET interaction_id = k.interaction_id
    FROM interaction_key k CROSS JOIN votes_on(ARRAY[uuid_or_null(k.value)]) v
    WHERE k.interaction_id = ANY (arrived) AND k.kind = 'interaction' AND v.tenant = k.tenant
        AND v.interaction_id <> k.interaction_id AND f.id = v.id;

    WITH moved AS (
        SELECT DISTINCT ON (f.id) f.id, c.id AS claim_id, i.id AS answer_id, c.content_snapshot, c.output,
            text_forms(c.output, c.content_snapshot) && text_forms(i.output, i.content_snapshot) AS same,
            COALESCE(i.output, '') = '' AND i.content_snapshot IS NULL AS silent
        FROM interaction_key k
        JOIN interaction i ON i.id = k.interaction_id AND i.tenant = k.tenant AND i.provenance <> 'browser'
        JOIN interaction_key n ON (n.tenant, n.kind, n.value) = (k.tenant, k.kind, k.value) AND n.interaction_id <> i.id
        JOIN interaction c ON c.id = n.interaction_id AND c.tenant = n.tenant AND c.source = 'api'
            AND (c.provenance = 'browser' OR (c.provenance = 'server' AND i.provenance IN ('logged', 'import')))
        JOIN votes_on(ARRAY[c.id]) f ON f.tenant = c.tenant
        WHERE k.interaction_id = ANY (arrived)
        ORDER BY f.id, same DESC, i.occurred_at DESC
    ), bound AS (
        UPDATE feedback f SET
            interaction_id = m.answer_id,
            shown = CASE WHEN f.shown IS NOT NULL THEN f.shown
                WHEN NOT m.same OR shown_apart(m.content_snapshot) THEN COALESCE(m.content_snapshot, to_json(m.output)::text) END,
            shown_differently = NOT m.same AND NOT m.silent
        FROM moved m WHERE f.id = m.id
        RETURNING m.claim_id
    )
    SELECT array_agg(DISTINCT b.claim_id) INTO left_behind FROM bound b;

    -- shown differently from the answer that was known then, and the same as this one
    UPDATE feedback f SET
        interaction_id = i.id, shown = CASE WHEN shown_apart(f.shown) THEN f.shown END, shown_differently = false
    FROM interaction_key k
    JOIN interaction i ON i.id = k.interaction_id AND i.tenant = k.tenant AND i.provenance <> 'browser'
    JOIN interaction_key n ON (n.tenant, n.kind, n.value) = (k.tenant, k.kind, k.value) AND n.interaction_id <> i.id
    JOIN votes_on(ARRAY[n.interaction_id]) v ON v.tenant = k.tenant AND v.shown_differently
        AND text_forms(NULL, v.shown) && text_forms(i.output, i.content_snapshot)
    WHERE k.interaction_id = ANY (arrived) AND f.id = v.id;

    IF left_behind IS NOT NULL THEN
        WITH needless AS (
            DELETE FROM interaction i WHERE i.id = ANY (left_behind)
                AND NOT EXISTS (SELECT FROM votes_on(ARRAY[i.id]))
                AND NOT EXISTS (SELECT FROM feedback f WHERE f.other_interaction_id = i.id)
            RETURNING i.id
        )
        DELETE FROM interaction_key k USING needless n WHERE k.interaction_id = n.id;
    END IF;
    PERFORM settle_votes(arrived);
END $$;

-- Votes and answers that arrived in the same moment.
CREATE OR REPLACE FUNCTION claim_waiting_votes() RETURNS bigint LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    arrived uuid[];
BEGIN
    SELECT array_agg(DISTINCT k.interaction_id) INTO arrived
    FROM feedback f
    LEFT JOIN interaction c ON c.id = f.interaction_id AND c.tenant = f.tenant
    JOIN interaction_key k ON k.tenant = f.tenant AND k.kind = f.key_kind AND k.value = f.key_value
        AND k.interaction_id IS DISTINCT FROM f.interaction_id
    JOIN interaction i ON i.id = k.interaction_id AND i.tenant = k.tenant
    WHERE f.received_at > now() - interval '10 minutes' AND i.provenance <> 'browser'
        AND (f.interaction_id IS NULL
            OR (c.source = 'api' AND c.provenance = 'browser')
            OR (c.source = 'api' AND c.provenance = 'server' AND i.provenance IN ('logged', 'import')));
    IF arrived IS NULL THEN
        RETURN 0;
    END IF;
    PERFORM bind_arrived(arrived);
    RETURN cardinality(arrived);
END $$;

-- ---------------------------------------------------------------- tags
-- The tags a tenant uses, to tell of a new one that looks like one in use.
CREATE TABLE IF NOT EXISTS tag_seen (
    tenant text NOT NULL,
    name   text NOT NULL,
    PRIMARY KEY (tenant, name)
);
INSERT INTO tag_seen (tenant, name) SELECT DISTINCT i.tenant, t.name FROM interaction i CROSS JOIN unnest(i.tags) t (name)
ON CONFLICT DO NOTHING;

-- ---------------------------------------------------------------- filing
-- Files answers under the caller's names for them, and says what became of each: `new`; `known`, it was filed before;
-- `conflict`, another answer was filed under its id, and stays; `opted_out`, its person refused collection.
DROP FUNCTION IF EXISTS file_answers(text, answer_row[], name_row[]);
CREATE FUNCTION file_answers(tenant_name text, answers answer_row[], names name_row[])
RETURNS TABLE (answer_id uuid, outcome text) LANGUAGE plpgsql
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    filed uuid[];
    known uuid[];
BEGIN
    PERFORM set_config('feedback.tenant', tenant_name, true);
    WITH inserted AS (
        INSERT INTO interaction (
            id, tenant, project, conversation_id, turn, intent, content_type, action_type, language, model,
            prompt_version, framework, variant, tags, tools_called, techniques, memory_used, messages, prompt, output,
            content_snapshot, context, finish_reason, confidence, latency_ms, input_tokens, output_tokens, cost_usd,
            user_key, session_key, occurred_at, source, source_id, provenance, inclusion_probability, metadata, raw)
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
        RETURNING id
    )
    SELECT COALESCE(array_agg(i.id), '{}') INTO filed FROM inserted i;
    INSERT INTO tag_seen (tenant, name)
    SELECT DISTINCT tenant_name, t.name FROM unnest(answers) a CROSS JOIN LATERAL unnest(a.tags) t (name)
    WHERE a.id = ANY (filed)
    ORDER BY 2 ON CONFLICT DO NOTHING;
    IF cardinality(filed) < cardinality(answers) THEN
        SELECT COALESCE(array_agg(i.id), '{}') INTO known
        FROM unnest(answers) a JOIN interaction i ON i.id = a.id AND i.tenant = tenant_name
        WHERE i.output IS NOT DISTINCT FROM a.output OR i.output = '' OR a.output IS NULL
            OR text_forms(i.output, i.content_snapshot) && text_forms(a.output, a.content_snapshot);
    END IF;
    IF cardinality(names) > 0 THEN
        INSERT INTO interaction_key (tenant, kind, value, interaction_id)
        SELECT DISTINCT tenant_name, k.kind, k.value, k.interaction_id FROM unnest(names) k
        WHERE (k.interaction_id = ANY (filed) OR k.interaction_id = ANY (known))
            AND EXISTS (SELECT FROM interaction i WHERE i.id = k.interaction_id AND i.tenant = tenant_name)
        ORDER BY 2, 3, 4
        ON CONFLICT DO NOTHING;
    END IF;
    RETURN QUERY
    SELECT a.id, CASE
        WHEN a.id = ANY (filed) THEN 'new'
        WHEN a.id = ANY (known) THEN 'known'
        WHEN EXISTS (SELECT FROM consent c WHERE c.tenant = tenant_name AND c.user_key = a.user_key AND NOT c.collect)
            THEN 'opted_out'
        ELSE 'conflict' END
    FROM unnest(answers) a;
END $$;

-- Files votes in one round trip and one transaction. It says what became of those that were not stored as they are:
--   replayed   the same request was carried out before; `feedback_id` is what it gave
--   reused     the idempotency key was used for another request; nothing was filed
--   opted_out  the person refused collection; nothing of the vote was kept
CREATE OR REPLACE FUNCTION file_votes(tenant_name text, votes vote_row[], answers answer_row[], names name_row[])
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

    IF named THEN
        kept := bind_votes(tenant_name, kept, answers);
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
        source, source_id, raw, shown, shown_differently, metadata, from_browser, lane)
    SELECT v.id, tenant_name, v.interaction_id, v.key_kind, v.key_value, v.kind, v.thumb, v.stars, v.value, v.comment,
        v.correction, v.reasons, v.preference, v.other_interaction_id, v.user_key, v.session_key,
        COALESCE(v.occurred_at, now()), v.withdrawn, v.supersedes, v.idempotency_key, v.source, v.id::text, v.raw,
        v.shown, COALESCE(v.shown_differently, false), v.metadata, COALESCE(v.from_browser, false),
        COALESCE(v.lane, vote_lane(v.kind, v.value, v.id))
    FROM unnest(kept) v;

    -- Of several current votes of one person on one answer and in one lane, the latest stays current. Most votes are
    -- the first of their kind, which a look into the index tells. (The voter is made in a subquery of its own:
    -- row-level security lets only a plain column into the index, and without it one look would read all votes on the
    -- answer.)
    SELECT array_agg(t.id) INTO contested FROM (
        SELECT v.id, v.interaction_id, v.kind, COALESCE(v.user_key, v.session_key) AS voter, v.kind = 'comment' AND v.lane IS NULL AS alone
        FROM unnest(kept) v OFFSET 0
    ) t
    WHERE t.voter IS NOT NULL AND NOT t.alone AND (t.interaction_id IS NULL OR EXISTS (
        SELECT FROM feedback f
        WHERE f.interaction_id = t.interaction_id AND f.voter = t.voter AND f.kind = t.kind AND f.superseded_by IS NULL
            AND f.id <> t.id OFFSET 0));
    IF contested IS NOT NULL THEN
        SELECT array_agg(o.id), array_agg(o.next_id) INTO followed, followers FROM (
            SELECT f.id, lead(f.id) OVER (
                PARTITION BY t.interaction_id, t.key_kind, t.key_value, t.voter, t.kind, f.lane, f.other_interaction_id
                ORDER BY f.occurred_at, f.received_at, f.id) AS next_id
            FROM (
                SELECT DISTINCT v.interaction_id, v.kind, COALESCE(v.user_key, v.session_key) AS voter,
                    CASE WHEN v.interaction_id IS NULL THEN v.key_kind END AS key_kind,
                    CASE WHEN v.interaction_id IS NULL THEN v.key_value END AS key_value
                FROM unnest(kept) v WHERE v.id = ANY (contested)
            ) t
            CROSS JOIN LATERAL (
                SELECT c.id, c.occurred_at, c.received_at, c.other_interaction_id, c.lane FROM feedback c
                WHERE c.interaction_id = t.interaction_id AND c.voter = t.voter AND c.kind = t.kind
                    AND c.superseded_by IS NULL AND c.tenant = tenant_name
                UNION ALL
                SELECT c.id, c.occurred_at, c.received_at, c.other_interaction_id, c.lane FROM feedback c
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
        PERFORM carry_votes(followers);
    END IF;
END $$;

-- ---------------------------------------------------------------- what may be trained on
-- The one rule of what leaves the store as training material, for every way out: the text (a correction's own, or the
-- answer's) is one that a server vouches for, the vote is about that very text, and the tenant, the voter and the asker
-- allow it (no row of consent: they do).
CREATE OR REPLACE FUNCTION admissible_vote(
    provenance text, shown_differently boolean, browsers_correction boolean, tenant_analysis boolean, tenant_training boolean, voter_analysis boolean,
    voter_training boolean, asker_analysis boolean, asker_training boolean
) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT COALESCE(provenance <> 'browser', false) AND NOT shown_differently AND NOT browsers_correction AND tenant_analysis AND tenant_training
        AND COALESCE(voter_analysis, true) AND COALESCE(voter_training, true)
        AND COALESCE(asker_analysis, true) AND COALESCE(asker_training, true)
$$;

CREATE OR REPLACE FUNCTION get_weekly_finetuning_dataset()
RETURNS TABLE (messages jsonb, weight double precision, metadata jsonb) LANGUAGE sql STABLE AS $$
    SELECT
        jsonb_build_array(
            jsonb_build_object('role', 'user', 'content', i.prompt),
            jsonb_build_object('role', 'assistant', 'content', i.output)),
        CASE WHEN f.thumb THEN 2.0 ELSE 0.5 END,
        jsonb_build_object('intent', i.intent, 'project', i.project, 'model', i.model, 'timestamp', f.occurred_at)
    FROM feedback f
    JOIN interaction i ON i.id = f.interaction_id AND i.tenant = f.tenant
    JOIN tenant t ON t.name = f.tenant
    LEFT JOIN consent v ON v.tenant = f.tenant AND v.user_key = f.user_key
    LEFT JOIN consent a ON a.tenant = i.tenant AND a.user_key = i.user_key
    WHERE f.superseded_by IS NULL AND NOT f.withdrawn AND f.kind = 'explicit' AND f.thumb IS NOT NULL
        AND f.occurred_at >= now() - interval '7 days' AND i.prompt <> '' AND i.output <> ''
        AND admissible_vote(i.provenance, f.shown_differently, false, t.use_for_analysis, t.use_for_training,
            v.use_for_analysis, v.use_for_training, a.use_for_analysis, a.use_for_training)
    ORDER BY f.occurred_at, f.id
$$;

-- ---------------------------------------------------------------- sessions of the console
CREATE TABLE IF NOT EXISTS console_session (
    mark       bytea PRIMARY KEY,  -- SHA-256 of what the browser's cookie holds
    key_id     uuid NOT NULL REFERENCES api_key ON DELETE CASCADE,
    opened_at  timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE OR REPLACE FUNCTION open_session(session_mark bytea, key uuid, seconds integer) RETURNS void LANGUAGE sql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO console_session (mark, key_id, expires_at) VALUES (session_mark, key, now() + make_interval(secs => seconds))
$$;
CREATE OR REPLACE FUNCTION close_session(session_mark bytea) RETURNS void LANGUAGE sql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DELETE FROM console_session WHERE mark = session_mark
$$;
-- The key behind a session that is open, where the key is still good.
CREATE OR REPLACE FUNCTION find_session(session_mark bytea) RETURNS TABLE (id uuid, tenant text, scopes text[])
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT k.id, k.tenant, k.scopes FROM console_session s JOIN api_key k ON k.id = s.key_id
    WHERE s.mark = session_mark AND s.expires_at > now() AND (k.expires_at IS NULL OR k.expires_at > now())
        AND (k.revoked_at IS NULL OR k.revoked_at > now());
END $$;

-- The key that a browser's token was made with, by what the token names it by (see feedback_client/tokens.py).
CREATE OR REPLACE FUNCTION find_token_key(handle bytea) RETURNS TABLE (id uuid, tenant text, scopes text[], hash bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT k.id, k.tenant, k.scopes, k.hash FROM api_key k
    WHERE substr(sha256(convert_to('feedback token handle', 'UTF8') || '\x00'::bytea || k.hash), 1, 16) = handle
        AND (k.expires_at IS NULL OR k.expires_at > now()) AND (k.revoked_at IS NULL OR k.revoked_at > now());
END $$;

CREATE OR REPLACE FUNCTION sweep_capture() RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    DELETE FROM idempotency WHERE created_at < now() - interval '24 hours';
    DELETE FROM token_use WHERE expires_at < now() - interval '1 hour';
    DELETE FROM rate_window WHERE starts < now() - interval '1 hour';
    DELETE FROM console_session WHERE expires_at < now();
END $$;

ALTER TABLE tenant DROP CONSTRAINT IF EXISTS tenant_named;
ALTER TABLE tenant ADD CONSTRAINT tenant_named CHECK (btrim(name) <> '') NOT VALID;

-- ---------------------------------------------------------------- feedback on what is no answer
-- A session, a conversation, a tool call or a step can be voted on by itself; such votes are counted apart from those on
-- answers. Their name stands where an answer's would.
CREATE OR REPLACE FUNCTION about_subject(key_kind text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT COALESCE(key_kind IN ('session', 'conversation', 'tool_call', 'step'), false)
$$;
CREATE INDEX IF NOT EXISTS feedback_subject ON feedback (tenant, key_kind, key_value)
    WHERE key_kind IN ('session', 'conversation', 'tool_call', 'step') AND superseded_by IS NULL;

CREATE OR REPLACE FUNCTION feedback_recounted() RETURNS trigger LANGUAGE plpgsql
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
        WHERE n.superseded_by IS NULL AND NOT n.withdrawn AND NOT about_subject(n.key_kind)
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
        WHERE o.superseded_by IS NULL AND NOT o.withdrawn AND NOT about_subject(o.key_kind)
    )
    SELECT array_agg(vote) INTO counted FROM (SELECT vote FROM before UNION ALL SELECT vote FROM after) both_sides;
    IF counted IS NOT NULL THEN
        PERFORM record_counts(counted);
    END IF;
    RETURN NULL;
END $$;

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
    WHERE o.superseded_by IS NULL AND NOT o.withdrawn AND NOT about_subject(o.key_kind);
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

-- ---------------------------------------------------------------- events to others
-- Where a team's feedback events are told, one after the other. Only the owner reads it: it holds what they are signed
-- with. `told_at` and `told_id` are the last event that was taken.
CREATE TABLE IF NOT EXISTS webhook (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant     text NOT NULL REFERENCES tenant,
    url        text NOT NULL CHECK (url ~ '^https?://'),
    secret     text NOT NULL,
    with_texts boolean NOT NULL DEFAULT false,
    made_at    timestamptz NOT NULL DEFAULT now(),
    told_at    timestamptz NOT NULL DEFAULT now(),
    told_id    uuid NOT NULL DEFAULT 'ffffffff-ffff-ffff-ffff-ffffffffffff',
    attempts   integer NOT NULL DEFAULT 0,
    next_at    timestamptz NOT NULL DEFAULT now(),
    problem    text,  -- of the last attempt: a status or a kind of error
    ended_at   timestamptz
);
