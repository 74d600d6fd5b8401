-- People assigned by arm, version and leaf.
SELECT version, leaf, variant, count(*) AS people, min(assigned_at) AS first
FROM assignment WHERE tenant = :tenant AND experiment = :name GROUP BY version, leaf, variant
