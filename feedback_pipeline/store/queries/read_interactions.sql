SELECT
    i.id::text AS interaction_id, i.tenant, i.day, i.occurred_at, i.conversation_id, i.turn, i.project, i.model,
    i.prompt_version, i.framework, i.intent, i.content_type, i.action_type, i.language, i.variant, i.tags,
    i.tools_called AS tools, i.messages, i.prompt, i.output AS answer, i.content_snapshot, i.context, i.provenance, i.source,
    i.finish_reason, i.confidence, i.latency_ms, i.input_tokens, i.output_tokens, i.cost_usd, i.inclusion_probability,
    i.user_key,
    (t.use_for_training AND COALESCE(c.use_for_training, true)) AS use_for_training,
    (t.use_for_analysis AND COALESCE(c.use_for_analysis, true)) AS use_for_analysis
FROM interaction i
JOIN tenant t ON t.name = i.tenant
LEFT JOIN consent c ON c.tenant = i.tenant AND c.user_key = i.user_key
WHERE i.day = $1
ORDER BY i.id
