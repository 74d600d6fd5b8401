-- Refused rows, newest first, without what they held.
SELECT id, day, tenant, source, place, field, reason, state, payload IS NOT NULL AS kept, recorded_at
FROM refusal
WHERE category = 'quarantined'
    AND (CAST(:state AS text) IS NULL OR state = :state)
    AND (CAST(:source AS text) IS NULL OR source = :source)
    AND (CAST(:reason AS text) IS NULL OR reason = :reason)
ORDER BY day DESC, source, place
LIMIT :limit
