INSERT INTO export_file (id, place, tenant, first_day, last_day, format, made_by)
VALUES (gen_random_uuid(), $1, $2, $3, $4, $6, $5)
RETURNING id
