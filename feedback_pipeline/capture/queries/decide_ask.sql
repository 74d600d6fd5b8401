-- Whether the element asks about an answer: drawn once, and never again in a session that was asked.
WITH before AS (
    SELECT count(*) AS looked, bool_or(asked) AS was_asked FROM ask
    WHERE tenant = $1 AND unit = $3 AND decided_at > now() - interval '1 day'
), made AS (
    INSERT INTO ask (tenant, request_id, unit, asked, probability)
    SELECT $1, $2, $3, NOT COALESCE(was_asked, false) AND $4::float8 < $5::float8,
           -- of being the one that is asked in this session, seen from its start
           $5::float8 * power(1 - $5::float8, looked)
    FROM before
    ON CONFLICT DO NOTHING
    RETURNING asked, probability
)
SELECT asked, probability FROM made
UNION ALL
SELECT asked, probability FROM ask WHERE tenant = $1 AND request_id = $2
LIMIT 1
