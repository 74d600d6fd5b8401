-- Rows of the audit log that are not what they were, or do not follow the one before.
SELECT l.id, CASE
        WHEN l.digest <> audit_digest(l) THEN 'it was changed'
        WHEN w.id <> w.place THEN 'rows before it are missing'
        ELSE 'it does not follow the row before' END AS problem
FROM (
    SELECT a.*, row_number() OVER (ORDER BY a.id) AS place, lag(a.digest, 1, '\x') OVER (ORDER BY a.id) AS before
    FROM audit_log a
) w JOIN audit_log l ON l.id = w.id
WHERE l.digest <> audit_digest(l) OR w.id <> w.place OR l.previous <> w.before
ORDER BY l.id
LIMIT 20
