SELECT recommendation_id, kind, statement, expected_gain, first_week, last_week, status, owner, due, done_on, outcome,
    outcome_week
FROM action
WHERE CAST(:status AS text) IS NULL OR status = :status
ORDER BY array_position(ARRAY['accepted', 'proposed', 'done', 'dropped'], status), due NULLS LAST, last_week DESC,
    expected_gain DESC NULLS LAST, recommendation_id
