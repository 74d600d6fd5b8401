-- The answers of a conversation ($1), or else one answer ($2), in the order they were given, with their number.
SELECT i.id, i.occurred_at, i.turn, i.model, i.prompt_version, i.prompt, i.output, i.messages, i.tools_called,
    i.latency_ms, i.cost_usd, i.input_tokens, i.output_tokens, i.finish_reason, i.provenance
FROM interaction i
WHERE i.tenant = current_setting('feedback.tenant') AND i.conversation_id = $1 OR i.id = $2
ORDER BY i.turn NULLS FIRST, i.occurred_at, i.id
LIMIT 200
