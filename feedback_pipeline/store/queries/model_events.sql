SELECT id, alias, event, model, previous, approval_id, person, reason, at FROM model_event ORDER BY id
