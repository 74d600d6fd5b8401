-- Runs on these datasets, or the named one, and the file of the dataset that they were given.
SELECT id, dataset_id, provider, base_model, state, provider_job, result_model, charged_usd, created_at,
       substring(request -> 'training' ->> 'path' FROM '[^/]+/[^/]+$') AS file
FROM fine_tune_job
WHERE dataset_id = ANY (CAST(:ids AS text[])) OR id = :id
ORDER BY created_at, id
