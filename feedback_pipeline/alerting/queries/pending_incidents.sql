-- Open incidents nobody was told of yet. Old ones are history: whoever loads a year of votes wants no year of messages.
SELECT id, kind, severity, slice, explanation, first_day, last_day FROM alert
WHERE state = 'open' AND notified_at IS NULL AND last_day >= :since
ORDER BY first_day, kind, id
FOR UPDATE SKIP LOCKED
