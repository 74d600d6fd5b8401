SELECT feedback_id::text AS feedback_id, decision, reviewer, decided_at
FROM review
ORDER BY feedback_id
