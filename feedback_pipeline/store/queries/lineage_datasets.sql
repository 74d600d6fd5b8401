SELECT id, week, tainted_share, created_at FROM dataset WHERE id = ANY (:ids)
