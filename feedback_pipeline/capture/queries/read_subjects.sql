-- Current votes on sessions, conversations, tool calls and steps, by kind ($1) and id ($2) where they are given.
SELECT f.key_kind AS kind, CASE WHEN $1::text IS NOT NULL THEN f.key_value END AS id, count(*) AS votes,
    count(*) FILTER (WHERE f.thumb) AS up, count(*) FILTER (WHERE NOT f.thumb) AS down, count(f.stars) AS stars,
    COALESCE(sum(f.stars), 0) AS stars_sum, count(f.comment) AS comments, count(DISTINCT f.voter) AS people
FROM feedback f
WHERE f.key_kind IN ('session', 'conversation', 'tool_call', 'step') AND f.superseded_by IS NULL AND NOT f.withdrawn
    AND ($1::text IS NULL OR f.key_kind = $1) AND ($2::text IS NULL OR f.key_value = $2)
GROUP BY 1, 2
ORDER BY votes DESC, 1, 2
LIMIT 500
