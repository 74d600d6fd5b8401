UPDATE alert SET state = 'acknowledged', acknowledged_at = :now, acknowledged_by = :person
WHERE id = CAST(:id AS uuid) AND state = 'open'
RETURNING id
