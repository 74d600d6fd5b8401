-- Every text of these answers and events; `words`: what somebody wrote, and not a record that holds labels too.
SELECT t.text, t.words FROM interaction i
CROSS JOIN LATERAL (VALUES (i.prompt, true), (i.output, true), (i.messages, true), (i.content_snapshot, false),
    (i.metadata, false), (i.raw, false)) t (text, words)
WHERE i.id = ANY (CAST(:interactions AS uuid[])) AND t.text IS NOT NULL
UNION ALL
SELECT t.text, t.words FROM feedback f
CROSS JOIN LATERAL (VALUES (f.comment, true), (f.correction, true), (f.value, false), (f.shown, false),
    (f.metadata, false), (f.raw, false)) t (text, words)
WHERE f.id = ANY (CAST(:feedback AS uuid[])) AND t.text IS NOT NULL
UNION ALL
SELECT r.payload, false FROM refusal r WHERE r.id = ANY (CAST(:refusals AS uuid[])) AND r.payload IS NOT NULL
