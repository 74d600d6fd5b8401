-- Results of checks with a newer one of the same partition.
DELETE FROM asset_check_executions AS c
WHERE c.create_timestamp < (now() AT TIME ZONE 'UTC') - make_interval(days => :days)
  AND EXISTS (SELECT 1 FROM asset_check_executions n WHERE n.asset_key = c.asset_key AND n.check_name = c.check_name
              AND n.partition IS NOT DISTINCT FROM c.partition AND n.id > c.id)
