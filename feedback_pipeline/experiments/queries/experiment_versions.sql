-- Every version of an experiment, oldest first.
SELECT version, definition, created_at FROM experiment_version
WHERE tenant = :tenant AND experiment = :name ORDER BY version
