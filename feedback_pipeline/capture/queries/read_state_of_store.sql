SELECT
    current_setting('server_version') AS version,
    pg_size_pretty(pg_database_size(current_database())) AS size,
    (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()) AS connections,
    (SELECT count(*) FROM vote_delta) AS waiting,
    (SELECT count(*) FROM (SELECT FROM feedback WHERE interaction_id IS NULL LIMIT 10000) p) AS pending
