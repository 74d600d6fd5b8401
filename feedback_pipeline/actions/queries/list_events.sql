SELECT status, owner, due, decided_by, note, decided_at FROM action_event
WHERE recommendation_id = :recommendation_id ORDER BY id
