SELECT id, manifest, tainted_share FROM dataset WHERE week = :week ORDER BY created_at DESC, id LIMIT 1
