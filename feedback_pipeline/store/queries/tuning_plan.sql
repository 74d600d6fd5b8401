INSERT INTO fine_tune_job
    (id, dataset_id, provider, base_model, state, estimated_usd, week, method, request, examples, since,
     usd_per_million, created_at, updated_at)
VALUES (:key, :dataset_id, :provider, :base_model, 'planned', :highest_usd, :week, :method, CAST(:request AS jsonb),
        :examples, :now, :usd_per_million, :now, :now)
ON CONFLICT (id) DO NOTHING
