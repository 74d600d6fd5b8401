INSERT INTO fine_tune_event (job_id, version, state, reported, reason, at)
VALUES (:key, :version, :state, :reported, :reason, :now)
