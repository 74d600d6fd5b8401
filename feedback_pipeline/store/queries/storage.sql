-- How much waits, since when, and how large the database is.
SELECT pg_database_size(current_database()) AS bytes,
    (SELECT count(*) FROM change) AS waiting,
    (SELECT extract(epoch FROM now() - min(changed_at)) FROM day_state
     WHERE version > computed AND day < current_date AND NOT expired) AS lag_seconds,
    (SELECT count(*) FROM feedback) AS events,
    (SELECT count(*) / 28.0 FROM feedback WHERE received_at > now() - interval '28 days') AS per_day
