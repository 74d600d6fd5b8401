INSERT INTO interaction_key (tenant, kind, value, interaction_id)
SELECT tenant, kind, value, interaction_id::uuid FROM stage_key
ON CONFLICT DO NOTHING
