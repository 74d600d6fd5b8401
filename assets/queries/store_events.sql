-- Events in the order they came in; gives their numbers in that order.
INSERT INTO event_logs (run_id, event, dagster_event_type, timestamp, step_key, asset_key, partition)
SELECT g.run_id, g.event, g.kind, g.at, g.step, g.asset, g.partition
FROM unnest(
    CAST(:run_ids AS text[]), CAST(:events AS text[]), CAST(:kinds AS text[]), CAST(:times AS timestamp[]),
    CAST(:steps AS text[]), CAST(:assets AS text[]), CAST(:partitions AS text[])
) WITH ORDINALITY AS g (run_id, event, kind, at, step, asset, partition, number)
ORDER BY g.number
RETURNING id
