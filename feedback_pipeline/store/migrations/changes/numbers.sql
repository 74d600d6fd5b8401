-- Patterns, reports, judging, actions, alerts.

-- For people who query SQL: current votes by the names of the systems this replaces. Row-level security of the tables
-- below holds for whoever asks.
CREATE OR REPLACE VIEW feedback_votes WITH (security_invoker = true) AS
SELECT
    f.id AS feedback_id, f.tenant, f.interaction_id,
    i.prompt AS query, i.output AS response,
    i.prompt AS user_message, i.output AS assistant_response,
    i.prompt AS input_text, i.output AS output_text,
    i.prompt, i.output,
    i.model, i.prompt_version, i.intent, i.project, i.action_type, i.content_type, i.framework, i.tags,
    i.tools_called, i.memory_used, i.conversation_id, i.turn AS turn_id,
    f.kind AS feedback_type, f.value AS feedback_value,
    CASE WHEN f.thumb THEN 1 WHEN NOT f.thumb THEN -1 END AS rating,
    CASE WHEN f.thumb THEN 'up' WHEN NOT f.thumb THEN 'down' END AS feedback,
    f.thumb AS thumbs_up, f.stars, f.comment, f.comment AS notes, f.correction,
    f.user_key AS user_id, f.session_key AS session_id,
    f.occurred_at AS created_at, f.occurred_at AS timestamp, f.received_at AS updated_at
FROM feedback f
LEFT JOIN interaction i ON i.id = f.interaction_id AND i.tenant = f.tenant
WHERE f.superseded_by IS NULL AND NOT f.withdrawn;

DROP VIEW model_accuracy_by_intent;
CREATE VIEW model_accuracy_by_intent WITH (security_invoker = true) AS
SELECT tenant, model, intent, project,
       count(*) FILTER (WHERE thumbs_up IS NOT NULL) AS total,
       count(*) FILTER (WHERE thumbs_up)             AS positive,
       count(*) FILTER (WHERE NOT thumbs_up)         AS negative,
       round(100.0 * count(*) FILTER (WHERE thumbs_up)
           / NULLIF(count(*) FILTER (WHERE thumbs_up IS NOT NULL), 0), 2) AS accuracy
FROM feedback_votes WHERE feedback_type = 'explicit'
GROUP BY tenant, model, intent, project;
