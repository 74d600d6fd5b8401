SELECT id, first_day FROM alert
WHERE real IS NULL AND kind = ANY (:kinds) AND first_day < :day AND first_day >= :day - CAST(:most_days AS integer)
ORDER BY id
