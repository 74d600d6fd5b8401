UPDATE action SET
    status = COALESCE(:status, status),
    owner = COALESCE(:owner, owner),
    due = COALESCE(CAST(:due AS date), due),
    done_on = CASE WHEN COALESCE(:status, status) = 'done' THEN COALESCE(done_on, CAST(:today AS date)) END,
    updated_at = :now
WHERE recommendation_id = :recommendation_id
RETURNING recommendation_id
