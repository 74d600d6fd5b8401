INSERT INTO consent (tenant, user_key, collect, use_for_analysis, use_for_training)
VALUES (:tenant, :user_key, :collect, :use_for_analysis, :use_for_training)
ON CONFLICT (tenant, user_key) DO UPDATE
SET collect = excluded.collect, use_for_analysis = excluded.use_for_analysis,
    use_for_training = excluded.use_for_training, updated_at = now()
WHERE (consent.collect, consent.use_for_analysis, consent.use_for_training)
    IS DISTINCT FROM (excluded.collect, excluded.use_for_analysis, excluded.use_for_training)
