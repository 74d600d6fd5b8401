INSERT INTO dataset_row (dataset_id, row_id, interaction_ids, feedback_ids, weight, lines)
SELECT $1, row_id, interaction_ids::uuid[], feedback_ids::uuid[], weight, lines FROM stage_dataset_row
ON CONFLICT (dataset_id, row_id) DO NOTHING
