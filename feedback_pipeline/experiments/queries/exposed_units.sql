-- Every unit of an experiment up to a moment: its arm, and when it was first exposed to it (null: only assigned).
SELECT a.unit, a.version, a.leaf, a.variant, a.propensity, a.assigned_at, x.first AS exposed_at
FROM assignment a
LEFT JOIN (
    SELECT unit, min(exposed_at) AS first FROM exposure
    WHERE tenant = :tenant AND experiment = :name AND exposed_at < :until GROUP BY unit
) x USING (unit)
WHERE a.tenant = :tenant AND a.experiment = :name AND a.assigned_at < :until
