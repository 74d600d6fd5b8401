INSERT INTO feedback (
    id, tenant, interaction_id, key_kind, key_value, kind, thumb, stars, value, comment, correction, reasons, preference,
    other_interaction_id, user_key, session_key, occurred_at, received_at, withdrawn, source, source_id, lane
)
SELECT
    s.id::uuid, s.tenant, COALESCE(s.interaction_id::uuid, k.interaction_id), s.key_kind, s.key_value, s.kind, s.thumb,
    s.stars, s.value, s.comment, s.correction, COALESCE(s.reasons, '{}'), s.preference, s.other_interaction_id::uuid,
    s.user_key, s.session_key, s.occurred_at, s.received_at, s.withdrawn, s.source, s.source_id,
    vote_lane(s.kind, s.value, s.id::uuid)
FROM stage_feedback s
LEFT JOIN LATERAL (
    SELECT k.interaction_id FROM interaction_key k
    JOIN interaction i ON i.id = k.interaction_id AND i.tenant = k.tenant AND i.provenance <> 'browser'
    WHERE s.interaction_id IS NULL AND k.tenant = s.tenant AND k.kind = s.key_kind AND k.value = s.key_value
    ORDER BY i.occurred_at DESC, i.id DESC LIMIT 1
) k ON true
LEFT JOIN consent c ON c.tenant = s.tenant AND c.user_key = s.user_key
WHERE COALESCE(c.collect, true)
ON CONFLICT (id) DO NOTHING
