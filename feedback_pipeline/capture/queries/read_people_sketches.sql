-- Sketches of the people of one model, intent or project ($2, $3) since $1, one after the other; no row where they are
-- not there or are of before more than five minutes.
SELECT COALESCE(string_agg(s.users, ''), '') AS users, COALESCE(string_agg(s.sessions, ''), '') AS sessions
FROM people_sketch s
WHERE s.day >= $1 AND s.dimension = $2 AND s.value = $3
HAVING EXISTS (SELECT FROM people_sketch_day d WHERE d.day >= $1)
    AND NOT EXISTS (
        SELECT FROM people_sketch_day d
        WHERE d.day >= $1 AND d.due AND (d.made_at IS NULL OR d.made_at < now() - interval '5 minutes'))
