-- Seals, with the hash that the row below them has now.
SELECT s.log_id, s.digest, s.key_version, s.signature, l.digest AS now
FROM audit_seal s LEFT JOIN audit_log l ON l.id = s.log_id
ORDER BY s.log_id
