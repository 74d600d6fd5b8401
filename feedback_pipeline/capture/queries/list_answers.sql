-- Logged answers, newest first, with what people said of them; whoever wonders whether logging works looks here. Of
-- those that match only the newest $9 are looked at.
WITH looked_at AS (
    SELECT a.* FROM (SELECT (now() + interval '1 day')::date - g AS day FROM generate_series(0, 400) g) d
    CROSS JOIN LATERAL (
        SELECT i.id, i.day, i.occurred_at, $8::text IS NULL OR to_tsvector('simple',
            concat_ws(' ', i.prompt, i.output)) @@ websearch_to_tsquery('simple', $8) AS found
        FROM interaction i
        WHERE i.day = d.day
            AND ($1::text IS NULL OR i.model = $1) AND ($2::text IS NULL OR i.project = $2)
            AND ($3::text IS NULL OR i.prompt_version = $3) AND ($4::text IS NULL OR i.content_type = $4)
            AND ($5::boolean IS NULL OR $5 = EXISTS (
                SELECT FROM feedback f WHERE f.interaction_id = i.id AND f.superseded_by IS NULL AND NOT f.withdrawn))
            AND ($6::timestamptz IS NULL OR i.occurred_at >= $6) AND ($7::timestamptz IS NULL OR i.occurred_at < $7)
        ORDER BY i.occurred_at DESC, i.id DESC
        LIMIT $9
    ) a
    WHERE ($6::timestamptz IS NULL OR d.day >= ($6 AT TIME ZONE 'UTC')::date - 1)
        AND ($7::timestamptz IS NULL OR d.day <= ($7 AT TIME ZONE 'UTC')::date + 1)
    ORDER BY a.day DESC, a.occurred_at DESC, a.id DESC
    LIMIT $9
), page AS (
    SELECT id, count(*) OVER () AS total FROM looked_at WHERE found
    ORDER BY day DESC, occurred_at DESC, id DESC
    LIMIT $10 OFFSET $11
)
SELECT i.id, i.occurred_at, i.prompt, i.output, i.model, i.prompt_version, i.project, i.content_type, i.provenance,
    i.conversation_id, i.finish_reason, i.latency_ms, i.cost_usd, v.votes, v.up, v.down, v.comments, p.total,
    s.looked_at, s.back_to
FROM (SELECT count(*) AS looked_at, min(occurred_at) AS back_to FROM looked_at) s
LEFT JOIN page p ON true LEFT JOIN interaction i ON i.id = p.id
LEFT JOIN LATERAL (
    SELECT count(*) AS votes, count(*) FILTER (WHERE f.thumb) AS up, count(*) FILTER (WHERE NOT f.thumb) AS down,
        count(f.comment) AS comments
    FROM feedback f WHERE f.interaction_id = i.id AND f.superseded_by IS NULL AND NOT f.withdrawn
) v ON true
ORDER BY i.day DESC, i.occurred_at DESC, i.id DESC
