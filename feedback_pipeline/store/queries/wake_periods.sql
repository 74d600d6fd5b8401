-- Weeks and months that became another with some of their days.
INSERT INTO period_state (period, first)
SELECT DISTINCT p.period, date_trunc(p.period, d.day::timestamp)::date
FROM unnest(CAST(:days AS date[])) AS d (day) CROSS JOIN (VALUES ('week'), ('month')) AS p (period)
WHERE date_trunc(p.period, d.day::timestamp)::date >= date_trunc(p.period, CAST(:start AS timestamp))::date
ORDER BY 1, 2
ON CONFLICT (period, first) DO UPDATE
SET version = period_state.version + 1, changed_at = now(), attempts = 0, problem = NULL,
    waiting_since = CASE WHEN period_state.version <= period_state.computed THEN now()
                         ELSE COALESCE(period_state.waiting_since, now()) END
