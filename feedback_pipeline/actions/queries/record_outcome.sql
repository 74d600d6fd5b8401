-- What the report of a week said about an action; older reports computed again do not overwrite newer ones.
UPDATE action SET outcome = :outcome, outcome_week = :week, updated_at = now()
WHERE recommendation_id = :recommendation_id AND (outcome_week IS NULL OR outcome_week <= :week)
    AND (outcome, outcome_week) IS DISTINCT FROM (CAST(:outcome AS text), CAST(:week AS date))
