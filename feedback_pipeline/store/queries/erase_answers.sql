-- The answers with everything that was made of them, and how many rows that was by table.
WITH gone AS (
    SELECT unnest(CAST(:interactions AS uuid[])) AS id
), interaction_key_gone AS (
    DELETE FROM interaction_key USING gone WHERE interaction_id = gone.id RETURNING 1
), shadow_run_gone AS (
    -- a candidate's answer names the shown one by the caller's own name for it
    DELETE FROM shadow_run s WHERE EXISTS (
        SELECT FROM gone LEFT JOIN interaction_key k ON k.interaction_id = gone.id AND k.kind = 'request'
        WHERE s.interaction_id = gone.id OR (k.tenant = s.tenant AND k.value = s.request_id)
    ) RETURNING 1
), judgement_gone AS (
    DELETE FROM judgement j WHERE EXISTS (SELECT FROM gone WHERE gone.id IN (j.interaction_id, j.other_interaction_id))
    RETURNING 1
), judge_reply_gone AS (
    DELETE FROM judge_reply
    WHERE content_hash = ANY (CAST(:content_hashes AS text[])) OR key = ANY (CAST(:replies AS text[])) RETURNING 1
), audit_item_gone AS (
    DELETE FROM audit_item USING gone WHERE interaction_id = gone.id RETURNING 1
), interaction_gone AS (
    DELETE FROM interaction i USING gone WHERE i.id = gone.id RETURNING 1
)
SELECT
    (SELECT count(*) FROM interaction_gone) AS interaction,
    (SELECT count(*) FROM interaction_key_gone) AS interaction_key,
    (SELECT count(*) FROM shadow_run_gone) AS shadow_run,
    (SELECT count(*) FROM judgement_gone) AS judgement,
    (SELECT count(*) FROM judge_reply_gone) AS judge_reply,
    (SELECT count(*) FROM audit_item_gone) AS audit_item
