INSERT INTO model_alias (alias, model, previous, since) VALUES (:alias, :model, :previous, :now)
ON CONFLICT (alias) DO UPDATE SET model = excluded.model, previous = excluded.previous, since = excluded.since
