SELECT rows_done, finished FROM import_progress WHERE source = :source AND fingerprint = :fingerprint
