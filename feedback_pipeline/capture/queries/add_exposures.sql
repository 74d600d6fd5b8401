-- Files that arms were used; the first time is the assignment, unless there was one.
WITH given AS (
    SELECT * FROM jsonb_to_recordset($2::jsonb) AS g (experiment text, unit text, request_id text, version integer,
        variant text, propensity double precision, leaf integer, at timestamptz)
), assigned AS (
    INSERT INTO assignment (tenant, experiment, unit, version, variant, propensity, leaf, assigned_at)
    SELECT DISTINCT ON (experiment, unit) $1, experiment, unit, version, variant, propensity, leaf, LEAST(at, now())
    FROM given ORDER BY experiment, unit, at
    ON CONFLICT DO NOTHING
)
INSERT INTO exposure (tenant, experiment, unit, request_id, version, variant, propensity, leaf, exposed_at)
SELECT $1, experiment, unit, request_id, version, variant, propensity, leaf, LEAST(at, now()) FROM given
ON CONFLICT DO NOTHING
RETURNING request_id
