-- Prompts with a text, oldest first.
SELECT tenant, name, version, template AS text, parent, origin, digest, proposal, added_by, created_at
FROM prompt
WHERE template IS NOT NULL AND (CAST(:tenant AS text) IS NULL OR tenant = :tenant)
  AND (CAST(:name AS text) IS NULL OR name = :name)
ORDER BY created_at, version
