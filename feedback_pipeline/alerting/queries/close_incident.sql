UPDATE alert SET state = 'closed', closed_at = :now, closed_by = :person, closed_on = GREATEST(:today, last_day)
WHERE id = CAST(:id AS uuid) AND state <> 'closed'
RETURNING id
