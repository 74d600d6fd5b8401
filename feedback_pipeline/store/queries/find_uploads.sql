-- Files of these datasets at providers.
SELECT DISTINCT j.provider, file.id AS file FROM fine_tune_job j
CROSS JOIN LATERAL (VALUES (j.provider_file), (j.validation_file)) file (id)
WHERE j.dataset_id = ANY (CAST(:datasets AS text[])) AND file.id IS NOT NULL
ORDER BY 1, 2
