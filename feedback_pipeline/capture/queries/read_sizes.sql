-- How large the tables of the write path are, and how large they were when they were last looked at by the planner.
SELECT c.relname AS name, pg_relation_size(c.oid) / 8192 AS pages, c.relpages AS known
FROM pg_class c
WHERE c.oid IN ('feedback'::regclass, 'interaction'::regclass, 'interaction_key'::regclass, 'idempotency'::regclass,
    'person_seen'::regclass)
