-- What came in for a day, counted without looking at what became of it.
SELECT
    (SELECT count(*) FROM feedback WHERE day = $1) + (SELECT count(*) FROM refusal WHERE day = $1 AND state = 'held')
    AS events
