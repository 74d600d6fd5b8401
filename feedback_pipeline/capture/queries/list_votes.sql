-- Current votes, newest first, after the cursor ($1 day, $2 moment, $3 id). The tenant's days come from the rollup, so
-- that a tenant with few votes does not wade through those of others.
WITH days AS (
    SELECT d.day FROM (SELECT day, votes FROM vote_day UNION ALL SELECT day, votes FROM vote_delta) d
    WHERE ($1::date IS NULL OR d.day <= $1)
        AND ($10::timestamptz IS NULL OR d.day >= ($10 AT TIME ZONE 'UTC')::date - 1)
        AND ($11::timestamptz IS NULL OR d.day <= ($11 AT TIME ZONE 'UTC')::date + 1)
    GROUP BY d.day HAVING sum(d.votes) > 0
    ORDER BY d.day DESC
)
SELECT v.* FROM days CROSS JOIN LATERAL (
    SELECT f.id, f.interaction_id, f.key_kind, f.key_value, f.kind, f.thumb, f.stars, f.value, f.comment, f.correction, f.reasons,
    f.preference, f.other_interaction_id, f.shown, f.shown_differently, f.metadata AS vote_metadata, f.lane, f.from_browser, f.user_key, f.session_key, f.voter, f.withdrawn, f.supersedes, f.source,
    f.occurred_at, f.received_at, f.day, i.prompt, i.output, i.content_snapshot, i.model, i.intent, i.project,
    i.prompt_version, i.framework, i.content_type, i.action_type, i.tools_called, i.tags, i.memory_used, i.metadata,
    i.provenance
    FROM feedback f LEFT JOIN interaction i ON i.id = f.interaction_id
    WHERE f.superseded_by IS NULL AND NOT f.withdrawn AND f.day = days.day
        AND f.occurred_at >= days.day - 1
        AND ($1::date IS NULL OR (f.day, f.occurred_at, f.id) < ($1, $2::timestamptz, $3::uuid))
        AND ($4::text IS NULL OR i.model = $4) AND ($5::text IS NULL OR i.intent = $5)
        AND ($6::text IS NULL OR i.project = $6)
        AND ($7::text IS NULL OR i.content_type = $7 OR split_part(f.key_value, '/', 1) = $7)
        AND ($8::boolean IS NULL OR f.thumb = $8) AND ($9::text IS NULL OR f.user_key = $9)
        AND ($10::timestamptz IS NULL OR f.occurred_at >= $10) AND ($11::timestamptz IS NULL OR f.occurred_at < $11)
        AND ($12::text IS NULL OR f.kind = $12) AND ($13::text IS NULL OR i.action_type = $13)
        AND ($14::boolean IS NULL OR (f.comment IS NOT NULL) = $14)
    ORDER BY f.occurred_at DESC, f.id DESC
    LIMIT $15
) v
ORDER BY v.day DESC, v.occurred_at DESC, v.id DESC
LIMIT $15
