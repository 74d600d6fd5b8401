SELECT id::text AS id FROM {table} WHERE id = ANY (ARRAY(SELECT id FROM stage_id))
