-- Runs of which nothing is left; their tags go with them.
DELETE FROM runs AS r
WHERE r.update_timestamp < (now() AT TIME ZONE 'UTC') - make_interval(days => :days)
  AND r.status IN ('SUCCESS', 'FAILURE', 'CANCELED')
  AND NOT EXISTS (SELECT 1 FROM event_logs e WHERE e.run_id = r.run_id)
