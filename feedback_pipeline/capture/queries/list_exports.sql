-- The files that votes of a tenant were exported to, newest first.
SELECT id, place, first_day, last_day, format, made_by, made_at, lines FROM export_file
ORDER BY made_at DESC, id LIMIT 100
