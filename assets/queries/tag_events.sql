-- Tags of materialisations and observations, as the event log finds them by.
INSERT INTO asset_event_tags (event_id, asset_key, key, value, event_timestamp)
SELECT * FROM unnest(
    CAST(:ids AS bigint[]), CAST(:assets AS text[]), CAST(:keys AS text[]), CAST(:values AS text[]),
    CAST(:times AS timestamp[])
)
