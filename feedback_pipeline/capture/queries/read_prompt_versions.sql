-- Prompt versions of the answers since day $1: how many, and what people said of them.
WITH given AS (
    SELECT i.prompt_version AS version, count(*) AS answers, min(i.occurred_at) AS first_at, max(i.occurred_at) AS last_at
    FROM interaction i WHERE i.day >= $1 AND i.prompt_version IS NOT NULL GROUP BY 1
), said AS (
    SELECT i.prompt_version AS version, count(*) AS votes, count(*) FILTER (WHERE f.thumb) AS up,
        count(*) FILTER (WHERE NOT f.thumb) AS down, count(f.stars) AS stars, COALESCE(sum(f.stars), 0) AS stars_sum,
        count(f.comment) AS comments, count(DISTINCT f.voter) AS people
    FROM feedback f JOIN interaction i ON i.id = f.interaction_id
    WHERE f.day >= $1 AND f.superseded_by IS NULL AND NOT f.withdrawn AND i.prompt_version IS NOT NULL GROUP BY 1
)
SELECT version, COALESCE(g.answers, 0) AS answers, g.first_at, g.last_at, COALESCE(s.votes, 0) AS votes,
    COALESCE(s.up, 0) AS up, COALESCE(s.down, 0) AS down, COALESCE(s.stars, 0) AS stars,
    COALESCE(s.stars_sum, 0) AS stars_sum, COALESCE(s.comments, 0) AS comments, COALESCE(s.people, 0) AS people
FROM given g FULL JOIN said s USING (version)
ORDER BY COALESCE(s.votes, 0) DESC, version
LIMIT 200
