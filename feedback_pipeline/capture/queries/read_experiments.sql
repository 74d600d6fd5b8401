-- Experiments with the definition of their newest version; drafts and ended ones give everybody the default.
SELECT e.tenant, e.name, e.state, e.version, e.coverage, e.plan::text AS plan, e.adaptive, e.created_at, e.started_at,
       e.ended_at, e.conclusion, v.definition::text AS definition
FROM experiment e
JOIN experiment_version v ON v.tenant = e.tenant AND v.experiment = e.name AND v.version = e.version
ORDER BY e.created_at, e.name
