-- Weeks or months of which every asset is there, at the oldest version among them.
UPDATE period_state AS p
SET computed = c.version, requested = GREATEST(p.requested, c.version), attempts = 0, problem = NULL,
    computed_on = :today, waiting_since = CASE WHEN c.version >= p.version THEN NULL ELSE p.waiting_since END
FROM (
    SELECT partition, min(version) AS version FROM computed_partition
    WHERE asset = ANY (CAST(:loop AS text[])) AND partition = ANY (CAST(:partitions AS date[])) AND problem IS NULL
    GROUP BY partition HAVING count(*) = cardinality(CAST(:loop AS text[]))
) AS c
WHERE p.period = :period AND p.first = c.partition AND c.version >= p.computed AND c.version > 0
