-- Current votes on some answers ($1), and on a conversation as a whole ($2).
SELECT f.id, f.interaction_id, f.key_kind, f.key_value, f.kind, f.thumb, f.stars, f.value, f.comment, f.correction, f.reasons,
    f.preference, f.other_interaction_id, f.shown, f.shown_differently, f.metadata AS vote_metadata, f.lane, f.from_browser, f.user_key, f.session_key, f.voter, f.withdrawn, f.supersedes, f.source,
    f.occurred_at, f.received_at, f.day, i.prompt, i.output, i.content_snapshot, i.model, i.intent, i.project,
    i.prompt_version, i.framework, i.content_type, i.action_type, i.tools_called, i.tags, i.memory_used, i.metadata,
    i.provenance
FROM (
    SELECT id FROM feedback WHERE interaction_id = ANY ($1::uuid[]) AND superseded_by IS NULL
    UNION
    SELECT id FROM feedback WHERE tenant = current_setting('feedback.tenant') AND key_kind = 'conversation'
        AND key_value = $2 AND superseded_by IS NULL
) found
JOIN feedback f USING (id) LEFT JOIN interaction i ON i.id = f.interaction_id
WHERE NOT f.withdrawn
ORDER BY f.occurred_at, f.id
LIMIT 1000
