-- Checks that a run means to evaluate: a row for each partition of each; `of` is the place of a partition's check.
INSERT INTO asset_check_executions (asset_key, check_name, partition, run_id, execution_status, evaluation_event,
                                    evaluation_event_timestamp, evaluation_event_storage_id)
SELECT g.asset, g.name, p.partition, g.run_id, 'PLANNED', g.event, g.at, g.id
FROM unnest(
    CAST(:assets AS text[]), CAST(:names AS text[]), CAST(:run_ids AS text[]), CAST(:events AS text[]),
    CAST(:times AS timestamp[]), CAST(:ids AS bigint[])
) WITH ORDINALITY AS g (asset, name, run_id, event, at, id, number)
JOIN unnest(CAST(:of AS bigint[]), CAST(:partitions AS text[])) AS p (number, partition) USING (number)
ORDER BY g.number
