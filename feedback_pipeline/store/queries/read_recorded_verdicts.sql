-- Verdicts by judges outside this pipeline on single answers of a week: from $1 on.
SELECT j.fingerprint, j.criterion, j.interaction_id::text AS interaction_id, j.result ->> 'label' AS label,
    (j.result ->> 'score')::double precision AS score
FROM judgement j JOIN interaction i ON i.id = j.interaction_id
WHERE j.fingerprint LIKE 'recorded:%' AND j.other_interaction_id IS NULL AND i.day >= $1 AND i.day < $1 + 7
ORDER BY 1, 2, 3, 4, 5
