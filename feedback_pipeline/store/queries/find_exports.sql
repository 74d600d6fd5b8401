-- Exports that cover one of these days, of this tenant or of all.
SELECT e.id, e.place, e.sha256, e.made_at FROM export_file e
WHERE (CAST(:tenant AS text) IS NULL OR e.tenant IS NULL OR e.tenant = :tenant)
    AND EXISTS (SELECT FROM unnest(CAST(:days AS date[])) day WHERE day BETWEEN e.first_day AND e.last_day)
ORDER BY e.made_at, e.id
