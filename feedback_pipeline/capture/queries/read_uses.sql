-- General feedback (through the floating button; it is about no answer) and exports since a day.
SELECT
    (SELECT count(*) FROM feedback f
     WHERE f.interaction_id IS NULL AND f.key_kind = 'content' AND starts_with(f.key_value, 'general/') AND f.day >= $1
        AND f.superseded_by IS NULL AND NOT f.withdrawn) AS general,
    (SELECT count(*) FROM export_use WHERE made_at >= $1::timestamp AT TIME ZONE 'UTC') AS exports
