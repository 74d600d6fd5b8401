INSERT INTO export_file (id, place, tenant, first_day, last_day, format, made_by)
VALUES (gen_random_uuid(), :place, :tenant, :first, :last, :format, :by)
RETURNING id
