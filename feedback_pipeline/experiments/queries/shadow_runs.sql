-- A candidate's answers of a stretch of time, with the answer that was shown.
SELECT s.tenant, s.model AS candidate, s.request_id, s.status, s.output, s.latency_ms, s.cost_usd,
       k.interaction_id::text AS interaction_id
FROM shadow_run s
JOIN interaction_key k ON k.tenant = s.tenant AND k.kind = 'request' AND k.value = s.request_id
WHERE s.occurred_at >= :first AND s.occurred_at < :until
ORDER BY s.tenant, s.model, s.request_id
