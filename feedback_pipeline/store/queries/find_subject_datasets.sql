-- Datasets with rows made of these answers or events, and their share of the weight.
SELECT d.id, d.week, sum(r.weight) FILTER (WHERE r.hit) / NULLIF(sum(r.weight), 0) AS share,
    count(*) FILTER (WHERE r.hit) AS rows
FROM dataset d
JOIN LATERAL (
    SELECT w.weight, w.interaction_ids && CAST(:interactions AS uuid[]) OR w.feedback_ids && CAST(:feedback AS uuid[]) AS hit
    FROM dataset_row w WHERE w.dataset_id = d.id
) r ON true
WHERE d.id IN (
    SELECT dataset_id FROM dataset_row
    WHERE interaction_ids && CAST(:interactions AS uuid[]) OR feedback_ids && CAST(:feedback AS uuid[]))
GROUP BY d.id, d.week ORDER BY d.week, d.id
