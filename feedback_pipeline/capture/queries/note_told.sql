-- An event was taken: the next one's turn.
UPDATE webhook SET told_at = $2, told_id = $3, attempts = 0, next_at = now(), problem = NULL WHERE id = $1
