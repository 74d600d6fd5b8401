INSERT INTO experiment (tenant, name, coverage, plan, adaptive, created_at)
VALUES (:tenant, :name, :coverage, CAST(:plan AS jsonb), :adaptive, :now)
ON CONFLICT DO NOTHING
RETURNING name
