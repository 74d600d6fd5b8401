-- Materialisations and observations with a newer one of the same partition.
DELETE FROM event_logs AS e
WHERE e.timestamp < (now() AT TIME ZONE 'UTC') - make_interval(days => :days)
  AND e.dagster_event_type IN ('ASSET_MATERIALIZATION', 'ASSET_OBSERVATION')
  AND EXISTS (SELECT 1 FROM event_logs n WHERE n.asset_key = e.asset_key AND n.dagster_event_type = e.dagster_event_type
              AND n.partition IS NOT DISTINCT FROM e.partition AND n.id > e.id)
