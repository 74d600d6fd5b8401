UPDATE feedback SET user_key = NULL, session_key = NULL, idempotency_key = NULL
WHERE day = :day AND num_nonnulls(user_key, session_key, idempotency_key) > 0
