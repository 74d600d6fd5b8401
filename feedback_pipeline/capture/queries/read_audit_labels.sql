-- What people said of them; the page shows nobody's word to anybody.
SELECT interaction_id::text AS interaction_id, criterion, auditor AS voter, verdict
FROM audit_label
WHERE criterion = $1
ORDER BY interaction_id, auditor
