SELECT recommendation_id FROM action WHERE starts_with(recommendation_id, :start) ORDER BY 1 LIMIT 2
