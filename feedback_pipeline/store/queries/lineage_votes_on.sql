SELECT id, tenant, kind, thumb, stars, preference, day, interaction_id, other_interaction_id, withdrawn, superseded_by,
       source, source_id
FROM feedback WHERE interaction_id = CAST(:id AS uuid) ORDER BY occurred_at, id
