INSERT INTO model_evaluation (content_hash, model, incumbent, passed, detail, evaluated_at)
VALUES (:content_hash, :model, :compared_with, :passed, CAST(:detail AS jsonb), :now)
ON CONFLICT (content_hash) DO UPDATE SET evaluated_at = GREATEST(model_evaluation.evaluated_at, excluded.evaluated_at)
