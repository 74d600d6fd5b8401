SELECT id, tenant, day, model, prompt_version, provenance, source, source_id
FROM interaction WHERE id = CAST(:id AS uuid)
