INSERT INTO routing_weight (tenant, experiment, day, version) VALUES (:tenant, :name, :day, :version)
ON CONFLICT DO NOTHING
RETURNING version
