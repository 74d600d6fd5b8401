-- The tags a tenant uses; those past the limit are too many to look for slips among.
SELECT name FROM tag_seen ORDER BY name LIMIT 2000
