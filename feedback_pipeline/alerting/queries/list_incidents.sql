SELECT id, incident, kind, severity, slice, numbers, explanation, first_day, last_day, state, real, opened_at,
    acknowledged_at, acknowledged_by, closed_at, closed_by, closed_on, notified_at
FROM alert
WHERE first_day <= :last AND last_day >= :first AND (:closed_too OR state <> 'closed')
ORDER BY last_day DESC, first_day, kind, id
