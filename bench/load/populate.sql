-- :votes votes on 10,000 answers by 100,000 people over the last year.
INSERT INTO interaction (id, tenant, project, intent, model, context, occurred_at, source, source_id, provenance, output, prompt)
SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'default', 'p-' || n % 3, 'i-' || n % 6, 'm-' || n % 5,
    'partial', now() - n % 365 * interval '1 day', 'bench', n::text, 'server', 'answer ' || n, 'question ' || n
FROM generate_series(1, 10000) n
ON CONFLICT DO NOTHING;
INSERT INTO feedback (id, tenant, interaction_id, kind, thumb, user_key, session_key, occurred_at, received_at, source, source_id)
SELECT gen_random_uuid(), 'default', ('00000000-0000-7000-8000-' || lpad(to_hex(1 + mod(n, 10000)), 12, '0'))::uuid, 'explicit',
    mod(n, 5) > 0, 'seed:' || n / 50, NULL, now() - mod(n, 365) * interval '1 day' - interval '1 minute', now(), 'bench', n::text
FROM generate_series(%(first)s::bigint, %(last)s::bigint) n;
