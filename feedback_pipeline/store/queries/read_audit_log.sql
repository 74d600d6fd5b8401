SELECT id, at, actor, action, tenant, detail FROM audit_log
WHERE CAST(:action AS text) IS NULL OR starts_with(action, :action)
ORDER BY id DESC LIMIT :limit
