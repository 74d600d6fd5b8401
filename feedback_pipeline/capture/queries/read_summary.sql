SELECT action_type, content_type, sum(votes)::bigint AS votes, sum(up)::bigint AS up, sum(down)::bigint AS down
FROM (
    SELECT day, content_type, action_type, votes, up, down FROM action_day
    UNION ALL
    SELECT day, content_type, action_type, votes, up, down FROM vote_delta
) t
WHERE $1::date IS NULL OR day >= $1
GROUP BY 1, 2
HAVING sum(votes) > 0
ORDER BY sum(votes) DESC, 1, 2
