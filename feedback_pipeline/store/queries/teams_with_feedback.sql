-- Teams that have votes or answers, the one with the most votes first.
SELECT t.name FROM tenant t
LEFT JOIN (
    SELECT tenant, sum(votes) AS votes FROM (
        SELECT tenant, votes FROM vote_total UNION ALL SELECT tenant, votes FROM vote_delta
    ) counted GROUP BY tenant
) v ON v.tenant = t.name
WHERE v.votes > 0 OR EXISTS (SELECT FROM interaction_key k WHERE k.tenant = t.name)
ORDER BY COALESCE(v.votes, 0) DESC, t.name
LIMIT 12
