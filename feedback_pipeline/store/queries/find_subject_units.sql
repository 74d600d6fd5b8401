-- What else these answers and events are called by in experiments: the session, the conversation.
SELECT DISTINCT t.unit FROM interaction i
CROSS JOIN LATERAL (VALUES (i.session_key), (i.conversation_id)) t (unit)
WHERE i.id = ANY (CAST(:interactions AS uuid[])) AND t.unit IS NOT NULL
UNION
SELECT DISTINCT f.session_key FROM feedback f
WHERE f.id = ANY (CAST(:feedback AS uuid[])) AND f.session_key IS NOT NULL
