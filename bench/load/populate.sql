-- A year of %(votes)s votes on 10,000 answers by 100,000 people, written as the owner of the tables: no trigger runs, the
-- indexes are built at the end, and what the triggers would have counted is counted once.
SET LOCAL session_replication_role = replica;
SET LOCAL maintenance_work_mem = '1GB';
SET LOCAL work_mem = '256MB';

CREATE TEMPORARY TABLE rebuilt ON COMMIT DROP AS
SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition
FROM pg_index i WHERE i.indrelid = 'feedback'::regclass AND NOT i.indisprimary;
DO $$
DECLARE
    index_name text;
BEGIN
    FOR index_name IN SELECT name FROM rebuilt LOOP
        EXECUTE 'DROP INDEX ' || index_name;
    END LOOP;
END $$;

INSERT INTO interaction (id, tenant, project, intent, model, context, occurred_at, source, source_id, provenance, output, prompt)
SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'default', 'p-' || n %% 3, 'i-' || n %% 6, 'm-' || n %% 5,
    'partial', now() - n %% 365 * interval '1 day', 'bench', n::text, 'server', 'answer ' || n, 'question ' || n
FROM generate_series(1, 10000) n;

INSERT INTO feedback (id, tenant, interaction_id, kind, thumb, user_key, occurred_at, received_at, source, source_id)
SELECT uuidv7(a.age), 'default', ('00000000-0000-7000-8000-' || lpad(to_hex(1 + mod(n, 10000)), 12, '0'))::uuid, 'explicit',
    mod(n, 5) > 0, 'k1:' || mod(n * 7919, 100000), now() + a.age, now() + a.age, 'bench', n::text
FROM generate_series(1, %(votes)s::bigint) n
CROSS JOIN LATERAL (SELECT (n - %(votes)s) * (interval '364 days' / GREATEST(%(votes)s, 1)) - interval '1 minute' AS age) a
ORDER BY n;

DO $$
DECLARE
    statement text;
BEGIN
    FOR statement IN SELECT definition FROM rebuilt LOOP
        EXECUTE statement;
    END LOOP;
END $$;

INSERT INTO vote_day
SELECT f.tenant, f.day, COALESCE(i.model, ''), COALESCE(i.intent, ''), COALESCE(i.project, ''),
    count(*), count(*) FILTER (WHERE f.thumb), count(*) FILTER (WHERE NOT f.thumb), 0, 0, 0, 0, 0, 0
FROM feedback f JOIN interaction i ON i.id = f.interaction_id GROUP BY 1, 2, 3, 4, 5;
INSERT INTO vote_total
SELECT tenant, model, intent, project, sum(votes), sum(up), sum(down), 0, 0 FROM vote_day GROUP BY 1, 2, 3, 4;
INSERT INTO action_day SELECT tenant, day, '', '', sum(votes), sum(up), sum(down) FROM vote_day GROUP BY 1, 2;
INSERT INTO person_seen (tenant, kind, person, day)
SELECT tenant, 'user', user_key, max(day) FROM feedback GROUP BY 1, 3;
INSERT INTO person_day SELECT tenant, kind, day, count(*) FROM person_seen GROUP BY 1, 2, 3;
