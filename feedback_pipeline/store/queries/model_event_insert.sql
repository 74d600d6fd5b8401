INSERT INTO model_event (alias, event, model, previous, approval_id, person, reason, at)
VALUES (:alias, :event, :model, :previous, :approval_id, :person, :reason, :now)
