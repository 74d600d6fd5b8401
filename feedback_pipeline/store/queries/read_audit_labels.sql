SELECT l.interaction_id::text AS interaction_id, i.week, l.criterion, l.auditor AS voter, l.verdict
FROM audit_label l JOIN audit_item i USING (interaction_id)
ORDER BY l.interaction_id, l.criterion, l.auditor
