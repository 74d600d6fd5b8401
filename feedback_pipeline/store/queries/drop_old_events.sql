-- Log lines and step events; what the UI knows of assets is another matter (`drop_old_asset_events`).
DELETE FROM event_logs
WHERE timestamp < (now() AT TIME ZONE 'UTC') - make_interval(days => :days)
  AND (dagster_event_type IS NULL OR dagster_event_type NOT IN ('ASSET_MATERIALIZATION', 'ASSET_OBSERVATION'))
