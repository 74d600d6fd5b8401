-- Every event of a day with the properties of its answer and what became of it (`state`).
SELECT
    f.id::text AS feedback_id, f.interaction_id::text AS interaction_id, f.tenant, f.day, i.day AS interaction_day,
    f.occurred_at, f.kind, f.thumb, f.stars, f.value, f.comment, f.correction, f.reasons, f.preference,
    CASE WHEN f.key_kind = 'content' THEN substr(f.key_value, strpos(f.key_value, '/') + 1) END AS content_id, f.shown,
    f.other_interaction_id::text AS other_interaction_id, o.model AS other_model, f.user_key, f.voter, f.source,
    i.conversation_id, i.provenance, i.project, i.model, i.prompt_version, i.framework, i.intent, i.content_type,
    i.action_type, i.language, i.variant, i.tags, i.tools_called AS tools,
    length(i.prompt) AS prompt_chars, length(i.output) AS answer_chars,
    (t.use_for_training AND COALESCE(c.use_for_training, true) AND COALESCE(a.use_for_training, true)) AS use_for_training,
    admissible_vote(i.provenance, f.shown_differently, f.from_browser AND f.correction IS NOT NULL, t.use_for_analysis,
        t.use_for_training,
        c.use_for_analysis, c.use_for_training, a.use_for_analysis, a.use_for_training) AS admissible,
    CASE
        WHEN f.superseded_by IS NOT NULL THEN 'superseded'
        WHEN f.withdrawn THEN 'withdrawn'
        WHEN NOT (t.use_for_analysis AND COALESCE(c.use_for_analysis, true)) THEN 'opted_out'
        WHEN about_subject(f.key_kind) THEN 'subject'
        WHEN i.id IS NULL OR (f.other_interaction_id IS NOT NULL AND o.id IS NULL) THEN 'pending'
        ELSE 'current'
    END AS state,
    -- only what these kinds say can be outranked: nothing is looked up for the others
    f.kind IN ('correction', 'outcome', 'implicit') AND EXISTS (
        SELECT 1 FROM feedback b
        WHERE b.interaction_id = f.interaction_id AND b.voter = f.voter AND b.superseded_by IS NULL
            AND NOT b.withdrawn AND b.id <> f.id
            AND array_position('{explicit,correction,outcome,implicit}'::text[], b.kind)
                < array_position('{explicit,correction,outcome,implicit}'::text[], f.kind)
    ) AS outranked
FROM feedback f
JOIN tenant t ON t.name = f.tenant
LEFT JOIN interaction i ON i.id = f.interaction_id AND i.tenant = f.tenant
LEFT JOIN interaction o ON o.id = f.other_interaction_id AND o.tenant = f.tenant
LEFT JOIN consent c ON c.tenant = f.tenant AND c.user_key = f.user_key
LEFT JOIN consent a ON a.tenant = i.tenant AND a.user_key = i.user_key
WHERE f.day = $1
ORDER BY f.id
