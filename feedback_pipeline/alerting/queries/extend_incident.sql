-- The incident that a day's alert belongs to: the one whose days, or the quiet ones after them, it falls into. One that
-- a person closed ends on the day it was closed; one that began by the day comes before one that began after it.
UPDATE alert SET
    first_day = LEAST(first_day, :day),
    last_day = GREATEST(last_day, :day),
    explanation = CASE WHEN :day >= last_day THEN :explanation ELSE explanation END,
    numbers = CASE WHEN :day >= last_day THEN CAST(:numbers AS jsonb) ELSE numbers END,
    severity = CASE WHEN severity = 'error' THEN 'error' ELSE :severity END
WHERE id = (
    SELECT id FROM alert
    WHERE incident = :incident
        AND :day >= first_day - CAST(:quiet_days AS integer)
        AND :day <= CASE WHEN closed_by IS NULL THEN last_day + CAST(:quiet_days AS integer) ELSE closed_on END
    ORDER BY first_day <= :day DESC, first_day DESC
    LIMIT 1
)
RETURNING id
