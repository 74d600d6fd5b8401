-- Current events about sessions, conversations, tool calls and steps, of the days from $1 to $2, as far as they may be
-- analysed.
SELECT
    f.tenant, f.day, f.key_kind AS subject_kind, f.key_value AS subject_id, f.voter, f.kind, f.thumb, f.stars, f.value,
    f.comment IS NOT NULL AS commented
FROM feedback f
JOIN tenant t ON t.name = f.tenant AND t.use_for_analysis
LEFT JOIN consent c ON c.tenant = f.tenant AND c.user_key = f.user_key
WHERE f.day BETWEEN $1 AND $2 AND f.key_kind IN ('session', 'conversation', 'tool_call', 'step')
    AND f.superseded_by IS NULL AND NOT f.withdrawn AND COALESCE(c.use_for_analysis, true)
ORDER BY f.id
