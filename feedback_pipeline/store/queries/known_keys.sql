SELECT tenant, kind, value, interaction_id::text AS interaction_id FROM interaction_key
WHERE interaction_id = ANY (ARRAY(SELECT id FROM stage_id))
