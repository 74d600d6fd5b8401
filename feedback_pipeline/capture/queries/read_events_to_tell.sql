-- Feedback events of a tenant ($1) after the last one that was told ($2, $3), in the order they came. An event that
-- another transaction may still bring in between is waited for: nothing that came while one was open is told. Neither
-- the service's own maintenance nor autovacuum brings events, so neither is waited for.
SELECT f.id, f.interaction_id, f.key_kind, f.key_value, f.kind, f.thumb, f.stars, f.value, f.comment, f.correction, f.reasons,
    f.preference, f.other_interaction_id, f.shown, f.shown_differently, f.metadata AS vote_metadata, f.lane, f.from_browser, f.user_key, f.session_key, f.voter, f.withdrawn, f.supersedes, f.source,
    f.occurred_at, f.received_at, f.day, i.prompt, i.output, i.content_snapshot, i.model, i.intent, i.project,
    i.prompt_version, i.framework, i.content_type, i.action_type, i.tools_called, i.tags, i.memory_used, i.metadata,
    i.provenance,
    f.supersedes IS NOT NULL OR EXISTS (SELECT FROM feedback e WHERE e.superseded_by = f.id) AS follows
FROM feedback f LEFT JOIN interaction i ON i.id = f.interaction_id AND i.tenant = f.tenant
WHERE f.tenant = $1 AND f.source = 'api' AND f.received_at >= $2 AND (f.received_at, f.id) > ($2, $3::uuid)
    AND f.received_at < COALESCE((
        SELECT min(a.xact_start) FROM pg_stat_activity a
        WHERE a.datname = current_database() AND a.backend_type = 'client backend' AND a.xact_start IS NOT NULL
            AND a.application_name NOT IN ('feedback-webhooks', 'feedback-maintenance')
    ), now() + interval '1 second')
ORDER BY f.received_at, f.id
LIMIT 100
