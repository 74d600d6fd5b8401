SELECT id, tenant, kind, thumb, stars, preference, day, interaction_id, other_interaction_id, withdrawn, superseded_by,
       source, source_id
-- current ones: what the index of votes by answer holds
FROM feedback WHERE interaction_id = CAST(:id AS uuid) AND superseded_by IS NULL ORDER BY occurred_at, id
