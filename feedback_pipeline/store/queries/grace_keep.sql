-- The rows of a day as they are before their words and names go.
INSERT INTO retention_grace (source, id, day, content)
SELECT 'interaction', id, day, to_jsonb(i) FROM interaction i
WHERE day = :day AND num_nonnulls(prompt, output, messages, content_snapshot, metadata, raw, user_key) > 0
UNION ALL
SELECT 'feedback', id, day, to_jsonb(f) FROM feedback f
WHERE day = :day AND (comment <> '' OR correction <> '' OR num_nonnulls(shown, metadata, raw, user_key) > 0)
UNION ALL
SELECT 'refusal', id, day, to_jsonb(r) FROM refusal r WHERE day = :day AND payload IS NOT NULL
ON CONFLICT (source, id) DO NOTHING
