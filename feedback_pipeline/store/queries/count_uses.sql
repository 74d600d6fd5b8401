-- Use of the feedback beside votes, in the days from $1 to $2: general feedback (through the floating button; about no
-- answer), and exports.
SELECT
    (SELECT count(*) FROM feedback f
     WHERE f.interaction_id IS NULL AND f.key_kind = 'content' AND starts_with(f.key_value, 'general/')
        AND f.day BETWEEN $1 AND $2 AND f.superseded_by IS NULL AND NOT f.withdrawn) AS general,
    (SELECT count(*) FROM export_use
     WHERE made_at >= $1::timestamp AT TIME ZONE 'UTC' AND made_at < ($2 + 1)::timestamp AT TIME ZONE 'UTC') AS exports
