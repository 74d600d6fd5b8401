-- For people who query SQL (names kept from the system this replaces).
CREATE VIEW current_feedback AS
SELECT f.*, i.model, i.intent, i.project, i.prompt_version
FROM feedback f JOIN interaction i ON i.id = f.interaction_id
WHERE f.superseded_by IS NULL AND NOT f.withdrawn;

CREATE VIEW model_accuracy_by_intent AS
SELECT model, intent, project,
       count(*) FILTER (WHERE thumb IS NOT NULL)                       AS total,
       count(*) FILTER (WHERE thumb)                                   AS positive,
       count(*) FILTER (WHERE NOT thumb)                               AS negative,
       round(100.0 * count(*) FILTER (WHERE thumb) / NULLIF(count(*) FILTER (WHERE thumb IS NOT NULL), 0), 2) AS accuracy
FROM current_feedback WHERE kind = 'explicit'
GROUP BY model, intent, project;

-- For people who query SQL (name kept from the system this replaces): last week's votes as training examples.
CREATE FUNCTION get_weekly_finetuning_dataset()
RETURNS TABLE (messages jsonb, weight double precision, metadata jsonb) LANGUAGE sql STABLE AS $$
    SELECT
        jsonb_build_array(
            jsonb_build_object('role', 'user', 'content', i.prompt),
            jsonb_build_object('role', 'assistant', 'content', i.output)),
        CASE WHEN f.thumb THEN 2.0 ELSE 0.5 END,
        jsonb_build_object('intent', i.intent, 'project', i.project, 'model', i.model, 'timestamp', f.occurred_at)
    FROM feedback f
    JOIN interaction i ON i.id = f.interaction_id AND i.tenant = f.tenant
    JOIN tenant t ON t.name = f.tenant AND t.use_for_training
    LEFT JOIN consent v ON v.tenant = f.tenant AND v.user_key = f.user_key
    LEFT JOIN consent a ON a.tenant = i.tenant AND a.user_key = i.user_key
    WHERE f.superseded_by IS NULL AND NOT f.withdrawn AND f.kind = 'explicit' AND f.thumb IS NOT NULL
        AND f.occurred_at >= now() - interval '7 days' AND i.prompt IS NOT NULL AND i.output IS NOT NULL
        AND COALESCE(v.use_for_training, true) AND COALESCE(a.use_for_training, true)
    ORDER BY f.occurred_at, f.id
$$;
