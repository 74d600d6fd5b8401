-- How many answers and events days have: counted no further than it matters.
SELECT
    d.day,
    (SELECT count(*) FROM (SELECT FROM interaction i WHERE i.day = d.day LIMIT :most) AS a)
    + (SELECT count(*) FROM (SELECT FROM feedback f WHERE f.day = d.day LIMIT :most) AS e) AS rows
FROM unnest(CAST(:days AS date[])) AS d (day)
