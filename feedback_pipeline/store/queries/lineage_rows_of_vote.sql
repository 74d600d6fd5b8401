SELECT r.dataset_id, r.row_id, r.weight, r.lines, r.interaction_ids, r.feedback_ids, d.week
FROM dataset_row r JOIN dataset d ON d.id = r.dataset_id
WHERE r.feedback_ids @> ARRAY[CAST(:id AS uuid)] ORDER BY d.week DESC, d.created_at DESC, r.row_id
