WITH whole AS (
    UPDATE export_file SET lines = :lines, sha256 = :sha256 WHERE id = :id RETURNING place, made_at
)
DELETE FROM export_file e USING whole w WHERE e.place = w.place AND e.id <> :id AND e.made_at <= w.made_at
