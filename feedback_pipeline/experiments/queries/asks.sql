-- Answers that somebody might have been asked about, in a stretch of time; `interaction_id` where the answer is known.
-- Content is known by its snapshots: the newest one shown before the question, else the first one after it.
SELECT DISTINCT ON (a.tenant, a.kind, a.value, a.unit)
    a.tenant, a.kind, a.value, a.unit, a.voter, a.asked, a.probability, i.id::text AS interaction_id, a.decided_at
FROM ask a
LEFT JOIN interaction_key k ON k.tenant = a.tenant AND k.kind = a.kind AND k.value = a.value
LEFT JOIN interaction i ON i.id = k.interaction_id AND i.tenant = a.tenant
WHERE a.decided_at >= :first AND a.decided_at < :until
ORDER BY a.tenant, a.kind, a.value, a.unit, (i.occurred_at <= a.decided_at) DESC NULLS LAST,
         abs(extract(epoch FROM i.occurred_at - a.decided_at)), i.id
