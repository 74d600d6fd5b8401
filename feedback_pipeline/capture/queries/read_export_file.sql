SELECT place, tenant, first_day, last_day, format, lines FROM export_file WHERE id = $1 AND lines IS NOT NULL
