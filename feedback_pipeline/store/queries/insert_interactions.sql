INSERT INTO interaction (
    id, tenant, project, conversation_id, turn, intent, content_type, action_type, language, model, prompt_version,
    framework, variant, tags, tools_called, techniques, memory_used, messages, prompt, output, content_snapshot, context,
    finish_reason, confidence, latency_ms, input_tokens, output_tokens, cost_usd, user_key, session_key, occurred_at,
    source, source_id, provenance, inclusion_probability, metadata
)
SELECT
    s.id::uuid, s.tenant, s.project, s.conversation_id, s.turn, s.intent, s.content_type, s.action_type, s.language,
    s.model, s.prompt_version, s.framework, s.variant, COALESCE(s.tags, '{}'), COALESCE(s.tools_called, '{}'),
    COALESCE(s.techniques, '{}'), s.memory_used, s.messages, s.prompt, s.output, s.content_snapshot, s.context,
    s.finish_reason, s.confidence, s.latency_ms, s.input_tokens, s.output_tokens, s.cost_usd, s.user_key, s.session_key,
    s.occurred_at, s.source, s.source_id, s.provenance, s.inclusion_probability, s.metadata
FROM stage_interaction s
LEFT JOIN consent c ON c.tenant = s.tenant AND c.user_key = s.user_key
WHERE COALESCE(c.collect, true)
ON CONFLICT (id) DO NOTHING
