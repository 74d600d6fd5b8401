-- Votes on the answers of a batch: which of them are current.
SELECT settle_votes(array_agg(DISTINCT about.id)) FROM (
    SELECT s.interaction_id::uuid AS id FROM stage_feedback s WHERE s.interaction_id IS NOT NULL
    UNION ALL
    SELECT f.interaction_id FROM stage_feedback s JOIN feedback f ON f.id = s.id::uuid
    WHERE s.interaction_id IS NULL AND f.interaction_id IS NOT NULL
) about
