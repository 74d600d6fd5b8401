UPDATE interaction SET user_key = NULL, session_key = NULL, conversation_id = NULL
WHERE day = :day AND num_nonnulls(user_key, session_key, conversation_id) > 0
