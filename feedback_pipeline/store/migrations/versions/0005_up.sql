-- Retention and erasure: a day whose rows have had their time stays as it was counted; what looks for one person's rows.

ALTER TABLE day_state
    ADD COLUMN emptied bigint NOT NULL DEFAULT 0,       -- version at which raw text was last removed from the store
    ADD COLUMN expired boolean NOT NULL DEFAULT false;  -- the day's rows are gone, its counts are kept for ever

-- Computing an expired day again would make its counts zero: it is never due.
CREATE FUNCTION keep_expired_days() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.computed := NEW.version;
    NEW.requested := NEW.version;
    RETURN NEW;
END $$;
CREATE TRIGGER day_state_expired BEFORE INSERT OR UPDATE ON day_state
    FOR EACH ROW WHEN (NEW.expired) EXECUTE FUNCTION keep_expired_days();

-- Rows that name nobody and still belong to somebody: by session, by conversation.
CREATE INDEX feedback_anonymous ON feedback (tenant, session_key) WHERE user_key IS NULL AND session_key IS NOT NULL;
CREATE INDEX interaction_anonymous_session ON interaction (tenant, session_key)
    WHERE user_key IS NULL AND session_key IS NOT NULL;
CREATE INDEX interaction_anonymous_conversation ON interaction (tenant, conversation_id)
    WHERE user_key IS NULL AND conversation_id IS NOT NULL;

-- One erasure of the same person at a time; one that was interrupted is taken up again.
CREATE UNIQUE INDEX erasure_open ON erasure (subject_hash) WHERE finished_at IS NULL;
