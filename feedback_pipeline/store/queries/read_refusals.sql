SELECT id::text AS refusal_id, tenant, day, category, source, place, field, reason, payload
FROM refusal
WHERE day = $1 AND state = 'held'
ORDER BY id
