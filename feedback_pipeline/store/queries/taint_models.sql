-- Models trained on a tainted dataset: the share is told of all, and what does not serve yet may not any more.
UPDATE model m
SET tainted_share = LEAST(1, COALESCE(m.tainted_share, 0) + :share),
    state = CASE WHEN m.state IN ('candidate', 'approved') THEN 'tainted' ELSE m.state END
FROM fine_tune_job j
WHERE j.dataset_id = :dataset AND (m.job_id = j.id OR m.name = j.result_model)
RETURNING m.name
