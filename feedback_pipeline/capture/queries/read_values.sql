-- What a tenant's votes are filtered by: the values in use, the most frequent first.
WITH seen AS (
    SELECT model, intent, project, votes FROM vote_total UNION ALL SELECT model, intent, project, votes FROM vote_delta
), acted AS (
    SELECT content_type, action_type, votes FROM action_day
    UNION ALL SELECT content_type, action_type, votes FROM vote_delta
), named AS (
    SELECT 'model' AS name, model AS value, votes FROM seen
    UNION ALL SELECT 'intent', intent, votes FROM seen
    UNION ALL SELECT 'project', project, votes FROM seen
    UNION ALL SELECT 'content_type', content_type, votes FROM acted
    UNION ALL SELECT 'action_type', action_type, votes FROM acted
), ranked AS (
    SELECT name, value, row_number() OVER (PARTITION BY name ORDER BY sum(votes) DESC, value) AS place
    FROM named WHERE value <> '' GROUP BY name, value
)
SELECT name, value FROM ranked WHERE place <= 50 ORDER BY name, place
