-- Partitions that could not be computed, with the reason; what they held before stays.
INSERT INTO computed_partition (asset, partition, problem, run_id)
SELECT :asset, g.partition, g.problem, :run_id
FROM unnest(CAST(:partitions AS date[]), CAST(:problems AS text[])) AS g (partition, problem)
ON CONFLICT (asset, partition) DO UPDATE SET problem = excluded.problem, run_id = excluded.run_id, computed_at = now()
