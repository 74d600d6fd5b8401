-- An event was not taken ($3): again in $2 seconds, or never ($2 null).
UPDATE webhook SET attempts = attempts + 1, problem = $3, next_at = now() + make_interval(secs => COALESCE($2, 0)),
    ended_at = CASE WHEN $2::double precision IS NULL THEN now() END
WHERE id = $1
