SELECT id, dataset_id, provider, base_model, state, provider_job, result_model, charged_usd, created_at
FROM fine_tune_job WHERE dataset_id = ANY (:ids) ORDER BY created_at, id
