WITH filed AS (
    INSERT INTO judgement (content_hash, fingerprint, interaction_id, other_interaction_id, criterion, result)
    SELECT content_hash, fingerprint, interaction_id::uuid, other_interaction_id::uuid, criterion, result::jsonb
    FROM stage_judgement
    ON CONFLICT (content_hash) DO NOTHING
    RETURNING 1
)
SELECT count(*) FROM filed
