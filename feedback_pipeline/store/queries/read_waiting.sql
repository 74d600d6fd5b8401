-- Votes on answers that are not known, by where they came from and by which name they wait; and votes ahead of the clock.
SELECT
    'answer' AS problem, f.source, COALESCE(f.key_kind, 'answer_id') AS named, count(*) AS votes,
    min(f.received_at) AS since
FROM feedback f
LEFT JOIN interaction i ON i.id = f.interaction_id AND i.tenant = f.tenant
WHERE i.id IS NULL AND f.superseded_by IS NULL AND NOT f.withdrawn AND NOT COALESCE(about_subject(f.key_kind), false)
GROUP BY 2, 3
UNION ALL
SELECT 'future', f.source, '', count(*), min(f.occurred_at)
FROM feedback f
WHERE f.occurred_at > now() + interval '1 hour' AND f.superseded_by IS NULL AND NOT f.withdrawn
GROUP BY 2
ORDER BY 1, 4 DESC, 2, 3
