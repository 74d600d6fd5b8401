-- Current votes, newest first: after the cursor ($1 day, $2 moment, $3 id), or from $19 on. The tenant's days come from
-- the rollup, so that a tenant with few votes does not wade through those of others; votes on what is no answer are in
-- no rollup, and are listed for some months. Of those that match the filters only the newest $18 are looked at: a
-- search ($17) would read the whole store otherwise. One row without an id says how many were, and how far back.
WITH days AS (
    SELECT d.day FROM (
        SELECT day, votes FROM vote_day UNION ALL SELECT day, votes FROM vote_delta UNION ALL
        SELECT (now() + interval '1 day')::date - g, 1 FROM generate_series(0, 120) g
    ) d
    WHERE ($1::date IS NULL OR d.day <= $1)
        AND ($10::timestamptz IS NULL OR d.day >= ($10 AT TIME ZONE 'UTC')::date - 1)
        AND ($11::timestamptz IS NULL OR d.day <= ($11 AT TIME ZONE 'UTC')::date + 1)
    GROUP BY d.day HAVING sum(d.votes) > 0
    ORDER BY d.day DESC
), looked_at AS (
    SELECT v.* FROM days CROSS JOIN LATERAL (
        SELECT f.id, f.day, f.occurred_at, $17::text IS NULL OR to_tsvector('simple',
            concat_ws(' ', f.comment, f.correction, i.prompt, i.output)) @@ websearch_to_tsquery('simple', $17) AS found
        FROM feedback f LEFT JOIN interaction i ON i.id = f.interaction_id
        WHERE f.superseded_by IS NULL AND NOT f.withdrawn AND f.day = days.day
            AND f.occurred_at >= days.day - 1
            AND ($1::date IS NULL OR (f.day, f.occurred_at, f.id) < ($1, $2::timestamptz, $3::uuid))
            AND ($4::text IS NULL OR i.model = $4) AND ($5::text IS NULL OR i.intent = $5)
            AND ($6::text IS NULL OR i.project = $6)
            AND ($7::text IS NULL OR i.content_type = $7 OR split_part(f.key_value, '/', 1) = $7)
            AND ($8::boolean IS NULL OR f.thumb = $8) AND ($9::text IS NULL OR f.voter = $9)
            AND ($10::timestamptz IS NULL OR f.occurred_at >= $10) AND ($11::timestamptz IS NULL OR f.occurred_at < $11)
            AND ($12::text IS NULL OR f.kind = $12) AND ($13::text IS NULL OR i.action_type = $13)
            AND ($14::boolean IS NULL OR (f.comment IS NOT NULL) = $14)
            AND ($16::text IS NULL OR i.prompt_version = $16)
        ORDER BY f.occurred_at DESC, f.id DESC
        LIMIT $18
    ) v
    ORDER BY v.day DESC, v.occurred_at DESC, v.id DESC
    LIMIT $18
), page AS (
    SELECT id, count(*) OVER () AS total FROM looked_at WHERE found
    ORDER BY day DESC, occurred_at DESC, id DESC
    LIMIT $15 OFFSET $19
)
SELECT f.id, f.interaction_id, f.key_kind, f.key_value, f.kind, f.thumb, f.stars, f.value, f.comment, f.correction, f.reasons,
    f.preference, f.other_interaction_id, f.shown, f.shown_differently, f.metadata AS vote_metadata, f.lane, f.from_browser, f.user_key, f.session_key, f.voter, f.withdrawn, f.supersedes, f.source,
    f.occurred_at, f.received_at, f.day, i.prompt, i.output, i.content_snapshot, i.model, i.intent, i.project,
    i.prompt_version, i.framework, i.content_type, i.action_type, i.tools_called, i.tags, i.memory_used, i.metadata,
    i.provenance, p.total, s.looked_at, s.back_to
FROM (SELECT count(*) AS looked_at, min(occurred_at) AS back_to FROM looked_at) s
LEFT JOIN page p ON true LEFT JOIN feedback f ON f.id = p.id LEFT JOIN interaction i ON i.id = f.interaction_id
ORDER BY f.day DESC, f.occurred_at DESC, f.id DESC
