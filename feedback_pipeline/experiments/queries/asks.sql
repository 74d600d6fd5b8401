-- Answers that somebody might have been asked about, in a stretch of time.
SELECT a.tenant, a.unit, a.asked, a.probability, k.interaction_id::text AS interaction_id
FROM ask a
JOIN interaction_key k ON k.tenant = a.tenant AND k.kind = 'request' AND k.value = a.request_id
WHERE a.decided_at >= :first AND a.decided_at < :until
