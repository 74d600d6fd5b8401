DELETE FROM feedback WHERE id = ANY (CAST(:feedback AS uuid[]))
