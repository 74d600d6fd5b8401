-- A recommendation made in a week. One that was done before that week and is made again did not hold: it is proposed
-- anew. One that was dropped stays dropped: people said no.
INSERT INTO action AS known (recommendation_id, kind, statement, expected_gain, first_week, last_week)
VALUES (:recommendation_id, :kind, :statement, :expected_gain, :week, :week)
ON CONFLICT (recommendation_id) DO UPDATE SET
    first_week = LEAST(known.first_week, excluded.first_week),
    last_week = GREATEST(known.last_week, excluded.last_week),
    statement = CASE WHEN excluded.last_week >= known.last_week THEN excluded.statement ELSE known.statement END,
    expected_gain = CASE
        WHEN excluded.last_week >= known.last_week THEN excluded.expected_gain ELSE known.expected_gain END,
    status = CASE WHEN known.status = 'done' AND excluded.last_week > known.done_on THEN 'proposed' ELSE known.status END,
    done_on = CASE WHEN known.status = 'done' AND excluded.last_week > known.done_on THEN NULL ELSE known.done_on END,
    updated_at = now()
WHERE (known.first_week, known.last_week, known.statement)
    IS DISTINCT FROM (LEAST(known.first_week, excluded.first_week), GREATEST(known.last_week, excluded.last_week),
        CASE WHEN excluded.last_week >= known.last_week THEN excluded.statement ELSE known.statement END)
RETURNING status, owner, due
