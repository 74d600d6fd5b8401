-- Votes of the days since $1, by day.
SELECT day, sum(votes)::bigint AS votes, sum(up)::bigint AS up, sum(down)::bigint AS down,
    sum(stars)::bigint AS stars, sum(stars_sum)::bigint AS stars_sum, sum(comments)::bigint AS comments,
    sum(corrections)::bigint AS corrections, sum(memories)::bigint AS memories, sum(memory_sum) AS memory_sum
FROM (
    SELECT day, model, intent, project, votes, up, down, stars, stars_sum, comments, corrections, memories, memory_sum
    FROM vote_day WHERE day >= $1
    UNION ALL
    SELECT day, model, intent, project, votes, up, down, stars, stars_sum, comments, corrections, memories, memory_sum
    FROM vote_delta WHERE day >= $1
) t
WHERE ($2::text IS NULL OR model = $2) AND ($3::text IS NULL OR intent = $3) AND ($4::text IS NULL OR project = $4)
GROUP BY day
ORDER BY day
