-- A day older than an incident we know is history: it is recorded as closed.
INSERT INTO alert (id, incident, kind, severity, slice, numbers, explanation, first_day, last_day, state, opened_at,
    closed_at, closed_on)
SELECT CAST(:id AS uuid), :incident, :kind, :severity, CAST(:dimensions AS jsonb), CAST(:numbers AS jsonb), :explanation,
    :day, :day, CASE WHEN known.later THEN 'closed' ELSE 'open' END, :now,
    CASE WHEN known.later THEN CAST(:now AS timestamptz) END,
    CASE WHEN known.later THEN CAST(:day AS date) + CAST(:quiet_days AS integer) END
FROM (SELECT EXISTS (SELECT FROM alert WHERE incident = :incident AND first_day > :day) AS later) known
RETURNING state
