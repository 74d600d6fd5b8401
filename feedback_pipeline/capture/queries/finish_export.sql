UPDATE export_file SET lines = $2 WHERE id = $1
