-- What a name or the beginning of one may mean.
SELECT 'model' AS kind, name AS id FROM model WHERE name = :text
UNION ALL
SELECT 'dataset', id FROM dataset WHERE starts_with(id, :text)
UNION ALL
SELECT 'job', id FROM fine_tune_job WHERE starts_with(id, :text) OR provider_job = :text
LIMIT 10
