INSERT INTO action_event (recommendation_id, status, owner, due, decided_by, note, decided_at)
SELECT recommendation_id, status, owner, due, :person, :note, :now FROM action
WHERE recommendation_id = :recommendation_id
    AND (CAST(:note AS text) IS NOT NULL OR NOT EXISTS (
        SELECT FROM action_event latest
        WHERE latest.recommendation_id = action.recommendation_id
            AND latest.id = (SELECT max(id) FROM action_event e WHERE e.recommendation_id = action.recommendation_id)
            AND (latest.status, latest.owner, latest.due) IS NOT DISTINCT FROM (action.status, action.owner, action.due)))
