-- The newest event of the vote that event $1 belongs to, and when its first one was.
WITH RECURSIVE chain AS (
    SELECT f.id, f.superseded_by, f.occurred_at AS first_at, 0 AS step FROM feedback f WHERE f.id = $1
    UNION ALL
    SELECT f.id, f.superseded_by, c.first_at, c.step + 1
    FROM chain c JOIN feedback f ON f.id = c.superseded_by WHERE c.step < 10000
)
SELECT f.id, f.interaction_id, f.key_kind, f.key_value, f.kind, f.thumb, f.stars, f.value, f.comment, f.correction, f.reasons,
    f.preference, f.other_interaction_id, f.shown, f.shown_differently, f.metadata AS vote_metadata, f.lane, f.from_browser, f.user_key, f.session_key, f.voter, f.withdrawn, f.supersedes, f.source,
    f.occurred_at, f.received_at, f.day, i.prompt, i.output, i.content_snapshot, i.model, i.intent, i.project,
    i.prompt_version, i.framework, i.content_type, i.action_type, i.tools_called, i.tags, i.memory_used, i.metadata,
    i.provenance, c.first_at
FROM chain c JOIN feedback f ON f.id = c.id LEFT JOIN interaction i ON i.id = f.interaction_id
WHERE c.superseded_by IS NULL
