INSERT INTO consent (tenant, user_key, collect, use_for_analysis, use_for_training)
VALUES (:tenant, :user_key, false, false, false)
ON CONFLICT (tenant, user_key) DO UPDATE
SET collect = false, use_for_analysis = false, use_for_training = false, updated_at = now()
