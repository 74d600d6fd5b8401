-- What checks said of partitions: in the rows that were planned, else in rows of their own.
INSERT INTO asset_check_executions (asset_key, check_name, partition, run_id, execution_status, evaluation_event,
                                    evaluation_event_timestamp, evaluation_event_storage_id,
                                    materialization_event_storage_id)
SELECT g.asset, g.name, g.partition, g.run_id, g.status, g.event, g.at, g.id, g.materialization
FROM unnest(
    CAST(:assets AS text[]), CAST(:names AS text[]), CAST(:partitions AS text[]), CAST(:run_ids AS text[]),
    CAST(:statuses AS text[]), CAST(:events AS text[]), CAST(:times AS timestamp[]), CAST(:ids AS bigint[]),
    CAST(:materializations AS bigint[])
) AS g (asset, name, partition, run_id, status, event, at, id, materialization)
ON CONFLICT (asset_key, check_name, run_id, partition) DO UPDATE
SET execution_status = excluded.execution_status, evaluation_event = excluded.evaluation_event,
    evaluation_event_timestamp = excluded.evaluation_event_timestamp,
    evaluation_event_storage_id = excluded.evaluation_event_storage_id,
    materialization_event_storage_id = excluded.materialization_event_storage_id
