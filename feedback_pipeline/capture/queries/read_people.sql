-- Distinct people seen since $1, by kind.
SELECT kind, sum(people)::bigint AS people
FROM (
    SELECT kind, day, people FROM person_day WHERE day >= $1
    UNION ALL
    SELECT kind, day, people FROM person_delta WHERE day >= $1
) p
GROUP BY kind
