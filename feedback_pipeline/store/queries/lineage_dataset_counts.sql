-- What a dataset's manifest counts: its rows themselves are too many to be counted for a look.
SELECT (SELECT sum(value::bigint) FROM jsonb_each_text(manifest -> 'content' -> 'counts' -> 'split')) AS examples,
       (SELECT sum(value::bigint) FROM jsonb_each_text(manifest -> 'content' -> 'pairs' -> 'split')) AS pairs,
       (SELECT sum(lines) FROM (
            SELECT DISTINCT layout, lines
            FROM jsonb_to_recordset(manifest -> 'content' -> 'files') AS file (layout text, lines bigint)
            WHERE layout IS NOT NULL) sequence) AS lines
FROM dataset WHERE id = :id
