INSERT INTO refusal (id, tenant, day, category, source, place, field, reason, payload)
SELECT id::uuid, tenant, day, category, source, place, field, reason, payload FROM stage_refusal
ON CONFLICT (id) DO NOTHING
