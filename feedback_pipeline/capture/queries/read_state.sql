-- What one voter ($3) thinks of what is known under a name ($1, $2); of what is shown now where $4 is given (JSON).
SELECT f.id, f.interaction_id, f.key_kind, f.key_value, f.kind, f.thumb, f.stars, f.value, f.comment, f.correction, f.reasons,
    f.preference, f.other_interaction_id, f.shown, f.shown_differently, f.metadata AS vote_metadata, f.lane, f.from_browser, f.user_key, f.session_key, f.voter, f.withdrawn, f.supersedes, f.source,
    f.occurred_at, f.received_at, f.day, i.prompt, i.output, i.content_snapshot, i.model, i.intent, i.project,
    i.prompt_version, i.framework, i.content_type, i.action_type, i.tools_called, i.tags, i.memory_used, i.metadata,
    i.provenance
FROM (
    SELECT f.id FROM interaction_key k JOIN feedback f ON f.interaction_id = k.interaction_id
    WHERE k.kind = $1 AND k.value = $2 AND f.voter = $3 AND f.superseded_by IS NULL
    UNION
    SELECT f.id FROM feedback f
    WHERE f.tenant = $5 AND f.interaction_id IS NULL AND f.key_kind = $1 AND f.key_value = $2 AND f.voter = $3
        AND f.superseded_by IS NULL
) found
JOIN feedback f USING (id) LEFT JOIN interaction i ON i.id = f.interaction_id
WHERE NOT f.withdrawn AND ($4::text IS NULL OR i.id IS NULL
    OR text_forms(NULL, $4) && CASE WHEN f.shown_differently THEN text_forms(NULL, f.shown)
        ELSE text_forms(i.output, i.content_snapshot) || text_forms(NULL, f.shown) END)
ORDER BY f.occurred_at DESC, f.id DESC
LIMIT 50
