-- Incidents that have not fired for the quiet days, unless their rule could not look.
UPDATE alert SET state = 'closed', closed_at = :now, closed_on = last_day + CAST(:quiet_days AS integer)
WHERE state <> 'closed' AND last_day + CAST(:quiet_days AS integer) < :day AND kind <> ALL (:unable)
RETURNING id
