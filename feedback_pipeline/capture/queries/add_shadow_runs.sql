INSERT INTO shadow_run (id, tenant, request_id, model, status, output, latency_ms, cost_usd, occurred_at)
SELECT id, $1, request_id, candidate, status, output, latency_ms, cost_usd, LEAST(at, now())
FROM jsonb_to_recordset($2::jsonb) AS g (id uuid, request_id text, candidate text, status text, output text,
    latency_ms real, cost_usd double precision, at timestamptz)
ON CONFLICT DO NOTHING
RETURNING id
