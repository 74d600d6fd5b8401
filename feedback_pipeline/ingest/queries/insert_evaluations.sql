-- Verdicts on answers that are there (by id, or the newest of a name): how many were new, and how many are there.
WITH matched AS (
    SELECT s.content_hash, s.fingerprint, i.id, s.criterion, s.result::jsonb AS result
    FROM stage_evaluation s
    CROSS JOIN LATERAL (
        SELECT a.id FROM interaction a WHERE a.id = s.interaction_id::uuid AND a.tenant = s.tenant
        UNION ALL
        (SELECT a.id FROM interaction_key k JOIN interaction a ON a.id = k.interaction_id AND a.tenant = k.tenant
        WHERE s.interaction_id IS NULL AND k.tenant = s.tenant AND k.kind = s.key_kind AND k.value = s.key_value
        ORDER BY a.occurred_at DESC, a.id DESC LIMIT 1)
    ) i
), filed AS (
    INSERT INTO judgement (content_hash, fingerprint, interaction_id, criterion, result)
    SELECT content_hash, fingerprint, id, criterion, result FROM matched
    ON CONFLICT (content_hash) DO NOTHING
    RETURNING 1
)
SELECT (SELECT count(*) FROM filed), (SELECT count(*) FROM matched)
