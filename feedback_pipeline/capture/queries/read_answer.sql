-- One answer with everything that was logged with it.
SELECT i.id, i.occurred_at, i.project, i.conversation_id, i.turn, i.intent, i.content_type, i.action_type, i.language,
    i.model, i.prompt_version, i.framework, i.variant, i.tags, i.tools_called, i.techniques, i.memory_used, i.messages,
    i.prompt, i.output, i.content_snapshot, i.finish_reason, i.confidence, i.latency_ms, i.input_tokens,
    i.output_tokens, i.cost_usd, i.user_key, i.session_key, i.source, i.provenance, i.inclusion_probability, i.metadata
FROM interaction i WHERE i.id = $1
