-- What came in for days, counted without looking at what became of it.
SELECT
    d.day,
    (SELECT count(*) FROM feedback f WHERE f.day = d.day)
    + (SELECT count(*) FROM refusal r WHERE r.day = d.day AND r.state = 'held') AS events
FROM unnest(CAST(:days AS date[])) AS d (day)
