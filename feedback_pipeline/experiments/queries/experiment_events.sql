-- What was done to an experiment, oldest first.
SELECT version, event, coverage, person, reason, at FROM experiment_event
WHERE tenant = :tenant AND experiment = :name ORDER BY id
