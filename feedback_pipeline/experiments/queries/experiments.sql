-- Experiments with the definition of their newest version, newest first.
SELECT e.tenant, e.name, e.state, e.version, e.coverage, e.plan, e.adaptive, e.created_at, e.started_at, e.ended_at,
       e.conclusion, v.definition
FROM experiment e
JOIN experiment_version v ON v.tenant = e.tenant AND v.experiment = e.name AND v.version = e.version
WHERE (CAST(:tenant AS text) IS NULL OR e.tenant = :tenant) AND (CAST(:name AS text) IS NULL OR e.name = :name)
ORDER BY e.created_at DESC, e.name
