-- A person's first word on an answer stays.
INSERT INTO audit_label (interaction_id, criterion, auditor, verdict)
VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING
RETURNING true AS added
