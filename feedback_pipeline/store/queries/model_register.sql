INSERT INTO model (kind, name, base, provider, state, shutdown_date, job_id, dataset_id, week, created_at, tainted_share)
SELECT :kind, :name, :base, :provider, :state, :shutdown_date, :job_id, :dataset_id, :week, :now,
       (SELECT tainted_share FROM dataset WHERE id = :dataset_id)
ON CONFLICT (name) DO UPDATE SET shutdown_date = LEAST(model.shutdown_date, excluded.shutdown_date)
