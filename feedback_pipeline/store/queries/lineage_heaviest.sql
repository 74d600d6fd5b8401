SELECT r.dataset_id, r.row_id, r.weight, r.lines, r.interaction_ids, r.feedback_ids, d.week
FROM dataset_row r JOIN dataset d ON d.id = r.dataset_id
WHERE r.dataset_id = :id ORDER BY r.weight DESC, r.row_id LIMIT :most
