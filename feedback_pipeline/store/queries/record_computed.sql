-- Files what a run computed and gives the partitions whose content became another. What an asset was made from may be
-- older than the day or week is by now: it is as old as the oldest of it.
WITH given AS (
    SELECT * FROM unnest(
        CAST(:partitions AS date[]), CAST(:versions AS bigint[]), CAST(:hashes AS text[]), CAST(:sizes AS bigint[])
    ) AS g (partition, version, sha256, bytes)
), sources AS (
    SELECT g.partition, min(COALESCE(s.version, 0)) AS version
    FROM given g CROSS JOIN unnest(CAST(:upstream AS text[])) AS u (asset)
    LEFT JOIN computed_partition s ON s.asset = u.asset AND s.partition = g.partition
    GROUP BY g.partition
), before AS (
    SELECT c.partition, c.sha256 FROM computed_partition c JOIN given g USING (partition) WHERE c.asset = :asset
), filed AS (
    INSERT INTO computed_partition (asset, partition, version, sha256, bytes, run_id)
    SELECT :asset, g.partition, LEAST(g.version, COALESCE(s.version, g.version)), g.sha256, g.bytes, :run_id
    FROM given g LEFT JOIN sources s USING (partition)
    ON CONFLICT (asset, partition) DO UPDATE
    SET version = excluded.version, sha256 = excluded.sha256, bytes = excluded.bytes, problem = NULL,
        run_id = excluded.run_id, computed_at = now()
)
SELECT g.partition FROM given g LEFT JOIN before b USING (partition) WHERE b.sha256 IS DISTINCT FROM g.sha256
