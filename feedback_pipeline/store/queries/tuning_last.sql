-- The newest run that was really started: its time and the examples it had.
SELECT created_at, examples FROM fine_tune_job
WHERE state NOT IN ('refused', 'not_run') ORDER BY created_at DESC LIMIT 1
