-- Which answers of a day are still there, and what their people allow now.
SELECT
    i.id::text AS interaction_id,
    (t.use_for_training AND COALESCE(c.use_for_training, true)) AS use_for_training,
    (t.use_for_analysis AND COALESCE(c.use_for_analysis, true)) AS use_for_analysis
FROM interaction i
JOIN tenant t ON t.name = i.tenant
LEFT JOIN consent c ON c.tenant = i.tenant AND c.user_key = i.user_key
WHERE i.day = $1
ORDER BY i.id
