INSERT INTO prompt (tenant, name, version, template, parent, origin, digest, proposal, added_by, created_at)
VALUES (:tenant, :name, :version, :text, :parent, :origin, :digest, CAST(:proposal AS jsonb), :person, :now)
ON CONFLICT (tenant, name, version) DO NOTHING
RETURNING version
