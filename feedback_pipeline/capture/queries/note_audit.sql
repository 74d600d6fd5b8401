INSERT INTO audit_log (actor, action, tenant, detail) VALUES ($1, $2, $3, $4::jsonb)
