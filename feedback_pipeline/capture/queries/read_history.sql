-- Every event of the vote whose newest event is $1, newest first.
WITH RECURSIVE chain AS (
    SELECT f.id FROM feedback f WHERE f.id = $1
    UNION
    SELECT f.id FROM chain c JOIN feedback f ON f.superseded_by = c.id
)
SELECT f.id, f.kind, f.thumb, f.stars, f.comment, f.correction, f.reasons, f.withdrawn, f.occurred_at, f.received_at
FROM chain c JOIN feedback f ON f.id = c.id
ORDER BY f.occurred_at DESC, f.received_at DESC, f.id DESC
LIMIT 200
