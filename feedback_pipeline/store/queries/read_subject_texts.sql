-- Every text of these answers and events.
SELECT t.text FROM interaction i
CROSS JOIN LATERAL (VALUES (i.prompt), (i.output), (i.messages), (i.content_snapshot), (i.metadata), (i.raw)) t (text)
WHERE i.id = ANY (CAST(:interactions AS uuid[])) AND t.text IS NOT NULL
UNION ALL
SELECT t.text FROM feedback f
CROSS JOIN LATERAL (VALUES (f.comment), (f.correction), (f.value), (f.shown), (f.metadata), (f.raw)) t (text)
WHERE f.id = ANY (CAST(:feedback AS uuid[])) AND t.text IS NOT NULL
UNION ALL
SELECT r.payload FROM refusal r WHERE r.id = ANY (CAST(:refusals AS uuid[])) AND r.payload IS NOT NULL
