-- Distinct people of votes on some answers only: counted from the votes themselves.
SELECT count(DISTINCT f.user_key) AS users, count(DISTINCT f.session_key) AS sessions
FROM feedback f JOIN interaction i ON i.id = f.interaction_id
WHERE f.day >= $1 AND f.superseded_by IS NULL AND NOT f.withdrawn
    AND ($2::text IS NULL OR i.model = $2) AND ($3::text IS NULL OR i.intent = $3)
    AND ($4::text IS NULL OR i.project = $4)
