SELECT model, intent, project, sum(votes)::bigint AS votes, sum(up)::bigint AS up, sum(down)::bigint AS down,
    sum(stars)::bigint AS stars, sum(stars_sum)::bigint AS stars_sum
FROM (
    SELECT model, intent, project, votes, up, down, stars, stars_sum FROM vote_total
    UNION ALL
    SELECT model, intent, project, votes, up, down, stars, stars_sum FROM vote_delta
) t
WHERE ($1::text IS NULL OR model = $1) AND ($2::text IS NULL OR intent = $2) AND ($3::text IS NULL OR project = $3)
GROUP BY 1, 2, 3
HAVING sum(up) + sum(down) > 0
ORDER BY sum(up) + sum(down) DESC, 1, 2, 3
