SELECT id AS key, dataset_id, provider, base_model, state, estimated_usd, charged_usd, week, method, request, examples,
       version, since, provider_file AS training_file_id, validation_file AS validation_file_id,
       provider_job AS job_id, result_model AS fine_tuned_model, reported, trained_tokens, misses, reason, losses,
       created_at, announced, looked_at
FROM fine_tune_job
WHERE (CAST(:key AS text) IS NULL OR id = :key) AND (NOT :open OR state = ANY (:open_states))
ORDER BY created_at, id
