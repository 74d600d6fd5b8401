-- Thumbs of one day with the redacted answers they are about, from tenants and people who allow training.
SELECT f.thumb, f.occurred_at, i.messages, i.prompt, i.output, i.intent, i.project, i.model
FROM feedback f
JOIN interaction i ON i.id = f.interaction_id AND i.tenant = f.tenant
JOIN tenant t ON t.name = f.tenant
LEFT JOIN consent v ON v.tenant = f.tenant AND v.user_key = f.user_key
LEFT JOIN consent a ON a.tenant = i.tenant AND a.user_key = i.user_key
WHERE f.day = $1 AND f.superseded_by IS NULL AND NOT f.withdrawn AND f.kind = 'explicit' AND f.thumb IS NOT NULL
    AND f.occurred_at >= $2 AND f.occurred_at < $3 AND i.output <> '' AND i.prompt <> ''
    AND admissible_vote(i.provenance, f.shown_differently, false, t.use_for_analysis, t.use_for_training,
        v.use_for_analysis, v.use_for_training, a.use_for_analysis, a.use_for_training)
ORDER BY f.occurred_at, f.id
