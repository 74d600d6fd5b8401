SELECT m.name, m.base, m.provider, m.state, m.shutdown_date, m.tainted_share, m.created_at, m.job_id, m.dataset_id,
       m.week, e.content_hash AS evaluation, e.passed, e.compared_with, e.evaluated_at, m.kind
FROM model m
LEFT JOIN LATERAL (
    SELECT content_hash, passed, incumbent AS compared_with, evaluated_at FROM model_evaluation
    WHERE model = m.name ORDER BY evaluated_at DESC, content_hash LIMIT 1
) e ON true
WHERE CAST(:name AS text) IS NULL OR m.name = :name
ORDER BY m.created_at, m.name
