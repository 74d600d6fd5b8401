-- Days of which every asset is there, at the oldest version among them.
UPDATE day_state AS d
SET computed = c.version, requested = GREATEST(d.requested, c.version), attempts = 0, problem = NULL,
    waiting_since = CASE WHEN c.version >= d.version THEN NULL ELSE d.waiting_since END
FROM (
    SELECT partition, min(version) AS version FROM computed_partition
    WHERE asset = ANY (CAST(:loop AS text[])) AND partition = ANY (CAST(:partitions AS date[])) AND problem IS NULL
    GROUP BY partition HAVING count(*) = cardinality(CAST(:loop AS text[]))
) AS c
WHERE d.day = c.partition AND (c.version > d.computed OR (c.version >= d.version AND d.attempts > 0))
