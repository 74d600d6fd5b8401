-- :votes votes over a year, two on each answer, and twelve weekly datasets over rolling windows of twelve weeks, in which
-- every answer of the window is a row, with a run, a model and a promotion of each. Row ids are hashes of the answer's number.
INSERT INTO interaction (id, tenant, model, prompt_version, context, occurred_at, source, source_id, provenance)
SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'default', 'm-' || mod(n, 5), 'v' || mod(n, 7), 'partial',
    timestamptz '2025-11-24' + n * (interval '364 days' / %(answers)s), 'bench', n::text, 'server'
FROM generate_series(1, %(answers)s::bigint) n;

INSERT INTO feedback (id, tenant, interaction_id, kind, thumb, user_key, occurred_at, received_at, source, source_id)
SELECT ('00000000-0000-7000-9000-' || lpad(to_hex(n), 12, '0'))::uuid, 'default',
    ('00000000-0000-7000-8000-' || lpad(to_hex((n + 1) / 2), 12, '0'))::uuid, 'explicit', mod(n, 5) > 0,
    'k1:' || mod(n, 100003), at, at, 'bench', n::text
FROM generate_series(1, %(votes)s::bigint) n,
    LATERAL (SELECT timestamptz '2025-11-24' + (n + 1) / 2 * (interval '364 days' / %(answers)s) AS at) moment;

INSERT INTO dataset (id, week, manifest, created_at)
SELECT md5('dataset' || k) || md5('id' || k), date '2026-11-09' - (12 - k) * 7,
    '{"content": {"files": [{"name": "openai/sft-train.jsonl", "layout": "supervised-train", "lines": 0}]}}',
    timestamptz '2026-11-19' - (12 - k) * interval '7 days'
FROM generate_series(1, 12) k;

INSERT INTO dataset_row (dataset_id, row_id, interaction_ids, feedback_ids, weight, lines)
SELECT md5('dataset' || k) || md5('id' || k), md5(n::text),
    ARRAY[('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid],
    ARRAY[('00000000-0000-7000-9000-' || lpad(to_hex(2 * n - 1), 12, '0'))::uuid,
          ('00000000-0000-7000-9000-' || lpad(to_hex(2 * n), 12, '0'))::uuid],
    0.5 + mod(n, 997) / 500.0, 1
FROM generate_series(1, 12) k,
    generate_series(%(answers)s::bigint * (27 + k) / 52 + 1, %(answers)s::bigint * (39 + k) / 52) n;

INSERT INTO fine_tune_job (id, dataset_id, provider, base_model, state, week, method, request, examples, since,
    provider_job, result_model)
SELECT md5('job' || week) || md5('run' || week), id, 'openai', 'base', 'succeeded', week, 'supervised', '{}', 500000,
    created_at, 'ftjob-' || week, 'ft:base:' || week
FROM dataset;

INSERT INTO model (name, base, state, job_id, dataset_id, week, created_at)
SELECT result_model, 'base', 'retired', id, dataset_id, week, since FROM fine_tune_job;

INSERT INTO model_event (alias, event, model, at) SELECT 'production', 'promoted', name, created_at FROM model ORDER BY week
