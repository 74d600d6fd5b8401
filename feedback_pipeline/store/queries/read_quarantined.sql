SELECT id, day, tenant, category, source, place, field, reason, state, payload, recorded_at FROM refusal WHERE id = :id
