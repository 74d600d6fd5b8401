-- A day's rows as they were; what they have been given since stays. Rows that were erased since are gone from here too.
WITH answers AS (
    UPDATE interaction i SET prompt = COALESCE(i.prompt, r.prompt), output = COALESCE(i.output, r.output),
        messages = COALESCE(i.messages, r.messages), metadata = COALESCE(i.metadata, r.metadata),
        content_snapshot = COALESCE(i.content_snapshot, r.content_snapshot), raw = COALESCE(i.raw, r.raw),
        user_key = COALESCE(i.user_key, r.user_key), session_key = COALESCE(i.session_key, r.session_key),
        conversation_id = COALESCE(i.conversation_id, r.conversation_id)
    FROM retention_grace g CROSS JOIN LATERAL jsonb_populate_record(NULL::interaction, g.content) r
    WHERE g.source = 'interaction' AND g.day = :day AND i.id = g.id RETURNING 1
), events AS (
    UPDATE feedback f SET comment = COALESCE(NULLIF(f.comment, ''), r.comment),
        correction = COALESCE(NULLIF(f.correction, ''), r.correction), shown = COALESCE(f.shown, r.shown),
        metadata = COALESCE(f.metadata, r.metadata), raw = COALESCE(f.raw, r.raw),
        user_key = COALESCE(f.user_key, r.user_key), session_key = COALESCE(f.session_key, r.session_key),
        idempotency_key = COALESCE(f.idempotency_key, r.idempotency_key)
    FROM retention_grace g CROSS JOIN LATERAL jsonb_populate_record(NULL::feedback, g.content) r
    WHERE g.source = 'feedback' AND g.day = :day AND f.id = g.id RETURNING 1
), deliveries AS (
    UPDATE refusal f SET payload = COALESCE(f.payload, r.payload)
    FROM retention_grace g CROSS JOIN LATERAL jsonb_populate_record(NULL::refusal, g.content) r
    WHERE g.source = 'refusal' AND g.day = :day AND f.id = g.id RETURNING 1
)
SELECT (SELECT count(*) FROM answers) + (SELECT count(*) FROM events) + (SELECT count(*) FROM deliveries)
