-- One drawn answer as it is judged: no model, no votes, no verdicts.
SELECT i.prompt, i.output
FROM audit_item a
JOIN interaction i ON i.id = a.interaction_id
WHERE a.interaction_id = $1
