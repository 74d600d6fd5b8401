-- The lane of events, and the answer of those that only have a name for it: the newest of that name.
SELECT s.id, k.interaction_id::text AS answer, vote_lane(s.kind, s.value, s.id::uuid) AS lane
FROM stage_asked s
LEFT JOIN LATERAL (
    SELECT k.interaction_id FROM interaction_key k
    JOIN interaction i ON i.id = k.interaction_id AND i.tenant = k.tenant AND i.provenance <> 'browser'
    WHERE s.interaction_id IS NULL AND k.tenant = s.tenant AND k.kind = s.key_kind AND k.value = s.key_value
    ORDER BY i.occurred_at DESC, i.id DESC LIMIT 1
) k ON true
