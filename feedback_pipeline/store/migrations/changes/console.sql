-- Pages for people.

-- A conversation is shown whole.
CREATE INDEX IF NOT EXISTS interaction_conversation ON interaction (tenant, conversation_id)
    WHERE conversation_id IS NOT NULL;
