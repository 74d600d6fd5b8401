SELECT r.dataset_id, r.row_id, r.weight, r.lines, r.interaction_ids, r.feedback_ids, d.week
FROM dataset d JOIN dataset_row r ON r.dataset_id = d.id AND r.row_id = :id
WHERE CAST(:dataset AS text) IS NULL OR d.id = :dataset
ORDER BY d.week DESC, d.created_at DESC
