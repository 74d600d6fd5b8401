UPDATE fine_tune_job SET
    state = :state, version = :version, since = :since, provider_file = :training_file_id,
    validation_file = :validation_file_id, provider_job = :job_id, result_model = :fine_tuned_model,
    reported = :reported, trained_tokens = :trained_tokens, misses = :misses, reason = :reason,
    charged_usd = :trained_tokens * usd_per_million / 1000000, updated_at = :now
WHERE id = :key AND version = :version_before
