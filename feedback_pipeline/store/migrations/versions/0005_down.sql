DROP INDEX erasure_open, interaction_anonymous_conversation, interaction_anonymous_session, feedback_anonymous;
DROP TRIGGER day_state_expired ON day_state;
DROP FUNCTION keep_expired_days;
ALTER TABLE day_state DROP COLUMN emptied, DROP COLUMN expired;
