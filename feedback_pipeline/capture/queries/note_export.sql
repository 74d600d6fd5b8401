INSERT INTO export_use (tenant, lines) VALUES ($1, $2)
