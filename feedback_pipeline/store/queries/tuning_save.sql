UPDATE fine_tune_job SET
    state = :state, version = :version, since = :since, provider_file = :training_file_id,
    validation_file = :validation_file_id, provider_job = :job_id, result_model = :fine_tuned_model,
    reported = :reported, trained_tokens = CAST(:trained_tokens AS bigint), misses = :misses, reason = :reason,
    charged_usd = CAST(:trained_tokens AS bigint) * usd_per_million / 1000000, updated_at = :now
WHERE id = :key AND version = :version_before
