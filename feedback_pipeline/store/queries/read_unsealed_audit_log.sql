-- The newest row of the audit log, where no seal is over it yet.
SELECT l.id, l.digest FROM audit_log l
WHERE l.id = (SELECT max(id) FROM audit_log) AND NOT EXISTS (SELECT FROM audit_seal s WHERE s.log_id = l.id)
